"""Stage `compose`: params.yaml and conf/ → data/config/<stage>.yaml. Run as `python -m stages.compose`."""

from stages import files, models, paths
from stages.compose.compose import STAGES, compose, stage_yaml
from stages.running import run


def work() -> str:
    config = compose(paths.PARAMS, paths.CONF)
    models.locate(config.model)
    for stage in STAGES:
        files.write_text(paths.CONFIG / f"{stage}.yaml", stage_yaml(config, stage))
    return f"{len(STAGES)} stages configured; base model {config.model.name}"


if __name__ == "__main__":
    run("compose", work)

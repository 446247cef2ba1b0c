"""Stage `compose`: params.yaml and conf/ → data/config/<stage>.yaml. Run as `python -m stages.compose`."""

from stages import files, models, named, paths
from stages.compose.compose import STAGES, Config, compose, stage_yaml
from stages.running import run
from stages.train.config import refuse_too_large


def work() -> str:
    config = compose(paths.PARAMS, paths.CONF)
    _look_for_what_is_named(config)
    for stage in STAGES:
        files.write_text(paths.CONFIG / f"{stage}.yaml", stage_yaml(config, stage))
    return f"{len(STAGES)} stages configured; base model {config.model.name}"


def _look_for_what_is_named(config: Config) -> None:
    """Raises UserError where what a later stage would take is not there, or does not fit the base model."""
    models.locate(config.model)
    for stage in (config.embed, config.train, config.evaluate):
        named.launcher(stage.launcher)
    named.compared(config.evaluate.compare)
    named.reranker(config.evaluate.reranker)
    if named.pinned(config.pin) is None and config.model.dimension is not None:  # what is pinned is not trained
        refuse_too_large(config.train.matryoshka, config.model.dimension)


if __name__ == "__main__":
    run("compose", work)

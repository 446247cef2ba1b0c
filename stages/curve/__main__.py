"""Stage `curve`: models that a part of the training passages tuned, on the test queries; if `evaluate.data_curve`.

Run as `python -m stages.curve`.
"""

from stages import files, paths
from stages.curve.config import CurveConfig
from stages.running import run
from stages.settings import load


def work() -> str:
    config = load("curve", CurveConfig)
    if config.data_curve:
        from stages.curve.points import measure  # the libraries take seconds to load

        return measure(config)
    with files.replace_dir(paths.CURVE) as folder:
        files.write_json(folder / paths.CURVE_POINTS.name, [])
    return "not asked for (`evaluate.data_curve`)"


if __name__ == "__main__":
    run("curve", work)

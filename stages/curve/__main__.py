"""Stage `curve`: models tuned on parts of the training passages, scored on the test queries, if `evaluate.data_curve`.

Run as `python -m stages.curve`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from fieldtune.corpus import files
from fieldtune.retrieval import curve_points
from fieldtune.runtime import paths
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.curve.config import CurveConfig


def work() -> str:
    config = load("curve", CurveConfig)
    if config.data_curve:
        from stages.curve.points import measure  # the libraries take seconds to load

        return measure(config)
    with files.replace_dir(paths.CURVE) as folder:
        files.write_json(folder / curve_points.POINTS, [])
    return "turned off (`evaluate.data_curve`)"


if __name__ == "__main__":
    run_stage("curve", work)

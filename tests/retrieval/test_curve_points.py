"""Points of the data curve come back from their files, whatever the order of the queries."""

from pathlib import Path

import numpy as np

from fieldtune.corpus import files
from fieldtune.retrieval import curve_points
from fieldtune.retrieval.curve_points import CurvePoint


def test_points_survive_their_files(tmp_path: Path) -> None:
    points = [
        CurvePoint(0.125, 10, 30, True, np.array([0.0, 0.5])),
        CurvePoint(0.5, 40, 120, False, np.array([1, 0.25])),
    ]
    curve_points.write(tmp_path, points, ["r1", "q2"])
    assert files.read_json(tmp_path / curve_points.POINTS) == [
        {"share": 0.125, "passages": 10, "pairs": 30, "base_kept": True},
        {"share": 0.5, "passages": 40, "pairs": 120, "base_kept": False},
    ]
    assert list(files.read_table(tmp_path / curve_points.PER_QUERY)) == ["query_id", "0.125", "0.5"]

    read = curve_points.read(tmp_path, ["q2", "r1"])

    assert [point.facts() for point in read] == [point.facts() for point in points]
    assert [point.values.tolist() for point in read] == [[0.5, 0.0], [0.25, 1.0]]

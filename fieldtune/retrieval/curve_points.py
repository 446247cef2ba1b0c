"""The points of the data curve, and their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldtune.corpus import files

if TYPE_CHECKING:  # without a curve, the stage loads no library
    from fieldtune.retrieval.metrics import Values

POINTS = "points.json"
PER_QUERY = "per_query.parquet"


@dataclass(frozen=True)
class CurvePoint:
    """A model tuned on a share of the training passages."""

    share: float
    passages: int
    pairs: int
    base_kept: bool  # nothing was better on dev
    values: "Values"  # NDCG@10 [queries]

    def facts(self) -> dict[str, Any]:
        """Everything but the values: the row of points.json."""
        return {name: getattr(self, name) for name in ("share", "passages", "pairs", "base_kept")}


def write(folder: Path, points: Sequence[CurvePoint], ids: Sequence[str]) -> None:
    """Write both files into an empty folder; `ids` [queries]."""
    files.write_json(folder / POINTS, [point.facts() for point in points])
    columns = {f"{point.share:g}": point.values.tolist() for point in points}
    files.write_table(folder / PER_QUERY, {"query_id": list(ids), **columns})


def read(folder: Path, ids: Sequence[str]) -> list[CurvePoint]:
    """Read the points, their values in the order of `ids`."""
    import numpy as np

    table = files.read_table(folder / PER_QUERY)
    row_of = {query: row for row, query in enumerate(table["query_id"])}
    order = [row_of[query] for query in ids]
    return [
        CurvePoint(**facts, values=np.array(table[f"{facts['share']:g}"])[order])
        for facts in files.read_json(folder / POINTS)
    ]

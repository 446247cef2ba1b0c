"""The ledger of bought vectors, and the file by which they travel: `data/rivals/bought.parquet`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldtune.buying.earlier_output import open_output
from fieldtune.buying.ledger import Ledger, chunks, marks
from fieldtune.corpus import files
from fieldtune.runtime import paths

BOUGHT = paths.RIVALS_METRICS.with_name("bought.parquet")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    key TEXT PRIMARY KEY, scope TEXT NOT NULL, vector BLOB NOT NULL, tokens INTEGER NOT NULL, cost INTEGER NOT NULL
);
CREATE TRIGGER IF NOT EXISTS vector_bought AFTER INSERT ON vectors BEGIN
    INSERT INTO spent VALUES (new.scope, new.cost, 0) ON CONFLICT DO UPDATE SET settled = settled + new.cost;
END;
"""

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Bought:
    """One bought vector."""

    key: str
    scope: str  # of the model with its settings
    vector: bytes  # float32, as the API gave it
    tokens: int
    cost: int  # nanodollars


class VectorLedger(Ledger):
    """The ledger whose rows are vectors. `fieldtune clean` leaves it alone, since it was paid for."""

    file = "bought_vectors.sqlite"
    schema = _SCHEMA

    # What follows and changes something belongs inside `transaction`.

    def has(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM vectors WHERE key = ?", (key,)).fetchone() is not None

    def settle(self, brought: Iterable[tuple[int, Bought]]) -> None:
        """Keep the vectors of a request, and let their own cost stand for their reservations."""
        for reservation, bought in brought:
            if self.clear(reservation):
                self._insert(bought)

    def refill(self, vectors: Iterable[Bought]) -> int:
        """Keep vectors that were bought elsewhere and are not here. Their number."""
        return sum(self._insert(bought) for bought in vectors)

    def _insert(self, bought: Bought) -> int:
        columns = bought.key, bought.scope, bought.vector, bought.tokens, bought.cost
        return self._db.execute("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?, ?, ?)", columns).rowcount

    # What follows only reads.

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys without a vector here, each once, in their order."""
        wanted = list(dict.fromkeys(keys))
        here: set[str] = set()
        for chunk in chunks(wanted):
            rows = self._db.execute(f"SELECT key FROM vectors WHERE key IN ({marks(chunk)})", chunk)
            here |= {key for (key,) in rows}
        return [key for key in wanted if key not in here]

    def bought(self, keys: Iterable[str]) -> Iterator[Bought]:
        """The vectors under these keys, in the order of the keys' digits."""
        for chunk in chunks(sorted(set(keys))):
            query = f"SELECT key, scope, vector, tokens, cost FROM vectors WHERE key IN ({marks(chunk)}) ORDER BY key"
            for row in self._db.execute(query, chunk).fetchall():
                yield Bought(*row)


def write_bought(ledger: VectorLedger, keys: Sequence[str]) -> None:
    """Write the vectors, so that whoever pulls them pays nothing."""
    rows = list(ledger.bought(keys))
    columns = {name: [getattr(row, name) for row in rows] for name in Bought.__dataclass_fields__}
    files.write_table(BOUGHT, columns)


def read_bought() -> Iterator[Bought]:
    """The vectors of the last run that this commit knows; nothing if there was none or it was not pulled."""
    import pyarrow.parquet as pq

    with open_output(BOUGHT) as file:
        if file is None:
            return
        for batch in pq.ParquetFile(file).iter_batches():
            for row in batch.to_pylist():
                yield Bought(**row)

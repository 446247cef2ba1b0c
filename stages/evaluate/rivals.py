"""The rivals on the main set: what each scores, what it costs to run, and how much of what it finds was judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fieldtune.corpus import files
from fieldtune.retrieval.judged_queries import row_of
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.significance import Interval
from fieldtune.retrieval.systems import RIVAL
from fieldtune.runtime import paths
from stages.evaluate.deployment import dense_memory, dense_ms
from stages.evaluate.inputs import Inputs
from stages.evaluate.rankings import Ranked
from stages.evaluate.scores import SetScores

_TOP = 10  # sections
_MILLION = 1_000_000
_UNFAIR = 0.1  # a share of judged results that is lower by so much than the base model's is marked


@dataclass(frozen=True)
class Cost:
    """The running costs of a system, estimated from sizes; None: unknown, or none of this kind."""

    seconds_per_1000_queries: float | None = None
    dollars_per_1000_queries: float | None = None
    dollars_per_million_passages: float | None = None
    bytes_per_million_passages: int | None = None  # of memory


@dataclass(frozen=True)
class RivalScore:
    """A rival, or for comparison the tuned model."""

    system: str
    kind: str  # model | api | run
    model: str | None
    ndcg: float
    gain: Interval | None  # of the tuned model over the rival
    p: float | None  # corrected for the number of rivals
    judged: float | None  # mean share of its first ten that a person judged; None: unknown
    unfair: bool  # clearly less of it was judged than of the base model's first ten
    cost: Cost
    prices_date: str | None = None

    def json(self) -> dict[str, Any]:
        """The row of metrics.json."""
        gain = None if self.gain is None else {**self.gain.json(), "p": self.p}
        values = {name: value for name, value in asdict(self).items() if name not in ("gain", "p")}
        return {**values, "gain": gain}


def rival_scores(inputs: Inputs, ranked: Ranked, scores: SetScores) -> list[RivalScore]:
    """The rivals in their order, then the tuned model; empty if there are none. `scores`: the main set's."""
    if not scores.rivals:
        return []
    passages = len(inputs.passages)
    base = judged_share(inputs, ranked.systems["base"])
    rows = []
    for system in scores.rivals:
        facts = inputs.rivals[system.removeprefix(RIVAL)]
        share = judged_share(inputs, ranked.systems[system])
        row = RivalScore(
            system=system,
            kind=facts["kind"],
            model=facts.get("model"),
            ndcg=scores.means[system]["ndcg@10"],
            gain=scores.lead("tuned", system),
            p=scores.p[system]["ndcg@10"],
            judged=share,
            unfair=share is not None and base is not None and share < base - _UNFAIR,
            cost=cost(facts, passages),
            prices_date=facts.get("prices_date"),
        )
        rows.append(row)
    weights = files.disk_size(*paths.MODEL.glob("*.safetensors"))
    tuned = {"kind": "model", "model_bytes": weights, "dimension": ranked.tuned_passages.shape[1]}
    share = judged_share(inputs, ranked.systems["tuned"])
    ndcg = scores.means["tuned"]["ndcg@10"]
    return [*rows, RivalScore("tuned", "model", None, ndcg, None, None, share, False, cost(tuned, passages))]


def cost(facts: Mapping[str, Any], passages: int) -> Cost:
    """The running costs of a system among so many passages; `facts`: its block of the rivals' metrics.json."""
    vector = 4 * facts.get("dimension", 0)  # bytes
    if facts["kind"] == "model":
        return Cost(
            seconds_per_1000_queries=round(dense_ms(facts["model_bytes"], vector * passages), 1),
            bytes_per_million_passages=dense_memory(facts["model_bytes"], vector * _MILLION),
        )
    if facts["kind"] == "api":
        price = facts["dollars_per_million_tokens"]
        return Cost(
            dollars_per_1000_queries=round(price * facts["tokens_per_query"] / 1000, 6),
            dollars_per_million_passages=round(price * facts["tokens_per_passage"], 4),
            bytes_per_million_passages=vector * _MILLION,
        )
    return Cost()


def judged_share(inputs: Inputs, rankings: Rankings) -> float | None:
    """The mean share of a system's first ten sections that a person judged, over the main set's queries that were
    judged from pools; None if none was.
    """
    judged, sections = inputs.judged, inputs.corpus.sections
    shares = []
    for row in judged.sets[judged.main_set].tolist():
        query = judged.ids[row]
        pool = inputs.real[row_of(query)].judged if query[0] == "r" else []
        if pool:
            known = {*pool, *(sections[answer] for answer in judged.relevant[row])}
            shares.append(_share([sections[place] for place in rankings.sections[row, :_TOP] if place >= 0], known))
    return round(float(np.mean(shares)), 6) if shares else None


def _share(ranked: Sequence[str], known: set[str]) -> float:
    return sum(section in known for section in ranked) / len(ranked) if ranked else 1.0

"""Two answers: is the tuned model better than the base (`verdict`), and which system to run (`recommend`).

The verdict is the first row that fits. `gain` is tuned against base in NDCG@10, on the real queries where there are
enough to tell anything (`query_sets`), else "no real queries" below; "beyond luck" means that the interval of a
difference lies above 0.

| case | verdict |
|---|---|
| the tuned model's vectors are the base's | keep_base |
| the gain is below 0, beyond luck | keep_base |
| the gain is not above 0 beyond luck | keep_base |
| the base is above `good_enough`, and the gain below `negligible` | keep_base |
| BM25 or hybrid(base) beats tuned and hybrid(tuned) beyond luck: the tuned model is of no use | keep_base |
| the gain is below `negligible`: look at the data | marginal |
| the gain is below `meaningful` | marginal |
| BM25 scores higher than tuned | marginal |
| hybrid(base) scores higher than tuned and hybrid(tuned) | marginal |
| no real queries, and one kind of generated query | marginal |
| no real queries, and a kind of generated query that does not gain beyond luck: the kinds disagree | marginal |
| no real queries, and without the kind that gains most the gain is below `meaningful` | marginal |
| all others | ship |

Numbers are those of metrics.json, to six decimals. Where fewer groups of queries than `fewest_clusters` were asked,
every interval reaches down to -1 here, and is null there; people are told that there are too few groups.

Recommended is the system that costs least to run among those that the best one does not beat beyond luck; of a tuned
model that is not to be kept neither itself nor its hybrid.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval.significance import fewest_clusters
from fieldtune.retrieval.systems import CHEAPEST_FIRST, IN_SENTENCES, SYSTEMS
from stages.evaluate.bootstrap import Interval
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.scores import SetScores

_LEAST_REAL = 100  # queries, for a verdict on what people type


@dataclass(frozen=True)
class Judgement:
    """The two answers, and why, a sentence each."""

    verdict: str  # ship | marginal | keep_base
    recommend: str  # base | bm25 | hybrid | tuned | tuned_hybrid
    reasons: list[str]


def judge(
    main_set: str,
    scores: SetScores,
    kinds: Mapping[str, SetScores],
    similarity: float,
    config: EvaluateConfig,
    *,
    doubt: str | None = None,
    guarded: int = 0,
    asked: int = 0,
) -> Judgement:
    """Judge by the scores of `main_set`, `real` or `synthetic`.

    `kinds` has the scores of each kind of generated query, and counts without real queries alone; `similarity` is the
    mean cosine between the corpus as the base and as the tuned model encode it, `doubt` why `train` kept the base,
    `guarded` how many real queries it asked, `asked` how many there are, which may be too few to be `main_set`.
    """
    real = main_set == "real"
    gain = scores.lead("tuned", "base")
    base, tuned = (scores.means[system]["ndcg@10"] for system in ("base", "tuned"))
    reasons = [
        f"On {scores.n:,} {'real' if real else 'generated'} queries the tuned model's NDCG@10 is {tuned:.3f}, the base "
        f"model's {base:.3f}: a gain of {said(gain, config.confidence)}."
    ]
    verdict, why = _verdict(scores, {} if real else kinds, similarity, config, doubt)
    reasons += [why, *_room(base, verdict, config, real)]
    if scores.groups < (least := fewest_clusters(config.confidence)):
        reasons.append(
            "Queries whose answers are copies of one another, or stand in one document, count as one group. Here are "
            f"{scores.groups}; {least} are the least that can tell a gain from luck. Ask about more of the documents."
        )
    else:
        reasons.append(_luck(scores, gain, config))
    if real and guarded and not doubt:
        reasons.append(
            f"{guarded:,} of the real queries could have kept the base model (`train.guard`) and did not: their own "
            "gain reads a little high."
        )
    recommend, advice = _recommend(scores, verdict, config)
    reasons.append(advice)
    if not real:
        there = f"{asked:,} real queries are too few to tell anything" if asked else "There are no real queries"
        reasons.append(
            f"{there}: generated ones are easier than what people type, and may show a gain where "
            f"there is none. Collect {_to_collect(scores, config):,} real queries with their answers, and name the "
            "file in `queries:`."
        )
    return Judgement(verdict, recommend, reasons)


def said(lead: Interval, confidence: float) -> str:
    """A difference with its interval, in words."""
    if not lead.told:
        return f"{lead.mean:+.3f} (too few groups for an interval)"
    return f"{lead.mean:+.3f} ({confidence * 100:g} % interval {lead.low:+.3f} to {lead.high:+.3f})"


def _verdict(
    scores: SetScores, kinds: Mapping[str, SetScores], similarity: float, config: EvaluateConfig, doubt: str | None
) -> tuple[str, str]:
    """The table's first row that fits; without `kinds` they are not asked."""
    gain = scores.lead("tuned", "base")
    ndcg = {system: scores.means[system]["ndcg@10"] for system in SYSTEMS}
    without = max("bm25", "hybrid", key=ndcg.__getitem__)
    with_tuned = max("tuned", "tuned_hybrid", key=ndcg.__getitem__)
    beaten = scores.lead(without, with_tuned)
    if similarity > UNCHANGED and doubt:
        return "keep_base", f"Training kept the base model: {doubt}."
    if similarity > UNCHANGED:
        return "keep_base", (
            f"The embeddings are unchanged (mean cosine to the base model's {similarity:.4f}): no checkpoint was "
            "better than the base model on the dev queries beyond luck, or the learning rate or the data does nothing."
        )
    if gain.high < 0:
        return "keep_base", (
            "The tuned model is worse than the base. Look for several right passages of one query, for queries that "
            "people would not type, for wrong prompts in conf/model/; try a lower learning rate."
        )
    if not gain.told:
        return "keep_base", "Too few groups of queries were asked: the gain cannot be told from luck."
    if gain.low <= 0:
        return "keep_base", "The interval holds 0: the gain cannot be told from luck."
    if gain.mean < config.negligible and ndcg["base"] > config.good_enough:
        return "keep_base", (
            f"The base model is above {config.good_enough:.2f} already, and a gain below {config.negligible:.2f} is "
            "not worth a new model."
        )
    if beaten.low > 0:
        return "keep_base", (
            f"{_capital(IN_SENTENCES[without])} scores higher than all that has the tuned model in it, by "
            f"{said(beaten, config.confidence)} over {IN_SENTENCES[with_tuned]}: it beats the base model, and is still of no "
            "use here."
        )
    if gain.mean < config.negligible:
        return "marginal", (
            f"A gain below {config.negligible:.2f} points at the data: more queries, in the words that people type."
        )
    if gain.mean < config.meaningful:
        return "marginal", f"The gain is real, and below the {config.meaningful:.2f} that is worth a new model."
    over_bm25 = scores.lead("tuned", "bm25")
    if over_bm25.mean < 0:
        return "marginal", (
            f"BM25 alone scores higher than the tuned model ({said(over_bm25, config.confidence)}): a tuned model that "
            "BM25 beats is no success."
        )
    if without == "hybrid" and beaten.mean > 0:
        return "marginal", (
            f"{_capital(IN_SENTENCES['hybrid'])}, which needs no tuning, scores higher than all that has the tuned model in "
            f"it ({said(beaten, config.confidence)})."
        )
    if kinds and (doubt := _doubt(kinds, config)):
        return "marginal", f"{doubt} Collect {_to_collect(scores, config):,} real queries to know."
    return "ship", f"A gain of {config.meaningful:.2f} or more is meaningful, and the interval is above 0."


def _doubt(kinds: Mapping[str, SetScores], config: EvaluateConfig) -> str | None:
    """Why the kinds of generated queries do not carry a verdict; None where they do."""
    gains = {kind: scores.lead("tuned", "base") for kind, scores in kinds.items()}
    if len(gains) == 1:
        (kind,) = gains
        return f"All generated queries are of one kind, {kind}, and one kind cannot carry the verdict."
    doubtful = [f"{kind} ({gain.mean:+.3f})" for kind, gain in gains.items() if gain.low <= 0]
    if doubtful:
        return f"The kinds of generated queries disagree: no gain that can be told from luck on {', '.join(doubtful)}."
    most = max(gains, key=lambda kind: gains[kind].mean)
    others = [kind for kind in gains if kind != most]
    rest = sum(kinds[kind].n * gains[kind].mean for kind in others) / sum(kinds[kind].n for kind in others)
    if rest < config.meaningful:
        return f"The gain comes from one kind of generated query, {most}: without it, it is {rest:+.3f}."
    return None


def _room(base: float, verdict: str, config: EvaluateConfig, real: bool) -> list[str]:
    """What the base model's score says beside the gain."""
    if base > config.good_enough and not real:
        return [
            f"The base model is above {config.good_enough:.2f} on generated queries, which are easier than what people "
            "type: only real ones tell how much room there is."
        ]
    if base > config.good_enough:
        return [f"The base model is above {config.good_enough:.2f}: tuning is hardly worth it there."]
    if base < config.worth_it and verdict != "ship":
        return [
            f"The base model is below {config.worth_it:.2f}, so there is much room: more and better training queries, "
            "or more epochs, may still pay."
        ]
    return []


def _luck(scores: SetScores, gain: Interval, config: EvaluateConfig) -> str:
    """What so many queries can tell from luck."""
    p = scores.p["base"]["ndcg@10"]
    chance = "under 0.1 %" if p < 0.001 else f"{100 * p:.2g} %" if p < 0.1 else f"{100 * p:.0f} %"
    text = (
        f"With {scores.n:,} queries, a gain under {scores.detectable:.3f} cannot be told from luck; you have "
        f"{gain.mean:+.3f}. Two equal models would differ as much in {chance} of such tests (randomisation test)."
    )
    if scores.detectable > config.meaningful > 0:
        needed = scores.needed(config.meaningful)
        text += f" To tell a gain of {config.meaningful:.2f} from luck takes about {needed:,} queries."
    return text


def _to_collect(scores: SetScores, config: EvaluateConfig) -> int:
    """Real queries that it takes to tell a meaningful gain from luck, as far as the generated ones let us know."""
    if scores.groups < fewest_clusters(config.confidence) or config.meaningful == 0:
        return _LEAST_REAL
    return max(_LEAST_REAL, scores.needed(config.meaningful))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _recommend(scores: SetScores, verdict: str, config: EvaluateConfig) -> tuple[str, str]:
    """The cheapest system that the best one does not beat beyond luck; none with a model that is not to be kept."""
    choices = [system for system in CHEAPEST_FIRST if verdict != "keep_base" or not system.startswith("tuned")]
    best = max(choices, key=lambda system: scores.means[system]["ndcg@10"])
    system = next(one for one in choices if one == best or scores.lead(best, one).low <= 0)
    score = f"NDCG@10 {scores.means[system]['ndcg@10']:.3f}"
    if system != best:
        lead = said(scores.lead(best, system), config.confidence)
        return system, (
            f"Run {IN_SENTENCES[system]} ({score}): {IN_SENTENCES[best]} scores higher by {lead}, which may be luck, and costs more "
            "to run."
        )
    if system == choices[0]:
        return system, f"Run {IN_SENTENCES[system]}: it scores highest ({score}), and costs least to run."
    return (
        system,
        f"Run {IN_SENTENCES[system]}: it scores highest ({score}), beyond luck higher than all that cost less to run.",
    )

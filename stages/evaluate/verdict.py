"""Two answers: is the tuned model better than the base (`verdict`), and which system to run (`recommend`).

The verdict, read from top to bottom; `gain` is tuned against base in NDCG@10, on the real queries where there are any:

| case | verdict |
|---|---|
| the tuned model's vectors are the base's | keep_base |
| the interval of the gain reaches down to 0 | keep_base |
| the gain is below `meaningful` | marginal |
| BM25 scores higher than the tuned model | marginal |
| no real queries, and a kind of generated query whose interval reaches down to 0 | marginal |
| all others | ship |

Numbers are those of metrics.json, to six decimals. Where fewer groups of queries than `least_groups` were asked, every
interval reaches down to -1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.evaluate.bootstrap import Interval, least_groups
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.scores import SetScores

UNCHANGED = 0.999  # mean cosine of the corpus before and after, from which tuning did nothing
# From what costs a team least to what costs most: a new model is one file, a hybrid a second index.
_CHEAPEST_FIRST = ("base", "bm25", "tuned", "hybrid", "tuned_hybrid")
NAMES = {
    "base": "the base model",
    "bm25": "BM25",
    "hybrid": "the hybrid of base model and BM25",
    "tuned": "the tuned model",
    "tuned_hybrid": "the hybrid of tuned model and BM25",
}


@dataclass(frozen=True)
class Judgement:
    """The two answers, and why, a sentence each."""

    verdict: str  # ship | marginal | keep_base
    recommend: str  # base | bm25 | hybrid | tuned | tuned_hybrid
    reasons: list[str]


def judge(
    main_set: str, scores: SetScores, kinds: Mapping[str, SetScores], similarity: float, config: EvaluateConfig
) -> Judgement:
    """Judge by the scores of `main_set`, `real` or `synthetic`.

    `kinds` has the scores of each kind of generated query, and counts without real queries alone; `similarity` is the
    mean cosine between the corpus as the base and as the tuned model encode it.
    """
    real = main_set == "real"
    gain = scores.lead("tuned", "base")
    base, tuned = (scores.means[system]["ndcg@10"] for system in ("base", "tuned"))
    reasons = [
        f"On {scores.n:,} {'real' if real else 'generated'} queries the tuned model's NDCG@10 is {tuned:.3f}, the base "
        f"model's {base:.3f}: a gain of {said(gain, config.confidence)}."
    ]
    verdict, why = _verdict(gain, scores.lead("tuned", "bm25"), {} if real else kinds, similarity, config)
    reasons += why
    if scores.groups < (least := least_groups(config.confidence)):
        reasons.append(
            "Queries whose answers are copies of one another, or stand in one document, count as one group. Here are "
            f"{scores.groups}; {least} are the least that can tell a gain from luck. Ask about more of the documents."
        )
    recommend, advice = _recommend(scores, verdict, config)
    reasons.append(advice)
    if not real:
        reasons.append(
            "There are no real queries: generated ones are easier than what people type, and may show a gain where "
            "there is none. Collect 100 or more with their answers, and name the file in `queries:`."
        )
    return Judgement(verdict, recommend, reasons)


def said(lead: Interval, confidence: float) -> str:
    """A difference with its interval, in words."""
    return f"{lead.mean:+.3f} ({confidence * 100:g} % interval {lead.low:+.3f} to {lead.high:+.3f})"


def _verdict(
    gain: Interval, over_bm25: Interval, kinds: Mapping[str, SetScores], similarity: float, config: EvaluateConfig
) -> tuple[str, list[str]]:
    if similarity > UNCHANGED:
        return "keep_base", [
            f"The vectors are unchanged (mean cosine to the base model's {similarity:.4f}): no checkpoint was better "
            "than the base model on the dev queries, or the learning rate or the data does nothing."
        ]
    if gain.high < 0:
        return "keep_base", [
            "The tuned model is worse than the base. Look for several right passages of one query, for queries that "
            "people would not type, for wrong prompts in conf/model/; try a lower learning rate."
        ]
    if gain.low <= 0:
        return "keep_base", ["The interval holds 0: the gain cannot be told from luck."]
    if gain.mean < config.negligible:
        return "marginal", [
            f"A gain below {config.negligible:.2f} points at the data: more queries, in the words that people type."
        ]
    if gain.mean < config.meaningful:
        return "marginal", [f"The gain is real, and below the {config.meaningful:.2f} that is worth a new model."]
    if over_bm25.mean < 0:
        return "marginal", [
            f"BM25 alone scores higher than the tuned model ({said(over_bm25, config.confidence)}): a tuned model that "
            "BM25 beats is no success."
        ]
    doubtful = [kind for kind, scores in kinds.items() if scores.lead("tuned", "base").low <= 0]
    if doubtful:
        return "marginal", [
            f"The kinds of generated queries disagree: no gain that can be told from luck on {', '.join(doubtful)}."
        ]
    return "ship", [f"A gain of {config.meaningful:.2f} or more is meaningful, and the interval is above 0."]


def _recommend(scores: SetScores, verdict: str, config: EvaluateConfig) -> tuple[str, str]:
    """The cheapest system that the best one does not beat beyond luck; never a tuned model that is not to be kept."""
    choices = [system for system in _CHEAPEST_FIRST if (system, verdict) != ("tuned", "keep_base")]
    best = max(choices, key=lambda system: scores.means[system]["ndcg@10"])
    system = next(one for one in choices if one == best or scores.lead(best, one).low <= 0)
    score = f"NDCG@10 {scores.means[system]['ndcg@10']:.3f}"
    if system != best:
        lead = said(scores.lead(best, system), config.confidence)
        return system, (
            f"Run {NAMES[system]} ({score}): {NAMES[best]} scores higher by {lead}, which may be luck, and costs more "
            "to run."
        )
    if system == choices[0]:
        return system, f"Run {NAMES[system]}: it scores highest ({score}), and costs least to run."
    return (
        system,
        f"Run {NAMES[system]}: it scores highest ({score}), beyond luck higher than all that cost less to run.",
    )

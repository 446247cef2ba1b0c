"""Two answers: is the tuned model better than the base (`verdict`), and which system to run (`recommend`).

The verdict is that of the first of `_RULES` that applies; docs/verdict.md defines them, and says what "beyond luck"
means and which queries count.

Numbers are those of metrics.json, to six decimals. With fewer clusters of queries than `fewest_clusters`, every
interval reaches down to -1 here, and is null there; the reasons say that there are too few groups.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fieldtune.corpus.providers import STYLED
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval.formatting import capitalized, difference, signed
from fieldtune.retrieval.significance import Interval, fewest_clusters
from fieldtune.retrieval.systems import CHEAPEST_FIRST, IN_SENTENCES, SYSTEMS, WITHOUT_WORDS, in_sentence
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.scores import SetScores

_LEAST_REAL = 100  # queries, for a verdict on what people type
_HAIR = 0.005  # NDCG@10


@dataclass(frozen=True)
class Judgement:
    """The two answers, and the reasons, one sentence each."""

    verdict: str  # ship | marginal | keep_base
    recommend: str  # one of SYSTEMS, or a rival
    reasons: list[str]
    instead: str = ""  # one of SYSTEMS, if `recommend` is a rival

    @property
    def of_ours(self) -> str:
        """The one of SYSTEMS to run: what `recommend` would be if there were no rivals."""
        return self.instead or self.recommend


@dataclass(frozen=True)
class Evidence:
    """The facts that the verdict follows from."""

    main_set: str  # real | synthetic
    scores: SetScores  # of the main set
    kinds: Mapping[str, SetScores]  # of generated queries
    similarity: float  # mean cosine between the corpus as the base and as the tuned model encode it
    doubt: str | None = None  # why `train` kept the base
    chosen_by: str | None = None  # real | dev
    deciding: int = 0  # real queries that took part in `train`'s choice
    crossfitted: Interval | None = None  # the gain on real queries, of a tuned model that they chose or let pass
    real_queries: int = 0  # may be too few to be the main set
    words: str = "bm25"  # the better BM25 by the queries that choose shares: bm25 | bm25_fields
    words_given: bool = False  # the main set's queries are made of their passages' words: BM25 cannot be judged
    rivals: Sequence[str] = ()  # that can be judged on the main set

    @property
    def real(self) -> bool:
        return self.main_set == "real"

    @cached_property
    def gain(self) -> Interval:
        return self.scores.lead("tuned", "base")

    @cached_property
    def ndcg(self) -> dict[str, float]:
        return {system: self.scores.means[system]["ndcg@10"] for system in SYSTEMS}

    @property
    def best_untuned(self) -> str:
        return max(self.words, "hybrid", key=self.ndcg.__getitem__)

    @property
    def best_tuned(self) -> str:
        return max("tuned", "tuned_hybrid", key=self.ndcg.__getitem__)

    @cached_property
    def beaten(self) -> Interval:
        """The lead of the best system that needs no tuning over the best one that contains the tuned model."""
        return self.scores.lead(self.best_untuned, self.best_tuned)

    @cached_property
    def winner(self) -> tuple[str, Interval] | None:
        """The best of the rivals that beat every system with the tuned model beyond luck, and its lead."""
        leads = self.scores.beyond_luck(self.rivals, self.best_tuned)
        ahead = [rival for rival, lead in leads.items() if lead.low > 0]
        if not ahead:
            return None
        best = max(ahead, key=lambda rival: leads[rival].mean)
        return best, self.scores.lead(best, self.best_tuned)

    @cached_property
    def kind_gains(self) -> dict[str, Interval]:
        """Gains by kind of generated query; none if there are real queries, which decide alone. If some imitate typed
        queries, only those count.
        """
        kinds = {} if self.real else self.kinds
        if STYLED in kinds:
            kinds = {STYLED: kinds[STYLED]}
        return {kind: scores.lead("tuned", "base") for kind, scores in kinds.items()}


def judge(evidence: Evidence, config: EvaluateConfig) -> Judgement:
    """Both answers, with the reasons in reading order."""
    scores, real = evidence.scores, evidence.real
    verdict, why = next((verdict, why) for verdict, rule in _RULES if (why := rule(evidence, config)) is not None)
    reasons = [
        f"On {scores.n:,} {'real' if real else 'generated'} queries, the tuned model's NDCG@10 is "
        f"{evidence.ndcg['tuned']:.3f} and the base model's {evidence.ndcg['base']:.3f}: a gain of "
        f"{difference(evidence.gain, config.confidence)}.",
        why,
        *_room(evidence.ndcg["base"], verdict, config, real),
        _detectable(scores, evidence.gain, config),
    ]
    reasons += _choice_by_real_queries(evidence, config)
    of_ours, advice = _recommend(evidence, verdict, config)
    recommend, advice = _rival(evidence, of_ours, config) or (of_ours, advice)
    reasons += [*_words_given(evidence), advice]
    if not real:
        reasons.append(_ask_for_real_queries(evidence, config))
    return Judgement(verdict, recommend, reasons, of_ours if recommend != of_ours else "")


def _unchanged(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """The tuned model's vectors are the base's."""
    if evidence.similarity <= UNCHANGED:
        return None
    if evidence.doubt:
        return f"Training kept the base model: {evidence.doubt}."
    return (
        f"The embeddings are unchanged (mean cosine to the base model's {evidence.similarity:.4f}): no checkpoint beat "
        "the base model on the dev queries beyond luck, or the learning rate or the data had no effect."
    )


def _worse(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """The gain is below 0, beyond luck."""
    if evidence.gain.high >= 0:
        return None
    return (
        "The tuned model is worse than the base. Check for queries with several correct passages, unrealistic queries, "
        "and wrong prompts in conf/model/; try a lower learning rate."
    )


def _luck(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """The gain is not above 0 beyond luck."""
    if not evidence.gain.known:
        return "The queries are about too few groups of passages: the gain cannot be told from luck."
    return "The interval includes 0: the gain cannot be told from luck." if evidence.gain.low <= 0 else None


def _good_enough(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """The base is above `good_enough`, and the gain below `negligible`."""
    if evidence.gain.mean >= config.negligible or evidence.ndcg["base"] <= config.good_enough:
        return None
    return (
        f"The base model is already above {config.good_enough:.2f}, and a gain below {config.negligible:.2f} is "
        "not worth a new model."
    )


def _of_no_use(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """BM25 or hybrid(base) beats tuned and hybrid(tuned) beyond luck."""
    if evidence.words_given or evidence.beaten.low <= 0:
        return None
    return (
        f"{capitalized(IN_SENTENCES[evidence.best_untuned])} scores higher than every system with the tuned model, by "
        f"{difference(evidence.beaten, config.confidence)} over {IN_SENTENCES[evidence.best_tuned]}: tuning beats the "
        "base model, but is of no use here."
    )


def _below_rival(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """A rival beats tuned and hybrid(tuned) beyond luck."""
    if evidence.winner is None:
        return None
    rival, lead = evidence.winner
    return (
        f"{capitalized(in_sentence(rival))} scores higher than every system with the tuned model, by "
        f"{difference(lead, config.confidence)} over {IN_SENTENCES[evidence.best_tuned]}: tuning helps, but what you "
        "could run instead is better."
    )


def _negligible(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """The gain is below `negligible`: look at the data."""
    if evidence.gain.mean >= config.negligible:
        return None
    return f"The gain is below {config.negligible:.2f}: look at the data; more queries in people's own words may help."


def _small(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """The gain is below `meaningful`."""
    if evidence.gain.mean >= config.meaningful:
        return None
    return f"The gain is real, but below the {config.meaningful:.2f} that is worth a new model."


def _below_bm25(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """BM25 scores higher than tuned."""
    lead = evidence.scores.lead("tuned", evidence.words)
    if evidence.words_given or lead.mean >= 0:
        return None
    return (
        f"{capitalized(IN_SENTENCES[evidence.words])} alone scores higher than the tuned model "
        f"({difference(lead, config.confidence)}): a tuned model that BM25 beats is not a success."
    )


def _below_hybrid(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """hybrid(base) scores higher than tuned and hybrid(tuned)."""
    if evidence.words_given or evidence.best_untuned != "hybrid" or evidence.beaten.mean <= 0:
        return None
    return (
        f"{capitalized(IN_SENTENCES['hybrid'])}, which needs no tuning, scores higher than every system with the tuned "
        f"model ({difference(evidence.beaten, config.confidence)})."
    )


def _one_kind(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """There are no real queries, and one kind of generated query, which does not imitate typed ones."""
    if len(evidence.kind_gains) != 1 or STYLED in evidence.kind_gains:
        return None
    (kind,) = evidence.kind_gains
    return (
        f"All generated queries are of one kind, {kind}, and a single kind cannot carry the verdict. "
        f"{_collect_to_know(evidence, config)}"
    )


def _kinds_disagree(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """There are no real queries, and a kind of generated query does not gain beyond luck."""
    doubtful = [f"{kind} ({signed(gain.mean)})" for kind, gain in evidence.kind_gains.items() if gain.low <= 0]
    if not doubtful:
        return None
    return (
        f"The kinds of generated queries disagree: the gain cannot be told from luck on {', '.join(doubtful)}. "
        f"{_collect_to_know(evidence, config)}"
    )


def _gain_of_one_kind(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """There are no real queries, and without the kind that gains most the gain is below `meaningful`."""
    gains, kinds = evidence.kind_gains, evidence.kinds
    if not gains or STYLED in gains:
        return None
    most = max(gains, key=lambda kind: gains[kind].mean)
    others = [kind for kind in gains if kind != most]
    rest = sum(kinds[kind].n * gains[kind].mean for kind in others) / sum(kinds[kind].n for kind in others)
    if rest >= config.meaningful:
        return None
    return (
        f"The gain comes from one kind of generated query, {most}: without that kind, the gain is {signed(rest)}. "
        f"{_collect_to_know(evidence, config)}"
    )


def _meaningful(evidence: Evidence, config: EvaluateConfig) -> str | None:
    """No other rule applies."""
    return f"The gain is at least {config.meaningful:.2f}, which is meaningful, and its interval is above 0."


_RULES: tuple[tuple[str, Callable[[Evidence, EvaluateConfig], str | None]], ...] = (
    ("keep_base", _unchanged),
    ("keep_base", _worse),
    ("keep_base", _luck),
    ("keep_base", _good_enough),
    ("keep_base", _of_no_use),
    ("marginal", _below_rival),
    ("marginal", _negligible),
    ("marginal", _small),
    ("marginal", _below_bm25),
    ("marginal", _below_hybrid),
    ("marginal", _one_kind),
    ("marginal", _kinds_disagree),
    ("marginal", _gain_of_one_kind),
    ("ship", _meaningful),
)


def _room(base: float, verdict: str, config: EvaluateConfig, real: bool) -> list[str]:
    """The room above the base model's score."""
    if base > config.good_enough and not real:
        return [
            f"The base model is above {config.good_enough:.2f} on generated queries, which are easier than what people "
            "type: only real queries can show how much room there is."
        ]
    if base > config.good_enough:
        return [f"The base model is above {config.good_enough:.2f}: there is hardly room for tuning."]
    if base < config.worth_it and verdict != "ship":
        return [
            f"The base model is below {config.worth_it:.2f}, so there is much room: more and better training queries, "
            "or more epochs, may still pay off."
        ]
    return []


def _detectable(scores: SetScores, gain: Interval, config: EvaluateConfig) -> str:
    """The smallest gain that these queries can tell from luck."""
    if scores.clusters < (least := fewest_clusters(config.confidence)):
        return (
            "Queries whose answers are copies of one another, or are in one document, count as one group. Here they "
            f"form {scores.clusters} groups; at least {least} can tell a gain from luck. Ask about more documents."
        )
    p = scores.p["base"]["ndcg@10"]
    chance = "under 0.1%" if p < 0.001 else f"{100 * p:.2g}%" if p < 0.1 else f"{100 * p:.0f}%"
    text = (
        f"With {scores.n:,} queries, a gain under {scores.detectable:.3f} cannot be told from luck; the gain here is "
        f"{gain.mean:+.3f}. Two equal models would differ as much in {chance} of such tests (randomisation test)."
    )
    if scores.detectable > config.meaningful > 0:
        needed = scores.needed(config.meaningful)
        text += f" Telling a gain of {config.meaningful:.2f} from luck takes about {needed:,} queries."
    return text


def _choice_by_real_queries(evidence: Evidence, config: EvaluateConfig) -> list[str]:
    """The part that real queries had in the choice of a tuned model, and their gain without that."""
    if evidence.crossfitted is None:
        return []
    if evidence.chosen_by == "real":
        choice = f"Real queries chose the tuned model: both halves of {evidence.deciding:,} of them gain"
    else:
        choice = f"{evidence.deciding:,} real queries also served as a safety check, and dev chose the tuned model"
    return [
        f"{choice} (`train.real_evidence`), so the gain on real queries is slightly optimistic; cross-fitted, with "
        f"each half scored under the other half's choice, it is {difference(evidence.crossfitted, config.confidence)}."
    ]


def _ask_for_real_queries(evidence: Evidence, config: EvaluateConfig) -> str:
    count, enough = evidence.real_queries, _to_collect(evidence.scores, config)
    there = f"{count:,} real queries are too few for a verdict" if count else "There are no real queries"
    return (
        f"{there}: generated ones are easier than what people type, and may show a gain that real ones do not. Collect "
        f"{enough:,} real queries with their answers, and name the file in `queries:`."
    )


def _collect_to_know(evidence: Evidence, config: EvaluateConfig) -> str:
    return f"To know, collect {_to_collect(evidence.scores, config):,} real queries."


def _to_collect(scores: SetScores, config: EvaluateConfig) -> int:
    """Real queries needed to tell a meaningful gain from luck, as far as the generated ones let us know."""
    if scores.clusters < fewest_clusters(config.confidence) or config.meaningful == 0:
        return _LEAST_REAL
    return max(_LEAST_REAL, scores.needed(config.meaningful))


def _words_given(evidence: Evidence) -> list[str]:
    """The reason why BM25 is not judged."""
    if not evidence.words_given:
        return []
    return [
        "The test queries are made of the passages' own words, so BM25 finds them whatever people type: its score and "
        "those of the hybrids say nothing here, and neither the verdict nor the recommended system rests on them."
    ]


def _recommend(evidence: Evidence, verdict: str, config: EvaluateConfig) -> tuple[str, str]:
    """The cheapest system that no other one beats beyond luck, or by more than a hair while it is cheaper itself.

    None with a tuned model if the base is kept; none with BM25 if the queries were made of the passages' words.
    """
    scores = evidence.scores
    choices = [
        system
        for system in CHEAPEST_FIRST
        if (verdict != "keep_base" or not system.startswith("tuned"))
        and (not evidence.words_given or system in WITHOUT_WORDS)
    ]
    best = max(choices, key=lambda system: scores.means[system]["ndcg@10"])
    system = next(one for one in choices if not any(_rules_out(scores, other, one) for other in choices))
    score = f"NDCG@10 {scores.means[system]['ndcg@10']:.3f}"
    if system != best:
        lead = difference(scores.lead(best, system), config.confidence)
        return system, (
            f"Run {IN_SENTENCES[system]} ({score}): {IN_SENTENCES[best]} scores higher by {lead}, which may be luck, "
            "and costs more to run."
        )
    if system == choices[0]:
        return system, f"Run {IN_SENTENCES[system]}: it scores highest ({score}) and costs least to run."
    return (
        system,
        f"Run {IN_SENTENCES[system]}: it scores highest ({score}), beyond luck above every cheaper system.",
    )


def _rival(evidence: Evidence, of_ours: str, config: EvaluateConfig) -> tuple[str, str] | None:
    """A rival that beats every system with the tuned model beyond luck, and that none of our systems reaches."""
    if evidence.winner is None:
        return None
    rival, lead = evidence.winner
    score = evidence.scores.means[rival]["ndcg@10"]
    if score <= max(evidence.ndcg.values()):
        return None
    return rival, (
        f"Run {in_sentence(rival)} (NDCG@10 {score:.3f}): it beats every system with the tuned model beyond luck, "
        f"{IN_SENTENCES[evidence.best_tuned]} by {difference(lead, config.confidence)}. Of the systems here, "
        f"{IN_SENTENCES[of_ours]} is the one to run ({evidence.ndcg[of_ours]:.3f})."
    )


def _rules_out(scores: SetScores, other: str, system: str) -> bool:
    """Another system beats this one beyond luck, or by more than `_HAIR` and costs less."""
    lead = scores.lead(other, system)
    cheaper = CHEAPEST_FIRST.index(other) < CHEAPEST_FIRST.index(system)
    return lead.low > 0 or (cheaper and lead.mean > _HAIR)

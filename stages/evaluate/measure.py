"""From rankings to the evaluation: scores, verdict, examples, vectors, and the optional parts."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.vectors import PASSAGES, QUERIES, StoredVectors, read_vectors
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval import curve_points, metrics
from fieldtune.retrieval.curve_points import CurvePoint
from fieldtune.retrieval.fusion import by_halves
from fieldtune.retrieval.judged_queries import GIVEN, words_in_answers
from fieldtune.retrieval.systems import RIVAL
from fieldtune.runtime import paths
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.crossfit import crossfitted_gain
from stages.evaluate.data_curve import DataCurve, data_curve
from stages.evaluate.deployment import Deployment, Sizes, deployments
from stages.evaluate.evaluation import Background, Evaluation
from stages.evaluate.examples import Example, Results, beginnings, most_changed, strata
from stages.evaluate.inputs import Inputs
from stages.evaluate.probe import Probe
from stages.evaluate.query_facts import QueryFacts
from stages.evaluate.query_keys import graded_answers, hash_test_set, query_key
from stages.evaluate.rankings import Ranked
from stages.evaluate.reranker import Reranker, rerank
from stages.evaluate.rivals import rival_scores
from stages.evaluate.scores import SetScores, score
from stages.evaluate.vectors import VectorScore, vector_scores
from stages.evaluate.verdict import Evidence, judge

SETTINGS = ("embed", "dataset", "baseline", "train", "evaluate")  # the report shows their hash
_UNKNOWN = {"share": 0.0, "by": None, "doubt": None}  # how a pinned model was chosen
_EXAMPLES = 8  # wins, and losses, for each filter of the report

Rows = npt.NDArray[np.int64]  # of the judged queries


def evaluate(
    inputs: Inputs,
    facts: QueryFacts,
    set_rows: Mapping[str, Rows],
    ranked: Ranked,
    *,
    similarity: float,
    probe: Probe,
    config: EvaluateConfig,
) -> Evaluation:
    """Score the sets of test queries, and judge. `similarity` is the mean cosine between old and new vectors."""
    judged = inputs.judged

    def scores(rows: Rows) -> SetScores:
        return score(ranked.values_of(rows), rows, judged.clusters, config)

    sets = {name: scores(rows) for name, rows in set_rows.items()}
    kinds = {kind: scores(rows) for kind, rows in facts.by_kind(judged.rows(["synthetic"])).items()}
    languages = {tag: scores(rows) for tag, rows in facts.by_language(judged.rows(["synthetic"])).items()}
    evidence = _evidence(inputs, ranked, sets[judged.main_set], kinds, similarity, config)
    wins, losses = _examples(inputs, facts, ranked)
    return Evaluation(
        background=_background(inputs, ranked, config),
        judgement=judge(evidence, config),
        main_set=judged.main_set,
        test_set=_test_set(inputs),
        sets=sets,
        kinds=kinds,
        languages=languages,
        similarity=similarity,
        chosen_by=evidence.chosen_by,
        crossfitted=evidence.crossfitted,
        weights={"hybrid": inputs.baseline["hybrid_weight"], "tuned_hybrid": ranked.tuned_share.share},
        heading_share=inputs.baseline["heading_share"],
        crossfitted_shares={**inputs.baseline["crossfitted_shares"], **by_halves({"tuned_hybrid": ranked.tuned_share})},
        deployments=_deployments(inputs, ranked, sets[judged.main_set]),
        rivals=rival_scores(inputs, ranked, sets[judged.main_set]),
        wins=wins,
        losses=losses,
        negligible=config.negligible,
        meaningful=config.meaningful,
        confidence=config.confidence,
        reranker=config.reranker,
        vectors=_vectors(inputs, ranked),
        probe=probe,
    )


def _evidence(
    inputs: Inputs,
    ranked: Ranked,
    scores: SetScores,
    kinds: Mapping[str, SetScores],
    similarity: float,
    config: EvaluateConfig,
) -> Evidence:
    """The facts for the verdict; `scores` are those of the main set."""
    judged = inputs.judged
    words_given = _words_given(inputs)
    chosen = _UNKNOWN | inputs.history.get("chosen", {})
    crossfitted = None
    if inputs.evidence and chosen["share"]:
        crossfitted = crossfitted_gain(inputs.evidence, judged, _gains(ranked), config)
    return Evidence(
        main_set=judged.main_set,
        scores=scores,
        kinds=kinds,
        similarity=similarity,
        doubt=chosen["doubt"],
        chosen_by=chosen["by"],
        deciding=len(inputs.evidence.get("query_id", [])),
        crossfitted=crossfitted,
        real_queries=len(judged.rows(["real"])),
        words="bm25_fields" if inputs.baseline["heading_share"] else "bm25",
        words_given=words_given,
        rivals=_judged_rivals(inputs, scores, words_given),
    )


def _judged_rivals(inputs: Inputs, scores: SetScores, words_given: bool) -> list[str]:
    """The rivals that the main set can judge: a search by words finds queries that are made of passages' words."""
    kinds = {RIVAL + name: facts["kind"] for name, facts in inputs.rivals.items()}
    return [system for system in scores.rivals if kinds[system] != "run" or not words_given]


def reranked(inputs: Inputs, ranked: Ranked, reranker: Reranker, config: EvaluateConfig) -> SetScores:
    """The systems' scores after a reranker, on a sample of the main set."""
    judged = inputs.judged
    main_rows = judged.sets[judged.main_set]
    count = min(config.reranker_queries, len(main_rows))
    sample = np.sort(np.random.default_rng(config.seed).choice(main_rows, count, replace=False))
    queries = judged.at(sample)
    of_sample = ranked.values_of(sample)
    systems = rerank(
        reranker,
        queries.texts,
        read_vectors(paths.VECTORS, QUERIES, queries.texts),
        StoredVectors(paths.VECTORS, PASSAGES, inputs.corpus.texts),
        {system: rankings[sample] for system, rankings in ranked.systems.items() if system in of_sample},
        inputs.corpus,
    )
    values = {system: metrics.per_query(rankings, queries.grades) for system, rankings in systems.items()}
    return score(values, np.arange(count), queries.clusters, config)


def curve(inputs: Inputs, ranked: Ranked, similarity: float, config: EvaluateConfig) -> DataCurve:
    """The data curve on the main set: the points that the stage `curve` measured, and the tuned model at its end."""
    judged = inputs.judged
    rows = judged.sets[judged.main_set]
    points = curve_points.read(paths.CURVE, [judged.ids[row] for row in rows])
    unchanged = similarity > UNCHANGED
    tuned, base = (ranked.values[system]["ndcg@10"][rows] for system in ("tuned", "base"))
    points.append(CurvePoint(1.0, len(set(inputs.trained)), len(inputs.trained), unchanged, tuned))
    return data_curve(points, base, judged.clusters[rows], unchanged, config)


def _deployments(inputs: Inputs, ranked: Ranked, scores: SetScores) -> list[Deployment]:
    index, baseline = inputs.baseline["bm25_bytes"], inputs.baseline
    weights = files.disk_size(*paths.MODEL.glob("*.safetensors"))
    sizes = Sizes(weights, ranked.tuned_passages.nbytes, index["whole"], index["headings"])
    shares = {"hybrid": baseline["hybrid_weight"], "tuned_hybrid": ranked.tuned_share.share}
    return deployments(scores.means, sizes, shares, baseline["heading_share"])


def _words_given(inputs: Inputs) -> bool:
    """True if the main set's queries are generated and made of their passages' own words."""
    judged = inputs.judged
    main = judged.at(judged.sets[judged.main_set])
    return judged.main_set != "real" and words_in_answers(main, inputs.corpus) >= GIVEN


def _test_set(inputs: Inputs) -> str:
    """The hash of the main set's queries and answers."""
    main, sections = inputs.judged.at(inputs.judged.sets[inputs.judged.main_set]), inputs.corpus.sections
    named = [{sections[section]: grade for section, grade in graded.items()} for graded in main.grades]
    return hash_test_set(
        query_key(query, [*(sections[section] for section in answers), *graded_answers(grades)])
        for query, answers, grades in zip(main.texts, main.relevant, named, strict=True)
    )


def _examples(inputs: Inputs, facts: QueryFacts, ranked: Ranked) -> tuple[list[Example], list[Example]]:
    return most_changed(
        inputs.judged,
        facts,
        strata(facts, inputs.test_rows),
        gains=_gains(ranked),
        results=Results(
            base=ranked.systems["base"],
            tuned=ranked.systems["tuned"],
            sections=inputs.corpus.sections,
            beginnings=beginnings(inputs.passages, inputs.corpus),
        ),
        count=_EXAMPLES,
    )


def _gains(ranked: Ranked) -> npt.NDArray[np.float64]:
    """The tuned model's gains over the base in NDCG@10 [judged queries]."""
    return ranked.values["tuned"]["ndcg@10"] - ranked.values["base"]["ndcg@10"]


def _vectors(inputs: Inputs, ranked: Ranked) -> list[VectorScore]:
    judged = inputs.judged
    main = judged.at(judged.sets[judged.main_set])
    queries = ranked.tuned_queries[judged.sets[judged.main_set]]
    return vector_scores(queries, ranked.tuned_passages, inputs.corpus, main.grades)


def _background(inputs: Inputs, ranked: Ranked, config: EvaluateConfig) -> Background:
    return Background(
        base_model=config.model.name,
        advice=inputs.baseline["advice"],
        dataset=files.read_json(paths.DATASET_REPORT),
        ingest=files.read_json(paths.PASSAGES_REPORT),
        real=files.read_json(paths.REAL_REPORT),
        history=inputs.history,
        cost=files.read_json(paths.COST),
        sizes={
            "the model": files.disk_size(paths.MODEL),
            f"vectors of the {len(inputs.passages):,} passages": ranked.tuned_passages.nbytes,
        },
        settings=files.digest(*(paths.CONFIG / f"{stage}.yaml" for stage in SETTINGS)),
    )

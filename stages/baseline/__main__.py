"""Stage `baseline`: the base model, BM25 and their hybrid on the test queries, to tell if tuning is worth it.

The dev queries are ranked as well: they choose shares if there are too few real queries, here and in `evaluate`.

Run as `python -m stages.baseline`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, open_vectors, read_vectors
from fieldtune.retrieval import fusion, judged_queries, metrics, ranking, self_passages
from fieldtune.retrieval.bm25 import temporary_index
from fieldtune.retrieval.stored_rankings import write_rankings
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.baseline.config import BaselineConfig


def work() -> str:
    config = load("baseline", BaselineConfig)
    passages = files.JsonLines(paths.PASSAGES)
    corpus = Corpus.from_passages(passages)
    judged = judged_queries.read((*judged_queries.TEST_SETS, judged_queries.DEV), corpus)
    own = self_passages.own_sections(judged, passages, corpus.sections)
    base = ranking.dense(
        read_vectors(paths.VECTORS, QUERIES, judged.texts),
        open_vectors(paths.VECTORS, PASSAGES, corpus.texts),
        corpus,
    )
    with temporary_index(corpus.texts) as index:
        fields = ranking.by_fields(index, judged.texts, corpus, fusion.HEADING_SHARES)
        index_bytes = index.sizes
    base = self_passages.leave_out(base, own)
    fields = {share: self_passages.leave_out(ranked, own) for share, ranked in fields.items()}
    queries = fusion.deciding(judged, corpus, real=config.real_evidence > 0)
    headings = fusion.choose_fields(fields, judged, queries)
    words = fields[headings.share]
    hybrid = fusion.choose_hybrid(base, words, judged, corpus, queries)
    systems = {
        "base": base,
        "bm25": fields[0.0],
        "bm25_fields": words,
        "hybrid": ranking.fuse(base, words, corpus, hybrid.share),
    }
    values = {name: metrics.per_query(rankings, judged.grades) for name, rankings in systems.items()}
    sets = {name: rows for name, rows in judged.sets.items() if name != judged_queries.DEV}
    scores = {
        name: {system: metrics.means(metrics_of, rows) for system, metrics_of in values.items()}
        for name, rows in sets.items()
    }
    write_rankings(paths.BASELINE_RANKINGS, systems, judged.ids, corpus)
    main_set = judged.main_set
    ndcg = {system: scores[main_set][system]["ndcg@10"] for system in systems}
    message = advice(ndcg["base"], config, real=main_set == "real")
    if left_out := self_passages.message(own):
        message += f"; {left_out}"
    blocks = {name: {**scores[name], "n": len(rows)} for name, rows in sets.items()}
    shares = {
        "hybrid_weight": hybrid.share,
        "heading_share": headings.share,
        "bm25_bytes": index_bytes,
        "crossfitted_shares": fusion.by_halves({"bm25_fields": headings, "hybrid": hybrid}),
    }
    files.write_json(paths.BASELINE_METRICS, {**blocks, **shares, "advice": message})
    note(message)
    shown = ", ".join(f"{system} {score:.3f}" for system, score in ndcg.items())
    return f"NDCG@10 on {len(sets[main_set]):,} {main_set} queries: {shown}"


def advice(base: float, config: BaselineConfig, *, real: bool) -> str:
    """Advice about tuning from the base model's NDCG@10, before any time is spent on it. `real`: on real queries."""
    if base > config.good_enough and not real:
        return (
            f"base NDCG@10 {base:.3f} is above {config.good_enough} on generated queries, which are easier than what "
            "people type: only real queries can show whether there is room"
        )
    if base > config.good_enough:
        return f"base NDCG@10 {base:.3f} is above {config.good_enough}: hardly any room, tuning is not needed"
    if base < config.worth_it:
        return f"base NDCG@10 {base:.3f} is below {config.worth_it}: tuning is worth it"
    return (
        f"base NDCG@10 {base:.3f} is between {config.worth_it} and {config.good_enough}: "
        "tuning may pay off, the verdict will tell"
    )


if __name__ == "__main__":
    run_stage("baseline", work)

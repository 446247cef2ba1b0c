"""Stage `baseline`: the base model, BM25 and their hybrid on the test queries: is tuning worth it?

The dev queries are ranked as well: they choose the hybrid's weight, here and in `evaluate`.

Run as `python -m stages.baseline`.
"""

from stages import files, hybrid, metrics, paths, query_sets, ranking
from stages.baseline.config import BaselineConfig
from stages.console import note
from stages.running import run
from stages.settings import load
from stages.stored_rankings import write_rankings


def work() -> str:
    config = load("baseline", BaselineConfig)
    corpus = ranking.corpus(list(files.read_jsonl(paths.PASSAGES)))
    judged = query_sets.read((*query_sets.TEST_SETS, query_sets.DEV), corpus)
    base = ranking.dense(
        query_sets.vectors(judged.ids, paths.VECTORS),
        files.read_vectors(paths.VECTORS / "passages.safetensors"),
        corpus,
    )
    words = ranking.bm25(judged.texts, corpus)
    dev = judged.rows([query_sets.DEV])
    answers = [judged.relevant[row] for row in dev]
    weight = hybrid.choose_weight(base[dev], words[dev], answers, judged.groups[dev], corpus)
    systems = {"base": base, "bm25": words, "hybrid": ranking.fuse(base, words, corpus, weight)}
    values = {name: metrics.per_query(found, judged.relevant) for name, found in systems.items()}
    sets = {name: rows for name, rows in judged.sets.items() if name != query_sets.DEV}
    scores = {name: {system: metrics.means(of, rows) for system, of in values.items()} for name, rows in sets.items()}
    write_rankings(paths.BASELINE_RANKINGS, systems, judged.ids, corpus)
    main_set = next(iter(scores))
    found = {system: scores[main_set][system]["ndcg@10"] for system in systems}
    said = advice(found["base"], config, real=main_set == "real")
    of_sets = {name: {**scores[name], "n": len(rows)} for name, rows in sets.items()}
    files.write_json(paths.BASELINE_METRICS, {**of_sets, "hybrid_weight": weight, "advice": said})
    note(said)
    shown = ", ".join(f"{system} {score:.3f}" for system, score in found.items())
    return f"NDCG@10 on {len(sets[main_set]):,} {main_set} queries: {shown}"


def advice(base: float, config: BaselineConfig, *, real: bool) -> str:
    """What the base model's NDCG@10 says about tuning, before any time is spent on it. `real`: on real queries."""
    if base > config.good_enough and not real:
        return (
            f"base NDCG@10 {base:.3f} is above {config.good_enough} on generated queries, which are easier than what "
            "people type: only real ones tell whether there is room"
        )
    if base > config.good_enough:
        return f"base NDCG@10 {base:.3f} is above {config.good_enough}: hardly any room, tuning is not needed"
    if base < config.worth_it:
        return f"base NDCG@10 {base:.3f} is below {config.worth_it}: tuning is worth it"
    return (
        f"base NDCG@10 {base:.3f} lies between {config.worth_it} and {config.good_enough}: "
        "tuning may pay, the verdict will tell"
    )


if __name__ == "__main__":
    run("baseline", work)

"""Stage `rivals`: what the team runs today, or might, on the test queries: models, embeddings APIs, their own search.

Run as `python -m stages.rivals`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from collections.abc import Mapping
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import judged_queries, metrics, self_passages
from fieldtune.retrieval.judged_queries import TITLES, Judged
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.stored_rankings import write_rankings
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.rivals.config import RivalsConfig
from stages.rivals.systems import RetrievalTask, Rival, apis, load_rivals
from stages.rivals.vectors import write_bought


def work() -> str:
    config = load("rivals", RivalsConfig)
    rivals = load_rivals(config)
    if not rivals:
        write_rankings(paths.RIVALS_RANKINGS, {}, [], Corpus.from_passages([]))
        files.write_json(paths.RIVALS_METRICS, {})
        return "none: `rivals:` in params.yaml names what you run today"
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    task = RetrievalTask(judged.ids, judged.texts, corpus, passages)
    own = self_passages.own_sections(judged, passages, corpus.sections)
    systems = {rival.name: self_passages.leave_out(rival.rank(task), own) for rival in rivals}
    blocks = {rival.name: {**rival.facts(), **_scores(rival, systems[rival.name], judged)} for rival in rivals}
    write_rankings(paths.RIVALS_RANKINGS, systems, judged.ids, corpus)
    files.write_json(paths.RIVALS_METRICS, blocks)
    if bought := apis(rivals):
        write_bought(bought[0].embeddings.ledger, [key for rival in bought for key in rival.keys])
    shown = ", ".join(f"{name} {block[judged.main_set]['ndcg@10']:.3f}" for name, block in blocks.items())
    return f"NDCG@10 on {len(judged.sets[judged.main_set]):,} {judged.main_set} queries: {shown}"


def _scores(rival: Rival, ranked: Rankings, judged: Judged) -> Mapping[str, Any]:
    """Metrics by set of queries; a set of which it ranks no query is left out.

    Raises UserError if that is the set on which the verdict rests.
    """
    values = metrics.per_query(ranked, judged.grades)
    there = {name: rows for name, rows in judged.sets.items() if (ranked.sections[rows, 0] >= 0).any()}
    if judged.main_set not in there:
        raise UserError(
            f"rival {rival.name} has no results for any of the {len(judged.sets[judged.main_set]):,} "
            f"{TITLES[judged.main_set]}: a run file names each query by its text, or by its id in {paths.QRELS}"
        )
    return {name: metrics.means(values, rows) for name, rows in there.items()}


if __name__ == "__main__":
    run_stage("rivals", work)

"""Stage `generate`: passages → data/queries/. Run as `python -m stages.generate`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from collections import Counter
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.generate.bought import Bought, costs_by_model
from stages.generate.cached_replies import REPLIES
from stages.generate.config import GenerateConfig
from stages.generate.pairs import Pairs
from stages.generate.provider import Provider, Query
from stages.generate.registry import PROVIDERS
from stages.generate.selection import select_passages


def has_rows(file: Path) -> bool:
    """True if a file of pairs has any. Raises UserError if it is not found."""
    if not file.is_file():
        raise UserError(f"pairs: {file} not found; set `pairs:` in params.yaml (none: {paths.NONE})")
    return not files.is_blank(file)


def write_bought(providers: list[Provider]) -> None:
    """Write what the queries cost, and the replies behind them, so that whoever pulls this pays nothing."""
    costs: dict[str, dict[str, float]] = {}
    if bought := [provider for provider in providers if isinstance(provider, Bought)]:
        keys = [key for provider in bought for key in provider.keys]
        files.write_jsonl(REPLIES, (reply.row() for reply in bought[0].store.replies(keys)))
        costs = costs_by_model(bought[0].store, keys)
    files.write_json(paths.COST, costs)


def work() -> str:
    config = load("generate", GenerateConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    queries: list[Query] = []
    counts: dict[str, int] = {}
    names = list(config.generator.providers)
    if Pairs.name not in names and has_rows(Path(config.pairs)):
        names.append(Pairs.name)
    providers = [PROVIDERS[name].configured(config) for name in names]
    selected = select_passages(passages, config.passages)
    for provider in providers:
        written, counted = provider.queries(selected if provider.traits.by_model else passages)
        queries += written
        counts |= counted
    if not queries:
        raise UserError(
            "0 queries: look at `documents:`, `generator:` and `pairs:` in params.yaml (recorded queries fit the "
            "sample's documents alone; `generator: keyphrases` fits any; `generator: pairs` needs `pairs:`)"
        )
    order = {passage["id"]: number for number, passage in enumerate(passages)}
    queries.sort(key=lambda query: order[query.passage_id])
    covered = len({query.passage_id for query in queries})
    kinds = dict(sorted(Counter(query.kind for query in queries).items()))
    files.write_jsonl(paths.QUERIES, (query.row() for query in queries))
    files.write_json(
        paths.QUERIES.with_name("report.json"),
        {"queries": len(queries), "passages_with_queries": covered, "kinds": kinds, **counts},
    )
    write_bought(providers)
    dropped = sum(count for name, count in counts.items() if name.endswith("_dropped_not_in_the_documents"))
    lost = f"; {dropped:,} dropped whose section is no longer in the documents" if dropped else ""
    return f"{len(queries):,} queries for {covered:,} of {len(passages):,} passages{lost}"


if __name__ == "__main__":
    run_stage("generate", work)

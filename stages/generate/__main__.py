"""Stage `generate`: passages → data/queries/. Run as `python -m stages.generate`."""

from collections import Counter
from pathlib import Path

from stages import files, paths
from stages.errors import UserError
from stages.generate.config import GenerateConfig
from stages.generate.provider import Provider, Query
from stages.running import run
from stages.settings import load


def provider(name: str, config: GenerateConfig) -> Provider:
    """The provider of that name; only what it needs is imported."""
    generator = config.generator
    if name == "recorded":
        from stages.generate.recorded import Recorded

        return Recorded(Path(generator.recorded))
    if name == "keyphrases":
        from stages.generate.keyphrases import Keyphrases

        return Keyphrases(generator.words, generator.share, config.seed)
    from stages.generate.bought import Bought
    from stages.generate.store import Store

    return Bought(name, generator.messages, Store())


def write_bought(providers: list[Provider]) -> None:
    """Write what the queries cost, and the replies behind them, so that whoever pulls this pays nothing."""
    costs: dict[str, dict[str, float]] = {}
    if not {provider.name for provider in providers} <= {"recorded", "keyphrases"}:
        from stages.generate.bought import Bought
        from stages.generate.bought import costs as of

        bought = [provider for provider in providers if isinstance(provider, Bought)]
        keys = [key for provider in bought for key in provider.keys]
        files.write_jsonl(paths.REPLIES, (reply.row() for reply in bought[0].store.replies(keys)))
        costs = of(bought[0].store, keys)
    files.write_json(paths.COST, costs)


def work() -> str:
    config = load("generate", GenerateConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    queries: list[Query] = []
    counts: dict[str, int] = {}
    providers = [provider(name, config) for name in config.generator.providers]
    for one in providers:
        written, counted = one.queries(passages)
        queries += written
        counts |= counted
    if not queries:
        raise UserError(
            "0 queries: look at `documents:` and `generator:` in params.yaml "
            "(recorded queries fit the sample's documents alone; `generator: keyphrases` fits any)"
        )
    order = {passage["id"]: number for number, passage in enumerate(passages)}
    queries.sort(key=lambda query: order[query.passage_id])
    covered = len({query.passage_id for query in queries})
    kinds = dict(sorted(Counter(query.kind for query in queries).items()))
    files.write_jsonl(paths.QUERIES, (query.row() for query in queries))
    files.write_json(
        paths.QUERIES_REPORT,
        {"queries": len(queries), "passages_with_queries": covered, "kinds": kinds, **counts},
    )
    write_bought(providers)
    dropped = counts.get("recorded_dropped_section_changed", 0)
    lost = f"; {dropped} recorded queries dropped, their section changed" if dropped else ""
    return f"{len(queries):,} queries for {covered:,} of {len(passages):,} passages{lost}"


if __name__ == "__main__":
    run("generate", work)

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
from stages.generate.cached_replies import REPLIES
from stages.generate.config import BOUGHT, GenerateConfig
from stages.generate.provider import Provider, Query


def provider(name: str, config: GenerateConfig) -> Provider:
    """The provider of that name; only what it needs is imported."""
    generator = config.generator
    if name in ("recorded", "pairs"):
        from stages.generate.pairs import Pairs

        return Pairs(paths.RECORDED if name == "recorded" else Path(config.pairs), name)
    if name == "keyphrases":
        from stages.generate.keyphrases import Keyphrases

        return Keyphrases(generator.words, generator.share, config.seed)
    from stages.generate.bought import Bought
    from stages.generate.store import Store

    return Bought(name, generator.messages, Store())


def has_rows(file: Path) -> bool:
    """Whether a file of pairs has any. Raises UserError where it is not there."""
    if not file.is_file():
        raise UserError(f"pairs: {file} is not there; set `pairs:` in params.yaml (none: {paths.NONE})")
    return not files.is_blank(file)


def write_bought(providers: list[Provider]) -> None:
    """Write what the queries cost, and the replies behind them, so that whoever pulls this pays nothing."""
    costs: dict[str, dict[str, float]] = {}
    if any(provider.name in BOUGHT for provider in providers):
        from stages.generate.bought import Bought
        from stages.generate.bought import costs as of

        bought = [provider for provider in providers if isinstance(provider, Bought)]
        keys = [key for provider in bought for key in provider.keys]
        files.write_jsonl(REPLIES, (reply.row() for reply in bought[0].store.replies(keys)))
        costs = of(bought[0].store, keys)
    files.write_json(paths.COST, costs)


def work() -> str:
    config = load("generate", GenerateConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    queries: list[Query] = []
    counts: dict[str, int] = {}
    names = list(config.generator.providers)
    if "pairs" not in names and has_rows(Path(config.pairs)):
        names.append("pairs")
    providers = [provider(name, config) for name in names]
    for one in providers:
        written, counted = one.queries(passages)
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
    lost = f"; {dropped:,} dropped whose section is not there any more" if dropped else ""
    return f"{len(queries):,} queries for {covered:,} of {len(passages):,} passages{lost}"


if __name__ == "__main__":
    run_stage("generate", work)

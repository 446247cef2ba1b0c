"""Stage `generate`: passages → data/queries/. Run as `python -m stages.generate`."""

from collections import Counter
from pathlib import Path

from stages import files, paths
from stages.errors import UserError
from stages.generate.config import GenerateConfig
from stages.generate.keyphrases import Keyphrases
from stages.generate.provider import Provider, Query
from stages.generate.recorded import Recorded
from stages.running import run
from stages.settings import load


def providers(config: GenerateConfig) -> list[Provider]:
    """The providers that the config names, in its order."""
    generator = config.generator
    known: dict[str, Provider] = {
        Recorded.name: Recorded(Path(generator.recorded)),
        Keyphrases.name: Keyphrases(generator.words, generator.share, config.seed),
    }
    return [known[name] for name in generator.providers]


def work() -> str:
    config = load("generate", GenerateConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    queries: list[Query] = []
    counts: dict[str, int] = {}
    for provider in providers(config):
        written, counted = provider.queries(passages)
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
    dropped = counts.get("recorded_dropped_section_changed", 0)
    lost = f"; {dropped} recorded queries dropped, their section changed" if dropped else ""
    return f"{len(queries):,} queries for {covered:,} of {len(passages):,} passages{lost}"


if __name__ == "__main__":
    run("generate", work)

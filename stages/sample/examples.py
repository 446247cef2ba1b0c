"""The AWS CLI manual → the sample's real queries: what people wrote above its examples."""

import re
from collections.abc import Iterator, Sequence
from zipfile import ZipFile

from fieldtune.retrieval.words import overlap
from stages.sample.operations import SERVICES, Service

_TITLE = re.compile(r"^\*\*(.+?)\*\*\s*$", re.MULTILINE)
_LEAST_WORDS = 3
_NO_QUERIES = ("note", "output", "important")  # bold lines that are not an example's title


def real_queries(awscli: ZipFile, services: Sequence[Service]) -> list[dict[str, str | float]]:
    """Rows of real.jsonl: the titles of each operation's examples, from the awscli wheel, in order of its files."""
    cli_name = {botocore: cli for cli, botocore in SERVICES.items()}
    place = {
        f"awscli/examples/{cli_name[service.name]}/{heading.lower().replace(' ', '-')}.rst": (service, heading)
        for service in services
        for heading in service.operations
    }
    rows: list[dict[str, str | float]] = []
    for path in sorted(set(awscli.namelist()) & set(place)):
        service, heading = place[path]
        for query in _titles(awscli.read(path).decode("utf-8")):
            source = f"{service.name}.md"
            share = round(overlap(query, heading), 3)
            rows.append({"query": query, "source": source, "section": heading, "overlap": share})
    return rows


def _titles(manual: str) -> Iterator[str]:
    seen = set()
    for title in _TITLE.findall(manual):
        query = re.sub(r"^Example \d+:?\s*", "", title).replace("``", "").strip(" :.")
        query = " ".join(query.split())
        key = query.lower()
        if len(query.split()) >= _LEAST_WORDS and key not in seen and not key.startswith(_NO_QUERIES):
            seen.add(key)
            yield query

"""Queries that already exist, each with its place in the documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from fieldtune.corpus import tables
from fieldtune.corpus.judgements import ANSWER, grade_of
from fieldtune.corpus.tables import cell
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from fieldtune.sources.places import NAMES, Places
from stages.generate.config import GenerateConfig
from stages.generate.provider import KINDS, Provider, Query


class Pairs(Provider):
    """Reads `query`, a place as `fieldtune.sources.places` finds it, and perhaps `kind`, from JSONL, CSV or XLSX.

    A query whose place is not in the documents, or whose section has changed since, is dropped, and so is a row with a
    `relevance` of 1 or 0, which does not answer its query. A query of a section
    that was cut goes to the piece that shares most words with it (by BM25).
    """

    name = "pairs"
    shown: ClassVar[int] = 3  # rows without a place, at the terminal

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def configured(cls, config: GenerateConfig) -> Self:
        return cls(Path(config.pairs))

    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        """Raises UserError that names the row for what cannot be read."""
        if not self.file.is_file():
            raise UserError(f"{self.file} not found: the queries of `generator: {self.name}`")
        places = Places(passages)
        queries = []
        dropped = 0
        for where, row in tables.read(self.file):
            text, kind = cell(row, "query"), cell(row, "kind") or "own"
            matches = places.find(row)
            if not text or matches is None:
                raise UserError(f"{where}: `query` and its answer's place are needed: {', '.join(NAMES)}")
            if kind not in KINDS:
                raise UserError(f"{where}: kind is {kind}: it must be one of {', '.join(KINDS)}, or nothing")
            if grade_of(where, row) < ANSWER:
                continue
            if matches:
                queries.append(Query(passages[places.best(text, matches)]["id"], text, kind, self.name))
            else:
                dropped += 1
                if dropped <= self.shown:
                    near = places.nearest(row)
                    why = places.why_not(row) or "its place is not in the documents"
                    note(f"{where}: {why}" + (f"; near: {', '.join(near)}" if near else ""))
        return queries, {self.name: len(queries), f"{self.name}_dropped_not_in_the_documents": dropped}


class Recorded(Pairs):
    """The sample's pairs, of which a newer version of its documents may lack some."""

    name = "recorded"
    shown = 0
    recorded: ClassVar[Path] = paths.RECORDED

    @classmethod
    def configured(cls, config: GenerateConfig) -> Self:
        return cls(cls.recorded)


class RecordedStyled(Recorded):
    """The sample's pairs in the style of its real queries."""

    name = "recorded_styled"
    recorded = paths.RECORDED_STYLED

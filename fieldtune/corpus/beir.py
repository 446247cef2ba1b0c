"""A folder in the layout of a BEIR retrieval set (arXiv:2104.08663): corpus.jsonl, queries.jsonl and qrels."""

import csv
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.tables import cell
from fieldtune.corpus.unicode import repair
from fieldtune.runtime.errors import UserError

CORPUS = "corpus.jsonl"
_QUERIES = "queries.jsonl"
_SCORE = re.compile(r"\s*[+-]?\d+(?:\.0*)?\s*")  # `1.0` too
_SPLITS = {"train": "train", "dev": "dev", "valid": "dev", "validation": "dev"}  # any other file is test


def corpus_of(folder: Path) -> Path | None:
    """The corpus of a folder that has a file of queries beside it, judged or not; None for any other folder."""
    return _packed_or_not(folder / CORPUS) if _packed_or_not(folder / _QUERIES) else None


def is_beir(folder: Path) -> bool:
    """Tell if a folder has a corpus, queries, and judgements of them."""
    return corpus_of(folder) is not None and bool(_qrels(folder))


def is_about_queries(path: Path, folder: Path) -> bool:
    """Tell if a file is the queries of a BEIR folder, or their judgements, in whatever form."""
    name = path.relative_to(folder).as_posix()
    return name.removesuffix(".gz") == _QUERIES or name.startswith("qrels")


def warnings_of(folder: Path) -> tuple[str, ...]:
    """The judgements that a folder with a corpus and queries lacks."""
    if corpus_of(folder) is None or _qrels(folder):
        return ()
    return (f"! {folder}: {_QUERIES} is not read without judgements: add qrels/test.tsv (query-id, corpus-id, score)",)


def rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each judgement above 0 as a row of real queries: `query`, `query_id`, `passage_id`, `beir_score` and `split`,
    named for its file: qrels/train.tsv, qrels/dev.tsv, any other is test. A row whose query has no text in
    queries.jsonl has no `query`, but `no_query`, the reason. Raises UserError for a line that is not a judgement, and
    for an id that two queries have.
    """
    texts = _queries(folder)
    for path in _qrels(folder):
        split = _SPLITS.get(path.stem, "test")
        for number, columns in _lines(path):
            place = f"{path}, line {number}"
            # trec_eval's format has an extra column between query and document
            if len(columns) not in (3, 4):
                raise UserError(f"{place}: expected the ids of a query and a document and a score, separated by tabs")
            query, passage, score = repair(columns[0]).strip(), columns[-2], columns[-1]
            if not _SCORE.fullmatch(score):
                if number == 1:
                    continue  # the header
                raise UserError(f"{place}: the score is not an integer")
            if float(score) > 0:
                reason = "" if texts.get(query) else _why_not(query, texts)
                question = {"no_query": reason} if reason else {"query": texts[query], "query_id": query}
                yield place, {**question, "passage_id": passage, "beir_score": int(float(score)), "split": split}


def _packed_or_not(path: Path) -> Path | None:
    packed = path.with_name(f"{path.name}.gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _queries(folder: Path) -> dict[str, str]:
    """id → text. Raises UserError for an id that two rows have."""
    path = _packed_or_not(folder / _QUERIES)
    assert path is not None
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
            loaded = [(number, json.loads(line)) for number, line in enumerate(lines, start=1) if line.strip()]
    else:
        loaded = list(files.read_rows(path))
    texts: dict[str, str] = {}
    for number, row in loaded:
        name = cell(row, "_id") or cell(row, "id")
        if name in texts:
            raise UserError(f"{path}, line {number}: an earlier query has the id {name}, too: each needs its own")
        texts[name] = cell(row, "text")
    return texts


def _why_not(query: str, texts: Mapping[str, str]) -> str:
    return f"the query {query} has no text" if query in texts else f"no query has the id {query}"


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of qrels that are not blank, with their numbers."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t")
        try:
            for columns in reader:
                if any(column.strip() for column in columns):
                    yield reader.line_num, columns
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8 text ({error.reason}): convert it to UTF-8") from error
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num} is not valid TSV: {error}") from error


def _qrels(folder: Path) -> list[Path]:
    single = folder / "qrels.tsv"
    return sorted((folder / "qrels").glob("*.tsv")) or ([single] if single.is_file() else [])

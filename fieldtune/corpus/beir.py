"""A folder in the layout of a BEIR retrieval set (arXiv:2104.08663): corpus.jsonl, queries.jsonl and qrels."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.tables import cell
from fieldtune.corpus.unicode import repair
from fieldtune.runtime.errors import UserError

CORPUS = "corpus.jsonl"
_QUERIES = "queries.jsonl"
_SPLITS = {"train": "train", "dev": "dev", "valid": "dev", "validation": "dev"}  # any other file is test


def is_beir(folder: Path) -> bool:
    return (folder / CORPUS).is_file() and (folder / _QUERIES).is_file() and bool(_qrels(folder))


def rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each judgement above 0 as a row of real queries: `query`, `passage_id` and `split`. The file names the split:
    qrels/train.tsv, qrels/dev.tsv, any other is test. Raises UserError for a query without text.
    """
    texts = {cell(row, "_id") or cell(row, "id"): cell(row, "text") for _, row in files.read_rows(folder / _QUERIES)}
    for path in _qrels(folder):
        split = _SPLITS.get(path.stem, "test")
        for number, columns in _lines(path):
            place = f"{path}, line {number}"
            # trec_eval's format has an extra column between query and document
            if len(columns) not in (3, 4):
                raise UserError(f"{place}: expected the ids of a query and a document and a score, separated by tabs")
            query, passage, score = repair(columns[0]).strip(), columns[-2], columns[-1]
            if number == 1 and not score.strip().lstrip("-").isdigit():
                continue  # the header
            try:
                relevant = int(score) > 0
            except ValueError:
                raise UserError(f"{place}: the score is not an integer") from None
            if not texts.get(query):
                raise UserError(f"{place}: query {query} not found in {folder / _QUERIES}")
            if relevant:
                yield place, {"query": texts[query], "passage_id": passage, "split": split}


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

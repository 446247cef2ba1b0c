"""Keys of test queries that are the same in two commits: words and answers, not the row that a query's id names."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from fieldtune.corpus.unicode import normalised

QueryKey = tuple[str, tuple[str, ...]]  # the normalised words, the ids of the answers' sections


def query_key(query: str, answers: Iterable[str]) -> QueryKey:
    """The key of a query. `answers` are ids of sections, and `graded_answers`, in any order."""
    return normalised(query), tuple(sorted(answers))


def graded_answers(grades: Mapping[str, float]) -> list[str]:
    """The grades other than 1 as further answers of a key: other grades are another test. `grades`: by section."""
    return sorted(f"{grade:g} {section}" for section, grade in grades.items() if grade != 1)


def hash_test_set(keys: Iterable[QueryKey]) -> str:
    """A digest of a test set, 16 hex digits: its queries and their answers, in any order."""
    return hashlib.sha256(json.dumps(sorted(set(keys))).encode()).hexdigest()[:16]

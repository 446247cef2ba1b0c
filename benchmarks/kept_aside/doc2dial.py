"""doc2dial: pages of American authorities (veterans' benefits, social security, motor vehicles, student loans).

    python -m benchmarks.kept_aside.doc2dial <git directory of doc2dial/sharedtask-dialdoc2021> <out folder>

Repository  github.com/doc2dial/sharedtask-dialdoc2021, commit 919d165 (the newest has lost the file):
            data/doc2dial/v1.0.1/doc2dial_rc_val.csv.zip, the validation part of Doc2Dial 1.0.1 (arXiv:2011.06623).
            Each row is a turn of a dialogue, with the whole page that it is about and the span that answers it. The
            training part is absent from the snapshot; the pages of the validation part are the corpus.
Licence     CC BY 3.0 (the set's card at Hugging Face, ibm/doc2dial). The pages are of federal and state authorities.
Passage     60 to 150 words or so of one page, cut where a section ends or else between sentences; title = the page's.
            Exactly equal texts are stored once. The source has lost apostrophes ("you re"), bullets and tables.
Query       the first thing that the user of a dialogue says: people wrote it, given the span to ask about. Later turns
            lean on earlier ones and are left out. Dropped where fewer than two words are left without stop words
            ("I need some help"). Equal ones (case-blind) are one query.
Relevant    passages that hold at least 40% of the characters of the span, and, if it has ten words or more, those of
            other pages that hold it verbatim (the pages share paragraphs); score 1. Nothing was pooled: a passage
            that answers in other words counts as wrong.

Printed by the run that made the set:
    pages: 272
    dialogues: 660
    dropped: not specific: 20
    merged with an equal one: 18
    passages: 1853 (words: min 31, median 112, max 215)
    queries: 622, qrels: 672, queries with more than one relevant passage: 44

NDCG@10 of the untuned all-MiniLM-L6-v2 0.567, of BM25 0.600, of both fused 0.639.
"""

import ast
import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from benchmarks.kept_aside import retrieval_set
from benchmarks.kept_aside.retrieval_set import RetrievalSet, file_at, squashed

COMMIT = "919d1650c110eab886b6389b7ce8ccd03a89d73c"
ZIP = "data/doc2dial/v1.0.1/doc2dial_rc_val.csv.zip"
LOW, HIGH, TAIL = 60, 150, 30  # words: a section's end closes a passage from LOW on; TAIL or fewer join the one before
SHARE = 0.4  # of the answer's characters
COPIED = 10  # words
_SENTENCE_END = re.compile(r"(?<=[.?!:])\s+(?=[A-Z\"(])|\n+")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about am an and any are as at be been but by can could did do does for from get give good had has have
        hello help hey hi how i if in info information is it just know like looking me more my need of off ok on one or
        out please question questions should so some something tell thank thanks that the there they this to today
        understand us want wanted was we what when where which who why will with would you your""",
    )
)


def sentences(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether a section ends there, of each sentence; those of over HIGH words are cut between words."""
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    for start, end in pairwise(cuts):
        words = [start + match.start() for match in re.finditer(r"\S+", text[start:end])]
        if words:
            borders = [start, *words[HIGH::HIGH], end]
            for left, right in pairwise(borders):
                yield left, right, right == end and text[start:end].endswith("\n\n")


def passages(text: str) -> list[tuple[int, int]]:
    """Start and end of each passage; together they are the whole text."""
    passages: list[tuple[int, int]] = []
    begin, count = 0, 0
    for start, end, section_ends in sentences(text):
        words = len(text[start:end].split())
        if count and count + words > HIGH and count >= LOW:
            passages.append((begin, start))
            begin, count = start, 0
        count += words
        if section_ends and count >= LOW:
            passages.append((begin, end))
            begin, count = end, 0
    if count and passages and count <= TAIL:
        passages[-1] = (passages[-1][0], len(text))
    elif count:
        passages.append((begin, len(text)))
    return passages


def readable(text: str) -> str:
    """Without the blank that the set has before punctuation, and without numbers of links."""
    return re.sub(r" ([,.;:?!)])", r"\1", re.sub(r" ?\[\d+\]", "", squashed(text)))


def specific(question: str) -> bool:
    return len(set(re.findall(r"[a-z0-9]+", question.lower())) - _STOP_WORDS) >= 2


def convert(turns: Sequence[Mapping[str, str]]) -> tuple[RetrievalSet, dict[str, int]]:
    """The set, and how many pages and dialogues there were, and questions dropped or merged."""
    corpus: list[dict[str, str]] = []
    ids: dict[str, str] = {}  # by text
    where: dict[str, list[tuple[int, int, str]]] = {}  # by page: start, end, id
    for page, title in {turn["context"]: turn["title"] for turn in reversed(turns)}.items():
        where[page] = []
        for start, end in passages(page):
            text = readable(page[start:end])
            if text not in ids:
                ids[text] = f"p{len(corpus) + 1:04}"
                corpus.append({"id": ids[text], "title": title.split("#")[0].strip(), "text": text})
            where[page].append((start, end, ids[text]))
    queries: dict[str, dict[str, str]] = {}  # by folded text
    relevant: dict[str, list[str]] = {}
    counts = {"pages": len(where), "dialogues": 0, "dropped: not specific": 0, "merged with an equal one": 0}
    for turn in turns:
        if not turn["id"].endswith("_1"):
            continue
        counts["dialogues"] += 1
        question = squashed(turn["question"]).removeprefix("user:")
        if not specific(question):
            counts["dropped: not specific"] += 1
            continue
        counts["merged with an equal one"] += question.casefold() in queries
        query = queries.setdefault(question.casefold(), {"id": f"q{len(queries) + 1:03}", "text": question})
        answers = ast.literal_eval(turn["answers"])
        (begin,), (answer,) = answers["answer_start"], answers["text"]
        answering = [
            passage
            for start, end, passage in where[turn["context"]]
            if min(end, begin + len(answer)) - max(start, begin) >= SHARE * len(answer)
        ]
        span = readable(answer)
        if len(span.split()) >= COPIED:
            answering += [passage["id"] for passage in corpus if span in passage["text"]]
        relevant[query["id"]] = list(dict.fromkeys([*relevant.get(query["id"], []), *answering]))
    return RetrievalSet(corpus, list(queries.values()), relevant), counts


def main() -> None:
    git_directory, out = retrieval_set.places(__doc__)
    with zipfile.ZipFile(io.BytesIO(file_at(git_directory, COMMIT, ZIP))) as archive:
        table = archive.read(archive.namelist()[0]).decode()
    csv.field_size_limit(len(table))
    made, counts = convert(list(csv.DictReader(io.StringIO(table, newline=""))))
    for name, count in counts.items():
        print(f"{name}: {count}")
    retrieval_set.write(made, out)


if __name__ == "__main__":
    main()

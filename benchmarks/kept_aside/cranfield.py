"""cranfield: abstracts on aerodynamics of the 1950s and 60s, with questions of the researchers in the field.

    python -m benchmarks.kept_aside.cranfield <git directory of oussbenk/cranfield-trec-dataset> <out folder>

Repository  github.com/oussbenk/cranfield-trec-dataset, commit 1208e6edfb6cb2527b2c44398d3d8fefd3249144: the Cranfield
            collection (Cleverdon, 1967) as XML. Files cran.all.1400.xml, cran.qry.xml, cranqrel.trec.txt.
Licence     none is stated. The collection has been given away for research since the 1960s (University of Glasgow):
            for measuring only.
Passage     an abstract, its title taken off the front of the text, where the collection repeats it. Without the
            abstracts that are empty, and of equal ones the first.
Query       the question as the author asked it, its final full stop (after a blank) taken off. The judgements number
            the questions 1 to 225 in the order of the file, not by <num>.
Relevant    codes 1 to 4, which the repository has turned into 1 (one row is left as 3); 0 was -1, of no interest. Which
            end of the codes is the most relevant is told differently in different copies; here all score 1. The whole
            collection was looked through for each question, so few relevant abstracts are missing.

Printed by the run that made the set:
    passages: 1398 (words: min 12, median 135, max 660)
    queries: 225, qrels: 1611, queries with more than one relevant passage: 219

NDCG@10 of the untuned all-MiniLM-L6-v2 0.399, of BM25 0.382, of both fused 0.428.
"""

import re
from collections.abc import Iterator

from benchmarks.kept_aside import retrieval_set
from benchmarks.kept_aside.retrieval_set import RetrievalSet, file_at, squashed

COMMIT = "1208e6edfb6cb2527b2c44398d3d8fefd3249144"
# By patterns: the file has no root element.
_DOCUMENT = re.compile(r"<docno>\s*(\d+)\s*</docno>.*?<title>(.*?)</title>.*?<text>(.*?)</text>", re.S)
_QUERY = re.compile(r"<title>(.*?)</title>", re.S)


def abstracts(xml: str) -> Iterator[dict[str, str]]:
    for number, title, text in _DOCUMENT.findall(xml):
        title, text = squashed(title), squashed(text)
        yield {"id": number, "title": title.removesuffix(" ."), "text": text.removeprefix(title).strip()}


def convert(documents: str, questions: str, judgements: str) -> RetrievalSet:
    corpus, texts = [], set[str]()
    for abstract in abstracts(documents):
        if abstract["text"] and abstract["text"] not in texts:
            texts.add(abstract["text"])
            corpus.append(abstract)
    known = {abstract["id"] for abstract in corpus}
    relevant: dict[str, list[str]] = {}
    for line in judgements.splitlines():
        query, _, passage, code = line.split()
        if int(code) > 0 and passage in known and passage not in relevant.setdefault(query, []):
            relevant[query].append(passage)
    query_texts = [squashed(text).removesuffix(" .") for text in _QUERY.findall(questions)]
    queries = [{"id": str(n), "text": text} for n, text in enumerate(query_texts, start=1) if relevant.get(str(n))]
    return RetrievalSet(corpus, queries, relevant)


def main() -> None:
    git_directory, out = retrieval_set.places(__doc__)
    names = ("cran.all.1400.xml", "cran.qry.xml", "cranqrel.trec.txt")
    documents, questions, judgements = (file_at(git_directory, COMMIT, name).decode() for name in names)
    retrieval_set.write(convert(documents, questions, judgements), out)


if __name__ == "__main__":
    main()

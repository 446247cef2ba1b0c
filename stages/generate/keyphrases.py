"""Queries out of a passage's own words: offline, private, instant, for any documents."""

import math
import random
import re
from collections.abc import Sequence
from typing import Any, Self

from fieldtune.corpus.passages import passage_text
from fieldtune.corpus.scripts import LETTERS, SENTENCE_END
from fieldtune.retrieval.words import joined, paired
from stages.generate.config import GenerateConfig
from stages.generate.provider import Provider, Query

# Nobody types more; characters count where a script has no blanks between words
_MOST_WORDS = 24
_MOST_CHARACTERS = 200
_WORD = re.compile(f"[{LETTERS}][{LETTERS}'-]*")


class Keyphrases(Provider):
    """Three queries per passage: its title, the words that set it apart from the other passages, and the sentence
    that holds most of them. What sets a word apart is TF-IDF, by scikit-learn.

    `share` of the passages get them, drawn with `seed`; `words` is the length of the second query.
    """

    name = "keyphrases"

    def __init__(self, words: int, share: float, seed: int) -> None:
        self.words = words
        self.share = share
        self.seed = seed

    @classmethod
    def configured(cls, config: GenerateConfig) -> Self:
        return cls(config.generator.words, config.generator.share, config.seed)

    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        from sklearn.feature_extraction.text import TfidfVectorizer  # takes seconds

        vectorizer = TfidfVectorizer(token_pattern=_WORD.pattern, stop_words="english", sublinear_tf=True)
        texts = [paired(passage_text(passage)) for passage in passages]
        try:
            weights = vectorizer.fit_transform(texts).tocsr()
        except ValueError:  # nothing but stop words
            return [], {self.name: 0}
        names = vectorizer.get_feature_names_out()
        drawn = random.Random(self.seed).sample(range(len(passages)), max(1, round(self.share * len(passages))))
        queries: list[Query] = []
        for number in sorted(drawn):
            passage, row = passages[number], weights[number]
            weight = dict(zip(names[row.indices], row.data.tolist(), strict=True))
            written = (
                passage["title"],
                _key_words(weight, self.words, passage_text(passage)),
                _key_sentence(passage["text"], weight),
            )
            distinct = dict.fromkeys(short for text in written if (short := _shortened(text)))
            queries += [Query(passage["id"], text, "keyword", self.name) for text in distinct]
        return queries, {self.name: len(queries)}


def _key_words(weight: dict[str, float], count: int, text: str) -> str:
    heaviest = sorted(weight, key=lambda word: (-weight[word], word))[:count]
    return " ".join(joined(heaviest, text))


def _key_sentence(text: str, weight: dict[str, float]) -> str:
    sentences = [_shortened(sentence) for sentence in SENTENCE_END.split(text) if sentence.strip()]

    def density(sentence: str) -> float:
        words = set(_WORD.findall(paired(sentence.lower())))
        # fsum, since a set has another order in each process, and a sum that is rounded on the way another end.
        return math.fsum(weight.get(word, 0.0) for word in words) / math.sqrt(len(words) + 3)

    return max(sentences, key=density, default="").rstrip(".。।")


def _shortened(text: str) -> str:
    return " ".join(text.split()[:_MOST_WORDS])[:_MOST_CHARACTERS].rstrip()

"""A request's inputs as the model reads them: after the prompt, between special tokens, cut at the limit."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from fieldtune.serve.exported import Exported, Kind

# Characters or token ids that take less time to tokenize than a thread takes to wake. While the tokenizer reads one
# long text, no other thread runs.
SHORT = 2000


@dataclass(frozen=True)
class Tokens:
    """The inputs of one request as the model reads them."""

    ids: list[list[int]]
    truncated: list[int]  # inputs that were cut, by their position in the request

    @property
    def count(self) -> int:
        return sum(map(len, self.ids))


class ForeignIds(ValueError):
    """Token ids that are not, or may not be, of this model's tokenizer."""


_LANGCHAIN = "LangChain sends those of OpenAI's tokenizer unless `check_embedding_ctx_length=False`"


class Reader:
    """A tokenizer that several threads may use."""

    def __init__(self, exported: Exported) -> None:
        self._tokenizer = Tokenizer.from_file(str(exported.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(exported.max_tokens)
        self._max_tokens = exported.max_tokens
        self._prompts = exported.prompts
        self.vocabulary = self._tokenizer.get_vocab_size()
        bare = self._tokenizer.encode("a")
        first = bare.special_tokens_mask.index(0)
        last = len(bare.ids) - bare.special_tokens_mask[::-1].index(0)
        self._before, self._behind = bare.ids[:first], bare.ids[last:]
        self._prompt_ids = {
            kind: self._tokenizer.encode(prompt, add_special_tokens=False).ids if prompt else []
            for kind, prompt in self._prompts.items()
        }

    def texts(self, texts: Sequence[str], kind: Kind) -> Tokens:
        """Tokenize texts after the prompt of their kind."""
        prompted = [f"{self._prompts[kind]}{text}" for text in texts]
        one = len(prompted) == 1 and len(prompted[0]) <= SHORT  # not worth waking the tokenizer's threads
        encodings = [self._tokenizer.encode(prompted[0])] if one else self._tokenizer.encode_batch_fast(prompted)
        return Tokens([each.ids for each in encodings], [row for row, each in enumerate(encodings) if each.overflowing])

    def ids(self, inputs: Sequence[Sequence[int]], kind: Kind, bare: bool = False) -> Tokens:
        """Token ids of this model's tokenizer, with its special tokens around them; without them too if `bare`.

        Raises ForeignIds for an id outside the vocabulary, and for ids that may be of another tokenizer: they would be
        read as other words.
        """
        outside = next((token for given in inputs for token in given if not 0 <= token < self.vocabulary), None)
        if outside is not None:
            raise ForeignIds(
                f"token id {outside} is not in this model's vocabulary of {self.vocabulary} (send ids of its own "
                f"tokenizer; {_LANGCHAIN})"
            )
        read, truncated = [], []
        room = self._max_tokens - len(self._before) - len(self._behind)
        for row, given in enumerate(inputs):
            own = self._without_special(list(given))
            if own is None and not bare:
                raise ForeignIds(
                    f"`input`: number {row} may be of another tokenizer, and would be read as other words: send texts, "
                    f"or the ids with {self._frame()}, or start the service with `--token-ids` ({_LANGCHAIN})"
                )
            ids = self._prompt_ids[kind] + (list(given) if own is None else own)
            if len(ids) > room:
                truncated.append(row)
            read.append([*self._before, *ids[:room], *self._behind])
        return Tokens(read, truncated)

    def _frame(self) -> str:
        return f"this model's special tokens around them ({[*self._before, ..., *self._behind]})".replace(
            "Ellipsis", "…"
        )

    def _without_special(self, ids: list[int]) -> list[int] | None:
        """The ids between the model's special tokens; None if they are missing, or if the model has none."""
        before, behind = len(self._before), len(self._behind)
        if before + behind == 0 or len(ids) < before + behind:
            return None
        if ids[:before] == self._before and ids[len(ids) - behind :] == self._behind:
            return ids[before : len(ids) - behind]
        return None

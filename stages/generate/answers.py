"""A server's reply, read: the text of a message or of a chat completion, why it ended, and its tokens."""

from dataclasses import dataclass
from typing import Any

from fieldtune.buying.refusals import UnclearError
from stages.generate.reply import ONLY_THOUGHT, without_halves


@dataclass(frozen=True)
class Answer:
    """A message, whatever is in it."""

    text: str
    stop_reason: str
    input_tokens: int
    output_tokens: int


def answer(message: Any) -> Answer:
    """Read the JSON of a message. Raises UnclearError if it is something else."""
    try:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        thought = not text.strip() and any("thinking" in block["type"] for block in blocks)
        stop = ONLY_THOUGHT if thought else str(message.get("stop_reason"))
        return _answer(text, stop, message.get("usage"), ("input_tokens", "output_tokens"))
    except (TypeError, KeyError, ValueError, AttributeError):
        raise UnclearError("a reply that is not a message") from None


def chat_answer(completion: Any) -> Answer:
    """Read the JSON of a chat completion of OpenAI's API. Raises UnclearError if it is something else."""
    stops = {"length": "max_tokens", "content_filter": "refusal"}
    try:
        choice = completion["choices"][0]
        message = choice["message"]
        text = message.get("content") or ""
        thought = not text.strip() and (message.get("reasoning_content") or message.get("reasoning"))
        finish = "content_filter" if message.get("refusal") else str(choice.get("finish_reason"))
        stop = ONLY_THOUGHT if thought else stops.get(finish, finish)
        return _answer(text, stop, completion.get("usage"), ("prompt_tokens", "completion_tokens"))
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        raise UnclearError("a reply that is not a chat completion") from None


def _answer(text: str, stop: str, usage: Any, names: tuple[str, str]) -> Answer:
    tokens_in, tokens_out = (int((usage or {}).get(name) or 0) for name in names)
    return Answer(without_halves(text), stop, tokens_in, tokens_out)

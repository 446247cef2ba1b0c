"""Replies that were bought before requests went through the official client are found, and none is bought again."""

import contextlib
import json
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fieldtune.corpus import files
from fieldtune.corpus.style import style_yaml
from fieldtune.runtime import paths
from stages.compose.compose import compose
from stages.generate.prompt import Prompt
from tests.generate import workspace
from tests.generate.fake_anthropic import Fake
from tests.generate.test_styled import STYLE
from tests.generate.workspace import ROOT, covered, passages, prepare, report, run

STORE = Path(__file__).with_name("store_before_sdk.sql")
PROMPT = {
    "system": "Write {count} queries of four kinds, as:\n{examples}",
    "styled": "Write {count} queries as:\n{examples}\n{population}",
    "reply_format": "",  # which `local` did not have
    "user": "<title>{title}</title>\n{text}",
    "examples": ["open a door", "how do doors open?"],
    "queries_per_passage": 4,
    "max_tokens": 600,
    "thinking": "disabled",
    "model": "claude-haiku-5-5",
}


def restored(folder: Path, server: Fake, numbers: range, **settings: Any) -> None:
    """A workspace with the store as the version before wrote it: passages 0 to 7 one by one (the fifth refused twice,
    a reply of the sixth lost), 8 and 9 in a batch, 10 and 11 in one that is still under way, 0 to 2 styled and local.
    """
    prepare(folder, server.url, numbers, **{**PROMPT, **settings})
    files.write_text(folder / "style.yaml", style_yaml(STYLE))
    (folder / ".fieldtune").mkdir()
    with sqlite3.connect(folder / ".fieldtune/replies.sqlite") as database:
        database.executescript(STORE.read_text().replace("http://SERVER", server.url))


@pytest.mark.parametrize("way", ["claude", "claude_batch"])
def test_replies_of_both_ways_are_found(way: str, server: Fake, tmp_path: Path) -> None:
    restored(tmp_path, server, range(10), way=way)
    assert "10 passages: 10 in the store, 0 to ask for: nothing to pay" in run(tmp_path)
    assert server.stats().requests == 0
    assert covered(tmp_path) == {passage["id"]: 4 for passage in passages(range(10)) if passage["id"][-1] != "5"}
    counts = report(tmp_path)
    assert counts["claude_without_queries: refused by the model"] == 1
    assert counts["claude_requests_lost"] == 1


@pytest.mark.parametrize(("way", "style"), [("claude", "style.yaml"), ("local", "none.jsonl")])
def test_styled_and_local_replies_are_found(way: str, style: str, server: Fake, tmp_path: Path) -> None:
    restored(tmp_path, server, range(3), way=way, style=style)
    run(tmp_path)
    assert server.stats().requests == 0
    assert covered(tmp_path) == {passage["id"]: 4 for passage in passages(range(3))}


def test_a_batch_that_was_under_way_is_attached_to(server: Fake, tmp_path: Path) -> None:
    restored(tmp_path, server, range(12), way="claude_batch")
    with sqlite3.connect(tmp_path / ".fieldtune/replies.sqlite") as database:
        rows = database.execute("SELECT key FROM reservations WHERE batch = 2").fetchall()
    under_way = [
        {"custom_id": key, "params": params} for (key,) in rows for params in [requests(tmp_path)[key]]
    ]  # fails if a key of today is another
    for batch in ([], under_way):  # the first has ended long ago
        body = json.dumps({"requests": batch}).encode()
        urllib.request.urlopen(f"{server.url}/v1/messages/batches", data=body).close()
    output = run(tmp_path)
    assert "batch msgbatch_1 of an earlier run has 2 requests: waiting for it" in output
    assert server.stats().batches == [0, 2]
    assert server.stats().requests == 0
    assert len(covered(tmp_path)) == 11


def requests(folder: Path) -> dict[str, dict[str, Any]]:
    with contextlib.chdir(folder):
        prompt = Prompt(workspace.messages_config(), "anthropic")
    made = [prompt.request(passage) for passage in files.read_jsonl(folder / paths.PASSAGES)]
    return {prompt.key(request): request for request in made}


@pytest.mark.parametrize(
    ("style", "key"),
    [
        (None, "318664c737ad836a036e70145f0e8dd497f0fcebd3c01ed89d92f40b6cc68405"),
        (STYLE, "8cd2d4fe020952e9ddae5d514583f98212a04e3658034898f75059663b06bd41"),
    ],
)
def test_the_shipped_prompts_have_the_keys_that_they_had(style: Any, key: str) -> None:
    """Whoever changes a shipped prompt has every user buy every query again, and changes this with it."""
    messages = compose(ROOT / paths.PARAMS, ROOT / paths.CONF, {"generator": "claude"}).generator.messages
    assert messages
    prompt = Prompt(messages, "anthropic", style)
    assert prompt.key(prompt.request(passages([0])[0])) == key

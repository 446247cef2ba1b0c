"""Queries in the style of typed ones: the prompt, and what is bought when log, passages or model change."""

from pathlib import Path
from typing import Any

import pytest

from fieldtune.corpus import files
from fieldtune.corpus.style import Style, measure, style_yaml
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.generate.prompt import Prompt
from stages.generate.reply import UnusableError, read_queries
from tests.generate import workspace
from tests.generate.fake_anthropic import Fake
from tests.generate.workspace import configure, passages, prepare, run

TYPED = ["reset router", "printer wont print", "where is my invoice", "cancel plan", "vat number missing"]
STYLE = Style(TYPED, measure(TYPED))


def test_the_prompt_shows_the_examples_and_the_population(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "http://127.0.0.1:1", range(1))
    config = workspace.messages_config()
    styled, plain = Prompt(config, "anthropic", STYLE), Prompt(config, "anthropic")
    request = styled.request(passages(range(1))[0])
    for query in TYPED:
        assert f"- {query}\n" in request["system"]
    assert "half of the queries have 2 to 3 words, 3 in the middle; 20% ask a question" in request["system"]
    assert "stop a server from being deleted" not in request["system"]  # an example of the prompt without a style
    assert request["output_config"]["format"]["schema"]["properties"]["queries"]["items"]["properties"]["kind"] == {
        "type": "string",
        "enum": ["styled"],
    }
    assert styled.scope != plain.scope
    by_hand = Prompt(config, "anthropic", Style(TYPED, None)).request(passages(range(1))[0])["system"]
    assert "Of all their queries" not in by_hand


def test_a_place_that_the_styled_prompt_does_not_have_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "http://127.0.0.1:1", range(1), styled="{count} of {crowd}")
    with pytest.raises(UserError, match=r"messages\.styled names \{crowd\}; known there: \{count\}, "):
        Prompt(workspace.messages_config(), "anthropic", STYLE)


def test_a_reply_of_another_kind_than_was_asked_for_is_not_usable() -> None:
    text = '{"queries": [{"kind": "task", "query": "open the lid"}]}'
    assert read_queries(text, "end_turn", {"text": "x"}, 1) == [("task", "open the lid")]
    with pytest.raises(UnusableError, match="not the JSON asked for"):
        read_queries(text, "end_turn", {"text": "x"}, 1, ("styled",))


def test_the_style_is_bought_once_whatever_else_changes(server: Fake, tmp_path: Path) -> None:
    def requests(**settings: Any) -> int:
        configure(tmp_path, server.url, style="style.yaml", **settings)
        run(tmp_path)
        return server.stats().requests

    prepare(tmp_path, server.url, range(8))
    files.write_text(tmp_path / "style.yaml", style_yaml(STYLE))
    assert requests() == 8
    rows = list(files.read_jsonl(tmp_path / paths.QUERIES))
    assert {row["kind"] for row in rows} == {"styled"}
    assert len(rows) == 32
    files.write_text(tmp_path / "log.csv", "query\n" + "one more typed query\n" * 50)  # the style is frozen
    assert requests() == 8
    files.write_jsonl(tmp_path / paths.PASSAGES, reversed(passages(range(8))))  # another order
    assert requests() == 8
    files.write_jsonl(tmp_path / paths.PASSAGES, passages(range(9)))  # one document more
    assert requests() == 9
    files.write_text(tmp_path / "style.yaml", style_yaml(Style([*TYPED, "new"], None)))
    assert requests() == 18
    configure(tmp_path, server.url)  # without a style
    run(tmp_path)
    assert server.stats().requests == 27

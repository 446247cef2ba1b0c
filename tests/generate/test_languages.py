"""`languages:` of a generator: queries in the languages that are asked for, whatever the passage's own."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fieldtune.corpus import files
from fieldtune.corpus.style import Style
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from stages.compose.compose import compose
from stages.generate.bought import Claude
from stages.generate.config import GenerateConfig
from stages.generate.prompt import Prompt
from tests.generate import workspace
from tests.generate.fake_anthropic import Fake
from tests.generate.workspace import ROOT, configure, passages, prepare, report, run

TAG = re.compile(r"BCP 47 tag (\S+), ")


def test_a_query_is_asked_for_in_each_language_and_says_which(server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(3), languages=["de", "pt-BR"])
    output = run(tmp_path)
    assert "6 pairs of passage and language: 0 in the store, 6 to ask for" in output
    assert "24 queries for 3 of 3 passages" in output
    rows = list(files.read_jsonl(tmp_path / paths.QUERIES))
    assert [row["language"] for row in rows] == [*["de"] * 4, *["pt-BR"] * 4] * 3
    assert [row["kind"] for row in rows] == ["task", "question", "keyword", "problem"] * 6
    assert report(tmp_path)["passages_with_queries"] == 3
    asked = [TAG.findall(sent["body"]["system"]) for sent in server.stats().sent]
    assert sorted(asked) == [["de"], ["de"], ["de"], ["pt-BR"], ["pt-BR"]]  # of the first five requests


@pytest.mark.parametrize("way", ["claude_batch", "local"])
def test_every_provider_that_asks_a_model_takes_languages(way: str, server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(2), way=way, languages=["de", "en"])
    run(tmp_path)
    rows = list(files.read_jsonl(tmp_path / paths.QUERIES))
    assert [row["language"] for row in rows] == [*["de"] * 4, *["en"] * 4] * 2


def test_what_was_bought_without_languages_stays_and_a_language_more_buys_its_queries_alone(
    server: Fake, tmp_path: Path
) -> None:
    def requests(**settings: Any) -> int:
        configure(tmp_path, server.url, **settings)
        run(tmp_path)
        return server.stats().requests

    prepare(tmp_path, server.url, range(5))
    assert requests() == 5
    assert not any("language" in row for row in files.read_jsonl(tmp_path / paths.QUERIES))
    assert requests(languages=["de"]) == 10
    assert requests(languages=["de", "en"]) == 15
    assert requests(languages=["en", "de"]) == 15
    assert requests(languages=[]) == 15
    assert requests(languages=None) == 15
    assert requests(languages=["de"], in_language="Only {language}, please") == 20


def test_a_passages_own_language_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`language` of passages.jsonl is what `ingest` found, and no wish."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "http://127.0.0.1:1", range(1))
    config, passage = workspace.messages_config(), passages(range(1))[0]
    plain = Prompt(config, "anthropic")
    assert plain.request({**passage, "language": "fr"}) == plain.request(passage)
    asked = Prompt(config, "anthropic", Style(["a query"], None), ["de"])
    (row,) = asked.rows([{**passage, "language": "fr"}])
    assert TAG.findall(asked.request(row)["system"]) == ["de"]
    assert asked.scope != Prompt(config, "anthropic", Style(["a query"], None)).scope


def test_passages_without_queries_are_counted_by_language(server: Fake, tmp_path: Path) -> None:
    server.control(faults=[{"do": "refusal", "match": f"Part {number}\n"} for number in (1, 2)])
    prepare(tmp_path, server.url, range(10), languages=["de", "en"], max_concurrency=1)
    output = run(tmp_path, code=1)
    assert "2 of 20 pairs of passage and language got no queries (refused by the model: 2)" in output


def test_the_estimate_has_all_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "http://127.0.0.1:1", range(10), languages=["de", "en", "fr"])
    plan = Claude.configured(load("generate", GenerateConfig)).plan(passages(range(10)))
    assert plan.line().startswith("30 pairs of passage and language: 0 in the store, 30 to ask for; about ")


@pytest.mark.parametrize("tags", [["German"], ["de", "de"], ["DE"], ["de_DE"], ["de", ""], ["zh-hant"], "de"])
def test_what_is_no_language_tag_is_refused_with_its_place(tags: Any, tmp_path: Path) -> None:
    conf = written(tmp_path, tags)
    with pytest.raises(UserError, match=r"generator\.languages .*(must list language tags such as de|list)"):
        compose(ROOT / paths.PARAMS, conf, {"generator": "claude"})


@pytest.mark.parametrize("tags", [["de", "en-GB", "zh-Hant-TW", "es-419", "yue", "ca-valencia"], [], None])
def test_language_tags_of_all_shapes_are_taken(tags: Any, tmp_path: Path) -> None:
    settings = compose(ROOT / paths.PARAMS, written(tmp_path, tags), {"generator": "claude"})
    assert settings.generator.languages == tags


def written(folder: Path, tags: Any) -> Path:
    """conf/ with these languages for `claude`."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    path = folder / "conf/generator/claude.yaml"
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(path), {"languages": tags}), path)
    return folder / "conf"

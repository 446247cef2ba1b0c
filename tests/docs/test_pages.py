"""README and docs/ against the repository: numbers, commands, settings, places, links."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown.extensions.toc import slugify
from omegaconf import OmegaConf

from fieldtune.corpus import tables
from fieldtune.models import drift
from fieldtune.retrieval import halves
from fieldtune.retrieval.systems import SYSTEMS
from fieldtune.runtime.settings import any_words
from scripts import settings_page
from stages.compose.compose import compose
from stages.compose.schema import STAGES, known_keys
from stages.dataset import guidance
from stages.evaluate import verdict
from stages.rivals.config import read_rivals
from tests import pages
from tests.conftest import TIERS
from tests.imports import ROOT
from tests.pages import PAGES, README
from tests.test_style import FORBIDDEN

# The tests that run a page's Python, as it stands there.
PYTHON = {
    "docs/serving.md": ("tests/serve/test_docs.py", "tests/export/test_stores.py"),
    "docs/hybrid.md": ("tests/export/test_hybrid_recipes.py",),
    "docs/training.md": ("tests/pipeline/test_docs.py",),
}
SAMPLE = {
    "real queries ({n})": "real",
    "hard real queries ({n})": "real_hard",
    "generated queries, held out ({n})": "synthetic",
}


def in_ci() -> list[str]:
    return (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


def marked(page: str, name: str) -> str:
    """What stands between two comments of a page."""
    block = re.search(rf"<!-- {name}\b.*?-->\n(.*?)<!-- /{name} -->", PAGES[page], flags=re.DOTALL)
    assert block, f"{page} has no part {name}"
    return block[1].strip()


def rows(table: str) -> list[list[str]]:
    """The cells of a table's rows, below its header."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_readme_can_be_read_in_a_few_minutes() -> None:
    assert len(PAGES[README].splitlines()) <= 150


@pytest.mark.parametrize("page", sorted(PAGES))
def test_no_page_has_a_phrase_that_style_md_forbids(page: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    paragraphs = [" ".join(paragraph.split()) for paragraph in prose.split("\n\n")]
    hits = [
        f"{hit.group()!r}, write {instead!r}"
        for paragraph in paragraphs
        for phrase, instead in FORBIDDEN.items()
        for hit in re.finditer(phrase, paragraph)
    ]
    assert hits == []


# Commands


def test_what_is_listed_as_not_run_stands_on_a_page() -> None:
    assert pages.not_run() <= set(pages.commands())


def test_ci_runs_the_commands_that_install_and_test() -> None:
    commands = pages.commands("docs/architecture.md")
    assert "python -m venv .venv && . .venv/bin/activate" in pages.commands(README)
    assert "python -m venv .venv && . .venv/bin/activate" in in_ci()
    install, _, units = next(line for line in commands if "[test,docs]" in line).partition(" && ")
    assert install == "pip install -e '.[test,docs]'"
    assert f"`{install} && {units}`" in PAGES[README]
    assert any(
        line.startswith("pip install") and line.endswith(install.removeprefix("pip install")) for line in in_ci()
    )
    rest = [line for line in commands if line.startswith("pytest -m") and "slow" not in line]
    assert [units, *rest] == ["pytest", *(f"pytest -m {tier}" for tier in TIERS)]
    assert [line for line in in_ci() if line.startswith("pytest")] == [units, *rest]


def test_every_command_of_ours_is_described() -> None:
    named = {words[1] for line in pages.commands() if (words := line.split())[0] == "fieldtune" and len(words) > 1}
    from fieldtune.commands import cli

    assert named == set(cli._COMMANDS)


# Code


def test_every_block_is_of_a_language_that_tests_look_at() -> None:
    assert {block.language for block in pages.blocks()} <= {"sh", "python", "yaml", "text"}


def test_the_python_of_a_page_is_run_by_the_tests_that_name_it() -> None:
    assert {block.page for block in pages.blocks("python")} == set(PYTHON)
    for page, files in PYTHON.items():
        for file in files:
            assert page in (ROOT / file).read_text(encoding="utf-8")


def test_all_python_of_the_page_of_serving_is_in_the_parts_that_are_run() -> None:
    parts = [
        pages.section("docs/serving.md", heading) for heading in ("## Serve the export", "## In the search you have")
    ]
    parts.append(pages.section("docs/serving.md", "## Smaller vectors"))
    assert sum(part.count("```python") for part in parts) == len(list(pages.blocks("python", "docs/serving.md")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


def composed(folder: Path, values: dict[str, Any], conf: Path = ROOT / "conf") -> None:
    """Compose params.yaml with more values; raises UserError where they are wrong."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    for key, value in values.items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
    file = folder / "params.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    compose(file, conf)


@pytest.mark.parametrize("block", list(pages.blocks("yaml")), ids=lambda block: block.page)
def test_settings_that_a_page_shows_can_be_composed(block: pages.Block, folder: Path) -> None:
    values: dict[str, Any] = yaml.safe_load(block.text)
    if block.title == "params.yaml":
        composed(folder, values)
    elif block.title == "rivals/rivals.yaml":
        (folder / "rivals").mkdir(exist_ok=True)
        (folder / block.title).write_text(block.text, encoding="utf-8")
        assert set(read_rivals(folder / "rivals")) == set(values)
    else:  # a file of a choice, which has more keys
        shutil.copytree(ROOT / "conf", folder / "conf", dirs_exist_ok=True)
        file = folder / block.title
        file.write_text(OmegaConf.to_yaml(OmegaConf.merge(OmegaConf.load(file), values)), encoding="utf-8")
        composed(folder, {file.parent.name: file.stem}, folder / "conf")


def named_keys() -> Iterator[tuple[str, str, str]]:
    """Each `stage.key` or `stage.key: value` in a page's text."""
    for page, text in PAGES.items():
        for stage, key, value in re.findall(rf"`({'|'.join(STAGES)})\.([\w.]+)(?:: ([^`]+))?`", text):
            if not key.endswith(("jsonl", "tsv", "yaml", "parquet")):
                yield page, f"{stage}.{key}", value


def test_every_key_that_a_page_names_is_a_setting_and_takes_the_value(folder: Path) -> None:
    named = list(named_keys())
    assert {"ingest.max_tokens", "train.lora", "export.card_examples"} <= {key for _, key, _ in named}
    for page, key, _ in named:
        assert key in known_keys(), f"{page}: {key}"
    together: dict[str, dict[str, float]] = {
        "train.patience": {"evaluations": 10},
        "train.lora": {"learning_rate": 1e-3},
    }
    for _, key, value in named:
        if value and "folder" not in value:
            values: Any = yaml.safe_load(value)
            first, *inner, last = key.split(".")
            values = {last: values}
            for name in reversed(inner):
                values = {name: values}
            composed(folder, {first: {**together.get(key, {}), **values}})


@pytest.mark.parametrize("block", [block for block in pages.blocks("text") if block.title], ids=lambda b: b.title)
def test_a_table_that_a_page_shows_can_be_read(block: pages.Block, tmp_path: Path) -> None:
    (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    table = [row for _, row in tables.read(tmp_path / block.title)]
    assert len(table) == len(block.text.splitlines()) - 1
    assert all(row["query"] for row in table)


# Numbers


@pytest.mark.parametrize("page", [README, "docs/index.md", "docs/results.md"])
def test_the_numbers_of_the_sample_are_those_of_the_last_run(page: str) -> None:
    metrics: dict[str, Any] = json.loads((ROOT / "data/evaluation/metrics.json").read_text(encoding="utf-8"))
    expected = []
    for label, name in SAMPLE.items():
        scores = metrics[name]
        systems = [scores[system]["ndcg@10"] for system in SYSTEMS]
        gain = scores["gain"]["vs_base"]["ndcg@10"]
        interval = f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
        expected.append([label.format(n=f"{scores['n']:,}"), *(f"{score:.3f}" for score in systems), interval])
    assert rows(marked(page, "sample")) == expected


def test_the_size_of_the_samples_test_is_the_same_everywhere() -> None:
    n = json.loads((ROOT / "data/evaluation/metrics.json").read_text(encoding="utf-8"))["real"]["n"]
    for page in (README, "docs/index.md"):
        (number,) = re.findall(r"([\d,]+)\s+queries\s+that\s+people\s+wrote", PAGES[page])
        assert number == f"{n:,}", page


def test_the_table_over_all_sets_is_one() -> None:
    assert marked(README, "styles") == marked("docs/results.md", "styles")


def test_every_table_of_results_has_the_command_that_repeats_it() -> None:
    for part in re.split(r"^## ", PAGES["docs/results.md"], flags=re.MULTILINE)[1:]:
        if "|---" in part:
            scripts = re.findall(r"python -m\s+(benchmarks\.\w+)", part)
            assert scripts or "dvc\nrepro" in part or "dvc repro" in part, part.partition("\n")[0]
            for script in scripts:
                assert (ROOT / f"{script.replace('.', '/')}.py").is_file(), script


def test_the_rules_of_the_verdict_are_the_codes_in_its_order() -> None:
    table = rows(marked("docs/verdict.md", "rules"))
    assert [int(number) for number, _, _ in table] == list(range(1, len(verdict._RULES) + 1))
    assert [cell.strip("`") for _, _, cell in table] == [name for name, _ in verdict._RULES]
    config = yaml.safe_load((ROOT / "conf/config.yaml").read_text(encoding="utf-8"))
    limits = {**config["evaluate"], "good_enough": config["baseline"]["good_enough"]}
    named = re.findall(r"`(\w+)` \(([\d.]+)\)", marked("docs/verdict.md", "rules"))
    assert {name for name, _ in named} == {"good_enough", "negligible", "meaningful"}
    for name, value in named:
        assert float(value) == limits[name], name


def test_the_code_points_at_the_table_of_the_verdict() -> None:
    assert verdict.__doc__ is not None and "docs/verdict.md" in verdict.__doc__


def defaults(stage: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / "conf/config.yaml").read_text(encoding="utf-8"))[stage]
    return values


def messages(name: str) -> dict[str, Any]:
    file = ROOT / f"conf/generator/{name}.yaml"
    values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["messages"]
    return values


NUMBERS = [  # a page, words around a number, what it is
    ("docs/documents.md", r"`ingest.max_tokens` \((\d+) tokens\)", defaults("ingest")["max_tokens"]),
    ("docs/writing-queries.md", r"ask about (\d+) passages", defaults("generate")["passages"]),
    ("docs/large-corpora.md", r"`generate.passages`: (\d+) by default", defaults("generate")["passages"]),
    ("docs/writing-queries.md", r"more than (\d+)% of the passages", 100 * messages("_messages")["failed_share"]),
    ("docs/verdict.md", r"the (\d+)% interval", 100 * defaults("evaluate")["confidence"]),
    ("docs/verdict.md", r"brought is below ([\d.]+)", defaults("evaluate")["negligible"]),
    ("docs/training.md", r"Hard negatives score below (\d+)%", 100 * defaults("dataset")["negatives"]["margin"]),
    ("docs/training.md", r"still above ([\d.]+) without", defaults("evaluate")["negligible"]),
    ("docs/training.md", r"Up to (\d+) of them are drawn", defaults("train")["real_evidence"]),
    ("docs/tutorial.md", r"above ([\d.]+) hardly needs", defaults("baseline")["good_enough"]),
    ("docs/tutorial.md", r"one below ([\d.]+) is worth it", defaults("baseline")["worth_it"]),
    ("docs/architecture.md", r"above ([\d.]+) it hardly is", defaults("baseline")["good_enough"]),
    ("docs/architecture.md", r"below ([\d.]+) it is", defaults("baseline")["worth_it"]),
    ("docs/tutorial.md", r"a gain of ([\d.]+) is worth", defaults("evaluate")["meaningful"]),
    ("docs/tutorial.md", r"below ([\d.]+) look at the data", defaults("evaluate")["negligible"]),
    ("docs/tutorial.md", r"hard negatives below (\d+)%", 100 * defaults("dataset")["negatives"]["margin"]),
    ("docs/tutorial.md", r"a cosine of ([\d.]+)", defaults("dataset")["near_duplicates"]["cosine"]),
    ("docs/measuring.md", r"a gain of ([\d.]+) would take", defaults("evaluate")["meaningful"]),
    ("docs/troubleshooting.md", r"encode it is above ([\d.]+)", drift.UNCHANGED),
    ("docs/troubleshooting.md", r"Below (\d+) training pairs", guidance._OVERFITS),
    ("docs/training.md", r"Below (\d+) training pairs", guidance._OVERFITS),
    ("docs/training.md", r"\| (\d+) or more \|", halves.DECIDING),
]


@pytest.mark.parametrize(("page", "words", "value"), NUMBERS)
def test_a_number_in_the_text_is_that_of_the_code(page: str, words: str, value: float) -> None:
    match = re.search(words.replace(" ", r"\s+"), PAGES[page])
    assert match, words
    assert float(match[1]) == pytest.approx(value)


def test_the_values_of_training_in_the_text_are_the_defaults() -> None:
    text = pages.section("docs/training.md", "## How the model is trained")
    text += pages.section("docs/training.md", "## The base model is a candidate")
    named = re.findall(r"`(\w+): ([\d.]+|null)`", text)
    assert len(named) >= 4
    assert {name: yaml.safe_load(value) for name, value in named} == {
        name: defaults("train")[name] for name, _ in named
    }


def test_the_sample_is_as_large_as_the_pages_say() -> None:
    written = (ROOT / "data/sample/recorded_styled.jsonl").read_text(encoding="utf-8").splitlines()
    passages = {(row["source"], row["section"]) for row in map(json.loads, written)}
    lock = yaml.safe_load((ROOT / "data/sample/dvc.lock").read_text(encoding="utf-8"))
    files = next(out["nfiles"] for out in lock["stages"]["sample"]["outs"] if out["path"] == "data/sample/docs")
    for page in (README, "docs/index.md"):
        text = " ".join(PAGES[page].split())
        assert f"{files} AWS services" in text
        assert f"{len(written):,} search queries that Claude wrote for {len(passages)} of" in text
    assert f"{len(written):,} queries in the style of twelve" in PAGES["docs/results.md"]


def test_what_queries_cost_follows_from_the_tokens_and_the_prices() -> None:
    table = rows(pages.section("docs/writing-queries.md", "## Cost").partition("\n| ")[2].partition("\n\n")[0])
    config = messages("claude")
    price = config["prices"][config["model"]]
    for _, tokens_in, tokens_out, single, batches in table:
        amounts = [int(number.replace(",", "")) for number in (tokens_in, tokens_out)]
        dollars = (amounts[0] * price["input"] + amounts[1] * price["output"]) / 1e6
        assert [single, batches] == [f"${dollars:.2f}", f"${dollars * (1 - config['batch_discount']):.2f}"]
    assert f"about {table[1][3]} per 1,000 passages" in PAGES[README]
    assert config["prices_date"] in PAGES["docs/writing-queries.md"]


# Settings


def test_the_page_of_settings_is_what_the_classes_say_now() -> None:
    assert settings_page.page() == PAGES["docs/settings.md"], "run `python -m scripts.settings_page`"


def test_the_page_of_settings_has_every_key() -> None:
    sections = dict(
        zip(
            re.findall(r"^## (.*)", PAGES["docs/settings.md"], flags=re.MULTILINE),
            PAGES["docs/settings.md"].split("\n## ")[1:],
            strict=True,
        )
    )
    for stage in STAGES:
        for key in (key for key in known_keys() if key.startswith(f"{stage}.")):
            below = key.removeprefix(f"{stage}.")
            assert f"| `{below}" in sections[stage] or below.startswith(("model.", "generator.", "mining.")), key


def test_a_comment_above_a_field_and_one_beside_it_are_its_meaning() -> None:
    @dataclasses.dataclass
    class Example:
        # Above
        # the field.
        both: int = 1  # beside
        beside: list[str] = any_words()  # noqa: RUF009 (it is a dataclasses.field): a list
        neither: int = 2

    assert settings_page.comments(Example) == {"both": "Above the field: beside", "beside": "a list", "neither": ""}


# Places and links


@pytest.mark.parametrize("page", [README, "docs/architecture.md"])
def test_every_place_that_a_tree_names_is_there(page: str) -> None:
    (tree,) = [block for block in pages.blocks("text", page) if "dvc.yaml" in block.text and not block.title]
    for line in tree.text.splitlines():
        match = re.match(r"([\w./<>*-]+) {2,}\S", line)
        assert match, line
        if (name := match[1]) != ".fieldtune/":
            assert list(Path(ROOT).glob(re.sub(r"<\w+>", "*", name).rstrip("/"))), name


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return {slugify(heading.replace("`", ""), "-") for heading in re.findall(r"^#+ (.*)", prose, flags=re.MULTILINE)}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_link_inside_the_repository_leads_to_a_heading_that_is_there(page: str) -> None:
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.is_file(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """With the checks of mkdocs.yml: each page is in the navigation, each link and anchor is there."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/settings/index.html").is_file()
    for file in (tmp_path / "site").rglob("*.html"):  # nothing is loaded from another host
        loaded = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', file.read_text(encoding="utf-8")
        )
        assert [url for url in loaded if "canonical" not in url] == [], file.name


def test_a_link_to_nowhere_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# One\n\n[a](index.md#two)\n", encoding="utf-8")
    config = re.sub(r"^nav:.*", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "two" in done.stderr

"""The registry of providers: the one place that a new one is added to, and the only one that knows their names."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.corpus.providers import TRAITS, Traits, traits
from fieldtune.runtime import paths
from stages.generate.provider import Provider
from stages.generate.registry import PROVIDERS
from tests.generate.workspace import environment, passages
from tests.imports import ROOT, modules

# The same words, elsewhere: a key of params.yaml, a count of training pairs, what DVC calls a file system.
OTHER_MEANINGS = {
    ("fieldtune/commands/use.py", "pairs"),
    ("stages/dataset/pairs.py", "pairs"),
    ("fieldtune/commands/version_control.py", "local"),
}
TITLES = """
from fieldtune.corpus.providers import TRAITS, Traits

TRAITS["titles"] = Traits(offline=True)

from stages.generate.provider import Provider, Query
from stages.generate.registry import PROVIDERS


class Titles(Provider):
    name = "titles"

    @classmethod
    def configured(cls, config):
        return cls()

    def queries(self, passages):
        queries = [Query(passage["id"], passage["title"], "keyword", self.name) for passage in passages]
        return queries, {self.name: len(queries)}


PROVIDERS[Titles.name] = Titles

from fieldtune.commands.estimate import estimate
from stages.compose.__main__ import work as compose
from stages.generate.__main__ import work

compose()
print(work())
print(estimate("titles"))
"""


def test_every_provider_has_one_class_and_its_traits() -> None:
    assert set(PROVIDERS) == set(TRAITS)
    assert all(issubclass(provider, Provider) and provider.name == name for name, provider in PROVIDERS.items())
    assert traits("real") == Traits()


def test_a_new_provider_is_a_class_with_its_traits_and_a_file_of_conf_generator(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    files.write_text(tmp_path / "conf/generator/titles.yaml", "defaults: [_base, _self_]\nproviders: [titles]\n")
    files.write_text(
        tmp_path / "params.yaml",
        "documents: docs\nqueries: none.jsonl\npairs: none.jsonl\nmodel: minilm\nmodel_path: none.jsonl\n"
        "pin: none.jsonl\nrivals: none.jsonl\nstyle: none.jsonl\ngenerator: titles\n",
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / ".dvc").mkdir()
    files.write_text(tmp_path / "none.jsonl", "")
    files.write_jsonl(tmp_path / paths.PASSAGES, passages(range(2)))
    ran = subprocess.run(
        [sys.executable, "-c", TITLES], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert ran.stdout == "2 queries for 2 of 2 passages\ntitles: free\n", ran.stderr
    assert [(row["query"], row["provider"]) for row in files.read_jsonl(tmp_path / paths.QUERIES)] == [
        ("Doc Part 0", "titles"),
        ("Doc Part 1", "titles"),
    ]


def test_who_looks_at_a_provider_asks_for_its_traits_and_not_for_its_name() -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), node.value)
        for path in modules("stages/dataset", "stages/train", "fieldtune/commands")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TRAITS
    }
    assert named <= OTHER_MEANINGS


def test_the_official_clients_are_loaded_only_by_a_run_that_asks() -> None:
    program = "import sys, stages.generate.registry; print({'anthropic', 'openai', 'httpx2'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"

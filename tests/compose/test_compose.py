"""The settings that params.yaml and conf/ give, and the message for each mistake in them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fieldtune.runtime.errors import UserError
from stages.compose.__main__ import work
from stages.compose.compose import compose, stage_yaml
from stages.compose.schema import STAGES

ROOT = Path(__file__).parents[2]
PARAMS = """\
documents: own/docs
queries: own/real.csv
pairs: data/none.jsonl
model: minilm
model_path: data/none.jsonl
pin: data/none.jsonl
style: data/none.jsonl
rivals: data/none.jsonl
generator: recorded
experiment: null

train:
  epochs: 3
  batch_size: 64
"""
BGE = "Represent this sentence for searching relevant passages: "
WEB_SEARCH = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
MODELS = {  # query prompt, passage prompt, maximum length, dimension, as the models' cards have them
    "minilm": ("", "", 256, 384),
    "bge_small": (BGE, "", 512, 384),
    "bge_base": (BGE, "", 512, 768),
    "e5_large": ("query: ", "passage: ", 512, 1024),
    "e5_multilingual": ("query: ", "passage: ", 512, 768),
    "bge_m3": ("", "", 8192, 1024),
    "arctic_xs": (BGE, "", 512, 384),
    "arctic_s": (BGE, "", 512, 384),
    "arctic_m": (BGE, "", 512, 768),
    "leaf_ir": (BGE, "", 512, 768),
    "gte_modernbert": ("", "", 8192, 768),
    "e5_multilingual_small": ("query: ", "passage: ", 512, 384),
    "qwen3": (WEB_SEARCH, "", 8192, 1024),
    "embeddinggemma": ("task: search result | query: ", "title: none | text: ", 2048, 768),
    "path": (None, None, None, None),  # the folder's own
}
MODEL_FILES = ", ".join(sorted(MODELS))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository's conf/ and a params.yaml of the test's own, as the working directory."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "own/docs").mkdir(parents=True)
    (tmp_path / "own/real.csv").touch()
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data/none.jsonl", tmp_path / "data")
    (tmp_path / ".dvc").mkdir()  # the stage's lock lies beside DVC's cache
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(file: str, old: str, new: str) -> None:
    """Replace `old` in a file of the project, or write the file if there is none."""
    path = Path(file)
    path.parent.mkdir(exist_ok=True)
    if path.is_file():
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
    else:
        path.write_text(new)


def composed() -> str:
    config = compose(Path("params.yaml"), Path("conf"))
    return "".join(f"--- {stage}\n{stage_yaml(config, stage)}" for stage in STAGES)


MISTAKES = {
    "unknown key": (
        *("params.yaml", "model: minilm", "model: minilm\nlearning_rate: 1"),
        "params.yaml: unknown key learning_rate; did you mean train.learning_rate?",
    ),
    "unknown key below": (
        *("params.yaml", "epochs:", "epoch:"),
        "params.yaml: unknown key train.epoch; did you mean train.epochs?",
    ),
    "an unknown key like none": (
        *("params.yaml", "epochs:", "foo:"),
        "params.yaml: unknown key train.foo; available in train: launcher, epochs, rounds, learning_rate, ",
    ),
    "an unknown stage": (
        "params.yaml",
        "train:",
        "foo: 1\ntrain:",
        "params.yaml: unknown key foo; available: doc",
    ),
    "a name of other tools": (
        *("params.yaml", "epochs:", "lr:"),
        "params.yaml: unknown key train.lr; did you mean train.learning_rate?",
    ),
    "a name of other tools, of what all stages share": (
        *("params.yaml", "epochs:", "fp16:"),
        "params.yaml: unknown key train.fp16; did you mean train.precision?",
    ),
    "a name of other tools at another stage": (
        *("params.yaml", "train:", "export: {batch: 3}\ntrain:"),
        "params.yaml: unknown key export.batch; did you mean export.batch_size?",
    ),
    "a name of other tools, alone": (
        *("params.yaml", "train:", "chunk_size: 3\ntrain:"),
        "params.yaml: unknown key chunk_size; did you mean ingest.max_tokens?",
    ),
    "wrong type": (
        "params.yaml",
        "epochs: 3",
        "epochs: one",
        "params.yaml: train.epochs is 'one': it must be a number",
    ),
    "a fraction": (
        *("params.yaml", "batch_size: 64", "batch_size: 6.5"),
        "params.yaml: train.batch_size is 6.5: it must be a whole number",
    ),
    "a list for a number": (
        *("params.yaml", "epochs: 3", "epochs: [3]"),
        "params.yaml: train.epochs is [3]: it must be a number",
    ),
    "a number for a list": (
        *("params.yaml", "epochs: 3", "matryoshka: 256"),
        "params.yaml: train.matryoshka is 256: it must be a list, such as [256]",
    ),
    "a word for a switch": (
        *("params.yaml", "epochs: 3", "symmetric: maybe"),
        "params.yaml: train.symmetric is 'maybe': it must be true or false",
    ),
    "null for a place": (
        "params.yaml",
        "pin: data/none.jsonl",
        "pin: null",
        "params.yaml: no value for pin: if",
    ),
    "nothing for a place": (
        "params.yaml",
        "queries: own/real.csv",
        "queries:",
        "params.yaml: no value for queries: if",
    ),
    "blanks for a place": (
        "params.yaml",
        "style: data/none.jsonl",
        "style: ' '",
        "params.yaml: no value for style: if",
    ),
    "a number for a place": ("params.yaml", "own/docs", "2024", "params.yaml: documents is 2024: it must be text"),
    "a fraction for a place": ("params.yaml", "own/real.csv", "1.5", "params.yaml: queries is 1.5: it must be text"),
    "true for a place": (
        *("params.yaml", "model_path: data/none.jsonl", "model_path: true"),
        "params.yaml: model_path is true: it must be text",
    ),
    "a mapping for a place": ("params.yaml", "own/docs", "{a: b}", "params.yaml: documents"),
    "a quoted list": (
        *("params.yaml", "epochs: 3", 'matryoshka: "[16, 8]"'),
        "params.yaml: train.matryoshka is '[16, 8]': it must be a list without quotes: [16, 8]",
    ),
    "a list without brackets": (
        *("params.yaml", "epochs: 3", "matryoshka: 16, 8"),
        "params.yaml: train.matryoshka is '16, 8': it must be a list without quotes: [16, 8]",
    ),
    "a word for a list of numbers": (
        *("params.yaml", "epochs: 3", "matryoshka: all"),
        "params.yaml: train.matryoshka is 'all': it must be a list of whole numbers",
    ),
    "a fraction for a list of whole numbers": (
        *("params.yaml", "epochs: 3", "matryoshka: 0.5"),
        "params.yaml: train.matryoshka is 0.5: it must be a list of whole numbers",
    ),
    "a word for a list of words": (
        *("params.yaml", "train:", "ingest: {exclude: '*.txt'}\ntrain:"),
        "params.yaml: ingest.exclude is '*.txt': it must be a list",
    ),
    "a list for a word": ("params.yaml", "own/docs", "[a]", "params.yaml: documents is ['a']: it must be text"),
    "no place": (
        "params.yaml",
        "pin: data/none.jsonl",
        "pin:",
        "params.yaml: no value for pin: if you have none, write data/",
    ),
    "a place that is missing": (
        *("params.yaml", "pairs: data/none.jsonl\n", ""),
        "params.yaml: no value for pairs: if you have none, write data/none.jsonl",
    ),
    "a value for a section": (
        *("params.yaml", "train:", "embed: 3\ntrain:"),
        "params.yaml: embed must be a mapping with the keys model, launcher, precision, batch_size",
    ),
    "nothing for a value": (
        "params.yaml",
        "batch_size: 64",
        "batch_size:",
        "params.yaml: no value for train.batch_size",
    ),
    "out of range": (
        *("params.yaml", "epochs: 3", "epochs: 0"),
        "params.yaml: train.epochs is 0.0: it must lie between 0.01 and 100",
    ),
    "no number": ("params.yaml", "epochs: 3", "epochs: .nan", "params.yaml: train.epochs is nan: it must lie between"),
    "no such word": (
        *("params.yaml", "train:", "precision: fp16\ntrain:"),
        "params.yaml: precision is 'fp16': it must be one of auto, bf16, fp32",
    ),
    "no such word in a list": (
        *("conf/generator/recorded.yaml", "[recorded]", "[invented]"),
        "conf/generator/recorded.yaml: generator.providers is ['invented']: it must list one or more of recorded, "
        "recorded_styled, pairs",
    ),
    "an empty list": (
        *("params.yaml", "train:", "ingest: {include: []}\ntrain:"),
        "params.yaml: ingest.include is []: it must list at least one word",
    ),
    "keys for a word in a list": (
        *("params.yaml", "train:", "ingest: {include: [{a: b}]}\ntrain:"),
        "params.yaml: ingest.include",
    ),
    "two values at odds": (
        *("params.yaml", "epochs: 3", "negatives: 9"),
        "params.yaml: train.negatives is 9: it must not be above dataset.negatives.count, 4",
    ),
    "patience that ends nothing": (
        *("params.yaml", "epochs: 3", "evaluations: 3\n  patience: 2"),
        "params.yaml: train.patience is 2: with train.evaluations 3 no run would end early",
    ),
    "rounds that mine nothing": (
        *(
            "params.yaml",
            "train:\n  epochs: 3",
            "dataset: {negatives: {count: 0}}\ntrain:\n  negatives: 0\n  rounds: 2",
        ),
        "params.yaml: train.rounds is 2: each round after the first mines negatives, and dataset.negatives.count is 0",
    ),
    "a number in a list out of range": (
        *("params.yaml", "epochs: 3", "matryoshka: [256, 4]"),
        "params.yaml: train.matryoshka is [256, 4]: each must lie between 8 and 16384",
    ),
    "missing value": ("params.yaml", "documents: own/docs\n", "", "params.yaml: no value for documents"),
    "missing value in conf": ("conf/config.yaml", "  draws: 10000\n", "", "params.yaml: no value for evaluate.draws"),
    "missing value in a choice": (
        *("conf/model/minilm.yaml", "max_tokens: 256\n", ""),
        "conf/model/minilm.yaml: no value for model.max_tokens",
    ),
    "no choice": (
        *("params.yaml", "model: minilm\n", ""),
        f"params.yaml: model: choose a file in conf/model/; available: {MODEL_FILES}",
    ),
    "choice without a file": (
        *("params.yaml", "minilm", "minilmm"),
        f"params.yaml: model: 'minilmm' is not a file in conf/model/; available: {MODEL_FILES}",
    ),
    "preset without a file": (
        *("params.yaml", "experiment: null", "experiment: fast"),
        "params.yaml: experiment: 'fast' is not a file in conf/experiment/; available: data_curve, few_passages, "
        "quick, sweep, two_rounds",
    ),
    "broken YAML": ("params.yaml", "epochs: 3", "epochs: [3", "params.yaml, line 14: not valid YAML: "),
    "broken YAML in conf": ("conf/config.yaml", "rounds: 1", "rounds: [1", "conf/config.yaml, line "),
    "no keys": ("params.yaml", PARAMS, "- a list", "params.yaml must be a mapping of keys to values"),
    "a reference to nothing": (
        *("params.yaml", "epochs: 3", "epochs: ${train.epoch}"),
        "params.yaml: train.epochs: Interpolation key 'train.epoch' not found",
    ),
    "a place that DVC cannot resolve": (
        *("params.yaml", "own/docs", "${oc.env:HOME}/docs"),
        "params.yaml: documents must be a plain path",
    ),
    "a stage with documents of its own": (
        *("params.yaml", "train:", "ingest: {documents: elsewhere}\ntrain:"),
        "params.yaml: ingest.documents may not be set, since all stages share it; set `documents:` instead",
    ),
    "a stage with a model of its own": (
        *("params.yaml", "  epochs: 3", "  model: {max_tokens: 128}"),
        "params.yaml: train.model.max_tokens may not be set, since all stages share it; edit conf/model/minilm.yaml, "
        "or set `model:` to another file there",
    ),
    "a value that a generator's file takes in from another": (
        *("conf/generator/_base.yaml", "words: 5", "words: 50"),
        "conf/generator/_base.yaml: generator.words is 50: it must lie between 1 and 12",
    ),
    "a file that others take in": (
        *("params.yaml", "generator: recorded", "generator: _messages"),
        "params.yaml: generator: '_messages' is not a file in conf/generator/; available: claude, claude_batch, ",
    ),
    "a stage with a generator's settings": (
        *("params.yaml", "train:", "generate: {generator: {messages: {budget_usd: 20}}}\ntrain:"),
        "params.yaml: generate.generator.messages.budget_usd may not be set, since all stages share it; edit "
        "conf/generator/recorded.yaml, or set `generator:` to another file there",
    ),
    "settings for a generator's name": (  # as `dvc exp run -S +generator.words=3` writes them
        *("params.yaml", "generator: recorded", "generator: {words: 3, messages: {budget_usd: 20}}"),
        "params.yaml: generator.words, generator.messages.budget_usd may not be set here: `generator:` names a file in "
        "conf/generator/; edit its values there, in conf/generator/<name>.yaml; available: claude, ",
    ),
    "a default without a file": (
        *("conf/config.yaml", "  - schema\n", "  - schema\n  - other\n"),
        "conf/config.yaml: In 'config': Could not load 'other'",
    ),
    "unknown key in conf": (
        *("conf/config.yaml", "  epochs:", "  epoch:"),
        "conf/config.yaml: unknown key train.epoch; did you mean train.epochs?",
    ),
    "unknown key in a choice": (
        *("conf/model/minilm.yaml", "license:", "licence:"),
        "conf/model/minilm.yaml: unknown key model.licence; did you mean model.license?",
    ),
    "wrong type in a choice": (
        *("conf/model/minilm.yaml", "max_tokens: 256", "max_tokens: lots"),
        "conf/model/minilm.yaml: model.max_tokens is 'lots': it must be a whole number",
    ),
    "out of range in a choice": (
        *("conf/model/minilm.yaml", "max_tokens: 256", "max_tokens: 2"),
        "conf/model/minilm.yaml: model.max_tokens is 2: it must lie between 8 and 32768",
    ),
    "a branch as a revision": (
        *("conf/model/minilm.yaml", "max_tokens: 256", "max_tokens: 256\nrevision: main"),
        "conf/model/minilm.yaml: model.revision is 'main': it must be a commit, 40 hexadecimal digits",
    ),
}
PRESET_MISTAKES = {
    "documents": ("documents: other", "a preset may not set documents: set it in params.yaml"),
    "queries": ("queries: other", "a preset may not set queries: set it in params.yaml"),
    "model_path": ("model_path: other", "a preset may not set model_path: set it in params.yaml"),
    "pin": ("pin: other", "a preset may not set pin: set it in params.yaml"),
    "documents of a stage": ("ingest: {documents: other}", "ingest.documents may not be set"),
    "another preset": ("experiment: few_passages", "a preset may not set experiment"),
    "unknown key": ("train: {epoch: 1}", "unknown key train.epoch; did you mean train.epochs?"),
    "out of range": ("train: {epochs: 0}", "train.epochs is 0.0: it must lie between 0.01 and 100"),
    "choice without a file": ("model: none", f"model: 'none' is not a file in conf/model/; available: {MODEL_FILES}"),
}


@pytest.mark.parametrize(("file", "old", "new", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence_with_file_and_key(
    project: Path, file: str, old: str, new: str, message: str
) -> None:
    edit(file, old, new)
    with pytest.raises(UserError) as error:
        composed()
    sentence = str(error.value)
    assert sentence.startswith(message)
    assert "\n" not in sentence
    assert str(project) not in sentence


@pytest.mark.parametrize(("preset", "message"), PRESET_MISTAKES.values(), ids=PRESET_MISTAKES.keys())
def test_a_mistake_in_a_preset_names_the_preset(project: Path, preset: str, message: str) -> None:
    edit("params.yaml", "experiment: null", "experiment: mine")
    edit("conf/experiment/mine.yaml", "", preset)
    with pytest.raises(UserError) as error:
        composed()
    assert str(error.value).startswith(f"conf/experiment/mine.yaml: {message}")


def test_all_values_out_of_range_are_reported_together(project: Path) -> None:
    edit("params.yaml", "epochs: 3\n  batch_size: 64", "epochs: 0\n  batch_size: 1")
    with pytest.raises(UserError, match=r"train\.epochs is 0\.0.*\n.*train\.batch_size is 1: "):
        composed()


@pytest.mark.parametrize(
    "file", sorted((ROOT / "conf").glob("*/[!_]*.yaml")), ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_every_choice_composes_and_changes_something(project: Path, file: Path) -> None:
    key, choice = file.parent.name, file.stem
    chosen = {"model": "minilm", "generator": "recorded", "experiment": "null"}[key]
    before = composed()
    edit("params.yaml", f"{key}: {chosen}", f"{key}: {choice}")
    assert (composed() == before) == (choice == chosen)


def test_every_model_has_the_prompts_length_and_dimension_of_its_card(project: Path) -> None:
    cards = {}
    for choice in sorted(path.stem for path in Path("conf/model").glob("*.yaml")):
        Path("params.yaml").write_text(PARAMS.replace("minilm", choice))
        model = compose(Path("params.yaml"), Path("conf")).model
        cards[choice] = (model.query_prompt, model.passage_prompt, model.max_tokens, model.dimension)
    assert cards == MODELS


def test_a_preset_is_stronger_than_params_and_params_than_conf(project: Path) -> None:
    edit("conf/config.yaml", "warmup: 0.1", "warmup: 0.2")
    edit("params.yaml", "epochs: 3", "epochs: 4")
    edit("params.yaml", "experiment: null", "experiment: mine")
    edit("conf/experiment/mine.yaml", "", "train: {batch_size: 32}\nmodel: bge_small")
    train = compose(Path("params.yaml"), Path("conf")).train
    assert (train.warmup, train.epochs, train.batch_size) == (0.2, 4.0, 32)
    assert train.model.name == "BAAI/bge-small-en-v1.5"


@pytest.mark.parametrize("written", ["5e-05", "5e-5", "0.00005", "5.0e-5"])
def test_a_learning_rate_is_a_number_however_it_is_written(project: Path, written: str) -> None:
    edit("params.yaml", "epochs: 3", f"learning_rate: {written}")
    assert compose(Path("params.yaml"), Path("conf")).train.learning_rate == 5e-5


def test_values_may_refer_to_one_another(project: Path) -> None:
    edit("params.yaml", "epochs: 3", "dev_corpus: ${train.batch_size}")
    edit("params.yaml", "train:", "precision: fp32\nevaluate: {precision: bf16}\ntrain:")
    config = compose(Path("params.yaml"), Path("conf"))
    assert config.train.dev_corpus == 64
    assert (config.embed.precision, config.train.precision, config.evaluate.precision) == ("fp32", "fp32", "bf16")
    assert config.ingest.documents == "own/docs"
    assert (config.real.queries, config.generate.pairs) == ("own/real.csv", "data/none.jsonl")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


def configs() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("data/config").iterdir()}


def test_the_stage_writes_a_config_for_each_stage_and_leaves_all_as_they_were_after_a_mistake(project: Path) -> None:
    assert run("-m", "stages.compose").returncode == 0
    before = configs()
    assert set(before) == {f"{stage}.yaml" for stage in (*STAGES, "hub")}
    edit("params.yaml", "batch_size: 64", "batch_size: 32\n  epoch: 1")
    failed = run("-m", "stages.compose")
    assert failed.returncode == 1
    assert failed.stdout == "✗ compose  params.yaml: unknown key train.epoch; did you mean train.epochs?\n"
    assert failed.stderr == ""
    assert configs() == before
    # Otherwise the last line would prove nothing.
    edit("params.yaml", "\n  epoch: 1", "")
    assert run("-m", "stages.compose").returncode == 0
    assert [name for name in before if configs()[name] != before[name]] == ["train.yaml"]


def test_a_missing_model_is_found_before_any_work(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(project / "empty"))
    edit("params.yaml", "model: minilm", "model: e5_large")
    failed = run("-m", "stages.compose")
    assert failed.returncode == 1
    assert failed.stdout.startswith("✗ compose  the base model, intfloat/e5-large-v2, is not in ")
    assert [line[:4] for line in failed.stdout.splitlines()[1:]] == ["  1.", "  2.", "  3."]
    assert not Path("data/config").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "own/docs",
            "nosuch",
            "params.yaml: documents: nosuch not found; set it to a folder, or run `fieldtune use <folder>`",
        ),
        ("own/docs", "data", "params.yaml: documents: data cannot be used: the pipeline writes data/"),
        ("own/docs", ".", "params.yaml: documents: . cannot be used: the pipeline writes data/"),
        (
            "own/docs",
            "~/docs",
            "params.yaml: documents: ~/docs not found; `~` does not stand for your home folder here",
        ),
        ("own/docs", "own\\docs", "params.yaml: documents: own\\docs not found; write it with slashes: own/docs"),
        ("own/docs", "no\\docs", "params.yaml: documents: no\\docs not found; set it to a folder, or run"),
        ("own/real.csv", "no.csv", "params.yaml: queries: no.csv not found; if you have none, write data/none.jsonl"),
        (
            "pairs: data/none.jsonl",
            "pairs: no.csv",
            "params.yaml: pairs: no.csv not found; if you have none, write data/none.jsonl",
        ),
        (
            "model_path: data/none.jsonl",
            "model_path: nosuch",
            "params.yaml: model_path: nosuch not found; set it to the folder of",
        ),
        (
            "pin: data/none.jsonl",
            "pin: nosuch",
            "params.yaml: pin: nosuch is not a model folder; to pin nothing, set `pin: data/none",
        ),
        (
            "pin: data/none.jsonl",
            "pin: docs",
            "params.yaml: pin: docs is not a model folder; to pin nothing, set `pin: data/none",
        ),
        ("train:", "launcher: no.yaml\ntrain:", "launcher: no.yaml not found: write it with `accelerate config"),
        ("epochs: 3", "launcher: no.yaml", "launcher: no.yaml not found: write it with `accelerate config"),
        ("rivals: data/none.jsonl", "rivals: nosuch", "params.yaml: rivals: nosuch not found; if you have none, write"),
        (
            "rivals: data/none.jsonl",
            "rivals: docs",
            "params.yaml: rivals: docs must be a folder with a file",
        ),
        ("train:", "evaluate: {reranker: docs}\ntrain:", "evaluate.reranker: docs is not a model folder; it must"),
        ("epochs: 3", "matryoshka: [256, 384]", "train.matryoshka: [384] are not below the model's own dimension, 384"),
    ],
)
def test_what_is_named_and_not_there_is_found_before_any_work(project: Path, old: str, new: str, message: str) -> None:
    model_folders()
    shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
    edit("params.yaml", old, new)
    with pytest.raises(UserError) as error:
        work()
    assert str(error.value).startswith(message)
    assert not Path("data/config").exists()


def model_folders() -> None:
    """Beside documents without a model: what looks like a model, and what like a launcher."""
    for file in ("docs/page.md", "own/modules.json", "cross/config.json", "two.yaml"):
        edit(file, "", "")


def test_a_model_that_is_not_in_the_hub_cache_keeps_its_prompts_by_path_in_its_own_file(project: Path) -> None:
    model_folders()
    edit("params.yaml", "model: minilm", "model: bge_small")
    edit("conf/model/bge_small.yaml", "path: null", "path: own")
    assert work().startswith("12 stages configured")
    embed = Path("data/config/embed.yaml").read_text()
    assert "path: own\n" in embed
    assert f"query_prompt: '{BGE}'\n" in embed


def test_what_is_named_and_there_is_taken(project: Path) -> None:
    model_folders()
    edit("params.yaml", "pin: data/none.jsonl", "pin: own")
    edit("params.yaml", "epochs: 3", "matryoshka: [500]")  # left from another model: what is pinned is not trained
    edit("params.yaml", "train:", "launcher: two.yaml\nevaluate: {reranker: cross}\ntrain:")
    assert work().startswith("12 stages configured")


def test_a_place_that_dvc_brings_or_a_stage_makes_may_not_be_there_yet(project: Path) -> None:
    edit("params.yaml", "own/docs", "pulled/docs")
    edit("params.yaml", "own/real.csv", "made/real.csv")
    edit("pulled/docs.dvc", "", "")
    edit("made/dvc.yaml", "", "")
    assert work().startswith("12 stages configured")


@pytest.mark.parametrize(
    ("preset", "overruled"),
    [
        ("train: {epochs: 2, batch_size: 64, warmup: 0.2}", "train.epochs 2 instead of 3"),
        ("{train: {learning_rate: 7.0e-5}, generator: keyphrases}", "generator keyphrases instead of recorded"),
        ("{train: {epochs: 3.0}, model: minilm}", None),
    ],
)
def test_what_a_preset_overrules_is_reported(project: Path, preset: str, overruled: str | None) -> None:
    edit("params.yaml", "experiment: null", "experiment: mine")
    edit("conf/experiment/mine.yaml", "", preset)
    end = f"; the preset overrides params.yaml: {overruled}" if overruled else ""
    assert work() == f"12 stages configured; base model sentence-transformers/all-MiniLM-L6-v2{end}"


def test_compose_imports_nothing_heavy(project: Path) -> None:
    """A mistake must be said within two seconds, `dvc` included; so no library of a later stage is loaded."""
    heavy = ["torch", "transformers", "sentence_transformers", "tokenizers", "sklearn", "datasets", "numpy"]
    program = "import sys; from stages.compose.__main__ import work; work(); print(*sys.modules)"
    loaded = run("-c", program).stdout.split()
    assert "hydra" in loaded
    assert not set(heavy) & set(loaded)


PLACED = {
    "the test queries": ("queries: own/real.csv", "queries: own/docs/real.csv", "own/docs/real.csv lies among"),
    "pairs": ("pairs: data/none.jsonl", "pairs: own/docs/more/pairs.jsonl", "more/pairs.jsonl lies among"),
    "a style": ("style: data/none.jsonl", "style: own/docs/style.yaml", "style: own/docs/style.yaml lies among"),
    "a model": ("model_path: data/none.jsonl", "model_path: own/docs/model", "model_path: own/docs/model lies among"),
    "a pinned model": ("pin: data/none.jsonl", "pin: own/docs/model", "pin: own/docs/model lies among"),
    "a link to the queries": ("queries: own/real.csv", "queries: own/docs/link.csv", "own/docs/link.csv lies among"),
    "an output as documents": ("documents: own/docs", "documents: data/config", "data/config cannot be used"),
    "documents in an output": ("own/docs", "data/passages/mine", "mine cannot be used: the pipeline writes"),
    "documents around outputs": ("documents: own/docs", "documents: data", "data cannot be used: the pipeline"),
    "a link to an output": ("documents: own/docs", "documents: linked", "linked cannot be used: the pipeline"),
    "generated queries as real ones": (
        "queries: own/real.csv", "queries: data/queries/queries.jsonl", "data/queries/queries.jsonl cannot be used",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACED)
def test_no_place_lies_in_another_or_in_an_output(project: Path, case: str) -> None:
    old, new, words = PLACED[case]
    shutil.copy(ROOT / "dvc.yaml", project)
    for folder in ("own/docs/model", "own/docs/more", "data/config", "data/passages/mine", "data/queries"):
        Path(folder).mkdir(parents=True)
    for file in ("own/docs/real.csv", "own/docs/more/pairs.jsonl", "own/docs/style.yaml", "own/docs/model/config.json"):
        Path(file).touch()
    Path("data/queries/queries.jsonl").touch()
    Path("own/docs/link.csv").symlink_to(Path("own/real.csv").resolve())
    Path("linked").symlink_to("data/passages")
    edit("params.yaml", old, new)
    with pytest.raises(UserError, match=f"^params.yaml: .*{re.escape(words)}"):
        work()


def test_a_set_laid_out_as_beir_has_its_queries_inside(project: Path) -> None:
    for file in ("own/docs/corpus.jsonl", "own/docs/queries.jsonl", "own/docs/qrels/test.tsv"):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).touch()
    edit("params.yaml", "own/real.csv", "own/docs/queries.jsonl")
    assert "configured" in work()


def test_a_committed_file_that_is_missing_is_brought_back_by_git(project: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run(["git", "add", "own/real.csv"], check=True)
    Path("own/real.csv").unlink()
    with pytest.raises(UserError, match=r"queries: own/real.csv not found; .*: git checkout -- own/real.csv$"):
        work()
    Path("own/real.csv").touch()
    Path("data/none.jsonl").unlink()
    with pytest.raises(UserError, match=r"data/none.jsonl not found; .*: git checkout -- data/none.jsonl$"):
        work()


def test_in_a_copy_the_message_says_what_is_not_copied(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = project / ".dvc/tmp/exps/tmpabc"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".dvc"))
    monkeypatch.chdir(copy)
    edit("params.yaml", "documents: own/docs", "documents: newdocs")
    with pytest.raises(UserError, match=r"newdocs not found; .*\n  This experiment runs in a copy .* `fieldtune use`"):
        work()

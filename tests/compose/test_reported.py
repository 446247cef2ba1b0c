"""Forms of params.yaml that people wrote: what each is read as, or the sentence that it is refused with."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fieldtune.runtime.errors import UserError
from stages.compose.compose import compose
from tests.compose.test_compose import PARAMS, ROOT

TAKEN: dict[str, tuple[str, str, str, Any]] = {  # what is replaced, by what, a key, its value
    "a byte order mark": ("documents: own/docs", "\ufeffdocuments: own/docs", "documents", "own/docs"),
    "the line ends of Windows": ("\n", "\r\n", "train.epochs", 3.0),
    "an anchor": ("batch_size: 64\n", "batch_size: &b 8\nembed:\n  batch_size: *b\n", "embed.batch_size", 8),
    "an absolute path": ("own/docs", "/srv/own/docs", "documents", "/srv/own/docs"),
    "a hash in a path": ("own/docs", "own/docs#1", "documents", "own/docs#1"),
    "a point before a path": ("own/docs", "./own/docs", "documents", "./own/docs"),
    "two points inside": ("own/docs", "own/../own/docs", "documents", "own/../own/docs"),
    "a slash behind a path": ("own/docs", "own/docs/", "documents", "own/docs/"),
    "no preset": ("experiment: null", "experiment:", "experiment", None),
    "a rate with an exponent": ("epochs: 3", "learning_rate: 3e-3", "train.learning_rate", 0.003),
    "a number with an underscore": ("batch_size: 64", "batch_size: 6_4", "train.batch_size", 64),
    "a number for a switch": ("epochs: 3", "symmetric: 1", "train.symmetric", True),
    "yes for a switch": ("epochs: 3", 'symmetric: "yes"', "train.symmetric", True),
    "a dotted key": ("train:\n", "train.warmup: 0.5\ntrain:\n", "train.warmup", 0.5),
}
REFUSED: dict[str, tuple[str, str, str]] = {
    "a section twice": ("train:\n", "train:\n  epochs: 2\ntrain:\n", "found duplicate key train"),
    "a key twice": ("batch_size: 64", "batch_size: 64\n  batch_size: 16", "found duplicate key batch_size"),
    "a colon in a path": ("own/docs", "own/docs: 2", "line 1: not valid YAML: mapping values"),
    "a tab": ("  epochs: 3", "\tepochs: 3", "line 13: not valid YAML: found character '\\t'"),
    "an empty file": (PARAMS, "", "model: choose a file in conf/model/; available: "),
    "a variable of the environment": ("own/docs", "${oc.env:DOCS}", "documents must be a plain path"),
    "false for a preset": ("experiment: null", "experiment: false", "experiment: choose a file in conf/experiment/"),
    "None for a preset": ("experiment: null", "experiment: None", "experiment: 'None' is not a file in conf/exper"),
    "infinity": ("epochs: 3", "epochs: .inf", "train.epochs is inf: it must lie between 0.01 and 100"),
    "a negative number": ("epochs: 3", "epochs: -1", "train.epochs is -1.0: it must lie between 0.01 and 100"),
    "a decimal comma": ("epochs: 3", "learning_rate: 0,003", "train.learning_rate is '0,003': it must be a number"),
    "a whole number with a point": ("batch_size: 64", "batch_size: 8.0", "train.batch_size is 8.0: it must be"),
    "a fraction in a list": ("epochs: 3", "matryoshka: [16.5]", "train.matryoshka[0] is 16.5: it must be"),
    "a number for a choice": ("model: minilm", "model: 1", "model: 1 is not a file in conf/model/; available: "),
    "bits for a precision": ("train:\n", "precision: 16\ntrain:\n", "precision is '16': it must be one of"),
    "a seed of its own": ("train:\n", "seed: 1\ntrain:\n", "unknown key seed; did you mean "),
    "nothing in a section": ("train:\n  epochs: 3\n  batch_size: 64\n", "train:\n", "train must be a mapping"),
    "no text for a number": ("epochs: 3", 'warmup: ""', "train.warmup is '': it must be a number"),
    "no text for a key of before": ("epochs: 3", 'mask_margin: ""', "unknown key train.mask_margin; available in tra"),
    "a mapping of one's own": ("train:\n", "x: &x\n  rounds: 1\ntrain:\n  <<: *x\n", "unknown key x; available: do"),
    "a key of other tools": ("epochs: 3", "num_train_epochs: 3", "unknown key train.num_train_epochs; did you mean"),
}  # fmt: skip


def written(folder: Path, old: str, new: str) -> Path:
    assert old in PARAMS
    path = folder / "params.yaml"
    path.write_bytes(PARAMS.replace(old, new).encode())
    return path


@pytest.mark.parametrize("case", TAKEN)
def test_it_is_taken(tmp_path: Path, case: str) -> None:
    old, new, key, value = TAKEN[case]
    config = OmegaConf.structured(compose(written(tmp_path, old, new), ROOT / "conf"))
    assert OmegaConf.select(config, key) == value


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    old, new, message = REFUSED[case]
    with pytest.raises(UserError) as error:
        compose(written(tmp_path, old, new), ROOT / "conf")
    assert message in str(error.value).replace(f"{ROOT}/", "")
    assert "\n" not in str(error.value)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.encode("utf-16"))
    with pytest.raises(UserError, match="is not UTF-8 text"):
        compose(path, ROOT / "conf")

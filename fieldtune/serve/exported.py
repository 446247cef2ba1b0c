"""An export folder's files, prompts and limits, without loading its model."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fieldtune.corpus import files
from fieldtune.retrieval import exported_search
from fieldtune.runtime.errors import UserError

Kind = Literal["query", "document"]
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Exported:
    """An export as it lies on disk; nothing is loaded."""

    folder: Path
    home: Path  # the folder with the tokenizer: onnx/, or model/ if nothing was exported to ONNX
    prompts: Mapping[Kind, str]
    max_tokens: int  # longer texts are cut here; includes prompt and special tokens
    padding: int  # token id
    matryoshka: tuple[int, ...]  # sizes that the vectors may be cut to, sorted; empty: only their own
    sha256: Mapping[str, str]  # by path in the folder, as manifest.json has it

    @property
    def tokenizer(self) -> Path:
        return self.home / _TOKENIZER

    def graph(self, precision: str) -> Path:
        """The path of the ONNX file of `int8` or `fp32`, whether or not it exists."""
        return self.folder / "onnx" / {"int8": "model_quantized.onnx", "fp32": "model.onnx"}[precision]

    def weights(self, model: str) -> list[Path]:
        """The files that `int8`, `fp32` or `torch` is loaded from, if they exist; a large graph has several."""
        if model == "torch":
            return sorted(self.torch_model.glob("*.safetensors"))
        graph = self.graph(model)
        return sorted(graph.parent.glob(f"{graph.name}*"))

    def check(self, used: Iterable[Path]) -> None:
        """Raise UserError if one of these files is not the one that the manifest lists."""
        for path in used:
            named = self.sha256.get(path.relative_to(self.folder).as_posix())
            if named and path.is_file() and files.sha256(path) != named:
                raise UserError(f"{path} does not match {self.folder}/manifest.json: run `dvc repro export`")

    @property
    def torch_model(self) -> Path:
        return self.folder / "model"

    @property
    def vectors(self) -> Path:
        return self.folder / "vectors/passages.parquet"

    @property
    def search(self) -> Path:
        """The folder that /v1/search searches in, whether it exists or not."""
        return self.folder / exported_search.FOLDER


def read(folder: Path) -> Exported:
    """Read the small files of an export. Raises UserError if it is not an export."""
    home = next((folder / name for name in ("onnx", "model") if (folder / name / _TOKENIZER).is_file()), None)
    if home is None:
        raise UserError(f"{folder} is not an export: {folder}/onnx/{_TOKENIZER} not found; run `dvc repro export`")
    tokenizer = _json(home / "tokenizer_config.json")
    max_tokens = tokenizer.get("model_max_length")
    if not isinstance(max_tokens, int) or max_tokens > 1_000_000:  # transformers writes 1e30 for no limit
        raise UserError(f"{home}/tokenizer_config.json has no `model_max_length`: run `dvc repro export`")
    prompts = _json(home / "config_sentence_transformers.json").get("prompts") or {}
    config = folder / "model/config.json"
    sizes = _json(config).get("matryoshka_dimensions") or [] if config.is_file() else []
    manifest = folder / "manifest.json"
    return Exported(
        folder=folder,
        home=home,
        prompts={"query": prompts.get("query") or "", "document": prompts.get("document") or ""},
        max_tokens=max_tokens,
        padding=_padding(home / _TOKENIZER, tokenizer.get("pad_token")),
        matryoshka=tuple(sorted(sizes)),
        sha256={name: entry["sha256"] for name, entry in _json(manifest).items()} if manifest.is_file() else {},
    )


def _padding(tokenizer: Path, token: object) -> int:
    """The id of the padding token: it is masked out, so any id will do if the tokenizer has none."""
    from tokenizers import Tokenizer

    name = token.get("content") if isinstance(token, dict) else token
    try:
        token_id = Tokenizer.from_file(str(tokenizer)).token_to_id(name) if isinstance(name, str) else None
    except Exception as error:  # the library raises nothing narrower
        raise UserError(f"{tokenizer} could not be loaded ({error}): run `dvc repro export`") from error
    return token_id or 0


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} could not be read ({error}): run `dvc repro export`") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} is not a JSON object: run `dvc repro export`")
    return values

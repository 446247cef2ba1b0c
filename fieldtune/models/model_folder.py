"""A model's folder by its small files: another kind of model is refused by what it is. No heavy imports."""

import json
from pathlib import Path
from typing import Any

from fieldtune.runtime.errors import UserError

# Any of these is a tokenizer, or most of one.
_TOKENIZERS = (
    "tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "spm.model", "tekken.json",
)  # fmt: skip
_OWN = "sentence_transformers."  # modules of the library itself


def refuse_others(folder: Path) -> None:
    """Raise UserError if a folder holds another kind of model than an embedding model, or only an adapter.

    A file that cannot be read as JSON, or that is missing, is left to whoever loads the model.
    """
    kind = _kind(folder)
    if kind == "CrossEncoder":
        raise UserError(
            f"{folder} is a cross-encoder (a reranker), which gives no vectors: `evaluate.reranker` in params.yaml "
            "takes it; name an embedding model here"
        )
    if kind in ("SparseEncoder", "MultiVectorEncoder"):
        form = (
            "sparse vectors, such as SPLADE's" if kind == "SparseEncoder" else "a vector per token, such as ColBERT's"
        )
        raise UserError(f"{folder} gives {form}: name a model that gives one dense vector per text")
    parts = _parts(folder)
    if adapter := next((part for part in parts if (part / "adapter_config.json").is_file()), None):
        base = _read(adapter / "adapter_config.json").get("base_model_name_or_path") or "its base model"
        raise UserError(
            f"{folder} holds an adapter of {base}, not a whole model: merge it (peft's `merge_and_unload`), save the "
            "whole model, and name its folder"
        )


def refuse_without_tokenizer(folder: Path) -> None:
    """Raise UserError if a transformer's folder has no tokenizer: transformers makes an empty one, without a word."""
    parts = _parts(folder)
    if _transformer(folder) and not any((part / name).is_file() for part in parts for name in _TOKENIZERS):
        raise UserError(f"{folder} has no tokenizer (no tokenizer.json or vocab.txt): copy it from the model's source")


def _parts(folder: Path) -> list[Path]:
    return [folder / str(entry.get("path", "")) for entry in _modules(folder)] or [folder]


def own_code(folder: Path) -> str | None:
    """The code of its own that a model needs, by its files' names; None if it needs none."""
    types = [str(entry.get("type", "")) for entry in _modules(folder)]
    foreign = [name for name in types if name and not name.startswith(_OWN)]
    mapped = _read(folder / "config.json").get("auto_map")
    named = foreign or (list(map(str, mapped.values())) if isinstance(mapped, dict) else [])
    return ", ".join(dict.fromkeys(named)) or None


def assumed_pooling(folder: Path) -> bool:
    """Tell if nothing in a folder says how tokens become one vector."""
    return not (folder / "modules.json").is_file()


def _kind(folder: Path) -> str:
    """The class of Sentence Transformers that a folder was saved by, or would be loaded by."""
    saved = str(_read(folder / "config_sentence_transformers.json").get("model_type") or "")
    if saved and saved != "SentenceTransformer":
        return "MultiVectorEncoder" if saved == "ColBERT" else saved
    types = [str(entry.get("type", "")) for entry in _modules(folder)]
    if any("sparse_encoder" in name or "Splade" in name for name in types):
        return "SparseEncoder"
    architectures = _read(folder / "config.json").get("architectures") or []
    if not types and any(str(name).endswith("ForSequenceClassification") for name in architectures):
        return "CrossEncoder"
    return "SentenceTransformer"


def _transformer(folder: Path) -> bool:
    types = [str(entry.get("type", "")) for entry in _modules(folder)]
    return not types or any(name.endswith("Transformer") for name in types)


def _modules(folder: Path) -> list[dict[str, Any]]:
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [entry for entry in modules if isinstance(entry, dict)] if isinstance(modules, list) else []


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}

"""The Sentence Transformers folder of the export, and its check by loading it as users do."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.models import encoder, tuned_model
from fieldtune.runtime import paths
from fieldtune.runtime.console import progress
from fieldtune.runtime.errors import UserError
from stages.export.parity import Sample, parity
from stages.export.reload import encode_afresh

_SAME_MODEL = 0.99999  # lowest cosine of two encodings by the same code (`not >=` below rejects NaN, too)


def write_model_folder(folder: Path, base: SentenceTransformer | None, card: str) -> None:
    """Write the tuned model, without files that only the pipeline reads, or the base model, and the model card."""
    if base is not None:
        encoder.save(base, folder)
    else:
        # copyfile, since some of the files are private to their owner.
        shutil.copytree(
            paths.MODEL,
            folder,
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns(tuned_model.HISTORY, tuned_model.PASSAGES, tuned_model.REAL_EVIDENCE),
        )
    rename_tokenizer_class(folder)
    files.write_text(folder / "README.md", card)


def rename_tokenizer_class(folder: Path) -> None:
    """Name the class of a tokenizer without a model's own as transformers 4 does, which optimum needs.

    Version 5 writes `TokenizersBackend`, and reads both names.
    """
    path = folder / "tokenizer_config.json"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        files.write_text(path, text.replace('"TokenizersBackend"', '"PreTrainedTokenizerFast"'))


def check_reload(model: SentenceTransformer, folder: Path, queries: Sequence[str], sample: Sample) -> None:
    """Raise UserError if the written model is not `model`, by its vectors of the queries and of the sample."""
    with progress("loading the export in a fresh process", 1) as bar:
        reloaded = encode_afresh(folder, queries, sample.texts)
        bar.advance()
    expected = (encoder.encode(model, queries, "query", bf16=False, batch_size=32), sample.vectors)
    worst = min(parity(a, b).min for a, b in zip(expected, reloaded, strict=True))
    if not worst >= _SAME_MODEL:
        raise UserError(f"the exported model's vectors differ from those of the loaded model (cosine {worst:.6f})")

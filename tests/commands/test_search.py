"""`fieldtune search` with real, tiny models: three columns, each of what its system ranks first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fieldtune.commands import cli
from fieldtune.commands.loaded_systems import Systems
from fieldtune.commands.search import side_by_side
from fieldtune.corpus.passages import Corpus, passage_text
from fieldtune.models import encoder
from fieldtune.retrieval import ranking
from fieldtune.runtime import paths
from fieldtune.runtime.console import console
from tests.commands.test_judge import QUERIES, STEERING, made_passages, template  # noqa: F401
from tests.serve.conftest import export  # noqa: F401
from tests.train import workspace
from tests.vectors import read_rows

ROOT = Path(__file__).parents[2]
PASSAGES = made_passages()


def test_each_system_has_its_own_best_sections(team: Path) -> None:
    hits = Systems(PASSAGES).best(QUERIES[0], 4)
    assert list(hits) == ["base", "bm25", "tuned"]
    for name, model, vectors in (
        ("base", Path("own/model"), paths.VECTORS),
        ("tuned", paths.MODEL, paths.TUNED_VECTORS),
    ):
        loaded = encoder.load_folder(model)
        loaded.prompts = dict(workspace.PROMPTS)
        query_vector = encoder.encode(loaded, [QUERIES[0]], "query", bf16=False, batch_size=2)[0]
        scores = read_rows(Path(), vectors, "passages") @ query_vector
        best: dict[str, int] = {}
        for row in np.argsort(-scores).tolist():
            best.setdefault(PASSAGES[row]["section"], row)
        expected = list(best.values())[:4]
        assert [row for row, _ in hits[name]] == expected
        assert [score for _, score in hits[name]] == pytest.approx(scores[expected].tolist(), abs=1e-5)
    words = ranking.bm25([QUERIES[0]], Corpus.from_passages([{**row, "section": row["id"]} for row in PASSAGES]))
    assert hits["bm25"][0][1] == pytest.approx(words.scores[0, 0])


def test_what_is_printed(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["search", QUERIES[1], "--top", "2", "--all"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("base", "BM25", "tuned"))
    assert "48 passages searched" in printed
    assert "not" not in printed.splitlines()[-1]


def test_without_a_tuned_model_there_are_two_columns(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(team / paths.TUNED_VECTORS)
    cli.main(["search", QUERIES[1]])
    assert "no tuned model yet" in capsys.readouterr().out


def test_alone_is_bold_and_nothing_steers_the_terminal() -> None:
    rows = [
        {"source": "a.md", "section": "A", "title": f"Shared {STEERING}", "text": "x"},
        {
            "source": "b.md",
            "section": "B",
            "title": "[red]Alone[/]",
            "text": passage_text({"title": "t", "text": "w " * 99}),
        },
    ]
    table = side_by_side({"base": [(0, 0.5)], "tuned": [(1, 0.7), (0, 0.6)]}, dict(enumerate(rows)))
    with console.capture() as captured:
        console.print(table)
    printed = captured.get()
    assert "[red]Alone[/]" in printed  # no markup
    assert "\x1b" not in printed.replace("\x1b[", "")
    assert "\x07" not in printed
    cells = [cell for column in table.columns[1:] for cell in column.cells]
    bold = [str(cell).split("  ")[0] for cell in cells if any(span.style == "bold" for span in cell.spans)]  # type: ignore[union-attr]
    assert bold == ["[red]Alone[/]"]


@pytest.mark.parametrize(
    ("arguments", "printed"), [([" "], "the query is empty: run"), (["words", "--top", "0"], "from 1 to 100")]
)
def test_what_cannot_be_done_is_said(arguments: list[str], printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        cli.main(["search", *arguments])
    assert printed in capsys.readouterr().out


def test_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        cli.main(["search", "words"])
    assert "run `dvc repro embed`" in capsys.readouterr().out


def test_the_export_is_searched_without_torch(export: Path) -> None:  # noqa: F811
    """In a process of its own, since this one has loaded torch."""
    folder = export.parent.parent
    (folder / paths.VECTORS / "passages").mkdir(parents=True, exist_ok=True)  # must exist, and is not read
    script = (
        "import sys; from fieldtune.commands import cli; cli.main(['search', 'word5 word7', '--top', '3']);"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("40 passages searched; recommended: tuned\n[]\n")
    assert "tuned" in done.stdout
    assert "BM25" in done.stdout
    assert done.stdout.count("doc.md#Part") >= 4

"""The library that reads each format with the least harm.

    python -m benchmarks.readers [--only pdf docx …] [--extra kreuzberg docling]

Each input of tests/ingest/inputs that a check below names, and a good file of each format of the tests, is read by each
library that knows its format, asked for Markdown. A check is a text that must be there, and one that must not, and has
the harm of its failing: 10 for a number that is changed, for text or a heading that is lost or made up, 3 for a table
or code that is flattened, 1 for a decoration. Prints for each format and library the harm, the number of checks that
failed, and the seconds a file; and the size on disk of each library.

Harm on two cores, both of which did other work; a dash: the library does not read the format. The checks come from the
same reports that the readers were repaired against, so `now` says little about other files.

format           before  now  xberg  pandoc  kreuzberg  docling-slim
docx                 41    0     23      34         43             -
html                 47    0     50      37         50            42
pdf                  67   13     40       -         84             -
pptx                 30    0     10      30         30            20
xlsx                 20    1     20       -         20            70
epub                 10    0    110     120         10           110
rst                   1    0     23      10         23             -
ipynb                 0    0      3       3         43             -
odt                   -    0      0      50          0             -
rtf                   -    0     50      60         50             -
org, tex, adoc        -    0      0       0       0–10             0
doc, ppt, msg         -    0      0       -         50             -
"""

import argparse
import contextlib
import importlib.util
import io
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from stages.ingest import readers
from stages.ingest.formats import Fields, legacy
from tests.ingest import made_files

_INPUTS = Path(__file__).parents[1] / "tests/ingest/inputs"
_FIELDS = Fields("id", "title", "text")
_PACKAGES = {
    "xberg": ("xberg", "xberg.libs"),
    "kreuzberg": ("kreuzberg",),
    "pandoc": ("pypandoc",),
    "docling": ("docling", "docling_core"),
}


class Check(NamedTuple):
    """One thing that is right or wrong in a file's text."""

    file: str
    harm: int
    there: str  # a regular expression that must be found; white space is any
    absent: str = ""  # one that must not


CHECKS = [
    Check("html/h05_accordion.html", 10, r"#+ .*How do I reset"),
    Check("html/h08_sup.html", 10, r"10(\^|<sup>)6", r"\b106\b"),
    Check("html/h04_table_list.html", 3, r"\| *(Weekend)? *\| *Sun closed"),
    Check("html/h10_code_gutter.html", 3, r"```[^`]*def add\(a, b\):\n    return a \+ b"),
    Check("html/h10_code_gutter.html", 3, r"def neg\(a\):\n    return -a"),
    Check("html/h17_hidden.html", 1, "Use apt", "tracking pixel"),
    Check("html/h18_custom_elements.html", 1, r"three regions\.\s+Asia"),
    Check("html/h21_article_header.html", 10, "Note: it needs root"),
    Check("html/h22_main_in_form.html", 10, r"Old pages wrap"),
    Check("html2/h26_pre_divs.html", 3, r"def f\(a\):\n    if a:\n        return 1"),
    Check("html3/h27_tables.html", 3, r"\| *Port *\| *Use *\|\n\| *-+"),
    Check("html3/h27_tables.html", 3, r"\| *(Part)? *\| *net *\| *gross"),
    Check("html/h14_utf16_bom.html", 10, "Die Größe ist 5"),
    Check("html/h12_declared_utf8_is_cp1252.html", 10, "Crème brûlée"),
    Check("docx/d01_custom_styles.docx", 10, r"#+ .*Starting it"),
    Check("docx/d03_tracked.docx", 10, "Moved sentence", r"Moved sentence[\s\S]*Moved sentence"),
    Check("docx/d03_tracked.docx", 1, "mail", "HIDDEN"),
    Check("docx/d04_controls_box.docx", 10, "Text of the modern box"),
    Check("docx/d04_controls_box.docx", 10, "Para with a box"),
    Check("docx/d05_tables.docx", 3, r"\| *[^|]*\| *r2c1 *\| *r2c2"),
    Check("docx/d05_tables.docx", 10, r"#+ .*Heading in cell"),
    Check("docx/d08_strict.docx", 1, r"1\. +first"),
    Check("docx/d09_title_code.docx", 10, r"10(\^|<sup>)6", r"\b106\b"),
    Check("docx/d09_title_code.docx", 1, r"x = 1\s*\\?\n"),
    Check("docx2/d11_levels.docx", 10, r"#+ .*Level 9"),
    Check("epub/e01_missing_chapter.epub", 10, "The rain falls"),
    Check("epub/e02_odd.epub", 10, r"Wind", r"#+ Contents"),
    Check("rst/r02_domains.rst", 10, r"connect\(host, port=80\)"),
    Check("rst/r02_domains.rst", 3, "pkg.Server", ":py:class:"),
    Check("rst/r03_bad.rst", 10, "2 overflows the column here"),
    Check("rst/r04_docinfo.rst", 1, r"term\s*: classifier"),
    Check("nb/n01_outputs.ipynb", 3, r"df\.describe\(\)", "mean sales"),
    Check("pptx/s01_training.pptx", 10, r"The energy is"),
    Check("pptx/s01_training.pptx", 10, r"2022\s*\|\s*1\.5"),
    Check("pptx2/s02_title_equation.pptx", 10, r"#+ .*Energy of a pump"),
    Check("pdf3/s20_datasheets.pptx", 10, "Maximum pressure: 30 bar"),
    Check("xlsx/x01_book.xlsx", 10, r"9[.,]50 ?EUR"),
    Check("xlsx/x01_book.xlsx", 10, r"15 ?%"),
    Check("xlsx/x01_book.xlsx", 10, "01234"),
    Check("xlsx/x02_faq.xlsx", 1, "reset thing 5"),
    Check("pdf/p01_columns_by_column.pdf", 10, r"put in place\.\s+Every spring"),
    Check("pdf/p02_columns_row_by_row.pdf", 10, r"put in place\.\s+Every spring"),
    Check("pdf/p03_bottom_up.pdf", 10, r"closed before the\s+filter is taken"),
    Check("pdf/p05_rotated.pdf", 10, r"closed before the\s+filter is taken"),
    Check("pdf/p07_code_list.pdf", 3, r"def add\(first, second\):\n    # both"),
    Check("pdf/p07_code_list.pdf", 1, r"well-known"),
    Check("pdf/p08_table.pdf", 3, r"\| *Filter *\| *F-12 *\| *9\.50"),
    Check("pdf/p10_spacing.pdf", 10, r"one by one without"),
    Check("pdf/p10_spacing.pdf", 10, r"10\s?\^?6\s*litres"),
    Check("pdf2/q03_text_cw.pdf", 10, r"closed before the\s+filter is taken"),
    Check("pdf2/q05_rotate270_upright.pdf", 10, r"closed before the\s+filter is taken"),
    Check("pdf3/p20_datasheets.pdf", 10, "Maximum pressure: 30 bar"),
]


def today(path: Path) -> str:
    """The stage's own reading."""
    sections, _ = readers.read(path, path.name, _FIELDS)
    return "\n\n".join(f"# {section.title}\n\n{section.text}" for section in sections)


def xberg(path: Path) -> str:
    from xberg import PdfConfig

    return str(legacy.extract(path, pdf_options=PdfConfig(reading_order=True)).results[0].content)


def kreuzberg(path: Path) -> str:
    import kreuzberg  # type: ignore[import-not-found]

    config = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False)
    return str(kreuzberg.extract_file_sync(str(path), config=config).content)


def pandoc(path: Path) -> str:
    import pypandoc  # type: ignore[import-untyped]

    names = {"htm": "html", "xhtml": "html", "docm": "docx", "tex": "latex", "adoc": "asciidoc", "asciidoc": "asciidoc"}
    suffix = path.suffix[1:].lower()
    command = [
        pypandoc.get_pandoc_path(),
        "--from",
        names.get(suffix, suffix),
        "--to",
        "gfm",
        "--wrap=none",
        "--sandbox",
        str(path),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def docling(path: Path) -> str:
    from docling.document_converter import DocumentConverter  # type: ignore[import-not-found]

    return str(DocumentConverter().convert(path).document.export_to_markdown())


LIBRARIES: dict[str, Callable[[Path], str]] = {
    "today": today, "xberg": xberg, "pandoc": pandoc, "kreuzberg": kreuzberg, "docling": docling,
}  # fmt: skip


def _good_checks(folder: Path) -> list[Check]:
    """Of each format of the tests a file that says the same: nothing of it may be lost, nor a heading."""
    made_files.write(folder, made_files.good(), "good")
    checks = []
    for suffix in made_files.good():
        codes = ("en", "de") if suffix == ".xls" else tuple(made_files.SENTENCES)
        if suffix in (".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".txt", ".text", ".md", ".markdown", ".mdx"):
            continue
        for code in codes:
            checks.append(Check(f"{folder}/good{suffix}", 10, re.escape(made_files.SENTENCES[code])))
            if suffix not in (".csv", ".tsv", ".xls", ".eml", ".msg", ".pdf"):
                checks.append(Check(f"{folder}/good{suffix}", 10, rf"#+ .*{re.escape(made_files.HEADINGS[code])}"))
    return checks


def measure(names: list[str], only: list[str]) -> dict[str, dict[str, tuple[int, int, int, float]]]:
    """Format → library → harm, failed checks, all checks, seconds a file."""
    table: dict[str, dict[str, tuple[int, int, int, float]]] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as folder:
        checks = [*CHECKS, *_good_checks(Path(folder))]
        for suffix in sorted({Path(check.file).suffix for check in checks}):
            if only and suffix[1:] not in only:
                continue
            here = [check for check in checks if Path(check.file).suffix == suffix]
            files = list(dict.fromkeys(check.file for check in here))
            for name in names:
                texts, seconds = {}, 0.0
                for file in files:
                    started = time.monotonic()
                    with legacy.silenced_stderr(), contextlib.redirect_stdout(io.StringIO()):
                        try:
                            texts[file] = LIBRARIES[name](_INPUTS / file)
                        except BaseException as error:  # a panic of Rust is no Exception
                            if isinstance(error, KeyboardInterrupt):
                                raise
                            texts[file] = ""
                    seconds += time.monotonic() - started
                if not any(texts.values()):
                    continue  # it does not read the format
                failed = [check for check in here if _fails(check, texts[check.file])]
                table[suffix][name] = sum(check.harm for check in failed), len(failed), len(here), seconds / len(files)
    return table


def _fails(check: Check, text: str) -> bool:
    return not re.search(check.there, text) or bool(check.absent and re.search(check.absent, text))


def _megabytes(name: str) -> float:
    size = 0
    for package in _PACKAGES.get(name, ()):
        spec = importlib.util.find_spec(package)
        roots = list(spec.submodule_search_locations or []) if spec else []
        size += sum(file.stat().st_size for root in roots for file in Path(root).rglob("*") if file.is_file())
    return size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="SUFFIX")
    parser.add_argument("--extra", nargs="+", default=[], choices=["kreuzberg", "docling"])
    arguments: Any = parser.parse_args()
    names = ["today", "xberg", "pandoc", *arguments.extra]
    table = measure(names, arguments.only)
    print(f"| format | checks | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}")
    for suffix, row in table.items():
        cells = [f"{row[n][0]} ({row[n][1]}), {row[n][3]:.2f} s" if n in row else "–" for n in names]
        print(f"| {suffix} | {max(numbers[2] for numbers in row.values())} | {' | '.join(cells)} |")
    print("; ".join(f"{name}: {_megabytes(name):.0f} MB" for name in names if _megabytes(name)))


if __name__ == "__main__":
    main()

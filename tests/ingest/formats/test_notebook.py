"""Notebooks."""

import json

from tests.ingest.made_files import notebook
from tests.ingest.reading import Reading


def test_a_notebooks_code_is_fenced_and_its_output_left_out(read: Reading) -> None:
    cells = [
        ("markdown", "# Study\n\n![p](data:image/png;base64," + "A" * 99 + ")\n"),
        ("code", 'print("```")\n# no heading'),
        ("code", " "),
        ("markdown", "## Next\ntext"),
        ("raw", "as is"),
    ]
    assert read.texts("a.ipynb", notebook(cells)) == [
        ("Study", '![p]()\n\n````python\nprint("```")\n# no heading\n````'),
        ("Study Next", "text\n\n```\nas is\n```"),
    ]


def test_a_notebook_may_hold_cells_as_single_texts_and_must_have_cells(read: Reading) -> None:
    cell = {"cell_type": "markdown", "source": "a\nb"}
    assert read.text("a.ipynb", json.dumps({"cells": [cell]})) == "a\nb"
    assert "no cells in it" in read.reason("a.ipynb", json.dumps({"worksheets": [{"cells": [cell]}]}))
    assert read.reason("a.ipynb", '{"cells": [\n{"source": secret}]}') == "line 2 is not JSON: Expecting value"

"""reStructuredText: what docutils does not know."""

from pathlib import Path

from tests.ingest.reading import Reading

RST = """
:orphan:

=====
Guide
=====

.. toctree::
   :maxdepth: 2

   intro

Call :func:`~pkg.run`, see :ref:`the words <label>`, :custom:`my stuff`, |version| and `a link <https://x.y>`_.

.. note::
   :collapsible:

   Careful here.

.. rubric-of-ours:: Some argument
   :option: value

   Inner *content*.

.. py:function:: run(path) -> None
   :async:

   Runs it.

.. code-block:: python
   :caption: Caption

   def f():
       # no heading

.. include:: secret.txt

.. raw:: html

   <b>raw</b>

.. only:: html

   Inside
   ------

   Inside it.

.. a comment

Part
----

====  ===
A  table of bad words
====  ===

.. deprecated:: 3.2

.. autoclass:: pkg.Thing
   :members:
"""


def test_restructured_text_keeps_the_text_of_what_is_not_known(read: Reading, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("of another file")
    assert [(section.title, section.text) for section in read("a.rst", RST)] == [
        (
            "Guide",
            "Call pkg.run, see the words, my stuff, |version| and a link.\n\n"
            "```\n.. note::\n   :collapsible:\n\n   Careful here.\n```\n\n"
            "Some argument\n\nInner content.\n\nrun(path) -> None\n\nRuns it.\n\n"
            "```\ndef f():\n    # no heading\n```",
        ),
        ("Guide Inside", "Inside it."),
        ("Guide Part", "```\n====  ===\nA  table of bad words\n====  ===\n```\n\nDeprecated since 3.2\n\npkg.Thing"),
    ]


def test_directives_inside_lists_are_read_as_elsewhere_whatever_was_read_before(read: Reading) -> None:
    inside = "Title\n=====\n\n- .. versionadded:: 3.2\n- .. ours:: Words of it\n"
    before = read("a.rst", inside)
    assert before[0].text == "* Added in 3.2\n* Words of it"
    read("b.rst", "Title\n=====\n\n.. versionadded:: 3.1\n\n.. ours:: Words\n\n.. role:: mine(strong)\n\n:mine:`M`\n")
    assert read("a.rst", inside) == before
    assert read.text("c.rst", "Title\n=====\n\nWords of :mine:`mine`\n") == "Words of mine"


def test_what_one_file_taught_changes_no_other(read: Reading) -> None:
    plain = "Title\n=====\n\n.. note:: Known.\n\nSome *text*.\n"
    before = read("a.rst", plain)
    read("b.rst", RST)
    assert read("a.rst", plain) == before
    assert [text for _, text in read.texts("a.rst", plain)] == ["Note\n\nKnown.\n\nSome text."]

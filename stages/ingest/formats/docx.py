"""Word."""

from pathlib import Path

from stages.ingest.formats import Content, Fields, html, ole

# The first title is the document's; deeper headings than HTML has; tables of contents are no text.
_STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='heading 7'] => h6:fresh
p[style-name='heading 8'] => h6:fresh
p[style-name='heading 9'] => h6:fresh
p[style-name^='toc '] => !
"""


def read(path: Path, source: str, _: Fields) -> Content:
    """Word's headings, lists, tables, notes and equations (as LaTeX); no headers, footers, comments or pictures."""
    import mammoth  # type: ignore[import-untyped]
    from markitdown.converter_utils.docx.pre_process import pre_process_docx

    ole.refuse(path)
    with path.open("rb") as file:
        result = mammoth.convert_to_html(pre_process_docx(file), style_map=_STYLES, convert_image=lambda picture: [])
    soup = html.parsed(result.value)
    if soup.select("h1.title"):
        for heading in soup.select("h1, h2, h3, h4, h5"):
            if heading.get("class") != ["title"]:
                heading.name = f"h{int(heading.name[1]) + 1}"
    return html.sections(path, source, "", html.marked(soup)), {}

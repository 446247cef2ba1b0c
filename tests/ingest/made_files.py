"""Files of every format that is read, a good and a broken one of each; made anew, so that none is in the repository.

By the libraries that write them, or by hand where there is none: Word and EPUB (zip and XML), PDF, old Excel.
"""

import gzip
import io
import json
import struct
import subprocess
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from pptx import Presentation
from pptx.util import Inches

# A sentence a language, in each good file.
SENTENCES = {
    "en": "The contract may be terminated at any time.",
    "de": "Der Vertrag kann jederzeit gekündigt werden, außer über Ostern.",
    "ar": "يمكن إنهاء العقد في أي وقت.",
    "zh": "合同可以随时终止。",
    "ja": "契約はいつでも終了できます。",
}
TITLE = "Terms"
HEADINGS = {"en": "Ending it", "de": "Kündigung", "ar": "إنهاء العقد", "zh": "终止合同", "ja": "契約の終了"}


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def docx(body: str, notes: str = "") -> bytes:
    """A Word file of the XML inside its body; `word` makes paragraphs."""
    word_ns = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    math_ns = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    names = ["Title", *(f"heading {level}" for level in range(1, 10)), "toc 1"]
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}"><w:name w:val="{name}"/></w:style>'
        for name in names
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{kind}.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/styles" Target="styles.xml"/>'
        f'<Relationship Id="r2" Type="{office}/footnotes" Target="footnotes.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {word_ns}>{styles}</w:styles>",
        "word/footnotes.xml": f"<w:footnotes {word_ns}>{notes}</w:footnotes>",
        "word/document.xml": f"<w:document {word_ns} {math_ns}><w:body>{body}</w:body></w:document>",
    }
    return zipped({name: f'<?xml version="1.0" encoding="UTF-8"?>{part}' for name, part in parts.items()})


def word(text: str, style: str = "") -> str:
    """A paragraph of a Word file."""
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{styled}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def epub(title: str, chapters: Mapping[str, str], extra: Mapping[str, str] | None = None) -> bytes:
    """An EPUB of chapters by file name, each the inside of <html>, after a table of contents."""
    items = "".join(f'<item id="c{n}" href="{name}"/>' for n, name in enumerate(chapters))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<metadata><dc:title>{title}</dc:title><dc:creator>Nobody</dc:creator></metadata>"
            f'<manifest><item id="toc" href="nav.xhtml" properties="nav"/>{items}</manifest>'
            f'<spine><itemref idref="toc"/>{spine}</spine></package>',
            "OEBPS/nav.xhtml": "<html><body><nav><a>All chapters</a></nav><p>Contents</p></body></html>",
            **{f"OEBPS/{name.replace('%20', ' ')}": f"<html>{inside}</html>" for name, inside in chapters.items()},
            **(extra or {}),
        }
    )


def pdf(pages: Sequence[Sequence[str]], title: str = "", locked: bool = False) -> bytes:
    """A PDF whose pages have these lines, from top to bottom. A locked one asks for a password."""
    used = sorted({ord(letter) >> 8 for page in pages for line in page for letter in line})
    ranges = "".join(f"<{high:02x}00> <{high:02x}ff> <{high:02x}00>\n" for high in used)
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /U def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{len(used)} beginbfrange\n{ranges}endbfrange\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )
    number = 5 + len(pages)  # of the first page's content
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{5 + n} 0 R' for n in range(len(pages)))}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type0 /BaseFont /F /Encoding /Identity-H /ToUnicode 4 0 R /DescendantFonts [<< "
        "/Type /Font /Subtype /CIDFontType2 /BaseFont /F /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) "
        "/Supplement 0 >> /DW 500 /FontDescriptor << /Type /FontDescriptor /FontName /F /Flags 4 /FontBBox [0 0 9 9] "
        "/ItalicAngle 0 /Ascent 8 /Descent -2 /CapHeight 7 /StemV 1 >> >>] >>",
        f"<< /Length {len(to_unicode)} >>\nstream\n{to_unicode}\nendstream",
    ]
    objects += [
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F 3 0 R >> >> "
        f"/Contents {number + n} 0 R >>"
        for n in range(len(pages))
    ]
    for page in pages:
        shown = "".join(
            f"1 0 0 1 50 {760 - 14 * n} Tm <{line.encode('utf-16-be').hex()}> Tj\n"
            for n, line in enumerate(page)
            if line
        )
        content = f"BT /F 10 Tf\n{shown}ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    objects.append(f"<< /Title <feff{title.encode('utf-16-be').hex()}> >>")
    extra = f"/Info {len(objects)} 0 R"
    if locked:  # no password has this hash
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'11' * 32}> /U <{'22' * 32}> >>")
        extra += f" /Encrypt {len(objects)} 0 R /ID [<{'33' * 16}> <{'33' * 16}>]"
    data = b"%PDF-1.7\n"
    offsets = []
    for position, value in enumerate(objects, start=1):
        offsets.append(len(data))
        data += f"{position} 0 obj\n{value}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R"
    return data + f"{end} {extra} >>\nstartxref\n{len(data)}\n%%EOF\n".encode()


def as_printed(line: str) -> str:
    """A line's letters from left to right, as a PDF places them; of a line in one direction."""
    return line[::-1] if any(unicodedata.bidirectional(letter) == "AL" for letter in line) else line


def pptx(slides: Sequence[tuple[str, str, str]]) -> bytes:
    """A presentation of slides with title, text and notes, each left out where blank."""
    deck = Presentation()
    for title, text, notes in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[5 if title else 6])
        if title:
            slide.shapes.title.text = title
        if text:
            slide.shapes.add_textbox(Inches(1), Inches(2), Inches(5), Inches(1)).text_frame.text = text
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    stream = io.BytesIO()
    deck.save(stream)
    return stream.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def xls(rows: Sequence[Sequence[str]]) -> bytes:
    """A sheet of Excel 2, the only version that is no more than a list of records; its text is Latin."""

    def record(kind: int, content: bytes) -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    data = record(0x0009, struct.pack("<HH", 7, 0x10)) + record(0x0042, struct.pack("<H", 1252))
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            text = cell.encode("cp1252")
            data += record(0x0004, struct.pack("<HH3xB", number, column, len(text)) + text)
    return data + record(0x000A, b"")


def notebook(cells: Sequence[tuple[str, str]]) -> bytes:
    """A Jupyter notebook of cells by type; each code cell has output."""
    output = [{"output_type": "stream", "name": "stdout", "text": ["what was printed\n"]}]
    made = [
        {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
        | ({"outputs": output, "execution_count": 1} if kind == "code" else {})
        for kind, text in cells
    ]
    about = {"language_info": {"name": "python"}}
    return json.dumps({"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}).encode()


def arrow(rows: Sequence[Mapping[str, object]], stream_format: bool = True) -> bytes:
    table = pa.Table.from_pylist([dict(row) for row in rows])
    stream = io.BytesIO()
    with (pa.ipc.new_stream if stream_format else pa.ipc.new_file)(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return stream.getvalue()


def parquet(rows: Sequence[Mapping[str, object]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), stream)
    return stream.getvalue()


MADE = Path(__file__).parent / "made"  # by LibreOffice, and by a library that writes Outlook's messages


def by_pandoc(markdown: str, format: str) -> bytes:
    """A document as pandoc writes it."""
    import pypandoc  # type: ignore[import-untyped]

    command = [pypandoc.get_pandoc_path(), "--from", "markdown", "--to", format, "--standalone", "--output", "-"]
    return subprocess.run(command, input=markdown.encode(), capture_output=True, check=True).stdout


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """An Office file whose main part has another content type: with macros, or a show."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({name: archive.read(name).replace(old, new) for name in archive.namelist()})


def message(subject: str, text: str, page: str = "", attachment: str = "") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Rosa Winter <rosa@example.org>", "ops@example.org", subject
    mail.set_content(text)
    if page:
        mail.add_alternative(page, subtype="html")
    if attachment:
        mail.add_attachment(attachment, filename="a.txt")
    return mail.as_bytes()


def good() -> dict[str, bytes]:
    """A file of each suffix: under `TITLE`, each of `HEADINGS` with its sentence of `SENTENCES`.

    A plain text and a CSV have no headings. Old Excel has the Latin languages alone.
    """
    both = [(HEADINGS[code], sentence) for code, sentence in SENTENCES.items()]
    markdown = f"# {TITLE}\n\n" + "\n\n".join(f"## {heading}\n\n{sentence}" for heading, sentence in both)
    html = "".join(f"<h2>{heading}</h2><p>{sentence}</p>" for heading, sentence in both)
    page = f'<!doctype html><html><head><meta charset="utf-8"></head><body><h1>{TITLE}</h1>{html}</body></html>'
    rst = "\n\n".join(f"{heading}\n{'=' * 30}\n\n{sentence}" for heading, sentence in both)
    records: list[dict[str, object]] = [
        {"id": code, "title": HEADINGS[code], "text": sentence} for code, sentence in SENTENCES.items()
    ]
    made = word(TITLE, "Title") + "".join(word(heading, "heading1") + word(text) for heading, text in both)
    chapters = {f"{n}.xhtml": f"<body><h1>{heading}</h1><p>{text}</p></body>" for n, (heading, text) in enumerate(both)}
    table = "topic,said\n" + "".join(f'{heading},"{sentence}"\n' for heading, sentence in both)
    old = [["topic", "text"], *([HEADINGS[code], SENTENCES[code]] for code in ("en", "de"))]
    office = b"application/vnd.openxmlformats-officedocument."
    macros = b"application/vnd.ms-%b.%b.macroEnabled.main+xml"
    deck = pptx([(TITLE, "", ""), *((heading, sentence, "") for heading, sentence in both)])
    book = xlsx({heading: [["text"], [sentence]] for heading, sentence in both})
    titled = f"---\ntitle: {TITLE}\n---\n\n" + "\n\n".join(f"# {heading}\n\n{sentence}" for heading, sentence in both)
    shown, slides = office + b"presentationml.slideshow.main+xml", office + b"presentationml.presentation.main+xml"
    sheet, text_part = office + b"spreadsheetml.sheet.main+xml", office + b"wordprocessingml.document.main+xml"
    return {
        ".md": markdown.encode(),
        ".markdown": markdown.encode(),
        ".mdx": f"import A from './a';\n\n{markdown}\n\n<A />\n".encode(),
        ".text": "\n\n".join(SENTENCES.values()).encode(),
        ".odt": (MADE / "terms.odt").read_bytes(),
        ".rtf": (MADE / "terms.rtf").read_bytes(),
        ".org": by_pandoc(titled, "org"),
        ".tex": by_pandoc(titled, "latex"),
        ".adoc": by_pandoc(titled, "asciidoc"),
        ".asciidoc": by_pandoc(titled, "asciidoc"),
        ".docm": renamed(docx(made), text_part, macros % (b"word", b"document")),
        ".pptm": renamed(deck, slides, macros % (b"powerpoint", b"presentation")),
        ".ppsx": renamed(deck, slides, shown),
        ".xlsm": renamed(book, sheet, macros % (b"excel", b"sheet")),
        ".eml": message(TITLE, "\n\n".join(SENTENCES.values())),
        ".msg": (MADE / "terms.msg").read_bytes(),
        ".doc": (MADE / "terms.doc").read_bytes(),
        ".ppt": gzip.decompress((MADE / "terms.ppt.gz").read_bytes()),
        ".ndjson": "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(),
        ".txt": "\n\n".join(SENTENCES.values()).encode(),
        ".rst": f"{'#' * 30}\n{TITLE}\n{'#' * 30}\n\n{rst}\n".encode(),
        ".html": page.encode(),
        ".htm": page.encode(),
        ".xhtml": page.replace("<!doctype html>", '<?xml version="1.0" encoding="UTF-8"?>').encode(),
        ".pdf": pdf([[as_printed(heading), as_printed(sentence)] for heading, sentence in both], TITLE),
        ".docx": docx(made),
        ".pptx": deck,
        ".xlsx": book,
        ".xls": xls(old),
        ".csv": table.encode(),
        ".tsv": table.replace("topic,", "topic\t").replace(',"', '\t"').encode(),
        ".epub": epub(TITLE, chapters),
        ".ipynb": notebook([("markdown", markdown)]),
        ".json": json.dumps(records).encode(),
        ".jsonl": "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(),
        ".parquet": parquet(records),
        ".arrow": arrow(records),
    }


def broken() -> dict[str, bytes]:
    """A file of each suffix that gives no text: text with a zero byte, JSON cut off, the rest cut in the middle."""
    files = good()
    binary = b"before\0after"
    text: tuple[str, ...] = (
        ".md",
        ".markdown",
        ".mdx",
        ".txt",
        ".text",
        ".rst",
        ".html",
        ".htm",
        ".xhtml",
        ".csv",
        ".tsv",
        ".eml",
    )
    text += (".org", ".tex", ".adoc", ".asciidoc")
    cut = {suffix: data[: len(data) // 2] for suffix, data in files.items() if suffix not in text}
    cut[".pdf"] = b"%PDF-1.7\n" + bytes(range(256))
    cut |= dict.fromkeys((".xls", ".rtf", ".doc", ".ppt", ".msg"), b"not a workbook")
    return dict.fromkeys(text, binary) | cut


def write(folder: Path, files: Mapping[str, bytes], stem: str) -> None:
    """Write files by suffix, all under one name."""
    for suffix, data in files.items():
        (folder / f"{stem}{suffix}").write_bytes(data)

"""A page's elements, made plain before they are written as Markdown: what is seen, code, tables, raised signs."""

import re
from collections.abc import Iterator, Sequence

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from stages.ingest.formats.writing import raised

HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_UNSEEN = {"script", "style", "noscript", "template", "svg", "iframe"}
_CONTROLS = {"button", "select"}  # a page's words if they stand in one of the next
_NAMING = {*HEADINGS, "dt", "summary", "th", "legend"}
_FRAMES = {"nav", "footer"}
_FRAME_ROLES = {"navigation", "contentinfo", "search"}
_LINK_SIGNS = {"¶", "#", "§", "🔗", "↑", "↩", "↩︎"}  # links to the heading itself, or back from a footnote
_BLOCK_LIKE = {"dialog", "legend", "option", "textarea", "summary"}
_APART = {"label", "output", "input"}  # as are elements of a page's own, which have a hyphen in their names
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_LINE_NUMBERS = re.compile(
    r"(?:linenos?|line-?numbers?|line-no|gutter|rouge-gutter|blob-num|hljs-ln-n\w*)", re.IGNORECASE
)
_CODE_LINE = re.compile(r"(?:token-|code-?|view-)?lines?|hljs-ln-line", re.IGNORECASE)
_NUMBERED_CODE = re.compile(r"linenums|code|hljs|prettyprint", re.IGNORECASE)
_BLOCKS = ("p", "ul", "ol", "dl", "pre", "blockquote", "div", "table", *HEADINGS)
_WIDEST = 1000  # columns and rows that one cell may span


def make_plain(soup: BeautifulSoup) -> None:
    """Change a page in place into elements that mean the same to any converter."""
    for tag in reversed([tag for tag in soup.find_all(True) if _is_unseen(tag)]):  # the inner ones first
        tag.decompose()
    _name_headings(soup)
    _write_formulas(soup)
    _keep_code(soup)
    for link in soup.find_all("a"):
        if "noteref" in f"{link.get('epub:type', '')} {link.get('role', '')}" and link.find("sup") is None:
            link.string = f"[{link.get_text().strip('[]() ')}]"
    for tag in soup.find_all(["sup", "sub"]):
        _write_raised(tag)
    for tag in soup.find_all(lambda tag: "-" in tag.name or tag.name in _BLOCK_LIKE | _APART):
        _set_apart(tag)
    for term in soup.select("span.classifier"):  # docutils leaves it to a style sheet
        term.insert_before(" : ")
    for table in reversed(soup.find_all("table")):
        _lay_out(soup, table)


def _name_headings(soup: BeautifulSoup) -> None:
    for tag in soup.select('[role="heading"]'):
        level = str(tag.get("aria-level", "2"))
        if tag.name not in HEADINGS:
            tag.name = f"h{level}" if level in tuple("123456") else "h6"
    for picture in soup.select("h1 img, h2 img, h3 img, h4 img, h5 img, h6 img"):
        heading = picture.find_parent(HEADINGS)
        if heading is not None and str(picture.get("alt", "")).strip() in heading.get_text():
            picture.decompose()  # a logo beside the name that it shows


def _write_formulas(soup: BeautifulSoup) -> None:
    """Write a formula once, as LaTeX, where a page has it in several forms."""
    for source in soup.select("math annotation[encoding='application/x-tex']"):
        formula = source.find_parent("math")
        outer = source.find_parent(class_="katex") or formula
        if outer is not None:
            outer.replace_with(f"${source.get_text().strip()}$")


def _is_unseen(tag: Tag) -> bool:
    """Tell if an element is not text of the page, by where it stands: a button may name a section, a footer cite."""
    is_tab = tag.get("role") in ("tab", "tabpanel")
    if tag.name == "a":
        unseen = tag.get_text(strip=True) in _LINK_SIGNS
    elif tag.name in _CONTROLS:
        unseen = not is_tab and tag.find_parent(_NAMING) is None
    elif tag.name in _FRAMES or tag.get("role") in _FRAME_ROLES:
        unseen = not _is_of_the_text(tag)
    elif tag.name == "dialog":
        unseen = not tag.has_attr("open")
    elif _has_class(tag, _LINE_NUMBERS):
        unseen = tag.name != "pre" and re.fullmatch(r"[\d\s|:.]*", tag.get_text()) is not None
    else:
        unseen = tag.name in _UNSEEN
    return unseen or (_is_hidden(tag) and not is_tab)


def _is_hidden(tag: Tag) -> bool:
    hidden = tag.has_attr("hidden") and tag.get("hidden") != "until-found"
    return tag.name != "body" and (hidden or _INVISIBLE.search(str(tag.get("style", ""))) is not None)


def _is_of_the_text(tag: Tag) -> bool:
    """Tell if a footer or a navigation belongs to the text that it stands in: a note, a source; not a row of links."""
    if tag.find_parent("blockquote") is not None:
        return True
    if tag.find_parent(["article", "section", "main", "figure"]) is None:
        return False
    linked = sum(len(link.get_text(strip=True)) for link in tag.find_all("a"))
    return 2 * linked < len(tag.get_text(strip=True))


def _has_class(tag: Tag, pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(name) for name in tag.get("class") or ())


def _keep_code(soup: BeautifulSoup) -> None:
    """Give each listing its lines, whatever elements they are: table rows, list items, blocks."""
    for table in soup.find_all("table"):
        cells = [row.find_all(["td", "th"], recursive=False) for row in table.find_all("tr")]
        filled = [[cell for cell in row if cell.get_text(strip=True)] for row in cells]
        holds_code = table.find_parent("pre") or _has_class(table, re.compile(r"highlight\w*|.*-table|hljs-ln"))
        one_a_row = all(len(row) <= 1 for row in filled) and any(filled)
        if one_a_row and (holds_code or all(cell.find("pre") for row in filled for cell in row)):
            lines = "\n".join(_lines(cell).strip("\n") for row in filled or [] for cell in row)
            _make_listing(soup, table, lines)
    for items in soup.find_all("ol"):
        of_code = [item.find("code", recursive=False) for item in items.find_all("li", recursive=False)]
        if of_code and all(of_code) and _has_class(items, _NUMBERED_CODE):
            _make_listing(soup, items, "\n".join(_lines(item) for item in items.find_all("li", recursive=False)))
    for code in soup.find_all("code", style=re.compile(r"white-space\s*:\s*pre")):
        if "\n" in code.get_text() and code.find_parent("pre") is None:
            _make_listing(soup, code, code.get_text())
    for pre in soup.find_all("pre"):
        if pre.find(True):
            text = _lines(pre)
            pre.clear()
            pre.append(text)


def _make_listing(soup: BeautifulSoup, tag: Tag, text: str) -> None:
    if tag.find_parent("pre") is not None:
        tag.replace_with(f"{text}\n")
    else:
        pre = soup.new_tag("pre")
        pre.string = text
        tag.replace_with(pre)


def _lines(tag: Tag) -> str:
    """The text of a listing, each element that is a line of it on its own."""
    for line_break in tag.find_all("br"):
        line_break.replace_with("\n")
    for line in tag.find_all(["div", "p", "li", "tr", "span"]):
        if line.name == "span" and not _has_class(line, _CODE_LINE):
            continue
        after = line.next_sibling
        ends = line.get_text().endswith("\n") or (isinstance(after, NavigableString) and after.startswith("\n"))
        if after is not None and not ends:
            line.append("\n")
    return tag.get_text()


def _write_raised(tag: Tag) -> None:
    text = tag.get_text().strip()
    before = "".join(node for node in reversed(list(_before(tag))))
    if tag.name == "sub":
        apart = text.isdigit() and before[-1:].isdigit()
        tag.replace_with(f"_{text}" if apart else text)
    elif tag.find("a") or tag.find_parent("a"):
        words = text.strip("[]()")
        tag.replace_with(f"[{words}]" if words else "")
    else:
        tag.replace_with(raised(before, text))


def _before(tag: Tag) -> Iterator[str]:
    """The text in front of an element in its own block, from its end."""
    for node in tag.previous_siblings:
        text = node if isinstance(node, NavigableString) else node.get_text()
        yield str(text)
        if text.strip():
            return


def _set_apart(tag: Tag) -> None:
    """Make a block of an element that converters run together with its neighbours; inside a line, blanks around it."""
    texts = [near for near in (tag.parent.children if tag.parent else ()) if isinstance(near, NavigableString)]
    if tag.name in _BLOCK_LIKE or not any(near.strip() for near in texts):
        tag.name = "div"
        return
    before, after = tag.previous_sibling, tag.next_sibling
    if isinstance(before, NavigableString) and before[-1:].isalnum():
        tag.insert_before(" ")
    if isinstance(after, NavigableString) and after[:1].isalnum():
        tag.insert_after(" ")


def _lay_out(soup: BeautifulSoup, table: Tag) -> None:
    """Make a table a grid of single cells under its caption; one that only lays out a page becomes blocks."""
    rows = [row for row in table.find_all("tr") if row.find_parent("table") is table]
    cells = [row.find_all(["td", "th"], recursive=False) for row in rows]
    for caption in table.find_all("caption", recursive=False):
        caption.name = "p"
        table.insert_before(caption.extract())
    if _is_layout(table, cells):
        for cell in (cell for row in cells for cell in row):
            cell.name = "div"
            table.insert_before(cell.extract())
        table.decompose()
        return
    if table.find_parent(["td", "th"]) is not None:
        texts = (", ".join(" ".join(cell.get_text(" ").split()) for cell in row) for row in cells)
        table.replace_with(f" {'; '.join(texts)} ")
        return
    foot = [row for row in rows if row.parent is not None and row.parent.name == "tfoot"]
    order = [*(row for row in rows if row not in foot), *foot] if foot else rows
    grid = _grid(soup, [row.find_all(["td", "th"], recursive=False) for row in order])
    table.clear()
    for line in grid:
        row = soup.new_tag("tr")
        row.extend(line)
        table.append(row)


def _is_layout(table: Tag, cells: Sequence[Sequence[Tag]]) -> bool:
    """Tell if a table is not data: by its role, or by cells that hold headings, listings or many blocks."""
    if table.get("role") in ("presentation", "none"):
        return True
    every = [cell for row in cells for cell in row]
    if any(
        cell.find(HEADINGS) or any("\n" in pre.get_text().strip() for pre in cell.find_all("pre")) for cell in every
    ):
        return True
    narrow = len(cells) <= 1 or all(len(row) <= 1 for row in cells)
    return narrow and any(len(cell.find_all(_BLOCKS, recursive=False)) > 1 for cell in every)


def _grid(soup: BeautifulSoup, cells: Sequence[Sequence[Tag]]) -> list[list[Tag]]:
    """Rows of equal columns: a cell that spans rows is repeated in each, one that spans columns is blank in others."""
    grid: list[list[Tag]] = []
    below: dict[int, tuple[int, str]] = {}  # column → rows that a cell above still fills, and its text
    for row in cells:
        line: list[Tag] = []

        def fill(line: list[Tag] = line) -> None:
            while len(line) in below:
                left, text = below.pop(len(line))
                if left > 1:
                    below[len(line)] = left - 1, text
                again = soup.new_tag("td")
                again.string = text
                line.append(again)

        for cell in row:
            fill()
            height, width = _span(cell, "rowspan") or len(cells), _span(cell, "colspan") or 1
            text = " ".join(cell.get_text(" ").split())
            for extra in range(width):
                if height > 1:
                    below[len(line)] = height - 1, "" if extra else text
                line.append(soup.new_tag("td") if extra else cell)
            del cell["rowspan"], cell["colspan"]
        fill()
        if line:
            grid.append([cell.extract() for cell in line])
    return grid


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1")).strip()
    return min(int(value), _WIDEST) if value.isdecimal() else 1

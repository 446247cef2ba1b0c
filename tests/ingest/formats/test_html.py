"""Pages: what is seen of them, and the encodings that they declare."""

import pytest

from tests.ingest.reading import Reading

PAGE = """<!doctype html>
<html><head><title>Page &mdash; Site</title><style>p {color: red}</style></head>
<body><header><div>Logo</div></header><nav><a href="/">Menu</a></nav>
<div role="navigation">Bread / crumbs</div>
<h2>Use <code>__init__</code> of List&lt;T&gt;<a class="headerlink" href="#u">¶</a></h2>
<p># no heading,
one line of snake_case, a*b*c, 2 < 3</p>
<p>```</p><p>&lt;script&gt; is a tag</p>
<pre><code>x = "```"
  # y</code></pre>
<p>See <a href="https://example.org/z">the words</a>, <b>bold</b> ones.<br>Next line.</p>
<img src="data:image/png;base64,AAAA" alt="a cat">
<blockquote><h3>Quoted</h3>said</blockquote><ul><li><h4>Card</h4>text</li></ul>
<table><tr><td>a|b</td><td>c<br>d</td></tr><tr><td colspan="2">wide</td></tr></table>
<!-- a comment --><script>bad()</script><noscript>Turn it on</noscript>
<svg><text>drawn</text></svg><template>later</template><button>Copy</button>
<h2>Second<a href="#s">#</a></h2><div>x&shy;y&nbsp;z</div><div>next</div>
<footer>Imprint</footer></body></html>"""


def test_a_page_is_read_as_it_is_seen(read: Reading) -> None:
    assert [(section.section, section.text) for section in read("a.html", PAGE)] == [
        ("Page — Site", "Logo"),
        (
            "Use __init__ of List<T>",
            "# no heading, one line of snake_case, a*b*c, 2 < 3\n\n```\n\n<script> is a tag\n\n"
            '````\nx = "```"\n  # y\n````\n\nSee the words, bold ones.\nNext line.\n\na cat\n'
            "> Quoted\n>\n> said\n\n* Card\n\n  text\n\n| a\\|b | c d |\n| --- | --- |\n| wide |  |",
        ),
        ("Second", "xy z\n\nnext"),
    ]


def test_a_pages_title_is_its_one_main_heading_else_its_title_else_its_files_name(read: Reading) -> None:
    page = "<title>T</title><h{0}>A</h{0}><p>a"
    assert read.texts("n.html", page.format(1)) == [("A", "a")]
    assert read.texts("n.html", page.format(2)) == [("T A", "a")]
    assert read.texts("n.html", page.format(2)[len("<title>T</title>") :]) == [("n A", "a")]


def test_where_a_page_marks_its_main_part_that_is_its_text(read: Reading) -> None:
    page = '<body><div>Site</div><{}><h1>A</h1><p>b</p></{}><div class="side">ads</div></body>'
    assert read.texts("a.html", page.format("main", "main")) == [("A", "b")]
    assert read.texts("a.html", page.format('div role="main"', "div")) == [("A", "b")]
    assert read.texts("a.html", "<main></main><p>b") == [("a", "b")]  # it is filled in later


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("iso-8859-1", "cp1252", "“Größe” – Straße"),
        ("Shift_JIS", "cp932", "契約①"),
        ("gb2312", "gb18030", "朱镕基"),
        ("iso-8859-1", "utf-8", "契約"),  # declared wrongly
        ("no-such", "cp1252", "Die Kündigung muß schriftlich erfolgen."),
    ],
)
def test_a_page_may_declare_its_encoding(read: Reading, declared: str, encoding: str, text: str) -> None:
    page = f'<html><head><meta charset="{declared}"></head><body><p>{text}</p>'
    assert read.text("a.html", page.encode(encoding)) == text


def test_a_page_may_be_badly_nested_or_too_deeply(read: Reading) -> None:
    assert read.texts("a.html", "<h1>T</h1><p>one<p>two<ul><li>a<li>b</ul><h2>E</h2>end") == [
        ("T", "one\n\ntwo\n\n* a\n* b"),
        ("T E", "end"),
    ]
    assert "deep words" in read.text("a.html", "<div>" * 5000 + "deep words")


def test_a_heading_inside_a_line_of_text_leaves_no_mark(read: Reading) -> None:
    sections = read("a.html", "<p>Before</p><dl><dt>Term <h3>Inside</h3></dt><dd>Said.</dd></dl>")
    whole = " ".join(f"{section.section} {section.text}" for section in sections)
    assert "Inside" in whole
    assert "\ufdd0" not in whole

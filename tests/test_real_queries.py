"""Real queries as people keep them: JSONL or CSV."""

from pathlib import Path

import pytest

from stages.errors import UserError
from stages.real_queries import RealQuery, highest_overlap, read

ROOT = Path(__file__).parents[1]
JSONL = """\
{"query": "copy an image", "source": "ec2.md", "section": "Copy Image", "overlap": 0.5}
{"query": " copy an image ", "source": "ecr.md", "overlap": 0.75}

{"query": "stop it, \\"now\\"", "source": "ec2.md", "section": "Stop\u2028Instances"}
"""
CSV = '''\
source, query ,section,overlap,comment
ec2.md,copy an image,Copy Image,0.5,x
ecr.md, copy an image ,,0.75
ec2.md,"stop it, ""now""","Stop\u2028Instances",,
'''


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "content"), [("q.jsonl", JSONL), ("Q.CSV", CSV)])
def test_rows_of_one_query_are_joined_from_jsonl_and_csv(
    name: str, content: str, ends: str, bom: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(bom + content.replace("\n", ends).encode())
    assert read(tmp_path / name) == [
        RealQuery("copy an image", [("ec2.md", "Copy Image"), ("ecr.md", "")], 0.75),
        RealQuery('stop it, "now"', [("ec2.md", "Stop\u2028Instances")], None),
    ]


def test_the_committed_file_without_queries_has_none() -> None:
    assert (ROOT / "data/none.jsonl").read_bytes() == b"\n"
    assert read(ROOT / "data/none.jsonl") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", b'{"query": "a", "source": "b"}\n{"query": "a"}\n', "line 2: `query` and `source` are needed"),
        ("q.jsonl", b'{"query": " ", "source": "b"}\n', "line 1: `query` and `source` are needed"),
        ("q.jsonl", b'{"query": null, "source": "b"}\n', "line 1: `query` and `source` are needed"),
        ("q.jsonl", b'\n{"query" "a"}\n', "line 2 is not JSON"),
        ("q.jsonl", b'"query"\n', "line 1 must be an object"),
        ("q.jsonl", b'{"query": "a", "source": "b", "overlap": "high"}', "line 1: overlap is high: it must be"),
        ("q.jsonl", b'{"query": "a", "source": "b", "overlap": NaN}', "line 1: overlap is nan: it must be a number"),
        ("q.csv", b"query,source,overlap\na,b,\na,b,1.5\n", "line 3: overlap is 1.5: it must be a number from 0 to 1"),
        ("q.csv", b"query,source\na,b\na\n", "line 3: `query` and `source` are needed"),
        ("q.csv", b'query,source\n"a\nb",\n', "line 3: `query` and `source` are needed"),
        ("q.csv", b"query;source\na;b\n", "line 1: columns `query` and `source` are needed; there are: "),
        ("q.csv", b'query,source\n"a" b,c\n', "line 2 is not CSV"),
        ("q.csv", b"query,source\n\xe9t\xe9,b\n", "is not UTF-8 text"),
    ],
)
def test_a_bad_row_names_file_and_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as error:
        read(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))
    assert message in str(error.value)


def test_a_file_that_is_not_there_says_how_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"queries: .*gone\.jsonl is not there; .* \(none: data/none\.jsonl\)"):
        read(tmp_path / "gone.jsonl")


def test_overlap_is_what_the_file_says_else_the_highest_over_the_answers_headings() -> None:
    query = RealQuery("copy an image", [])
    assert highest_overlap(query, ["Copy Snapshot", "Copy Image", "Delete"]) == 1.0
    assert highest_overlap(query, ["Copy Snapshot", "Delete"]) == 0.5
    assert highest_overlap(query, []) == 0.0
    query.overlap = 0.0
    assert highest_overlap(query, ["Copy Image"]) == 0.0

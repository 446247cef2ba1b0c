"""Service models → documents."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from stages.ingest.formats.markdown import markdown_sections
from stages.sample.operations import SERVICES, Service, markdown, plain_text, services
from tests.sample.tiny_wheels import LONG, service, write_botocore


@pytest.mark.parametrize(
    ("documentation", "text"),
    [
        ("<p>One  \t <b>bold</b>&nbsp;word.</p><p>Two.</p>", "One bold\xa0word.\nTwo."),
        ("a<br>b<br/>c<br />d", "a\nb\nc\nd"),
        ("<ul> <li> <p>x</p> </li> <li>y</li> </ul>z", "x\ny\nz"),
        ("<h3>Head</h3><note> <p>n</p> </note><dl><dt>t</dt><dd>d</dd></dl>", "Head\nn\nt\nd"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "12\n3"),
        ("2 &lt; 3 &amp; <code>a&lt;b</code>", "2 < 3 & a<b"),
        ("kept\n\n\n  lines ", "kept\nlines"),
        ("", ""),
    ],
)
def test_html_becomes_a_line_for_each_block(documentation: str, text: str) -> None:
    assert plain_text(documentation) == text


def test_documents_are_the_services_with_the_operations_that_say_something_new(tmp_path: Path) -> None:
    twelve = "one two three four five six seven eight nine ten eleven"
    write_botocore(
        tmp_path / "w",
        {
            "ec2/2015-01-01": service("Old", ("Gone", f"<p>{LONG} Old.</p>")),
            "ec2/2016-11-15": service(
                "Elastic Compute Cloud",
                ("CopyImage", f"<p>{LONG} Copied.</p>"),
                ("CopyImageAgain", f"<div>{LONG}  Copied.</div>"),  # the same text
                ("DescribeVPCs", f"<p>{twelve} twelve</p>"),
                ("TooShort", f"<p>{twelve}</p>"),
                abbreviation="Amazon EC2",
            ),
            "s3/2006-03-01": service("S3", ("GetACL2", f"<p>{LONG} Copied.</p>")),  # as in ec2, which comes first
        },
    )
    with ZipFile(tmp_path / "w") as archive:
        documents = {service.name: service for service in services(archive)}
    assert list(documents) == list(SERVICES.values())
    assert len(documents) == 43
    assert documents["ec2"] == Service(
        "ec2", "Amazon EC2", {"Copy Image": f"{LONG} Copied.", "Describe VP Cs": f"{twelve} twelve"}
    )
    assert documents["s3"] == Service("s3", "Amazon S3", {})
    assert documents["config"].operations == {"Do It": f"{LONG} In config."}


def test_ingest_reads_from_a_document_what_was_put_into_it() -> None:
    document = Service("ec2", "Amazon EC2", {"Copy Image": "Copies it.\nTwice.", "Stop": "Stops it."})
    sections = markdown_sections("ec2.md", markdown(document), "ec2")
    assert [(section.section, section.title, section.text) for section in sections] == [
        ("Copy Image", "Amazon EC2 Copy Image", "Copies it.\nTwice."),
        ("Stop", "Amazon EC2 Stop", "Stops it."),
    ]

"""The CLI's manual → real queries."""

from pathlib import Path
from zipfile import ZipFile

from stages.sample.examples import real_queries
from stages.sample.operations import Service
from tests.sample.tiny_wheels import write_awscli

SERVICES = [
    Service("ec2", "Amazon EC2", {"Copy Image": "…", "Describe Volumes": "…"}),
    Service("s3", "Amazon S3", {"Get Object": "…"}),
    Service("config", "AWS Config", {"Put Config Rule": "…"}),
]
COPY = """\
**To copy an AMI to another Region**

The following ``copy-image`` command does it. **not a title** here

**Example 1: To copy  an ``AMI``  and tag it:**
**example 12: lower case is kept.**
**To copy an ami to another region**
**Too short**
**Note that this is no query**
**Output of the command**
**Important: nor is this**
  **Indented lines are no titles**
"""


def test_titles_over_examples_are_queries_for_the_operation_they_illustrate(tmp_path: Path) -> None:
    write_awscli(
        tmp_path / "w",
        {
            "s3api/get-object.rst": "**To get an object**\r\n",
            "ec2/copy-image.rst": COPY,
            "ec2/describe-volumes.rst": "**To copy an AMI to another Region**\n",  # another operation, so kept
            "ec2/unknown-operation.rst": "**To do something unknown**\n",
            "s3/get-object.rst": "**A folder that is no service here**\n",
            "configservice/put-config-rule.rst": "**To add rules for Größe**\n",
        },
    )
    with ZipFile(tmp_path / "w") as archive:
        rows = real_queries(archive, SERVICES)
    assert [tuple(row.values()) for row in rows] == [
        # put, config, rule: `rules` says one of three; copy, image: one of two
        ("To add rules for Größe", "config.md", "Put Config Rule", 0.333),
        ("To copy an AMI to another Region", "ec2.md", "Copy Image", 0.5),
        ("To copy an AMI and tag it", "ec2.md", "Copy Image", 0.5),
        ("example 12: lower case is kept", "ec2.md", "Copy Image", 0.0),
        ("To copy an AMI to another Region", "ec2.md", "Describe Volumes", 0.0),
        ("To get an object", "s3.md", "Get Object", 1.0),
    ]
    assert list(rows[0]) == ["query", "source", "section", "overlap"]

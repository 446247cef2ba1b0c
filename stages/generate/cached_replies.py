"""Replies that a colleague bought: `data/queries/replies.jsonl` as `dvc pull` brought it."""

import json
from collections.abc import Iterator

from fieldtune.buying.earlier_output import open_output
from fieldtune.runtime import paths
from stages.generate.store import Reply

REPLIES = paths.QUERIES.with_name("replies.jsonl")


def read() -> Iterator[Reply]:
    """The replies of the last run that this commit knows; nothing if there was none or it was not pulled."""
    with open_output(REPLIES) as file:
        for line in file or ():
            yield Reply.of_row(json.loads(line))

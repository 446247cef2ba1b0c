"""Replies that a colleague bought: `data/queries/replies.jsonl` as `dvc pull` brought it.

DVC deletes a stage's outputs before its command runs, so the file is read from DVC's cache, by what dvc.lock says.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

from fieldtune.corpus import files
from fieldtune.runtime import paths
from stages.generate.store import Reply

REPLIES = paths.QUERIES.with_name("replies.jsonl")


def read() -> Iterator[Reply]:
    """The replies of the last run that this commit knows; nothing if there was none or it was not pulled."""
    rows = files.read_jsonl(REPLIES) if REPLIES.is_file() else _from_cache()
    for row in rows:
        yield Reply.of_row(row)


def _from_cache() -> Iterator[dict[str, Any]]:
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    # Without a default remote: nothing is downloaded that was not asked for.
    dvc_log = logging.getLogger("dvc")
    level = dvc_log.level
    dvc_log.setLevel(logging.CRITICAL)
    try:
        with DVCFileSystem(".", config={"core": {"remote": ""}}).open(REPLIES.as_posix(), "rb") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, DvcException, DataIndexDirError):  # no such output, or its files are not in the cache
        return
    finally:
        dvc_log.setLevel(level)

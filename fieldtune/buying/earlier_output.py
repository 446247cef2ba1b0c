"""A file that an earlier run of a stage wrote, as this commit knows it.

DVC deletes a stage's outputs before its command runs, so the file is read from DVC's cache, by what dvc.lock says.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast


@contextmanager
def open_output(path: Path) -> Iterator[BinaryIO | None]:
    """The file, open to be read; None if there was none or it was not pulled."""
    if path.is_file():
        with path.open("rb") as file:
            yield file
        return
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    dvc_log = logging.getLogger("dvc")
    level = dvc_log.level
    dvc_log.setLevel(logging.CRITICAL)
    try:
        # Without a default remote: nothing is downloaded that was not asked for.
        opened = DVCFileSystem(".", config={"core": {"remote": ""}}).open(path.as_posix(), "rb")
    except (OSError, DvcException, DataIndexDirError):  # no such output, or its files are not in the cache
        opened = None
    finally:
        dvc_log.setLevel(level)
    if opened is None:
        yield None
        return
    with opened as file:
        yield cast(BinaryIO, file)

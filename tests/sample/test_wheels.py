"""Downloads of pinned files by the real pip, from a folder in place of an index."""

from pathlib import Path

import pytest

from fieldtune.runtime.errors import UserError
from stages.sample.config import Wheel
from stages.sample.wheels import wheel
from tests.sample.tiny_wheels import sha256, write_awscli

NAME = "awscli-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip finds wheels in, and no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


def test_a_wheel_is_downloaded_once(index: Path, downloads: Path) -> None:
    write_awscli(index / NAME, {})
    pin = Wheel("1.0", sha256(index / NAME))
    path = wheel("awscli", pin, downloads)
    assert path.read_bytes() == (index / NAME).read_bytes()
    (index / NAME).unlink()
    assert wheel("awscli", pin, downloads) == path
    assert [file.name for file in downloads.iterdir()] == [NAME]


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(index: Path, downloads: Path) -> None:
    write_awscli(index / NAME, {})
    with pytest.raises(
        UserError, match=rf"{NAME} is not the pinned file \(sha256 [0-9a-f]{{64}}, expected 00\): check"
    ):
        wheel("awscli", Wheel("1.0", "00"), downloads)
    assert list(downloads.iterdir()) == []


def test_what_a_killed_download_left_is_fetched_again(index: Path, downloads: Path) -> None:
    write_awscli(index / NAME, {})
    content = (index / NAME).read_bytes()
    (downloads / NAME).write_bytes(content[:100])
    (downloads / "awscli.tmp").mkdir()
    (downloads / "awscli.tmp" / NAME).write_bytes(content[:100])
    assert wheel("awscli", Wheel("1.0", sha256(index / NAME)), downloads).read_bytes() == content
    assert [file.name for file in downloads.iterdir()] == [NAME]


def test_without_an_index_it_says_what_failed_and_what_to_do(index: Path, downloads: Path) -> None:
    with pytest.raises(UserError) as error:
        wheel("awscli", Wheel("1.0", "00"), downloads)
    message = str(error.value)
    assert message.startswith("pip could not download awscli==1.0, part of the sample: ERROR: No matching distribution")
    assert message.endswith("use your own documents: `documents:` and `queries:` in params.yaml")
    assert "\n" not in message

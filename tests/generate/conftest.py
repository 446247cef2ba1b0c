"""The server that the tests of bought queries talk to, and an environment that names no other."""

import os
from collections.abc import Iterator

import pytest

from tests.generate import fake_anthropic
from tests.generate.fake_anthropic import Fake


@pytest.fixture(autouse=True)
def no_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("ANTHROPIC_", "OPENAI_", "OTEL_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture
def server() -> Iterator[Fake]:
    with fake_anthropic.running() as fake:
        yield fake

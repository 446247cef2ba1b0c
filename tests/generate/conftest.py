"""The server that the tests of bought queries talk to."""

from collections.abc import Iterator

import pytest

from tests.generate import fake_anthropic
from tests.generate.fake_anthropic import Fake


@pytest.fixture
def server() -> Iterator[Fake]:
    with fake_anthropic.running() as fake:
        yield fake

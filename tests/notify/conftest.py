from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notify.sink import Sink, serving


@pytest.fixture
def sink() -> Iterator[Sink]:
    with serving() as one:
        yield one

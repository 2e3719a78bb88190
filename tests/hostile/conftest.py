"""A watched folder, and the limits that each hostile file has to keep."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.outside import Outside
from tests.trace.recordings import record

LONGEST_SECOND = 5.0
MOST_GROWTH_KILOBYTE = 200_000


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Outside]:
    """What nobody has touched at the test's end, which took no time and no memory."""
    outside = Outside(tmp_path / "outside")
    started = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield outside
    assert not outside.touched()
    outside.close()
    assert time.process_time() - started < LONGEST_SECOND
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH_KILOBYTE


@pytest.fixture(scope="package")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound trace, to be copied and spoilt."""
    path = tmp_path_factory.mktemp("good") / "run.h5"
    record(path, 500)
    return path

"""200 writers killed at random moments: every file opens, none has lost more than promised."""

import random
from pathlib import Path

import pytest

from tests.benchmarks.recording import record
from tests.trace.test_crash import POINTS_AT_STAKE, SECONDS_AT_STAKE, kill_and_read

KILLS, AT_ONCE = 200, 4


@pytest.mark.benchmark
@pytest.mark.timeout(900)
def test_killed_writers_leave_what_they_promised(tmp_path: Path) -> None:
    for first in range(0, KILLS, AT_ONCE):
        folder = tmp_path / str(first)
        folder.mkdir()
        kill_and_read(folder, [random.Random(1000 + first + k) for k in range(AT_ONCE)])
    record(
        "trace_store.kills",
        {"kills": KILLS, "second_at_most": SECONDS_AT_STAKE, "points_at_most": POINTS_AT_STAKE},
    )

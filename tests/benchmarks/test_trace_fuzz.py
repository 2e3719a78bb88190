"""2,000 corrupted files: each is refused in one paragraph, or read as it was recorded."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.recording import record

PROCESSES, FILES = 2, 2000
LARGEST_MEGABYTE = 1000


@pytest.mark.benchmark
@pytest.mark.timeout(900)
def test_corrupted_files_are_refused(tmp_path: Path) -> None:
    running = []
    for seed in range(PROCESSES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        command = [sys.executable, "-m", "tests.benchmarks.fuzzing", str(seed)]
        command += [str(FILES // PROCESSES), str(folder)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    outcomes: Counter[str] = Counter()
    peak = 0.0
    for process in running:
        output, _ = process.communicate()
        assert process.returncode == 0, f"ended by {process.returncode}"
        found = json.loads(output)
        outcomes.update(found["outcomes"])
        peak = max(peak, found["peak_megabyte"])
    record("trace_store.fuzz", {"files": FILES, "outcomes": dict(outcomes), "megabyte": peak})
    assert sum(outcomes.values()) == FILES
    assert peak < LARGEST_MEGABYTE

"""The manual's amplifier in full: 10 parameters, 30 corners, 200 draws, killed on the way."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cosim
from cosim.errors import LimitError
from tests.benchmarks.recording import record

SHEET = Path(cosim.__file__).parent / "docs" / "how-to" / "datasheet"
ASKED_SECOND = 600
KILL_AFTER_LINES = 60


def command(folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "cosim", "characterise", str(folder / "amplifier.toml")),
        *("--output", str(folder / "sheet"), *more),
    ]


def run_and_kill(folder: Path, progress: Path) -> int:
    """Lines of the journal when the program and its processes were killed."""
    journal = folder / "sheet" / "journal.jsonl"
    with progress.open("w") as said, subprocess.Popen(
        command(folder, "--jobs", "2"), stdout=said, stderr=said, start_new_session=True
    ) as program:  # fmt: skip
        while not journal.exists() or len(journal.read_bytes().splitlines()) < KILL_AFTER_LINES:
            assert program.poll() is None, progress.read_text()
            time.sleep(0.1)
        os.killpg(program.pid, signal.SIGKILL)
    return len(journal.read_bytes().splitlines())


@pytest.mark.benchmark
@pytest.mark.timeout(3000)
def test_killed_and_resumed_within_ten_minutes_and_every_failing_seed_repeats(
    tmp_path: Path,
) -> None:
    for name in ("amplifier.toml", "amplifier.cir"):
        shutil.copy(SHEET / name, tmp_path)
    load_before = os.getloadavg()[0]
    started = time.monotonic()
    killed_at = run_and_kill(tmp_path, tmp_path / "progress.txt")
    done = subprocess.run(command(tmp_path, "--jobs", "2"), capture_output=True, text=True)
    wall_second = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == LimitError.exit_code, done.stdout + done.stderr
    result = json.loads((tmp_path / "sheet" / "datasheet.json").read_text())
    parameters = result["parameters"]
    failing = {
        row["key"]: row["point"]["seed"]
        for one in parameters.values()
        for row in one["rows"]
        if row["beyond"] == "fail" and "seed" in row["point"]
    }
    same = {}
    for key, seed in failing.items():
        alone = subprocess.run(command(tmp_path, "--repeat", key), capture_output=True, text=True)
        assert "same as before to the last bit" in alone.stdout, alone.stdout + alone.stderr
        same[seed] = alone.returncode == 0
    record(
        "datasheet_campaign",
        {
            "parameters": len(parameters),
            "points": result["done"],
            "points_wanted": result["wanted"],
            "values": sum(len(one["rows"]) for one in parameters.values()),
            "killed_after_points": killed_at,
            "wall_second": round(wall_second, 1),
            "wall_second_asked": ASKED_SECOND,
            "processor_second": round(used.ru_utime + used.ru_stime, 1),
            "load_average_before": round(load_before, 2),
            "not_passed": {
                name: one["judgement"]
                for name, one in parameters.items()
                if one["judgement"] != "pass"
            },
            "failing_seeds": sorted(failing.values()),
            "failing_seeds_same_to_the_last_bit": sum(same.values()),
        },
    )  # fmt: skip
    assert len(parameters) == 10 and result["done"] == result["wanted"]
    assert failing and all(same.values())
    assert wall_second < ASKED_SECOND

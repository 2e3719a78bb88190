"""A trace drawn, printed and watched, also while another process writes it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from cosim.report.live import live_view, sparkline
from cosim.trace import Trace
from cosim.trace.follow import follow
from tests.trace.recordings import PROCESSES, record, rows, write_on_demand, write_until_killed


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cosim", *arguments], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_figure_shows_the_signals(tmp_path: Path) -> None:
    record(tmp_path / "run.h5")
    done = run("trace", "plot", str(tmp_path / "run.h5"), "--stop", "1e-5")
    assert done.returncode == 0, done.stderr
    drawn = imread(tmp_path / "run.png")
    assert drawn.shape[0] > 400 and drawn[..., :3].std() > 0.05
    done = run("trace", "plot", str(tmp_path / "run.h5"), "-o", str(tmp_path / "run.nonsense"))
    assert done.returncode == 2 and "end its name in .png" in done.stderr
    done = run("trace", "plot", str(tmp_path / "run.h5"), "--signals", "nothing*")
    assert done.returncode == 2 and "No signal of" in done.stderr


def test_tail_of_a_finished_run_ends(tmp_path: Path) -> None:
    record(tmp_path / "run.h5", points=100)
    done = run("trace", "tail", str(tmp_path / "run.h5"), "-n", "3", "--signals", "integrator_0.*")
    header, *lines = done.stdout.splitlines()
    assert header.split("\t") == ["time_second", "integrator_0.out"]
    time_second, values = rows(97, 100)
    found = np.array([[float(cell) for cell in line.split("\t")] for line in lines])
    np.testing.assert_allclose(found[:, 0], time_second, rtol=1e-8)
    np.testing.assert_allclose(found[:, 1], values[:, 0], rtol=1e-8)
    assert "complete" in done.stderr and done.returncode == 0


def test_a_live_run_is_followed_to_its_end(tmp_path: Path) -> None:
    """Every point comes once, though the writer goes on meanwhile."""
    path, (ours, theirs) = tmp_path / "run.h5", PROCESSES.Pipe()
    writer = PROCESSES.Process(target=write_on_demand, args=(path, theirs))
    writer.start()
    assert ours.recv() == "ready"
    tail = subprocess.Popen(
        [sys.executable, "-m", "cosim", "trace", "tail", str(path), "-n", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tail.stdout is not None
    assert tail.stdout.readline().startswith("time_second")
    for points in (3000, 7000, 500, 0):
        ours.send(points)
        time.sleep(0.7)
    output, _ = tail.communicate(timeout=30)
    writer.join()
    times = np.array([float(line.split("\t")[0]) for line in output.splitlines()])
    np.testing.assert_allclose(times, rows(0, 10_500)[0], rtol=1e-8)
    assert tail.returncode == 0


def test_following_a_killed_writer_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    writer = PROCESSES.Process(
        target=write_until_killed, args=(path, tmp_path / "diary", 100, 0.01)
    )
    writer.start()
    while not path.exists():
        time.sleep(0.01)
    following = follow(path)
    assert next(following).status == "running"
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert next(following).status == "running"
    following.close()
    with Trace.open(path) as trace:
        view = live_view(trace, trace.names, quiet_second=11)
    assert any("nothing for 11 s" in str(part) for part in view.renderables)


def test_watch_shows_the_end(tmp_path: Path) -> None:
    record(tmp_path / "run.h5", points=100)
    done = run("watch", str(tmp_path / "run.h5"))
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout and "integrator_0.out" in done.stdout


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        (np.array([0.0, 1.0]), "▁█"),
        (np.array([3.0, 3.0, 3.0]), "▁▁▁"),
        (np.array([0.0, np.nan, 7.0]), "▁ █"),
        (np.array([np.nan]), " "),
    ],
)
def test_sparkline(values: np.ndarray, drawn: str) -> None:
    assert sparkline(values) == drawn

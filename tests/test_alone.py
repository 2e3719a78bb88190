"""One process at a time writes a run: a lock file names it; a lock that was left is told."""

import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosim.errors import ConfigurationError
from cosim.files import alone

HOLDER = """
import sys; sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from cosim.files import alone
with alone(Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
ROOT = str(Path(__file__).resolve().parents[1])


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """While another process writes `path`."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, ROOT, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with holder:
        yield holder


def test_a_second_process_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    with held(path) as holder:
        says = f"written by process {holder.pid} on {socket.gethostname()}"
        with pytest.raises(ConfigurationError, match=says), alone(path):
            pass
        with alone(tmp_path / "other.h5"):
            pass
    with alone(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_a_killed_process_is_told_and_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    with held(path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with pytest.warns(UserWarning, match=f"process {holder.pid} .*taken over"), alone(path):
        pass
    with warnings.catch_warnings(action="error"), alone(path):
        pass


def test_a_lock_of_another_machine_is_left_to_the_user(tmp_path: Path) -> None:
    lock = tmp_path / ".trace.h5.lock"
    lock.write_text("process 1 on elsewhere")
    for _ in range(2):
        with (
            pytest.raises(ConfigurationError, match="cannot be told"),
            alone(tmp_path / "trace.h5"),
        ):
            pass
    assert lock.read_text() == "process 1 on elsewhere"


def test_it_may_be_entered_again_within_and_ends_with_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    with pytest.raises(ZeroDivisionError), alone(path), alone(path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_no_planted_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".trace.h5.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigurationError, match="cannot be made"), alone(tmp_path / "trace.h5"):
        pass
    assert (tmp_path / "victim").read_text() == "precious"

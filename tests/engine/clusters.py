"""A Dask cluster of real processes on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECOND = 30


class Cluster:
    """`dask scheduler`, and a `dask worker` for each `add_worker`; logs go to `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        contact = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(contact),
        )  # fmt: skip
        deadline = time.monotonic() + START_SECOND
        while not contact.exists() or not contact.read_text().endswith("}"):  # whole
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        self.address: str = json.loads(contact.read_text())["address"]

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            kill(process)

    def add_worker(self) -> "subprocess.Popen[bytes]":
        """A worker of one thread, with its nanny, as `dask worker` starts it by itself."""
        return self._start("worker", self.address, "--nthreads", "1", "--no-dashboard")

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        number = len(self._processes)
        folder = self._folder / f"{number}"
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to a process and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

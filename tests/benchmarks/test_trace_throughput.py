"""Streaming a trace against bare h5py: the same chunks, filters and data, in the same blocks."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.trace import Signal, TraceWriter
from tests.benchmarks.recording import record
from tests.trace.recordings import PROVENANCE

SIGNALS = 100
POINTS = 1_000_000
CHUNK_POINTS = 8192
LARGE_BYTE = 5e9
BLOCK_POINTS = 1024  # what a worker sends at once


def blocks() -> list[tuple[np.ndarray, np.ndarray]]:
    """Waveforms with some noise, which hardly compress, among smooth ones, which do."""
    generator = np.random.default_rng(0)
    phase = generator.uniform(0, 2 * np.pi, SIGNALS)
    noise = np.linspace(0, 1e-3, SIGNALS)
    recorded = []
    for first in range(0, POINTS, BLOCK_POINTS):
        time_second = 1e-9 * np.arange(first, min(first + BLOCK_POINTS, POINTS))
        smooth = 1.65 + 0.1 * np.sin(2 * np.pi * 1e5 * time_second[:, None] + phase)
        values = smooth + noise * generator.normal(size=smooth.shape)
        values[:, ::4] = np.round(values[:, ::4], 3)  # as a DAC's steps
        recorded.append((time_second, values))
    return recorded


def write_bare(path: Path, recorded: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Whole chunks of each column, without any promise to readers or after a kill."""
    with h5py.File(path, "w") as file:
        columns = [
            file.create_dataset(
                str(number),
                (0,),
                "f8",
                maxshape=(None,),
                chunks=(CHUNK_POINTS,),
                shuffle=True,
                compression="gzip",
                compression_opts=1,
            )
            for number in range(1 + SIGNALS)
        ]
        for first in range(0, len(recorded), CHUNK_POINTS // BLOCK_POINTS):
            part = recorded[first : first + CHUNK_POINTS // BLOCK_POINTS]
            chunk = np.concatenate([np.column_stack(block) for block in part])
            for column, values in zip(columns, chunk.T, strict=True):
                stored = len(column)
                column.resize((stored + len(values),))
                column[stored:] = values


def write_trace(path: Path, recorded: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """As a run does."""
    signals = [Signal(f"block_{number}.out", "V") for number in range(SIGNALS)]
    with TraceWriter.create(path, signals=signals, provenance=PROVENANCE) as writer:
        for block in recorded:
            writer.append(*block)
        writer.finish()


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_a_trace_is_streamed_nearly_as_fast_as_bare_h5py_writes(tmp_path: Path) -> None:
    recorded = blocks()
    seconds: dict[str, list[float]] = {"bare": [], "trace": []}
    for _ in range(2):
        for name, write in (("bare", write_bare), ("trace", write_trace)):
            (tmp_path / name).unlink(missing_ok=True)
            started = time.perf_counter()
            write(tmp_path / name, recorded)
            seconds[name].append(time.perf_counter() - started)
    speed = min(seconds["bare"]) / min(seconds["trace"])
    size = (tmp_path / "trace").stat().st_size / (tmp_path / "bare").stat().st_size
    megabyte = POINTS * (1 + SIGNALS) * 8 / 1e6
    record(
        "trace_store.write",
        {
            "speed": speed,
            "size": size,
            "megabyte_a_second": megabyte / min(seconds["trace"]),
            "points": POINTS,
            "signals": SIGNALS,
        },
    )
    assert speed >= 0.6
    assert size <= 1.05


PLOT = """
import json, resource, sys, time
from pathlib import Path
import matplotlib.pyplot
from cosim.report.trace_figure import draw_trace
from cosim.trace import Trace
started = time.perf_counter()
with Trace.open(sys.argv[1]) as trace:
    draw_trace([trace], ["block_50.out"], Path(sys.argv[2]))
spent = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"second": spent, "megabyte": peak}))
"""


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
def test_a_signal_of_a_large_trace_is_drawn_at_once(tmp_path: Path) -> None:
    """5 GB, of noise, which hardly compresses; a process of its own, for its memory."""
    generator, path = np.random.default_rng(0), tmp_path / "run.h5"
    signals = [Signal(f"block_{number}.out", "V") for number in range(SIGNALS)]
    points = 0
    with TraceWriter.create(path, signals=signals, provenance=PROVENANCE) as writer:
        while path.stat().st_size < LARGE_BYTE:
            time_second = 1e-9 * np.arange(points, points + 8 * BLOCK_POINTS)
            writer.append(time_second, generator.random((len(time_second), SIGNALS)))
            points += len(time_second)
        writer.finish()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # it is read from the disk
    done = subprocess.run(
        [sys.executable, "-c", PLOT, str(path), str(tmp_path / "plot.png")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    record("trace_store.plot", found | {"points": points, "gigabyte": path.stat().st_size / 1e9})
    assert found["second"] < 2
    assert found["megabyte"] < 500

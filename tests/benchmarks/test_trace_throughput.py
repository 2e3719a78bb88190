"""Streaming a trace against bare h5py: the same chunks, filters and data, in the same blocks."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.trace import Signal, Trace, TraceWriter
from tests.trace.recordings import PROVENANCE

SIGNALS = 100
POINTS = 300_000
CHUNK_POINTS = 8192
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
    print(
        f"\n{megabyte:.0f} MB of points: trace {megabyte / min(seconds['trace']):.0f} MB/s, "
        f"{speed:.2f} of bare h5py's speed, {size:.3f} of its size"
    )
    assert speed >= 0.6
    assert size <= 1.05


@pytest.mark.benchmark
def test_a_signal_of_a_large_trace_is_drawn_at_once(tmp_path: Path) -> None:
    write_trace(tmp_path / "run.h5", blocks())
    started = time.perf_counter()
    with Trace.open(tmp_path / "run.h5") as trace:
        trace.decimated("block_50.out", 8000)
    seconds = time.perf_counter() - started
    print(f"\nopened and decimated one of {SIGNALS} signals of {POINTS:,} points: {seconds:.2f} s")
    assert seconds < 2

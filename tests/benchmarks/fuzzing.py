"""Corrupt a trace in many ways and read each: `python -m tests.benchmarks.fuzzing SEED COUNT DIR`.

A process of its own, since a crash, a hang and memory are what is looked for. It prints a JSON
summary; a file that is neither read as recorded nor refused as a TraceError ends it.
"""

import json
import random
import resource
import signal
import sys
import zlib
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from cosim.errors import TraceError
from cosim.trace import Trace
from tests.trace.recordings import record

HANG_SECOND = 10
POINTS = 3_000
FILTERS = {"maxshape": (None,), "compression": "gzip", "shuffle": True}


def cut(content: bytearray, path: Path, draw: random.Random) -> None:
    """Anywhere."""
    path.write_bytes(content[: draw.randrange(len(content))])


def flip(content: bytearray, path: Path, draw: random.Random) -> None:
    """Bits anywhere, or a run of bytes."""
    for _ in range(draw.choice([1, 1, 3, 30, 300])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    if draw.random() < 0.3:
        place, length = draw.randrange(len(content)), draw.randrange(1, 5000)
        content[place : place + length] = draw.randbytes(min(length, len(content) - place))
    path.write_bytes(content)


def foreign(content: bytearray, path: Path, draw: random.Random) -> None:
    """HDF5 of other programs, some with names that a trace has."""
    names = ["time", "progress", "signals/a/b", "columns", "tail", "events", "provenance/netlist",
             "x", "first_points", "outcome", "coupling/time", "members/status"]  # fmt: skip
    with h5py.File(path, "w", libver=draw.choice(["earliest", "v110", "latest"])) as file:
        if draw.random() < 0.7:
            file.attrs["schema"] = draw.choice(
                ["cosim-trace", "nexus", 7, np.bytes_(b"cosim-trace")]
            )
            file.attrs["schema_version"] = draw.choice([2, 1, -1, "two", 2.0, [2, 2]])
        for name in draw.sample(names, draw.randrange(len(names))):
            value = draw.choice(
                [
                    np.arange(10.0),
                    np.array(3),
                    "text",
                    b"bytes",
                    np.zeros((3, 4)),
                    np.arange(5) * 1j,
                ]
            )
            file[name] = value


def bomb(content: bytearray, path: Path, draw: random.Random) -> None:
    """Datasets that claim, or unpack to, far more than they hold."""
    path.write_bytes(content)
    with h5py.File(path, "r+", rdcc_nbytes=0) as file:
        name = draw.choice(
            ["signals/integrator_0/out", "time", "signals/supply/current", "coupling/time"]
        )
        points = POINTS
        del file[name]
        size = draw.choice([10**6, 10**8, 10**9])
        kind = draw.randrange(4)
        if kind == 0:  # gzip
            data = file.create_dataset(name, (points,), "f8", chunks=(8192,), **FILTERS)
            data.id.write_direct_chunk((0,), zlib.compress(bytes(size // 8)))
        elif kind == 1:  # a chunk's size
            chunk = min(size, 2**29 - 1)
            file.create_dataset(name, (points,), "f8", chunks=(chunk,), **FILTERS)
        elif kind == 2:  # the number of points
            file.create_dataset(name, (size * 10**5,), "f8", chunks=(8192,), **FILTERS)
            progress = file["progress"][()]
            progress["points"] = progress["coupling_points"] = size * 10**5
            file["progress"][()] = progress
        else:  # a text
            del file["provenance/netlist"]
            file.create_dataset("provenance/netlist", (), f"S{min(size, 2**31 - 1)}")


KINDS = (cut, flip, foreign, bomb)


def read_all(path: Path) -> list[np.ndarray]:
    """Everything that a user can ask for."""
    with Trace.open(path) as trace:
        assert trace.provenance and repr(trace) and trace.events is not None
        trace.verify()
        tables = trace, trace.coupling
        return [table[name].values for table in tables for name in table] + [trace.time_second]


def reading(path: Path) -> tuple[str, list[np.ndarray]]:
    """What the error says, or what was read."""
    try:
        return "", read_all(path)
    except TraceError as error:
        return str(error), []


def main() -> None:
    """Read so many corrupted files."""
    seed, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    draw, good, spoiled = random.Random(seed), folder / "good.h5", folder / "spoiled.h5"
    record(good, POINTS)
    expected, whole = read_all(good), good.read_bytes()
    outcomes: Counter[str] = Counter()
    for number in range(count):
        spoil = KINDS[number % len(KINDS)]
        spoil(bytearray(whole), spoiled, draw)
        signal.alarm(HANG_SECOND)  # ends the process
        said, read = reading(spoiled)
        if said:
            assert "\n" not in said and len(said) > 40
        else:
            same = all(map(np.array_equal, read, expected))
            assert same, f"{spoil.__name__} {number} was read as something else"
        outcomes[f"{spoil.__name__} {'refused' if said else 'harmless'}"] += 1
        signal.alarm(0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"outcomes": outcomes, "peak_megabyte": peak}))


if __name__ == "__main__":
    main()

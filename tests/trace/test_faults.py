"""What cannot be written, and what cannot be trusted, is told in one paragraph."""

import os
import random
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.errors import TraceError
from cosim.trace import Trace, TraceWriter
from tests.trace.recordings import PROVENANCE, SIGNALS, record


def create(path: Path, **options: bool) -> TraceWriter:
    """A writer of the usual signals."""
    return TraceWriter.create(path, signals=SIGNALS, provenance=PROVENANCE, **options)


def names_in(folder: Path) -> list[str]:
    """What a folder holds."""
    return sorted(path.name for path in folder.iterdir())


def read_all(path: Path) -> list[np.ndarray]:
    """Everything that a user can ask for."""
    with Trace.open(path) as trace:
        assert trace.provenance
        assert repr(trace)
        assert len(trace.events) == 2
        trace.verify()
        return [trace.time_second, *(trace[name].values for name in trace),
                *(trace.coupling[name].values for name in trace.coupling)]  # fmt: skip


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "run.h5"
    record(path)
    return path


@pytest.fixture
def damaged(good: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copy(good, tmp_path / "run.h5"))


# -- writing --------------------------------------------------------------------------------------


@contextmanager
def largest_file(size_byte: int) -> Iterator[None]:
    """As on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_byte, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_existing_file_is_not_overwritten(damaged: Path) -> None:
    before = damaged.read_bytes()
    with pytest.raises(TraceError, match=r"not overwritten.*--force"):
        create(damaged)
    assert damaged.read_bytes() == before
    assert names_in(damaged.parent) == ["run.h5"]


def test_a_file_that_appears_at_the_last_moment_is_not_overwritten(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    (tmp_path / "run.h5").write_text("somebody else's")
    with pytest.raises(TraceError, match="not overwritten"):
        create(tmp_path / "run.h5")
    assert (tmp_path / "run.h5").read_text() == "somebody else's"
    assert names_in(tmp_path) == ["run.h5"]


def test_overwriting_replaces_the_file(damaged: Path) -> None:
    with create(damaged, overwrite=True) as writer:
        writer.finish()
    with Trace.open(damaged) as trace:
        assert trace.points == 0
    assert names_in(damaged.parent) == ["run.h5"]


def test_the_old_file_survives_a_failed_replacement(damaged: Path) -> None:
    before = damaged.read_bytes()
    with largest_file(1000), pytest.raises(TraceError, match="cannot be created: File too large"):
        create(damaged, overwrite=True)
    assert damaged.read_bytes() == before
    assert names_in(damaged.parent) == ["run.h5"]


def test_the_old_trace_stays_readable_where_it_is_open(damaged: Path) -> None:
    with Trace.open(damaged) as trace:
        with create(damaged, overwrite=True) as writer:
            writer.finish()
        trace.verify()
        assert trace.points == 20_000


@pytest.mark.parametrize("place", ["missing/run.h5", "file/run.h5", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(TraceError, match=f"{tmp_path / place} cannot be created"):
        create(tmp_path / place, overwrite=True)
    assert names_in(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TraceError, match="Permission denied"):
        create(tmp_path / "run.h5")


# -- reading --------------------------------------------------------------------------------------


def _write_text(path: Path) -> None:
    path.write_text("time,out\n0,1\n" * 1000)


def _write_foreign_hdf5(path: Path) -> None:
    with h5py.File(path, "w", libver="v110") as file:
        file["x"] = np.arange(10)


def _write_later_version(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "There is no trace"),
        (lambda path: os.truncate(path, 0), "cannot be read as a trace"),
        (lambda path: os.truncate(path, 500), "cannot be read as a trace"),
        (lambda path: os.truncate(path, 40_000), "cannot be read as a trace"),
        (_write_text, "cannot be read as a trace"),
        (_write_foreign_hdf5, "not a cosim trace"),
        (_write_later_version, "schema version 3"),
    ],
)
def test_what_is_no_trace_is_told_apart(damaged: Path, spoil, message: str) -> None:
    spoil(damaged)
    with pytest.raises(TraceError, match=message) as caught:
        read_all(damaged)
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_pipe_is_no_trace(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(TraceError, match="There is no trace"):
            Trace.open(path)


OUT = "signals/integrator_0/out"
CHUNKED = {"maxshape": (None,), "compression": "gzip", "shuffle": True}


def _bomb_chunk(file: h5py.File) -> None:
    """8,192 points by their shape, 80 MB of zeros by their gzip stream."""
    import zlib

    del file[OUT]
    dataset = file.create_dataset(OUT, (20_000,), "f8", chunks=(8192,), **CHUNKED)
    dataset.id.write_direct_chunk((0,), zlib.compress(bytes(80_000_000)))


def _bomb_shape(file: h5py.File) -> None:
    """Points that no chunk holds: they would all be zero."""
    del file[OUT]
    file.create_dataset(OUT, (10**15,), "f8", chunks=(8192,), **CHUNKED)
    file["progress"][()] = np.array((10**15, 0, 0, 0, 0, b"running"), file["progress"].dtype)


def _external_link(file: h5py.File) -> None:
    del file[OUT]
    file[OUT] = h5py.ExternalLink("/etc/other.h5", "/x")


def _external_group(file: h5py.File) -> None:
    del file["signals/integrator_0"]
    file["signals/integrator_0"] = h5py.ExternalLink("/etc/other.h5", "/x")


def _external_file(file: h5py.File) -> None:
    del file["progress"]
    kind = np.dtype([("points", "<i8")])
    file.create_dataset("progress", (), kind, external=[("/etc/passwd", 0, 8)])


def _virtual(file: h5py.File) -> None:
    del file[OUT]
    layout = h5py.VirtualLayout((20_000,), "f8")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (20_000,))
    file.create_virtual_dataset(OUT, layout)


def _other_type(file: h5py.File) -> None:
    del file[OUT]
    file.create_dataset(OUT, (20_000,), "f4", chunks=(8192,), **CHUNKED)


def _other_filter(file: h5py.File) -> None:
    del file[OUT]
    file.create_dataset(OUT, (20_000,), "f8", chunks=(8192,), maxshape=(None,), compression="lzf")


def _huge_chunks(file: h5py.File) -> None:
    del file[OUT]
    file.create_dataset(OUT, (20_000,), "f8", chunks=(100_000_000,), **CHUNKED)


def _huge_provenance(file: h5py.File) -> None:
    del file["provenance/netlist"]
    file.create_dataset("provenance/netlist", (), "S2000000000")


def _strings_on_the_heap(file: h5py.File) -> None:
    del file["provenance/netlist"]
    file["provenance/netlist"] = "of variable length"


def _missing_signal(file: h5py.File) -> None:
    del file[OUT]


def _too_few_points(file: h5py.File) -> None:
    file[OUT].resize((19_999,))


def _unknown_status(file: h5py.File) -> None:
    progress = file["progress"][()]
    progress["status"] = b"perfect"
    file["progress"][()] = progress


def _negative_first_point(file: h5py.File) -> None:
    file["first_points"][0] = [-1, 0]


def _too_few_first_points(file: h5py.File) -> None:
    del file["first_points"]
    file["first_points"] = np.zeros((0, 2), "<i8")


@pytest.mark.parametrize(
    "spoil",
    [_bomb_chunk, _bomb_shape, _external_link, _external_group, _external_file, _virtual,
     _other_type, _other_filter, _huge_chunks, _huge_provenance, _strings_on_the_heap,
     _missing_signal, _too_few_points, _unknown_status, _negative_first_point,
     _too_few_first_points],
)  # fmt: skip
def test_what_no_writer_has_written_is_refused_before_it_costs_memory(damaged, spoil) -> None:
    with h5py.File(damaged, "r+", rdcc_nbytes=0) as file:
        spoil(file)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TraceError, match=r"cannot be read as a trace|damaged"):
        read_all(damaged)
    grown_kilobyte = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kilobyte < 50_000


def test_other_signals_of_a_damaged_file_remain_readable(damaged: Path) -> None:
    with h5py.File(damaged, "r+") as file:
        _missing_signal(file)
    with Trace.open(damaged) as trace:
        assert len(trace["integrator_1.out"].values) == 20_000


def _change_value(file: h5py.File) -> None:
    file[OUT][12_345] = np.nextafter(file[OUT][12_345], 2)


def _change_coupling(file: h5py.File) -> None:
    file["coupling/time"][3] += 1e-24


def _change_netlist(file: h5py.File) -> None:
    netlist = file["provenance/netlist"][()]
    file["provenance/netlist"][()] = netlist.replace(b"1k", b"2k")


def _change_seed(file: h5py.File) -> None:
    file["provenance/seeds"].attrs.modify("initial_conditions", 8)


def _change_unit(file: h5py.File) -> None:
    file[OUT].attrs["units"] = np.bytes_(b"A")


def _change_event(file: h5py.File) -> None:
    event = file["events"][1]
    event["kind"] = b"nota"
    file["events"][1] = event


def _change_wall_time(file: h5py.File) -> None:
    outcome = file["outcome"][()]
    outcome["wall_time_second"] += 1.0
    file["outcome"][()] = outcome


def _drop_points(file: h5py.File) -> None:
    progress = file["progress"][()]
    progress["points"] -= 1
    file["progress"][()] = progress


def _change_status(file: h5py.File) -> None:
    progress = file["progress"][()]
    progress["status"] = b"failed"
    file["progress"][()] = progress


def _pass_over_points(file: h5py.File) -> None:
    file["first_points"][0] = [1, 1]


@pytest.mark.parametrize(
    "change",
    [_change_value, _change_coupling, _change_netlist, _change_seed, _change_unit, _change_event,
     _change_wall_time, _drop_points, _change_status, _pass_over_points],
)  # fmt: skip
def test_verify_finds_any_change(damaged: Path, change) -> None:
    with h5py.File(damaged, "r+") as file:
        change(file)
    with Trace.open(damaged) as trace, pytest.raises(TraceError, match="was changed"):
        trace.verify()


def test_an_unfinished_trace_has_nothing_to_verify_against(tmp_path: Path) -> None:
    with (
        create(tmp_path / "run.h5"),
        Trace.open(tmp_path / "run.h5") as trace,
        pytest.raises(TraceError, match="not finished or was killed"),
    ):
        trace.verify()


@pytest.mark.parametrize("seed", range(10))
def test_flipped_bits_and_cuts_are_found_or_harmless(good: Path, damaged: Path, seed: int) -> None:
    """Harmless are bits that nothing reads: unused space and what is left of the tail."""
    expected = read_all(good)
    whole = good.read_bytes()
    draw = random.Random(seed)
    found = 0
    for _ in range(8):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 1, 100])):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        if draw.random() < 0.2:
            del content[draw.randrange(len(content)) :]
        damaged.write_bytes(content)
        started = time.monotonic()
        try:
            read = read_all(damaged)
        except TraceError:
            found += 1
        else:
            assert all(map(np.array_equal, read, expected))
        assert time.monotonic() - started < 5
    assert found > 0

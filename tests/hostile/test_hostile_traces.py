"""Hostile traces: refused, or read as they were recorded; no other file is touched."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.errors import TraceError
from cosim.trace import Trace
from cosim.trace.exchange import export_trace
from tests.hostile.outside import Outside

PLACES = (
    "time", "signals/integrator_0/out", "signals/integrator_0", "signals", "coupling/time",
    "coupling", "progress", "first_points", "outcome", "events", "columns", "tail",
    "provenance/netlist", "provenance/seeds", "provenance",
)  # fmt: skip


def _virtual(file: h5py.File, place: str, outside: str) -> None:
    layout = h5py.VirtualLayout((500,), "f8")
    layout[:] = h5py.VirtualSource(f"{outside}/evil.h5", "x", (500,))
    file.create_virtual_dataset(place, layout)


def _external(file: h5py.File, place: str, outside: str) -> None:
    file.create_dataset(place, (8,), "f8", external=[(f"{outside}/secret.txt", 0, 64)])


def _linked(file: h5py.File, place: str, outside: str) -> None:
    file[place] = h5py.ExternalLink(f"{outside}/evil.h5", "/x")


def _piped(file: h5py.File, place: str, outside: str) -> None:
    pipe = Path(file.filename).with_name("pipe")
    os.mkfifo(pipe)
    file[place] = h5py.ExternalLink(str(pipe), "/x")


def _circle(file: h5py.File, place: str, _: str) -> None:
    file[place] = h5py.SoftLink(f"/{place}")


def _self(file: h5py.File, place: str, _: str) -> None:
    file[place] = h5py.SoftLink("/")


def _huge(file: h5py.File, place: str, _: str) -> None:
    file.create_dataset(place, (10**15,), "f8", chunks=(8192,), maxshape=(None,))


def _text(file: h5py.File, place: str, _: str) -> None:
    file[place] = "of variable length \x1b]0;x\x07"


def _complex(file: h5py.File, place: str, _: str) -> None:
    file[place] = np.full(500, np.nan * 1j)


def _deep(file: h5py.File, place: str, _: str) -> None:
    file.create_group("/".join([place, *["g"] * 300]))


ATTACKS: dict[str, Callable[[h5py.File, str, str], None]] = {
    "external link": _linked, "link to a pipe": _piped, "external storage": _external,
    "virtual dataset": _virtual, "circle of links": _circle, "link to the root": _self,
    "10^15 points": _huge, "text": _text, "complex": _complex, "300 groups": _deep,
}  # fmt: skip


@pytest.fixture(scope="module")
def expected(good: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return _read(good, tmp_path_factory.mktemp("out"))


def _read(path: Path, folder: Path) -> list[bytes]:
    """Everything that a user can ask for."""
    with Trace.open(path) as trace:
        said = [repr(trace), str(trace.provenance), str(trace.events), str(trace.summary())]
        trace.verify()
        tables = trace, trace.coupling
        values = [table[name].values.tobytes() for table in tables for name in table]
        export_trace(trace, folder / "run.csv")
    path_free = [one.replace(str(path), "").encode() for one in said[1:3]]
    return [*path_free, *values, (folder / "run.csv").read_bytes()]


def _attempt(path: Path, folder: Path) -> tuple[str, list[bytes]]:
    """What the error says, or what was read."""
    try:
        return "", _read(path, folder)
    except TraceError as error:
        return str(error), []


def test_there_are_enough() -> None:
    assert len(ATTACKS) * len(PLACES) >= 60


@pytest.mark.parametrize("place", PLACES)
def test_it_is_refused_or_read_as_recorded(
    place: str, good: Path, expected: list[bytes], tmp_path: Path, bait: Outside
) -> None:
    for number, (attack, spoil) in enumerate(ATTACKS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = Path(shutil.copy(good, folder / "run.h5"))
        with h5py.File(path, "r+") as file:
            del file[place]
            spoil(file, place, str(bait.folder))
        bait.touched()  # by HDF5, while it was made
        said, read = _attempt(path, folder)
        assert "\n" not in said, attack
        assert said or read == expected, attack


@pytest.mark.parametrize(
    "name",
    ["a\x1b[2J", "x/../../y", "[/nope]", "e\u202ehcnuL", "a" * 5000, "time", "\x00", "member"],
)
def test_hostile_names_are_refused(name: str, good: Path, tmp_path: Path, bait: Outside) -> None:
    path = Path(shutil.copy(good, tmp_path / "run.h5"))
    with h5py.File(path, "r+") as file:
        columns = [one.decode() for one in file["columns"][:]]
        del file["columns"]
        file["columns"] = np.array(
            [*(one.encode() for one in columns[:-1]), name.encode()], dtype="S5000"
        )
    with pytest.raises(TraceError) as refused:
        _read(path, tmp_path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 2000


@pytest.mark.parametrize("attribute", ["schema", "schema_version"])
@pytest.mark.parametrize(
    "value",
    [b"", "\x1b]0;x", -1, 2**60, np.nan, [2, 2], np.bytes_(b"trace\0x"), h5py.Empty("f8")],
    ids=str,
)
def test_hostile_attributes_are_refused(
    attribute: str, value: object, good: Path, tmp_path: Path, bait: Outside
) -> None:
    path = Path(shutil.copy(good, tmp_path / "run.h5"))
    with h5py.File(path, "r+") as file:
        file.attrs[attribute] = value
    with pytest.raises(TraceError) as refused:
        _read(path, tmp_path)
    assert "\n" not in str(refused.value)

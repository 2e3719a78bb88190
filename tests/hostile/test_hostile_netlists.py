"""Hostile netlists: refused by name or made harmless; no command runs, no other file is touched."""

import os
import time
import traceback
from functools import partial
from pathlib import Path

import pytest

from cosim.engine.isolated import isolated
from tests.hostile.netlists import BOMBS, HARMLESS, REFUSED, Files
from tests.hostile.outside import Outside

ALL = {**HARMLESS, **REFUSED}
LONGEST_SECOND = 5.0
MOST_BYTE = 2**30
WAIVED = ("floating-node", "no-dc-path", "unknown-model", "title-is-element")
"""Rules that hostile netlists break besides."""


def put(folder: Path, files: Files, outside: Outside) -> Path:
    """Write a netlist's files."""
    (folder / "sub").mkdir(parents=True)
    (folder / "link.inc").symlink_to(outside.folder / "secret.inc")
    (folder / "linked").symlink_to(outside.folder)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        match text if name == "special" else "":
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/stdin")
            case "endless":
                path.symlink_to("/dev/zero")
            case "folder":
                path.mkdir()
            case "linked":
                path.symlink_to(outside.folder / "secret.inc")
            case _:
                encoding = "utf-16-le" if text.startswith("\ufeff") else "utf8"
                text = text.replace("CANARY", str(outside.canary))
                path.write_bytes(text.replace("OUTSIDE", str(outside.folder)).encode(encoding))
    alone = "special" in files and "include" not in files["a.cir"]
    return folder / ("special" if alone else "a.cir")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    return Outside(tmp_path_factory.mktemp("hostile") / "outside")


@pytest.fixture(scope="module")
def ended(
    outside: Outside, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, str, float]]:
    """How each netlist ended: the kind of error or ''; what was said; CPU time in seconds."""
    home = outside.folder.parent
    paths = {
        name: put(home / str(number), files, outside)
        for number, (name, files) in enumerate(ALL.items())
    }
    outside.touched()  # those that put them there
    before = os.environ.get("HOME", "")
    os.environ["HOME"] = str(outside.folder)
    try:
        ends, most_byte = isolated(partial(_ends, paths), closed=True)
    finally:
        os.environ["HOME"] = before
    assert most_byte < MOST_BYTE
    return ends


def _ends(paths: dict[str, Path]) -> tuple[dict[str, tuple[str, str, float]], int]:
    from cosim.errors import CosimError
    from cosim.simulation.analysis import simulate_file

    ends = {}
    for name, path in paths.items():
        started = time.process_time()
        try:
            vectors = simulate_file(path, confirmed=False, allow=WAIVED).vectors
            end = "", f"{vectors['b'][-1]:.6g}"
        except CosimError as error:
            end = type(error).__name__, str(error)
        except BaseException:
            end = "Traceback", traceback.format_exc()
        ends[name] = *end, time.process_time() - started
    return ends, _most_byte()


def _most_byte() -> int:
    """Of this process alone: `ru_maxrss` begins at what the one that started it had."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) * 1024


def test_there_are_enough() -> None:
    assert len(ALL) >= 200 and len(HARMLESS) >= 20


def test_nobody_touches_what_is_outside(ended: object, outside: Outside) -> None:
    assert not outside.touched()
    assert not outside.canary.exists()


def test_the_watch_sees_what_is_touched(outside: Outside) -> None:
    outside.touched()
    (outside.folder / "secret.inc").read_text()
    assert outside.touched() == {"secret.inc"}


def test_it_ends_soon_and_well(ended: dict[str, tuple[str, str, float]]) -> None:
    late = {name: second for name, (_, _, second) in ended.items() if second > LONGEST_SECOND}
    assert not late
    assert not {name: said for name, (kind, said, _) in ended.items() if kind == "Traceback"}


def test_the_harmless_runs(ended: dict[str, tuple[str, str, float]]) -> None:
    assert {ended[name][:2] for name in HARMLESS} == {("", "0.5")}, {
        name: ended[name] for name in HARMLESS if ended[name][:2] != ("", "0.5")
    }


def test_the_others_are_refused_in_a_paragraph(ended: dict[str, tuple[str, str, float]]) -> None:
    wrong = {
        name: (kind, said[:300])
        for name, (kind, said, _) in ended.items()
        if name in REFUSED
        and (kind not in ("NetlistError", "ConfigurationError") or "\n" in said or len(said) > 2000)
    }
    assert not wrong


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_reach_ngspice(name: str, ended: dict[str, tuple[str, str, float]]) -> None:
    assert "ngspice does not accept" not in ended[name][1]

"""Being safe is not being useless: sound decks in many dialects give what plain ngspice gives, and
what is written anew for ngspice gives the same bits.
"""

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cosim.diffusion.golden import PROJECT_NETLISTS
from cosim.engine.isolated import isolated
from cosim.engine.library import find_library
from cosim.netlist.reading import read_text
from cosim.netlist.writing import written
from tests.netlist.foreign_decks import DECKS, encoded
from tests.plain_ngspice import read_raw

SMALL = ("voltage_reference", "relu_diode", "opamp")
"""Of the project's netlists: those that take little time."""

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""The library and the program are one ngspice, compiled twice."""

MODELS = ".ngspice/gf180mcu"

Vectors = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each deck's folder."""
    made = {}
    for name, files in DECKS.items():
        made[name] = tmp_path_factory.mktemp("deck")
        for file, text in files.items():
            path = made[name] / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encoded(name, text))
    return made


@pytest.fixture(scope="module")
def plainly(folders: dict[str, Path]) -> Iterator[dict[str, Vectors]]:
    """What plain `ngspice -b -r` gives."""
    executable = find_library().executable_path
    if executable is None:
        pytest.skip("no plain ngspice beside the library; `make setup` installs one")
    with ThreadPoolExecutor(2) as pool:
        yield dict(
            zip(folders, pool.map(partial(_batch, executable), folders.values()), strict=True)
        )


def _batch(executable: Path, folder: Path) -> Vectors:
    command = [str(executable), "-b", "-r", "out.raw", "a.cir"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert (folder / "out.raw").exists(), done.stderr.decode(errors="replace")
    return {_ours(name): values for name, values in read_raw(folder / "out.raw").items()}


def _ours(name: str) -> str:
    """`v(a)` as `a`, `i(v1)` as `v1#branch`, `i(@r1[i])` as `@r1[i]`."""
    match = re.fullmatch(r"([vi])\((.*)\)", name)
    if match is None:
        return name
    return match[2] + ("#branch" if match[1] == "i" and match[2][0] != "@" else "")


@pytest.fixture(scope="module")
def answered(folders: dict[str, Path]) -> dict[str, tuple[str, Vectors, bool]]:
    """By deck: why it is refused, what `cosim simulate` gives, and whether it gives the bits that
    the deck itself gives ngspice.
    """
    netlists = [PROJECT_NETLISTS / f"{name}.cir" for name in SMALL]
    return isolated(_answers, folders, netlists)


def _answers(
    folders: dict[str, Path], netlists: list[Path]
) -> dict[str, tuple[str, Vectors, bool]]:
    from cosim.engine.session import NgspiceSession
    from cosim.errors import CosimError
    from cosim.simulation.analysis import simulate_file

    session = NgspiceSession.start()
    answers: dict[str, tuple[str, Vectors, bool]] = {}
    for name, folder in folders.items():
        try:
            vectors = simulate_file(folder / "a.cir", confirmed=False).vectors
            answers[name] = "", vectors, _same_bits(session, folder / "a.cir")
        except CosimError as error:
            answers[name] = str(error), {}, False
    for path in netlists:
        answers[path.stem] = "", {}, _same_bits(session, path)
    return answers


def _same_bits(session, path: Path) -> bool:  # type: ignore[no-untyped-def]
    """Whether ngspice gives the same of a file as it stands and as it is written anew."""
    import os

    text, before = read_text(path), Path.cwd()
    os.chdir(path.parent)
    try:
        end = "" if text.rstrip().lower().endswith(".end") else "\n.end\n"
        as_it_stands = session.run_unaudited(text + end)
    finally:
        os.chdir(before)
    rewritten = session.run_unaudited(written(text, path))
    return as_it_stands.keys() == rewritten.keys() and all(
        np.array_equal(values, rewritten[name], equal_nan=True)
        for name, values in as_it_stands.items()
    )


def test_there_are_enough() -> None:
    assert len(DECKS) >= 60


@pytest.mark.parametrize("name", DECKS)
def test_it_is_accepted_and_right(name: str, answered, plainly) -> None:  # type: ignore[no-untyped-def]
    refused, vectors, _ = answered[name]
    assert not refused
    compared = 0
    for vector, expected in plainly[name].items():
        if vector in vectors:  # the program gives XSPICE's currents other names
            np.testing.assert_allclose(
                vectors[vector], expected, RELATIVE, ABSOLUTE, err_msg=vector
            )
            compared += 1
    assert compared >= min(2, len(plainly[name]))


@pytest.mark.parametrize("name", [*DECKS, *SMALL])
def test_what_is_written_anew_gives_the_same_bits(name: str, answered) -> None:  # type: ignore[no-untyped-def]
    assert answered[name][2]


@pytest.mark.parametrize("path", sorted(PROJECT_NETLISTS.glob("*.cir")), ids=lambda path: path.stem)
def test_project_netlist_is_written_statement_by_statement(path: Path) -> None:
    text = read_text(path)
    title, *lines = re.sub(r"\n\+", " ", "\n".join(_uncommented(text))).split("\n")
    installed = str((PROJECT_NETLISTS.parent / MODELS).resolve())
    expected = [" ".join(line.split()).replace(f"../{MODELS}", installed) for line in lines]
    assert written(text, path).split("\n")[1:-1] == expected
    assert title == text.split("\n")[0]


def _uncommented(text: str) -> list[str]:
    """Lines that are no comments, cut off at those that follow a statement."""
    title, *lines = text.rstrip("\n").split("\n")
    cut = [re.split(r" [$;] |;", line)[0].rstrip() for line in lines]
    return [title, *(line for line in cut if line and not line.startswith("*"))]

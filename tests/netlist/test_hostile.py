"""What ngspice is given of a netlist, and the limits of netlists; hostile ones: `tests/hostile`."""

import os
from pathlib import Path

import numpy as np
import pytest

from cosim.diffusion.golden import PROJECT_NETLISTS
from cosim.engine.session import NgspiceSession
from cosim.errors import CosimError
from cosim.netlist.check import check
from cosim.netlist.reading import read_text
from cosim.netlist.writing import without_comments, written
from cosim.simulation.analysis import simulate_file

DIVIDER = "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n"
OP = f"title\n{DIVIDER}.op\n.end\n"


def put(folder: Path, files: dict[str, str]) -> None:
    """Write files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "title", ["*ng_script", "*#shell x", ".title\x1b]0;x", "a\x00`b`", ".include x", " +.x"]
)
def test_title_and_comments_do_not_reach_ngspice(title: str) -> None:
    first, *rest = without_comments(f"{title}\n*#shell x\n  *# y\n\nR1 a 0 1k").split("\n")
    assert rest == ["*", "*", "*", "R1 a 0 1k"]
    assert first[0].isalnum()
    assert first.isascii() and first.isprintable() and "`" not in first


def test_what_is_written_has_no_file_of_the_users(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "corners.lib": ".lib slow\n.param r0=2k ; comment\n.endl\n.lib fast\nR9 a 0\n.endl\n",
            "sub/part.inc": ".incl deeper.inc\n* comment\nR2 b 0\n+ {r0} $ ohm\n",
            "sub/deeper.inc": "R1 a b {r0}\n",
        },
    )
    text = "t*\n.lib corners.lib slow\n.include 'sub/part.inc'\nV1 a 0 1\n.op\n.end\n"
    assert written(text, tmp_path / "a.cir").splitlines() == [
        "t", ".param r0=2k", "R1 a b {r0}", "R2 b 0 {r0}", "V1 a 0 1", ".op", ".end",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["voltage_reference", "relu_diode", "opamp"])
def test_rewritten_netlist_gives_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = PROJECT_NETLISTS / f"{name}.cir"
    text = read_text(path)
    session = NgspiceSession.start()
    monkeypatch.chdir(path.parent)
    as_it_stands = session.run_unaudited(text)
    rewritten = session.run_unaudited(written(text, path))
    assert as_it_stands.keys() == rewritten.keys()
    for vector, values in as_it_stands.items():
        assert np.array_equal(values, rewritten[vector]), vector


# -- limits -------------------------------------------------------------------------------------

EMPTY_BOMB = "".join(
    f".subckt s{level} a\n" + f"X1 a s{level + 1}\nX2 a s{level + 1}\n" * 4 + ".ends\n"
    for level in range(25)
)


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (f"R3 a 0 {'9' * 20_000}!", "300 digits"),
        (f".param x={'1' * 20_000}.{'1' * 20_000}!", "300 digits"),
        (f"B1 c 0 v={'.' + '7' * 5000}\nR3 c 0 1", "300 digits"),
        (f"* a long one\nR3 a 0 1 {'x' * 8_100_000}", "8000000 characters"),
        (EMPTY_BOMB + ".subckt s25 a\n.ends\nX1 a s0", "300000 devices"),
        (EMPTY_BOMB.replace("X2", "X3") + ".subckt s25 a\nR1 a 0 1\n.ends\nX1 a s0", "300000"),
    ],
)
def test_bounded_work(body: str, limit: str) -> None:
    findings = check(f"title\n{DIVIDER}{body}\n.op\n.end\n")
    assert any(limit in str(finding) for finding in findings), [str(f)[:300] for f in findings]


def test_diamonds_of_includes(tmp_path: Path) -> None:
    for level in range(18):
        (tmp_path / f"{level}.inc").write_text(f".include {level + 1}.inc\n" * 2)
    (tmp_path / "18.inc").write_text("* nothing\n")
    findings = check(OP.replace(".op", ".include 0.inc\n.op"), tmp_path / "a.cir")
    assert "at most 500 files" in str(findings[0]) and len(findings) < 50


def test_nested_includes(tmp_path: Path) -> None:
    for level in range(2000):
        (tmp_path / f"{level}.inc").write_text(f".incl '{level + 1}.inc'\n")
    (finding,) = check(OP.replace(".op", ".include 0.inc\n.op"), tmp_path / "a.cir")
    assert "at most 20 inside each other" in str(finding)


@pytest.mark.parametrize("included", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_opened(kind: str, included: bool, tmp_path: Path) -> None:
    special = tmp_path / "special"
    if kind == "pipe":
        os.mkfifo(special)
    elif kind == "device":
        special.symlink_to("/dev/zero")
    else:
        special.mkdir()
    path = special
    if included:
        path = tmp_path / "a.cir"
        path.write_text(OP.replace(".op", ".include special\n.op"))
    with pytest.raises(CosimError):
        simulate_file(path)

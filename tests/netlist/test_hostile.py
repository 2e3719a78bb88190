"""Hostile netlists: refused by name or made harmless; no command runs, no other file is read."""

import os
from pathlib import Path

import numpy as np
import pytest

from cosim.diffusion.golden import PROJECT_NETLISTS
from cosim.engine.session import NgspiceSession
from cosim.errors import CosimError, NetlistError
from cosim.netlist.check import check, errors
from cosim.netlist.circuit import Netlist
from cosim.netlist.reading import read_text
from cosim.netlist.writing import without_comments, written
from cosim.simulation.analysis import simulate_file

DIVIDER = "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n"
OP = f"title\n{DIVIDER}.op\n.end\n"

HARMLESS: dict[str, dict[str, str]] = {
    "command in a comment": {"a.cir": f"title\n{DIVIDER}*#shell touch CANARY\n.op\n.end\n"},
    "command in an indented comment": {
        "a.cir": f"title\n{DIVIDER}  *# shell touch CANARY\n.op\n.end\n"
    },
    "command in an included comment": {
        "a.cir": f"title\n.include part.inc\n{DIVIDER}.op\n.end\n",
        "part.inc": "*#shell touch CANARY\n",
    },
    "script as a title": {"a.cir": f"*ng_script\n{DIVIDER}.op\n.end\n"},
    "script as a title, with spaces": {"a.cir": f"  *NG_SCRIPT shell touch CANARY\n{DIVIDER}.op\n"},
    "commands after .end of an include": {
        "a.cir": f"title\n.include part.inc\n{DIVIDER}.op\n.end\n",
        "part.inc": ".end\n.control\nshell touch CANARY\n.endc\n",
    },
    "commands after .END of a library": {
        "a.cir": f"title\n.libx part.inc\n{DIVIDER}.op\n.end\n",
        "part.inc": "R9 a 0 1k\n.END\n*#shell touch CANARY\n",
    },
    "commands after .end of the netlist": {
        "a.cir": f"{OP}.control\nshell touch CANARY\n.endc\n",
    },
}
"""Files of netlists that run; CANARY stands for a path that must not appear."""

COMMANDS = ".control\nshell touch CANARY\n.endc\n"
REFUSED: dict[str, dict[str, str]] = {
    "control": {"a.cir": f"title\n{DIVIDER}{COMMANDS}.op\n"},
    "control after a form feed": {"a.cir": f"title\n{DIVIDER}\f{COMMANDS}.op\n"},
    "control after a vertical tab": {"a.cir": f"title\n{DIVIDER}\v.CONTROL\nshell x\n.endc\n.op\n"},
    "control in an untaken branch": {"a.cir": f"title\n{DIVIDER}.if 0\n{COMMANDS}.endif\n.op\n"},
    **{
        f"control in a {word}": {
            "a.cir": f"title\n{DIVIDER}{word} part.inc\n.op\n", "part.inc": COMMANDS,
        }
        for word in (".include", ".inc", ".incl", ".INCLUDES", ".incx", ".lib", ".libx", ".LIBRARY")
    },
    "included in an untaken branch": {
        "a.cir": f"title\n{DIVIDER}.if 0\n.incl part.inc\n.endif\n.op\n", "part.inc": COMMANDS,
    },
    "form feed and .end in an include": {
        "a.cir": f"title\n{DIVIDER}.include part.inc\n.op\n",
        "part.inc": f"R7 a 0 1k\n\f.control\nshell touch CANARY\n.endc\n.end\n{COMMANDS}",
    },
    **{
        f"included {name}": {"a.cir": f"title\n{DIVIDER}{word} {name}\n.op\n"}
        for word in (".include", ".incx", ".libs")
        for name in ("/etc/passwd", "~/x", "$HOME/x", "'../x'", '"~root/x"', "${HOME}/x")
    },
    "decoy of ~": {"a.cir": f"title\n{DIVIDER}.include ~/x\n.op\n", "~/x": "R9 a 0 1k\n"},
    "decoy of a variable": {
        "a.cir": f"title\n{DIVIDER}.include $V/x\n.op\n", "$V/x": "R9 a 0 1k\n",
    },
    **{
        f"model {model}": {
            "a.cir": f"title\n{DIVIDER}A1 [a] [b] m\nR8 a 0 1k\n.model m {model}\n.op\n"
        }
        for model in (
            'd_cosim(simulation="./evil.so")', 'D_COSIM (simulation = "./evil.so")',
            'd_process(process_file="touch CANARY")', 'd_source(input_file="x")',
            'd_source (input_file "x")', 'd_state(state_file="x")', 'filesource(file="x")',
            'filesource (file "x")', 'table2d(offset=0 file "x")', 'table3d(file="x")',
            'xfer(file="x")', '"d_cosim"(simulation="x")', "{kind}", "(d_source input_file x)",
            "unheard_of(a=1)",
        )
    },
    "model after a comma": {"a.cir": f"title\n{DIVIDER}.model m,d_cosim gain\n.op\n"},
    "model of a form feed": {"a.cir": f"title\n{DIVIDER}.model m\fd_cosim gain\n.op\n"},
    "source that reads a file": {"a.cir": f"title\n{DIVIDER}V2 c 0 pwl(file='x')\nR3 c 0 1\n.op\n"},
    "source that reads a file, without =": {
        "a.cir": f"title\n{DIVIDER}V2 c 0 pwl file \"x\"\nR3 c 0 1\n.op\n"
    },
    **{
        f"line '{line}'": {"a.cir": f"title\n{DIVIDER}{line}\n.op\n"}
        for line in (
            "shell touch CANARY", "codemodel ./evil.cm", "pre_codemodel ./evil.cm",
            "osdi ./evil.osdi", "pre_osdi ./evil.osdi", ".pre_osdi ./evil.osdi", "source x",
            "alias op shell touch CANARY", ".exec touch CANARY", "! touch CANARY",
            ".param x=`touch CANARY`", ".hdl evil.va", ".load x", ".write x", ".macro x", ".mod x",
            ".options ngdebug", ".options sourcepath=x", "N1 a 0 evil", "Y1 a 0 b 0 evil",
            "\x1b]0;x", "R3 a 0 1\x00", "R3 a 0 \x9b1",
        )
    },
}  # fmt: skip


def put(folder: Path, files: dict[str, str]) -> Path:
    """Write files, and return the canary that must not appear."""
    canary = folder / "canary"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("CANARY", str(canary)))
    return canary


@pytest.mark.parametrize("name", HARMLESS)
def test_it_runs_and_no_command_does(name: str, tmp_path: Path) -> None:
    canary = put(tmp_path, HARMLESS[name])
    assert simulate_file(tmp_path / "a.cir").vectors["b"][-1] == pytest.approx(0.5)
    assert not canary.exists()


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    canary = put(tmp_path, REFUSED[name])
    path = tmp_path / "a.cir"
    with pytest.raises(CosimError) as refused:
        simulate_file(path, allow=["floating-node", "unknown-model"])
    assert "\n" not in str(refused.value)
    if b"\0" not in path.read_bytes():
        assert errors(check(read_text(path), path))
        with pytest.raises(NetlistError):
            Netlist.read(path).require_sound(".op")
    assert not canary.exists()


@pytest.mark.parametrize("title", ["*ng_script", "*#shell x", ".title\x1b]0;x", "a\x00`b`"])
def test_title_and_comments_do_not_reach_ngspice(title: str) -> None:
    first, *rest = without_comments(f"{title}\n*#shell x\n  *# y\n\nR1 a 0 1k").split("\n")
    assert rest == ["*", "*", "*", "R1 a 0 1k"]
    assert first[0].isalnum() or first.startswith(".title")
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

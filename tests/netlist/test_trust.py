"""Foreign process libraries: read only where their folder is trusted, and that is told."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cosim.engine.isolated import isolated
from cosim.errors import ConfigurationError
from cosim.netlist.check import check, errors
from cosim.netlist.trust import trusting
from cosim.simulation.analysis import simulate_file
from cosim.simulation.output import write_answer
from cosim.trace import Trace

LIBRARY = """* a process with what only ngspice reads
.lib tt
.include devices.inc
.param r0=3k
.endl
"""
DECK = "t\nV1 a 0 1\n.lib {file} tt\nX1 a b unit\nR2 b 0 1k\n.tran 1n 9n\n.end\n"


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    for name, content in {
        "pdk/models.lib": LIBRARY,
        "pdk/devices.inc": ".subckt unit p q\nR1 p q {r0}\n.ends\n",
        "here/a.cir": DECK.format(file="../pdk/models.lib"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path / "here/a.cir"


def test_a_trusted_library_is_read_and_told(deck: Path) -> None:
    folder = deck.parents[1] / "pdk"
    assert any("--trust" in str(one) for one in errors(check(deck.read_text(), deck)))
    with trusting([folder]):
        assert check(deck.read_text(), deck) == []
    assert errors(check(deck.read_text(), deck))  # no longer
    run = partial(simulate_file, confirmed=False, trusted=[folder])
    answer = isolated(run, deck, closed=True)
    assert answer.vectors["b"][-1] == pytest.approx(0.25)
    assert [str(folder / "models.lib") in one for one in answer.warnings] == [True]
    write_answer(answer, deck.with_suffix(".h5"))
    with Trace.open(deck.with_suffix(".h5")) as trace:
        assert [event.kind for event in trace.events if "is trusted" in event.message]


@pytest.mark.parametrize("trusted", ["other", "pdk/deeper", "here"])
def test_another_folder_is_not_trusted_by_it(trusted: str, deck: Path) -> None:
    folder = deck.parents[1] / trusted
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "link.lib").symlink_to(deck.parents[1] / "pdk/models.lib")
    for name in ("../pdk/models.lib", f"{folder}/link.lib"):
        with trusting([folder]):
            assert errors(check(DECK.format(file=name), deck))


def test_no_folder_is_no_trust(deck: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder"), trusting([deck]):
        pass


def test_the_command_takes_it(deck: Path) -> None:
    command = [sys.executable, "-m", "cosim", "check", str(deck)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 3
    assert subprocess.run([*command, "--trust", str(deck.parents[1] / "pdk")]).returncode == 0

"""Foreign process libraries: read only where their folder is trusted, and that is told."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import cosim
from cosim.characterise.datasheet.circuit import fingerprints, trust_notes
from cosim.characterise.datasheet.file import read_datasheet
from cosim.characterise.datasheet.repeating import repeat
from cosim.characterise.datasheet.tasks import tasks
from cosim.engine.isolated import isolated
from cosim.errors import ConfigurationError, NetlistError
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


def test_the_front_door_takes_it(deck: Path) -> None:
    folder = deck.parents[1] / "pdk"
    with pytest.raises(NetlistError, match="--trust"):
        cosim.op(cosim.Netlist.read(deck))
    netlist = cosim.Netlist.read(deck, trust=[folder])
    assert not cosim.check(netlist)
    with pytest.warns(UserWarning, match="is trusted: ngspice reads it as it is"):
        assert cosim.op(netlist, temperature=50)["b"] == pytest.approx(0.25)
    with pytest.raises(ConfigurationError, match="no folder"):
        cosim.Netlist.read(deck, trust=[deck])


def test_a_trace_and_a_sweep_tell_it(deck: Path, tmp_path: Path) -> None:
    library = deck.parents[1] / "pdk/models.lib"
    netlist = cosim.Netlist.read(deck, trust=[library.parent])
    blocks = [cosim.Block(lambda volts: volts, ["b"], ["c"])]
    driven = cosim.Netlist(f"{netlist.text.replace('.end', '')}R3 c 0 1k\n", path=deck,
                           trust=str(library.parent))  # fmt: skip
    how = {"stop": "9n", "max_step": "1n", "progress": False}
    with pytest.warns(UserWarning, match="is trusted"):
        trace = cosim.simulate(driven, blocks, to=tmp_path / "one.h5", **how)
    with trace:
        assert trace["c"].values[-1] == pytest.approx(0.25)
        told = [event.message for event in trace.events if event.kind == "warning"]
        assert [str(library) in one for one in told] == [True]
    with pytest.warns(UserWarning, match="is trusted"):
        swept = cosim.sweep(netlist, {"temperature": [0, 50]}, to=tmp_path / "all.h5", **how)
    told_too = [event.message for event in swept.trace.events if event.kind == "warning"]
    assert told_too == told
    library.write_text(library.read_text().replace("3k", "4k"))
    with (
        pytest.warns(UserWarning, match="is trusted"),
        pytest.raises(cosim.CosimError, match="another run"),
    ):
        cosim.simulate(driven, blocks, to=tmp_path / "one.h5", resume=True, **how)


SHEET = """name = "sheet"
netlist = "circuit.inc"
[benches.bench]
netlist = "V1 a 0 1\\nX1 a b unit\\nR2 b 0 1k"
analyses.run = "tran 1n 9n"
[parameters.out]
bench = "bench"
measure = "b max"
"""


def test_a_datasheet_takes_it_from_the_command_alone(deck: Path, tmp_path: Path) -> None:
    file = deck.parent / "sheet.toml"
    file.write_text(SHEET)
    (deck.parent / "circuit.inc").write_text(".lib ../pdk/models.lib tt\n")
    folder = deck.parents[1] / "pdk"
    with pytest.raises(NetlistError, match="--trust"):
        fingerprints(read_datasheet(file))
    sheet = read_datasheet(file, trust=[folder])
    with pytest.warns(UserWarning, match="is trusted"):
        (task,) = tasks(sheet, fingerprints(sheet))
    assert [str(folder) in one for one in trust_notes(sheet)] == [True]
    found = repeat(sheet, task, {}, tmp_path)
    assert found.outcome.values["out"] == pytest.approx(0.25)
    with Trace.open(found.files[0]) as trace:
        assert [event.kind for event in trace.events if "is trusted" in event.message]
    file.write_text(f'trusted = ["{folder}"]\n{SHEET}')
    with pytest.raises(ConfigurationError, match="trusted"):
        read_datasheet(file)

"""Gross faults of a run, each of which a comparison has once passed, and runs that have none."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli.app import app
from cosim.errors import ComparisonError, UndecidedError
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.compare import Tolerance, Tolerances, Verdict, compare, comparison_rows
from cosim.trace.golden import update_golden
from tests.trace.recordings import PROVENANCE

STOP = 2e-3
TAU = 100e-6
EDGE = 1e-3
FREQUENCY = 2e3


@dataclass(frozen=True)
class Recording:
    """What is recorded: times [n] and values [n] by name, units, coupling, how it ended."""

    time: np.ndarray
    values: dict[str, np.ndarray]
    units: dict[str, str]
    coupling: dict[str, np.ndarray]
    status: str = "complete"
    tolerances: Tolerances = field(default_factory=Tolerances)

    def write(self, path: Path) -> Trace:
        """The trace."""
        with TraceWriter.create(
            path,
            signals=[Signal(name, self.units[name]) for name in self.values],
            coupling=[Signal(name, "V") for name in self.coupling],
            provenance=PROVENANCE,
        ) as writer:
            writer.append(self.time, np.stack(list(self.values.values()), axis=1))
            if self.coupling:
                coupled = np.stack(list(self.coupling.values()), axis=1)
                writer.append_coupling(self.time, coupled)
            if self.status == "running":
                writer.event(0.0, "note", "killed")
                writer.flush()
                killed = path.with_suffix(".killed.h5")
                killed.write_bytes(path.read_bytes())
                path = killed
            writer.finish("complete" if self.status == "running" else self.status)
        return Trace.open(path)

    def with_values(self, **changed: np.ndarray) -> "Recording":
        """With some signals changed: `rc`, `sine`, `nano`, `micro`, `pulse`."""
        return replace(self, values=self.values | {NAMES[key]: changed[key] for key in changed})

    def at(self, time: np.ndarray) -> "Recording":
        """Without the points at other times."""
        return of_times(time)


NAMES = {
    "rc": "rc.out", "sine": "sine.out", "nano": "vnano.current", "micro": "vmicro.current",
    "other": "vother.current", "pulse": "pulse.out", "flat": "flat.out",
}  # fmt: skip
UNITS = {name: "A" if "current" in name else "V" for name in NAMES.values()}


def pulse(time: np.ndarray) -> np.ndarray:
    """1 V from EDGE on, for 200 us, with edges of 10 us."""
    return np.interp(time, EDGE + 1e-6 * np.array([0, 10, 210, 220]), [0.0, 1.0, 1.0, 0.0])


def of_times(time: np.ndarray) -> Recording:
    """The good run, on any grid."""
    sine = np.sin(2 * np.pi * FREQUENCY * time)
    rc = 1 - np.exp(-time / TAU)
    values = {
        NAMES["rc"]: rc, NAMES["sine"]: sine, NAMES["nano"]: 3e-9 * rc, NAMES["micro"]: 2e-6 * sine,
        NAMES["other"]: 5e-9 * sine, NAMES["pulse"]: pulse(time), NAMES["flat"]: 0 * time + 1.65,
    }  # fmt: skip
    return Recording(time, values, UNITS, {"score.s0": 0.5 * sine, "score.error": 1e-3 * rc})


def grid(points: int = 3000, shift: float = 0.0) -> np.ndarray:
    """Unequal steps, with the pulse's corners as breakpoints."""
    part = (np.arange(points + 1) + shift) / points
    even = STOP * np.clip(part + 0.05 * np.sin(2 * np.pi * part) / (2 * np.pi), 0, 1)
    corners = EDGE + 1e-6 * np.array([0, 10, 210, 220])
    return np.union1d(even, [0.0, *corners, STOP])


TIME = grid()
GOOD = of_times(TIME)
RC, SINE, NANO, MICRO, OTHER = (
    GOOD.values[NAMES[name]] for name in ("rc", "sine", "nano", "micro", "other")
)
PULSE = GOOD.values[NAMES["pulse"]]


def during(first: float, last: float) -> np.ndarray:
    """Where the grid is within parts of the run."""
    return (first * STOP <= TIME) & (last * STOP >= TIME)


def without(first: float, last: float) -> Recording:
    """Nothing recorded between parts of the run."""
    return of_times(TIME[~during(first, last)])


def renamed(old: str, new: str) -> Recording:
    return replace(
        GOOD,
        values={new if name == old else name: one for name, one in GOOD.values.items()},
        units=UNITS | {new: UNITS[old]},
    )


def with_unit(name: str, unit: str) -> Recording:
    return replace(GOOD, units=UNITS | {NAMES[name]: unit})


def asking(**options: object) -> Recording:
    return replace(GOOD, tolerances=Tolerances.model_validate(options))


def first_of_two_values() -> Recording:
    """Two values at one time, the first one wrong."""
    at = len(TIME) // 3
    rows = np.insert(np.arange(len(TIME)), at, at)
    values = {name: one[rows] for name, one in GOOD.values.items()}
    values[NAMES["rc"]][at] += 0.5
    coupling = {name: one[rows] for name, one in GOOD.coupling.items()}
    return replace(GOOD, time=TIME[rows], values=values, coupling=coupling)


def dropped(name: str) -> Recording:
    return replace(GOOD, values={key: one for key, one in GOOD.values.items() if key != name})


def coupled(**changed: np.ndarray) -> Recording:
    return replace(GOOD, coupling={f"score.{key}": one for key, one in changed.items()})


ZEROS_OF_SINE = np.arange(0, STOP + 1e-9, STOP / 4)
GLITCH = np.zeros(len(TIME))
GLITCH[1700:1703] = 1.0

FAULTS: dict[str, tuple[Recording, str]] = {
    "glitch of 5 V": (GOOD.with_values(rc=RC + 5 * GLITCH), "rc.out"),
    "glitch of two tolerances": (GOOD.with_values(rc=RC + 2.2e-3 * GLITCH), "rc.out"),
    "negative glitch": (GOOD.with_values(sine=SINE - 5e-3 * GLITCH), "sine.out"),
    "glitch in a constant": (GOOD.with_values(flat=1.65 + 1e-5 * GLITCH), "flat.out"),
    "nA: sign": (GOOD.with_values(nano=-NANO), "vnano"),
    "nA: zero": (GOOD.with_values(nano=0 * NANO), "vnano"),
    "nA: x100": (GOOD.with_values(nano=100 * NANO), "vnano"),
    "nA: 1 %": (GOOD.with_values(nano=1.01 * NANO), "vnano"),
    "nA: swapped": (GOOD.with_values(nano=OTHER, other=NANO), "vnano"),
    "uA: sign": (GOOD.with_values(micro=-MICRO), "vmicro"),
    "uA: zero": (GOOD.with_values(micro=0 * MICRO), "vmicro"),
    "uA: x100": (GOOD.with_values(micro=100 * MICRO), "vmicro"),
    "uA: offset": (GOOD.with_values(micro=MICRO + 10e-9), "vmicro"),
    "unit changed": (with_unit("nano", "V"), "unit"),
    "unit dropped": (with_unit("rc", ""), "unit"),
    "prefix in the unit": (with_unit("micro", "uA"), "unit"),
    "two points": (GOOD.at(TIME[[0, -1]]), "2 points"),
    "three points": (GOOD.at(TIME[[0, 1500, -1]]), "3 points"),
    "five points at the sine's zeros": (GOOD.at(ZEROS_OF_SINE), "no point"),
    "a quarter not recorded": (without(0.3, 0.55), "no point"),
    "a flat quarter not recorded": (without(0.7, 0.95), "no point"),
    "an edge not recorded": (without(0.49, 0.51), "pulse.out"),
    "first of two values": (first_of_two_values(), "rc.out"),
    "shorter": (GOOD.at(TIME[TIME < 0.97 * STOP]), "it ends"),
    "begins late": (GOOD.at(TIME[TIME > 0.01 * STOP]), "it begins"),
    "longer": (GOOD.at(np.append(TIME, [STOP + 1e-5])), "it ends"),
    "nan": (GOOD.with_values(rc=np.where(GLITCH > 0, np.nan, RC)), "nan"),
    "nan throughout": (GOOD.with_values(rc=np.nan * RC), "nan"),
    "infinite": (GOOD.with_values(sine=np.where(GLITCH > 0, -np.inf, SINE)), "inf"),
    "1.7e308": (GOOD.with_values(rc=np.where(GLITCH > 0, 1.7e308, RC)), "1.7e+308"),
    "failed": (replace(GOOD, status="failed"), "failed"),
    "interrupted": (replace(GOOD, status="interrupted"), "interrupted"),
    "running": (replace(GOOD, status="running"), "running"),
    "constant": (GOOD.with_values(sine=0 * SINE + 0.3), "constant"),
    "zero": (GOOD.with_values(rc=0 * RC), "constant"),
    "swapped": (GOOD.with_values(rc=SINE, sine=RC), "rc.out"),
    "dropped": (dropped(NAMES["sine"]), "sine.out"),
    "renamed": (renamed("rc.out", "rc.output"), "rc.out"),
    "gain": (GOOD.with_values(sine=1.003 * SINE), "sine.out"),
    "offset": (GOOD.with_values(rc=RC + 2e-3), "rc.out"),
    "offset of a constant": (GOOD.with_values(flat=0 * RC + 1.65001), "flat.out"),
    "drift": (GOOD.with_values(rc=RC + 2e-3 * TIME / STOP), "rc.out"),
    "delay": (GOOD.with_values(sine=np.sin(2 * np.pi * FREQUENCY * (TIME - 1e-6))), "sine.out"),
    "edge late": (GOOD.with_values(pulse=pulse(TIME - 1e-6)), "pulse.out"),
    "pulse missing": (GOOD.with_values(pulse=0 * PULSE), "pulse.out"),
    "inverted": (GOOD.with_values(sine=-SINE), "sine.out"),
    "another time constant": (GOOD.with_values(rc=1 - np.exp(-TIME / 1.02 / TAU)), "rc.out"),
    "stimulus wrong for 1 us": (GOOD.with_values(rc=RC + 0.19 * during(0.4, 0.4005)), "rc.out"),
    "a period at half amplitude": (
        GOOD.with_values(sine=SINE * np.where(during(0.25, 0.5), 0.5, 1.0)),
        "sine.out",
    ),
    "the first value": (GOOD.with_values(rc=np.append(0.01, RC[1:])), "rc.out"),
    "the last value": (GOOD.with_values(rc=np.append(RC[:-1], 0.9)), "rc.out"),
    "noise": (GOOD.with_values(rc=RC + 3e-3 * np.sin(1e9 * TIME)), "rc.out"),
    "coupling wrong": (coupled(s0=0.5 * SINE + 0.01, error=1e-3 * RC), "coupling/score.s0"),
    "coupling's error": (coupled(s0=0.5 * SINE, error=2.5e3 * RC), "coupling/score.error"),
    "coupling missing": (replace(GOOD, coupling={}), "coupling/score.s0"),
    "a coupling signal missing": (coupled(s0=0.5 * SINE), "coupling/score.error"),
    "nothing compared": (asking(ignore=("*",)), "no signal was compared"),
    "all ignored by two patterns": (asking(ignore=("*.*", "coupling/*")), "no signal was compared"),
    "ignore fits nothing": (asking(ignore=("integrator_*",)), "'integrator_*' in ignore"),
    "a pattern fits nothing": (asking(signals={"rc.outt": {"relative": 0.1}}), "in signals"),
    "rename of what the run has not": (asking(rename={"x.out": "rc.out"}), "x.out"),
    "rename to what the golden one has not": (asking(rename={"rc.out": "y.out"}), "y.out"),
    "rename to a second": (asking(rename={"rc.out": "sine.out"}), "second"),
    "RMS over its limit": (
        replace(
            GOOD.with_values(rc=RC + 0.8e-3),
            tolerances=Tolerances(signals={"rc.*": Tolerance(root_mean_square=0.5e-3)}),
        ),
        "RMS",
    ),
    "area over its limit": (
        replace(GOOD.with_values(rc=RC + 0.8e-3), tolerances=Tolerances(area=1e-6)),
        "area",
    ),
}

EDGE_LATE = Tolerances(time_second=1.1e-6)
SOUND: dict[str, Recording] = {
    "equal": GOOD,
    "finer grid": of_times(grid(6000)),
    "other points": of_times(grid(3000, 0.5)),
    "coarser grid": of_times(grid(1900)),
    "just under": GOOD.with_values(rc=RC + 0.9e-3, nano=NANO - 2.7e-12, flat=0 * RC + 1.6500015),
    "a long drift just under": GOOD.with_values(rc=RC + 0.9e-3 * TIME / STOP),
    "more signals": replace(
        GOOD, values=GOOD.values | {"new.out": RC}, units=UNITS | {"new.out": "V"}
    ),
    "renamed back": replace(
        renamed("rc.out", "rc.output"), tolerances=Tolerances(rename={"rc.output": "rc.out"})
    ),
    "ignored": replace(
        GOOD.with_values(rc=0 * RC), tolerances=Tolerances(ignore=("rc.*", "coupling/*"))
    ),
    "edge late by less than allowed": replace(
        of_times(np.union1d(TIME, TIME + 1e-6)[:-1]).with_values(
            pulse=pulse(np.union1d(TIME, TIME + 1e-6)[:-1] - 1e-6)
        ),
        tolerances=EDGE_LATE,
    ),
    "another machine": GOOD.with_values(rc=RC * (1 + 1e-13), flat=0 * RC + 1.65 * (1 + 1e-13)),
}


@pytest.fixture(scope="module")
def goldens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trace]:
    """The good run, as it is, and thinned to a golden trace."""
    folder = tmp_path_factory.mktemp("golden")
    plain = GOOD.write(folder / "plain.h5")
    refined = of_times(grid(6000)).write(folder / "refined.h5")
    update_golden(plain, folder / "thinned.h5", "a good run", Tolerances(), refined)
    return {"plain": plain, "thinned": Trace.open(folder / "thinned.h5")}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_caught(name: str, goldens: dict[str, Trace], tmp_path: Path) -> None:
    recording, says = FAULTS[name]
    run = recording.write(tmp_path / "run.h5")
    for golden in goldens.values():
        found = compare(run, golden, recording.tolerances)
        assert found.verdict is not Verdict.PASSED
        with pytest.raises(ComparisonError) as error:
            found.check()
        assert says in found.to_junit().replace("&apos;", "'")
        assert isinstance(error.value, UndecidedError) is (found.verdict is Verdict.CANNOT_TELL)


@pytest.mark.parametrize("name", SOUND)
def test_sound_run_passes(name: str, goldens: dict[str, Trace], tmp_path: Path) -> None:
    run = SOUND[name].write(tmp_path / "run.h5")
    for golden in goldens.values():
        found = compare(run, golden, SOUND[name].tolerances)
        found.check()
        assert found.passes and not found.findings


def test_glitch_of_golden_trace_where_the_run_has_no_point(
    goldens: dict[str, Trace], tmp_path: Path
) -> None:
    """It may be a glitch of the run's too, between two of its points."""
    glitchy = GOOD.with_values(rc=RC + 0.1 * GLITCH)
    plain = glitchy.write(tmp_path / "plain.h5")
    update_golden(plain, tmp_path / "thinned.h5", "a bad run", Tolerances())
    elsewhere = of_times(np.delete(TIME, slice(1700, 1703))).write(tmp_path / "run.h5")
    for golden in ("plain", "thinned"):
        found = compare(elsewhere, tmp_path / f"{golden}.h5")
        assert found.verdict is Verdict.CANNOT_TELL
        with pytest.raises(UndecidedError, match=r"rc\.out.*no point for 2\.\d+e-06 s"):
            found.check()
        assert {TIME[1700], TIME[1702]} <= set(found.wanted_times) <= set(TIME[1700:1703])
    repeated = GOOD.write(tmp_path / "repeated.h5")
    assert compare(repeated, tmp_path / "thinned.h5").verdict is Verdict.DIFFERS


def test_times_that_go_back(goldens: dict[str, Trace], tmp_path: Path) -> None:
    """No trace of ours has them; a file that something else wrote may."""
    for name, kind, says in (
        ("run.h5", Verdict.DIFFERS, "the run's time goes from"),
        ("golden.h5", Verdict.CANNOT_TELL, "the golden trace's time goes from"),
    ):
        GOOD.write(tmp_path / name).close()
        with h5py.File(tmp_path / name, "r+") as file:
            file["time"][1000:1010] = file["time"][1000:1010][::-1]
        damaged, sound = tmp_path / name, goldens["plain"]
        found = compare(*((damaged, sound) if name == "run.h5" else (sound, damaged)))
        assert found.verdict is kind
        assert says in found.findings[0].text


def test_golden_trace_without_bounds_is_to_be_made_anew(
    goldens: dict[str, Trace], tmp_path: Path
) -> None:
    """As they were made before: nobody knows what was dropped."""
    with TraceWriter.create(
        tmp_path / "old.h5", signals=[Signal("rc.out", "V")], provenance=PROVENANCE
    ) as writer:
        writer.event(float("nan"), "golden", "a reason")
        writer.append(TIME[::3], RC[::3, None])
        writer.finish()
    found = compare(goldens["plain"], tmp_path / "old.h5")
    assert found.verdict is Verdict.CANNOT_TELL
    assert "take it anew" in found.findings[0].text


def test_tolerance_that_the_golden_trace_cannot_judge(
    goldens: dict[str, Trace], tmp_path: Path
) -> None:
    """It was thinned, and simulated, for a larger one."""
    for tighter, says in ((1e-4, "thinned"), (1e-6, "thinned")):
        found = compare(
            goldens["plain"], goldens["thinned"], Tolerances(absolute=0, relative=tighter)
        )
        assert found.verdict is Verdict.CANNOT_TELL
        assert says in {signal.name: signal for signal in found.signals}["rc.out"].note


def ensemble(path: Path, factors: list[float]) -> Trace:
    with TraceWriter.create(
        path, signals=[Signal("rc.out", "V")], provenance=PROVENANCE, members=len(factors)
    ) as writer:
        for member, factor in enumerate(factors):
            writer.append(TIME, factor * RC[:, None], member)
            writer.finish_member(member)
        writer.finish()
    return Trace.open(path)


def test_ensembles_are_compared_member_by_member(tmp_path: Path) -> None:
    """Asked for: worst first, without --member."""
    golden = ensemble(tmp_path / "golden.h5", [1.0, 1.1, 1.2, 1.3])
    run = ensemble(tmp_path / "run.h5", [1.0, 1.1 * 1.002, 1.2, 1.3 * 1.01])
    update_golden(golden, tmp_path / "thinned.h5", "four corners", Tolerances())
    for theirs in (golden, Trace.open(tmp_path / "thinned.h5")):
        assert compare(golden, theirs).passes
        found = compare(run, theirs)
        assert [signal.passes for signal in found.signals] == [True, False, True, False]
        titles = [row["signal"] for row in comparison_rows(found)]
        assert titles[:2] == ["member 3: rc.out", "member 1: rc.out"]
        with pytest.raises(ComparisonError, match="member 3: rc"):
            found.check()
    fewer = compare(ensemble(tmp_path / "fewer.h5", [1.0, 1.1]), golden)
    assert (fewer.verdict, fewer.findings[0].text) == (
        Verdict.DIFFERS,
        "the run holds 2 members, the golden trace 4 members",
    )
    assert compare(GOOD.write(tmp_path / "single.h5"), golden).verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("glitch of 5 V", 4, "differs"),
        ("a quarter not recorded", 7, "cannot tell"),
        ("nothing compared", 7, "no signal was compared"),
        ("a pattern fits nothing", 7, "fits no signal"),
        ("coupling wrong", 4, "coupling/score.s0"),
        (None, 0, "ok"),
    ],
)
def test_command_exits_by_the_verdict(
    name: str | None, code: int, says: str, goldens: dict[str, Trace], tmp_path: Path
) -> None:
    recording = FAULTS[name][0] if name else GOOD
    run = recording.write(tmp_path / "run.h5").path
    asked = recording.tolerances.model_dump(exclude_defaults=True)
    (tmp_path / "tolerances.toml").write_text(
        "\n".join(
            f"[{key}]\n" + "\n".join(f"'{name}' = {{relative = 0.1}}" for name in value)
            if isinstance(value, dict)
            else f"{key} = {list(value)}"
            for key, value in asked.items()
        )
    )
    arguments = ["compare", str(run), str(goldens["thinned"].path)]
    result = CliRunner().invoke(
        app, [*arguments, "--tolerances", str(tmp_path / "tolerances.toml")]
    )
    assert result.exit_code == code, result.output
    assert says in result.output


@pytest.mark.parametrize(
    ("name", "verdict", "tags"),
    [("glitch of 5 V", "differs", {"failure"}), ("three points", "cannot tell", {"error"})],
)
def test_files_tell_the_verdict(
    name: str, verdict: str, tags: set[str], goldens: dict[str, Trace], tmp_path: Path
) -> None:
    """What cannot be told is an error of JUnit's, no failure."""
    run = FAULTS[name][0].write(tmp_path / "run.h5").path
    arguments = ["compare", str(run), str(goldens["thinned"].path), "-o", str(tmp_path)]
    CliRunner().invoke(app, arguments)
    assert json.loads((tmp_path / "compare.json").read_text())["verdict"] == verdict
    suite = ElementTree.parse(tmp_path / "compare.xml").getroot()
    assert {case[0].tag for case in suite if len(case)} == tags
    assert (tmp_path / "compare.png").stat().st_size > 10_000

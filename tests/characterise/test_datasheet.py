"""Datasheets: conditions, runs that go on after a kill, limits, verdicts, closed forms."""

import json
import math
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.optimize
from distributed import LocalCluster
from typer.testing import CliRunner

from cosim.characterise.datasheet.campaign import run_tasks
from cosim.characterise.datasheet.circuit import fingerprints, software
from cosim.characterise.datasheet.comparing import comparison_rows
from cosim.characterise.datasheet.crew import each_of_crew
from cosim.characterise.datasheet.figures import draw_all
from cosim.characterise.datasheet.file import Condition, Datasheet, Limits, read_datasheet
from cosim.characterise.datasheet.judging import (
    Judgement,
    Result,
    Row,
    influence,
    judged,
    result_of,
    severity_of,
)
from cosim.characterise.datasheet.measuring import Outcome, measure_task
from cosim.characterise.datasheet.repeating import find_task, repeat
from cosim.characterise.datasheet.response import Signals, Vector
from cosim.characterise.datasheet.tasks import Task, corner_points, tasks
from cosim.characterise.datasheet.text import as_csv, failing_lines, junit, markdown
from cosim.cli import app
from cosim.engine.closing import barriers
from cosim.engine.session import NgspiceSession
from cosim.errors import ConfigurationError, EngineError, WorkerCrashError, WorkerTimeoutError
from cosim.netlist.circuit import Netlist
from tests.characterise.crew_task import crew_task

FILTER = "* a low-pass\n.subckt low_pass in out\nR1 in out {r}\nC1 out 0 {c}\n.ends\n"
SHEET = """
name = "low_pass"
netlist = "low_pass.cir"
pins = { in = "input", out = "output" }
[conditions]
r = { minimum = "1k", typical = "2k", maximum = "4k", unit = "Ω" }
c = { values = ["1n", "2n"], typical = "1n", unit = "F" }
temperature = [27]
[monte_carlo]
draws = 3
[benches.step]
netlist = "Vin in 0 dc 1 ac 1\\nX1 in out low_pass\\nRload out 0 1g"
analyses = { response = "ac dec 40 100 10meg", rest = "op" }
[parameters.bandwidth]
bench = "step"
analysis = "response"
measure = "out bandwidth"
unit = "Hz"
limits = { minimum = "30k", maximum = { value = "100k", severity = "warn" } }
[parameters.level]
bench = "step"
analysis = "rest"
measure = "out"
unit = "V"
limits = { typical = 1 }
monte_carlo = false
[parameters.decibel]
bench = "step"
analysis = "response"
meas = "find vdb(out) at=100k"
unit = "dB"
[parameters.missing]
bench = "step"
analysis = "rest"
measure = "nowhere"
"""


def written(folder: Path, text: str = SHEET) -> Path:
    (folder / "low_pass.cir").write_text(FILTER)
    path = folder / "sheet.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasheet")


@pytest.fixture(scope="module")
def sheet(folder: Path) -> Datasheet:
    return read_datasheet(written(folder))


@pytest.fixture(scope="module")
def wanted(sheet: Datasheet) -> list[Task]:
    return tasks(sheet, fingerprints(sheet))


@pytest.fixture(scope="module")
def outcomes(sheet: Datasheet, wanted: list[Task], folder: Path) -> dict[str, Outcome]:
    return run_tasks(sheet, wanted, folder / "journal.jsonl")


@pytest.fixture(scope="module")
def result(sheet: Datasheet, wanted: list[Task], outcomes: dict[str, Outcome]) -> Result:
    return result_of(
        sheet, wanted, outcomes, software=software(sheet), command_line="cosim characterise",
        repeating="cosim characterise sheet.toml --repeat", started="2026-11-25",
    )  # fmt: skip


# -- the file -------------------------------------------------------------------------------------


def test_conditions_are_lists_three_values_or_steps() -> None:
    assert Condition.model_validate([3, 4] and 3).all_values == (3.0,)
    three = Condition.model_validate({"minimum": 1, "typical": "2k", "maximum": 3e3})
    assert three.all_values == (1.0, 2e3, 3e3) and three.typical_value == 2e3
    steps = {"minimum": 1, "typical": 5, "maximum": 100, "steps": 3}
    assert Condition.model_validate(steps).all_values == (1.0, 50.5, 100.0)
    logarithmic = Condition.model_validate(steps | {"scale": "logarithmic"})
    assert np.allclose(np.array(logarithmic.all_values, float), [1, 10, 100])


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('typical = "1n", unit', "unit", "typical"),
        ('measure = "out bandwidth"', 'measure = "out bandwidth"\nmeas = "x"', "give one of"),
        ('bench = "step"\nanalysis = "rest"\nmeasure = "out"', 'bench = "stop"\nmeasure = "out"',
         "and there are step"),
        ('in = "input"', 'inn = "input"', "no subcircuit"),
        ('"low_pass.cir"', '"../low_pass.cir"', "low_pass.cir"),
        ("op", "op\\n.control", "write op, dc, ac"),
        ('meas = "find vdb(out) at=100k"', 'function = "my.py:gain"', "--allow-code"),
        ("draws = 3", "drows = 3", "drows"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_what_to_do(
    before: str, after: str, says: str, tmp_path: Path
) -> None:
    path = written(tmp_path, SHEET.replace(before, after, 1))
    with pytest.raises(ConfigurationError, match=says):
        fingerprints(read_datasheet(path))


def test_typical_points_are_first_and_draws_last(sheet: Datasheet, wanted: list[Task]) -> None:
    assert wanted[0].point == {"r": 2e3, "c": 1e-9, "temperature": 27.0}
    assert [task.seed for task in wanted][-3:] == [1, 2, 3]
    assert len(wanted) == 3 * 2 + 3
    assert "level" in wanted[0].parameters and "level" not in wanted[-1].parameters
    assert len({task.key for task in wanted}) == len(wanted)
    assert tasks(sheet, fingerprints(sheet), only_typical=True) == wanted[:1]
    override = {"bandwidth": sheet.parameters["bandwidth"].model_copy(
        update={"conditions": {"r": Condition.model_validate("3k")}})}  # fmt: skip
    other = sheet.model_copy(update={"parameters": override})
    assert [point["r"] for point in corner_points(other, "bandwidth")] == [3e3, 3e3]


# -- runs -----------------------------------------------------------------------------------------


def test_values_are_those_of_the_closed_form(result: Result) -> None:
    rows = result.parameters["bandwidth"].rows
    assert len(rows) == 9
    for row in rows:
        r, c = float(row.point["r"]), float(row.point["c"])
        assert row.value == pytest.approx(1 / (2 * math.pi * r * c), rel=1e-3)
    low = result.parameters["decibel"].typical
    assert low == pytest.approx(
        -10 * math.log10(1 + (2 * math.pi * 2e3 * 1e-9 * 1e5) ** 2), rel=1e-3
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_margins_are_those_of_three_poles(sign: int) -> None:
    """From a first frequency at which the phase has turned by 27 degrees already."""
    hertz = np.geomspace(1e3, 1e9, 241)
    poles, gain = np.array([2e3, 5e6, 5e6]), 1000.0
    values = sign * gain / np.prod(1 + 1j * hertz[:, None] / poles, axis=1)
    signals = Signals({"out": Vector(values, "V")}, hertz)
    unity = scipy.optimize.brentq(lambda f: gain / np.prod(np.hypot(1, f / poles)) - 1, 1e3, 1e9)
    assert signals.response("out", "unity_gain_frequency") == pytest.approx(unity, rel=1e-3)
    margin = 180 - np.degrees(np.arctan(unity / poles)).sum()
    assert signals.response("out", "phase_margin") == pytest.approx(margin, abs=0.05)
    turned = scipy.optimize.brentq(lambda f: np.arctan(f / poles).sum() - np.pi, 1e3, 1e9)
    left = 20 * np.log10(np.prod(np.hypot(1, turned / poles)) / gain)
    assert signals.response("out", "gain_margin") == pytest.approx(left, abs=0.05)


def test_a_limit_fails_warns_and_what_is_missing_cannot_be_told(result: Result) -> None:
    of = {name: one.judgement for name, one in result.parameters.items()}
    assert of == {
        "bandwidth": Judgement.FAILED,  # 19.9 kHz at 4 kΩ, 2 nF
        "level": Judgement.PASSED,
        "decibel": Judgement.PASSED,
        "missing": Judgement.CANNOT_TELL,
    }
    assert result.judgement is Judgement.FAILED
    bandwidth = result.parameters["bandwidth"]
    assert bandwidth.worst is not None and bandwidth.worst.point["r"] == 4e3
    assert {row.beyond for row in bandwidth.failing} == {"fail", "warn"}
    assert "no signal 'nowhere'" in result.parameters["missing"].failing[0].fault
    both = Judgement.worst([Judgement.CANNOT_TELL, Judgement.WARNED])
    assert both is Judgement.CANNOT_TELL and Judgement.worst([]) is Judgement.CANNOT_TELL


def test_a_killed_run_goes_on_with_what_is_left(
    sheet: Datasheet, wanted: list[Task], outcomes: dict[str, Outcome], folder: Path, tmp_path: Path
) -> None:
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == len(wanted)
    torn = tmp_path / "journal.jsonl"
    torn.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])  # killed while it wrote
    whole = [name for name in sheet.parameters if name != "missing"]
    again = tasks(sheet, fingerprints(sheet), parameters=whole)
    told: list[tuple[int, int]] = []
    found = run_tasks(sheet, again, torn, on_progress=lambda *both: told.append(both))
    assert told == [(8, 9), (9, 9)]
    assert {key: one.values for key, one in found.items()} == {
        key: one.values for key, one in outcomes.items()
    }
    assert len(torn.read_bytes().splitlines()) == 9
    torn.write_text("no outcome\n")
    with pytest.raises(ConfigurationError, match="Line 1"):
        run_tasks(sheet, again, torn)


def test_it_stops_at_a_failure_when_asked_to(
    sheet: Datasheet, wanted: list[Task], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "journal.jsonl").write_bytes((folder / "journal.jsonl").read_bytes())
    some = [wanted[0], *[task for task in wanted if task.point["r"] == 4e3]]
    assert len(run_tasks(sheet, some, tmp_path / "journal.jsonl", stop_at_failure=True)) <= 3
    partly = result_of(sheet, wanted, {}, software={}, command_line="", repeating="", started="")
    assert partly.judgement is Judgement.CANNOT_TELL and partly.done == 0


def test_a_point_is_repeated_to_the_last_bit(
    sheet: Datasheet, wanted: list[Task], outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    task = wanted[-1]
    known = outcomes[task.key].values
    assert find_task(wanted, task.key[:8]) is task
    found = repeat(sheet, task, known, tmp_path)
    assert found.differing == {} and found.outcome.values == known
    assert [path.name for path in found.files] == ["response.csv", "rest.csv"]
    off = known | {"bandwidth": math.nextafter(known["bandwidth"], math.inf)}
    assert list(repeat(sheet, task, off, tmp_path).differing) == ["bandwidth"]
    with pytest.raises(ConfigurationError, match="0 points"):
        find_task(wanted, "zzz")


def test_limits_do_not_change_keys_and_the_circuit_does(sheet: Datasheet, folder: Path) -> None:
    before = fingerprints(sheet)
    bandwidth = sheet.parameters["bandwidth"].model_copy(update={"limits": Limits()})
    relaxed = sheet.model_copy(update={"parameters": sheet.parameters | {"bandwidth": bandwidth}})
    assert fingerprints(relaxed) == before
    (folder / "low_pass.cir").write_text(FILTER.replace("C1 out", "C2 out"))
    try:
        assert fingerprints(sheet) != before
    finally:
        (folder / "low_pass.cir").write_text(FILTER)


def test_a_crash_and_a_hang_cost_their_own_point_alone() -> None:
    found = dict(each_of_crew(crew_task, ["good", "dies", "hangs", "well"], 2, 1.0))
    assert found["good"] == "good done" and found["well"] == "well done"
    assert isinstance(found["dies"], WorkerCrashError)
    assert isinstance(found["hangs"], WorkerTimeoutError)
    assert all(isinstance(found[one], EngineError) for one in ("dies", "hangs"))


def test_without_python_a_crew_is_in_a_closed_room(sheet: Datasheet, tmp_path: Path) -> None:
    assert sheet.closed
    outside = str(tmp_path / "outside")
    (found,) = each_of_crew(crew_task, [outside], 1, 60.0, closed=sheet.closed)
    assert found == (
        outside,
        "PermissionError" if not barriers()[0].why_open else f"{outside} done",
    )


def test_a_dask_cluster_gives_the_same(
    sheet: Datasheet, wanted: list[Task], outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        where = {"scheduler": cluster.scheduler_address}
        found = run_tasks(sheet, wanted[-3:], tmp_path / "journal.jsonl", **where)
    assert len(found) == 3
    assert all(found[key].values == outcomes[key].values for key in found)


# -- what is said ---------------------------------------------------------------------------------


def test_yield_has_wilsons_interval(sheet: Datasheet) -> None:
    """8 of 10: from (p + z^2/2n -+ z sqrt(p q / n + z^2/4n^2)) / (1 + z^2/n)."""
    draws = [
        Task(
            "step",
            {"r": 2e3, "c": 1e-9, "temperature": 27.0, "seed": seed},
            ("bandwidth",),
            str(seed),
        )
        for seed in range(1, 11)
    ]
    values = {
        str(seed): Outcome(str(seed), {"bandwidth": 5e4 if seed > 2 else 1e4})
        for seed in range(1, 11)
    }
    found = judged(sheet, "bandwidth", draws, values, "wilson").draws
    assert found is not None and found.good == 8
    n, p, z = 10, 0.8, 1.959964
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]
    assert list(found.interval) == pytest.approx(expected, rel=1e-6)
    exact = judged(sheet, "bandwidth", draws, values, "exact").draws
    assert exact is not None and exact.interval == pytest.approx((0.4439, 0.9748), abs=1e-4)
    lost = judged(sheet, "bandwidth", draws, {}, "wilson")
    assert lost.judgement is Judgement.CANNOT_TELL and lost.draws is not None
    assert lost.draws.good == 0


def test_influence_is_the_share_of_the_variance() -> None:
    """y = 3 a - b over a full grid: variances 9 and 1 times those of a and b."""
    rows = [
        Row(point={"a": float(a), "b": float(b), "corner": c}, value=3.0 * a - b)
        for a in (0, 1, 2) for b in (0, 1, 2) for c in ("ss", "ff")
    ]  # fmt: skip
    found = influence(rows)
    assert list(found) == ["a", "b", "corner"]
    assert [found[name] for name in found] == pytest.approx([0.9, -0.1, 0.0], abs=1e-12)


def test_typical_limit_counts_at_typical_conditions_alone() -> None:
    limits = Limits.model_validate({"typical": {"value": 10, "tolerance": 0.1, "severity": "warn"}})
    assert severity_of(limits, 11.1, is_typical=True) == "warn"
    assert severity_of(limits, 10.9, is_typical=True) is None
    assert severity_of(limits, 11.1, is_typical=False) is None


def test_texts_name_what_fails_and_how_to_repeat_it(result: Result, tmp_path: Path) -> None:
    worst = result.parameters["bandwidth"].worst
    assert worst is not None
    command = f"cosim characterise sheet.toml --repeat {worst.key}"
    assert command in "\n".join(failing_lines(result)) and command in markdown(result)
    suite = ElementTree.fromstring(junit(result))
    assert suite.attrib["failures"] == "1" and suite.attrib["errors"] == "1"
    assert command in (suite.findtext("testcase/failure") or "")
    table = as_csv(result).splitlines()
    assert table[0] == "parameter,unit,r,c,temperature,seed,value,beyond,fault,key"
    assert len(table) == 1 + sum(len(one.rows) for one in result.parameters.values())
    hostile = result.model_copy(update={"title": "<script>|`"})
    assert markdown(hostile).startswith("# \\<script\\>\\|\\`: fail")
    drawn = draw_all(result, tmp_path)
    assert {path.stem for path in drawn} == {"bandwidth", "decibel", "level"}


def test_a_result_is_read_back_and_compared(result: Result) -> None:
    same = Result.model_validate_json(result.model_dump_json())
    assert same == result and comparison_rows(same, result) == []
    one = result.parameters["level"]
    moved = one.model_copy(update={"typical": 2.0, "judgement": Judgement.FAILED})
    changed = result.model_copy(update={"parameters": {"level": moved}})
    rows = comparison_rows(changed, result)
    assert ["level", "typical", "1 V", "2 V", "+100 %", "", "pass -> fail"] in rows
    assert sum(row[4] == "only in the other" for row in rows) == 3


def test_the_command_ends_by_the_limits(folder: Path, outcomes: dict[str, Outcome]) -> None:
    run = partial(CliRunner().invoke, app)
    where = ["characterise", str(folder / "sheet.toml"), "-o", str(folder)]
    failed = run([*where, "--parameter", "bandwidth", "--json"])
    assert failed.exit_code == 8
    assert json.loads(failed.stdout)["judgement"] == "fail"
    assert run(["characterise", str(folder / "datasheet.json")]).exit_code == 8
    assert run([*where, "--parameter", "level", "--typical"]).exit_code == 0
    assert run([*where, "--parameter", "missing", "--typical"]).exit_code == 7
    assert run([*where, "--parameter", "none"]).exit_code != 0
    assert "[/]" not in run(["characterise", str(folder / "datasheet.json")]).stdout
    for name in ("datasheet.md", "datasheet.csv", "datasheet.xml"):
        assert (folder / name).is_file()


# -- statistics -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spreads() -> dict[float, float]:
    """Standard deviation of the gate voltage's difference of 40 pairs, two seeds, by area."""
    areas = {2.0: (2, 1), 8.0: (4, 2), 32.0: (8, 4)}
    lines = []
    for area, (width, length) in areas.items():
        for pair in range(40):
            for side in "ab":
                node = f"g{int(area)}_{pair}{side}"
                lines.append(f"I{node} 0 {node} 1u")
                lines.append(f"X{node} {node} {node} 0 0 nfet_03v3 w={width}u l={length}u")
    circuit = Netlist("\n".join(["pairs", *lines, ""]), process="gf180mcu")
    session = NgspiceSession.start()
    found: dict[float, list[float]] = {area: [] for area in areas}
    for seed in (1, 2):
        vectors = session.analyse(f"{circuit.given(seed=seed).circuit}.op\n.end\n")
        for area in areas:
            for pair in range(40):
                a, b = (float(vectors[f"g{int(area)}_{pair}{side}"][0]) for side in "ab")
                found[area].append(a - b)
    return {area: float(np.std(values)) for area, values in found.items()}


def test_mismatch_follows_pelgroms_law(spreads: dict[float, float]) -> None:
    """sigma = A / sqrt(W L): each area four times the one before has half the spread.

    80 pairs know it within 8 % (1 / sqrt(2 * 80)); the ratio of two of them is within 3.5 sigma.
    """
    scaled = [spread * math.sqrt(area) for area, spread in spreads.items()]
    assert max(scaled) / min(scaled) < 1 + 3.5 * math.sqrt(2) * 0.08
    # In weak inversion the threshold's mismatch is all: A_vt = 7.148 mV um, times sqrt(1) as the
    # models give the pair's; effective areas are smaller than drawn ones.
    assert np.mean(scaled) == pytest.approx(7.148e-3, rel=0.25)


# -- code that a datasheet names ------------------------------------------------------------------

CODE = """
import cosim


def circuit():
    return "* a node\\n.subckt follower drive out\\nR1 drive out 10k\\nC1 out 0 1n\\n.ends\\n"


def controllers():
    return [cosim.Block(lambda volts: 5.0 * (1.0 - volts), inputs=["out"], outputs=["drive"])]


def last(signals):
    return signals["out"].values[-1]
"""
CODED = """
name = "loop"
generator = "mine.py:circuit"
[conditions]
load = "1meg"
[benches.loop]
netlist = "X1 drive out follower\\nRload out 0 {load}"
blocks = "mine.py:controllers"
analyses = { step = "lockstep 50u 0.2u" }
[parameters.last]
bench = "loop"
function = "mine.py:last"
[parameters.settled]
bench = "loop"
measure = "out at=50u"
unit = "V"
limits = { minimum = 0.8 }
"""


def test_blocks_generator_and_function_run_when_allowed(tmp_path: Path) -> None:
    """v = 5 (1 - v), less the load's 1 %: 0.8319 V."""
    (tmp_path / "mine.py").write_text(CODE)
    path = tmp_path / "sheet.toml"
    path.write_text(CODED)
    with pytest.raises(ConfigurationError, match="allow-code"):
        read_datasheet(path)
    sheet = read_datasheet(path, allow_code=True)
    assert not sheet.closed
    wanted = tasks(sheet, fingerprints(sheet))
    outcome = measure_task(sheet, wanted[0])
    assert not outcome.faults
    expected = 5 / (1.01 + 5)
    assert outcome.values == pytest.approx({"last": expected, "settled": expected}, rel=1e-3)
    found = repeat(sheet, wanted[0], outcome.values, tmp_path)
    assert [one.name for one in found.files] == ["lockstep.h5"]
    (tmp_path / "mine.py").write_text(CODE.replace("return signals", "return 1 // 0 * signals"))
    (changed,) = tasks(sheet, fingerprints(sheet))
    assert changed.key != wanted[0].key
    other = measure_task(sheet, changed)
    assert "ZeroDivisionError" in other.faults["last"] and "settled" in other.values

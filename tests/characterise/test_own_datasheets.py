"""The datasheets of our own blocks: within their limits at typical, and these from the design."""

from pathlib import Path

import pytest

from cosim.characterise.benches import BENCHES
from cosim.characterise.datasheet.circuit import fingerprints
from cosim.characterise.datasheet.file import read_datasheet
from cosim.characterise.datasheet.judging import judged
from cosim.characterise.datasheet.measuring import measure_task
from cosim.characterise.datasheet.tasks import tasks
from cosim.circuits import multiplier

SHEETS = sorted((Path(__file__).parents[2] / "results" / "datasheets").glob("*.toml"))


@pytest.mark.parametrize("path", SHEETS, ids=[path.stem for path in SHEETS])
def test_block_is_within_its_limits_at_typical(path: Path) -> None:
    sheet = read_datasheet(path)
    wanted = tasks(sheet, dict.fromkeys(sheet.benches, ""), only_typical=True)
    outcomes = {task.key: measure_task(sheet, task) for task in wanted}
    for name in sheet.parameters:
        found = judged(sheet, name, wanted, outcomes, "wilson")
        assert found.judgement == "pass", (name, found.rows)


@pytest.mark.parametrize("path", SHEETS, ids=[path.stem for path in SHEETS])
def test_typical_limits_are_what_the_design_promises(path: Path) -> None:
    sheet = read_datasheet(path)
    (bench,) = sheet.benches.values()
    promised = BENCHES[bench.block].design(3.3)
    stated = {
        one.measure: one.limits.typical.value
        for one in sheet.parameters.values()
        if one.limits.typical is not None
    }
    for measure, value in promised.items():
        assert stated[measure] == pytest.approx(value, rel=1e-3)


def test_results_of_another_circuit_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block's generator is code, which the file does not name."""
    sheet = read_datasheet(next(path for path in SHEETS if path.stem == "multiplier"))
    before = fingerprints(sheet)
    assert fingerprints(sheet) == before
    monkeypatch.setattr(multiplier, "OUTPUT_IMBALANCE", 0.02)
    assert fingerprints(sheet) != before


def test_there_are_sheets() -> None:
    assert len(SHEETS) >= 7

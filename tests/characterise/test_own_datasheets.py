"""The datasheets of our own blocks: within their limits at typical, and these from the design."""

from pathlib import Path

import pytest

from cosim.characterise.benches import BENCHES
from cosim.characterise.datasheet.file import read_datasheet
from cosim.characterise.datasheet.judging import judged
from cosim.characterise.datasheet.measuring import measure_task
from cosim.characterise.datasheet.tasks import tasks

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


def test_there_are_sheets() -> None:
    assert len(SHEETS) >= 7

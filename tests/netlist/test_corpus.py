"""The corpus: every fault is named, no sound netlist is blamed, and its answer is that by hand."""

from pathlib import Path

import numpy as np
import pytest

from cosim.netlist.check import check
from cosim.netlist.finding import RULES
from cosim.simulation.analysis import simulate
from tests.netlist.corpus import FAULTY, FAULTY_TITLES, SOUND

FAULTS = [(rule, f"title\n{body}\n.end\n") for rule, body in FAULTY] + FAULTY_TITLES


def test_the_corpus_is_large_enough() -> None:
    assert len(SOUND) >= 40 and len(FAULTS) >= 80


@pytest.mark.parametrize("name", SOUND)
def test_sound_netlist_is_not_blamed_and_right(name: str, tmp_path: Path) -> None:
    body, vector, expected = SOUND[name]
    text = f"title\n{body}\n.end\n"
    assert check(text) == []
    answer = simulate(text, tmp_path / "sound.cir")
    assert answer.warnings == ()
    assert np.abs(answer.vectors[vector][-1]) == pytest.approx(abs(expected), rel=2e-3)


@pytest.mark.parametrize(("rule", "text"), FAULTS)
def test_fault_is_named(rule: str, text: str) -> None:
    findings = check(text)
    assert {finding.rule for finding in findings} == {rule}, [str(finding) for finding in findings]
    assert all(finding.message and finding.remedy for finding in findings)


def test_every_rule_has_a_fault() -> None:
    """But those of files and waivers, which have tests of their own."""
    own = {"unknown-file", "waiver", "unneeded-waiver", "dangling-feedback"}
    assert set(RULES) - {rule for rule, _ in FAULTS} == own

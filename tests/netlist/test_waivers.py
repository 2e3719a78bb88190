"""Waivers: a rule is allowed with a reason, and a waiver that nothing needs is told."""

import json
import re
import warnings
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.errors import NetlistError
from cosim.netlist.check import check, errors
from cosim.netlist.circuit import Netlist
from cosim.netlist.finding import RULES

SLIP = "title\nV1 a 0 1\nR1 a b 1M\nR2 b 0 1k\n{}.op\n.end\n"
SOUND = "title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n{}.op\n.end\n"
FAULT = "title\nV1 a 0 1\nR1 a b\nR2 b 0 1k\n.op\n.end\n"


@pytest.mark.parametrize(
    ("text", "comment", "expected"),
    [
        (SLIP, "", ["unit-slip"]),
        (SLIP, "* cosim: allow unit-slip because it is a shunt\n", []),
        (SLIP, "* COSIM: ALLOW UNIT-SLIP BECAUSE it is a shunt\n", []),
        (SLIP, "* cosim: allow unit-slip\n", ["unit-slip", "waiver"]),
        (SLIP, "* cosim: allow unit-slip because\n", ["unit-slip", "waiver"]),
        (SLIP, "* cosim: allow unitslip because it is a shunt\n", ["unit-slip", "waiver"]),
        (SLIP, "* cosim: allow syntax because I know\n", ["unit-slip", "waiver"]),
        (SOUND, "* cosim: allow unit-slip because there was one\n", ["unneeded-waiver"]),
        (SOUND, "* cosim: allowing is a word\n", []),
    ],
)
def test_waiver_in_the_netlist(text: str, comment: str, expected: list[str]) -> None:
    assert sorted(finding.rule for finding in check(text.format(comment))) == expected


def test_waiver_from_outside() -> None:
    assert check(SLIP.format(""), allow=["unit-slip"]) == []
    assert [finding.rule for finding in check(SOUND.format(""), allow=["unit-slip"])] == [
        "unneeded-waiver"
    ]
    assert [finding.rule for finding in check(SOUND.format(""), allow=["no-rule"])] == ["waiver"]


def test_a_warning_is_no_error() -> None:
    assert errors(check(SLIP.format(""))) == []
    assert [finding.rule for finding in errors(check(FAULT))] == ["missing-value"]


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (SLIP.format(""), [], 0),
        (SLIP.format(""), ["--strict"], 3),
        (SLIP.format(""), ["--strict", "--allow", "unit-slip"], 0),
        (SOUND.format(""), ["--strict"], 0),
        (SOUND.format(""), ["--allow", "no-rule"], 3),
        (FAULT, [], 3),
        (FAULT, ["--allow", "missing-value"], 0),
    ],
)
def test_exit_code(text: str, options: list[str], code: int, tmp_path: Path) -> None:
    file = tmp_path / "a.cir"
    file.write_text(text)
    assert CliRunner().invoke(app, ["check", str(file), *options]).exit_code == code


def test_findings_as_json(tmp_path: Path) -> None:
    file = tmp_path / "a.cir"
    file.write_text(FAULT.replace("R2 b 0 1k", "R2 b 0 1M"))
    found = json.loads(CliRunner().invoke(app, ["check", str(file), "--json"]).stdout)
    assert [finding["rule"] for finding in found["errors"]] == ["missing-value"]
    assert [(finding["rule"], finding["line"]) for finding in found["warnings"]] == [
        ("unit-slip", 4)
    ]


def test_the_front_door_warns_refuses_and_keeps_waivers() -> None:
    with pytest.warns(UserWarning, match="line 3, r1: unit-slip"):
        Netlist(SLIP.format("")).require_sound()
    with pytest.warns(UserWarning, match="step-over-event"):
        Netlist("title\nB1 a 0 v=sin(6*1meg*time)\nR1 a 0 1k\n").require_sound(".tran 1u 9u 0 1u")
    with pytest.raises(NetlistError, match="missing-value"):
        Netlist(FAULT).require_sound()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        waived = Netlist(SLIP.format("* cosim: allow unit-slip because it is a shunt\n"))
        waived.given(temperature=50).require_sound()


def test_the_manual_has_every_rule_and_no_other() -> None:
    manual = files("cosim").joinpath("docs/reference/rules.md").read_text(encoding="utf8")
    told = {
        name: severity
        for names, severity in re.findall(r"^\| (`.*`) \| (\w+) \|", manual, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert told == {rule: RULES[rule] for rule in RULES if "waiver" not in rule}

"""Results as JSON: of every command that prints one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cosim.cli import app
from cosim.engine.doctor import Finding, Report, Status
from tests.plugins.test_plugins import PROCESS, Packages, packages
from tests.trace.recordings import record

__all__ = ["packages"]

PRINT_NO_RESULT = {
    "netlist": "prints the netlist, or writes files",
    "report": "writes a file",
    "serve": "works until the other side ends",
    "watch": "a screen",
    "trace tail": "columns, while they come",
    "trace plot": "writes a file",
    "trace export": "writes a file",
    "trace import": "writes a file",
}


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(group, "commands"):
        yield path, group
        return
    for name, command in group.commands.items():
        yield from commands(command, f"{path} {name}".strip())


COMMANDS = dict(commands(get_command(app)))


def test_every_command_has_it_or_prints_no_result() -> None:
    assert len(COMMANDS) > 15
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in COMMANDS.items()
    }
    assert {name for name, known in options.items() if "--json" not in known} == {*PRINT_NO_RESULT}


def printed(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_golden_traces_are_listed() -> None:
    listed = printed("golden", "list")
    opamp = next(one for one in listed if one["name"] == "opamp")
    assert opamp["bytes"] > 1000 and opamp["reason"] and opamp["taken"][:2] == "20"


def test_a_verified_trace(tmp_path: Path) -> None:
    record(tmp_path / "run.h5")
    assert printed("trace", "verify", str(tmp_path / "run.h5")) == {
        "path": str(tmp_path / "run.h5"),
        "as_recorded": True,
    }


def test_the_doctor_lists_plug_ins(packages: Packages, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Report((Finding("machine", Status.OK, "there"),))
    monkeypatch.setattr("cosim.engine.doctor.examine", lambda: machine)
    packages.install(
        "acme-listed", PROCESS, entries={"cosim.processes": ["shrunk = acme_listed:process"]}
    )
    packages.install(
        "acme-broken", "raise RuntimeError('no licence')",
        entries={"cosim.schemes": ["lost = acme_broken:Scheme"]},
    )  # fmt: skip
    report = printed("doctor")
    good, broken = report["plugins"]
    assert (good["kind"], good["name"], good["origin"]) == ("process", "shrunk", "acme-listed 1.0")
    assert good["file"] == str(packages.folder / "acme_listed.py") and good["loads"]
    assert (broken["kind"], broken["name"], broken["loads"]) == ("scheme", "lost", False)
    assert "RuntimeError: no licence" in broken["fault"]
    assert report["usable"]
    text = CliRunner().invoke(app, ["doctor"]).output
    assert "process shrunk" in text and "no licence" in text

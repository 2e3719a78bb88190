"""What README, `--help` and the program tell the user to type can be typed, and works."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cosim.cli import app, main
from cosim.engine.library import find_library

ROOT = Path(__file__).resolve().parents[1]
COMMAND = typer.main.get_command(app)

QUICK = (
    "cosim run circle --fidelity opamp=ideal",
    "cosim netlist solver circle -o out.cir",
    "cosim check anything.cir",
    "cosim simulate anything.cir -o out.csv",
    "cosim simulate anything.cir -o out.h5",
    "cosim trace info results/runs/circle/trace.h5",
    "cosim trace plot results/runs/circle/trace.h5 --signals 'integrator_*'",
    "cosim trace export results/runs/circle/trace.h5 out.vcd --signals 'integrator_*'",
    "cosim compare run.h5 golden.h5 -o report",
    "cosim doctor",
)
"""Of the commands that are shown, those that take seconds; in this order."""

ANYTHING = "charge\nV1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n.ic v(b)=0\n.tran 10n 5u 0 10n\n.end\n"


def shown_commands() -> list[str]:
    """The lines of README's and the manual's code blocks that begin with `cosim`."""
    texts = [ROOT / "README.md", *sorted((ROOT / "cosim" / "docs").rglob("*.md"))]
    found = []
    for path in texts:
        for block in re.findall(r"```(?:console|sh|bash)?\n(.*?)```", path.read_text(), re.DOTALL):
            for line in block.splitlines():
                if match := re.match(r"(?:\$ )?(cosim .*?)(?:\s{2,}#.*|\s+#\s.*)?$", line):
                    found.append(match[1].strip())
    return list(dict.fromkeys(found))


def below(command: Any) -> dict[str, Any]:
    """The commands of a group; none of a command. Typer's click is not always click itself."""
    return getattr(command, "commands", {})


def help_commands(command: Any) -> Iterator[str]:
    """What the help texts of a command and those below it show."""
    yield from re.findall(r"`(cosim [^`]+)`", command.help or "")
    for part in below(command).values():
        yield from help_commands(part)


def parse(command: Any, words: list[str], parent: Any = None) -> None:
    """Have the command line parsed, and nothing run; an exception where it cannot be."""
    context = command.make_context(command.name, list(words), parent=parent)
    if below(command):
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        _, part, rest = command.resolve_command(context, rest)
        parse(part, rest, context)


@pytest.mark.parametrize("line", [*shown_commands(), *help_commands(COMMAND)])
def test_command_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    if "..." not in words:
        parse(COMMAND, words)


def test_commands_in_messages_exist() -> None:
    """Errors say "`cosim check` lists them all", and such."""
    named = {
        (match[1], match[2])
        for path in (ROOT / "cosim").rglob("*.py")
        for match in re.finditer(r"`cosim ([a-z]+)(?: ([a-z]+))?[` ]", path.read_text())
    }
    assert len(named) > 10
    for name, second in sorted(named, key=str):
        assert name in below(COMMAND), f"`cosim {name}`"
        inner = below(below(COMMAND)[name])
        assert not inner or second is None or second in inner, f"`cosim {name} {second}`"


def plain_ngspice(netlist: Path) -> subprocess.CompletedProcess[str]:
    """`ngspice -b`, as a user types it."""
    executable = find_library().executable_path
    if executable is None:
        pytest.skip("no plain ngspice beside the library; `make setup` installs one")
    return subprocess.run(
        [str(executable), "-b", str(netlist)],
        cwd=netlist.parent, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_quick_commands_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Typed one after the other in an empty folder; and what the first one says to try."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "anything.cir").write_text(ANYTHING)
    match = None
    for line in QUICK:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = capfd.readouterr()
        assert not ended.value.code, f"{line}: {output}{errors}"
        assert output or "-o out.cir" in line, line
        if line.startswith("cosim run"):
            trace = tmp_path / "results" / "runs" / "circle" / "trace.h5"
            for name in ("run.h5", "golden.h5"):
                shutil.copy(trace, tmp_path / name)
            match = re.search(r"try: ngspice -b (\S+?)\)", " ".join(output.split()))
            assert match, output
    assert match is not None
    done = plain_ngspice(tmp_path / match[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\s*\d+\s+\S+e[-+]\d+\s", done.stdout, re.MULTILINE)

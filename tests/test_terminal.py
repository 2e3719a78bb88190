"""What files say is shown in a terminal, never obeyed; writing follows no links."""

import io
import json
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from cosim.cli.app import print_json
from cosim.errors import ConfigurationError
from cosim.files import write_text
from cosim.plugins import named_by_data
from cosim.terminal import Terminal

HOSTILE = ["\x1b]0;owned\x07", "\x1b[2Jx", "\x9b31mred", "a\rb", "\u202egnp", "\x7f", "a\x08b"]


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_are_shown(text: str) -> None:
    file = io.StringIO()
    terminal = Terminal(file=file, force_terminal=True, width=100)
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text, style="red")
    for what in (text, table, Text(text, style="bold")):
        terminal.print(what)
    for character in text:
        if not character.isprintable() and character != "\x1b":
            assert character not in file.getvalue()
    assert "\x1b]" not in file.getvalue() and "\x1b[2J" not in file.getvalue()
    assert "\x1b[1m" in file.getvalue()  # its own styles stay


@pytest.mark.parametrize(
    "text", ["[/nope]", "[red]a", "v[0]", "[link=http://x]a[/link]", ":smile:"]
)
def test_markup_is_shown_and_never_obeyed(text: str) -> None:
    file = io.StringIO()
    terminal = Terminal(file=file, width=100)
    table = Table(text)
    table.add_row(text)
    terminal.print(text, table)
    assert file.getvalue().count(text) == 3


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_shown_and_read_back(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({text: [text]})
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert json.loads(printed) == {text: [text]}


@pytest.mark.parametrize("name", [".o.csv.partial", "o.csv"])
@pytest.mark.parametrize("kind", ["file", "nothing"])
def test_no_planted_link_is_followed(name: str, kind: str, tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "out"
    folder.mkdir()
    if kind == "file":
        victim.write_text("precious")
    (folder / name).symlink_to(victim)
    write_text(folder / "o.csv", "new")
    assert (folder / "o.csv").read_text() == "new"
    assert not (folder / "o.csv").is_symlink()
    assert victim.exists() == (kind == "file")
    assert kind == "nothing" or victim.read_text() == "precious"
    assert {path.name for path in folder.iterdir()} <= {"o.csv", ".o.csv.partial"}


@pytest.mark.parametrize("name", ["../evil.py", "sub/../../evil.py", "link.py", "{tmp}/evil.py"])
def test_code_that_a_run_file_names_lies_beside_it(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "evil.py").touch()
    (folder / "link.py").symlink_to(tmp_path / "evil.py")
    with pytest.raises(ConfigurationError, match="outside"):
        named_by_data(name.format(tmp=tmp_path), "The run file", folder)

"""Exit codes tell errors apart, and are told to users."""

import re
from importlib.resources import files

from cosim import errors
from cosim.cli.app import EXIT_CODES


def own_codes() -> dict[str, int]:
    """The exit code of each class that sets one."""
    return {
        name: one.__dict__["exit_code"]
        for name, one in vars(errors).items()
        if isinstance(one, type) and "exit_code" in one.__dict__
    }


def test_no_two_kinds_of_error_end_alike() -> None:
    codes = own_codes()
    assert len(set(codes.values())) == len(codes), codes


def test_help_and_manual_tell_every_code() -> None:
    manual = (files("cosim") / "docs/explanation/verdicts.md").read_text(encoding="utf8")
    in_help = {int(code) for code in re.findall(r"(\d+) [a-z]", EXIT_CODES)}
    in_manual = {int(code) for code in re.findall(r"^\| (\d+) \|", manual, re.MULTILINE)}
    assert in_help == in_manual == {0, 130, *own_codes().values()}

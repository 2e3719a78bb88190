"""Value change dump (IEEE 1364-2005, clause 18), as GTKWave opens it: every signal a real."""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from cosim.trace.exchange.changes import by_block, changes, time_unit
from cosim.trace.table import Table

_CODE_LETTERS = [chr(code) for code in range(33, 127)]


def write_vcd(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write signals [names] of a table, in the finest time unit that reaches to the end.

    Raises:
        TraceError: a time is negative or too large.
    """
    unit = time_unit(table)
    codes = [_code(number) for number in range(len(names))]
    with path.open("w", encoding="utf-8") as file:
        file.write(f"$version cosim $end\n$timescale 1 {unit} $end\n")
        _declare(file, names, codes)
        stamped = -1
        for stamp, changed in changes(table, names, unit):
            if stamp > stamped:
                file.write(f"#{stamp}\n")
                stamped = stamp
            file.writelines(f"r{value:.17g} {codes[index]}\n" for index, value in changed)


def _declare(file: TextIO, names: Sequence[str], codes: Sequence[str]) -> None:
    """Names and codes of the variables, in a scope for each block."""
    for block, inside in by_block(names):
        scopes = block.split(".") if block else []
        file.writelines(f"$scope module {scope} $end\n" for scope in scopes)
        file.writelines(
            f"$var real 64 {codes[number]} {names[number].rpartition('.')[2]} $end\n"
            for number in inside
        )
        file.write("$upscope $end\n" * len(scopes))
    file.write("$enddefinitions $end\n")


def _code(number: int) -> str:
    """A short name of a variable, of printable characters."""
    rest, letter = divmod(number, len(_CODE_LETTERS))
    return (_code(rest - 1) if rest else "") + _CODE_LETTERS[letter]

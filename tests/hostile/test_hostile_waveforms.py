"""Hostile .csv and .raw files: refused in a paragraph, and no trace is left behind."""

import os
from pathlib import Path

import pytest

from cosim.errors import CosimError
from cosim.trace import Trace
from cosim.trace.exchange import import_trace
from cosim.trace.schema import NAME
from tests.hostile.outside import Outside

GOOD_CSV = "time (s),a (V)\n0,1\n1,2\n"

CSV: dict[str, bytes] = {
    name: text if isinstance(text, bytes) else text.encode()
    for name, text in {
        "nothing": "", "a line end": "\n", "no header": "0,1\n1,2\n", "only a header": "time,a\n",
        "another first column": "a,time\n0,1\n", "a unit that is none": "time [parsec],a\n0,1\n",
        "a unit that escapes": "time [\x1b]0;x\x07],a\n0,1\n",
        "times of NaN": "time,a\n0,1\nnan,2\n", "times that end in inf": "time,a\n0,1\ninf,2\n",
        "times from -inf": "time,a\n-inf,1\n0,2\n", "times that go back": "time,a\n1,1\n0,2\n",
        "times beyond a float": "time,a\n0,1\n1e999,2\n", "a missing value": "time,a,b\n0,1\n",
        "an empty value": "time,a\n0,\n", "a value too many": "time,a\n0,1,2\n",
        "columns that change": "time,a\n0,1\n1,2,3\n", "a word": "time,a\n0,one\n",
        "a formula": "time,a\n0,=cmd|' /C calc'!A0\n",
        "decimal commas": "time;a\n0,5;1\n", "hexadecimal": "time,a\n0,0x10\n",
        "complex": "time,a\n0,1+2j\n", "digits apart": "time,a\n0,1 000\n",

        "NUL": "time,a\n0,1\0\n", "NUL in the header": "time,\0\n0,1\n",
        "UTF-16": GOOD_CSV.encode("utf-16"), "Latin-1": "time,\u00e4\n0,1\n".encode("latin-1"),
        "bytes": bytes(range(256)) * 10, "a zip": b"PK\x03\x04" + bytes(100),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(1000), "a pickle": b"\x80\x04cposix\nsystem\n.",
        "a name twice": "time,a,a\n0,1,2\n", "no name": "time,\n0,1\n",
        "a name of a block": "time,a.b,a\n0,1,2\n", "a long name": f"time,{'a' * 10_000}\n0,1\n",

        "a million columns": "time," + ",".join(map(str, range(1_000_000))) + "\n",
        "20,000 columns": "time," + ",".join(f"a{i}" for i in range(20_000)) + "\n",
        "a header of 5 MB": "time,a" + " " * 5_000_000 + "\n0,1\n",
        "a row of 5 MB": f"time,a\n0,{'1' * 5_000_000}\n",
        "a million digits": f"time,a\n{'1' * 10**6},1\n",
        "an escape as name": "time,a\x1b]0;x\x07 (\x1b[2J)\n0,1\n", "no signal": "time\n0\n1\n",
    }.items()
}  # fmt: skip

HEAD = (
    "Title: t\nDate: d\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: 2\n"
    "No. Points: 2\nVariables:\n\t0\ttime\ttime\n\t1\tv(a)\tvoltage\n"
)
VALUES = "Values:\n0\t0.0\n\t1.0\n1\t1.0\n\t2.0\n"
GOOD_RAW = HEAD + VALUES


def _changed(old: str, new: str, tail: str = VALUES) -> str:
    assert old in HEAD
    return HEAD.replace(old, new) + tail


RAW: dict[str, bytes] = {
    name: text if isinstance(text, bytes) else text.encode()
    for name, text in {
        "nothing": "", "no values": HEAD, "words": "what\n", "a marker alone": "Values:\n",
        "a binary marker alone": b"Binary:\n" + bytes(32),
        "no points": _changed("Points: 2", "Points: 0"),
        "10^18 points": _changed("Points: 2", "Points: 1000000000000000000"),
        "10^18 binary points": _changed("Points: 2", f"Points: {10**18}", "Binary:\n" + "x" * 32),
        "20,000 digits of points": _changed("Points: 2", "Points: " + "9" * 20_000),
        "negative points": _changed("Points: 2", "Points: -2"),
        "points of a word": _changed("Points: 2", "Points: two"),
        "points in other digits": _changed("Points: 2", "Points: \u0663"),
        "10^9 variables": _changed("Variables: 2", "Variables: 1000000000"),
        "no variables": _changed("Variables: 2", "Variables: 0"),
        "a variable too many": _changed("Variables: 2", "Variables: 3"),
        "another number": _changed("\t1\tv(a)", "\t7\tv(a)"),
        "no time": _changed("\t0\ttime\ttime", "\t0\tv(b)\tvoltage"),
        "frequencies": _changed("\t0\ttime\ttime", "\t0\tfrequency\tfrequency"),
        "complex": _changed("Flags: real", "Flags: complex"),
        "steps that end in NaN": _changed(
            "Flags: real", "Flags: real stepped", "Values:\n0\t1.0\n\t1.0\n1\tnan\n\t2.0\n"
        ),
        "a second one cut off": GOOD_RAW + HEAD, "two of other signals": GOOD_RAW
        + GOOD_RAW.replace("v(a)", "v(b)"),
        "a second one that lies": GOOD_RAW + _changed("Points: 2", f"Points: {10**18}"),

        "an escape as name": _changed("v(a)", "v(\x1b[2J)"),
        "an empty name": _changed("v(a)", "", "Values:\n0 0\n"),
        "a value missing": HEAD + "Values:\n0\t0.0\n\t1.0\n1\t1.0\n",
        "a point missing": HEAD + "Values:\n0\t0.0\n\t1.0\n",
        "a point too many": GOOD_RAW + "2\t2.0\n\t3.0\n",
        "points out of order": HEAD + "Values:\n1\t0.0\n\t1.0\n0\t1.0\n\t2.0\n",
        "times that go back": HEAD + "Values:\n0\t1.0\n\t1.0\n1\t0.0\n\t2.0\n",
        "times of NaN": HEAD + "Values:\n0\tnan\n\t1.0\n1\t1.0\n\t2.0\n",
        "times that end in inf": HEAD + "Values:\n0\t0\n\t1.0\n1\tinf\n\t2.0\n",
        "a word": HEAD + "Values:\n0\tzero\n\t1.0\n1\t1.0\n\t2.0\n",
        "a binary cut off": HEAD.encode() + b"Binary:\n" + bytes(31),
        "a binary too long": HEAD.encode() + b"Binary:\n" + bytes(33),
        "NUL": HEAD + "Values:\n0\t0.0\0\n", "UTF-16 cut off": GOOD_RAW.encode("utf-16-le")[:-9],
        "a long line": HEAD + "Values:\n" + "0" * 5_000_000 + "\n",
        "a header without end": "Title: " + "x" * 5_000_000,
        "an offset of a word": _changed("Flags", "Command: LTspice\nOffset: zero\nFlags"),
        "an offset of inf": _changed("Flags", "Command: LTspice\nOffset: inf\nFlags"),
        "an offset of NaN": _changed("Flags", "Command: LTspice\nOffset: nan\nFlags"),
        "fast access that lies": _changed(
            "Flags: real", "Flags: real fastaccess", "Binary:\n" + "x" * 30
        ),
        "a pickle": b"\x80\x04cposix\nsystem\n.", "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(1000),
    }.items()
}  # fmt: skip

NAMED: dict[str, bytes] = {
    "a formula.csv": b"time,=1+1\n0,1\n", "an open quote.csv": b'time,"a\n0,1\n',
    "an open quote in a row.csv": b'time,a\n0,"1\n', "a path.csv": b"time,../../x\n0,1\n",
    "time twice.csv": b"time,time\n0,1\n", "a link.csv": b"time,[link=http://x]a[/link]\n0,1\n",
    "a path.raw": _changed("v(a)", "../../../x").encode(),
}  # fmt: skip
"""They can be read, under harmless names."""

ALL = {f"{name}.{kind}": content for kind, of in (("csv", CSV), ("raw", RAW))
       for name, content in of.items()}  # fmt: skip


def test_there_are_enough() -> None:
    assert len(ALL) >= 60


def test_the_good_ones_are_taken(tmp_path: Path) -> None:
    for name, text in (("a.csv", GOOD_CSV), ("a.raw", GOOD_RAW)):
        (tmp_path / name).write_text(text)
        import_trace(tmp_path / name, tmp_path / f"{name}.h5")


@pytest.mark.parametrize("name", ALL)
def test_it_is_refused(name: str, tmp_path: Path, bait: Outside) -> None:
    source = tmp_path / f"a.{name[-3:]}"
    source.write_bytes(ALL[name])
    _refused(source, tmp_path)


@pytest.mark.parametrize("name", NAMED)
def test_its_names_are_made_harmless(name: str, tmp_path: Path, bait: Outside) -> None:
    source = tmp_path / f"a.{name[-3:]}"
    source.write_bytes(NAMED[name])
    import_trace(source, tmp_path / "made.h5")
    with Trace.open(tmp_path / "made.h5") as trace:
        assert [signal for signal in trace if not NAME.fullmatch(signal)] == []


@pytest.mark.parametrize("ending", ["csv", "raw"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "missing"])
def test_what_is_no_regular_file_is_refused(
    kind: str, ending: str, tmp_path: Path, bait: Outside
) -> None:
    source = tmp_path / f"a.{ending}"
    match kind:
        case "pipe":
            os.mkfifo(source)
        case "endless":
            source.symlink_to("/dev/zero")
        case "folder":
            source.mkdir()
    _refused(source, tmp_path)


def _refused(source: Path, folder: Path) -> None:
    with pytest.raises(CosimError) as refused:
        import_trace(source, folder / "made.h5")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 2000
    assert {path.name for path in folder.iterdir()} <= {source.name, "outside"}

"""What other programs read of our traces, and what a trace holds of their files."""

import hashlib
import io
import re
import subprocess
import tomllib
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from spicelib import RawRead, RawWrite
from spicelib.raw.raw_write import Trace as RawTrace
from typer.testing import CliRunner
from vcdvcd import VCDVCD

from cosim.cli import app
from cosim.engine.library import find_library
from cosim.errors import ConfigurationError, TraceError
from cosim.trace import Signal, Trace, TraceWriter, schema, table
from cosim.trace.exchange import csv_file, export_trace, import_trace, raw_read
from cosim.trace.exchange.csv_file import read_csv
from cosim.trace.exchange.raw_read import read_raw
from tests.plain_ngspice import read_raw as read_raw_plainly
from tests.plain_ngspice import run_batch
from tests.trace.recordings import PROVENANCE, SIGNALS, record
from tests.trace.test_faults import largest_file, names_in
from tests.trace.test_round_trip import tables

SQUARE_ROOTS = np.sqrt(np.arange(12.0)).reshape(4, 3)
TIMES = np.array([0.0, 1e-9, 1.5e-9, 7e-9])

some_tables = tables().filter(lambda table: bool(table[0]) and len(table[1]) > 0)
in_a_folder = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def make_trace(
    path: Path, signals: list[Signal] | tuple[Signal, ...], time_second, values
) -> Trace:
    """A finished trace of these points."""
    with TraceWriter.create(path, signals=signals, provenance=PROVENANCE, overwrite=True) as writer:
        writer.append(time_second, values)
        writer.finish()
    return Trace.open(path)


@pytest.fixture
def small(tmp_path: Path) -> Trace:
    """Four points of the usual signals."""
    return make_trace(tmp_path / "run.h5", SIGNALS, TIMES, SQUARE_ROOTS)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make files of a few points have several blocks."""
    monkeypatch.setattr(table, "chunk_points", lambda _: 7)
    monkeypatch.setattr(raw_read, "BLOCK_VALUES", 16)
    monkeypatch.setattr(csv_file, "BLOCK_VALUES", 16)


@contextmanager
def peak_below(limit_byte: float) -> Iterator[None]:
    """What is done inside needs no more memory at once than this."""
    tracemalloc.start()
    try:
        yield
        peak_byte = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_byte < limit_byte


def with_one_nan(values: np.ndarray) -> bytes:
    """The bits of values, all NaN the same: text knows but one."""
    return np.where(np.isnan(values), np.nan, values).tobytes()


# -- round trips -----------------------------------------------------------------------------------


@in_a_folder
@given(some_tables)
def test_any_table_comes_back_from_raw_and_csv(short_blocks, tmp_path, table) -> None:
    signals, time_second, values = table
    trace = make_trace(tmp_path / "run.h5", signals, time_second, values)
    for name, as_text in (("binary.raw", False), ("text.raw", True), ("table.csv", False)):
        export_trace(trace, tmp_path / name, as_text=as_text)
        import_trace(tmp_path / name, tmp_path / "back.h5", overwrite=True)
        bits = bytes if name == "binary.raw" else with_one_nan
        with Trace.open(tmp_path / "back.h5") as back:
            back.verify()
            assert back.time_second.tobytes() == time_second.tobytes()
            assert [(s.name, s.unit) for s in map(back.__getitem__, back)] == [
                (signal.name, signal.unit) for signal in signals
            ]
            for signal, column in zip(signals, values.T, strict=True):
                assert bits(back[signal.name].values) == bits(column.copy())
    trace.close()


@in_a_folder
@given(some_tables)
def test_any_table_comes_back_from_parquet(short_blocks, tmp_path, table) -> None:
    signals, time_second, values = table
    with make_trace(tmp_path / "run.h5", signals, time_second, values) as trace:
        export_trace(trace, tmp_path / "run.parquet")
    frame = pd.read_parquet(tmp_path / "run.parquet")
    assert list(frame) == ["time", *(signal.name for signal in signals)]
    assert frame.to_numpy().tobytes() == np.column_stack([time_second, values]).tobytes()


@in_a_folder
@given(some_tables)
def test_any_finite_table_comes_back_from_pwl(short_blocks, tmp_path, table) -> None:
    signals, time_second, values = table
    assume(np.isfinite(values).all())
    with make_trace(tmp_path / "run.h5", signals, time_second, values) as trace:
        export_trace(trace, tmp_path / "run.pwl")
    text = (tmp_path / "run.pwl").read_text()
    sources = re.findall(r"^\* (\S+) \(V\)\nV(\w+) \2 0 PWL\(\n((?:\+ .*\n)+)", text, re.MULTILINE)
    assert [name for name, _, _ in sources] == [signal.name for signal in signals]
    assert len({node for _, node, _ in sources}) == len(signals)
    last = np.append(np.diff(time_second) > 0, True)
    for (_, _, lines), column in zip(sources, values.T, strict=True):
        pairs = np.array(re.findall(r"[^\s+()][^\s()]*", lines.replace("\n+", "\n ")), dtype=float)
        assert pairs.tobytes() == np.column_stack([time_second, column])[last].tobytes()


# -- judges that share no code with us -------------------------------------------------------------


@pytest.mark.parametrize("as_text", [False, True])
def test_ngspice_and_spicelib_read_a_raw_file(small: Trace, tmp_path: Path, as_text: bool) -> None:
    executable = find_library().executable_path
    if executable is None:
        pytest.skip("no plain ngspice beside the library; `make setup` installs one")
    export_trace(small, tmp_path / "run.raw", as_text=as_text)
    vectors = ("time", "v(integrator_0.out)", "integrator_1.out", "supply.current")
    expected = dict(zip(("time", *small), (TIMES, *SQUARE_ROOTS.T), strict=True))
    (tmp_path / "show.cir").write_text(
        "* show\n.control\nset numdgt=16\nload run.raw\n"
        + "".join(f"echo {vector}:\nprint {vector}\n" for vector in vectors)
        + ".endc\n.end\n"
    )
    shown = subprocess.run(
        [str(executable), "-b", "show.cir"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    for vector, values in zip(vectors, expected.values(), strict=True):
        printed = shown.partition(f"\n{vector}:\n")[2]
        rows = re.findall(r"^\d+\t(\S+)", printed, re.MULTILINE)[: len(values)]
        assert [float(row) for row in rows] == values.tolist()
    assert "supply.current      : current, real" in shown
    assert "no such command" not in shown

    raw = RawRead(str(tmp_path / "run.raw"))  # the dialect is known by its 'Command:'
    assert raw.get_trace_names() == list(expected)
    for name, values in expected.items():
        assert np.array_equal(raw.get_wave(name), values)


@pytest.mark.parametrize("as_text", [False, True])
def test_spicelib_reads_every_member_of_an_ensemble(tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "all.h5"
    with TraceWriter.create(path, signals=SIGNALS, provenance=PROVENANCE, members=4) as writer:
        for member in (0, 1, 3):
            writer.append(TIMES, SQUARE_ROOTS + member, member)
        writer.finish()
    target = tmp_path / "all.raw"
    command = ["trace", "export", str(path), str(target), *["--ascii"] * as_text]
    assert CliRunner().invoke(app, command).exit_code == 0
    plots = RawRead(str(target)).plots
    assert [plot.raw_params["Title"] for plot in plots] == [
        f"cosim trace all.h5, member {member}" for member in (0, 1, 3)
    ]
    for plot, member in zip(plots, (0, 1, 3), strict=True):
        assert np.array_equal(plot.get_wave("integrator_1.out"), SQUARE_ROOTS[:, 1] + member)
    refused = CliRunner().invoke(app, [*command[:3], str(tmp_path / "all.csv")])
    assert isinstance(refused.exception, ConfigurationError)
    assert "--member" in str(refused.exception)


@pytest.mark.parametrize("ending", ["fst", "vcd"])
def test_surfers_own_reader_reads_what_its_session_names(
    small: Trace, tmp_path: Path, ending: str
) -> None:
    """Surfer reads files by wellen, whose Python package is the judge."""
    pytest.importorskip("pylibfst", reason="the extra `fst` is not installed: make setup")
    pywellen = pytest.importorskip("pywellen", reason="the judge is not installed: make setup")
    export_trace(small, tmp_path / f"run.{ending}")
    export_trace(small, tmp_path / "run.sucl")
    session = [line.split() for line in (tmp_path / "run.sucl").read_text().splitlines()]
    (name,) = (words[1] for words in session if words[0] == "load_file")
    read = pywellen.Waveform(str(tmp_path / name))
    assert name == f"run.{ending}"
    for words in session:
        if words[0] == "variable_add":
            read[words[1]]
    assert (read.timescale.factor, str(read.timescale.unit)) == (1, "fs")
    found = {var.full_name: var for var in read.all_vars()}
    assert set(found) == {signal.name for signal in SIGNALS}
    for name, values in zip((signal.name for signal in SIGNALS), SQUARE_ROOTS.T, strict=True):
        changes = list(read[name].tv)
        assert [stamp for stamp, _ in changes] == [0, 1_000_000, 1_500_000, 7_000_000]
        assert [value for _, value in changes] == values.tolist()


def test_sessions_lay_out_signals_by_block(tmp_path: Path) -> None:
    signals = [Signal(name, "V") for name in ("out", "amp.a", "bias.r", "amp.b", "i(vdd)")]
    with make_trace(tmp_path / "run.h5", signals, TIMES, np.zeros((4, 5))) as trace:
        with pytest.raises(TraceError, match="Export the trace to one of these first"):
            export_trace(trace, tmp_path / "run.gtkw")
        for ending in ("vcd", "gtkw", "sucl"):
            export_trace(trace, tmp_path / f"run.{ending}")
    known = VCDVCD(str(tmp_path / "run.vcd")).signals
    laid_out = ["out", "i(vdd)", "amp.a", "amp.b", "bias.r"]
    assert sorted(known) == sorted(laid_out)
    surfer = (tmp_path / "run.sucl").read_text().splitlines()
    assert surfer[0] == "load_file run.vcd" and surfer[-1] == "zoom_fit"
    assert [line.split()[1] for line in surfer if line.startswith("variable_add")] == laid_out
    assert [line.split()[1] for line in surfer if line.startswith("divider_add")] == [
        "run", "amp", "bias"
    ]  # fmt: skip
    gtkwave = (tmp_path / "run.gtkw").read_text()
    assert [line for line in gtkwave.splitlines() if line in known] == laid_out
    assert gtkwave.count("@800200") == gtkwave.count("@1000200") == 2


def test_cicwave_reads_parquet_and_raw_files(small: Trace, tmp_path: Path) -> None:
    how = "its viewer brings Qt: pip install --no-deps cicwave, which is enough for its reader"
    wavefiles = pytest.importorskip("cicwave.wavefiles", reason=how)
    for name in ("run.parquet", "run.raw"):
        export_trace(small, tmp_path / name)
        wave = wavefiles.WaveFile(str(tmp_path / name), None).getWave("integrator_1.out")
        assert np.array_equal(wave.x, TIMES) and (wave.xlabel, wave.xunit) == ("Time", "s")
        assert np.array_equal(wave.y, SQUARE_ROOTS[:, 1])


def test_vcdvcd_reads_a_vcd_file(small: Trace, tmp_path: Path) -> None:
    export_trace(small, tmp_path / "run.vcd", ["integrator_?.out"])
    read = VCDVCD(str(tmp_path / "run.vcd"))
    assert float(read.timescale["timescale"]) == 1e-15
    assert read.signals == ["integrator_0.out", "integrator_1.out"]
    for name, values in zip(read.signals, SQUARE_ROOTS.T, strict=False):
        stamps, written = zip(*read[name].tv, strict=True)
        assert stamps == (0, 1_000_000, 1_500_000, 7_000_000)
        assert [float(value) for value in written] == values.tolist()


def test_a_vcd_file_has_changes_only_and_every_time(short_blocks, tmp_path: Path) -> None:
    time_second = np.array([0, 0.25, 1 - 2e-16, 1, 1 + 1e-15, 3, 5, 7, 9e3])  # in fs, 3rd = 4th
    values = np.column_stack([[1.0, 1, 1, np.nan, np.nan, 2, 2, 2, 3], [5.0] * 9])
    with make_trace(tmp_path / "run.h5", SIGNALS[:2], time_second, values) as trace:
        export_trace(trace, tmp_path / "run.vcd")
    lines = (tmp_path / "run.vcd").read_text().partition("$enddefinitions $end\n")[2].split("\n")
    stamps = [line for line in lines if line.startswith("#")]
    in_fs = (0, 25 * 10**13, 10**15, 10**15 + 1, *(second * 10**15 for second in (3, 5, 7, 9000)))
    assert stamps == [f"#{stamp}" for stamp in in_fs]
    changes = [line for line in lines if line.startswith("r")]
    assert changes == ["r1 !", 'r5 "', "rnan !", "r2 !", "r3 !"]


def test_vcd_identifiers_are_unique() -> None:
    from cosim.trace.exchange.vcd_file import _code

    assert len({_code(number) for number in range(30_000)}) == 30_000
    assert (_code(0), _code(93), _code(94)) == ("!", "~", "!!")


def test_ngspice_replays_pwl_sources(small: Trace, tmp_path: Path) -> None:
    export_trace(small, tmp_path / "run.pwl")
    (tmp_path / "replay.cir").write_text(
        "* replay\n.include run.pwl\n.tran 0.1n 7n\n.save all\n.end\n"
    )
    replayed = run_batch(tmp_path / "replay.cir")
    for name, values in zip(small, SQUARE_ROOTS.T, strict=True):
        got = replayed[f"v({name.replace('.', '_')})"]
        expected = np.interp(replayed["time"], TIMES, values)
        assert got == pytest.approx(expected, rel=1e-9)


def test_pwl_nodes_differ_where_only_case_or_signs_do(tmp_path: Path) -> None:
    signals = [Signal(name, "V", "x\n.shell") for name in ("a.b+", "A.b-", "a.b#", "a.b__2", "a.b")]
    with make_trace(tmp_path / "run.h5", signals, TIMES, np.zeros((4, 5))) as trace:
        export_trace(trace, tmp_path / "run.pwl")
    text = (tmp_path / "run.pwl").read_text()
    assert re.findall(r"^V(\w+) ", text, re.MULTILINE) == [
        "a_b_", "a_b__2", "a_b__3", "a_b__2_2", "a_b"
    ]  # fmt: skip
    assert ".shell" not in text


# -- foreign files ---------------------------------------------------------------------------------

RC = "* rc\nV1 in 0 SIN(0 1 1meg)\nR1 in x1.out 1k\nC1 x1.out 0 1n\n.tran 10n 2u\n"


@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_of_ngspice_is_imported(tmp_path: Path, as_text: bool) -> None:
    netlist = tmp_path / "rc.cir"
    netlist.write_text(RC + ".end\n")
    expected = run_batch(netlist)
    kind = "ascii" if as_text else "binary"
    netlist.write_text(
        f"{RC}.control\nset filetype={kind}\nrun\nwrite {tmp_path}/rc.raw\n.endc\n.end\n"
    )
    subprocess.run([str(find_library().executable_path), "-b", str(netlist)], timeout=60)
    if not as_text:
        assert read_raw_plainly(tmp_path / "rc.raw").keys() == expected.keys()
    import_trace(tmp_path / "rc.raw", tmp_path / "rc.h5")
    with Trace.open(tmp_path / "rc.h5") as trace:
        assert {name: trace[name].unit for name in trace} == {
            "v.in": "V", "v.x1_out": "V", "i(v1)": "A"
        }  # fmt: skip
        assert trace["v.x1_out"].description == "v(x1.out)"
        digits = 1e-14 if as_text else 0  # ngspice writes 15 digits
        for name, key in {"v.in": "v(in)", "v.x1_out": "v(x1.out)", "i(v1)": "i(v1)"}.items():
            assert trace[name].values == pytest.approx(expected[key], rel=digits, abs=digits)
        facts = tomllib.loads(trace.provenance.configuration_toml)["imported"]
    assert facts["file"] == str(tmp_path / "rc.raw")
    assert facts["sha256"] == hashlib.sha256((tmp_path / "rc.raw").read_bytes()).hexdigest()
    assert facts["command"].startswith("ngspice-")


def ltspice(
    time_second: np.ndarray = TIMES,
    values: np.ndarray = SQUARE_ROOTS,
    flags: str = "real forward",
    command: str = "Linear Technology Corporation LTspice XVII",
    encoding: str = "utf-16-le",
    points: int | None = None,
    text: bool = False,
) -> bytes:
    """A file as LTspice writes it."""
    names = ["V(n001)", "V(x1:out)", "Ix(x1:a)"]
    kinds = ["voltage", "voltage", "subckt_current"]
    header = (
        "Title: * C:\\µ\\draft.asc\nDate: Mon Jan  1 00:00:00 2024\nPlotname: Transient Analysis\n"
        f"Flags: {flags}\nNo. Variables: 4\nNo. Points: {points or len(time_second):12d}\n"
        f"Offset:   0.0000000000000000e+000\nCommand: {command}\nBackannotation: u1 1 2\n"
        "Variables:\n\t0\ttime\ttime\n"
        + "".join(f"\t{i + 1}\t{names[i]}\t{kinds[i]}\n" for i in range(3))
        + ("Values:\n" if text else "Binary:\n")
    )
    rows = list(zip(time_second, values, strict=True))
    if text:
        for i, (t, row) in enumerate(rows):
            header += f"{i}\t\t{t:.17e}\n" + "".join(f"\t{value:.17e}\n" for value in row)
        return header.encode(encoding)
    kind = "<f8" if "double" in flags else "<f4"
    if "fastaccess" in flags:
        data = time_second.astype("<f8").tobytes() + values.T.astype(kind).tobytes()
    else:
        data = b"".join(t.astype("<f8").tobytes() + row.astype(kind).tobytes() for t, row in rows)
    return header.encode(encoding) + data


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-8"])
@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ("real forward", False),
        ("real forward double", False),
        ("real forward fastaccess", False),
        ("real forward double fastaccess", False),
        ("real forward", True),
    ],
)
def test_a_file_of_ltspice_is_imported(
    short_blocks, tmp_path: Path, flags: str, text: bool, encoding: str
) -> None:
    time_second = np.arange(50) * 1e-9
    values = np.sin(np.arange(150.0)).reshape(50, 3)
    signs = np.where(np.arange(50) % 3 == 1, -1, 1)  # as LTspice marks a compressed point
    content = ltspice(time_second * signs, values, flags, encoding=encoding, text=text)
    (tmp_path / "draft.raw").write_bytes(content)
    import_trace(tmp_path / "draft.raw", tmp_path / "draft.h5")
    with Trace.open(tmp_path / "draft.h5") as trace:
        assert trace.names == ["V.n001", "V.x1_out", "Ix.x1_a"]
        assert [trace[name].unit for name in trace] == ["V", "V", "A"]
        assert np.array_equal(trace.time_second, time_second)
        stored = values if text or "double" in flags else values.astype("f4").astype(float)
        for name, column in zip(trace, stored.T, strict=True):
            assert np.array_equal(trace[name].values, column)
        assert "µ" in trace.provenance.configuration_toml


def test_times_of_ltspice_count_from_its_offset(tmp_path: Path) -> None:
    zero, begun = "0.0000000000000000e+000", "1.0000000000000000e-003"
    content = ltspice(np.arange(50) * 1e-9, np.zeros((50, 3)))
    content = content.replace(zero.encode("utf-16-le"), begun.encode("utf-16-le"))
    (tmp_path / "draft.raw").write_bytes(content)
    import_trace(tmp_path / "draft.raw", tmp_path / "draft.h5")
    with Trace.open(tmp_path / "draft.h5") as trace:
        assert np.array_equal(trace.time_second, 1e-3 + np.arange(50) * 1e-9)


@pytest.mark.parametrize(
    ("header", "second"),
    [
        ("Time [ms]", 1e-3),
        ("time (us)", 1e-6),
        ("TIME [µs]", 1e-6),
        ("time", 1.0),
        ("Time [s]", 1.0),
    ],
)
def test_times_of_a_csv_file_are_in_the_unit_that_it_says(
    header: str, second: float, tmp_path: Path
) -> None:
    (tmp_path / "scope.csv").write_text(f"{header},d[0] [mV]\n0,1\n2,3\n", encoding="utf8")
    import_trace(tmp_path / "scope.csv", tmp_path / "scope.h5")
    with Trace.open(tmp_path / "scope.h5") as trace:
        assert trace.time_second.tolist() == [0.0, 2 * second]
        assert [trace[name].unit for name in trace] == ["mV"]


@pytest.mark.parametrize("fast", [False, True])
def test_a_file_that_spicelib_writes_as_ltspice_is_imported(tmp_path: Path, fast: bool) -> None:
    raw = RawWrite(fastacces=fast)
    raw.add_trace(RawTrace("time", TIMES))
    raw.add_trace(RawTrace("V(out)", SQUARE_ROOTS[:, 1]))
    raw.save(str(tmp_path / "lib.raw"))
    import_trace(tmp_path / "lib.raw", tmp_path / "lib.h5")
    with Trace.open(tmp_path / "lib.h5") as trace:
        assert np.array_equal(trace.time_second, TIMES)
        assert np.array_equal(trace["V.out"].values, SQUARE_ROOTS[:, 1].astype("f4"))


def test_a_foreign_csv_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "scope.csv").write_text(
        '\ufeffTime,"V(x1:out)",ch2,block.node (mA)\r\n0,1e0,"2",3\r\n\r\n1e-9, 4,nan,-inf\r\n',
        encoding="utf-8",
        newline="",
    )
    import_trace(tmp_path / "scope.csv", tmp_path / "scope.h5")
    with Trace.open(tmp_path / "scope.h5") as trace:
        assert [(trace[name].name, trace[name].unit) for name in trace] == [
            ("V.x1_out", ""), ("ch2", ""), ("block.node", "mA")
        ]  # fmt: skip
        assert trace["V.x1_out"].values.tolist() == [1.0, 4.0]
        assert trace["block.node"].values.tolist() == [3.0, -np.inf]
        assert np.isnan(trace["ch2"].values[1])


def members_of(path: Path) -> list[tuple[list[float], bytes]]:
    """Times and values of each member."""
    with Trace.open(path) as trace:
        trace.verify()
        assert trace.complete and set(trace.member_statuses) == {"complete"}
        members = map(trace.member, range(trace.members or 0))
        return [
            (one.time_second.tolist(), np.stack([one[name].values for name in one]).tobytes())
            for one in members
        ]


@pytest.mark.parametrize("as_text", [False, True])
def test_exported_members_come_back_as_an_ensemble(
    short_blocks, tmp_path: Path, as_text: bool
) -> None:
    with TraceWriter.create(
        tmp_path / "all.h5", signals=SIGNALS, provenance=PROVENANCE, members=3
    ) as writer:
        for member in (2, 0, 1):
            writer.append(TIMES[: 2 + member], SQUARE_ROOTS[: 2 + member] + member, member)
            writer.finish_member(member)
        writer.finish()
    with Trace.open(tmp_path / "all.h5") as trace:
        runs = [trace.member(number) for number in range(3)]
        export_trace(runs, tmp_path / "all.raw", as_text=as_text)
    import_trace(tmp_path / "all.raw", tmp_path / "back.h5")
    assert members_of(tmp_path / "back.h5") == members_of(tmp_path / "all.h5")
    with Trace.open(tmp_path / "back.h5") as back:
        notes = [(event.member, event.message) for event in back.events]
    assert notes == [(n, f"cosim trace all.h5, member {n}") for n in range(3)]
    command = ["trace", "import", str(tmp_path / "all.raw"), str(tmp_path / "one.h5"), "--run"]
    assert CliRunner().invoke(app, [*command, "1"]).exit_code == 0
    with Trace.open(tmp_path / "one.h5") as one:
        assert one.members is None
        assert one["integrator_1.out"].values.tolist() == (SQUARE_ROOTS[:3, 1] + 1).tolist()
    refused = CliRunner().invoke(app, [*command, "3", "--force"])
    assert "no run 3, but 3" in str(refused.exception)


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_several_analyses_of_ngspice_are_imported(tmp_path: Path, kind: str) -> None:
    """What is over time becomes an ensemble; the response over frequency is left out."""
    lines = [f"set filetype={kind}", "set appendwrite"]
    for ohm in ("1k", "2k", "5k"):
        lines += [f"alter r1={ohm}", "tran 10n 2u", f"write {tmp_path}/rc.raw v(x1.out)"]
        if ohm == "2k":
            lines += ["ac dec 5 1k 1meg", f"write {tmp_path}/rc.raw v(x1.out)"]
    control = "\n".join([".control", *lines, ".endc", ".end", ""])
    (tmp_path / "rc.cir").write_text(RC.replace("SIN", "ac 1 SIN") + control)
    program = str(find_library().executable_path)
    subprocess.run([program, "-b", str(tmp_path / "rc.cir")], timeout=60, capture_output=True)
    import_trace(tmp_path / "rc.raw", tmp_path / "rc.h5")
    with Trace.open(tmp_path / "rc.h5") as trace:
        assert trace.members == 3
        ends = [trace.member(number)["v.x1_out"].values.max() for number in range(3)]
        assert ends == sorted(ends, reverse=True) and ends[0] > 1.3 * ends[2]
        facts = tomllib.loads(trace.provenance.configuration_toml)["imported"]
    assert facts["left_out"] == "AC Analysis over frequency"


@pytest.mark.parametrize("flags", ["real forward", "real forward double fastaccess"])
@pytest.mark.parametrize("text", [False, True])
def test_steps_of_ltspice_are_members(short_blocks, tmp_path: Path, flags: str, text: bool) -> None:
    lengths = (5, 3, 16, 8)  # some begin where a block begins
    time_second = np.concatenate([np.arange(length) * 1e-9 for length in lengths])
    values = np.sin(np.arange(3.0 * len(time_second))).reshape(-1, 3)
    content = ltspice(time_second, values, f"{flags} stepped", text=text)
    (tmp_path / "draft.raw").write_bytes(content)
    import_trace(tmp_path / "draft.raw", tmp_path / "draft.h5")
    found = members_of(tmp_path / "draft.h5")
    assert [len(times) for times, _ in found] == list(lengths)
    stored = values if text or "double" in flags else values.astype("f4").astype(float)
    parts = np.split(stored, np.cumsum(lengths)[:-1])
    assert [bits for _, bits in found] == [np.ascontiguousarray(one.T).tobytes() for one in parts]
    with Trace.open(tmp_path / "draft.h5") as trace:
        assert [event.message[-6:] for event in trace.events] == [f"step {n}" for n in range(1, 5)]


RAW_FAULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no header"),
    "foreign": (b"\x89PNG\r\n\x1a\n" * 1000, "no header"),
    "cut off": (ltspice()[:-3], "promises 4 points of 4 variables, but 77 bytes follow"),
    "cut off text": (ltspice(text=True)[:-100], "is cut off"),
    "cut off header": (ltspice()[:200], "no header"),
    "longer": (ltspice() + b"Title: more", "no further analysis"),
    "one point less": (ltspice(points=5, text=True), "promises 5 points, but 4"),
    "bomb": (ltspice(points=99_999_999_999), "promises 99999999999 points"),
    "bomb of text": (ltspice(points=99_999_999_999, text=True), "but 4 follow"),
    "killed": (ltspice(points=-1).replace(b"-\x001\0", b" \x000\0"), "killed simulator"),
    "bomb of variables": (
        ltspice().replace("Variables: 4".encode("utf-16-le"), "Variables: 9".encode("utf-16-le")),
        "for variable 4",
    ),
    "no variables": (
        ltspice().replace("Variables:\n".encode("utf-16-le"), "Varia:\n".encode("utf-16-le")),
        "lists 0 of 4 variables",
    ),
    "NaN time": (ltspice(np.array([0, np.nan, 1, 2])), "time nan s is not finite"),
    "infinite time": (ltspice(np.array([0, 1, 2, np.inf])), "time inf s is not finite"),
    "time goes back": (ltspice(np.array([0, 1e-9, 5e-10, 2])), "time 5e-10 s"),
    "negative time": (
        ltspice(np.array([0, -1e-9, 2e-9, 3e-9]), flags="real double", command="x",
                encoding="utf-8"),
        "time -1e-09 s",
    ),
    "a step's time is NaN": (
        ltspice(np.array([0, 1, 0, np.nan]), flags="real stepped"), "time nan s is not finite"
    ),
    "other signals": (
        ltspice(encoding="utf-8") + ltspice(encoding="utf-8").replace(b"n001", b"n002"),
        "different signals",
    ),
    "a second that is cut off": (
        ltspice(encoding="utf-8") + ltspice(encoding="utf-8")[:-3], "no further analysis"
    ),
    "complex": (ltspice(flags="complex forward"), "promises 4 points of 4 variables"),
    "not time": (ltspice().replace(b"t\0i\0m\0e\0", b"f\0r\0e\0q\0"), "over freq"),
    "word": (ltspice(text=True, encoding="utf-8").replace(b"0\t\t", b"0\t\tx"), "string to float"),
    "long line": (ltspice(text=True, encoding="utf-8") + b"1" * 10_000, "more than 4096"),
    "skipped": (
        ltspice(text=True, encoding="utf-8").replace(b"\n2\t\t", b"\n3\t\t"), "missing, after point"
    ),
    "twice": (ltspice(encoding="utf-8").replace(b"V(x1:out)", b"V(n001)"), "given twice"),
    "nameless": (ltspice(encoding="utf-8").replace(b"V(x1:out)", b"((()))"), "cannot be named"),
}  # fmt: skip
CSV_FAULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "does not name the columns"),
    "no header": (b"0,1\n1,2\n", "does not name the columns"),
    "semicolons": (b"time;a\n0;1\n", "does not name the columns"),
    "no points": (b"time,a\n", "no points"),
    "NUL": (b"time,a.b (V\x00)\n0,1\n", r"named 'a.b (V\x00)'"),
    "minutes": (b"time (min),a\n0,1\n", "times are in 'min'"),
    "no unit but more": (b"time_ms,a\n0,1\n", "the first of them 'time (s)'"),
    "word": (b"time,a\n0,1\n1,x\n", "could not convert string 'x'"),
    "ragged": (b"time,a\n0,1\n1,2,3\n", "number of columns changed"),
    "wider": (b"time,a\n0,1,2\n", "names 2 columns, but 3"),
    "NaN time": (b"time,a\nnan,1\n", "time nan s"),
    "time goes back": (b"time,a\n1,1\n0,1\n", "time 0 s"),
    "long line": (b"time,a\n0," + b"1" * 10_000, "more than 128"),
    "long cell": (b"time," + b"a" * 200_000 + b"\n", "malformed"),
    "many signals": (b"time" + b",a" * 10_001 + b"\n", "more than 10000 signals"),
    "binary": (b"time,a\n\xff\xfe\x00", "can't decode"),
}  # fmt: skip
FAULTS = [
    pytest.param(f"file{ending}", *fault, id=f"{ending} {name}")
    for ending, faults in ((".raw", RAW_FAULTS), (".csv", CSV_FAULTS))
    for name, fault in faults.items()
]


@pytest.mark.parametrize(("name", "content", "says"), FAULTS)
def test_a_bad_file_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "run.h5").write_bytes(b"an older one")
    with peak_below(10e6), pytest.raises(TraceError) as refused:
        import_trace(tmp_path / name, tmp_path / "run.h5", overwrite=True)
    message = str(refused.value)
    assert says in message and "\n" not in message
    assert (tmp_path / "run.h5").read_bytes() == b"an older one"
    assert names_in(tmp_path) == sorted([name, "run.h5"])


def valid_csv() -> bytes:
    """What `write_csv` writes."""
    text = io.StringIO("time (s),a.b (V)\n")
    text.seek(0, io.SEEK_END)
    np.savetxt(text, np.column_stack([TIMES, SQUARE_ROOTS[:, 0]]), "%.17g", ",")
    return text.getvalue().encode()


@settings(in_a_folder, max_examples=60)
@given(
    st.sampled_from(
        [
            ("a.raw", ltspice()),
            ("a.raw", ltspice(text=True)),
            ("a.raw", ltspice(encoding="utf-8", text=True)),
            ("a.raw", ltspice(encoding="utf-8", flags="real double fastaccess")),
            ("a.csv", valid_csv()),
        ]
    ),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), max_size=4),
    st.integers(0, 2000),
)
def test_no_damage_crashes_the_import(tmp_path, file, patches, length) -> None:
    name, good = file
    content = bytearray(good)
    for start, patch in patches:
        place = start % len(content)
        content[place : place + len(patch)] = patch
    (tmp_path / name).write_bytes(content[: max(len(content) - length // 4, 0)])
    (tmp_path / "run.h5").unlink(missing_ok=True)
    try:
        import_trace(tmp_path / name, tmp_path / "run.h5")
    except TraceError:
        assert not (tmp_path / "run.h5").exists()
    else:
        with Trace.open(tmp_path / "run.h5") as trace:
            trace.verify()


# -- limits ----------------------------------------------------------------------------------------


def test_a_long_run_passes_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "CHUNK_POINTS", 256)
    monkeypatch.setattr(raw_read, "BLOCK_VALUES", 1024)
    monkeypatch.setattr(csv_file, "BLOCK_VALUES", 1024)
    record(tmp_path / "run.h5", points=16_000)  # 512 kB as float64
    with peak_below(400_000), Trace.open(tmp_path / "run.h5") as trace:
        for name in ("run.raw", "run.csv", "run.vcd"):
            export_trace(trace.window(1e-6, 1.5e-5), tmp_path / name)
    for name, read in (("run.raw", read_raw), ("run.csv", read_csv)):
        with (tmp_path / name).open("rb") as file, peak_below(400_000):
            assert sum(len(block.time_second) for block in read(file).blocks) == 14_001


@pytest.mark.parametrize(
    "name", ["run.raw", "run.csv", "run.vcd", "run.fst", "run.parquet", "run.pwl"]
)
def test_a_full_disk_leaves_what_was_there(small: Trace, tmp_path: Path, name: str) -> None:
    if name == "run.fst":
        pytest.importorskip("pylibfst", reason="the extra `fst` is not installed: make setup")
    (tmp_path / name).write_text("an older one")
    with (
        largest_file(100),
        pytest.raises(TraceError, match=r"cannot be written: (File too large|what was written)"),
    ):
        export_trace(small, tmp_path / name)
    assert (tmp_path / name).read_text() == "an older one"
    assert names_in(tmp_path) == sorted(["run.h5", name])


def test_a_damaged_time_is_not_exported(tmp_path: Path) -> None:
    record(tmp_path / "run.h5", points=100)
    with Trace.open(tmp_path / "run.h5") as trace, pytest.raises(TraceError, match="damaged"):
        export_trace(trace._showing(np.array([3, 2, 1, 0])), tmp_path / "run.csv")
    assert names_in(tmp_path) == ["run.h5"]


@pytest.mark.parametrize(
    ("attempt", "error", "says"),
    [
        (lambda t, to: export_trace(t, to / "x.txt"), ConfigurationError, "known are .raw, .csv"),
        (lambda t, to: export_trace(t, to / "x.csv", as_text=True), ConfigurationError, "--ascii"),
        (lambda t, to: export_trace(t, to / "x.csv", ["*.no"]), TraceError, r"No signal .*'\*.no'"),
        (lambda t, to: export_trace(t.window(1, 2), to / "x.csv"), TraceError, "no point"),
        (lambda t, to: export_trace(t, to / "no" / "x.csv"), TraceError, "No such file"),
        (lambda t, to: import_trace(to / "x.h5", to / "y.h5"), ConfigurationError, "known are"),
        (lambda t, to: import_trace(to / "x.csv", to / "y.h5"), TraceError, "No such file"),
        (lambda t, to: import_trace(to / "x.csv", t.path), TraceError, "not overwritten"),
    ],
)
def test_what_cannot_be_done_is_said(
    small: Trace, tmp_path: Path, attempt: Callable, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        attempt(small, tmp_path)
    assert names_in(tmp_path) == ["run.h5"]


@pytest.mark.parametrize(
    ("time_second", "value", "name", "says"),
    [
        (-1e-9, 0.0, "run.vcd", "counts time units from 0"),
        (1e19, 0.0, "run.vcd", "in 63 bits"),
        (1e-9, np.nan, "run.pwl", "at 1e-09 s it is not a finite number"),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path, time_second, value, name, says) -> None:
    times, values = np.array([time_second]), np.full((1, 1), value)
    with (
        make_trace(tmp_path / "run.h5", SIGNALS[:1], times, values) as trace,
        pytest.raises(TraceError, match=says),
    ):
        export_trace(trace, tmp_path / name)

"""The page: what it says of a trace, that it keeps every extreme, and that nothing in it runs."""

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.report.page.build import page
from cosim.report.page.content import View, view_of
from cosim.report.page.packing import columns_of, packed
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.compare import compare
from tests.report.hostile import ATTACK, record_hostile
from tests.trace.recordings import PROVENANCE


class Structure(HTMLParser):
    """Elements with their attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, View]:
    folder = tmp_path_factory.mktemp("hostile")
    views = {}
    for name, signals, points, members in (
        ("many", 40, 50, None), ("one_point", 3, 1, None), ("ensemble", 3, 40, 3),
    ):  # fmt: skip
        path = folder / f"{name}.h5"
        record_hostile(path, signals, points, members)
        with Trace.open(path) as trace:
            views[name] = view_of(trace, 100_000)
    return views


@pytest.mark.parametrize("name", ["many", "one_point", "ensemble"])
def test_markup_of_a_trace_is_text(hostile: dict[str, View], name: str) -> None:
    found = Structure(page([hostile[name]], ATTACK))
    honest = {"html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "div", "a",
              "b", "button", "main", "section", "span", "table", "thead", "tbody", "tr", "th", "td",
              "aside", "details", "summary", "p", "pre", "script", "footer", "svg", "g", "line",
              "circle", "text", "rect"}  # fmt: skip
    assert {tag for tag, _ in found.elements} <= honest
    for tag, attributes in found.elements:
        assert not [one for one in attributes if one.startswith("on")], tag
        assert not {"src", "style", "srcdoc", "action"} & set(attributes), tag
        assert (attributes.get("href") or "#").startswith("#")
    scripts = [attributes for tag, attributes in found.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}, {}]
    assert ATTACK in found.texts["h1"] and ATTACK in found.texts["pre"][0]
    assert not any("window.hit" in text for text in found.texts["script"][1:])
    assert not any("{{" in text and "49" in text for text in found.texts["td"])


def test_a_policy_names_the_pages_scripts_and_forbids_the_rest(hostile: dict[str, View]) -> None:
    from hashlib import sha256

    text = page([hostile["many"]], "page")
    policy = next(one["content"] for _, one in Structure(text).elements if "http-equiv" in one)
    assert policy is not None
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy
    named = set(re.findall(r"'sha256-([^']+)'", policy))
    bodies = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert {base64.b64encode(sha256(body.encode()).digest()).decode() for body in bodies} == named
    assert "http://" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", text, flags=re.S)


def test_data_of_a_page_is_json_without_nan(hostile: dict[str, View]) -> None:
    text = page([hostile["many"], hostile["one_point"]], "page")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    many, one_point = json.loads(data)
    (table,) = many["waves"][0]["tables"]
    assert len(table["signals"]) == 40 and table["signals"][0]["unit"] == ATTACK
    assert one_point["waves"][0]["tables"][0]["points"] == 1


def unpacked(signal: dict, kind: str) -> np.ndarray:
    """As the page's `unpack`."""
    content = zlib.decompress(base64.b64decode(signal["data"]))
    if kind == "f4":
        return np.frombuffer(content, "<f4").astype(float)
    low, high = np.frombuffer(content, np.uint8).reshape(2, -1).astype(np.uint16)
    steps = np.cumsum(low + 256 * high, dtype=np.uint16)
    span = (signal["high"] - signal["low"]) or 1.0
    return np.where(steps == 65535, np.nan, signal["low"] + steps * (span / 65534))


@pytest.mark.parametrize(
    ("budget_byte", "kind", "size"), [(10**7, "f4", 1), (50_000, "u2", 1), (4000, "u2", 20)]
)
def test_every_extreme_is_on_the_page(
    budget_byte: int, kind: str, size: int, tmp_path: Path
) -> None:
    points = 20_000
    values = np.sin(np.arange(points) / 300)
    values[12_345] = 3.0  # a glitch of one point
    values[777] = np.nan
    with TraceWriter.create(
        tmp_path / "t.h5", signals=[Signal("out", "V")], provenance=PROVENANCE
    ) as writer:
        writer.append(np.arange(points) * 1e-9, values[:, None])
        writer.finish()
    with Trace.open(tmp_path / "t.h5") as trace:
        table = packed(trace.time_second, columns_of(trace), 1, budget_byte)
    assert (table["kind"], table["bin"], table["points"]) == (kind, size, points)
    found = unpacked(table["signals"][0], kind)
    times = np.frombuffer(zlib.decompress(base64.b64decode(table["times"])), "<f8")
    assert len(found) == len(times) and (np.diff(times) > 0).all()
    assert np.nanmax(found) == pytest.approx(3.0, abs=1e-4)
    assert np.nanmin(found) == pytest.approx(-1.0, abs=1e-4)
    if size == 1:
        assert np.allclose(found, values, atol=4e-5, equal_nan=True)


def test_the_command_writes_a_page_that_says_the_verdict(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with TraceWriter.create(path, signals=[Signal("out", "V")], provenance=PROVENANCE) as writer:
        writer.append(np.arange(10) * 1e-9, np.arange(10.0)[:, None])
        writer.finish()
    run = CliRunner().invoke
    target = tmp_path / "page.html"
    assert run(app, ["report", str(path), "-o", str(target)]).exit_code == 0
    assert "complete" in Structure(target.read_text()).texts["a"][0]
    against = ["report", str(path), "--golden", str(path), "-o", str(target)]
    assert run(app, against).exit_code == 0
    assert "ok: as the golden trace" in " ".join(Structure(target.read_text()).texts["a"])
    before = target.read_bytes()
    assert run(app, ["report", str(tmp_path / "none.h5"), "-o", str(target)]).exit_code != 0
    assert run(app, ["report", str(path), "-o", str(tmp_path / "page.pdf")]).exit_code != 0
    assert target.read_bytes() == before


METERED = """* a supply of 2 V, half of whose current a block takes
.subckt load vdd
R1 vdd 0 1k
.ends
Vdd vdd 0 dc 2
Vmeter vdd vdd_load 0
Vsignal in 0 sin(0 1 1k)
Xload vdd_load load
R1 vdd 0 1k
.end
"""


def test_energy_is_told_by_supply_and_by_block(tmp_path: Path) -> None:
    """2 V and 4 mA for 1 ms are 8 uJ; the block has half of it."""
    path = tmp_path / "run.h5"
    names = ("i(vdd)", "i(vmeter)", "i(vsignal)")
    provenance = PROVENANCE.model_copy(update={"netlist": METERED})
    with TraceWriter.create(
        path, signals=[Signal(name, "A") for name in names], provenance=provenance
    ) as writer:
        writer.append(np.linspace(0, 1e-3, 11), np.tile([-4e-3, 2e-3, 1.0], (11, 1)))
        writer.finish()
    with Trace.open(path) as trace:
        section = {one.title: one for one in view_of(trace, 100_000).sections}["Energy"]
    assert [tuple(row) for row in section.rows] == [
        ("vdd", "all", "8e-06", "0.008"),
        ("vmeter", "xload", "4e-06", "0.004"),
        ("vdd but for its meters", "r1", "4e-06", "0.004"),
    ]
    assert "meter" not in section.note  # nothing is left to be told


UNMETERED = METERED.replace("Vmeter vdd vdd_load 0\n", "").replace("_load", "")
ALONE = UNMETERED.replace("R1 vdd 0 1k\n.end", ".end")
HOW = "`Vmeter_load vdd vdd_load 0`, give it the node vdd_load for vdd, and record i(vmeter_load)"


@pytest.mark.parametrize(
    ("netlist", "recorded", "rows", "says"),
    [
        (UNMETERED, "i(vdd)", [("vdd", "all", "8e-06", "0.008")], HOW),
        (ALONE, "i(vdd)", [("vdd", "xload", "8e-06", "0.008")], ""),
        (METERED, "i(vmeter)", [("vmeter", "xload", "-8e-06", "-0.008")], "Record i(vdd)"),
        (METERED, "out", [], "Record i(vdd)"),
    ],
)
def test_the_page_says_how_energy_is_told_by_block(
    tmp_path: Path, netlist: str, recorded: str, rows: list[tuple[str, ...]], says: str
) -> None:
    provenance = PROVENANCE.model_copy(update={"netlist": netlist})
    with TraceWriter.create(
        tmp_path / "run.h5", signals=[Signal(recorded, "A")], provenance=provenance
    ) as writer:
        writer.append(np.linspace(0, 1e-3, 11), np.full((11, 1), -4e-3))
        writer.finish()
    with Trace.open(tmp_path / "run.h5") as trace:
        section = {one.title: one for one in view_of(trace, 100_000).sections}["Energy"]
    assert [tuple(row) for row in section.rows] == rows
    assert says in section.note and ("`" in section.note) == ("`" in says)


def test_what_differs_is_shown_in_its_golden_band(tmp_path: Path) -> None:
    traces = []
    for name, error in (("run", 0.5), ("golden", 0.0)):
        path = tmp_path / f"{name}.h5"
        with TraceWriter.create(
            path, signals=[Signal("out", "V"), Signal("good", "V")], provenance=PROVENANCE
        ) as writer:
            ramp = np.linspace(0, 1, 50)
            writer.append(ramp * 1e-6, np.stack([ramp + error * (ramp > 0.8), ramp], axis=1))
            writer.finish()
        traces.append(Trace.open(path))
    run, golden = traces
    view = view_of(run, 100_000, compare(run, golden))
    assert view.tone == "bad" and view.verdict.startswith("differs: against")
    first, *others = view.waves[0]["tables"]
    assert first["title"] == "out, golden band" and first["band"]
    assert [one["name"] for one in first["signals"]] == ["lowest", "highest", "golden", "run"]
    lowest, highest, exact, found = (unpacked(one, first["kind"]) for one in first["signals"])
    assert ((lowest < exact) & (exact < highest)).all()
    assert found.max() == pytest.approx(1.5) and (found > highest).any()
    assert not any(one.get("band") for one in others)

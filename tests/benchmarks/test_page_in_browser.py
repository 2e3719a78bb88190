"""The page in a headless Chromium, by the DevTools protocol: size, speed, faults, accessibility.

Debian's Chromium: `apt install chromium`. axe-core: `npm install --prefix FOLDER axe-core`, and
FOLDER in AXE_CORE. Screenshots go to PAGE_SCREENSHOTS where it is set: the manual's are from here.
"""

import base64
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cosim.report.page.build import BUDGET_BYTE, write_page
from cosim.report.page.content import view_of
from cosim.report.page.server import PageServer
from cosim.trace import Signal, Trace, TraceWriter
from tests.benchmarks.browser import Browser, browser, program
from tests.benchmarks.recording import record
from tests.report.hostile import record_hostile
from tests.trace.recordings import PROVENANCE

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(600),
    pytest.mark.skipif(program() is None, reason="no Chromium: apt install chromium"),
]

SIGNALS, POINTS = 60, 100_000
SIZE_BYTE, PAINT_SECOND, FRAMES_PER_SECOND = 8_000_000, 1.5, 30
NETLIST = """* a chain
.subckt stage in out vdd
R1 in out 1k
C1 out 0 1p
.ends
Vin in 0 1
Xinput in a vdd stage
Xmiddle a b vdd stage
Xoutput b out vdd stage
Vdd vdd 0 3.3
.end
"""
AXE = """(async () => (await axe.run(document)).violations.map(
    one => [one.impact, one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 120))]))()"""
PAN = """(async () => {
    const panels = document.querySelector(".panels"), times = [];
    const frame = () => new Promise(done => requestAnimationFrame(done));
    const key = name => panels.dispatchEvent(new KeyboardEvent("keydown", {key: name}));
    for (let i = 0; i < 8; i++) { key("+"); await frame(); }
    const drawn = +document.documentElement.dataset.frames;
    let before = performance.now();
    for (let i = 0; i < 120; i++) {
        key(i % 40 < 20 ? "ArrowRight" : "ArrowLeft");
        await frame();
        const now = performance.now();
        times.push(now - before);
        before = now;
    }
    return [times, +document.documentElement.dataset.frames - drawn];
})()"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def made(path: Path, budget_byte: int = BUDGET_BYTE) -> Path:
    with Trace.open(path) as trace:
        write_page([view_of(trace, budget_byte)], path.name, path.with_suffix(".html"))
    return path.with_suffix(".html")


def waves(points: int, signals: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy waves, as a transient with noise: they compress badly."""
    time_second = np.arange(points) * 1e-9
    phase = np.linspace(3, 40, signals) * time_second[:, None] / time_second[-1]
    noise = 0.02 * np.random.default_rng(1).standard_normal((points, signals))
    return time_second, 1.65 + np.sin(2 * np.pi * phase) + noise


@pytest.fixture(scope="module")
def large(folder: Path) -> Path:
    blocks = ("xinput", "xmiddle", "xoutput")
    names = [f"{blocks[number % 3]}.n{number}" for number in range(SIGNALS)]
    signals = [
        Signal(name, "A" if number % 5 == 4 else "V", f"signal {number}")
        for number, name in enumerate(names)
    ]
    path = folder / "large.h5"
    provenance = PROVENANCE.model_copy(update={"netlist": NETLIST})
    with TraceWriter.create(path, signals=signals, provenance=provenance) as writer:
        writer.append(*waves(POINTS, SIGNALS))
        writer.event(2e-5, "note", "the middle of the first half")
        writer.finish()
    return made(path)


def shoot(chromium: Browser, name: str, *, full: bool = False) -> None:
    if target := os.environ.get("PAGE_SCREENSHOTS"):
        chromium.screenshot(Path(target) / f"{name}.png", captureBeyondViewport=full)


def serious(chromium: Browser) -> list[list[object]]:
    """Serious and critical findings of axe-core, which is put into the page by the protocol."""
    folder = os.environ.get("AXE_CORE")
    if folder is None:
        pytest.skip("no axe-core: npm install --prefix FOLDER axe-core; AXE_CORE=FOLDER")
    script = Path(folder) / "node_modules" / "axe-core" / "axe.min.js"
    chromium.value(f"{script.read_text()}; 0")
    return [one for one in chromium.value(AXE) if one[0] in ("serious", "critical")]


def theme(chromium: Browser, name: str) -> None:
    chromium.send(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}]
    )


def test_large_page_is_small_quick_and_fluid(chromium: Browser, large: Path) -> None:
    size_byte = large.stat().st_size
    paints = sorted(chromium.open(large.as_uri()) for _ in range(3))
    first = chromium.value("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    shoot(chromium, "light")
    before = chromium.thread_second()
    times, frames = chromium.value(PAN)
    busy_second = (chromium.thread_second() - before) / len(times)
    rate = 1000 * len(times) / sum(times)
    theme(chromium, "dark")
    chromium.value("new Promise(done => setTimeout(done, 300))")
    shoot(chromium, "dark")
    theme(chromium, "light")
    record(
        "report_page",
        {
            "signals": SIGNALS,
            "points": POINTS,
            "size_byte": size_byte,
            "size_byte_asked": SIZE_BYTE,
            "waves_painted_second": round(paints[0], 3),
            "first_contentful_paint_second": round(first / 1000, 3),
            "paint_second_asked": PAINT_SECOND,
            "pan_frames_per_second": round(rate, 1),
            "pan_main_thread_second_per_frame": round(busy_second, 4),
            "pan_frames_per_second_asked": FRAMES_PER_SECOND,
            "load_average_before": round(os.getloadavg()[0], 2),
        },
    )
    assert chromium.faults() == []
    assert frames >= len(times) - 2  # every step was drawn
    assert size_byte < SIZE_BYTE
    assert paints[0] < PAINT_SECOND  # the quickest: a page is not slower for a busy machine
    assert rate >= FRAMES_PER_SECOND


def test_a_click_on_a_block_shows_its_signals(chromium: Browser, large: Path) -> None:
    chromium.open(large.as_uri())
    chromium.value(
        "document.querySelector('.block[data-block=middle]').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter'})); 0"
    )
    shown = chromium.value(
        "new Promise(done => setTimeout(done, 500)).then(() => "
        "[...document.querySelectorAll('.signals .rows tr')].map(one => one.textContent))"
    )
    assert any("xmiddle." in one for one in shown)
    assert not any("xinput." in one for one in shown)
    assert chromium.faults() == []


def test_cursors_and_choices_are_told_in_the_list(chromium: Browser, large: Path) -> None:
    chromium.open(large.as_uri())
    key = (
        "document.querySelector('.panels').dispatchEvent(new KeyboardEvent('keydown', {key: '%s'}))"
    )
    chromium.value(f"{key % 'a'}; {key % 'ArrowRight'}; {key % 'b'}; 0")
    rows = "[...document.querySelectorAll('.signals .rows tr')].map(one => one.textContent)"
    times = chromium.value(rows)[1]
    assert times.count("µs") == 3 and "kHz" in times  # A, B, and how far they are apart
    chromium.value(f"{key % 'Escape'}; 0")
    assert "µs" not in chromium.value(rows)[1]
    panels = "document.querySelectorAll('.panel').length"
    assert chromium.value(panels) == 2  # volts and amperes
    chromium.value(
        "(() => { const filter = document.querySelector('.signals input[type=search]');"
        "filter.value = '.n4'; filter.dispatchEvent(new Event('input')); return 0; })()"
    )
    assert all(".n4" in one for one in chromium.value(rows)[2:])
    chosen = "[...document.querySelectorAll('.signals input:checked')]"
    wait = "await new Promise(done => setTimeout(done, 300))"
    untick = f"for (const one of {chosen}) {{ {chosen}[0].click(); {wait}; }}"
    before = chromium.value(f"{chosen}.length")
    assert chromium.value(f"(async () => {{ {untick}; return {chosen}.length; }})()") < before
    assert chromium.faults() == []


@pytest.mark.parametrize("name", ["light", "dark"])
def test_axe_has_no_serious_findings(chromium: Browser, large: Path, name: str) -> None:
    theme(chromium, name)
    chromium.open(large.as_uri())
    assert serious(chromium) == []


def test_print_has_light_colours_and_whole_tables(chromium: Browser, large: Path) -> None:
    theme(chromium, "dark")
    chromium.open(large.as_uri())
    printed = base64.b64decode(chromium.send("Page.printToPDF", printBackground=True)["data"])
    assert printed.startswith(b"%PDF")
    if target := os.environ.get("PAGE_SCREENSHOTS"):
        (Path(target) / "print.pdf").write_bytes(printed)
    theme(chromium, "light")
    assert chromium.faults() == []


@pytest.mark.parametrize(
    ("signals", "points", "members"), [(10_000, 40, None), (3, 1, None), (4, 60, 5)]
)
def test_a_hostile_trace_opens_and_runs_nothing(
    chromium: Browser, folder: Path, signals: int, points: int, members: int | None
) -> None:
    path = folder / f"hostile{signals}.h5"
    record_hostile(path, signals, points, members)
    chromium.events.clear()
    chromium.open(made(path).as_uri())
    assert chromium.value("typeof window.hit") == "undefined"
    assert (
        chromium.value("document.querySelectorAll('main img, main script:not(#data)').length") == 0
    )
    assert chromium.value("document.querySelectorAll('canvas').length") > 0
    assert chromium.faults() == []


def test_a_live_page_grows(chromium: Browser, folder: Path) -> None:
    path = folder / "live.h5"
    with TraceWriter.create(
        path, signals=[Signal("out", "V")], provenance=PROVENANCE
    ) as writer:  # fmt: skip
        time_second, values = waves(200, 1)
        writer.append(time_second[:100], values[:100])
        writer.flush()
        with PageServer(path) as served:
            thread = threading.Thread(target=served.serve_forever, args=(0.05,))
            thread.start()
            chromium.events.clear()
            chromium.open(served.address)
            badge = "document.querySelector('h2 .badge').textContent"
            assert chromium.value(badge) == "running"
            writer.append(time_second[100:], values[100:])
            writer.finish()
            wait = f"""(async () => {{
                for (let i = 0; i < 100 && {badge} === "running"; i++)
                    await new Promise(done => setTimeout(done, 100));
                return {badge};
            }})()"""
            assert chromium.value(wait) == "complete"
            served.shutdown()
            thread.join()
    assert chromium.faults() == []

"""The project's golden traces: what ngspice makes of each netlist in `netlists/`.

The abscissa stands for the time: frequency in Hz, or a swept source's volts, where there is no
time; the number of the point where that does not increase. A complex signal is two.

A transient's own error is taken from a second run with its steps halved. Where a comparison cannot
tell, the netlist is run again with points where the golden trace has its own.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cosim.engine.isolated import each_isolated
from cosim.engine.library import find_library, probe
from cosim.errors import ConfigurationError
from cosim.simulation.analysis import ABSCISSAE, simulate_variant
from cosim.trace import Provenance, Trace, TraceWriter
from cosim.trace.compare import Tolerance, Tolerances, Verdict, comparison_rows
from cosim.trace.exchange.foreign import Column
from cosim.trace.golden import check_golden, golden_path, update_golden

PROJECT_NETLISTS = Path(__file__).resolve().parents[2] / "netlists"
PROJECT_GOLDEN = Path(__file__).resolve().parents[2] / "results" / "golden"

STEPPED = Tolerances(relative=1e-3)
"""Of transients, whose steps cost some 1e-4 of a signal's range."""

EXACT = Tolerances(relative=2e-4)
"""Of sweeps, which have no steps in time."""

OF_NETLISTS: Mapping[str, Tolerances] = {
    "cell": Tolerances(relative=1e-3, time_second=40e-6),
    "crossbar": Tolerances(relative=1e-3, time_second=20e-12),
    "dac": Tolerances(relative=5e-3),
    "dac_bits": Tolerances(relative=3e-3),
    "decoder": Tolerances(
        relative=2e-3,
        signals={
            "word_line_*": Tolerance(absolute=20e-6, relative=2e-3),
            "*#branch": Tolerance(relative=2e-3, time_second=1e-9),
        },
    ),
    "integrator_handover": Tolerances(relative=1e-2),
    "solver_circle": Tolerances(
        relative=1e-2,
        signals={
            "vdd#branch": Tolerance(absolute=50e-9, relative=1e-2),
            "*.virtual_ground": Tolerance(absolute=40e-6, relative=1e-2),
        },
    ),
    "solver_circle_converters": Tolerances(
        relative=1e-3,
        signals={
            "vdd#branch": Tolerance(absolute=50e-9, relative=1e-3),
            "*.virtual_ground": Tolerance(absolute=20e-6, relative=1e-3),
        },
    ),
    "solver_circle_transistor": Tolerances(
        relative=5e-3,
        signals={
            "xscore_network.activation_*": Tolerance(absolute=50e-6, relative=5e-3),
            "*.virtual_ground": Tolerance(absolute=50e-6, relative=5e-3),
        },
    ),
    "voltage_reference_step": Tolerances(relative=5e-3),
}
"""Where the steps cost more: a filament that forms within a step of the sweep, currents that jump
at a source's corner, charge that a switch injects, knees that the steps meet or miss; outputs of
ReLUs that stay off, which move by 2 mV and of that, with steps halved, by 21 uV; a supply current
of 724 uA that moves by 0.3 uA, virtual grounds that move by 0.5 mV.
"""

NOISY = {"noise": 100e-9}
"""Netlists with TRNOISE, which draws anew each time, and the seconds between its draws: their
distributions are compared.
"""

NOISY_FALSE_ALARM = 0.004
"""CI fails once in 250 runs without a cause."""

SLOW = frozenset({"solver_circle_transistor"})
"""Half a minute; not in the unit tests."""

_TRANSIENT = re.compile(r"^\.tran (\S+) (\S+) (\S+) (\S+?)([munp]?)( uic)?$", re.MULTILINE)


def golden_names() -> list[str]:
    """Netlists that have a golden trace."""
    return sorted(path.stem for path in PROJECT_NETLISTS.glob("*.cir"))


def read_netlist(name: str) -> str:
    """The text of a netlist of `netlists/`.

    Raises:
        ConfigurationError: there is no such netlist.
    """
    if name not in golden_names():
        raise ConfigurationError(
            f"'{name}' has no golden trace. Choose one of {', '.join(golden_names())}."
        )
    return (PROJECT_NETLISTS / f"{name}.cir").read_text(encoding="utf8")


def tolerances(name: str) -> Tolerances:
    """What the signals of a netlist may differ by."""
    return OF_NETLISTS.get(name, STEPPED if is_transient(read_netlist(name)) else EXACT)


def is_transient(netlist: str) -> bool:
    """Whether it has steps in time."""
    return _TRANSIENT.search(netlist) is not None


def halved(netlist: str) -> str:
    """A netlist whose transient takes steps of half the length at most.

    Raises:
        ConfigurationError: it has no transient with a largest step.
    """

    def half(line: re.Match[str]) -> str:
        step, stop, start, largest, prefix, uic = line.groups(default="")
        return f".tran {step} {stop} {start} {float(largest) / 2!r}{prefix}{uic}"

    finer, found = _TRANSIENT.subn(half, netlist)
    if found != 1:
        raise ConfigurationError("The netlist has no .tran line whose largest step can be halved.")
    return finer


def with_points(netlist: str, times: np.ndarray) -> str:
    """A netlist that is solved at these times [n], too: the corners of a source that drives
    nothing are breakpoints.
    """
    corners = " ".join(f"{time:.17g} {index % 2}" for index, time in enumerate(times))
    source = f"Vgolden_points golden_points 0 PWL({corners})\nRgolden_points golden_points 0 1k\n"
    return netlist.replace(".save ", f"{source}.save ", 1)


def simulated(name: str, path: Path, netlist: str | None = None) -> Trace:
    """Simulate a netlist of `netlists/` into a trace.

    Args:
        path: of the trace, which is made.
        netlist: a variant of its text that has the same signals.

    Raises:
        ConfigurationError: there is no such netlist.
        NetlistError, EngineError, TraceError.
    """
    text = read_netlist(name) if netlist is None else netlist
    place = PROJECT_NETLISTS / f"{name}.cir"
    function = partial(simulate_variant, place, confirmed=False)
    (answer,) = each_isolated(function, [text], jobs=1)
    return record(answer.vectors, path, text, f"cosim golden update {name}")


def record(vectors: Mapping[str, np.ndarray], path: Path, netlist: str, command_line: str) -> Trace:
    """Write what ngspice gave, by its own names, to a trace.

    Raises:
        TraceError: it cannot be written.
    """
    points = max(map(len, vectors.values()))
    scale = next((key for key in ABSCISSAE if key in vectors), None)
    abscissa = np.arange(points, dtype=float) if scale is None else np.real(vectors[scale])
    if (np.diff(abscissa) < 0).any():
        abscissa = np.arange(points, dtype=float)
    columns: dict[str, np.ndarray] = {}
    for key, values in sorted(vectors.items()):
        if key == scale or len(values) != points:
            continue
        if np.iscomplexobj(values):
            columns |= {f"{key}.re": values.real, f"{key}.im": values.imag}
        else:
            columns[key] = values
    provenance = Provenance.collect(
        configuration_toml="",
        netlist=netlist,
        seeds={},
        ngspice_version=str(probe(find_library()).version),
    ).model_copy(update={"command_line": command_line})
    signals = [Column(key, "A" if "#branch" in key else "V").signal for key in columns]
    with TraceWriter.create(path, signals=signals, provenance=provenance) as writer:
        writer.append(abscissa, np.stack(list(columns.values()), axis=1))
        writer.finish()
    return Trace.open(path)


def take_golden(name: str, folder: Path, why: str, scratch: Path) -> Path:
    """Simulate a netlist and take the result for golden; the golden trace's path.

    Args:
        scratch: a folder for the runs.

    Raises:
        ConfigurationError: there is no reason, no such netlist, or its steps cost more than its
            tolerances allow.
        TraceError: it cannot be written.
    """
    path = golden_path(folder, name)
    netlist = read_netlist(name)
    run = simulated(name, scratch / f"{name}.h5")
    if name in NOISY:
        from cosim.trace.compare_distributions import Distribution, update_golden_distribution

        update_golden_distribution(run, path, why, Distribution(every_second=NOISY[name]))
        return path
    finer = None
    if is_transient(netlist):
        finer = simulated(name, scratch / f"{name}_halved.h5", halved(netlist))
    update_golden(run, path, why, tolerances(name), finer)
    return path


def judge(
    name: str, folder: Path, scratch: Path, netlist: str | None = None
) -> tuple[Verdict, list[Mapping[str, str]]]:
    """Simulate a netlist anew and hold it against its golden trace: the verdict, the table's rows.

    Args:
        scratch: a folder for the runs.
        netlist: as of `simulated`.

    Raises:
        ConfigurationError: there is no such netlist, or no golden trace yet.
        NetlistError, EngineError, TraceError: it cannot be simulated, or not compared.
    """
    path = golden_path(folder, name)
    run = simulated(name, scratch / f"{name}.h5", netlist)
    if name in NOISY:
        # POT brings torch, seconds that the others do without.
        from cosim.trace.compare_distributions import (
            Distribution,
            check_golden_distribution,
            distance_rows,
        )

        by = Distribution(every_second=NOISY[name], false_alarm=NOISY_FALSE_ALARM)
        apart = check_golden_distribution(run, path, by)
        return apart.verdict, distance_rows(apart)
    found = check_golden(run, path, tolerances(name))
    text = netlist or read_netlist(name)
    if found.verdict is Verdict.CANNOT_TELL and is_transient(text) and len(found.wanted_times):
        denser = with_points(text, found.wanted_times)
        run = simulated(name, scratch / f"{name}_again.h5", denser)
        found = check_golden(run, path, tolerances(name))
    return found.verdict, comparison_rows(found)

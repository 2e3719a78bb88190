"""The project's golden traces: what plain ngspice makes of each netlist in `netlists/`.

The abscissa stands for the time: frequency in Hz, or a swept source's volts, where there is no
time; the number of the point where that does not increase. A complex signal is two.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cosim.diffusion.netlists import PROJECT_NETLISTS
from cosim.engine.isolated import each_isolated
from cosim.engine.library import find_library, probe
from cosim.errors import ConfigurationError
from cosim.simulation.analysis import ABSCISSAE, simulate_file
from cosim.trace import Provenance, Trace, TraceWriter
from cosim.trace.compare import Tolerances, comparison_rows
from cosim.trace.exchange.foreign import Column
from cosim.trace.golden import check_golden, golden_path, update_golden

PROJECT_GOLDEN = Path(__file__).resolve().parents[2] / "results" / "golden"
TOLERANCES = Tolerances()
NOISY = {"noise": 100e-9}
"""Netlists with TRNOISE, which draws anew each time, and the seconds between its draws: their
distributions are compared.
"""

NOISY_FALSE_ALARM = 0.004
"""CI fails once in 250 runs without a cause."""

SLOW = frozenset({"solver_circle_transistor", "solver_circle_converters", "dac"})
"""Half a minute each; not in the unit tests."""


def golden_names() -> list[str]:
    """Netlists that have a golden trace."""
    return sorted(path.stem for path in PROJECT_NETLISTS.glob("*.cir"))


def simulated(name: str, path: Path) -> Trace:
    """Simulate a netlist of `netlists/` into a trace.

    Args:
        path: of the trace, which is made.

    Raises:
        ConfigurationError: there is no such netlist.
        NetlistError, EngineError, TraceError.
    """
    if name not in golden_names():
        raise ConfigurationError(
            f"'{name}' has no golden trace. Choose one of {', '.join(golden_names())}."
        )
    netlist = PROJECT_NETLISTS / f"{name}.cir"
    (answer,) = each_isolated(partial(simulate_file, confirmed=False), [netlist], jobs=1)
    vectors = answer.vectors
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
        netlist=netlist.read_text(encoding="utf8"),
        seeds={},
        ngspice_version=str(probe(find_library()).version),
    ).model_copy(update={"command_line": f"cosim golden update {name}"})
    signals = [Column(key, "A" if "#branch" in key else "V").signal for key in columns]
    with TraceWriter.create(path, signals=signals, provenance=provenance) as writer:
        writer.append(abscissa, np.stack(list(columns.values()), axis=1))
        writer.finish()
    return Trace.open(path)


def take_golden(name: str, run: Trace, folder: Path, why: str) -> Path:
    """Take a simulated netlist for golden; the golden trace's path.

    Raises:
        ConfigurationError: there is no reason.
        TraceError: it cannot be written.
    """
    path = golden_path(folder, name)
    if name in NOISY:
        from cosim.trace.compare_distributions import Distribution, update_golden_distribution

        update_golden_distribution(run, path, why, Distribution(every_second=NOISY[name]))
    else:
        update_golden(run, path, why, TOLERANCES)
    return path


def judge(name: str, run: Trace, folder: Path) -> tuple[bool, list[Mapping[str, str]]]:
    """Whether a simulated netlist is as its golden trace, and the table's rows.

    Raises:
        ConfigurationError: there is no golden trace yet.
        TraceError: they cannot be compared.
    """
    path = golden_path(folder, name)
    if name in NOISY:
        # POT brings torch, seconds that the others do without.
        from cosim.trace.compare_distributions import (
            Distribution,
            check_golden_distribution,
            distance_rows,
        )

        by = Distribution(every_second=NOISY[name], false_alarm=NOISY_FALSE_ALARM)
        apart = check_golden_distribution(run, path, by)
        return apart.passes, distance_rows(apart)
    found = check_golden(run, path, TOLERANCES)
    return found.passes, comparison_rows(found)

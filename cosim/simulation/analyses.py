"""Operating point, DC sweep, small-signal and noise analysis of a netlist, as labelled results."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from quantiphy import Quantity

from cosim.engine.analyses import Analysis, DirectSweep, Noise, SmallSignal
from cosim.engine.isolated import isolated
from cosim.html import heading, table
from cosim.netlist.circuit import Netlist
from cosim.netlist.units import si

if TYPE_CHECKING:
    import xarray as xr

Variant = Mapping[str, object]


class OperatingPoint(dict[str, Quantity]):
    """Volts by node ('out') and amperes by source ('i(vdd)')."""

    def _repr_html_(self) -> str:
        rows = [(name, value.render()) for name, value in self.items()]
        return heading("Operating point") + table(("", "value"), rows)


def op(
    netlist: Netlist,
    *,
    corner: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> OperatingPoint:
    """The operating point, confirmed: its currents add up to 0 at every node, and it stays where
    it is with tighter tolerances.

    Args:
        corner, temperature, seed: of the transistors; see `Netlist.given`.

    Raises (as the other analyses):
        ConfigurationError, NetlistError: it cannot be simulated.
        ConvergenceError, EngineError: no answer, or one that cannot be trusted.
    """
    asked = netlist.given(corner=corner, temperature=temperature, seed=seed)
    asked.require_sound()
    vectors = _named(asked, isolated(_operating_point, asked))
    return OperatingPoint(
        {name: Quantity(float(values[0]), _unit(name)) for name, values in vectors.items()}
    )


def dc(
    netlist: Netlist,
    source: str,
    start: float | str,
    stop: float | str,
    step: float | str,
    *,
    corner: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> "xr.Dataset":
    """Operating points while a source is swept: volts by node, amperes by source, along its value
    (named as the source); as `op`.
    """
    asked = netlist.given(corner=corner, temperature=temperature, seed=seed)
    sweep = DirectSweep(source, si(start, "`start`"), si(stop, "`stop`"), si(step, "`step`"))
    unit = "A" if source.lower().startswith("i") else "V"
    return _solved(asked, sweep, source.lower(), unit)


def ac(
    netlist: Netlist,
    start: float | str,
    stop: float | str,
    points_per_decade: int = 20,
    *,
    corner: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> "xr.Dataset":
    """Complex response to the sources' AC values, along 'frequency' in hertz; as `op`."""
    asked = netlist.given(corner=corner, temperature=temperature, seed=seed)
    sweep = SmallSignal(points_per_decade, si(start, "`start`"), si(stop, "`stop`"))
    return _solved(asked, sweep, "frequency", "Hz")


def noise(
    netlist: Netlist,
    node: str,
    source: str,
    start: float | str,
    stop: float | str,
    points_per_decade: int = 20,
    *,
    corner: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> "xr.Dataset":
    """Noise density at a node, 'output' (V/√Hz), and what would make it at a source, 'input' (its
    unit/√Hz), along 'frequency' in hertz, with their totals over the band as attributes
    'total_output' and 'total_input'; as `op`.
    """
    asked = netlist.given(corner=corner, temperature=temperature, seed=seed)
    asked.require_sound()
    analysis = Noise(
        points_per_decade, si(start, "`start`"), si(stop, "`stop`"), node=node, source=source
    )
    vectors = isolated(_solve, asked.circuit, analysis)
    unit = "A" if source.lower().startswith("i") else "V"
    found = {"output": vectors["onoise_spectrum"], "input": vectors["inoise_spectrum"]}
    units = {"output": "V/√Hz", "input": f"{unit}/√Hz"}
    dataset = _dataset(found, units, "frequency", vectors["frequency"], "Hz")
    dataset.attrs = {
        "total_output": float(vectors["onoise_total"][0]),
        "total_input": float(vectors["inoise_total"][0]),
    }
    return dataset


def _solved(netlist: Netlist, analysis: Analysis, abscissa: str, unit: str) -> "xr.Dataset":
    netlist.require_sound()
    vectors = isolated(_solve, netlist.circuit, analysis)
    scale = next(name for name in ("frequency", "v-sweep", "i-sweep") if name in vectors)
    found = _named(netlist, {key: value for key, value in vectors.items() if key != scale})
    return _dataset(
        found, {name: _unit(name) for name in found}, abscissa, np.real(vectors[scale]), unit
    )


def _dataset(
    found: Mapping[str, np.ndarray],
    units: Mapping[str, str],
    abscissa: str,
    values: np.ndarray,
    unit: str,
) -> "xr.Dataset":
    import xarray as xr

    return xr.Dataset(
        {name: (abscissa, found[name], {"units": units[name]}) for name in found},
        coords={abscissa: (abscissa, np.real(values), {"units": unit})},
    )


def _named(netlist: Netlist, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Vectors under the names of the front door: nodes first, then currents."""
    names = {vector: name for name, vector in netlist.currents.items()}
    renamed = {names.get(vector, vector): values for vector, values in vectors.items()}
    return dict(sorted(renamed.items(), key=lambda pair: pair[0].startswith("i(")))


def _unit(name: str) -> str:
    return "A" if name.startswith("i(") or name.endswith("#branch") else "V"


def _operating_point(netlist: Netlist) -> dict[str, np.ndarray]:
    from cosim.engine.session import NgspiceSession

    return NgspiceSession.start().operating_point(netlist.circuit, path=netlist.path)


def _solve(circuit: str, analysis: Analysis) -> dict[str, np.ndarray]:
    from cosim.engine.session import NgspiceSession

    return NgspiceSession.start().solve(circuit, analysis)

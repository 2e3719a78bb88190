"""Operating point, DC sweep, small-signal and noise analysis of a netlist, as labelled results."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np
from quantiphy import Quantity

from cosim.engine import analyses
from cosim.engine.audit import read_asked
from cosim.engine.isolated import isolated
from cosim.html import heading, table
from cosim.netlist.circuit import Netlist
from cosim.netlist.trust import trusting
from cosim.netlist.units import si

if TYPE_CHECKING:
    import xarray as xr

    from cosim.engine.session import NgspiceSession


class Conditions(TypedDict, total=False):
    """Of the transistors, as `Netlist.given` takes them.

    Attributes:
        corner: of the process.
        temperature: Celsius.
        seed: of Monte Carlo.
    """

    corner: str | None
    temperature: float | None
    seed: int | None


class OperatingPoint(dict[str, Quantity]):
    """Volts by node ('out') and amperes by source ('i(vdd)')."""

    def _repr_html_(self) -> str:
        rows = [(name, value.render()) for name, value in self.items()]
        return heading("Operating point") + table(("", "value"), rows)


def op(
    netlist: Netlist, *, confirm: bool | None = None, **conditions: Unpack[Conditions]
) -> OperatingPoint:
    """The operating point, confirmed: its currents add up to 0 at every node, it stays where it is
    with tighter tolerances, and where it is when it is kicked.

    Args:
        confirm: whether it is kicked, by `cosim.simulation.confirm`; None: up to 60 devices. A
            `dc` sweep is kicked at three points, and repeated backwards where that is cheap. What
            cannot be trusted is an error, what is in doubt a `UserWarning`.
        conditions: `corner`, `temperature` (Celsius) and Monte Carlo `seed` of the transistors;
            see `Netlist.given`.

    Raises (as the other analyses):
        ConfigurationError, NetlistError: it cannot be simulated.
        ConvergenceError, EngineError: no answer, or one that cannot be trusted.
    """
    asked = netlist.given(**conditions)
    vectors = _named(asked, _solved(asked, analyses.OperatingPoint(), confirm))
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
    confirm: bool | None = None,
    **conditions: Unpack[Conditions],
) -> "xr.Dataset":
    """Operating points while a source is swept: volts by node, amperes by source, along its value
    (named as the source); as `op`.
    """
    sweep = analyses.DirectSweep(
        source, si(start, "`start`"), si(stop, "`stop`"), si(step, "`step`")
    )
    unit = "A" if source.lower().startswith("i") else "V"
    return _along(netlist.given(**conditions), sweep, confirm, source.lower(), unit)


def ac(
    netlist: Netlist,
    start: float | str,
    stop: float | str,
    points_per_decade: int = 20,
    *,
    confirm: bool | None = None,
    **conditions: Unpack[Conditions],
) -> "xr.Dataset":
    """Complex response to the sources' AC values, along 'frequency' in hertz, about an operating
    point as that of `op`.
    """
    sweep = analyses.SmallSignal(points_per_decade, si(start, "`start`"), si(stop, "`stop`"))
    return _along(netlist.given(**conditions), sweep, confirm, "frequency", "Hz")


def noise(
    netlist: Netlist,
    node: str,
    source: str,
    start: float | str,
    stop: float | str,
    points_per_decade: int = 20,
    *,
    confirm: bool | None = None,
    **conditions: Unpack[Conditions],
) -> "xr.Dataset":
    """Noise density at a node, 'output' (V/√Hz), and what would make it at a source, 'input' (its
    unit/√Hz), along 'frequency' in hertz, with their totals over the band as attributes
    'total_output' and 'total_input'; about an operating point as that of `op`.
    """
    analysis = analyses.Noise(
        points_per_decade, si(start, "`start`"), si(stop, "`stop`"), node=node, source=source
    )
    vectors = _solved(netlist.given(**conditions), analysis, confirm)
    unit = "A" if source.lower().startswith("i") else "V"
    found = {"output": vectors["onoise_spectrum"], "input": vectors["inoise_spectrum"]}
    units = {"output": "V/√Hz", "input": f"{unit}/√Hz"}
    dataset = _dataset(found, units, "frequency", vectors["frequency"], "Hz")
    dataset.attrs = {
        "total_output": float(vectors["onoise_total"][0]),
        "total_input": float(vectors["inoise_total"][0]),
    }
    return dataset


def _along(
    netlist: Netlist, analysis: analyses.Analysis, confirm: bool | None, abscissa: str, unit: str
) -> "xr.Dataset":
    vectors = _solved(netlist, analysis, confirm)
    scale = next(name for name in ("frequency", "v-sweep", "i-sweep") if name in vectors)
    found = _named(netlist, {key: value for key, value in vectors.items() if key != scale})
    return _dataset(
        found, {name: _unit(name) for name in found}, abscissa, np.real(vectors[scale]), unit
    )


def _solved(
    netlist: Netlist, analysis: analyses.Analysis, confirm: bool | None
) -> dict[str, np.ndarray]:
    """Every vector of a sound netlist's analysis; what is in doubt is warned of."""
    netlist.require_sound()
    vectors, doubts = isolated(_solve, netlist, analysis, confirm, closed=True)
    for doubt in doubts:
        warnings.warn(f"The netlist '{netlist.title}': {doubt}", stacklevel=4)
    return vectors


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


def _solve(
    netlist: Netlist, analysis: analyses.Analysis, asked: bool | None
) -> tuple[dict[str, np.ndarray], Sequence[str]]:
    """Vectors, and what is in doubt; in a process of its own."""
    from cosim.engine.session import NgspiceSession

    with trusting(netlist.trusted):
        return _answered(NgspiceSession.start(), netlist, analysis, asked)


def _answered(
    session: "NgspiceSession", netlist: Netlist, analysis: analyses.Analysis, asked: bool | None
) -> tuple[dict[str, np.ndarray], Sequence[str]]:
    from cosim.simulation.confirm import confirm

    circuit = netlist.circuit
    vectors = {}
    doubts: tuple[str, ...] = ()
    if not isinstance(analysis, analyses.DirectSweep):
        vectors = session.operating_point(circuit, path=netlist.path)
        doubts = session.point_warnings
    if not isinstance(analysis, analyses.OperatingPoint):
        vectors = session.solve(circuit, analysis)
        doubts += session.warnings
    if asked is not False:
        text = f"{circuit.rstrip()}\n{analysis.line}\n.end\n"
        words = read_asked(text).analysis
        found = confirm(session, text, netlist.path, words, vectors, 1.0, asked=asked)
        doubts += found.warnings
    return vectors, doubts

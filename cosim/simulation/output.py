"""Writes a netlist's answer to a file; its ending chooses the format."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import tomli_w

from cosim.engine.library import find_library, probe
from cosim.errors import ConfigurationError
from cosim.files import write_text
from cosim.simulation.analysis import Answer
from cosim.trace import Provenance, Trace, TraceWriter
from cosim.trace.exchange import export_trace
from cosim.trace.exchange.exporting import WAVEFORMS
from cosim.trace.exchange.foreign import Column
from cosim.trace.exchange.replacing import replacing

TRACE = ".h5"


def check_output(path: Path, analysis: str) -> None:
    """Refuse a file that could not be written, before anything is simulated.

    Args:
        analysis: the word of the netlist's analysis line; traces and waveforms are over time.

    Raises:
        ConfigurationError: no such format, or none for this analysis.
    """
    ending, known = path.suffix.lower(), (TRACE, *WAVEFORMS)
    if ending not in known:
        raise ConfigurationError(
            f"The answer cannot be written to {path}: the format is chosen by the file's ending, "
            f"and known are {', '.join(known)}. Give a path with one of these."
        )
    if analysis != ".tran" and ending != ".csv":
        raise ConfigurationError(
            f"The answer of a {analysis} analysis cannot be written to {path}: {ending} files "
            "hold signals over time. Give a path that ends in .csv."
        )


def write_answer(answer: Answer, path: Path) -> None:
    """Write an answer, replacing a file that is there; a trace holds measures and warnings too.

    Raises:
        ConfigurationError: as `check_output`.
        TraceError: it cannot be written.
    """
    check_output(path, answer.analysis[0])
    if path.suffix.lower() == TRACE:
        with replacing(path) as partial:
            _write_trace(answer, partial)
    elif answer.abscissa == "time":
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder) / "answer.h5"
            _write_trace(answer, trace)
            with Trace.open(trace) as table:
                export_trace(table, path)
    else:
        write_text(path, as_csv(answer))


def _write_trace(answer: Answer, path: Path) -> None:
    time_second = answer.vectors["time"]
    columns = {
        name: values
        for name, values in answer.vectors.items()
        if name != "time" and len(values) == len(time_second)
    }
    simulated = {
        "analysis": " ".join(answer.analysis),
        "sha256": hashlib.sha256(answer.netlist.encode()).hexdigest(),
    }
    provenance = Provenance.collect(
        configuration_toml=tomli_w.dumps({"simulated": simulated, "measures": answer.measures}),
        netlist=answer.netlist,
        seeds={},
        ngspice_version=str(probe(find_library()).version),
    )
    signals = [Column(_signal_name(name), unit(name)).signal for name in columns]
    with TraceWriter.create(path, signals=signals, provenance=provenance) as writer:
        writer.append(time_second, np.stack([*columns.values()], axis=1))
        for warning in answer.warnings:
            writer.event(np.nan, "warning", warning)
        writer.finish()


def _signal_name(vector: str) -> str:
    """As the front door names it: `i(v1)`, `i(x1.v1)` for `v.x1.v1#branch`."""
    if not vector.endswith("#branch"):
        return vector
    path = vector.removesuffix("#branch")
    return f"i({path.partition('.')[2] or path})"


def unit(vector: str) -> str:
    """The unit of one of ngspice's vectors; '' where its name does not tell."""
    if vector.startswith("@"):
        return "A" if vector.rpartition("[")[2].startswith("i") else ""
    return {"time": "s", "frequency": "Hz", "temp-sweep": "degC", "i-sweep": "A"}.get(
        vector, "A" if vector.endswith("#branch") else "V"
    )


def as_csv(answer: Answer) -> str:
    """Vectors of one length side by side, abscissa first, complex ones as two columns."""
    vectors, scale = answer.vectors, answer.abscissa
    names = sorted(vectors, key=lambda name: (name != scale, name))
    longest = max(len(values) for values in vectors.values())
    columns: dict[str, np.ndarray] = {}
    for name in names:
        values = vectors[name]
        if len(values) != longest:
            continue  # totals of a noise analysis
        if np.iscomplexobj(values) and name != scale:
            columns |= {f"re({name})": values.real, f"im({name})": values.imag}
        else:
            columns[name] = np.real(values)
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(f"{value:.17g}" for value in row) for row in rows)]
    return "\n".join(lines) + "\n"

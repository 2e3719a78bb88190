"""SPICE raw files of ngspice, LTspice and those that write as one of them, read with suspicion.

Sources: ngspice's `frontend/rawfile.c`; of LTspice, https://pyltspice.readthedocs.io (varia,
RAW file) and https://ltwiki.org (Fast Access file format). LTspice's header is UTF-16, its values
are float32 unless the flag 'double' is set, a negative sign of a time marks a point between which
and the next it has thrown points away, and its times count from 'Offset'. Of a `.step` its runs
follow each other, each from its first time on; what was stepped, only LTspice's log says.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO

import numpy as np

from cosim.trace.exchange.foreign import BLOCK_VALUES, Block, Foreign, whole_lines
from cosim.trace.exchange.raw_plots import LONGEST_LINE, Plot, before_title, plots

_FACTS = ("Title", "Date", "Plotname", "Command", "Offset")

Points = Iterator[tuple[np.ndarray, np.ndarray]]


def read_raw(file: BinaryIO) -> Foreign:
    """Read the headers; the points of all transient analyses follow when asked for, each a run;
    other analyses are left out.

    Raises:
        ValueError: it is not such a file, or has no transient analysis, or several with different
            signals.
    """
    found = plots(file)
    transients = [plot for plot in found if plot.is_transient]
    if not transients:
        raise ValueError(f"it holds {found[0].about}")
    first = transients[0]
    for plot in transients:
        if plot.columns != first.columns:
            raise ValueError(
                f"its transient analyses have different signals: the first "
                f"{_shown(first)}, a later one {_shown(plot)}"
            )
    facts = {key.lower(): first.fields[key] for key in _FACTS if key in first.fields}
    if others := [plot.about for plot in found if not plot.is_transient]:
        facts["left_out"] = "; ".join(dict.fromkeys(others))
    notes: list[str] = []
    for plot in transients:
        steps = _steps(file, plot)
        title = plot.fields.get("Title", "")
        notes += [title if steps == 1 else f"{title}, step {step + 1}" for step in range(steps)]
    return Foreign(facts, first.columns[1:], _runs(file, transients), tuple(notes))


def _shown(plot: Plot) -> str:
    names = [column.name for column in plot.columns[1:]]
    return ", ".join(names[:5]) + (", ..." if names[5:] else "")


def _steps(file: BinaryIO, plot: Plot) -> int:
    """How many runs a plot holds."""
    return 1 + max(step for step, _, _ in _parts(file, plot)) if "stepped" in plot.flags else 1


def _runs(file: BinaryIO, transients: Sequence[Plot]) -> Iterator[Block]:
    """The points of every run, each with its number."""
    run = -1
    for plot in transients:
        before = -1
        for step, time_second, values in _parts(file, plot):
            run += step - before
            before = step
            yield Block(time_second, values, run)


def _parts(file: BinaryIO, plot: Plot) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Points of a plot, with the number of their step: times go back where one begins."""
    step, before = 0, -np.inf
    for time_second, values in _points(file, plot):
        begins: Sequence[int] = ()
        if "stepped" in plot.flags:
            begins = np.flatnonzero(np.diff(time_second, prepend=before) < 0).tolist()
        before = time_second[-1]
        ends = [*begins, len(time_second)]
        for number, (begin, end) in enumerate(zip([0, *begins], ends, strict=True)):
            step += number > 0
            if end > begin:
                yield step, time_second[begin:end], values[begin:end]


def _points(file: BinaryIO, plot: Plot) -> Points:
    points = _text_points(file, plot) if plot.row is None else _binary_points(file, plot)
    if not plot.of_ltspice:
        return points
    offset = _offset_second(plot.fields)
    return ((offset + np.abs(time_second), values) for time_second, values in points)


def _offset_second(fields: dict[str, str]) -> float:
    """When LTspice began to save."""
    said = fields.get("Offset", "0")
    try:
        return float(said)
    except ValueError:
        raise ValueError(f"its header says 'Offset: {said}'") from None


def _binary_points(file: BinaryIO, plot: Plot) -> Points:
    """Points one after the other, or, for fast access, one column after the other."""
    row, data, points = plot.row, plot.data, plot.points
    assert row is not None
    signals = len(plot.columns) - 1
    value = row["values"].base
    step = max(1, BLOCK_VALUES // (signals + 1))
    for first in range(0, points, step):
        count = min(step, points - first)
        if "fastaccess" in plot.flags:
            starts = [data + 8 * points + value.itemsize * points * i for i in range(signals)]
            yield (
                _array(file, data + 8 * first, np.dtype("<f8"), count),
                np.stack(
                    [_array(file, s + value.itemsize * first, value, count) for s in starts], axis=1
                ),
            )
        else:
            rows = _array(file, data + row.itemsize * first, row, count)
            yield rows["time"], rows["values"]


def _array(file: BinaryIO, start: int, kind: np.dtype, count: int) -> np.ndarray:
    file.seek(start)
    return np.frombuffer(file.read(count * kind.itemsize), kind, count)


def _text_points(file: BinaryIO, plot: Plot) -> Points:
    """Points as their number and all variables, apart by white space."""
    variables = len(plot.columns)
    file.seek(plot.data)
    text = io.TextIOWrapper(file, plot.encoding)
    words = chain.from_iterable(
        line.split() for line in before_title(whole_lines(text, LONGEST_LINE))
    )
    step = max(1, BLOCK_VALUES // variables)
    read = 0
    while len(block := np.fromiter(map(float, islice(words, step * (1 + variables))), float)):
        count, rest = divmod(len(block), 1 + variables)
        rows = block[: len(block) - rest].reshape(count, 1 + variables)
        if rest or not np.array_equal(rows[:, 0], np.arange(read, read + count)):
            raise ValueError(f"it is cut off, or a value is missing, after point {read}")
        yield rows[:, 1], rows[:, 2:]
        read += count
    text.detach()  # it would close the file, of which more may be asked
    if read != plot.points:
        raise ValueError(f"its header promises {plot.points} points, but {read} follow")

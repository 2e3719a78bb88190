"""Sessions of waveform viewers: which file they open, and its signals laid out by block.

Sources: GTKWave's manual, "Save files" and `analyzer.h` (flags); Surfer's manual, "Commands".
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from cosim.errors import TraceError
from cosim.trace.exchange.changes import UNITS, by_block, time_unit
from cosim.trace.table import Table

WAVES = (".fst", ".vcd")
"""What a session is of, beside it under its name; the first that is there."""

# GTKWave: interpolated, over the full scale of the signal, right-justified.
_ANALOG, _BLANK_STRETCH, _GROUP, _GROUP_END = "@90020", "@20000", "@800200", "@1000200"
_EXTRA_HEIGHT = 3
_FRAMES = 3.2
"""In which the whole run is to be seen; one, 200 pixels, is 2^-zoom time units."""
_MARKERS = 27


def waves_beside(path: Path) -> Path:
    """The waveforms that a session at `path` is of.

    Raises:
        TraceError: there are none.
    """
    beside = [path.with_suffix(ending) for ending in WAVES]
    found = next((waves for waves in beside if waves.is_file()), None)
    if found is None:
        raise TraceError(
            f"A session is of a waveform file beside it, and there is neither "
            f"{' nor '.join(map(str, beside))}. Export the trace to one of these first."
        )
    return found


def gtkwave_session(waves: Path, table: Table, names: Sequence[str]) -> Iterator[str]:
    """Lines of a .gtkw file: a group for each block, every signal analog."""
    last = table.read("time", slice(-1, None))[0] * UNITS[time_unit(table)]
    zoom = -math.log2(max(last, 1.0) / _FRAMES)
    markers = " -1" * _MARKERS
    yield from ("[*] cosim", f'[dumpfile] "{waves.name}"', "[timestart] 0", f"*{zoom:.3f}{markers}")
    for block, inside in by_block(names):
        if block:
            yield from (_GROUP, f"-{block}")
        for number in inside:
            yield from (_ANALOG, names[number], _BLANK_STRETCH, *["-"] * _EXTRA_HEIGHT)
        if block:
            yield from (_GROUP_END, f"-{block}")


def surfer_session(waves: Path, table: Table, names: Sequence[str]) -> Iterator[str]:
    """Lines of a Surfer command file: a divider for each block, and its signals."""
    yield f"load_file {waves.name}"
    for block, inside in by_block(names):
        yield f"divider_add {block or waves.stem}"
        yield from (f"variable_add {names[number]}" for number in inside)
    yield "zoom_fit"

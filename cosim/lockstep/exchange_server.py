"""The server's side of an exchange through files: answers the requests of one simulation.

The protocol is in `exchange`. This side needs no ngspice.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.errors import ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.exchange import (
    ALIVE_SECOND,
    FILE_PAUSE_SECOND,
    REPLY_NAME,
    REQUEST_NAME,
    SPIN_SECOND,
    Column,
    LogReader,
    LogWriter,
    looks,
)
from cosim.trace.schema import text


@dataclass(frozen=True)
class Served:
    """What a server did: its answers, and how the simulation ended."""

    answers: int
    status: str


def await_request(folder: Path, timeout_second: float) -> LogReader:
    """The request of a simulation that runs, or begins within the timeout.

    Raises:
        ExchangeError: none did, or its file cannot be read.
    """
    path = folder / REQUEST_NAME
    unreadable: ExchangeError | None = None
    for _ in looks(timeout_second, FILE_PAUSE_SECOND):
        if not path.exists():
            continue
        try:
            request = LogReader(path)
            if request.status() == "running" and not request.abandoned():
                return request
            request.close()  # left by an earlier run
        except ExchangeError as error:
            unreadable = error  # perhaps left by an earlier run, too
    raise unreadable or ExchangeError(
        f"No simulation asked in {folder} within {timeout_second:g} s: there is no {path.name} of "
        "one that runs. Start it with `--exchange file` and its output in this folder, or give a "
        "longer --timeout."
    )


def serve(request: LogReader, block: Block, timeout_second: float) -> Served:
    """Answer until the simulation ends.

    Args:
        timeout_second: longest silence of the simulation.

    Raises:
        ExchangeError: it is another block that is asked for, or the simulation has vanished.
    """
    attributes = request.attributes
    asked = attributes.get("block"), attributes.get("inputs"), attributes.get("outputs")
    if asked != (block.name, block.inputs, block.outputs):
        raise ExchangeError(
            f"{request.path} asks for block {asked}, but this server has "
            f"{(block.name, block.inputs, block.outputs)}. Serve the folder of the same run."
        )
    inputs, outputs = len(block.inputs), len(block.outputs)
    columns = {"outputs": Column((outputs,), "V", "of the block, at this request")}
    if attributes["tangents"]:
        columns["jacobian"] = Column((outputs, inputs), "V/V", "d output / d input")
        columns["time_derivative"] = Column((outputs,), "V/s", "d output / d time")
    run = {"run": text(attributes["run"])}
    reply = LogWriter(request.path.with_name(REPLY_NAME), run, columns, status=False)
    try:
        while _await_row(request, reply.count, timeout_second):
            time_second = float(request.row("time", reply.count))
            volts = request.row("inputs", reply.count)
            reply.append(*_answer(block, bool(attributes["tangents"]), time_second, volts))
        return Served(reply.count, request.status())
    finally:
        reply.close()
        request.close()


def _answer(
    block: Block, tangents: bool, time_second: float, volts: np.ndarray
) -> tuple[np.ndarray, ...]:
    if not tangents:
        return (block.function.value(time_second, volts),)
    return block.function.tangents(time_second, volts)


def _await_row(request: LogReader, index: int, timeout_second: float) -> bool:
    """Whether there is such a request; none comes once the simulation has ended."""
    gone = ""
    for waited in looks(timeout_second):
        if waited > ALIVE_SECOND:
            gone = request.abandoned()  # before the look: its last word may be its end
        if request.count() > index:
            return True
        if waited > SPIN_SECOND and request.status() != "running":
            return False
        if gone:
            break
    raise ExchangeError(
        f"The simulation in {request.path.parent} vanished after {index} requests: "
        f"{gone or f'no news for {timeout_second:g} s'}. What it recorded is in its trace. Run it "
        "again, and this server; where a step takes long, give a longer --timeout."
    )

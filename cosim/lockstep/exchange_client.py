"""The simulation's side of an exchange through files: asks the server of a block.

The protocol is in `exchange`.
"""

import shlex
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from cosim.errors import ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.exchange import (
    ALIVE_SECOND,
    FILE_PAUSE_SECOND,
    REPLY_NAME,
    REQUEST_NAME,
    Column,
    LogReader,
    LogWriter,
    looks,
)
from cosim.lockstep.scheme import Scheme
from cosim.trace.schema import text


def through_files(block: Block, scheme: type[Scheme], folder: Path, timeout_second: float) -> Block:
    """The same block, served by another process.

    Args:
        scheme: how it is coupled, by which it is asked for tangents or not.
        folder: where the files of the exchange are; those of an earlier one are replaced.
        timeout_second: longest wait for the server to come, and then for each answer.
    """
    tangents = scheme.IMPLICIT
    asked = _Asked(block.name, block.inputs, block.outputs, tangents, folder, timeout_second)
    return Block(asked, block.inputs, block.outputs, name=block.name)


class _Asked:
    """A block's functions, answered by a server; opens its files when it is called first, as it
    is pickled to the ngspice process.
    """

    stateless = True

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        tangents: bool,
        folder: Path,
        timeout_second: float,
    ) -> None:
        self._attributes: dict[str, Any] = {
            "block": text(name),
            "inputs": np.array([node.encode() for node in inputs]),
            "outputs": np.array([node.encode() for node in outputs]),
            "tangents": int(tangents),
        }
        self._inputs = len(inputs)
        self._folder = folder
        self._timeout_second = timeout_second
        self._run = ""
        self._request: LogWriter | None = None
        self._reply: LogReader | None = None
        self._answered = ""

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Output volts [outputs] for input volts [inputs].

        Raises:
            ExchangeError: no server came, it went away, or it broke the protocol.
        """
        reply, index = self._ask(time_second, volts)
        return reply.row("outputs", index)

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same with the Jacobian [outputs, inputs] and d output / d time [outputs] in V/s."""
        reply, index = self._ask(time_second, volts)
        return (
            reply.row("outputs", index),
            reply.row("jacobian", index),
            reply.row("time_derivative", index),
        )

    def end(self, complete: bool) -> None:
        """Tell the server that the simulation has ended, if the file can still be written."""
        if self._request is not None:
            with suppress(ExchangeError):
                self._request.close("complete" if complete else "failed")

    def _ask(self, time_second: float, volts: np.ndarray) -> tuple[LogReader, int]:
        """The reply's file once it holds the answer, and the answer's row."""
        if self._request is None:
            self._request = self._begin()
        if self._reply is not None:
            self._not_ahead(self._reply.count(), self._request.count)
        self._request.append(np.array(time_second), volts)
        index = self._request.count - 1
        if self._reply is None:
            self._reply = self._find_server()
        reply, gone = self._reply, ""
        for waited in looks(self._timeout_second):
            if waited > ALIVE_SECOND:
                gone = reply.abandoned()  # before the look: its last word may be an answer
            count = reply.count()
            if count == index + 1:
                self._answered = time.strftime("%H:%M:%S")
                return reply, index
            self._not_ahead(count, index + 1)
            if gone:
                break
        since = f"at {self._answered}, {index} in all" if index else "never"
        raise ExchangeError(
            f"The server of block '{self._attributes['block'][()].decode()}' stopped answering: "
            f"{gone or f'no reply for {self._timeout_second:g} s'}. It was asked at "
            f"t = {time_second:.9g} s and last replied {since}; the points before are kept in the "
            "trace. See what the server printed, and run again; a slow one needs a larger "
            "`server_timeout_second`."
        )

    def _not_ahead(self, replies: int, asked: int) -> None:
        if replies > asked:
            raise ExchangeError(
                f"The server counts {replies} replies in {self._folder / REPLY_NAME}, but was "
                f"asked {asked} times. The points before are kept. Correct the server: a row for "
                "each request, and `count` last."
            )

    def _begin(self) -> LogWriter:
        self._run = str(uuid.uuid4())
        (self._folder / REPLY_NAME).unlink(missing_ok=True)
        return LogWriter(
            self._folder / REQUEST_NAME,
            {"run": text(self._run), **self._attributes},
            {
                "time": Column((), "s", "circuit time"),
                "inputs": Column((self._inputs,), "V", "accepted voltages, to the block"),
            },
            status=True,
        )

    def _find_server(self) -> LogReader:
        path = self._folder / REPLY_NAME
        for _ in looks(self._timeout_second, FILE_PAUSE_SECOND):
            if path.exists():
                reply = LogReader(path)
                if reply.attributes.get("run") == self._run:
                    return reply
                reply.close()  # a server of an earlier run wrote it just now
        raise ExchangeError(
            f"No server came within {self._timeout_second:g} s: there is no {path} of this run. "
            f"Start `cosim serve {shlex.quote(str(self._folder))}` or another server while the "
            "simulation waits, or before; a longer wait is `server_timeout_second`."
        )

"""A transient analysis whose points are given to an observer as ngspice accepts them.

Replaces what PySpice 1.5 does too slowly: a dictionary of Python objects for every accepted point.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from PySpice.Spice.NgSpice.Shared import ffi

from cosim.engine.commands import CommandSession
from cosim.engine.sources import SourceTable
from cosim.engine.start import Found, Way, way_of
from cosim.errors import EngineError

_PAUSED = re.compile(r"\d+ *: condition met: stop")

END_ULPS = 8
"""ngspice takes a time within 100 units in the last place for the end."""


class Observer(Protocol):
    """What a transient analysis reports to, point by point."""

    def begin(self, names: Sequence[str]) -> Sequence[int]:
        """A run starts with these vectors, lower case; returns the indices of those to report."""

    def source_index(self, name: str) -> int:
        """The place of external source `name` among `sources`."""

    @property
    def sources(self) -> tuple[np.ndarray, np.ndarray]:
        """Base and slope of the external sources [sources], written to as the run goes on: they
        are base + slope * (time - `accepted_second`).
        """

    @property
    def accepted_second(self) -> float:
        """The time from which external sources count."""

    def started(self, values: np.ndarray) -> None:
        """The operating point was found; `values` are those of its vectors to report."""

    def accept(self, time_second: float, values: np.ndarray) -> None:
        """A point was accepted; `values` [vectors to report] is reused for the next."""

    @property
    def longest_step_second(self) -> float | None:
        """Limit of the next time step; None throughout a run leaves steps to ngspice."""

    @property
    def breakpoint_second(self) -> float:
        """A time that a point has to meet; infinite if there is none."""

    @property
    def settles(self) -> bool:
        """Whether the operating point is to be solved for until it does not `repeats`."""

    @property
    def repeats(self) -> bool:
        """Whether the operating point is to be solved for once more."""

    def repeat(self) -> None:
        """It is solved for once more now."""


class StreamingSession(CommandSession):
    """Runs transients point by point; what it calls back from ngspice finds `_current`."""

    _current: ClassVar["StreamingSession | None"] = None

    def __init__(self, send_data: bool) -> None:
        self._observer: Observer | None = None
        self._failure: BaseException | None = None
        self.sources = SourceTable()
        self._answer_c: Any = None
        self._limit_step_c: Any = None
        self._vectors: list[int] = []
        self._time_pointer: Any = None
        self._pointers: list[tuple[int, Any]] = []
        self._values = np.empty(0)
        self.accepted_points = self.iterations = 0
        self._stop_second = math.inf
        self._streamed = False
        self._breakpoint_second = math.inf
        self._way = Way.NEWTON
        self.found: Found | None = None
        super().__init__(send_data=send_data)

    def transient(self, observer: Observer, stop_second: float, start_second: float = 0.0) -> None:
        """Run the loaded netlist's `.tran` and report each accepted point to `observer`.

        ngspice keeps none of the points (manual, `save none`), so that memory stays as it is
        however long the run; from then on this process cannot `analyse`.

        Args:
            stop_second: of the netlist's `.tran`.
            start_second: what ngspice's 0 s is for the observer and in errors.

        Raises:
            ConvergenceError, EngineError: ngspice gave up, or stopped before `stop_second`.
            Exception: whatever the observer raised.
        """
        self.command("save none")
        self._streamed = True
        self._observer, self._failure = observer, None
        self._stop_second, self._start_second = stop_second, start_second
        self._register(observer)
        self.accepted_points = 0
        self.last_time_second = start_second
        before = self.point_iterations, self.transient_iterations
        try:
            if observer.settles:
                self._settle(observer)
            if self.accepted_points == 0:
                self._run("run")
            elif not self._at(start_second + stop_second):
                self._run("resume")
        finally:
            self._observer = None
            self.exec_command("destroy all")
        if not self._at(start_second + stop_second):
            raise EngineError(
                f"ngspice ended the transient at t = {self.last_time_second:.9g} s without an "
                f"error, but {start_second + stop_second:.9g} s were asked for: {self._said()}",
                last_time_second=self.last_time_second,
            )
        self.found = Found(self._way, self.point_iterations - before[0])
        self.iterations = self.transient_iterations - before[1]

    def _at(self, time_second: float) -> bool:
        return math.isclose(self.last_time_second, time_second, rel_tol=1e-9)

    def _run(self, command: str) -> None:
        """`run` or `resume`; raises what the observer raised, or ngspice reported."""
        self.exec_command(command)
        if self._failure is not None:
            raise self._failure
        _forget_after_pause(self._printed)
        self._raise_reported(command)
        self._read_messages()

    def _settle(self, observer: Observer) -> None:
        """Solve for the operating point until the observer agrees, and pause one step later: if it
        went on from the operating point itself, ngspice would solve for it once more.
        """
        self.exec_command("stop after 2")
        try:
            self._run("run")
            while observer.repeats:
                observer.repeat()
                self._run("run")
        finally:
            self.exec_command("delete all")

    def _register(self, observer: Observer) -> None:
        """Have ngspice ask compiled code for external sources, and an observer before each step;
        once for good: ngspice 46 dies of a NULL that takes it back.
        """
        base, slope = observer.sources
        self.sources.begin(base, slope, self._start_second)
        before = self._answer_c, self._limit_step_c
        if self._answer_c is None and len(base):
            python = int(ffi.cast("uintptr_t", self._get_vsrc_data_c))
            self._answer_c = ffi.cast("GetVSRCData *", self.sources.compile(python))
        if self._limit_step_c is None and observer.longest_step_second is not None:
            self._limit_step_c = ffi.callback("GetSyncData", self._limit_step)
        if before != (self._answer_c, self._limit_step_c):
            self._ngspice_shared.ngSpice_Init_Sync(
                self._answer_c or self._get_vsrc_data_c,
                self._get_isrc_data_c,
                self._limit_step_c or ffi.NULL,
                self._ngspice_id,
                self._self_c,
            )

    # -- callbacks from ngspice: an exception must not cross them ---------------------------

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error

    def send_init_data(self, data: Any, ngspice_id: int) -> int:
        """A run starts: note which vectors come, and where ngspice keeps their values."""
        self._time_pointer, self._breakpoint_second = None, math.inf
        if self._observer is not None:
            try:
                names = [
                    ffi.string(data.vecs[index].vecname).decode().lower()
                    for index in range(data.veccount)
                ]
                self._vectors = [names.index("time"), *self._observer.begin(names)]
                self._values = np.empty(len(self._vectors) - 1)
            except Exception as error:
                self._fail(error)
        return 0

    @staticmethod
    def _send_data(data: Any, count: int, ngspice_id: int, user_data: Any) -> int:
        session = StreamingSession._current
        if session is not None and session._observer is not None and session._failure is None:
            try:
                session._accept(data)
            except BaseException as error:  # kept, and raised again outside ngspice
                session._fail(error)
        return 0

    def _accept(self, data: Any) -> None:
        if self._time_pointer is None:
            # ngspice keeps these structures where they are throughout a run.
            self._time_pointer, *pointers = (data.vecsa[index] for index in self._vectors)
            self._pointers = list(enumerate(pointers))
        values = self._values
        for index, pointer in self._pointers:
            values[index] = pointer.creal
        self.last_time_second = self._start_second + self._time_pointer.creal
        observer = self._observer
        assert observer is not None
        if self.accepted_points == 0:
            self._way = way_of(self._printed)
            observer.started(values)
        self.accepted_points += 1
        observer.accept(self.last_time_second, values)
        self.sources.clock[1] = observer.accepted_second
        if self.last_time_second < observer.breakpoint_second != self._breakpoint_second:
            self._breakpoint_second = observer.breakpoint_second
            self._ngspice_shared.ngSpice_SetBkpt(self._breakpoint_second - self._start_second)

    @staticmethod
    def _limit_step(
        time_second: float,
        step: Any,
        before_second: float,
        redo: int,
        ngspice_id: int,
        location: int,
        user_data: Any,
    ) -> int:
        """Called before a step (location 0) and after its convergence (1); `step` may be lowered,
        but not that of a step that ngspice redoes: it has lowered it already.
        """
        session = StreamingSession._current
        if session is not None and session._observer is not None and location == 0 and not redo:
            try:
                longest = session._observer.longest_step_second
                if longest is not None:
                    _limit(step, longest, time_second, session._stop_second)
            except BaseException as error:
                session._fail(error)
        return 0

    @staticmethod
    def _get_vsrc_data(
        voltage: Any, time_second: float, node: Any, ngspice_id: int, user_data: Any
    ) -> int:
        """Called for a source that the compiled callback does not know yet."""
        session = StreamingSession._current
        if session is not None and session._observer is not None:
            try:
                place = session._observer.source_index(ffi.string(node).decode().lower())
                address = int(ffi.cast("uintptr_t", node))
                voltage[0] = session.sources.learn(address, place, time_second)
            except BaseException as error:
                session._fail(error)
                voltage[0] = 0.0
        return 0


def _limit(step: Any, longest_second: float, time_second: float, stop_second: float) -> None:
    """Lower `step`, a pointer to the step that ngspice is about to take."""
    remaining_second = stop_second - time_second
    if step[0] >= remaining_second / 4 and remaining_second <= 3 * longest_second:
        # In equal parts. Asked for steps, ngspice halves the way to the end for ever; and a step
        # that goes beyond the end by rounding is cut so that less than its shortest is left.
        parts = math.ceil(remaining_second / longest_second)
        step[0] = remaining_second / parts - (parts == 1) * END_ULPS * math.ulp(stop_second)
    elif step[0] > 1.5 * longest_second:
        step[0] = longest_second
    elif step[0] > longest_second:
        step[0] /= 2  # the remainder before a breakpoint could be too short


def _forget_after_pause(printed: list[str]) -> None:
    """Where ngspice found the operating point at a second attempt (gmin stepping), it names the
    first one's failure as the reason of the pause, as its errors are told only once.
    """
    for number, line in enumerate(printed):
        if _PAUSED.search(line):
            del printed[number + 1 :]
            return

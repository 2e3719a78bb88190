"""Block: a function in the loop, node voltages in, source voltages out."""

import copy
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle
import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.errors import ConfigurationError
from cosim.lockstep.function import Function, adapt
from cosim.lockstep.port import LockstepPort
from cosim.lockstep.scheme import Explicit, Extrapolated, Scheme

PROBES = 8
LARGEST_PROBE_VOLT = 5.0


class Block:
    """What is computed outside ngspice and drives nodes of the netlist.

    Args:
        function: a `torch.nn.Module`, as it is; or a callable of the input volts, an array
            [inputs], or of `(time, volts)` (the first parameter is then called `time`), with
            numpy or torch, that returns the output volts [outputs]; or an object with the methods
            `value(time, volts)` and `tangents(time, volts)` of `cosim.lockstep.function.Function`.
            It may have a state: it is called once at each accepted point (or sample), in order.
            If it has a `reset()`, that is called first, and it is never called for derivatives.
        inputs: nodes whose voltages it takes.
        outputs: nodes that it drives; nothing else may.
        name: in messages and traces; by default that of the function.
        sample: period in seconds, or as SPICE writes it ("10u"): it is called at its multiples
            alone, 0 included, which ngspice meets exactly, and its output held in between.
        initial: output volts before the first sample, at the operating point; one, or [outputs].
        jacobian: d output / d input [outputs, inputs] as a callable of the same parameters, for
            the scheme `linearised`. Without: `torch.autograd` for torch, else central differences,
            which call the function 2 inputs + 1 times.
        discontinuous: its output jumps (a relay, a comparator): it is held between points,
            whatever the scheme.
        closed: it needs no files, programs and network. Where this is said of all blocks, ngspice's
            process is closed to them, as it is without blocks (the manual, Files of others).

    Raises:
        ConfigurationError: the function cannot be called or pickled, its output does not fit, or
            a number or a name is none.
    """

    def __init__(
        self,
        function: Any,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        name: str | None = None,
        sample: float | str | None = None,
        initial: float | Sequence[float] = 0.0,
        jacobian: Callable[..., Any] | None = None,
        discontinuous: bool = False,
        closed: bool = False,
    ) -> None:
        self.name = name or _name_of(function)
        self.inputs = self._nodes("inputs", inputs)
        self.outputs = self._nodes("outputs", outputs)
        self.sample_second = None if sample is None else self._period(sample)
        self.initial_volt = self._initial(initial)
        self.discontinuous = discontinuous
        self.closed = closed
        try:
            cloudpickle.dumps(function)
        except Exception as error:
            raise ConfigurationError(
                f"Block '{self.name}' cannot be brought to the ngspice process: "
                f"{type(error).__name__}: {error}. Its function, and whatever that holds, has to "
                "be picklable: no open files, locks or generators."
            ) from error
        self.function: Function = adapt(
            function, self.name, len(self.inputs), len(self.outputs), jacobian
        )

    def __repr__(self) -> str:
        return f"Block({self.name!r}, inputs={self.inputs}, outputs={self.outputs})"

    @property
    def stateful(self) -> bool:
        """Whether it says to have a state, by its period or its `reset`."""
        return self.sample_second is not None or hasattr(self.function, "reset")

    def scheme(self, wanted: type[Scheme]) -> type[Scheme]:
        """How it is coupled where `wanted` is asked for: a jump is held, and a function with a
        state cannot be called for derivatives.
        """
        if self.sample_second is not None or self.discontinuous:
            return Explicit
        if self.stateful and wanted.IMPLICIT:
            return Extrapolated
        return wanted

    def port(self, scheme: type[Scheme]) -> LockstepPort:
        """The netlist side of this block."""
        return LockstepPort(self.inputs, self.outputs, self.scheme(scheme).IMPLICIT)

    def reset(self) -> None:
        """Set its state to the beginning, if it has one."""
        reset = getattr(self.function, "reset", None)
        if reset is not None:
            reset()

    def snapshot(self) -> bytes:
        """Its function with its state, for `restore`."""
        stateless = getattr(self.function, "stateless", False)
        return b"" if stateless else cloudpickle.dumps(self.function)

    def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot."""
        if snapshot:
            self.function = cloudpickle.loads(snapshot)

    def copied_function(self) -> Function:
        """A copy of its function with its state, to be asked without an effect on the block."""
        copied: Function = cloudpickle.loads(cloudpickle.dumps(self.function))
        return copied

    def fingerprint(self) -> str:
        """Of what it answers, asked of a copy at fixed times and voltages, to nine digits: other
        weights or another function have another one, and it is the same in another process.
        """
        block = copy.copy(self)
        block.function = self.copied_function()
        block.reset()
        generator = np.random.default_rng(0)
        digest = hashlib.sha256()
        for time_second in np.geomspace(1e-9, 1e-2, PROBES):
            volts = generator.uniform(-LARGEST_PROBE_VOLT, LARGEST_PROBE_VOLT, len(self.inputs))
            try:
                answer = [f"{value:.8e}" for value in block.function.value(time_second, volts)]
            except Exception as error:  # such voltages are none of its circuit's; an answer, too
                answer = [type(error).__name__]
            digest.update(" ".join(answer).encode())
        return digest.hexdigest()[:16]

    def end(self, complete: bool) -> None:
        """The simulation has ended; tell the function, if it wants to know."""
        end = getattr(self.function, "end", None)
        if end is not None:
            end(complete)

    def _nodes(self, what: str, nodes: Sequence[str]) -> tuple[str, ...]:
        names = (nodes,) if isinstance(nodes, str) else tuple(nodes)
        if not names or not all(isinstance(node, str) and node.strip() for node in names):
            raise ConfigurationError(
                f"Block '{self.name}' has {what} {nodes!r}. Give the names of nodes, one or more."
            )
        if what == "outputs" and len({node.lower() for node in names}) < len(names):
            raise ConfigurationError(
                f"Block '{self.name}' drives a node twice: {names}. Once will do."
            )
        return names

    def _period(self, sample: float | str) -> float:
        from cosim.netlist.numbers import number

        value = number(sample) if isinstance(sample, str) else float(sample)
        if value is None or not 0 < value < math.inf:
            raise ConfigurationError(
                f"Block '{self.name}' is to be sampled every {sample!r} s. Give a positive number "
                "of seconds, or such as '10u'."
            )
        return value

    def _initial(self, initial: float | Sequence[float]) -> np.ndarray:
        volts = np.asarray(initial, dtype=float)
        if volts.shape not in ((), (len(self.outputs),)) or not np.isfinite(volts).all():
            raise ConfigurationError(
                f"Block '{self.name}' has {len(self.outputs)} outputs and initial={initial!r}. "
                "Give one number for all, or one for each."
            )
        return np.broadcast_to(volts, (len(self.outputs),)).copy()


def port_lines(blocks: Sequence[Block], scheme: type[Scheme]) -> str:
    """The lines of a netlist by which blocks drive it."""
    ports = Circuit("ports")
    for block in blocks:
        block.port(scheme).add_to(ports)
    return "\n".join(str(ports).splitlines()[1:])


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "block" if name == "<lambda>" else str(name)

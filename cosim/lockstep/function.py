"""From what a user writes to what the lockstep calls: `value(time, volts)` and its tangents.

A torch module is evaluated in float64 where it allows that (the rounding of float32 would look
like a coupling error), with a batch dimension only if it needs one, in its evaluation mode; its
Jacobian and time derivative come from `torch.autograd`: the same bits as `torch.func.jacrev`, in a
third of its time, and without the second that torch takes to import its compiler for that. Of other
functions they are central differences, right to about 1e-9 of the values, or the Jacobian that is
given.
"""

import copy
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import cloudpickle
import numpy as np

from cosim.errors import ConfigurationError

STEP_PART = float(np.finfo(float).eps) ** (1 / 3)
"""Of a volt, or of the voltage: the step whose truncation and rounding errors balance."""
STEP_SECOND, STEP_SECOND_PART = 1e-12, 1e-9
TIME_NAMES = ("t", "now")

Tangents = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Output volts [outputs], d/d input [outputs, inputs], d/d time in volts per second [outputs]."""


class Function(Protocol):
    """What the lockstep calls; an object that has both methods is taken as it is.

    It may have `reset()` (it has a state, to be set to its beginning), `end(complete)` (the
    simulation has ended) and a true `stateless` (it needs no copy to be called on trial).
    """

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Output volts [outputs] for input volts [inputs]."""

    def tangents(self, time_second: float, volts: np.ndarray) -> Tangents:
        """The same with the derivatives."""


def adapt(
    function: Any, name: str, inputs: int, outputs: int, jacobian: Callable[..., Any] | None
) -> Function:
    """A module, a callable or an object with `value`, as a `Function`.

    Raises:
        ConfigurationError: it is none of them, or its parameters or its output do not fit.
    """
    if jacobian is None and hasattr(function, "value") and hasattr(function, "tangents"):
        adapted: Function = function
        return adapted
    if hasattr(function, "value") and not callable(function):
        function = function.value
    if not callable(function):
        raise ConfigurationError(
            f"Block '{name}' is made of a {type(function).__name__}, which cannot be called. Give "
            "a torch module, a function of the input volts, or one of (time, volts)."
        )
    torch = sys.modules.get("torch")
    module = torch is not None and isinstance(function, torch.nn.Module)
    call = function.forward if module else function
    timed = _takes_time(call, name, module)
    if torch is not None and jacobian is None:
        for candidate in _torch_candidates(function, timed, inputs, outputs, module):
            return candidate
    if module:
        raise ConfigurationError(
            f"Block '{name}': the module {type(function).__name__} gives no {outputs} outputs for "
            f"{inputs} input volts: {_trial(function, timed, inputs)}. Its `forward` is to take a "
            f"tensor [{inputs}] or [1, {inputs}] (after the time, if it takes that) and to return "
            f"[{outputs}] or [1, {outputs}]."
        )
    return PlainFunction(function, timed, outputs, jacobian)


def _takes_time(call: Callable[..., Any], name: str, module: bool) -> bool:
    """Whether it is a function of (time, volts), by its parameters."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):  # compiled ones have no signature
        return False
    kinds = inspect.Parameter
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    needed = [parameter.name for parameter in positional if parameter.default is kinds.empty]
    variable = any(parameter.kind is kinds.VAR_POSITIONAL for parameter in parameters)
    if len(needed) == 1 and not variable:
        return False
    if len(needed) == 2 and _is_time(needed[0]) and not _is_time(needed[1]):
        return True
    if variable and not needed and module:
        return False
    raise ConfigurationError(
        f"Block '{name}': it cannot be told how to call its function, whose parameters are "
        f"({', '.join(parameter.name for parameter in parameters)}). Write it with one parameter "
        "(all input volts, as one array in the order of `inputs`), or with two, of which the "
        "first is called `time`."
    )


def _is_time(name: str) -> bool:
    return name in TIME_NAMES or name.startswith("time")


# -- plain functions ------------------------------------------------------------------------------


class PlainFunction:
    """A function of numpy arrays, floats or lists."""

    def __init__(
        self,
        function: Callable[..., Any],
        timed: bool,
        outputs: int,
        jacobian: Callable[..., Any] | None = None,
    ) -> None:
        self._function, self._timed = function, timed
        self._outputs, self._jacobian = outputs, jacobian
        if hasattr(function, "reset"):
            self.reset = function.reset

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Output volts [outputs] for input volts [inputs]."""
        found = self._function(time_second, volts) if self._timed else self._function(volts)
        value = np.array(found, dtype=float)  # a copy: it may be used anew
        return value.reshape(1) if value.shape == () and self._outputs == 1 else value

    def tangents(self, time_second: float, volts: np.ndarray) -> Tangents:
        """The same with the derivatives."""
        value = self.value(time_second, volts)
        if self._jacobian is not None:
            arguments = (time_second, volts) if self._timed else (volts,)
            jacobian = np.asarray(self._jacobian(*arguments), dtype=float)
            jacobian = jacobian.reshape(-1, len(volts)) if jacobian.ndim < 2 else jacobian
        else:
            jacobian = _by_volts(self, time_second, volts)
        by_time = _by_time(self, time_second, volts) if self._timed else np.zeros_like(value)
        return value, jacobian, by_time


def _by_volts(function: Function, time_second: float, volts: np.ndarray) -> np.ndarray:
    """Central differences d output / d input [outputs, inputs]."""
    steps = np.diag(STEP_PART * np.maximum(1.0, np.abs(volts)))
    columns = [
        (function.value(time_second, volts + step) - function.value(time_second, volts - step))
        / (2 * step.sum())
        for step in steps
    ]
    return np.stack(columns, axis=1)


def _by_time(function: Function, time_second: float, volts: np.ndarray) -> np.ndarray:
    """Differences d output / d time in volts per second [outputs]; central but at 0."""
    step = STEP_SECOND + STEP_SECOND_PART * time_second
    before, after = max(time_second - step, 0.0), time_second + step
    return (function.value(after, volts) - function.value(before, volts)) / (after - before)


# -- torch ----------------------------------------------------------------------------------------


class TorchFunction:
    """A torch module, or a function of tensors.

    Args:
        function: it.
        timed: whether it takes the time first.
        batched: whether it needs a batch dimension.
        dtype: of the tensors it takes.
    """

    def __init__(self, function: Any, timed: bool, batched: bool, dtype: Any) -> None:
        self._function, self._timed = function, timed
        self._batched, self._dtype = batched, dtype
        if hasattr(function, "reset"):
            self.reset = function.reset

    def _call(self, point: Any) -> Any:
        """Outputs [outputs] at a point [1 + inputs]: time, then volts."""
        point = point.to(self._dtype)
        time, volts = point[0], point[1:]
        if self._batched:
            time, volts = time[None], volts[None]
        found = self._function(time, volts) if self._timed else self._function(volts)
        return found.reshape(found.shape[1:] if self._batched else found.shape or (1,))

    def _point(self, time_second: float, volts: np.ndarray) -> Any:
        import torch

        return torch.from_numpy(np.concatenate([[time_second], volts]))

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Output volts [outputs] for input volts [inputs]."""
        import torch

        with torch.no_grad():
            found: np.ndarray = self._call(self._point(time_second, volts)).double().numpy()
        return found

    def tangents(self, time_second: float, volts: np.ndarray) -> Tangents:
        """The same with the derivatives, a row of the Jacobian for each output."""
        import torch

        point = self._point(time_second, volts).requires_grad_()
        with torch.enable_grad():
            found = self._call(point).double()
        value: np.ndarray = found.detach().numpy()
        rows: list[Any] = [None]
        if found.requires_grad:
            rows = [
                torch.autograd.grad(one, point, retain_graph=True, allow_unused=True)[0]
                for one in found
            ]
        if any(row is None for row in rows):
            # It leaves torch's graph, by `detach` or numpy: no gradient is not a slope of zero.
            by_time = _by_time(self, time_second, volts) if self._timed else np.zeros_like(value)
            return value, _by_volts(self, time_second, volts), by_time
        jacobian = torch.stack(rows).numpy()
        return value, jacobian[:, 1:], np.ascontiguousarray(jacobian[:, 0])


def _torch_candidates(
    function: Any, timed: bool, inputs: int, outputs: int, module: bool
) -> Iterator[TorchFunction]:
    """The ways to call it that give tensors of the right shape, best first."""
    import torch

    ready, dtypes = function, [torch.float64]
    if module:
        own = next((p.dtype for p in function.parameters() if p.is_floating_point()), None)
        ready = copy.deepcopy(function).cpu().eval()
        dtypes += [own] if own not in (None, torch.float64) else [torch.float32]
    elif not _needs_tensors(function, timed, inputs):
        return
    for dtype in dtypes:
        converted = copy.deepcopy(ready).to(dtype) if module else ready
        for batched in (False, True) if module else (False,):
            candidate = TorchFunction(converted, timed, batched, dtype)
            # On a copy: a trial must not advance a state.
            trial = cloudpickle.loads(cloudpickle.dumps(candidate))
            with suppress(Exception):
                if trial.value(0.0, np.zeros(inputs)).shape == (outputs,):
                    yield candidate


def _needs_tensors(function: Any, timed: bool, inputs: int) -> bool:
    """Whether a function takes tensors and returns one, but does not do so with arrays."""
    import torch

    def returns(volts: Any) -> Any:
        own = cloudpickle.loads(cloudpickle.dumps(function))
        with suppress(Exception):
            return own(volts.sum() * 0.0, volts) if timed else own(volts)
        return None

    plain = returns(np.zeros(inputs))
    if plain is not None and not isinstance(plain, torch.Tensor):
        return False
    return isinstance(returns(torch.zeros(inputs, dtype=torch.float64)), torch.Tensor)


def _trial(module: Any, timed: bool, inputs: int) -> str:
    """What a module says to input volts of 0."""
    import torch

    own = copy.deepcopy(module).cpu().eval()
    volts = torch.zeros(inputs, dtype=next((p.dtype for p in own.parameters()), torch.float64))
    try:
        found = own(volts.new_zeros(()), volts) if timed else own(volts)
    except Exception as error:
        return f"it raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return f"it returned {getattr(found, 'shape', type(found).__name__)}"

"""What can be a block: modules and functions as they are, and clear refusals of what cannot."""

import pickle
import subprocess
import sys
import textwrap
import threading

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

from cosim.engine.worker import WorkerPool
from cosim.errors import BlockError, ConfigurationError
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import Explicit
from tests.lockstep.circuits import coupled

VOLTS = np.array([0.3, -0.7])


class Perceptron(nn.Module):
    """Two inputs, three outputs, with the time if it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3))

    def forward(self, volts: torch.Tensor) -> torch.Tensor:
        return self.layers(volts)


class Timed(Perceptron):
    def forward(self, time: torch.Tensor, volts: torch.Tensor) -> torch.Tensor:
        return self.layers(volts) * torch.cos(2e5 * time)


class NeedsBatch(Perceptron):
    def forward(self, volts: torch.Tensor) -> torch.Tensor:
        assert volts.ndim == 2
        return self.layers(volts)


class Single(Perceptron):
    """Insists on float32."""

    def forward(self, volts: torch.Tensor) -> torch.Tensor:
        assert volts.dtype == torch.float32
        return self.layers(volts)


def by_hand(time: float, volts: np.ndarray, timed: bool) -> np.ndarray:
    module = Perceptron().double()
    value = module(torch.from_numpy(volts)).detach().numpy()
    return value * np.cos(2e5 * time) if timed else value


@pytest.mark.parametrize(
    ("module", "tolerance"),
    [(Perceptron(), 1e-15), (Perceptron().half().float(), 1e-3), (Timed(), 1e-15),
     (NeedsBatch(), 1e-15), (Perceptron().double(), 1e-15), (Single(), 1e-6)],
)  # fmt: skip
def test_modules_as_they_are(module: nn.Module, tolerance: float) -> None:
    timed = isinstance(module, Timed)
    function = Block(module, ["a", "b"], ["x", "y", "z"]).function
    value, jacobian, by_time = function.tangents(1e-6, VOLTS)
    np.testing.assert_allclose(value, by_hand(1e-6, VOLTS, timed), atol=tolerance)
    np.testing.assert_array_equal(value, function.value(1e-6, VOLTS))
    step = 1e-6
    for column in range(2):
        moved = VOLTS + step * np.eye(2)[column]
        slope = (by_hand(1e-6, moved, timed) - by_hand(1e-6, VOLTS, timed)) / step
        np.testing.assert_allclose(jacobian[:, column], slope, atol=max(1e-5, 3 * tolerance))
    if timed:
        slope = -2e5 * np.sin(0.2) * by_hand(0.0, VOLTS, False)
        np.testing.assert_allclose(by_time, slope, rtol=1e-10)
    else:
        np.testing.assert_array_equal(by_time, np.zeros(3))
    assert module.training  # the user's own is left alone
    assert value.dtype == jacobian.dtype == by_time.dtype == np.float64


ONE = nn.Parameter(torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize(
    "function",
    [
        lambda v: np.sin(v[0]) * v[1],
        lambda v: [np.sin(v[0]) * v[1]],
        lambda v: float(np.sin(v[0]) * v[1]),
        lambda v: torch.sin(v[0]) * v[1],
        lambda v: torch.sin(v[0].detach()) * v[1].detach(),  # nothing left to differentiate
        lambda v: torch.sin(v[0].detach()) * v[1].detach() * ONE,  # but what is no voltage
        lambda time, v: torch.sin(v[0]) * v[1] + 0 * time,
        lambda t, v: np.array([np.sin(v[0]) * v[1] * (1 + 0 * t)]),
    ],
)
def test_functions_of_numpy_or_torch(function) -> None:  # type: ignore[no-untyped-def]
    value, jacobian, by_time = Block(function, ["a", "b"], ["y"]).function.tangents(1e-6, VOLTS)
    np.testing.assert_allclose(value, [np.sin(0.3) * -0.7], rtol=1e-14)
    np.testing.assert_allclose(jacobian, [[np.cos(0.3) * -0.7, np.sin(0.3)]], atol=1e-9)
    np.testing.assert_array_equal(by_time, [0.0])


def test_derivatives_of_plain_functions() -> None:
    """Central differences to 1e-9, by time to 1e-6 of a 1 MHz sine's; a given Jacobian exactly."""
    omega = 2e6 * np.pi
    function = Block(lambda t, v: np.exp(v) * np.sin(omega * t), ["a"], ["y"]).function
    _, jacobian, by_time = function.tangents(3.3e-6, np.array([1.5]))
    assert jacobian[0, 0] == pytest.approx(np.exp(1.5) * np.sin(omega * 3.3e-6), rel=1e-9)
    assert by_time[0] == pytest.approx(omega * np.exp(1.5) * np.cos(omega * 3.3e-6), rel=1e-6)
    given = Block(np.exp, ["a"], ["y"], jacobian=np.exp).function
    assert given.tangents(0.0, np.array([1.5]))[1] == np.exp(1.5)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda a, b: a + b, r"parameters are \(a, b\).*first is called `time`"),
        (lambda v, time: v, r"parameters are \(v, time\)"),
        (lambda *v: v, "cannot be told"),
        (lambda: 1.0, "cannot be told"),
        (nn.Linear(3, 1), "gives no 1 outputs for 2 input volts: it raised RuntimeError"),
        (nn.Linear(2, 4), r"it returned torch.Size\(\[4\]\)"),
        (3.0, "made of a float, which cannot be called"),
    ],
)
def test_what_cannot_be_called_is_refused(function, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError, match=says):
        Block(function, ["a", "b"], ["y"], name="wrong")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sample": "soon"}, "sampled every 'soon'"),
        ({"sample": 0.0}, "positive number"),
        ({"initial": [1.0, 2.0]}, "One number|Give one number"),
        ({"inputs": []}, "names of nodes, one or more"),
        ({"outputs": ["y", "Y"]}, "drives a node twice"),
    ],
)
def test_what_cannot_be_coupled_is_refused(changed: dict[str, object], says: str) -> None:
    given: dict[str, object] = {"inputs": ["a"], "outputs": ["y"], **changed}
    with pytest.raises(ConfigurationError, match=says):
        Block(lambda v: v, **given)  # type: ignore[arg-type]


def test_numbers_are_read_as_spice_writes_them() -> None:
    assert Block(np.tanh, "a", "y", sample="10u").sample_second == pytest.approx(1e-5)


def test_wrong_output_is_named_where_it_comes(pool: WorkerPool) -> None:
    block = Block(lambda v: np.zeros(3), ["x"], ["u"], name="threefold")
    job = coupled("R1 u x 1k\nR2 x 0 1k", [block], scheme=Explicit, stop=1e-6, step=1e-7,
                  saved=["x"])  # fmt: skip
    with pytest.raises(BlockError, match=r"'threefold' returned.*\(3,\).*\(1,\) is needed"):
        pool.run_one(job)


def test_what_cannot_be_sent_is_refused() -> None:
    lock = threading.Lock()
    with pytest.raises(ConfigurationError, match=r"'locked' cannot be brought.*picklable"):
        Block(lambda v: v if lock else -v, ["x"], ["u"], name="locked")


def test_snapshots_bring_a_state_back() -> None:
    class Adder:
        def __init__(self) -> None:
            self.total = 0.0

        def __call__(self, volts: np.ndarray) -> float:
            self.total += float(volts[0])
            return self.total

    block = Block(Adder(), ["a"], ["y"], sample=1e-6)
    before = block.snapshot()
    assert block.function.value(0.0, np.ones(1))[0] == 1.0
    assert block.function.value(0.0, np.ones(1))[0] == 2.0
    block.restore(before)
    assert block.function.value(0.0, np.ones(1))[0] == 1.0
    assert block.stateful


SCRIPT = """
    import numpy as np, torch
    from cosim.engine.worker import WorkerPool
    from cosim.lockstep.block import Block
    from cosim.lockstep.scheme import Explicit, Linearised
    from tests.lockstep.circuits import coupled

    class Gain(torch.nn.Module):
        def forward(self, volts):
            return 1 - 4 * volts

    block = Block(Gain(), ["x"], ["u"])
    job = coupled("R1 u x 1k\\nR2 x 0 1k", [block], scheme=Linearised, stop=1e-6, step=1e-7,
                  saved=["x"])
    with WorkerPool(1, 60) as pool:
        points, _ = pool.run_one(job)
    print(repr(float(points.values[-1, 0])))
"""


def test_a_class_of_a_script_without_guard_works() -> None:
    """As in a notebook: defined in `__main__`, which the ngspice process does not run again."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(1 / 6, abs=1e-9)


def test_blocks_travel_by_pickle_too() -> None:
    """Between Dask's processes, those of modules by plain pickle."""
    block = Block(Perceptron(), ["a", "b"], ["x", "y", "z"])
    for module in (pickle, cloudpickle):
        again = pickle.loads(module.dumps(block))  # noqa: S301
        np.testing.assert_array_equal(
            again.function.value(0.0, VOLTS), block.function.value(0.0, VOLTS)
        )

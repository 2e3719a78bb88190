"""The committed netlists: what the generators write, and right in plain ngspice."""

import functools
import re
import subprocess

import numpy as np
import pytest

from cosim.characterise.benches import BENCHES
from cosim.diffusion import netlists
from cosim.diffusion.config import RunConfig
from cosim.diffusion.golden import PROJECT_NETLISTS
from cosim.diffusion.netlists import block_netlist, finest
from cosim.diffusion.run import Run
from cosim.diffusion.score.sampling import reference_solution
from cosim.engine.library import find_library
from cosim.engine.session import NgspiceSession
from tests.plain_ngspice import run_batch

generated = functools.cache(netlists.generated)  # all of them take a second

COLUMN = 15
"""Characters of a name that ngspice prints above a column."""


@pytest.mark.parametrize("name", sorted(generated()))
def test_committed_netlist_is_what_the_generator_writes(name: str) -> None:
    assert (PROJECT_NETLISTS / name).read_text() == generated()[name], "run `make netlists`"


def test_nothing_else_is_committed() -> None:
    assert {path.name for path in PROJECT_NETLISTS.glob("*.cir")} == set(generated())


def test_every_transistor_has_its_junctions() -> None:
    """None of the generators leaves out an area or a perimeter, as which ngspice takes 0."""
    lines = [
        line
        for text in generated().values()
        for line in text.splitlines()
        if re.search(r" [np]fet_\w+ ", line)
    ]
    assert len(lines) > 500
    for line in lines:
        given = dict(re.findall(r"(\w+)=([\d.]+)", line))
        assert all(float(given.get(name, 0)) > 0 for name in ("ad", "as", "pd", "ps")), line


@pytest.mark.parametrize("name", [name for name in sorted(generated()) if "solver" not in name])
def test_plain_ngspice_prints(name: str) -> None:
    """`ngspice -b FILE`, as a user types it: exit 0, and numbers of the recorded nodes."""
    command = [str(find_library().executable_path), "-b", name]
    ended = subprocess.run(
        command, cwd=PROJECT_NETLISTS, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    saved = re.search(r"^\.save (\S+)", (PROJECT_NETLISTS / name).read_text(), re.MULTILINE)
    assert saved is not None
    recorded = saved[1].removeprefix("i(").removeprefix("v(").removesuffix(")")
    shown = recorded[:COLUMN]
    assert re.search(rf"^Index .*{re.escape(shown)}", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("block", sorted(BENCHES))
def test_plain_ngspice_runs_each_block_as_the_engine_does(block: str) -> None:
    plain = run_batch(PROJECT_NETLISTS / f"{block}.cir")
    engine = NgspiceSession.start().analyse(block_netlist(block, finest(block)))
    if block == "noise":  # random, and no seed repeats it: the same length and spread
        assert len(plain["time"]) == pytest.approx(len(engine["time"]), rel=0.01)
        assert np.std(plain["v(out_0)"]) == pytest.approx(np.std(engine["out_0"]), rel=0.15)
        return
    compared = 0
    for name, expected in engine.items():
        vector = f"i({name.removesuffix('#branch')})" if name.endswith("#branch") else f"v({name})"
        if vector in plain:
            scale = np.abs(expected).max()
            np.testing.assert_allclose(plain[vector], expected, rtol=1e-6, atol=1e-9 * scale)
            compared += 1
    assert compared > 0


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("solver_circle.cir", 0.02),
        pytest.param("solver_circle_transistor.cir", 0.05, marks=pytest.mark.benchmark),
        ("solver_circle_converters.cir", 0.02),
    ],
)
def test_plain_ngspice_generates_the_sample_from_the_netlist_alone(
    name: str, tolerance: float
) -> None:
    """No engine, no torch in the loop: within the part of range that the project asks for."""
    vectors = run_batch(PROJECT_NETLISTS / name)
    values: dict[str, object] = {"name": "circle", "task": "circle", "score": "analog"}
    if "transistor" in name:  # which has a longer precharge
        values["fidelity"] = {"all": "transistor"}
    run = Run(RunConfig.model_validate(values))
    scaling, state = run.config.scaling, run.problem.initial_states[0]
    solving = vectors["time"] >= scaling.precharge_second
    time_second = vectors["time"][solving]
    expected = reference_solution(
        run.problem.network, run.problem.task.sampling_sde, state, scaling.tau(time_second)
    )
    nodes = np.stack([vectors[f"v(x_{index})"] for index in (0, 1)], axis=1)
    solved = (nodes - vectors["v(analog_ground)"][:, None])[solving] / scaling.volt_per_unit
    assert np.abs(solved - expected).max() < tolerance * np.ptp(expected)

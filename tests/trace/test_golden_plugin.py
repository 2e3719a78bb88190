"""The fixture `golden_trace` in a project of one's own: updates, checks, and says what it found."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import cosim.trace.compare_distributions  # noqa: F401  # once: pytester forgets what it imports
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.bounds import Bounds
from cosim.trace.golden import reason
from tests.trace.recordings import PROVENANCE

pytest_plugins = ["pytester"]

PROJECT = """
from cosim.trace import Trace
from cosim.trace.compare import Tolerances
from cosim.trace.compare_distributions import Distribution

def test_amplifier(golden_trace):
    golden_trace(Trace.open("run.h5"), refined=lambda: Trace.open("refined.h5"))

def test_distribution(golden_trace):
    golden_trace(Trace.open("run.h5"), distribution=Distribution(every_second=1e-8))

def test_nothing(golden_trace):
    golden_trace(Trace.open("run.h5"), "test_amplifier", Tolerances(ignore=("*",)))
"""


def record(name: str, gain: float = 1.0, points: int = 2001) -> None:
    time = np.linspace(0, 1e-6, points)
    with TraceWriter.create(
        Path(name), signals=[Signal("a.out", "V")], provenance=PROVENANCE, overwrite=True
    ) as writer:
        writer.append(time, gain * np.sin(2e7 * time)[:, None])
        writer.finish()


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """In this process, which has torch already."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *options)


def test_plugin_updates_and_checks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROJECT)
    record("run.h5")
    record("refined.h5", points=4001)
    run(pytester, "-k", "not nothing").assert_outcomes(failed=2)
    update = ("--golden-update", "the first one", "-k", "not nothing")
    run(pytester, *update).assert_outcomes(passed=2)
    golden = Trace.open("golden/test_amplifier.h5")
    assert reason(golden) == "the first one"
    bound = Bounds.read(golden).signals["a.out"]
    step = 20 / 2000
    assert bound.numerical == pytest.approx(step**2 / 8, rel=0.05)  # of linear interpolation
    run(pytester, "-k", "not nothing").assert_outcomes(passed=2)
    record("run.h5", gain=2.0)
    differs = run(pytester, "-k", "not nothing")
    differs.assert_outcomes(failed=2)
    differs.stdout.fnmatch_lines(["*differs from*test_amplifier.h5*", "*a.out*worst at*"])
    differs.stdout.fnmatch_lines(["*differs from*test_distribution.h5*", "*sliced Wasserstein*"])


def test_what_cannot_be_told_is_an_error_and_no_failure(pytester: pytest.Pytester) -> None:
    """With its own state in the terminal and in JUnit XML."""
    pytester.makepyfile(PROJECT)
    record("run.h5")
    record("refined.h5", points=4001)
    run(pytester, "--golden-update", "the first one", "-k", "amplifier").assert_outcomes(passed=1)
    record("run.h5", points=3)
    found = run(pytester, "-k", "not distribution", "--junitxml", "report.xml")
    found.assert_outcomes(errors=2)
    assert found.ret != 0
    found.stdout.fnmatch_lines(["*cannot be told from*test_amplifier.h5*", "*has 3 points*"])
    found.stdout.fnmatch_lines(["*no signal was compared*"])
    cases = ElementTree.parse("report.xml").getroot().iter("testcase")
    assert [[child.tag for child in case] for case in cases] == [["error"], ["error"]]


def test_update_refuses_a_tolerance_below_the_numerical_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROJECT)
    record("run.h5", points=101)
    record("refined.h5", points=201)
    refused = run(pytester, "--golden-update", "the first one", "-k", "amplifier")
    refused.assert_outcomes(failed=1)
    refused.stdout.fnmatch_lines(["*with steps halved it changes by 0.005 V, and 0.002 V*"])
    assert not Path("golden/test_amplifier.h5").exists()

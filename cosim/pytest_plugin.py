"""pytest plugin: traces of your own project against golden ones.

In a test:

    def test_amplifier(golden_trace):
        golden_trace(Trace.open("amplifier.h5"))

    def test_noise(golden_trace):  # of noisy runs the distributions are compared
        golden_trace(Trace.open("noise.h5"), distribution=Distribution(every_second=1e-7))

The golden trace lies in the folder `golden` beside the test (ini option `golden_folder`), by the
test's name. `pytest --golden-update "why"` takes the runs for golden instead.
"""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cosim.errors import UndecidedError
from cosim.trace import Trace
from cosim.trace.compare import Tolerances, comparison_rows, failing_rows
from cosim.trace.golden import check_golden, golden_path, update_golden
from cosim.trace.verdict import Verdict

if TYPE_CHECKING:
    from cosim.trace.compare_distributions import Distribution

DEFAULTS = Tolerances()
GoldenTrace = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--golden-update` and `golden_folder`."""
    parser.getgroup("cosim").addoption(
        "--golden-update", metavar="WHY", help="take traces for golden, for this reason"
    )
    parser.addini("golden_folder", "where golden traces lie, beside the test", default="golden")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what cannot be told be an error, here and in JUnit XML: a failure is what differs."""
    report = yield
    if call.excinfo is not None and call.excinfo.errisinstance(UndecidedError):
        report.when = "setup"  # of which pytest counts errors, of the call failures
        report.longrepr = str(call.excinfo.value)
    return report


@pytest.fixture
def golden_trace(request: pytest.FixtureRequest) -> GoldenTrace:
    """A function (run, name=None, tolerances=Tolerances(), distribution=None, refined=None) that
    fails where the run differs, or where that cannot be told.

    `refined` makes the same run with steps halved. It is called only with `--golden-update`, and
    measures the numerical error, which must be smaller than the tolerance.
    """

    def check(
        run: Trace,
        name: str | None = None,
        tolerances: Tolerances = DEFAULTS,
        distribution: "Distribution | None" = None,
        refined: Callable[[], Trace] | None = None,
    ) -> None:
        __tracebackhide__ = True
        folder = Path(request.path).parent / str(request.config.getini("golden_folder"))
        path = golden_path(folder, name or request.node.originalname)
        why = request.config.getoption("--golden-update")
        if why is not None:
            folder.mkdir(parents=True, exist_ok=True)
        if distribution is not None:
            # POT brings torch, seconds that other tests do without.
            from cosim.trace import compare_distributions as noisy

            if why is not None:
                noisy.update_golden_distribution(run, path, why, distribution)
                return
            apart = noisy.check_golden_distribution(run, path, distribution)
            verdict, rows = apart.verdict, noisy.distance_rows(apart)
        else:
            if why is not None:
                update_golden(run, path, why, tolerances, refined and refined())
                return
            found = check_golden(run, path, tolerances)
            verdict, rows = found.verdict, comparison_rows(found)
        if verdict is not Verdict.PASSED:
            does = "differs" if verdict is Verdict.DIFFERS else "cannot be told"
            lines = "\n".join("  ".join(row.values()) for row in failing_rows(rows))
            said = f"{run.path} {does} from {path}:\n{lines}"
            if verdict is Verdict.CANNOT_TELL:
                raise UndecidedError(said)
            pytest.fail(said, pytrace=False)

    return check

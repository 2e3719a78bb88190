"""One worker pool for the engine tests: workers are made to be reused."""

from collections.abc import Iterator

import pytest

from cosim.engine.worker import WorkerPool


@pytest.fixture(scope="session")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1, timeout_second=30) as pool:
        yield pool

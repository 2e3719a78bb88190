"""Libraries that only some users need."""

import importlib
from typing import Any

from cosim.errors import TraceError


def optional(library: str) -> Any:
    """A library that only some need.

    Raises:
        TraceError: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        raise TraceError(
            f"This needs {library}, which is not installed. Install it (pip install {library}), "
            "or use `.values` and `.time_second`, which are numpy arrays."
        ) from None

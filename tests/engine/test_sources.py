"""The compiled callback of external sources, called as ngspice calls it."""

import ctypes

import numpy as np

from cosim.engine.sources import SourceTable

CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.c_double, ctypes.c_void_p, ctypes.c_int,
    ctypes.c_void_p,
)  # fmt: skip


def test_compiled_callback_says_what_python_says() -> None:
    """To the last bit, in whatever order sources are asked for; unknown ones are Python's."""
    table, nodes = SourceTable(), [1000, 2000, 3000]

    def learn(volt, time_second, node, number, user):  # type: ignore[no-untyped-def]
        volt[0] = table.learn(node, nodes.index(node), time_second)
        return 0

    python = CALLBACK(learn)
    address = ctypes.cast(python, ctypes.c_void_p).value
    assert address is not None
    compiled = CALLBACK(table.compile(address))
    generator = np.random.default_rng(0)
    base, slope = generator.normal(size=3), 1e6 * generator.normal(size=3)
    for run in range(2):  # the second one knows no node of the first
        table.begin(base, slope, 1e-6)
        for call in range(30):
            table.clock[1] = accepted = 1e-6 + 1e-8 * call
            base[:] = generator.normal(size=3)
            place, time_second = int(generator.integers(3)), 1e-8 * (call + generator.random())
            volt = ctypes.c_double()
            compiled(ctypes.byref(volt), time_second, nodes[place], 0, None)
            assert volt.value == base[place] + slope[place] * (1e-6 + time_second - accepted), run
        assert table.calls_of_python == 3 and table.calls == 30

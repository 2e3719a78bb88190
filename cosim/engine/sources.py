"""Values of external sources, which ngspice asks for at every iteration, answered by machine code.

A source's value is affine in time: base + slope * (t - t_accepted). A Python callback takes longer
to say so than ngspice takes to solve a small circuit. This one is built from LLVM's instructions
once in a process (20 ms); what it does not know yet, it passes to the Python callback.
"""

from typing import Any

import numpy as np

_SIZE = 8


class SourceTable:
    """What external sources are, for the compiled callback and the Python one.

    Attributes:
        calls_of_python: answers by `learn` since the run began.
        clock: ngspice's 0 s and the last accepted point, in seconds [2].
    """

    def __init__(self) -> None:
        self.clock = np.zeros(2)
        # Number of sources, where the search begins, calls, and addresses of the three arrays.
        self._head = np.zeros(6, dtype=np.uint64)
        self._engine: Any = None
        self.begin(np.zeros(0), np.zeros(0), 0.0)

    def begin(self, base: np.ndarray, slope: np.ndarray, start_second: float) -> None:
        """A run begins: its arrays are written to as it goes on, and no node is known."""
        self._base, self._slope = base, slope
        self._nodes = np.zeros(max(len(base), 1), dtype=np.uint64)
        arrays = (self._nodes, base, slope)
        self._head[:] = [len(base), 0, 0, *(array.ctypes.data for array in arrays)]
        self.clock[:] = start_second
        self.calls_of_python = 0

    def learn(self, node: int, index: int, time_second: float) -> float:
        """The value of a source, whose name lies at address `node`: from now on it is known."""
        self.calls_of_python += 1
        self._nodes[index] = node
        elapsed = self.clock[0] + time_second - self.clock[1]
        return float(self._base[index] + self._slope[index] * elapsed)

    @property
    def calls(self) -> int:
        """Answers since the run began."""
        return self.calls_of_python + int(self._head[2])

    def compile(self, fallback: int) -> int:
        """Address of the compiled callback.

        Args:
            fallback: address of one of the same signature, for nodes that are not known.
        """
        self._engine = _compiled(self._head.ctypes.data, self.clock.ctypes.data, fallback)
        return int(self._engine.get_function_address("answer"))


def _compiled(head: int, clock: int, fallback: int) -> Any:
    """`int answer(double *volt, double time, char *node, int id, void *user)`."""
    from llvmlite import binding, ir  # who couples no block needs no LLVM

    whole, real = ir.IntType(64), ir.DoubleType()
    module = ir.Module("sources")
    small, void = ir.IntType(32), ir.IntType(8).as_pointer()
    arguments = [real.as_pointer(), real, void, small, void]
    signature = ir.FunctionType(small, arguments)
    function = ir.Function(module, signature, "answer")
    volt, time, node, number, user = function.args
    names = ("entry", "search", "look", "next", "known", "unknown")
    entry, search, look, following, known, unknown = map(function.append_basic_block, names)

    def element(builder: Any, address: Any, kind: Any) -> Any:
        return builder.inttoptr(address, kind.as_pointer())

    def at(builder: Any, start: Any, index: Any, kind: Any) -> Any:
        offset = builder.mul(index, whole(_SIZE))
        return builder.load(element(builder, builder.add(start, offset), kind))

    begin = ir.IRBuilder(entry)
    fields = [element(begin, whole(head + _SIZE * place), whole) for place in range(6)]
    count, first, nodes, base, slope = (begin.load(fields[place]) for place in (0, 1, 3, 4, 5))
    wanted = begin.ptrtoint(node, whole)
    begin.branch(search)

    # Sources are asked for in order: the search begins after the last one that was found.
    loop = ir.IRBuilder(search)
    tried = loop.phi(whole)
    tried.add_incoming(whole(0), entry)
    loop.cbranch(loop.icmp_unsigned("<", tried, count), look, unknown)

    looking = ir.IRBuilder(look)
    place = looking.urem(looking.add(first, tried), count)
    same = looking.icmp_unsigned("==", at(looking, nodes, place, whole), wanted)
    looking.cbranch(same, known, following)

    again = ir.IRBuilder(following)
    tried.add_incoming(again.add(tried, whole(1)), following)
    again.branch(search)

    found = ir.IRBuilder(known)
    found.store(found.add(place, whole(1)), fields[1])
    found.store(found.add(found.load(fields[2]), whole(1)), fields[2])
    start, accepted = (
        found.load(element(found, whole(clock + _SIZE * index), real)) for index in range(2)
    )
    elapsed = found.fsub(found.fadd(start, time), accepted)
    rise = found.fmul(at(found, slope, place, real), elapsed)
    found.store(found.fadd(at(found, base, place, real), rise), volt)
    found.ret(small(0))

    other = ir.IRBuilder(unknown)
    python = element(other, whole(fallback), signature)
    other.ret(other.call(python, [volt, time, node, number, user]))

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(opt=2)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), machine)
    engine.finalize_object()
    return engine

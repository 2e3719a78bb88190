"""Values of external sources, which ngspice asks for at every iteration, answered by machine code.

A source's value is affine in time: base + slope * (t - t_accepted). A Python callback takes longer
to say so than ngspice takes to solve a small circuit. This one is built from LLVM's instructions
once in a process (20 ms); what it does not know yet, it passes to the Python callback.
"""

import numpy as np
from llvmlite import binding, ir

_POINTER, _COUNT, _REAL = ir.IntType(64), ir.IntType(64), ir.DoubleType()
_SIZE = 8


class SourceTable:
    """What the compiled callback reads, and where it counts.

    Args:
        fallback: address of a callback of the same signature, for nodes that are not known.

    Attributes:
        base, slope: of the sources in order [sources].
        clock: ngspice's 0 s and the last accepted point, in seconds [2].
        address: of the compiled callback.
    """

    def __init__(self, fallback: int) -> None:
        self.clock = np.zeros(2)
        # Number of sources, where the search begins, calls, and addresses of the three arrays.
        self._head = np.zeros(6, dtype=np.uint64)
        self.reset(np.zeros(0), np.zeros(0), 0.0)
        self._engine = _compiled(self._head.ctypes.data, self.clock.ctypes.data, fallback)
        self.address = int(self._engine.get_function_address("answer"))

    def reset(self, base: np.ndarray, slope: np.ndarray, start_second: float) -> None:
        """A run begins: its arrays are written to as it goes on, and no node is known."""
        self.base, self.slope = base, slope
        self._nodes = np.zeros(max(len(base), 1), dtype=np.uint64)
        arrays = (self._nodes, base, slope)
        self._head[:] = [len(base), 0, 0, *(array.ctypes.data for array in arrays)]
        self.clock[:] = start_second

    def know(self, node: int, index: int) -> None:
        """The source whose name lies at address `node` has this place."""
        self._nodes[index] = node

    @property
    def calls(self) -> int:
        """Answered by the compiled callback since the run began."""
        return int(self._head[2])


def _compiled(head: int, clock: int, fallback: int) -> binding.ExecutionEngine:
    """`int answer(double *volt, double time, char *node, int id, void *user)`."""
    module = ir.Module("sources")
    small, void = ir.IntType(32), ir.IntType(8).as_pointer()
    arguments = [_REAL.as_pointer(), _REAL, void, small, void]
    signature = ir.FunctionType(small, arguments)
    function = ir.Function(module, signature, "answer")
    volt, time, node, number, user = function.args
    names = ("entry", "search", "look", "next", "known", "unknown")
    entry, search, look, following, known, unknown = map(function.append_basic_block, names)

    def element(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
        return builder.inttoptr(address, kind.as_pointer())

    def at(builder: ir.IRBuilder, start: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
        offset = builder.mul(index, _COUNT(_SIZE))
        return builder.load(element(builder, builder.add(start, offset), kind))

    begin = ir.IRBuilder(entry)
    fields = [element(begin, _POINTER(head + _SIZE * place), _COUNT) for place in range(6)]
    count, first, nodes, base, slope = (begin.load(fields[place]) for place in (0, 1, 3, 4, 5))
    wanted = begin.ptrtoint(node, _POINTER)
    begin.branch(search)

    # Sources are asked for in order: the search begins after the last one that was found.
    loop = ir.IRBuilder(search)
    tried = loop.phi(_COUNT)
    tried.add_incoming(_COUNT(0), entry)
    loop.cbranch(loop.icmp_unsigned("<", tried, count), look, unknown)

    looking = ir.IRBuilder(look)
    place = looking.urem(looking.add(first, tried), count)
    same = looking.icmp_unsigned("==", at(looking, nodes, place, _POINTER), wanted)
    looking.cbranch(same, known, following)

    again = ir.IRBuilder(following)
    tried.add_incoming(again.add(tried, _COUNT(1)), following)
    again.branch(search)

    found = ir.IRBuilder(known)
    found.store(found.add(place, _COUNT(1)), fields[1])
    found.store(found.add(found.load(fields[2]), _COUNT(1)), fields[2])
    start, accepted = (
        found.load(element(found, _POINTER(clock + _SIZE * index), _REAL)) for index in range(2)
    )
    elapsed = found.fsub(found.fadd(start, time), accepted)
    rise = found.fmul(at(found, slope, place, _REAL), elapsed)
    found.store(found.fadd(at(found, base, place, _REAL), rise), volt)
    found.ret(small(0))

    other = ir.IRBuilder(unknown)
    python = element(other, _POINTER(fallback), signature)
    other.ret(other.call(python, [volt, time, node, number, user]))

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(opt=2)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), machine)
    engine.finalize_object()
    return engine

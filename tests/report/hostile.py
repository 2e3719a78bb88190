"""A trace whose every text is markup: of its page nothing may run."""

from pathlib import Path

import h5py
import numpy as np

from cosim.trace import Host, Provenance, Signal, TraceWriter

ATTACK = "</script><script>window.hit=1</script><img src=x onerror=window.hit=1>\"'&{{7*7}}"
FORGED = "<img src=x onerror=window.hit=1>"
NETLIST = f"""* {ATTACK}
.subckt stage in out
R1 in out 1k
.ends
V1 <script>window.hit=1</script> 0 1
X<b>one <script>window.hit=1</script> middle stage
Xtwo middle out stage
R1 out 0 1k
.end
"""


def record_hostile(path: Path, signals: int, points: int, members: int | None = None) -> None:
    """NaN and infinities in every signal but the first; the second's name is markup itself."""
    provenance = Provenance(
        configuration_toml=ATTACK,
        netlist=NETLIST,
        seeds={ATTACK: 1},
        software={ATTACK: ATTACK},
        model_sha256=ATTACK,
        host=Host(machine=ATTACK, operating_system=ATTACK, cores=2),
        started=ATTACK,
        command_line=ATTACK,
    )
    recorded = [Signal(f"n{number}", ATTACK, ATTACK) for number in range(signals)]
    time_second = np.arange(points) * 1e-6
    values = np.sin(np.arange(points)[:, None] + np.arange(signals))
    values[points // 3, 1:] = np.nan
    values[points // 2, 1:] = np.inf
    values[:, 2:3] = np.nan
    with TraceWriter.create(
        path, signals=recorded, provenance=provenance, members=members
    ) as writer:
        for member in range(members or 1):
            writer.append(time_second, values, None if members is None else member)
        writer.event(0.0, ATTACK[:60], ATTACK)
        writer.finish()


def forge_name(path: Path) -> None:
    """Give a signal a name that the writer refuses."""
    with h5py.File(path, "r+") as file:
        file.move("signals/n1", f"signals/{FORGED}")

"""Small netlists with known answers: sound ones with a value, faulty ones with the rule they break.

Bodies stand between a title line and `.end`. Values are worked out by hand from the circuit's
equation, which the name says. Issue: at least 40 sound ones, 80 with one fault each.
"""

from math import exp, log10, pi, sin, sqrt, tanh

Case = tuple[str, str, float]
"""Body, vector, its last value (magnitude for .ac)."""

SOUND: dict[str, Case] = {
    # operating points
    "divider": ("V1 a 0 1\nR1 a b 1k\nR2 b 0 3k\n.op", "b", 0.75),
    "divider in megohms": ("V1 a 0 1\nR1 a b 1Meg\nR2 b 0 1MEG\n.op", "b", 0.5),
    "milliohm shunt": ("I1 0 a 1\nR1 a 0 5m\n.op", "a", 5e-3),
    "current into a resistor": ("I1 0 a 2m\nR1 a 0 1k\n.op", "a", 2.0),
    "bridge": ("V1 a 0 2\nR1 a b 1k\nR2 b 0 1k\nR3 a c 1k\nR4 c 0 3k\nR5 b c 1g\n.op", "c", 1.5),
    "numeric nodes": ("V1 1 0 10\nR1 1 2 1k\nR2 2 0 1k\n.save v(2)\n.op", "2", 5.0),
    "gnd for 0": ("V1 a gnd 3\nR1 a b 1k\nR2 b GND 2k\n.op", "b", 2.0),
    "parameters": (
        ".param total=4k part={total/4}\nV1 a 0 1\nR1 a b {part}\nR2 b 0 {total-part}\n.op",
        "b", 0.75,
    ),
    "pi as a parameter": (
        ".param pi=3.14159265\nV1 a 0 {pi}\nB1 b 0 v=2*pi\nR1 a b 1k\n.op", "b", 2 * pi
    ),
    "parameters without braces": (
        ".param r0 = 1k\n.param gain='2*2'\nV1 a 0 1\nR1 a b r0\nR2 b 0 'gain*r0'\n.op", "b", 0.8
    ),
    "a function": (
        ".func double(x) {2*x}\n.param v0={double(3)}\nV1 a 0 {v0}\nR1 a 0 1k\n.op", "a", 6.0
    ),
    "continued lines and comments": (
        "* a comment, 4,7k and 1M in it\nV1 a 0 ; volt\n+ 1\nR1 a b 1k $ 4k7\nR2 b 0\n+ 1k\n.op",
        "b", 0.5,
    ),
    "subcircuit with a default": (
        ".subckt half p q r=1k\nR1 p q {r}\nR2 q 0 {r}\n.ends\nV1 a 0 1\nX1 a b half\nR3 b 0 1g\n"
        ".op", "b", 0.5,
    ),
    "subcircuit with params:": (
        ".subckt half p q params: r=1k s=1k\nR1 p q {r}\nR2 q 0 {s}\n.ends\nV1 a 0 1\n"
        "X1 a b half params: s=3k\nR3 b 0 1t\n.op", "b", 0.75,
    ),
    "nested subcircuits": (
        ".subckt outer p q\n.subckt inner a b\nR1 a b 500\n.ends inner\nX1 p m inner\n"
        "X2 m q inner\n.ends outer\nV1 a 0 1\nX1 a b outer\nR1 b 0 1k\n.op", "b", 0.5,
    ),
    "global supply": (
        ".global vdd\n.subckt pull p\nR1 vdd p 1k\n.ends\nVdd vdd 0 3\nX1 a pull\nR1 a 0 2k\n.op",
        "a", 2.0,
    ),
    "conditional": (
        ".param mode=1\n.if (mode==1)\nR1 a b 1k\n.else\nR1 a b 3k\n.endif\nV1 a 0 1\nR2 b 0 1k\n"
        ".op", "b", 0.5,
    ),
    "inverting amplifier": (
        ".subckt amp plus minus out\nE1 out 0 plus minus 1e6\n.ends\nV1 i 0 1\nR1 i n 1k\n"
        "R2 n o 2k\nX1 0 n o amp\n.save v(o)\n.op", "o", -2.0,
    ),
    "controlled sources": (
        "V1 a 0 1\nR0 a 0 1k\nH1 e 0 V1 1k\nR3 e 0 1k\nF1 0 f V1 -2\nR4 f 0 1k\n.op", "f", 2.0
    ),
    "POLY": ("V1 a 0 2\nV2 b 0 3\nE1 c 0 POLY(2) a 0 b 0 0 0 0 0 1\nR1 c 0 1k\n.op", "c", 6.0),
    "B source": ("V1 a 0 2\nB1 b 0 V=V(a)*V(a)+sqrt(V(a)+2)\nR1 b 0 1k\n.op", "b", 6.0),
    "even power": ("V1 a 0 -3\nB1 b 0 v=v(a)^2\nR1 b 0 1k\n.op", "b", 9.0),
    "tanh": ("V1 a 0 0.5\nB1 b 0 v=tanh(2*v(a))\nR1 b 0 1k\n.op", "b", tanh(1)),
    "a choice": ("V1 a 0 2\nB1 b 0 v=v(a)>1 ? 3 : 4\nR1 b 0 1k\n.op", "b", 3.0),
    "MOSFET in saturation": (
        "Vd d 0 3\nVg g 0 1.5\nRd d o 10k\nM1 o g 0 0 n w=10u l=1u\n"
        ".model n nmos level=1 vto=0.5 kp=2e-5\n.op", "o", 2.0,
    ),
    "bipolar transistor": (
        "Vc c 0 5\nIb 0 b 1u\nRc c o 1k\nQ1 o b 0 q\n.model q npn(bf=100 is=1e-16)\n.op", "o", 4.9
    ),
    "diode at a current": ("I1 0 a 1m\nD1 a 0 d\n.model d d(is=1e-14 n=1)\n.op", "a", 0.65512),
    "warm resistor": ("I1 0 a 1m\nR1 a 0 1k tc1=0.01\n.temp 37\n.op", "a", 1.1),
    "options that are known": (
        "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.options reltol=1e-6 abstol=1e-14 gmin=1e-13\n.op",
        "b", 0.5,
    ),
    "plain printing": ("V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.print op v(b) i(V1)\n.op", "b", 0.5),
    # sweeps
    "dc sweep": ("V1 a 0 0\nR1 a b 1k\nR2 b 0 1k\n.dc V1 0 2 0.5\n.save v(b)", "b", 1.0),
    "sweep downwards": ("V1 a 0 0\nR1 a b 1k\nR2 b 0 1k\n.dc V1 2 -2 -0.5", "b", -1.0),
    "transfer function": ("V1 a 0 1\nR1 a b 1k\nR2 b 0 3k\n.tf v(b) V1", "Transfer_function", 0.75),
    # small signals
    "low pass at its corner": (
        "V1 a 0 dc 0 ac 1\nR1 a b 1k\nC1 b 0 1u\n.ac lin 1 159.15494309 159.15494309", "b",
        1 / sqrt(2),
    ),
    "an ac sweep": ("V1 a 0 ac 2\nR1 a b 1k\nR2 b 0 1k\n.ac dec 10 1 1Meg", "b", 1.0),
    "loop broken for small signals": (
        "V1 p 0 1 ac 1\nE1 o 0 p n 1000\nL1 o n 1g\nC1 n 0 1meg\n.ac dec 1 1 1k", "o", 1000.0
    ),
    "coupled inductors": (
        "V1 p 0 ac 1\nR0 p a 1m\nL1 a 0 1m\nL2 b 0 4m\nR1 b 0 1meg\nK1 L1 L2 0.5\n"
        ".ac lin 1 1meg 1meg", "b", 1.0,
    ),
    "resistor noise": (
        "V1 a 0 0 ac 1\nR1 a b 1k\nR2 b 0 1k\n.noise v(b) V1 dec 1 1 1k", "onoise_spectrum",
        sqrt(4 * 1.380649e-23 * 300.15 * 500),
    ),
    # in time
    "charging": (
        "V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n.ic v(b)=0\n.options reltol=1e-5\n.tran 10n 1u 0 5n", "b",
        1 - exp(-1),
    ),
    "charging from ic=": (
        "V1 a 0 0\nR1 a b 1k\nC1 b 0 1n ic=1\n.options reltol=1e-5\n.tran 10n 1u 0 5n uic", "b",
        exp(-1),
    ),
    "pulse": (
        "V1 a 0 PULSE(0 1 0 5n 5n 50n 120n)\nR1 a b 1k\nC1 b 0 1p\n.options reltol=1e-5\n"
        ".tran 1n 1.0u 0 0.1n", "b", 1.0
    ),
    "one long pulse": ("V1 a 0 PULSE(0 1 1u 1n 1n 1 2)\nR1 a 0 1k\n.tran 10n 2u", "a", 1.0),
    "piecewise linear": ("V1 a 0 PWL(0 0, 1u 1, 2u 1, 3u 3)\nR1 a 0 1k\n.tran 10n 2.5u", "a", 2.0),
    "sine": ("V1 a 0 SIN(0 1 1meg)\nR1 a 0 1k\n.tran 10n 2.25u 0 10n", "a", 1.0),
    "sine of time": (
        "B1 a 0 v=sin(2*pi*1e6*time)\nR1 a 0 1k\n.tran 10n 2.05u 0 10n", "a", sin(0.1 * pi)
    ),
    "a step of time": ("B1 a 0 v=u(time-1.0005u)\nR1 a 0 1k\n.tran 10n 2u", "a", 1.0),
    "resonator": (
        "C1 a 0 1n\nL1 a 0 1u\nR1 a 0 100k\n.ic v(a)=1\n.tran 1n 1.98692u 0 1n uic", "a", 0.9901
    ),
    "measured": (
        "V1 a 0 PWL(0 0 1u 1)\nR1 a 0 1k\n.tran 10n 1u\n.meas tran top max v(a)", "a", 1.0
    ),
    "decibels printed": (
        "V1 a 0 ac 1\nR1 a b 9k\nR2 b 0 1k\n.print ac vdb(b) vp(b)\n.ac dec 1 1 1k", "b", 0.1
    ),
}  # fmt: skip
assert abs(20 * log10(SOUND["decibels printed"][2]) + 20) < 1e-9

DIVIDER = "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n"
RC = "V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n"
COUPLED = "V1 a 0 ac 1\nR1 a b 1\nL1 b 0 1m\nL2 c 0 1m\nR2 c 0 1\n"
NMOS = ".model n nmos level=1 vto=0.5 kp=2e-5\n"

FAULTY: list[tuple[str, str]] = [
    # lines that ngspice leaves out, and values that are missing
    ("missing-value", "V1 a 0 1\nR1 a b\nR2 b 0 1k\n.op"),
    ("missing-value", "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\nC1 b 0\n.tran 1n 1u"),
    ("missing-value", "V1 a 0 1\nR1 a b 1k\nL1 b 0\n.op"),
    ("missing-value", DIVIDER + "E1 c 0 b 0\nR3 c 0 1k\n.op"),
    ("missing-value", DIVIDER + "G1 0 c b 0\nR3 c 0 1k\n.op"),
    ("missing-value", DIVIDER + "F1 0 c V1\nR3 c 0 1k\n.op"),
    ("missing-value", DIVIDER + "B1 c 0\nR3 c 0 1k\n.op"),
    ("missing-value", COUPLED + "K1 L1 L2\n.ac dec 1 1 9"),
    ("wrong-count", "V1 a 0 1\nR1 a\n.op"),
    ("wrong-count", "V1 a 0 1\nR1 a 0 1k\nM1 a a 0\n" + NMOS + ".op"),
    ("wrong-count", "V1 a 0 1\nR1 a 0 1k\nM1 a a 0 n\n" + NMOS + ".op"),
    ("wrong-count", "V1 a 0 1\nR1 a b 1k\nD1 b 0\n.model d d\n.op"),
    ("wrong-count", "V1 a 0 1\nR1 a b 1k 2k\nR2 b 0 1k\n.op"),
    ("empty-netlist", ".op"),
    ("empty-netlist", "* nothing but a comment"),
    ("empty-netlist", ".subckt s p\nR1 p 0 1k\n.ends\n.op"),
    ("syntax", DIVIDER + "?? what\n.op"),
    ("syntax", DIVIDER + ".ends\n.op"),
    ("unclosed-subcircuit", ".subckt s p\nR1 p 0 1k\nV1 a 0 1\nX1 a s\n.op"),
    ("refused", DIVIDER + ".control\nshell touch x\n.endc\n.op"),
    # slips of units
    ("unit-slip", "V1 a 0 1\nR1 a b 1M\nR2 b 0 1Meg\n.op"),
    ("unit-slip", "V1 a 0 1\nR1 a b 2.2MOhm\nR2 b 0 1Meg\n.op"),
    ("unit-slip", "V1 a 0 1\nR1 a b 1k\nC1 b 0 1F\n.tran 1n 1u"),
    ("unit-slip", "V1 a 0 SIN(0 1 1M)\nR1 a 0 1k\n.tran 1n 1u"),
    ("unit-slip", "I1 0 a 1A\nR1 a 0 1\n.op"),
    ("unit-slip", "I1 0 a PULSE(0 2Amp 0 1n 1n 1 2)\nR1 a 0 1\n.tran 1n 1u"),
    ("absurd-value", "V1 a 0 1\nR1 a b 1µ\nR2 b 0 1k\n.op"),
    ("ignored-letters", "V1 a 0 1\nR1 a b 4k7\nR2 b 0 1k\n.op"),
    ("ignored-letters", "V1 a 0 1\nR1 a b 2R2\nR2 b 0 1k\n.op"),
    ("ignored-letters", "V1 a 0 1\nR1 a b 1k\nC1 b 0 4n7\n.tran 1n 1u"),
    ("absurd-value", "V1 a 0 1\nM1 a a 0 0 n w=10 l=1u\n" + NMOS + ".op"),
    ("absurd-value", "V1 a 0 1\nM1 a a 0 0 n w=10u l=1\n" + NMOS + ".op"),
    ("absurd-value", "V1 a 0 1\nR1 a b 1u\nR2 b 0 1k\n.op"),
    ("absurd-value", "V1 a 0 1\nR1 a b 1k\nC1 b 0 10\n.tran 1n 1u"),
    ("decimal-comma", "V1 a 0 1\nR1 a b 4,7k\nR2 b 0 1k\n.op"),
    ("decimal-comma", "V1 a 0 1,5\nR1 a b 1k\nR2 b 0 1k\n.op"),
    ("bad-value", "V1 a 0 1\nR1 a b 0\nR2 b 0 1k\n.op"),
    ("bad-value", "V1 a 0 1\nR1 a b 1k\nC1 b 0 -1n\n.tran 1n 1u"),
    ("bad-value", "V1 a 0 1\nM1 a a 0 0 n w=0 l=1u\n" + NMOS + ".op"),
    ("bad-value", COUPLED + "K1 L1 L2 1.5\n.ac dec 1 1 9"),
    # names that are not there, or there twice
    ("undefined-parameter", "V1 a 0 1\nI1 0 b {ibb}\nR1 a b 1k\n.op"),
    ("undefined-parameter", "V1 a 0 {vdd/2}\nR1 a 0 1k\n.op"),
    ("undefined-parameter", "V1 a 0 1\nR1 a b rload\nR2 b 0 1k\n.op"),
    ("undefined-parameter", ".param x={y*2}\nV1 a 0 {x}\nR1 a 0 1k\n.op"),
    ("undefined-parameter", DIVIDER + "B1 c 0 v=gain*v(b)\nR3 c 0 1k\n.op"),
    ("undefined-parameter", DIVIDER + "B1 c 0 v=v(b)*boltz/echarge\nR3 c 0 1k\n.op"),
    ("undefined-parameter", "V1 a 0 {2*pi}\nR1 a 0 1k\n.op"),
    ("duplicate-parameter", ".param r=1k\n.param r=2k\nV1 a 0 1\nR1 a 0 {r}\n.op"),
    ("builtin-parameter", ".param temper=5\nV1 a 0 {temper}\nR1 a 0 1k\n.op"),
    ("builtin-parameter", ".param time=5\nV1 a 0 1\nB1 b 0 v=time\nR1 a b 1k\n.op"),
    ("builtin-parameter", ".param pi=3\nV1 a 0 1\nB1 b 0 v=pi\nR1 a b 1k\n.op"),
    ("unknown-model", "V1 a 0 1\nR1 a b 1k\nD1 b 0 nowhere\n.op"),
    ("unknown-model", "V1 a 0 1\nM1 a a 0 0 nch w=1u l=1u\n.op"),
    ("unknown-subcircuit", "V1 a 0 1\nR1 a 0 1k\nX1 a 0 nowhere\n.op"),
    ("unknown-parameter", ".subckt s p r=1k\nR1 p 0 {r}\n.ends\nV1 a 0 1\nX1 a s rr=5\n.op"),
    ("unknown-parameter", "V1 a 0 1\nM1 a a 0 0 n w=1u ll=1u\n" + NMOS + ".op"),
    ("unknown-parameter", "V1 a 0 1\nR1 a 0 1k tcc=0.1\n.op"),
    ("unknown-parameter", "V1 a 0 1\nM1 a a 0 0 n w=1u l=1u\n.model n nmos level=1 vtho=0.5\n.op"),
    ("unknown-parameter", "V1 a 0 1\nR1 a b 1k\nD1 b 0 d\n.model d d(is=1e-14 iss=1e-10)\n.op"),
    ("port-count", ".subckt s p q\nR1 p q 1k\n.ends\nV1 a 0 1\nR1 a 0 1k\nX1 a s\n.op"),
    ("recursion", ".subckt s p\nX1 p s\nR1 p 0 1\n.ends\nV1 a 0 1\nX1 a s\n.op"),
    ("duplicate-name", "V1 a 0 1\nR1 a b 1k\nR1 b 0 2k\n.op"),
    ("duplicate-name", "V1 a 0 1\nD1 a 0 m\n.model m d\n.model m d is=1e-10\n.op"),
    ("unknown-element", DIVIDER + "F1 0 c V9 2\nR3 c 0 1k\n.op"),
    ("unknown-element", DIVIDER + ".save v(b) i(V9)\n.op"),
    ("unknown-element", DIVIDER + "B1 c 0 v=i(V9)\nR3 c 0 1k\n.op"),
    ("unknown-node", DIVIDER + ".save v(bb)\n.op"),
    ("unknown-node", RC + ".meas tran top max v(bb)\n.tran 1n 1u"),
    ("unknown-node", RC + ".ic v(bb)=1\n.tran 1n 1u"),
    ("unknown-node", "V1 a 0 ac 1\nR1 a b 1k\nR2 b 0 1k\n.noise v(bb) V1 dec 1 1 1k"),
    ("unknown-option", DIVIDER + ".options reltl=1e-6\n.op"),
    # topology
    ("floating-node", "V1 a 0 1\nR1 a b 1k\nR2 a 0 1k\n.op"),
    ("floating-node", ".subckt s i o\nR1 i o 1k\n.ends\nV1 a 0 1\nX1 a b s\n.op"),
    ("floating-node", "V1 in 0 1\nR1 in out 1k\nR3 outt 0 2k\nR2 out 0 1k\n.op"),
    ("no-dc-path", "V1 a 0 1\nC1 a b 1n\nC2 b 0 1n\n.tran 1n 1u"),
    ("no-dc-path", "V1 a 0 1\nC1 a g 1p\nM1 a g 0 0 n\n" + NMOS + ".op"),
    ("current-source-cut-set", "I1 0 a 1m\nI2 a 0 2m\n.op"),
    ("current-source-cut-set", "I1 0 a 1m\nC1 a 0 1n\n.op"),
    ("voltage-loop", "V1 a 0 1\nV2 a 0 2\nR1 a 0 1k\n.op"),
    ("voltage-loop", "V1 a 0 1\nL1 a 0 1m\nR1 a 0 1k\n.op"),
    ("shorted-device", DIVIDER + "R3 b b 1k\n.op"),
    ("no-ground", "V1 a b 1\nR1 a b 1k\n.op"),
    # analyses
    ("two-analyses", RC + ".op\n.tran 10n 1u"),
    ("two-analyses", RC + ".tran 10n 1u\n.tran 10n 9u"),
    ("bad-analysis", RC + ".tran 10u 1u"),
    ("bad-analysis", RC + ".tran 1n"),
    ("bad-analysis", "V1 a 0 ac 1\nR1 a b 1k\nC1 b 0 1n\n.ac dec 10 1meg 1k"),
    ("bad-analysis", "V1 a 0 ac 1\nR1 a b 1k\nC1 b 0 1n\n.ac dec 10 1 1M"),
    ("bad-analysis", DIVIDER + ".dc V9 0 1 0.1"),
    ("bad-analysis", DIVIDER + ".dc V1 0 1 -0.1"),
    ("ac-without-source", RC + ".ac dec 10 1 1k"),
    ("ac-without-source", "V1 a 0 ac 0\nR1 a b 1k\nC1 b 0 1n\n.ac dec 10 1 1k"),
    ("external-value", "V1 a 0 dc 0 external\nR1 a b 1k\nR2 b 0 1k\n.tran 1n 1u"),
    ("ac-magnitude", "V1 a 0 1 ac\nR1 a b 1k\nC1 b 0 1n\n.ac dec 10 1 1k"),
    ("two-temperatures", DIVIDER + ".temp 27\n.temp 85\n.op"),
    ("two-temperatures", DIVIDER + ".temp 50 75\n.op"),
    ("unknown-option", RC + ".options method=euler\n.tran 10n 1u"),
    ("bad-analysis", RC + ".meas dc top max v(b)\n.tran 10n 1u"),
    ("loose-tolerance", "V1 a 0 5\nR1 a b 1k\nD1 b 0 d\n.model d d\n.options reltol=0.9\n.op"),
    ("loose-tolerance", DIVIDER + ".options vntol=1\n.op"),
    ("changing-option", DIVIDER + ".options rshunt=1meg\n.op"),
    ("changing-option", DIVIDER + ".options gmin=1e-6\n.op"),
    ("changing-option", RC + ".options cshunt=1n\n.tran 1n 1u"),
    ("ineffective-condition", "V1 a 0 1\nR1 a b 1k\nC1 b 0 1n ic=0\n.tran 1n 1u"),
    ("ineffective-condition", RC + ".nodeset v(b)=0\n.tran 1n 1u"),
    ("ineffective-condition", DIVIDER + ".ic v(b)=3\n.op"),
    ("ineffective-condition", RC + ".ic v(a)=0\n.tran 1n 1u"),
    # in time
    ("bad-waveform", "V1 a 0 PWL(0 0 2u 1 1u 5)\nR1 a 0 1k\n.tran 10n 3u"),
    ("bad-waveform", "V1 a 0 PWL(0 0 1u 1 2u)\nR1 a 0 1k\n.tran 10n 3u"),
    ("zero-edge", "V1 a 0 PULSE(0 1 1u 0 0 5u 10u)\nR1 a 0 1k\n.tran 1u 50u"),
    ("zero-edge", "V1 a 0 PULSE(0 1 1u)\nR1 a 0 1k\n.tran 1u 50u"),
    ("pulse-over-period", "V1 a 0 PULSE(0 1 0 1n 1n 20u 10u)\nR1 a 0 1k\n.tran 1u 50u"),
    ("step-over-event", "V1 a 0 SIN(0 1 1meg)\nR1 a 0 1k\n.tran 10u 1m"),
    ("step-over-event", "B1 a 0 v=sin(2*pi*1meg*time)\nR1 a 0 1k\n.tran 1u 100u"),
    ("step-over-event", "B1 a 0 v=u(time-10.1u)-u(time-10.2u)\nR1 a 0 1k\n.tran 1u 100u"),
    ("step-over-event", "B1 a 0 v=(time>10.1u && time<10.2u) ? 1 : 0\nR1 a 0 1k\n.tran 1u 100u"),
    ("step-over-event", "B1 a 0 v=(time>300.1u && time<300.3u) ? 1 : 0\nR1 a 0 1k\n.tran 10u 1m"),
    (
        "step-over-event",
        ".param w=2n\nB1 a 0 v=u(time-300.1u)-u(time-300.1u-w)\nR1 a 0 1k\n.tran 10u 1m",
    ),
    ("step-over-event", ".param f=1meg\nV1 a 0 SIN(0 1 {f})\nR1 a 0 1k\n.tran 1u 100u"),
    ("step-over-event", ".subckt s p\nV1 p 0 SIN(0 1 1meg)\n.ends\nX1 a s\nR1 a 0 1\n.tran 1u 99u"),
    (
        "step-over-event",
        ".subckt s p f=1k\nV1 p 0 SIN(0 1 {f})\n.ends\nX1 a s f=1meg\nR1 a 0 1k\n.tran 1u 100u",
    ),
    (
        "step-over-event",
        ".subckt s p f=1k\nB1 p 0 v=sin(6.28*f*time)\n.ends\nX1 a s f=1meg\nR1 a 0 1\n.tran 1u 99u",
    ),
    ("undamped-tank", "L1 a 0 1u\nC1 a 0 1n ic=1\nR1 a 0 1meg\n.tran 1u 100u uic"),
    ("undamped-tank", "V1 b 0 0\nL1 a b 1u\nC1 a 0 1n ic=1\n.tran 1u 100u uic"),
    ("power-of-negative", "V1 a 0 -2\nB1 b 0 v=v(a)^3\nR1 b a 1k\n.op"),
    ("power-of-negative", "V1 a 0 -2\nB1 b 0 v=v(a)**3\nR1 b a 1k\n.op"),
    ("power-of-negative", "V1 a 0 -2\nB1 b 0 v=pow(v(a),3)\nR1 b a 1k\n.op"),
    ("power-of-negative", "V1 a 0 -2\nB1 b 0 v=2^3^2\nR1 b a 1k\n.op"),
]  # fmt: skip
"""Rule, body. The title line is 'title'; see FAULTY_TITLES for faults of the title."""

FAULTY_TITLES: list[tuple[str, str]] = [
    ("title-is-element", "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\nR3 a 0 1k\n.op\n.end\n"),
    ("title-is-element", "R1 a b 1k\nV1 a 0 1\nR2 a b 1k\nR3 b 0 1k\n.op\n.end\n"),
    ("empty-netlist", ""),
]

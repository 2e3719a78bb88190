"""Sound netlists in the dialects that people write: of ngspice, SPICE3, SPICE2, PSpice and KiCad.

Written after ngspice's manual; the name says the feature. `a.cir` is the netlist, other names are
of files beside it. Latin-1 where the name says so.
"""

ONE: dict[str, str] = {
    # -- form ------------------------------------------------------------------------------------
    "upper case throughout": "TITLE\nV1 A 0 DC 1\nR1 A B 1K\nR2 B 0 1K\n.OP\n.END\n",
    "Windows line ends": "title\r\nV1 a 0 1\r\nR1 a b 1k\r\nR2 b 0\r\n+ 1k\r\n.op\r\n.end\r\n",
    "tabs and blank lines":
        "title\n\n\tV1\ta\t0\t1\n\n  R1 a  b\t1k\n\n R2 b 0 1k\n\n.op\n\n.end\n\n",
    "no .end": "title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n",
    "a comment as title": "* an amplifier\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n",
    "an empty title": "\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n",
    "a title of KiCad":
        ".title KiCad schematic\nV1 /in GND DC 1\nR1 /in Net-_C1-Pad1_ 1k\n"
        "R2 Net-_C1-Pad1_ GND 1k\n.save all\n.op\n.end\n",
    "end-of-line comments":
        "title\nV1 a 0 1 ; one volt\nR1 a b 1k $ a kiloohm\nR2 b 0 1k // other\n.op\n.end\n",
    "comments between continuations":
        "title\nV1 a 0 1\nR1 a\n* of a\n+ b\n* and\n+ 1k\nR2 b 0 1k\n.op\n.end\n",
    "units after numbers":
        "title\nV1 a 0 1Volt\nR1 a b 1kOhm\nR2 b 0 0.001MegOhm\nC1 b 0 1nF\nL1 b c 1uH\n"
        "R3 c 0 1000ohms\n.op\n.end\n",
    "scale factors":
        "title\nI1 0 a 1mA\nR1 a 0 1e3\nI2 0 b 1000u\nR2 b 0 1.0E+3\nI3 0 c 1.0e6n\n"
        "R3 c 0 .001meg\nI4 0 d 1e9p\nR4 d 0 1e-9T\nR5 a 0 1000k\nR6 b c 1G\nR7 c d 39370.1mil\n"
        ".op\n",
    "parentheses and commas": "title\nV1 (a,0) dc(1)\nR1 (a b) 1k\nR2 (b, 0) 1k\n.op\n.end\n",
    "names with signs": "title\nVin+ in+ 0 1\nRf_1 in+ out- 1k\nR2.b out- 0 1k\n.op\n.end\n",
    "names of buses": "title\nV1 d[0] 0 1\nR1 d[0] d<1> 1k\nR2 d<1> 0 1k\n.op\n.end\n",
    # -- nodes -----------------------------------------------------------------------------------
    "numeric nodes saved": "title\nV1 1 0 1\nR1 1 2 1k\nR2 2 0 1k\n.save v(2) v(1) i(V1)\n.op\n",
    "numeric nodes printed":
        "title\nV1 1 0 SIN(0 1 1k)\nR1 1 2 1k\nR2 2 0 1k\n.print tran v(1,2) v(2)\n"
        ".tran 10u 1m 0 10u\n.end\n",
    "numeric nodes in .noise":
        "title\nV1 1 0 DC 0 AC 1\nR1 1 22 1k\nR2 22 0 1k\n.noise v(22) V1 dec 5 1 1k\n.end\n",
    "numeric nodes in .tf": "title\nV1 1 0 1\nR1 1 2 1k\nR2 2 3 1k\nR3 3 0 1k\n.tf v(2,3) V1\n",
    "numeric nodes set":
        "title\nI1 0 1 PULSE(0 1m 0 1u 1u 1m 2m)\nC1 1 0 1u\nR1 1 0 1k\n.ic v(1)=0.5\n"
        ".tran 10u 1m 0 10u uic\n.end\n",
    "ground as gnd": "title\nV1 a gnd 1\nR1 a b 1k\nR2 b GND 1k\n.op\n.end\n",
    "global nodes":
        "title\n.global vdd vss\nV1 vdd 0 1\nV2 vss 0 -1\n.subckt load out\nR1 vdd out 1k\n"
        "R2 out vss 3k\n.ends load\nX1 b load\nR9 b 0 1meg\n.op\n.end\n",
    # -- parameters ------------------------------------------------------------------------------
    "parameters in quotes and braces":
        "title\n.param r0=1k\n+ r1 = '2*r0' r2={r1 + r0}\nV1 a 0 1\nR1 a b {r1}\nR2 b 0 'r2'\n"
        ".op\n.end\n",
    "parameters used before they are defined":
        "title\nV1 a 0 {v0}\nR1 a b 1k\nR2 b 0 {2*r0}\n.param v0={r0/1k}\n.param r0=1k\n.op\n"
        ".end\n",
    "a choice in a parameter":
        "title\n.param fast=1 r0={fast > 0 ? 1k : 2k}\nV1 a 0 1\nR1 a b {r0}\nR2 b 0 1k\n.op\n"
        ".end\n",
    "functions":
        "title\n.func par(x,y) {x*y/(x+y)}\n.func square(x) 'x*x'\n.param r0={par(2k,2k)}\n"
        "V1 a 0 {square(2)}\nR1 a b {r0}\nR2 b 0 1k\n.op\n.end\n",
    "a function as .param": "title\n.param half(x)='x/2'\nV1 a 0 {half(3)}\nR1 a 0 1k\n.op\n.end\n",
    "functions of numbers":
        "title\n.param x={max(1,2)+min(1,2)+abs(-1)+sqrt(4)+exp(0)+int(2.5)}\n"
        ".param y={pow(2,3)+pwr(-2,3)+ln(1)+log10(10)+sgn(-3)+floor(1.5)+ceil(1.5)+nint(1.6)}\n"
        "V1 a 0 {x+y}\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n",
    "powers of numbers": "title\n.param a=2 b={a**3} c={a^2}\nV1 x 0 {b+c}\nR1 x 0 1k\n.op\n.end\n",
    "conditions":
        "title\n.param mode=2\n.if (mode==1)\nR1 a b 1k\n.elseif (mode==2)\nR1 a b 2k\n.else\n"
        "R1 a b 3k\n.endif\nV1 a 0 1\nR2 b 0 1k\n.op\n.end\n",
    "conditions in conditions":
        "title\n.param p=1 q=0\n.if (p)\n.if (q)\nR1 a b 1k\n.else\nR1 a b 4k\n.endif\n.else\n"
        "R1 a b 9k\n.endif\nV1 a 0 1\nR2 b 0 1k\n.op\n.end\n",
    ".csparam": "title\n.param r0=1k\n.csparam r1={2*r0}\nV1 a 0 1\nR1 a b {r0}\nR2 b 0 1k\n.op\n",
    # -- subcircuits -----------------------------------------------------------------------------
    "subcircuit with params: at both ends":
        "title\n.subckt div in out params: top=1k bottom=1k\nR1 in out {top}\nR2 out 0 {bottom}\n"
        ".ends\nV1 a 0 1\nX1 a b div params: top=3k\nX2 a c div PARAMS: bottom = 3k\n.op\n.end\n",
    "subcircuit without params:":
        "title\n.subckt div in out top=1k bottom='2*top'\nR1 in out {top}\nR2 out 0 {bottom}\n"
        ".ends div\nV1 a 0 1\nX1 a b div top=3k\nX2 a c div\n.op\n.end\n",
    "subcircuits in subcircuits":
        "title\n.subckt outer a b\n.param r0=2k\n.subckt inner p q\nR1 p q {r0}\n.ends inner\n"
        "X1 a m inner\nX2 m b inner\n.ends outer\nV1 in 0 1\nX1 in out outer\nR1 out 0 1k\n"
        ".save v(x1.m) v(out)\n.op\n.end\n",
    "models in subcircuits":
        "title\n.subckt led a k\nD1 a k dx\n.model dx d(is=1e-18 n=1.8)\n.ends\nV1 in 0 3\n"
        "R1 in a 100\nX1 a 0 led\n.op\n.end\n",
    "m of an instance":
        "title\n.subckt r p q\nR1 p q 2k\n.ends\nV1 a 0 1\nX1 a b r m=2\nR1 b 0 1k\n.op\n.end\n",
    # -- passive elements ------------------------------------------------------------------------
    "temperature coefficients":
        "title\nI1 0 a 1m\nR1 a 0 1k tc1=1m tc2=1u\nI2 0 b 1m\nR2 b 0 1k tc1=2m tc2=1u\n"
        "I3 0 c 1m\nR3 c 0 1k temp=100 tc1=1m\nI4 0 d 1m\nR4 d 0 rm 1k dtemp=10\n"
        ".model rm r(tc1=1m)\n.temp 50\n.op\n.end\n",
    "resistor of a sheet":
        "title\nV1 a 0 1\nR1 a b rs l=20u w=2u\nR2 b 0 1k\n.model rs r rsh=100 defw=1u narrow=0\n"
        ".op\n.end\n",
    "behavioural resistor and capacitor":
        "title\nV1 a 0 PULSE(0 1 0 1n 1n 1u 2u)\nR1 a b R='1k*(1+0.1*V(b))'\n"
        "C1 b 0 C='1p*(1+0.1*V(b))'\n.tran 2n 200n 0 2n\n.end\n",
    "m and scale": "title\nV1 a 0 1\nR1 a b 1k m=2\nR2 b 0 1k scale=2\n.op\n.end\n",
    "a capacitor of a model":
        "title\nV1 a 0 DC 0 AC 1\nR1 a b 1k\nC1 b 0 cm l=10u w=10u\n.model cm c(cj=1m cjsw=0)\n"
        ".ac dec 5 1k 1g\n.end\n",
    "coupled inductors":
        "title\nV1 a 0 DC 0 AC 1\nR1 a p 1\nL1 p 0 1m\nL2 s 0 4m\nK12 L1 L2 0.99\nR2 s 0 1k\n"
        ".ac dec 5 100 1meg\n.end\n",
    "three coupled inductors":
        "title\nV1 a 0 DC 0 AC 1\nR1 a p 1\nL1 p 0 1m\nL2 s 0 4m\nL3 t 0 1m\nK1 L1 L2 0.9\n"
        "K2 L2 L3 0.9\nK3 L1 L3 0.9\nR2 s 0 1k\nR3 t 0 1k\n.ac dec 5 100 1meg\n.end\n",
    # -- controlled sources ----------------------------------------------------------------------
    "POLY(1) in all four":
        "title\nV1 a 0 2\nR0 a 0 1k\nE1 e 0 POLY(1) a 0 1 2 0.5\nR1 e 0 1k\n"
        "G1 0 g POLY(1) a 0 0 1m 1m\nR2 g 0 1k\nF1 0 f POLY(1) V1 0 1 10\nR3 f 0 1k\n"
        "H1 h 0 POLY(1) V1 1 100\nR4 h 0 1k\n.op\n.end\n",
    "POLY(2)":
        "title\nV1 a 0 2\nV2 b 0 3\nE1 e 0 POLY(2) (a,0) (b,0) 1 2 3 0 4\nR1 e 0 1k\n"
        "G1 0 g POLY(2) a 0 b 0 0 0 0 0 1m\nR2 g 0 1k\n.op\n.end\n",
    "POLY(2) of currents":
        "title\nV1 a 0 2\nR1 a 0 1k\nV2 b 0 3\nR2 b 0 1k\nF1 0 f POLY(2) V1 V2 0 1 1\nR3 f 0 1k\n"
        ".op\n.end\n",
    "E and G of expressions":
        "title\nV1 a 0 0.5\nE1 e 0 VALUE={2*V(a)+1}\nR1 e 0 1k\nG1 0 g VALUE = {1m*V(a)*V(a)}\n"
        "R2 g 0 1k\nE2 f 0 vol='V(a)/2'\nR3 f 0 1k\nG2 0 h cur='1m*V(a)'\nR4 h 0 1k\n.op\n.end\n",
    "E of a table": "title\nV1 a 0 0.5\nE1 e 0 TABLE {V(a)} = (0,0) (1,2) (2,3)\nR1 e 0 1k\n.op\n",
    "controlled sources of SPICE2":
        "title\nV1 1 0 1\nR1 1 0 1K\nE1 2 0 1 0 2\nR2 2 0 1K\nG1 0 3 1 0 2M\nR3 3 0 1K\n"
        "F1 0 4 V1 2\nR4 4 0 1K\nH1 5 0 V1 2K\nR5 5 0 1K\n.OP\n.END\n",
    "B sources":
        "title\nV1 a 0 0.5\nB1 b 0 V=V(a)*2+sin(V(a))+(V(a)>0.2 ? 1 : 0)\nR1 b 0 1k\n"
        "B2 0 c I=1m*tanh(V(a))*u(V(a))\nR2 c 0 1k\nB3 d 0 V=i(V1)*1k+limit(V(a),0,0.3)\n"
        "R3 d 0 1k\nB4 e 0 V=pwl(V(a), 0,0, 1,2)\nR4 e 0 1k\n.op\n.end\n",
    "B sources of temperature and parameters":
        "title\n.param k=2\nB1 b 0 V = {k}*temper + k*pi\nR1 b 0 1k\n.temp 40\n.op\n.end\n",
    "hertz in a B source":
        "title\nV1 a 0 DC 0 AC 1\nB1 b 0 V=V(a)/(1+hertz/1k)\nR1 b 0 1k\n.ac dec 2 10 10k\n.end\n",
    # -- independent sources ---------------------------------------------------------------------
    "waveforms":
        "title\nV1 a 0 PULSE(0 1 10u 1u 1u 20u 50u)\nR1 a 0 1k\nV2 b 0 SIN(0 1 10k 5u 1k)\n"
        "R2 b 0 1k\nV3 c 0 EXP(0 1 5u 10u 50u 10u)\nR3 c 0 1k\nV4 d 0 PWL(0 0 10u 1 20u 0.5)\n"
        "R4 d 0 1k\nV5 e 0 SFFM(0 1 20k 2 2k)\nR5 e 0 1k\nV6 f 0 AM(1 0 2k 20k 1u)\nR6 f 0 1k\n"
        ".tran 1u 100u 0 1u\n.end\n",
    "waveforms without parentheses":
        "title\nV1 a 0 DC 0 PULSE 0 1 10u 1u 1u 20u 50u\nR1 a 0 1k\nI1 0 b SIN 0 1m 10k\n"
        "R2 b 0 1k\n.tran 1u 100u 0 1u\n.end\n",
    "a repeated PWL":
        "title\nV1 a 0 PWL(0 0 10u 1 20u 0) r=0\nR1 a 0 1k\n.tran 1u 100u 0 1u\n.end\n",
    "DC, AC and a waveform":
        "title\nV1 a 0 DC 0.5 AC 1 45 SIN(0.5 1 1k)\nR1 a b 1k\nC1 b 0 1n\n.ac dec 5 1k 1meg\n"
        ".end\n",
    "number of pulses":
        "title\nV1 a 0 PULSE(0 1 0 1u 1u 4u 10u 2)\nR1 a 0 1k\n.tran 0.5u 50u 0 0.5u\n",
    # -- devices ---------------------------------------------------------------------------------
    "diodes":
        "title\nV1 in 0 5\nR1 in a 1k\nD1 a 0 dx 2\nR2 in b 1k\nD2 b 0 dx area=2\nR3 in c 1k\n"
        "D3 c 0 dx temp=50\nR4 in d 1k\nD4 0 d dz\n.model dx D(Is=1e-14, N=1.05, Rs=1 Cjo=1p)\n"
        ".model dz d is=1e-14 bv=3.3 ibv=1m\n.op\n.end\n",
    "bipolar transistors":
        "title\nVcc c 0 5\nRb c b 470k\nRc c o 1k\nQ1 o b 0 qn\nQ2 0 o e 0 qp 2\nRe c e 1k\n"
        ".model qn NPN(Is=1f Bf=100 Vaf=50)\n.model qp pnp is=1f bf=50\n.op\n.end\n",
    "MOSFETs of levels 1, 2 and 3":
        "title\nVd d 0 3\nVg g 0 1.5\nR1 d a 10k\nM1 a g 0 0 n1 w=10u l=1u\nR2 d b 10k\n"
        "M2 b g 0 0 n2 w=10u l=1u\nR3 d c 10k\nM3 c g 0 0 n3 l=1u w=10u m=2 ad=10p as=10p\n"
        ".model n1 nmos(level=1 vto=0.7 kp=50u lambda=0.02)\n"
        ".model n2 nmos level=2 vto=0.7 kp=50u\n.model n3 nmos level=3 vto=0.7 kp=50u\n.op\n.end\n",
    "MOSFETs of BSIM3 and BSIM4":
        "title\nVd d 0 1.8\nVg g 0 0.9\nR1 d a 10k\nM1 a g 0 0 n8 w=5u l=1u\nR2 d b 10k\n"
        "M2 b g 0 0 n14 w=5u l=1u nf=2\n.model n8 nmos level=8 version=3.3.0 tox=4n vth0=0.4\n"
        ".model n14 nmos level=14 version=4.8 toxe=4n vth0=0.4\n.op\n.end\n",
    "binned models":
        "title\nVd d 0 3\nVg g 0 1.5\nR1 d a 10k\nM1 a g 0 0 n w=5u l=1u\n"
        ".model n.1 nmos level=8 version=3.3.0 lmin=0.5u lmax=2u wmin=1u wmax=10u vth0=0.6\n"
        ".model n.2 nmos level=8 version=3.3.0 lmin=2u lmax=9u wmin=1u wmax=10u vth0=0.7\n.op\n"
        ".end\n",
    "field-effect transistors":
        "title\nVd d 0 5\nR1 d a 1k\nJ1 a 0 s nj\nRs s 0 1k\nR2 d b 1k\nZ1 b 0 t zm\nRt t 0 1k\n"
        ".model nj NJF(Vto=-2 Beta=1m)\n.model zm nmf(vto=-2 beta=1m)\n.op\n",
    "power MOSFET":
        "title\nVd d 0 12\nVg g 0 4\nR1 d a 10\nM1 a g 0 px\n"
        ".model px VDMOS(nchan Vto=3 Kp=10 Rd=10m Rs=10m)\n.op\n.end\n",
    "switches":
        "title\nV1 c 0 PULSE(0 2 10u 1u 1u 50u 200u)\nV2 a 0 1\nS1 a b c 0 sw OFF\nR1 b 0 1k\n"
        "Rc c 0 1k\nVs d e 0\nRs c d 1k\nRe e 0 1\nW1 a w Vs cw\nR2 w 0 1k\n"
        ".model sw SW(Vt=1 Vh=0.1 Ron=1 Roff=1meg)\n.model cw csw it=1m ih=0.1m ron=1 roff=1meg\n"
        ".tran 1u 100u 0 1u\n.end\n",
    "lines":
        "title\nV1 s 0 PULSE(0 1 1n 0.1n 0.1n 5n 20n)\nR1 s a 50\nT1 a 0 b 0 Z0=50 TD=1n\n"
        "R2 b 0 50\nR3 s c 50\nO1 c 0 d 0 lo\nR4 d 0 50\n"
        ".model lo ltra(r=0 l=250n c=100p g=0 len=0.2 rel=1)\n.tran 0.05n 10n 0 0.05n\n.end\n",
    "initial conditions of devices":
        "title\nV1 a 0 1\nR1 a b 1k\nC1 b 0 1n IC=0.3\nL1 b c 1u IC=0\nR2 c 0 1k\n"
        ".tran 10n 1u 0 10n UIC\n.end\n",
    # -- XSPICE ----------------------------------------------------------------------------------
    "XSPICE of vectors":
        "title\nV1 a 0 1\nV2 b 0 2\nA1 [a b] c sum\nR1 c 0 1k\n"
        ".model sum summer(in_offset=[0.1 -0.2] in_gain=[2.0 1.0] out_gain=5 out_offset=-0.01)\n"
        ".op\n",
    "XSPICE of differential ports":
        "title\nV1 a 0 1\nV2 b 0 3\nA1 %vd(b a) %v(c) amp\nR1 c 0 1k\nA2 [%vd(a 0) %vd(b a)] d m\n"
        "R2 d 0 1k\nA3 %v a %id(0 e) amp\nR3 e 0 1\n.model amp gain(gain=3)\n"
        ".model m mult(in_gain=[1 1])\n.op\n.end\n",
    "XSPICE of limits and tables":
        "title\nV1 a 0 1.7\nA1 a b lim\nR1 b 0 1k\nA2 a c tab\nR2 c 0 1k\n"
        ".model lim limit(out_lower_limit=-1 out_upper_limit=1 limit_range=0.1 fraction=FALSE)\n"
        ".model tab pwl(x_array=[-2 0 1 2 3] y_array=[-1 0 0.2 0.4 1] input_domain=0.05)\n"
        ".op\n.end\n",
    "XSPICE in time":
        "title\nV1 a 0 PULSE(0 1 1u 1u 1u 10u 40u)\nA1 a b tf\nR1 b 0 1k\nA2 a c sl\nR2 c 0 1k\n"
        "A3 a d in\nR3 d 0 1k\n.model tf s_xfer(num_coeff=[1] den_coeff=[1e-6 1] int_ic=[0])\n"
        ".model sl slew(rise_slope=2e5 fall_slope=2e5)\n"
        ".model in int(gain=1e5 out_ic=0 out_lower_limit=-9 out_upper_limit=9)\n"
        ".tran 0.1u 20u 0 0.1u\n.end\n",
    "XSPICE of digital gates":
        "title\nV1 a 0 PULSE(0 3 1u 10n 10n 2u 4u)\nV2 b 0 3\nA1 [a b] [da db] ad\n"
        "A2 [da ~db] dn nor\nA3 dn di inv\nA4 [di] [o] da\nR1 o 0 1k\n"
        ".model ad adc_bridge(in_low=1 in_high=2)\n.model nor d_nor(rise_delay=1n fall_delay=1n)\n"
        ".model inv d_inverter(rise_delay=1n fall_delay=1n)\n"
        ".model da dac_bridge(out_low=0 out_high=3.3 t_rise=10n t_fall=10n)\n.tran 20n 8u 0 20n\n"
        ".end\n",
    "XSPICE with a null port":
        "title\nV1 c 0 PULSE(0 3 1u 10n 10n 1u 2u)\nA1 [c] [dc] ad\nA2 zero dc NULL NULL q qn ff\n"
        "A3 zero pd\nA4 [q qn] [o p] da\nR1 o 0 1k\nR2 p 0 1k\n.model ad adc_bridge\n"
        ".model ff d_dff(clk_delay=1n ic=1)\n.model pd d_pulldown\n"
        ".model da dac_bridge(out_high=3 t_rise=10n t_fall=10n)\n.tran 20n 4u 0 20n\n.end\n",
    # -- analyses and outputs --------------------------------------------------------------------
    "two nested sweeps":
        "title\nVd d 0 0\nVg g 0 0\nM1 d g 0 0 n w=10u l=1u\n"
        ".model n nmos level=1 vto=0.7 kp=50u\n.dc Vd 0 3 0.5 Vg 1 2 0.5\n.end\n",
    "sweep of a resistor": "title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.dc R2 1k 5k 1k\n.end\n",
    "sweep of the temperature":
        "title\nI1 0 a 1m\nD1 a 0 d\n.model d d is=1f\n.dc TEMP -40 120 20\n",
    "ac by octave": "title\nV1 a 0 DC 0 AC 1\nR1 a b 1k\nC1 b 0 1u\n.ac OCT 3 10 1k\n.end\n",
    "ac of a line": "title\nV1 a 0 DC 0 AC 1\nR1 a b 1k\nC1 b 0 1u\n.ac LIN 5 10 1k\n.end\n",
    "poles and zeros": "title\nV1 a 0 DC 0 AC 1\nR1 a b 1k\nC1 b 0 1u\n.pz a 0 b 0 vol pz\n.end\n",
    "sensitivity": "title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.sens v(b)\n.end\n",
    "transient from a later time":
        "title\nV1 a 0 SIN(0 1 1k)\nR1 a b 1k\nC1 b 0 0.1u\n.tran 10u 2m 1m 10u\n.end\n",
    "measurements":
        "title\nV1 a 0 PULSE(0 1 10u 1u 1u 40u 100u)\nR1 a b 1k\nC1 b 0 1n\n"
        ".tran 0.5u 100u 0 0.5u\n"
        ".meas tran rise TRIG v(b) VAL=0.1 RISE=1 TARG v(b) VAL=0.9 RISE=1\n"
        ".meas tran top MAX v(b) from=0 to=60u\n.meas TRAN area INTEG v(b)\n"
        ".meas tran at50 FIND v(b) AT=50u\n.meas tran cross WHEN v(b)=0.5 CROSS=1\n"
        ".meas tran mean AVG v(b)\n.meas tran pp PP v(b)\n.end\n",
    "output directives":
        "title\nV1 a 0 SIN(0 1 1k)\nR1 a b 1k\nR2 b 0 1k\n.width out=80\n"
        ".print tran v(a) v(a,b) i(V1)\n.plot tran v(b)\n.four 1k v(b)\n.tran 10u 2m 0 10u\n.end\n",
    "saved device quantities":
        "title\nV1 a 0 1\nR1 a b 1k\nD1 b 0 d\n.model d d is=1f\n.save all @r1[i] @d1[id]\n.op\n"
        ".end\n",
    ".probe of all currents": "title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.probe alli\n.op\n.end\n",
    "options":
        "title\nV1 a 0 PULSE(0 1 0 1u 1u 10u 20u)\nR1 a b 1k\nC1 b 0 1n\n.option reltol=1e-4\n"
        ".options abstol=1p vntol=1u method=gear maxord=2 itl1=200 itl4=50 NOACCT trtol=5\n"
        ".temp 27\n.tran 0.2u 40u 0 0.2u\n.end\n",
    "saved currents of KiCad":
        ".title KiCad schematic\n.save all\n.probe alli\n.options savecurrents\nV1 /in 0 DC 1\n"
        "R1 /in /out 1k\nR2 /out 0 1k\n.op\n.end\n",
    "node sets":
        "title\nV1 a 0 5\nR1 a b 1k\nR2 a c 1k\nQ1 b c 0 q\nQ2 c b 0 q\n.model q npn is=1f\n"
        ".nodeset v(b)=0.1 v(c)=0.7\n.op\n.end\n",
    "distortion":
        "title\nV1 a 0 DC 0.6 AC 1 DISTOF1 0.01\nR1 a b 100\nD1 b 0 d\n.model d d is=1f\n"
        ".disto dec 2 1k 10k\n.end\n",
}  # fmt: skip
"""Of one file."""

MANY: dict[str, dict[str, str]] = {
    "an include": {
        "a.cir": "title\n.include 'parts/load.inc'\nV1 a 0 1\nX1 a b load\n.op\n.end\n",
        "parts/load.inc": "* a load\n.subckt load p q\nR1 p q 1k\nR2 q 0 1k\n.ends\n",
    },
    "all words of an include": {
        "a.cir":
            "title\n.inc one.inc\n.INCLUDE two.inc\n.incl \"three.inc\"\nV1 a 0 1\n.op\n.end\n",
        "one.inc": "R1 a b 1k\n",
        "two.inc": "R2 b c 1k\n",
        "three.inc": "R3 c 0 1k\n.end\n",
    },
    "includes in includes": {
        "a.cir": "title\n.include lib/outer.inc\nV1 a 0 1\n.op\n.end\n",
        "lib/outer.inc": ".include inner.inc\nR1 a b {r0}\n",
        "lib/inner.inc": ".param r0=1k\nR2 b 0 {2*r0}\n",
    },
    "library sections": {
        "a.cir": "title\n.lib 'models.lib' SLOW\nV1 a 0 1\nR1 a b {r0}\nR2 b 0 1k\n.op\n.end\n",
        "models.lib":
            "* corners\n.LIB fast\n.param r0=1k\n.ENDL fast\n\n.lib slow\n.param r0=3k\n"
            ".endl slow\n",
    },
    "a section that takes another": {
        "a.cir": "title\n.lib models.lib tt\nV1 a 0 1\nR1 a b {r0}\nR2 b 0 {r1}\n.op\n.end\n",
        "models.lib":
            ".lib tt\n.param r0=1k\n.lib 'models.lib' shared\n.endl\n.lib shared\n.param r1=4k\n"
            ".endl\n",
    },
    "Latin-1 comments": {
        "a.cir":
            "title: Verstärker für 20 µV\n* Widerstände in k? nein: ohne\nV1 a 0 1\n"
            "R1 a b 1k ; großer Widerstand\nR2 b 0 1k\n.op\n.end\n",
    },
    "Latin-1 comments in an include": {
        "a.cir": "title\n.include part.inc\nV1 a 0 1\n.op\n.end\n",
        "part.inc": "* später: 5 µm\nR1 a b 1k\nR2 b 0 1k\n",
    },
    "a byte-order mark": {
        "a.cir": "\ufefftitle\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n",
    },
}  # fmt: skip
"""Of several files, or in other letters."""

DECKS: dict[str, dict[str, str]] = {
    **{name: {"a.cir": text} for name, text in ONE.items()}, **MANY
}  # fmt: skip


def encoded(name: str, text: str) -> bytes:
    """The bytes of a deck's file."""
    return text.encode("latin-1" if "Latin-1" in name else "utf8")

"""Hostile netlists: what they would make ngspice or Python do, as small files by name.

OUTSIDE stands for a watched folder, CANARY for a file of it that a command would make. The numbers
are those of issue 17. `a.cir` is what is simulated.
"""

DIVIDER = "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n"
SHELL = "shell touch CANARY"
COMMANDS = f".control\n{SHELL}\n.endc\n"

Files = dict[str, str]


def deck(body: str, **files: str) -> Files:
    """A divider with more lines; files beside it, `__` in a name for a dot."""
    beside = {name.replace("__", "."): text for name, text in files.items()}
    return {"a.cir": f"title\n{DIVIDER}{body}\n.op\n.end\n", **beside}


def everywhere(name: str, line: str) -> dict[str, Files]:
    """A line in the netlist, in an include, in a library's section and in a subcircuit."""
    section = f".lib one\nR8 a 0 1k\n{line}\n.endl\n"
    return {
        name: deck(line),
        f"{name}, included": deck(".include part.inc", part__inc=f"* part\n{line}\n"),
        f"{name}, in a section": deck(".lib part.lib one", part__lib=section),
        f"{name}, in a subcircuit": deck(f".subckt s p\nR1 p 0 1k\n{line}\n.ends\nX1 a s"),
    }


# -- what runs all the same, with no harm --------------------------------------------------------

OP = f"title\n{DIVIDER}.op\n.end\n"
HARMLESS: dict[str, Files] = {
    # 1: commands in comments
    **{
        f"comment '{line}'": deck(line)
        for line in (f"*#{SHELL}", f"  *# {SHELL}", f"\t*#{SHELL}", "*#source OUTSIDE/secret.inc",
                     f"* #{SHELL}", "*#quit", "*#codemodel OUTSIDE/evil.cm")
    },
    "comment in an include": deck(".include part.inc", part__inc=f"*#{SHELL}\n"),
    "comment in a section": deck(".lib p.lib x", p__lib=f".lib x\n*#{SHELL}\n.endl\n"),
    "comment before the title's end": {"a.cir": f"*#{SHELL}\n{DIVIDER}.op\n"},
    "comment after a form feed": deck(f"R8 a 0 1k\n*\f#{SHELL}"),
    "comment after .end": {"a.cir": f"{OP}*#{SHELL}\n"},
    # 3: what follows .end
    "commands after .end": {"a.cir": OP + COMMANDS},
    "commands after .end of an include": deck(".include part.inc", part__inc=f".end\n{COMMANDS}"),
    "commands after .END of a library": deck(
        ".libx part.inc", part__inc=f"R9 a 0 1k\n.END\n*#{SHELL}\n"
    ),
    "an include after .end": {"a.cir": f"{OP}.include OUTSIDE/secret.inc\n"},
    # 5: titles
    "script as a title": {"a.cir": f"*ng_script\n{DIVIDER}.op\n.end\n"},
    "script as a title, in capitals": {"a.cir": f"  *NG_SCRIPT {SHELL}\n{DIVIDER}.op\n"},
    "control as a title": {"a.cir": f".control\n{DIVIDER}.op\n"},
    "include as a title": {"a.cir": f".include OUTSIDE/secret.inc\n{DIVIDER}.op\n"},
    "shell as a title": {"a.cir": f"{SHELL}\n{DIVIDER}.op\n"},
    "backquotes as a title": {"a.cir": f"`touch CANARY`\n{DIVIDER}.op\n"},
    "escape as a title": {"a.cir": f"\x1b]0;x\x07\n{DIVIDER}.op\n"},
    "backquotes in a comment": deck("R8 a 0 1k ; `touch CANARY`"),
    "an output to a file": deck(".print op v(b) > CANARY"),
    "a plot to a file": deck(".plot op v(b) >> CANARY"),
    "commands in a comment at a line's end": deck("R8 a 0 1k $ .control shell touch CANARY"),
}  # fmt: skip
"""They run, and V(b) is 0.5 V: nothing else was read."""

# -- what is refused ------------------------------------------------------------------------------

WORDS = (".include", ".inc", ".incl", ".INCLUDES", ".incx", ".lib", ".libx", ".LIBRARY")
"""Of point 2: what ngspice takes for an include."""

NAMES = ("OUTSIDE/secret.inc", "../outside/secret.inc", "'../outside/secret.inc'", "~/secret.inc",
         "$HOME/secret.inc", '"${HOME}/secret.inc"', "~root/secret.inc", "./../outside/secret.inc",
         "sub/../../outside/secret.inc", "link.inc", "linked/secret.inc")  # fmt: skip
"""Of points 2 and 4; `link.inc` and `linked` are links that lead outside."""

MODELS = (
    'd_cosim(simulation="OUTSIDE/evil.so")', 'D_COSIM (simulation = "OUTSIDE/evil.so")',
    'd_process(process_file="touch CANARY")', 'd_source(input_file="OUTSIDE/secret.txt")',
    'd_source (input_file "OUTSIDE/secret.txt")', 'd_state(state_file="OUTSIDE/secret.txt")',
    'filesource(file="OUTSIDE/secret.txt")', 'filesource (file "OUTSIDE/secret.txt")',
    'table2d(offset=0 file "OUTSIDE/secret.txt")', 'table3d(file="OUTSIDE/secret.txt")',
    'xfer(file="OUTSIDE/secret.txt")', '"d_cosim"(simulation="OUTSIDE/evil.so")', "{kind}",
    "(d_source input_file OUTSIDE/secret.txt)", "unheard_of(a=1)",
)  # fmt: skip
LINES = (
    SHELL, f".{SHELL}", "SHELL touch CANARY", "system touch CANARY", "codemodel OUTSIDE/evil.cm",
    "pre_codemodel OUTSIDE/evil.cm", "osdi OUTSIDE/evil.osdi", "pre_osdi OUTSIDE/evil.osdi",
    ".pre_osdi OUTSIDE/evil.osdi", "source OUTSIDE/secret.inc", ".source OUTSIDE/secret.inc",
    "alias op shell touch CANARY", ".exec touch CANARY", "! touch CANARY",
    ".param x=`touch CANARY`", ".hdl OUTSIDE/evil.va", ".load OUTSIDE/secret.txt",
    ".write CANARY", ".macro x", ".options rawfile=CANARY", ".options sourcepath=OUTSIDE",
    "N1 a 0 evil", "Y1 a 0 b 0 evil", "V7 c 0 pwl(file='OUTSIDE/secret.txt')",
    'V7 c 0 pwl file "OUTSIDE/secret.txt"', ".option probe=`touch CANARY`",
)  # fmt: skip

BOMBS: dict[str, Files] = {
    # 8: work without bounds
    "20,000 digits": deck(f"R3 a 0 {'9' * 20_000}!"),
    "20,000 digits twice": deck(f".param x={'1' * 20_000}.{'1' * 20_000}!"),
    "digits of a B source": deck(f"B1 c 0 v={'.' + '7' * 5000}\nR3 c 0 1"),
    "nested parentheses": deck(f"R3 a 0 {{{'(' * 3000}1{')' * 3000}}}"),
    "nested parentheses of a B source": deck(f"B3 c 0 v={'(' * 5000}1{')' * 5000}\nR3 c 0 1"),
    "nested braces": deck(f"R3 a 0 {'{' * 3000}1{'}' * 3000}"),
    "a name of a million letters": deck(f"R{'x' * 1_000_000} a 0 1"),
    "a node of a million letters": deck(f"R3 {'x' * 1_000_000} 0 1"),
    "a long line": deck(f"R3 a 0 1 {'x' * 8_100_000}"),
    "empty subcircuits": deck(
        "".join(
            f".subckt s{level} a\n" + f"X1 a s{level + 1}\nX2 a s{level + 1}\n" * 4 + ".ends\n"
            for level in range(25)
        )
        + ".subckt s25 a\n.ends\nX1 a s0"
    ),
    "subcircuits of subcircuits": deck(
        "".join(
            f".subckt s{level} a\nX1 a s{level + 1}\nX2 a s{level + 1}\n.ends\n"
            for level in range(40)
        )
        + ".subckt s40 a\nR1 a 0 1\n.ends\nX1 a s0"
    ),
    "a chain of subcircuits": deck(
        "".join(f".subckt s{level} a\nX1 a s{level + 1}\n.ends\n" for level in range(3000))
        + ".subckt s3000 a\nR1 a 0 1\n.ends\nX1 a s0"
    ),
    "a subcircuit in itself": deck(".subckt s a\nX1 a s\nR1 a 0 1\n.ends\nX1 a s"),
    "two subcircuits in each other": deck(
        ".subckt s a\nX1 a t\n.ends\n.subckt t a\nX1 a s\n.ends\nX1 a s"
    ),
    "a parameter of itself": deck(".param p={q} q={p}\nR3 a 0 {p}"),
    "a function of itself": deck(".func f(x) {f(x)+1}\nR3 a 0 {f(1)}"),
    "functions of each other": deck(".func f(x) {g(x)}\n.func g(x) {f(x)}\nR3 a 0 {f(1)}"),
    "functions twice in each other": deck(
        "".join(f".func f{i}(x) {{f{i + 1}(x)+f{i + 1}(x)}}\n" for i in range(40))
        + ".func f40(x) {x}\nR3 a 0 {f0(1)}"
    ),
    "a transient without an end": deck("").copy() | {"a.cir": f"title\n{DIVIDER}.tran 1f 1 0 1f\n"},
    "a sweep without an end": {"a.cir": f"title\n{DIVIDER}.dc V1 0 1 1p\n"},
    "two sweeps without an end": {"a.cir": f"title\n{DIVIDER}.dc V1 0 1 1u R1 1 1meg 1\n"},
    "frequencies without an end": {
        "a.cir": f"title\n{DIVIDER}V3 c 0 ac 1\nR3 c 0 1\n.ac dec 1g 1 1g\n"
    },
    "noise without an end": {"a.cir": f"title\n{DIVIDER}.noise v(b) V1 lin 1g 1 1g\n"},
    "an include of itself": deck(".include part.inc", part__inc=".include part.inc\n"),
    "includes of each other": deck(".include p.inc", p__inc=".incl q.inc\n", q__inc=".inc p.inc\n"),
    "diamonds of includes": {
        **deck(".include 0.inc"),
        **{f"{level}.inc": f".include {level + 1}.inc\n" * 2 for level in range(18)},
        "18.inc": "* nothing\n",
    },
    "nested includes": {
        **deck(".include 0.inc"),
        **{f"{level}.inc": f".incl '{level + 1}.inc'\n" for level in range(30)},
    },
}

SPECIAL = ("pipe", "device", "endless", "folder", "linked")
"""Of point 8: what is no regular file: a FIFO, /dev/stdin, /dev/zero, a folder."""

REFUSED: dict[str, Files] = {
    **everywhere("control", COMMANDS.rstrip()),
    **everywhere("control in capitals", f".CONTROL\n{SHELL}\n.ENDC"),
    **everywhere("control after a form feed", "\f" + COMMANDS.rstrip()),
    "control after a vertical tab": deck(f"\v.CONTROL\n{SHELL}\n.endc"),
    "control that is open": deck(f".control\n{SHELL}"),
    "control in an untaken branch": deck(f".if 0\n{COMMANDS}.endif"),
    "control that is allowed": deck(f"* cosim: allow refused because I say so\n{COMMANDS}"),
    **{f"control in a {word}": deck(f"{word} part.inc", part__inc=COMMANDS) for word in WORDS},
    "included in an untaken branch": deck(".if 0\n.incl part.inc\n.endif", part__inc=COMMANDS),
    "form feed and .end in an include": deck(
        ".include part.inc", part__inc=f"R7 a 0 1k\n\f{COMMANDS}.end\n{COMMANDS}"
    ),
    **{
        f"{word} of {name}": deck(f"{word} {name}")
        for word in (".include", ".incx", ".libs")
        for name in NAMES
    },
    **{f"{word} of an absolute name": deck(f"{word} OUTSIDE/secret.inc") for word in WORDS},
    "a section of an absolute name": deck(".lib OUTSIDE/secret.inc tt"),
    "a section that is a command": deck(".lib part.lib `touch`", part__lib=".lib x\n.endl\n"),
    "decoy of ~": {**deck(".include ~/x"), "~/x": "R9 a 0 1k\n"},
    "decoy of a variable": {**deck(".include $V/x"), "$V/x": "R9 a 0 1k\n"},
    **{
        f"{name}, {key}": files
        for name in MODELS
        for key, files in everywhere("model", f"A1 [a] [b] m\nR8 a 0 1k\n.model m {name}").items()
        if "section" not in key
    },
    "model after a comma": deck("A1 [a] [b] m\n.model m,d_cosim gain"),
    "model after a form feed": deck("A1 [a] [b] m\n.model m\fd_cosim gain"),
    "model over two lines": deck('A1 [a] [b] m\n.model m\n+ d_source(input_file="x")'),
    **{
        key: files
        for line in LINES
        for key, files in everywhere(f"line '{line}'", line).items()
        if "section" not in key
    },
    "comment that continues": deck("*#shell\n+ touch CANARY\n"),
    "an escape sequence": deck("R3 a 0 1\n\x1b]0;x\x07"),
    "a NUL": deck("R3 a 0 1\x00"),
    "a C1 control character": deck("R3 a 0 \x9b1"),
    "a byte-order mark of UTF-16": {"a.cir": "\ufeff" + OP},
    **{f"a {kind}": {"a.cir": OP, "special": kind} for kind in SPECIAL if kind != "linked"},
    **{f"an included {kind}": {**deck(".include special"), "special": kind} for kind in SPECIAL},
    **BOMBS,
}
"""They end with an error of ours, in a paragraph."""

"""The house stays tidy: no module over 400 lines, no class over 200, and rooms in their order; the
page's scripts are modules as well.
"""

import ast
import re
from pathlib import Path

import grimp
import networkx as nx

import cosim

PACKAGE = Path(cosim.__file__).parent
MOST_MODULE_LINES, MOST_CLASS_LINES = 400, 200
SCRIPT_CLASS = re.compile(r"^class (\w+).*?^}$", re.MULTILINE | re.DOTALL)


def sizes() -> tuple[dict[str, int], dict[str, int]]:
    """Lines of each module and of each class."""
    modules, classes = {}, {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text, name = path.read_text(encoding="utf8"), str(path.relative_to(PACKAGE))
        modules[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.end_lineno is not None:
                classes[f"{name}: {node.name}"] = node.end_lineno - node.lineno + 1
    for path in sorted(PACKAGE.rglob("*.js")):
        if ".min." in path.name:
            continue  # somebody else's
        text, name = path.read_text(encoding="utf8"), str(path.relative_to(PACKAGE))
        modules[name] = len(text.splitlines())
        for match in SCRIPT_CLASS.finditer(text):
            classes[f"{name}: {match[1]}"] = len(match[0].splitlines())
    return modules, classes


def largest(found: dict[str, int]) -> str:
    """The largest one, in words."""
    name = max(found, key=lambda one: found[one])
    return f"{name}, {found[name]} lines"


def test_no_module_and_no_class_has_two_jobs() -> None:
    modules, classes = sizes()
    assert len(modules) > 100 and any("run.js: Run" in name for name in classes)
    print(f"\nlargest module: {largest(modules)}; largest class: {largest(classes)}")
    too_large = {name: lines for name, lines in modules.items() if lines > MOST_MODULE_LINES}
    too_large |= {name: lines for name, lines in classes.items() if lines > MOST_CLASS_LINES}
    assert not too_large, "these do more than one thing: part them"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports for types alone, or inside a function, count: they tie modules together as well."""
    house = grimp.build_graph("cosim")
    imports = nx.DiGraph(
        (module, imported)
        for module in house.modules
        for imported in house.find_modules_directly_imported_by(module)
    )
    assert imports.number_of_edges() > 500
    circles = [sorted(one) for one in nx.strongly_connected_components(imports) if len(one) > 1]
    assert not circles, "open each at the import that is needed least"

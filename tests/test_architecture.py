"""The house: imports run one way, no files in a circle, the core stays small, names are pinned.

ARCHITECTURE.md draws what is held here.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "toposeg_lite"
#: Each row may import from the rows above it, and from its own. Ground first.
FLOORS = [
    {"checks", "environment", "files", "memory"},
    {"topology"},
    {"calibration", "differences", "further_metrics", "losses", "metrics", "models"},
    {"data", "monai", "structures"},
    {"annotation", "nnunet", "training"},
    {"workbook.figures"},
    {"workbook.exercises", "workbook.studies"},
    {"report", "workbook.desk", "workbook.explorers"},
]
#: The only rooms that know a screen; nothing but notebooks imports them.
SCREENS = {"workbook.desk", "workbook.explorers"}
WIDGETS = {"IPython", "anywidget", "ipywidgets", "plotly", "traitlets"}
#: May import the workbook from below: each is a documented command that only calls its new place.
DOORS = {"training.__main__", "training.annotation", "training.calibration", "training.pretrained"}
CORE = ["topology", "losses", "metrics.py", "calibration.py", "models.py"]
RENEW = "python tests/test_architecture.py writes the record anew"


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if "assets" not in path.parts
}


def room_of(module):
    """Return the room of a module: its first name, of the workbook the first two."""
    parts = module.split(".")
    return ".".join(parts[:2] if parts[0] == "workbook" else parts[:1])


def for_types_alone(tree):
    """Return the nodes below ``if TYPE_CHECKING:``, which never run."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    blocks = [node for node in blocks if ast.unparse(node.test) == "TYPE_CHECKING"]
    return {inner for block in blocks for inner in ast.walk(block)}


def imports(module, with_types=True):
    """Yield the files of the library that a module imports, wherever in it, and other packages.

    A name from a package that is a file counts as this file; any other as the package itself.
    """
    path = FILES[module]
    package = ["toposeg_lite", *module.split(".")] if module else ["toposeg_lite"]
    if path.name != "__init__.py":
        package = package[:-1]
    tree = ast.parse(path.read_text())
    passed_over = set() if with_types else for_types_alone(tree)
    for node in ast.walk(tree):
        if node in passed_over:
            continue
        if isinstance(node, ast.Import):
            targets = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            full = ".".join([*base, *filter(None, [node.module])])
            targets = [(full, alias.name) for alias in node.names]
        else:
            continue
        for full, name in targets:
            if full.split(".")[0] != "toposeg_lite":
                yield None, full.split(".")[0]
                continue
            inner = full.removeprefix("toposeg_lite").lstrip(".")
            longer = ".".join(filter(None, [inner, name]))
            yield (longer if longer in FILES else inner), None


def test_every_room_has_a_floor():
    rooms = {room_of(module) for module in FILES} - {"", "workbook"}
    assert rooms == set().union(*FLOORS), "a new room: give it its place in FLOORS"


def test_imports_run_one_way():
    level = {room: k for k, floor in enumerate(FLOORS) for room in floor}
    wrong = []
    for module in FILES:
        here = room_of(module)
        for target, _ in imports(module):
            if here not in level or target is None or room_of(target) not in level:
                continue
            there = room_of(target)
            if level[there] > level[here] and not (module in DOORS and here == "training"):
                wrong.append(f"{module} imports {target}")
            if there in SCREENS and there != here and here not in SCREENS:
                wrong.append(f"{module} imports {target}, a screen")
    assert wrong == []


def test_only_the_screens_know_widgets():
    known = {}
    for module in FILES:
        widgets = {other for _, other in imports(module)} & WIDGETS
        if widgets and room_of(module) not in SCREENS:
            known[module] = widgets
    assert known == {"workbook.figures.base": {"IPython"}}  # displays a picture with its text


def circles(graph):
    """Return the groups of nodes that reach each other (strongly connected components)."""

    def reach(start):
        seen, todo = set(), [start]
        while todo:
            for other in graph[todo.pop()]:
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    reached = {node: reach(node) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached[other])
        for node in graph
        if node in reached[node]
    }
    return sorted(sorted(group) for group in groups)


def test_no_files_import_each_other_in_a_circle():
    graph = {
        module: {target for target, _ in imports(module, with_types=False)} - {None, module}
        for module in FILES
    }
    # A file may name its own package's door for a neighbour; the door imports all its files.
    for module, targets in graph.items():
        package = module.rpartition(".")[0]
        assert package not in targets or not package, f"{module} imports by its own package's door"
    assert circles(graph) == []


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == [["b", "c"], ["d"]]


def core_files():
    return [path for name in CORE for path in sorted((PACKAGE / name).rglob("*.py"))] + [
        PACKAGE / name for name in CORE if name.endswith(".py")
    ]


def is_baseline(path):
    """Others' methods, kept to compare with: who wants to know how ours work passes them over."""
    return path.parent == PACKAGE / "losses" / "baselines"


def without_docstring(node):
    lines = node.end_lineno - node.lineno + 1
    docstring = ast.get_docstring(node, clean=False)
    return lines - (len(docstring.splitlines()) if docstring else 0)


def test_the_core_is_read_in_an_afternoon():
    files = core_files()
    read = [path for path in files if not is_baseline(path)]
    assert sum(len(path.read_text().splitlines()) for path in read) <= 10_450
    long, wide = [], []
    for path in files:
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef):
                continue
            name = f"{path.stem}.{node.name}"
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if without_docstring(node) > 60:
                long.append(name)
            if len([a for a in arguments if a.arg not in ("self", "cls")]) > 7:
                wide.append(name)
    assert sorted(long) == LONG
    assert sorted(wide) == WIDE


#: Kernels that a comment excuses, and public doors whose options the user should see.
LONG: list[str] = []
WIDE: list[str] = ["metrics.report"]


# --- Public names ----------------------------------------------------------------------------

RECORD = Path(__file__).with_name("public_names.json")


def public_names():
    """Return what each module of the library, the workbook's rooms included, shows by `__all__`."""
    names = {}
    for module in FILES:
        if any(part.startswith("_") for part in module.split(".")):
            continue
        if FILES[module].name != "__init__.py":  # the trainers of nnU-Net cannot be without it
            continue
        loaded = importlib.import_module(f"toposeg_lite.{module}".rstrip("."))
        if hasattr(loaded, "__all__"):
            names[loaded.__name__] = sorted(loaded.__all__)
    for name in (
        "calibration", "checks", "differences", "files", "further_metrics", "metrics", "models",
    ):  # fmt: skip
        loaded = importlib.import_module(f"toposeg_lite.{name}")
        names[loaded.__name__] = sorted(loaded.__all__)
    return dict(sorted(names.items()))


def test_public_names_are_those_of_the_record():
    assert public_names() == json.loads(RECORD.read_text()), RENEW


@pytest.mark.parametrize("module", json.loads(RECORD.read_text()) if RECORD.exists() else [])
def test_public_names_exist(module):
    loaded = importlib.import_module(module)
    for name in loaded.__all__:
        assert getattr(loaded, name) is not None, f"{module}.{name}"


def test_the_drawing_names_every_room():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for room in set().union(*FLOORS):
        assert re.search(rf"`{re.escape(room.replace('.', '/'))}", text), room
    # Of what does not exist yet, only the pattern of its name is written.
    for path in re.findall(r"`([\w.]+/[\w./]+)`", text):
        places = [ROOT / path, PACKAGE / path]
        assert "NN" in path or any(place.exists() for place in places), path


if __name__ == "__main__":
    RECORD.write_text(json.dumps(public_names(), indent=1) + "\n")

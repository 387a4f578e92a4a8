"""Change the library in one place and see whether the tests of that place notice.

    python tools/mutants.py --count 60 --seed 0 topology losses metrics

Each mutant is one change in a copy of the tree: a comparison turned (< and <=, == and !=), a sum
made a difference, a number one larger, `and` for `or`, a condition negated, a statement dropped.
The test file of the mutated module runs on it, `tests/topology/test_morse.py` for
`toposeg_lite/topology/morse.py`; a mutant that passes is a survivor and printed with its line. A
survivor may be no fault (another order of equal work, a speed, a message): judge it by eye, and
where the result would be wrong, write the test that kills it.

The original passes first, or nothing is said about its mutants. Docstrings, messages of errors and
annotations are left alone. Time beyond five times that of the original counts as noticed.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "toposeg_lite"

TURNED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
#: Where the tests of a module are, if not in the file that has its name.
TESTS = {
    "topology/kernels.py": ["tests/topology/test_kernels.py"],
    "topology/betti_matching.py": [
        "tests/topology/test_betti_matching.py",
        "tests/topology/test_sparse.py",
        "tests/topology/test_tunnels.py",
    ],
    "topology/critical.py": ["tests/topology/test_morse.py"],
    "topology/order.py": ["tests/topology/test_persistence.py"],
    "topology/loops.py": ["tests/topology/test_volumes.py"],
    "topology/union.py": ["tests/topology/test_matching.py"],
    "topology/grid.py": ["tests/topology/test_grid.py", "tests/test_bad_input.py"],
    "losses/options.py": ["tests/losses/test_losses.py"],
    "losses/common.py": ["tests/losses/test_losses.py"],
    "losses/warping.py": ["tests/losses/test_warping.py", "tests/losses/test_ignore.py"],
    "losses/chosen.py": ["tests/losses/test_morse.py", "tests/losses/test_warping.py"],
    "losses/baselines/cldice.py": [
        "tests/losses/test_losses.py",
        "tests/losses/test_second_derivatives.py",
    ],
}


def tests_of(module: Path) -> list[str]:
    """Return the test files of a module, the doctests of its own included."""
    inner = module.relative_to(PACKAGE)
    own = Path("tests") / inner.parent / f"test_{inner.name}"
    found = TESTS.get(inner.as_posix(), [own.as_posix()] if (ROOT / own).is_file() else [])
    return [*found, f"toposeg_lite/{inner.as_posix()}"] if found else []


def left_alone(tree: ast.Module) -> set[ast.AST]:
    """Return the nodes whose change no test should see: annotations, docstrings, messages."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        is_warning = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "warn"
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom) or is_docstring or is_warning:
            roots.append(node)
        elif isinstance(node, ast.arg) and node.annotation:
            roots.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns:
            roots.append(node.returns)
        elif isinstance(node, ast.AnnAssign):
            roots.append(node.annotation)
    return {inner for root in roots for inner in ast.walk(root)}


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield each place that can be changed, with the kind of the change."""
    spared = left_alone(tree)
    for node in ast.walk(tree):
        if node in spared:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
            yield node, "turn"
        elif isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
            yield node, "swap"
        elif isinstance(node, ast.BoolOp):
            yield node, "and/or"
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield node, "+1"
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            yield node, "negate"
        elif isinstance(node, ast.AugAssign) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ):
            yield node, "drop"


def mutate(source: str, number: int) -> tuple[str, str]:
    """Return the text of a module with its change of this number, and what was changed."""
    tree = ast.parse(source)
    node, kind = list(changes(tree))[number]
    before = ast.unparse(node).splitlines()[0]
    if kind == "turn":
        node.ops[0] = TURNED[type(node.ops[0])]()
    elif kind == "swap":
        node.op = SWAPPED[type(node.op)]()
    elif kind == "and/or":
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif kind == "+1":
        node.value += 1
    elif kind == "negate":
        node.test = ast.UnaryOp(ast.Not(), node.test)
    else:
        for parent in ast.walk(tree):
            for _, block in ast.iter_fields(parent):
                if isinstance(block, list) and node in block:
                    block[block.index(node)] = ast.copy_location(ast.Pass(), node)
    after = "pass" if kind == "drop" else ast.unparse(node).splitlines()[0]
    return ast.unparse(ast.fix_missing_locations(tree)), f"line {node.lineno}: {before} -> {after}"


def passes(tree: Path, tests: list[str], limit: float) -> bool:
    """Return whether the tests pass on a copy of the tree within a time."""
    environment = os.environ | {"PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(tree / ".numba")}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    command += ["-m", "not nightly and not browser and not notebook"]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, timeout=limit, capture_output=True
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def is_shared(module: Path) -> bool:
    """Return whether other files of its folder may call kernels of a module."""
    others = [path for path in module.parent.glob("*.py") if path != module]
    called = f"from .{module.stem} import"
    return "@kernel" in module.read_text() and any(called in o.read_text() for o in others)


def modules_of(names: list[str]) -> list[Path]:
    """Return the files that have tests, of folders or files of the package."""
    found = []
    for name in names:
        place = PACKAGE / name if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return [module for module in found if tests_of(module)]


def main() -> int:
    """Try mutants; print the survivors and how many there were of each module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="+", help="folders or files of the package, without .py")
    parser.add_argument("--count", type=int, default=60, help="mutants in all")
    parser.add_argument("--seed", type=int, default=0, help="which mutants are drawn")
    chosen = parser.parse_args()
    modules = modules_of(chosen.names)
    rng = random.Random(chosen.seed)
    drawn: dict[Path, list[int]] = {}
    places = [(m, k) for m in modules for k in range(len(list(changes(ast.parse(m.read_text())))))]
    for module, number in rng.sample(places, min(chosen.count, len(places))):
        drawn.setdefault(module, []).append(number)
    tried = survived = 0
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "tree"
        spared = shutil.ignore_patterns(".*", "__pycache__", "runs", "*.ipynb")
        shutil.copytree(ROOT, tree, ignore=spared)
        for module in sorted(drawn):
            inner, tests = module.relative_to(ROOT), tests_of(module)
            passes(tree, tests, 1800)  # compiles
            before = time.monotonic()
            if not passes(tree, tests, 1800):
                print(f"{inner}: its tests fail without a mutant", flush=True)
                continue
            limit = 60 + 5 * (time.monotonic() - before)
            alive = 0
            for number in sorted(drawn[module]):
                text, change = mutate(module.read_text(), number)
                (tree / inner).write_text(text)
                if is_shared(module):  # numba does not see that a kernel called by another changed
                    shutil.rmtree(tree / ".numba", ignore_errors=True)
                if passes(tree, tests, limit):
                    alive += 1
                    print(f"survived: {inner}, {change}", flush=True)
            shutil.copy(module, tree / inner)
            tried, survived = tried + len(drawn[module]), survived + alive
            print(f"{inner}: {len(drawn[module])} mutants, {alive} survived", flush=True)
    print(f"{tried} mutants, {survived} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The project around the code: what is installed, what imports what, what is public."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in (ROOT / "toposeg_lite").rglob("*.py")
    if "assets" not in path.parts and path.stem != "topology_trainers"  # which needs nnU-Net
)
# Names that conda-forge spells in another way.
CONDA = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower()


def constraints():
    return (ROOT / "constraints.txt").read_text().splitlines()


def test_binder_has_the_same_environment_as_conda_users():
    assert (ROOT / "binder/environment.yml").read_text() == (ROOT / "environment.yml").read_text()


def test_binder_builds_from_its_folder():
    """Render the Dockerfile, which needs no Docker; whether conda finds the names is not asked."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    steps = re.split(r"(?m)^(?=FROM|RUN|COPY|ENV|USER|WORKDIR)", run.stderr + run.stdout)
    wanted = [
        'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"',
        "RUN ./binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"',
    ]
    places = [[k for k, step in enumerate(steps) if part in step] for part in wanted]
    assert [len(found) for found in places] == [1, 1, 1], run.stderr
    assert places == sorted(places)
    assert "conda environment for python=3.11" in run.stderr + run.stdout
    for script in ("postBuild", "start"):
        text = (ROOT / "binder" / script).read_text()
        assert text.startswith("#!/usr/bin/env bash\n")
        assert "set -euo pipefail" in text
        subprocess.run(["bash", "-n", ROOT / "binder" / script], check=True)


def test_binder_starts_with_one_thread_and_then_what_it_is_told():
    threads = ("OMP", "MKL", "OPENBLAS", "NUMBA")
    show = " ".join(f"${name}_NUM_THREADS" for name in threads)
    command = ["bash", ROOT / "binder" / "start", "bash", "-c", f"echo {show} $0", "and more"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1"] * 4 + ["and", "more"]


def warming_up():
    """Return the Python part of Binder's postBuild."""
    return re.search(r"(?ms)<<'PY'$(.*?)^PY$", (ROOT / "binder/postBuild").read_text())[1]


def test_binder_makes_every_explorer_once_beforehand(monkeypatch):
    from toposeg_lite.workbook import explorers

    shown = []
    real = explorers.Dashboard.describe
    monkeypatch.setattr(
        explorers.Dashboard, "describe", lambda self: shown.append(self.opened) or real(self)
    )
    exec(warming_up(), {})
    assert shown == explorers.Dashboard().names


@pytest.mark.nightly
def test_after_binders_warm_up_nothing_is_compiled(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    counts = []
    for _ in range(2):
        run = [sys.executable, "-c", warming_up()]
        subprocess.run(run, env=environment, check=True, stdout=subprocess.DEVNULL, cwd=tmp_path)
        counts.append(len(list(tmp_path.rglob("*.nbc"))))
    assert counts[0] == counts[1] > 10


def test_binder_opens_the_first_chapter_with_the_map_beside_it():
    workspace = json.loads((ROOT / "binder/workspace.json").read_text())
    dock = workspace["data"]["layout-restorer:data"]["main"]["dock"]
    assert dock["type"] == "split-area"
    left, right = ([*part["widgets"]] for part in dock["children"])
    assert left == ["notebook:notebooks/00_start_here.ipynb"]
    assert right == ["markdownviewer-widget:notebooks/README.md"]
    for widget in left + right:
        path = workspace["data"][widget]["data"]["path"]
        assert widget.endswith(f":{path}")
        assert (ROOT / path).is_file()


def test_the_conda_environment_holds_what_the_package_requires():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    listed = {line.strip(" -") for line in lines if line.startswith("  - ")}
    wanted = set()
    for requirement in [*PROJECT["dependencies"], *EXTRAS["workbook"]]:
        requirement = re.sub(r"\[.*\]", "", requirement)  # conda-forge's dask brings distributed
        name = name_of(requirement)
        wanted.add(CONDA.get(name, name) + requirement[len(name) :])
    assert wanted == listed - {"conda-forge", "nodefaults", "python=3.11", "pip"}


def test_everything_is_pinned_and_no_address_is_given():
    pins = {}
    for line in constraints():
        pin = re.fullmatch(r"([\w.-]+)==([\w.]+)(?: ; (.+))?", line)
        assert pin, f"not an exact pin: {line}"
        pins.setdefault(pin[1].lower(), []).append(pin[2])
    assert pins["torch"] == ["2.13.0"]
    asked = chain(PROJECT["dependencies"], *EXTRAS.values())
    assert {name_of(requirement) for requirement in asked} <= set(pins)


def test_a_package_has_one_lower_bound_wherever_it_is_asked_for():
    bounds = {}
    for requirement in chain(PROJECT["dependencies"], *EXTRAS.values()):
        name, _, version = requirement.partition(">=")
        bounds.setdefault(name.partition("[")[0], set()).add(version)
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_the_larger_extras_hold_the_smaller_ones():
    torch, training, workbook = (set(EXTRAS[name]) for name in ("torch", "training", "workbook"))
    assert torch < training < workbook
    assert not workbook & set(PROJECT["dependencies"])


def test_the_oldest_versions_that_are_tried_are_the_lower_bounds():
    extras = (EXTRAS[name] for name in ("workbook", "nifti", "scale"))
    bounds = [line.split(">=") for line in chain(PROJECT["dependencies"], *extras)]
    oldest = {name.partition("[")[0]: Version(version) for name, version in bounds}
    lines = (ROOT / "constraints-oldest.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines]
    assert {name: Version(version) for name, version in pins} == oldest


def test_the_kernels_load_without_torch_plotly_and_jupyter():
    heavy = ["torch", "plotly", "IPython", "ipywidgets", "matplotlib", "skimage", "gudhi"]
    code = (
        "import sys, toposeg_lite.topology\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_typed_and_documented(module):
    loaded = importlib.import_module(module)
    assert loaded.__doc__, "a module says what it is for"
    for name in getattr(loaded, "__all__", ()):
        thing = getattr(loaded, name)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        assert inspect.getdoc(thing), f"{name} has no docstring"
        functions = {name: thing} if inspect.isfunction(thing) else vars(thing)
        for label, function in functions.items():
            function = getattr(function, "__func__", function)
            if not inspect.isfunction(function) or label.startswith("_"):
                continue
            if function.__module__ != thing.__module__:
                continue
            signature = inspect.signature(function)
            for parameter in list(signature.parameters.values()):
                if parameter.name not in ("self", "cls"):
                    assert parameter.annotation is not parameter.empty, f"{label}: {parameter}"
            assert signature.return_annotation is not signature.empty, f"{label} -> ?"


def test_the_makefile_lists_its_targets():
    run = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = [line.split()[0] for line in run.stdout.splitlines()]
    assert {"run", "test", "lab", "lint", "bench", "help"} <= set(listed)


def test_the_project_speaks_of_itself_alone():
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = run.stdout.split("\n")
    for name in filter(None, listed):
        path = ROOT / name
        binary = {".npz", ".gif", ".png", ".safetensors", ""}
        if path.suffix in binary or not path.is_file() or path == Path(__file__):
            continue
        text = path.read_text()
        if path.suffix == ".ipynb":  # in the letters of a picture any word may occur
            text = re.sub(r'"image/\w+": "[^"]*"', "", text)
        for word in (f"{Path.home()}/", f"{ROOT}/", "TODO", "FIXME", "pypi.org"):
            assert word not in text, f"{name} holds {word!r}"

"""What others get: a wheel and an archive that work outside of this folder, and true papers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from rattler_build import Stage0Recipe

import toposeg_lite

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SMALL = ("topology", "metrics", "further_metrics", "differences", "calibration", "data")
ABSENT = ("torch", "gudhi", "pandas", "matplotlib", "plotly", "IPython", "ipywidgets")
ABSENT += ("accelerate", "safetensors", "tensorboardX", "anywidget", "papermill", "nbformat")


def tracked():
    """Return the files of the project, also those that are new, but nothing that was built."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in run.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Build the archive from a copy of the project, and the wheel from the unpacked archive."""
    folder = tmp_path_factory.mktemp("release")
    for name in tracked():
        target = folder / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    build = "from setuptools import build_meta; import sys; print(build_meta.build_{}(sys.argv[1]))"
    made = folder / "dist"
    made.mkdir()

    def run(what, place):
        command = [sys.executable, "-c", build.format(what), str(made)]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    run("sdist", folder / "copy")
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    run("wheel", unpacked)
    return made


@pytest.fixture(scope="module")
def outside(dist, tmp_path_factory):
    """Make an environment that has the wheel, and of everything else what is installed here."""
    folder = tmp_path_factory.mktemp("outside")
    venv.create(folder, symlinks=os.name != "nt", with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    say = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = Path(subprocess.check_output([python, "-c", say], text=True).strip())
    (wheel,) = dist.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", place, wheel], check=True)
    here = [path for path in sys.path if path.endswith("site-packages")]
    (place / "others.pth").write_text("\n".join(here) + "\n")
    return python


def run_outside(python, *arguments, cwd):
    """Run Python where nothing of this folder can be found."""
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    command = [python, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_the_archive_holds_all_of_the_package(dist):
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    assert {name for name in tracked() if name.startswith("toposeg_lite/")} <= held
    assert {"LICENSE", "README.md", "pyproject.toml"} <= held


def test_the_wheel_holds_all_of_the_package_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        held = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert held == {name for name in tracked() if name.startswith("toposeg_lite/")}


def test_the_wheel_says_what_it_is(dist):
    (wheel,) = dist.glob("*.whl")
    assert wheel.name == f"toposeg_lite-{toposeg_lite.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        said = packed.read(name).decode()
    wanted = set(PROJECT["project"]["dependencies"])
    needed = {line for line in re.findall(r"(?m)^Requires-Dist: (.*)$", said) if ";" not in line}
    assert needed == wanted
    assert "License-Expression: MIT" in said
    extras = set(re.findall(r"(?m)^Provides-Extra: (.*)$", said))
    assert extras == set(PROJECT["project"]["optional-dependencies"])


def test_the_wheel_works_elsewhere(outside, tmp_path):
    code = (
        "import numpy as np, toposeg_lite\n"
        "from toposeg_lite.topology import betti_numbers\n"
        "from toposeg_lite.data import photos\n"
        "print(toposeg_lite.__file__, betti_numbers(np.ones((3, 3), bool)))\n"
        "print(photos.retina().mask.any())"
    )
    run = run_outside(outside, "-c", code, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    place, _, betti = run.stdout.splitlines()[0].partition(" ")
    assert Path(place).is_relative_to(Path(outside).parents[1])
    assert betti == "(1, 0)"
    assert run.stdout.splitlines()[1] == "True"


def test_types_are_seen_from_outside(outside, tmp_path):
    """A checker of types reads the annotations of what is installed, and finds a wrong call."""
    (tmp_path / "use.py").write_text(
        "import numpy as np\n"
        "from toposeg_lite.topology import betti_numbers, persistence_pairs\n"
        "from toposeg_lite.metrics import dice\n"
        "numbers: tuple[int, ...] = betti_numbers(np.ones((3, 3), bool))\n"
        "score: float = dice(np.ones((3, 3), bool), np.ones((3, 3), bool))\n"
        "wrong: str = dice(np.ones((3, 3), bool), np.ones((3, 3), bool))\n"
        "persistence_pairs(np.ones((3, 3)), border=3)\n"
    )
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    command = ["-m", "mypy", "--python-executable", outside, "--follow-imports=silent", "use.py"]
    run = run_outside(sys.executable, *map(str, command), cwd=tmp_path)
    assert "py.typed" not in run.stdout
    lines = re.findall(r"use\.py:(\d+): error: .*\[([\w-]+)\]", run.stdout)
    assert lines == [("6", "assignment"), ("7", "arg-type")], run.stdout + run.stderr


@pytest.mark.parametrize("room", SMALL)
def test_a_room_loads_without_torch_gudhi_and_the_workbook(room):
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {ABSENT}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"import toposeg_lite.{room}\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_kernels_load_no_more_of_scipy_than_they_need():
    code = "import sys, toposeg_lite.metrics; print('scipy.optimize' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.nightly
def test_the_small_installation(dist, tmp_path):
    """Install the wheel with what it asks for, and nothing else; this fetches packages."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    (wheel,) = dist.glob("*.whl")
    command = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(command, check=True, cwd=tmp_path)
    run = run_outside(python, "-P", ROOT / "tests" / "bare_install.py", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "OK: Python and all 9 packages" in run.stdout


# --- Papers ---


def recipe():
    """Return the recipe for conda as its tool renders it."""
    (variant,) = Stage0Recipe.from_file(str(ROOT / "conda" / "recipe.yaml")).render()
    return variant.recipe.to_dict()


def test_one_version_stands_everywhere():
    version = toposeg_lite.__version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert recipe()["package"] == {"name": "toposeg-lite", "version": version}
    headings = re.findall(r"(?m)^## (.*)$", (ROOT / "CHANGELOG.md").read_text())
    assert headings[:2] == ["Unreleased", version]


def test_what_changed_is_written_down():
    """Each version says something."""
    parts = re.split(r"(?m)^## .*$", (ROOT / "CHANGELOG.md").read_text())[1:]
    assert all(len(part.split()) >= 2 for part in parts)


def test_the_recipe_for_conda_asks_for_what_the_package_does():
    rendered = recipe()
    run = rendered["requirements"]["run"]
    wanted = {re.sub(r"(>=)", r" \1", line) for line in PROJECT["project"]["dependencies"]}
    assert set(run) == wanted | {f"python {PROJECT['project']['requires-python']}"}
    assert rendered["build"]["noarch"] == "python"
    assert rendered["about"]["license"] == PROJECT["project"]["license"]
    assert f"v{toposeg_lite.__version__}" in rendered["source"][0]["url"]
    address = PROJECT["tool"]["toposeg_lite"]["repository"]
    if address:
        assert rendered["about"]["repository"] == address


def test_the_citation_has_what_the_format_asks_for():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(cited)
    readme = (ROOT / "README.md").read_text()
    for reference in cited["references"]:
        assert {"type", "title", "authors", "year"} <= set(reference)
        assert reference["url"] in readme
        for person in reference["authors"]:
            assert all(isinstance(name, str) for name in person.values())


def test_the_hooks_call_what_the_project_has():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    assert {entry.split()[0] for entry in entries} <= {
        ".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/python",
    }  # fmt: skip
    assert all(repo["repo"] == "local" for repo in hooks["repos"])


def test_files_that_the_guides_name_are_there():
    for guide in ("CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"):
        for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]+|[A-Z]+\.md)`", (ROOT / guide).read_text()):
            pattern = re.sub(r"NN(_verb_topic)?|NAME", "*", name)
            if not pattern.startswith(("dist/", ".venv/")):
                assert list(ROOT.glob(pattern)), f"{guide}: {name}"

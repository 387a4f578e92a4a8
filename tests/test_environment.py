"""`toposeg_lite.check`: OK, or one line for each thing that is missing."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import toposeg_lite
from toposeg_lite import environment

NEEDED = [
    "numpy>=2.0",
    "Pillow>=11",
    "torch>=2.6; python_version >= '3.0'",
    "winonly>=1; sys_platform == 'no such system'",
    "pytest>=8; extra == 'dev'",
    "voila>=0.5.8; extra == 'workbook'",
]


CHECKOUT = """
[project]
name = "toposeg-lite"
dependencies = [
    "numpy>=2.0",
    "Pillow>=11",
    "torch>=2.6; python_version >= '3.0'",
    "winonly>=1; sys_platform == 'no such system'",
]
[project.optional-dependencies]
dev = ["pytest>=8"]
workbook = ["voila>=0.5.8"]
"""


@pytest.fixture(params=["installation", "checkout"])
def installed(monkeypatch, tmp_path, request):
    """Return versions by name, which `check` sees in place of what is installed.

    What is needed stands in the metadata of the installation, or in a checkout's own file.
    """
    versions = {"numpy": "2.1", "Pillow": "11.0", "torch": "2.7.0rc1+cpu", "voila": "1.0"}

    def version(name):
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    project = tmp_path / "pyproject.toml"
    if request.param == "checkout":
        project.write_text(CHECKOUT)
    metadata = NEEDED if request.param == "installation" else ["older>=1"]
    monkeypatch.setattr(environment, "requires", lambda name: metadata)
    monkeypatch.setattr(environment, "version", version)
    monkeypatch.setattr(environment, "CHECKOUT", project)
    return versions


def test_all_is_here(installed, capsys):
    assert toposeg_lite.check() is None
    said = capsys.readouterr().out
    assert said == "OK: Python and every package that toposeg-lite needs\n"


def test_each_missing_or_old_package_has_a_line(installed, capsys):
    del installed["Pillow"]
    installed["torch"] = "2.5"
    toposeg_lite.check()
    assert capsys.readouterr().out.splitlines() == [
        "run `pip install 'Pillow>=11'` (installed: None)",
        "run `pip install 'torch>=2.6'` (installed: 2.5)",
    ]


def test_the_advice_is_what_pip_takes(installed, capsys):
    installed.clear()
    toposeg_lite.check()
    lines = capsys.readouterr().out.splitlines()
    asked = [Requirement(line.split("'")[1]) for line in lines]
    wanted = ["numpy>=2.0", "Pillow>=11", "torch>=2.6", "voila>=0.5.8"]
    assert [str(each) for each in asked] == wanted


def test_what_an_extra_needs_is_asked_for_where_it_is_wanted(installed, capsys):
    del installed["voila"]
    toposeg_lite.check()
    toposeg_lite.check("torch")
    toposeg_lite.check(None)
    assert capsys.readouterr().out.splitlines() == [
        "run `pip install 'voila>=0.5.8'` (installed: None)",
        *["OK: Python and every package that toposeg-lite needs"] * 2,
    ]


def test_an_extra_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"extra must be one of .*; got 'dev'"):
        toposeg_lite.check("dev")
    with pytest.raises((TypeError, ValueError), match="extra"):
        toposeg_lite.check(3)


def test_the_file_of_another_project_is_passed_over(monkeypatch, tmp_path, capsys):
    project = tmp_path / "pyproject.toml"
    project.write_text(CHECKOUT.replace("toposeg-lite", "another").replace("numpy", "of-another"))
    monkeypatch.setattr(environment, "requires", lambda name: ["no-such-package>=1"])
    monkeypatch.setattr(environment, "CHECKOUT", project)
    toposeg_lite.check()
    said = capsys.readouterr().out
    assert said == "run `pip install 'no-such-package>=1'` (installed: None)\n"


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert set(environment.EXTRAS) <= set(project["optional-dependencies"])


def test_a_copy_that_is_not_installed(monkeypatch, capsys):
    def requires(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(environment, "requires", requires)
    toposeg_lite.check()
    assert "toposeg-lite is missing: run `pip install -e .`" in capsys.readouterr().out


def test_an_old_python_is_said(installed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    toposeg_lite.check()
    assert capsys.readouterr().out == "install Python 3.11 or newer\n"


def test_the_oldest_python_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={'.'.join(map(str, environment.PYTHON))}"

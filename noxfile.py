"""The library's tests on each Python, and on the oldest packages that it says it takes.

    nox                      all sessions
    nox -s "tests-3.13"      one of them
    nox -s oldest -- tests/topology
    nox -s nnunet            the trainers in the installed nnU-Net

A Python that is not there is passed over. Left out are what a screen, a notebook or a night is
needed for: `make test` and `make nightly` are the place for these.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"
TESTS = ["-q", "-m", "not browser and not notebook and not nightly", "--ignore=tests/site"]


def run_tests(session: nox.Session, constraints: str) -> None:
    """Install the library within constraints, and run its tests, or those that are named."""
    session.install("-c", constraints, "-e", ".[workbook,dev]")
    environment = {"NUMBA_CACHE_DIR": session.create_tmp(), "OMP_WAIT_POLICY": "passive"}
    session.run("pytest", *TESTS, *session.posargs, env=environment)


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Test with the versions of constraints.txt."""
    run_tests(session, "constraints.txt")


@nox.session(python=["3.11", "3.12", "3.13"])
def bare(session: nox.Session) -> None:
    """Try what needs neither torch nor GUDHI nor Jupyter, in an environment that has none."""
    session.install("-c", "constraints.txt", ".")
    environment = {"NUMBA_CACHE_DIR": session.create_tmp()}
    session.run("python", "-P", "tests/bare_install.py", env=environment)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Test with the lower bounds of pyproject.toml, which constraints-oldest.txt repeats.

    That of torch is a wheel with CUDA: some gigabytes.
    """
    run_tests(session, "constraints-oldest.txt")


@nox.session(python="3.11")
def nnunet(session: nox.Session) -> None:
    """Let the installed nnU-Net plan, train and predict with each trainer."""
    session.install("-c", "constraints.txt", "-e", ".[dev,nnunet]")
    environment = {"NUMBA_CACHE_DIR": session.create_tmp(), "OMP_WAIT_POLICY": "passive"}
    session.run("pytest", "-q", "-m", "nightly or not nightly", "tests/nnunet", env=environment)

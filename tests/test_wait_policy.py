"""Importing the package keeps torch's threads from spinning, where it comes first and may."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("first", "given", "expected"),
    [
        ("import toposeg_lite.losses", None, "passive"),
        ("import toposeg_lite, torch", None, "passive"),
        ("import toposeg_lite.losses", "active", "active"),
        ("import torch, toposeg_lite.losses", None, "None"),  # too late: children would differ
    ],
)
def test_threads_that_wait_sleep_unless_the_user_says_else(first, given, expected):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    code = f"{first}\nimport os; print(os.environ.get('OMP_WAIT_POLICY'))"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected

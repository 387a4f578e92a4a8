"""Settings that every test shares."""

from __future__ import annotations

import os
import signal

import pytest

# Two test processes with two threads each fight for two cores and lose: one thread each.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "Agg")
# In the background a shell lets commands ignore Ctrl-C; the tests of interrupts need it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Refuse names of tests that differ between processes: xdist could not share them out."""
    addresses = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if addresses:
        raise pytest.UsageError(f"tests named by an address, give them ids: {addresses[:5]}")

"""What the small installation can do, run inside one: ``python tests/bare_install.py``.

Neither torch nor GUDHI nor Jupyter may be there; what is printed is the size of the environment and
how long an import takes once everything is compiled.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import sysconfig
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

#: Megabytes of the environment. 400 were aimed at: the compiler that Numba brings (llvmlite, 180),
#: SciPy (143) and NumPy (71) alone have 394, with bytecode. So the rest is bounded by itself.
LIMIT, LIMIT_OF_THE_REST = 560, 140
LARGE = ("llvmlite", "scipy", "numpy", "pip")
#: What is there, and nothing else: what pyproject.toml asks for, and what that asks for.
NEEDED = {
    "certifi", "charset-normalizer", "colorama", "idna", "imageio", "lazy-loader", "llvmlite",
    "networkx", "numba", "numpy", "packaging", "pillow", "pip", "platformdirs", "pooch", "requests",
    "scikit-image", "scipy", "setuptools", "tifffile", "toposeg-lite", "tqdm", "urllib3",
}  # fmt: skip
ABSENT = ("torch", "gudhi", "matplotlib", "pandas", "plotly", "IPython", "ipywidgets", "jupyterlab")


def sizes():
    """Return the megabytes of each folder of what is installed, libraries with their package."""
    place, found = Path(sysconfig.get_path("purelib")), Counter()
    for path in place.rglob("*"):
        if path.is_file():
            found[path.relative_to(place).parts[0].partition(".")[0]] += path.stat().st_size / 1e6
    return found


def main():
    """Use every room that should work here, and check what comes out on a ring that is broken."""
    there = [name for name in ABSENT if importlib.util.find_spec(name)]
    assert not there, f"this is no small environment: it has {', '.join(there)}"
    import toposeg_lite
    from toposeg_lite import annotation, calibration, differences, further_metrics, metrics
    from toposeg_lite.data import list_datasets, load_dataset
    from toposeg_lite.topology import betti_numbers, morse_complex, persistence_pairs

    ring = np.array([[0.9, 0.9, 0.9], [0.9, 0.1, 0.4], [0.9, 0.9, 0.9]])
    assert (betti_numbers(ring > 0.5), betti_numbers(ring > 0.3)) == ((1, 0), (1, 1))
    assert persistence_pairs(ring).of_dimension(1).birth_index.tolist() == [5]
    assert morse_complex(ring).skeleton().mask.any()
    found = metrics.report(ring > 0.5, ring > 0.3)
    assert found["betti_error"] == 1
    assert calibration.expected_calibration_error(ring, ring > 0.3) >= 0
    assert len(differences.topology_differences(ring > 0.5, ring > 0.3)) == 1
    assert further_metrics.surface_dice(ring > 0.3, ring > 0.3, tolerance=1.0) == 1
    assert "membranes" in list_datasets()
    assert load_dataset("membranes", seed=0).test[0].mask.any()
    assert annotation.AnnotationSession
    toposeg_lite.check(None)
    names = {re.sub("[-_.]+", "-", each.name).lower() for each in distributions()}
    assert names <= NEEDED, f"more than is needed: {names - NEEDED}"
    found = sizes()
    rest = found.total() - sum(found[name] for name in LARGE)
    print(f"{found.total():.0f} MB in site-packages: {rest:.0f} without {', '.join(LARGE)}")
    assert found.total() < LIMIT
    assert rest < LIMIT_OF_THE_REST
    for room in ("topology", "metrics"):
        code = f"import time; t = time.process_time(); import toposeg_lite.{room}; "
        code += "print(f'{time.process_time() - t:.2f}')"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        print(f"toposeg_lite.{room}: {run.stdout.decode().strip()} s of the processor to import")


if __name__ == "__main__":
    main()

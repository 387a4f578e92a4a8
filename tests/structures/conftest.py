"""Images that several tests of structures learn from."""

from __future__ import annotations

import pytest
from ring_images import batch


@pytest.fixture(scope="module")
def faint_and_strong():
    """Faint true rings, and strong false ones, which are smaller."""
    return batch(20, 2, 0.35, 0.65, 0.05, radii=(5.0, 2.5))

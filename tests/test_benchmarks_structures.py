"""The rows of the benchmark of structures."""

from __future__ import annotations

from benchmarks import structures
from benchmarks.harness import table


def test_each_image_and_mode_has_a_row_with_the_limit():
    rows = list(structures.structure_rows(1, size=40))
    assert len(rows) == 4
    for row in rows:
        assert row.job.startswith("100 structures, ")
        assert row.theirs == 2000
        assert row.required == 1
        assert row.ours > 0
        assert row.met == (row.ours <= 2000)
    assert [row.job.split(", ")[1] for row in rows] == ["threshold mode", "branch mode"] * 2
    assert "the limit" in table(rows)

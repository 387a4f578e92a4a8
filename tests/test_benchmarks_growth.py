"""The rows of growth: a quotient of quotients, and what each requires."""

import pytest
from benchmarks import growth, harness, memory


def timed(size, ours, theirs):
    return harness.Row("walk", f"{size}x{size}", "ms", ours, "np.argsort", theirs, 1.0, None)


@pytest.mark.parametrize(("later", "met"), [(23.9, True), (24.1, False)])
def test_growth_is_that_of_a_pixel_beside_sorting(later, met):
    # Four times the pixels, sorting takes eight times as long: twice a pixel. 1.5 times that is 3.
    small, large = timed(10, 2.0, 1.0), timed(20, later, 8.0)
    row = growth.growth_row("walking", small, large, 4)
    assert (row.job, row.size) == ("growth of walking, a pixel", "10x10 to 20x20")
    assert row.theirs == 2
    assert row.ours == pytest.approx(later / 8)
    assert row.ratio == pytest.approx(16 / later)
    assert row.met is met


def test_what_was_not_measured_is_not_met():
    assert growth.growth_row("walking", timed(10, 2.0, None), timed(20, 4.0, 1.0), 4).met is False


def test_every_matching_is_timed_from_the_smallest_to_the_largest():
    rows = list(growth.time_rows(1, sizes=(24, 32, 48)))
    judged = [(row.job, row.size) for row in rows if row.required is not None]
    ends = "24x24 to 48x48"
    assert judged == [
        ("growth of persistence pairs, a pixel", "24x24 to 32x32"),
        ("growth of persistence pairs, a pixel", "32x32 to 48x48"),
        ("growth of persistence pairs, a pixel", ends),
        ("growth of spatial matching, a pixel", ends),
        ("growth of Betti matching, a pixel", ends),
    ]
    assert {row.required for row in rows} == {None, 1 / 1.5}
    assert all(row.peer == "np.argsort" for row in rows)


def test_the_report_is_judged_beside_the_pairs_of_its_likelihood():
    row = growth.report_row(1, size=32)
    assert (row.job, row.peer, row.required) == ("metrics.report", "persistence pairs", 0.25)


def test_memory_has_a_row_for_each_but_sorting(monkeypatch):
    monkeypatch.setattr(memory, "bytes_per_pixel", lambda name, kind, size: float(len(name)))
    rows = list(growth.memory_rows(16))
    assert [row.job.removeprefix("memory of ") for row in rows] == list(growth.CONTENDERS)[:-1]
    assert all(row.ours == len(row.job) - 10 and row.theirs == 10 for row in rows)
    assert all(row.ratio == row.theirs / row.ours for row in rows)


def test_contenders_run_on_a_likelihood_and_its_truth():
    image = growth.inputs.likelihood(128)
    results = {name: make(image)() for name, make in growth.CONTENDERS.items()}
    assert len(results["persistence pairs"]) == len(results["Betti matching"].prediction)
    assert 0 < results["metrics.report"]["dice"] < 1
    assert results["np.argsort"].size == image.size

"""Are probabilities honest? Against torchmetrics, grid search and drawn cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from toposeg_lite.structures import (
    expected_calibration_error,
    fit_temperature,
    reliability_diagram,
    scale_probabilities,
)


def predictions(seed, size=4000, temperature=1.0):
    """Return probabilities, and outcomes that they would be right about at this temperature."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, size)
    outcomes = rng.random(size) < 1 / (1 + np.exp(-odds / temperature))
    return 1 / (1 + np.exp(-odds)), outcomes


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_the_error_is_that_of_torchmetrics(bins):
    for seed in range(5):
        probabilities, outcomes = predictions(seed, 300, 1.7)
        theirs = binary_calibration_error(
            torch.from_numpy(probabilities), torch.from_numpy(outcomes).long(), bins, norm="l1"
        )
        ours = expected_calibration_error(probabilities, outcomes, bins=bins)
        assert ours == pytest.approx(theirs.item(), abs=1e-6)


def test_a_drawn_diagram():
    # A probability on an edge belongs to the bin above it, 1 to the last.
    diagram = reliability_diagram(
        [[0.0, 0.2, 0.5], [0.7, 0.75, 1.0]], [[0, 1, 0], [1, 1, 1]], bins=4
    )
    np.testing.assert_array_equal(diagram.edges, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(diagram.count, [2, 0, 2, 2])
    np.testing.assert_allclose(diagram.probability, [0.1, np.nan, 0.6, 0.875])
    np.testing.assert_allclose(diagram.frequency, [0.5, np.nan, 0.5, 1])
    assert diagram.error == pytest.approx((2 * 0.4 + 2 * 0.1 + 2 * 0.125) / 6)


def test_weights_count_as_repetitions():
    probabilities, outcomes = predictions(3, 50)
    times = np.random.default_rng(0).integers(0, 4, 50)
    repeated = [np.repeat(values, times) for values in (probabilities, outcomes)]
    error = expected_calibration_error(probabilities, outcomes, weights=times)
    assert error == pytest.approx(expected_calibration_error(*repeated))
    fitted = fit_temperature(probabilities, outcomes, weights=times)
    assert fitted == pytest.approx(fit_temperature(*repeated), rel=1e-5)


def test_outcomes_may_come_true_in_part():
    probabilities = np.array([0.2, 0.9])
    error = expected_calibration_error(probabilities, [0.25, 0.5], bins=2)
    assert error == pytest.approx((0.05 + 0.4) / 2)


def test_honest_probabilities_have_nearly_no_error_and_bold_ones_have():
    honest, outcomes = predictions(0, 50_000)
    assert expected_calibration_error(honest, outcomes) < 0.01
    bold = scale_probabilities(honest, 0.4)
    assert expected_calibration_error(bold, outcomes) > 0.08
    mended = scale_probabilities(bold, fit_temperature(bold, outcomes))
    assert expected_calibration_error(mended, outcomes) < 0.01


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_outcomes_is_found(temperature):
    probabilities, outcomes = predictions(1, 100_000, temperature)
    assert fit_temperature(probabilities, outcomes) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_is_the_best_of_a_grid():
    probabilities, outcomes = predictions(2, 500, 2.0)
    found = fit_temperature(probabilities, outcomes)

    def cost(temperature):
        p = scale_probabilities(probabilities, temperature)
        return -np.log(np.where(outcomes, p, 1 - p)).mean()

    grid = np.geomspace(0.5, 10, 2001)
    assert found == pytest.approx(grid[np.argmin([cost(t) for t in grid])], rel=0.003)


def test_nearly_certain_predictions_are_taken_at_their_word():
    found = fit_temperature([1e-5, 1 - 1e-5], [0.1, 0.9])
    assert found == pytest.approx(np.log(1e5 - 1) / np.log(9), rel=1e-5)


def test_certain_predictions_that_are_wrong_do_not_break_the_temperature():
    assert fit_temperature([0.0, 1.0], [1, 0]) == pytest.approx(20, rel=1e-3)
    assert fit_temperature([0.0, 1.0], [0, 1]) == pytest.approx(0.05, rel=1e-3)

"""A pixel loss on chosen pixels only: what the warping and the Morse loss have in common."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np

from .common import OnHost

PixelLoss = Literal["cross_entropy", "dice"]
PIXEL_LOSSES = ("cross_entropy", "dice")

__all__ = ["PIXEL_LOSSES", "PixelLoss", "loss_on_chosen"]


def loss_on_chosen(
    host: OnHost, chosen: np.ndarray, pixel_loss: PixelLoss
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (B,) values of a pixel loss on chosen pixels, and the gradient by the logits.

    `HomotopyWarpingLoss` shows both formulas; p is the likelihood of a class against the rest.
    `chosen`, (B, K, *spatial), says which pixels of each of the K foreground classes count. Values
    are the mean over the classes, and 0 with a gradient of 0 where nothing is chosen.

    Examples
    --------
    >>> host = OnHost(np.array([[[[0.0, 5.0]]]]), np.array([[[[True, True]]]]))
    >>> loss_on_chosen(host, np.array([[[[True, False]]]]), "cross_entropy")  # ln 2; 1/2 - 1
    (array([0.69314718]), array([[[[-0.5,  0. ]]]]))
    """
    batch, channels = host.scores.shape[:2]
    scores = host.scores.reshape(batch, channels, -1)
    masks = host.masks.reshape(scores.shape)
    values, gradient = np.zeros(batch), np.zeros_like(scores)
    cost = _cross_entropy if pixel_loss == "cross_entropy" else _dice
    for b, (i, k) in product(range(batch), enumerate(host.classes)):
        at = np.flatnonzero(chosen[b, i])
        if not len(at):
            continue
        here = scores[b][:, at].astype(np.float64)
        odds, shares = _against_rest(here, k)
        value, slope = cost(odds, masks[b, k, at])
        values[b] += value / len(host.classes)
        gradient[b][:, at] += slope * shares / len(host.classes)
    return values, gradient.reshape(host.scores.shape)


def _against_rest(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds of class k against all others at n pixels, and their derivatives.

    From (C, n) scores, (n,) and (C, n). One channel has a silent rest, whose score is 0.
    """
    shares = np.zeros_like(scores)
    odds = scores[k].copy()
    rest = np.delete(scores, k, axis=0)
    if len(rest):
        highest = rest.max(0)
        powers = np.exp(rest - highest)
        total = powers.sum(0)
        odds -= highest + np.log(total)
        shares[np.arange(len(scores)) != k] = -powers / total
    shares[k] = 1
    return odds, shares


def _sigmoid(odds: np.ndarray) -> np.ndarray:
    """Return the likelihoods; nothing overflows."""
    return np.exp(-np.logaddexp(0, -odds))


def _cross_entropy(odds: np.ndarray, mask: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy and its derivatives by the odds."""
    value = (np.logaddexp(0, odds) - mask * odds).mean()
    return value, (_sigmoid(odds) - mask) / len(odds)


def _dice(odds: np.ndarray, mask: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the Dice loss and its derivatives by the odds."""
    likelihood = _sigmoid(odds)
    both = 2 * (likelihood * mask).sum() + 1
    each = likelihood.sum() + mask.sum() + 1
    slope = (both - 2 * mask * each) / each**2
    return 1 - both / each, slope * likelihood * (1 - likelihood)

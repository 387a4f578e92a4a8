"""Sessions whose branches and ranks come from a `StructureModel`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession, StructureRanking, simulate_annotator
from toposeg_lite.structures import StructureModel


def picture(seed=0, shape=(40, 50)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 1.5)
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def model_of(mode="branch", network=None, **options):
    network = torch.nn.Identity() if network is None else network
    return StructureModel(network, mode=mode, min_persistence=0.1, **options)


IMAGE = picture()


@pytest.mark.parametrize("mode", ["branch", "threshold"])
def test_branches_and_ranks_are_the_models(mode):
    model = model_of(mode)
    (found,) = model.uncertainty(torch.from_numpy(IMAGE)[None, None])
    session = AnnotationSession(IMAGE, StructureRanking(model))
    assert np.array_equal(session.likelihood, found.branches.likelihood)
    assert len(session.branches) == len(found.branches) > 10
    assert np.array_equal(session.probability, found.probability)
    assert np.allclose(session.uncertainty, found.entropy)
    for name in ("pixels", "offsets", "owned", "persistence"):
        assert np.array_equal(getattr(session.branches, name), getattr(found.branches, name))


def test_channels_may_be_named_or_left_out():
    one = AnnotationSession(IMAGE, StructureRanking(model_of()))
    two = AnnotationSession(IMAGE[None], StructureRanking(model_of()))
    assert one.queue() == two.queue()


def test_decisions_move_what_is_like_them():
    session = AnnotationSession(IMAGE, StructureRanking(model_of()))
    first = session.probability
    faint = np.argsort(first)[: len(first) // 2]
    session.reject(faint[::2])
    assert np.array_equal(session.probability, first)  # it learns when asked
    session.learn()
    learned = session.probability
    assert learned[faint[::2]].mean() < first[faint[::2]].mean()
    assert learned[faint[1::2]].mean() < first[faint[1::2]].mean()
    # The same decisions teach the same, in whatever order; without any, nothing is left of it.
    other = AnnotationSession(IMAGE, StructureRanking(model_of()))
    other.accept(faint)
    other.learn()
    assert not np.allclose(other.probability, learned)
    other.undo()
    other.learn()
    assert np.array_equal(other.probability, first)
    for branch in faint[::2][::-1]:
        other.reject(branch)
    other.learn()
    assert np.allclose(other.probability, learned)


def test_a_larger_spread_believes_decisions_more():
    moves = []
    for spread in (0.1, 1.0):
        session = AnnotationSession(IMAGE, StructureRanking(model_of(), spread=spread))
        before = session.probability[3]
        session.reject(3)
        session.learn()
        moves.append(before - session.probability[3])
    assert 0 < moves[0] < moves[1]


def test_a_journal_goes_on_with_the_same_model_only(tmp_path):
    path = tmp_path / "a.jsonl"
    session = AnnotationSession(IMAGE, StructureRanking(model_of()), path)
    session.reject([1, 4])
    session.accept(2)
    session.learn()
    queue, mask = session.queue(), session.mask()
    session.close()
    session = AnnotationSession(IMAGE, StructureRanking(model_of()), path)
    assert session.problems == []
    assert session.queue() == queue
    assert np.array_equal(session.mask(), mask)
    session.close()
    halved = torch.nn.Conv2d(1, 1, 1)
    torch.nn.init.constant_(halved.weight, 0.5)
    with pytest.raises(ValueError, match="another likelihood of this image"):
        AnnotationSession(IMAGE, StructureRanking(model_of(network=halved)), path)
    AnnotationSession(IMAGE, StructureRanking(model_of()), path).close()


def test_images_without_branches_and_volumes():
    flat = AnnotationSession(np.full((9, 9), -5.0), StructureRanking(model_of()))
    assert flat.queue() == []
    flat.learn()
    volume = picture(1, (8, 9, 10))
    ranking = StructureRanking(model_of(ndim=3))
    session = AnnotationSession(volume, ranking)
    branch = session.queue()[0]
    session.reject(branch)
    session.learn()
    assert session.probability[branch] < 0.5
    assert session.mask().shape == volume.shape


def test_the_network_runs_once_for_an_image():
    calls = []

    class Counted(torch.nn.Module):
        def forward(self, x):
            calls.append(1)
            return x

    session = AnnotationSession(
        IMAGE, StructureRanking(model_of(network=Counted())), learn="always"
    )
    for _ in range(5):
        session.accept(session.queue()[0])
    assert len(calls) == 1


def test_a_simulated_annotator_works_on_a_copy_of_what_was_learned():
    session = AnnotationSession(IMAGE, StructureRanking(model_of()), learn="always")
    before = session.probability.copy()
    curve = simulate_annotator(session, picture(0) > 0, clicks=10)
    assert len(curve.branches) == 10
    assert np.array_equal(session.probability, before)

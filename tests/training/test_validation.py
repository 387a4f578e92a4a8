"""Looks at the validation images: which network is kept, when a run ends, and what is recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tensorboardX.proto.event_pb2 import Event, SessionLog
from training_data import DATA, TINY, assert_same

from toposeg_lite import metrics
from toposeg_lite.data import Sample
from toposeg_lite.training import (
    Checkpoint,
    TrainConfig,
    draw_batch,
    load_checkpoint,
    loop,
    predict,
    train,
)
from toposeg_lite.training.checkpoint import HISTORY

LOOKING = replace(TINY, validate_every=1, learning_rate=0.02)


def pretend(monkeypatch, scores) -> None:
    """Let the looks see these (Dice, error), one after the other."""
    left = iter(scores)
    monkeypatch.setattr(loop, "validate", lambda *_, **__: next(left))


def looked(scores, patience=0) -> Checkpoint:
    table = pd.DataFrame([[k + 1, *each] for k, each in enumerate(scores)],
                         columns=["step", "dice", "betti_matching_error"])  # fmt: skip
    config = replace(LOOKING, steps=99, patience=patience)
    return Checkpoint(config, {}, len(scores), 0, "", {}, {}, pd.DataFrame(), table)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([], None),
        ([(0.5, 3)], 0),
        ([(0.80, 3), (0.80, 2), (0.80, 4)], 1),
        ([(0.80, 3), (0.80, 3)], 0),  # among equals the first
        ([(0.80, 3), (0.795, 2)], 1),  # half a point of Dice is a fair price
        ([(0.80, 3), (0.785, 2)], 0),  # one and a half are not
        ([(0.80, 3), (0.82, 5)], 1),  # the first one lags behind now, whatever its error
        ([(0.80, 3), (0.82, 5), (0.815, 4), (0.80, 0)], 2),
        ([(0.80, 3), (0.809, 5), (0.80, 2), (0.815, 4)], 3),
        # The first would be right in hindsight, but its network was given up for the second's.
        ([(0.812, 4), (0.805, 3), (0.82, 5)], 2),
    ],
)
def test_the_best_look_has_the_smallest_error_within_one_point_of_dice(scores, best):
    assert looked(scores).best_look == best


def test_a_run_ends_when_patience_does():
    scores = [(0.8, 3), (0.8, 2), (0.8, 2), (0.8, 5)]
    assert not looked(scores, patience=3).stopped
    assert looked(scores, patience=2).stopped
    assert looked(scores, patience=2).finished
    assert not looked(scores, patience=0).stopped
    assert not looked(scores[:3], patience=2).stopped


def test_a_look_scores_the_whole_validation_images_with_the_network_of_its_step():
    end = train(replace(LOOKING, validate_every=2, validation_window=16), data=DATA, progress=False)
    assert end.validation["step"].tolist() == [2, 4, 6]
    for step, dice, error in end.validation.itertuples(index=False):
        # With a constant learning rate the first steps of a run are a shorter run.
        model = train(replace(LOOKING, steps=int(step), validate_every=0), data=DATA,
                      progress=False).model()  # fmt: skip
        pairs = [(predict(model, s.image, window=16) >= 0.5, s.mask) for s in DATA.validation]
        assert dice == pytest.approx(np.mean([metrics.dice(*pair) for pair in pairs]))
        assert error == pytest.approx(np.mean([metrics.betti_matching_error(*p) for p in pairs]))


def test_volumes_are_looked_at_cube_by_cube():
    solid = np.zeros((6, 9, 9), bool)
    solid[1:5, 1:4, 1:8] = True
    volume = Sample("solid", solid[None].astype(np.float32), solid)
    data = replace(DATA, train=(volume,), validation=(volume,), test=(volume,), patch=4)
    config = replace(LOOKING, patch=4, steps=1, weight=0.0, validation_window=(4, 8, 8))
    end = train(config, data=data, progress=False)
    mask = predict(end.model(), volume.image, window=(4, 8, 8)) >= 0.5
    error = metrics.betti_matching_error(mask, solid, patch=4)
    assert end.validation["betti_matching_error"].tolist() == [error]
    assert error != metrics.betti_matching_error(mask, solid)


def test_looking_changes_no_step():
    plain = train(replace(LOOKING, validate_every=0), data=DATA, progress=False)
    assert_same(train(LOOKING, data=DATA, progress=False), plain)
    assert plain.validation.empty
    assert plain.best == {}


def test_the_best_network_is_kept_and_the_last_one_goes_on(tmp_path, monkeypatch):
    pretend(monkeypatch, [(0.8, 3), (0.8, 1), (0.8, 2), (0.8, 2), (0.8, 2), (0.8, 2)])
    end = train(LOOKING, data=DATA, out=tmp_path / "net.safetensors", progress=False)
    kept, last = (replace(LOOKING, steps=steps, validate_every=0) for steps in (2, 6))
    two, six = (train(config, data=DATA, progress=False) for config in (kept, last))
    found = load_checkpoint(tmp_path / "net.safetensors")
    for checkpoint in (end, found):
        for name, tensor in checkpoint.model().state_dict().items():
            assert torch.equal(tensor, two.weights[name])
        for name, tensor in checkpoint.model(last=True).state_dict().items():
            assert torch.equal(tensor, six.weights[name])
        assert checkpoint.best_look == 1
    assert found.validation.equals(end.validation)
    further = replace(LOOKING, steps=1, validate_every=0)
    assert_same(
        train(further, data=DATA, start=found, progress=False),
        train(further, data=DATA, start=six, progress=False),
    )


def test_patience_ends_the_run_between_checkpoints_and_it_stays_ended(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    pretend(monkeypatch, [(0.8, 3), (0.8, 3), (0.8, 3)])
    end = train(replace(LOOKING, patience=2), data=DATA, out=path, progress=False)
    assert (end.step, len(end.history), end.finished) == (3, 3, True)
    assert load_checkpoint(path).step == 3
    monkeypatch.setattr(loop, "draw_batch", None)
    again = train(replace(LOOKING, patience=2), data=DATA, out=path, resume=True, progress=False)
    assert_same(again, end)


@pytest.mark.parametrize("stop", [3, 5])
@pytest.mark.parametrize("first_is_best", [False, True])
def test_a_run_that_looks_goes_on_to_the_same_bits(tmp_path, monkeypatch, stop, first_is_best):
    config = replace(LOOKING, patience=6)
    if first_is_best:
        monkeypatch.setattr(loop, "validate", lambda *_, **__: (0.8, 3.0))
    whole = train(config, data=DATA, progress=False)
    assert not first_is_best or whole.best_look == 0

    def fail(*arguments, step, **options):
        if step == stop:
            raise KeyboardInterrupt
        return draw_batch(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "draw_batch", fail)
    path = tmp_path / "net.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(config, data=DATA, out=path, progress=False)
    monkeypatch.setattr(loop, "draw_batch", draw_batch)
    assert len(load_checkpoint(path).validation) == stop // 2 * 2
    resumed = train(config, data=DATA, out=path, resume=True, progress=False)
    assert_same(resumed, whole)
    assert resumed.validation.equals(whole.validation)
    assert resumed.best.keys() == whole.best.keys()
    assert all(torch.equal(resumed.best[name], whole.best[name]) for name in whole.best)


def test_looks_need_validation_images():
    with pytest.raises(ValueError, match="validate_every needs validation images; rings has none"):
        train(LOOKING, data=replace(DATA, validation=()), progress=False)


def test_the_bar_shows_the_parts_of_the_loss_and_the_last_look(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    train(replace(LOOKING, steps=3), data=DATA)
    last = capfd.readouterr().err.splitlines()[-1].split("\r")[-1]
    assert "3/3" in last
    for part in ("dice_bce=", "added=", "Betti matching="):
        assert part in last


# --- Events ---


def read_events(folder) -> list[Event]:
    """Read event files as their format has it: length, checksum, message, checksum."""
    events = []
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content, place = path.read_bytes(), 0
        while place < len(content):
            size = int.from_bytes(content[place : place + 8], "little")
            events.append(Event.FromString(content[place + 12 : place + 12 + size]))
            place += 12 + size + 4
    return events


def scalars(events) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for event in events:
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_event_files_hold_the_parts_of_the_loss_and_every_look(tmp_path):
    end = train(replace(LOOKING, validate_every=3), data=DATA, events=tmp_path, progress=False)
    found = scalars(read_events(tmp_path))
    assert set(found) == {
        *(f"training/{name}" for name in HISTORY),
        "validation/dice", "validation/betti_matching_error",
    }  # fmt: skip
    for name in ("loss", "dice_bce", "added"):
        assert list(found[f"training/{name}"]) == [1, 2, 3, 4, 5, 6]
        seen = list(found[f"training/{name}"].values())
        np.testing.assert_allclose(seen, end.history[name], rtol=1e-6)
    assert found["validation/dice"] == pytest.approx(dict(end.validation[["step", "dice"]].values))


def test_a_resumed_run_voids_the_events_that_it_makes_again(tmp_path, monkeypatch):
    def fail(*arguments, step, **options):
        if step == 3:
            raise KeyboardInterrupt
        return draw_batch(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "draw_batch", fail)
    place = {"out": tmp_path / "net.safetensors", "events": tmp_path / "events"}
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data=DATA, progress=False, **place)
    monkeypatch.undo()
    assert list(scalars(read_events(tmp_path / "events"))["training/loss"]) == [1, 2, 3]
    train(TINY, data=DATA, resume=True, progress=False, **place)
    events = read_events(tmp_path / "events")
    starts = [k for k, event in enumerate(events) if event.HasField("session_log")]
    assert [events[k].session_log.status for k in starts] == [SessionLog.START] * 2
    # What was said of the third step and later is void: it is made again from the checkpoint.
    assert [events[k].step for k in starts] == [1, 3]
    assert list(scalars(events[starts[1] :])["training/loss"]) == [3, 4, 5, 6]


def test_without_a_folder_there_are_no_events(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(TrainConfig(**TINY.as_dict()), data=DATA, progress=False)
    assert list(tmp_path.iterdir()) == []

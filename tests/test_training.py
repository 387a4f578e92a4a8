"""Training: the same numbers however often it is stopped, and files that are whole or absent."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from toposeg_lite import metrics
from toposeg_lite.data import Dataset, Sample
from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
from toposeg_lite.models import UNet
from toposeg_lite.training import (
    CompareConfig,
    Comparison,
    TrainConfig,
    choose_weight,
    draw_batch,
    evaluate,
    judge,
    load_checkpoint,
    loop,
    predict,
    prepare_folder,
    train,
    write_atomically,
)

TINY = TrainConfig(
    dataset="brick", steps=6, patch=16, batch=2, width=2, depth=2, weight=0.5, checkpoint_every=2
)


def rings(count: int, seed: int, shape: tuple[int, int] = (24, 36)) -> tuple[Sample, ...]:
    """Noisy rings: one component and one hole each."""
    rng = np.random.default_rng(seed)
    row, column = np.indices(shape)
    samples = []
    for number in range(count):
        distance = np.hypot(row - rng.uniform(9, 14), column - rng.uniform(10, 25))
        mask = np.abs(distance - rng.uniform(5, 8)) < 1.5
        image = np.clip(0.3 + 0.4 * mask + rng.normal(0, 0.1, shape), 0, 1).astype(np.float32)
        samples.append(Sample(f"ring-{number}", image[None], mask))
    return tuple(samples)


VALIDATION = tuple(replace(sample, name=f"other-{sample.name}") for sample in rings(2, seed=1))
DATA = Dataset(
    "rings", rings(3, 0), VALIDATION, rings(3, 2), labels="foreground", reference="exact",
    patch=12, terms="none",
)  # fmt: skip


def numbers(checkpoint) -> dict[str, np.ndarray]:
    """Everything in a checkpoint that must not depend on interruptions: all but the seconds."""
    found = {f"w.{k}": v.numpy() for k, v in checkpoint.weights.items()}
    found |= {f"o.{k}": v.numpy() for k, v in checkpoint.optimizer.items()}
    for column in ("loss", "dice_bce", "added"):
        found[column] = checkpoint.history[column].to_numpy()
    return found


def assert_same(first, second) -> None:
    a, b = numbers(first), numbers(second)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert first.step == second.step


# --- What a step sees ---


def test_crops_depend_on_seed_and_step_alone():
    first = draw_batch(DATA.train, step=5, seed=1, patch=16, batch=3, light=0.3)
    np.random.seed(99)  # noqa: NPY002 - that the old global state is not used is the point
    again = draw_batch(DATA.train, step=5, seed=1, patch=16, batch=3, light=0.3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for other in ({"step": 6, "seed": 1}, {"step": 5, "seed": 2}):
        images, _ = draw_batch(DATA.train, patch=16, batch=3, light=0.3, **other)
        assert not np.array_equal(images, first[0])


@pytest.mark.parametrize(("shape", "orientations"), [((5, 5), 8), ((3, 5), 4), ((2, 3, 3), 16)])
def test_whole_images_come_in_every_orientation_of_their_shape(shape, orientations):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / np.prod(shape)
    sample = Sample("ramp", values[None], values > 0.4)
    images, masks = draw_batch([sample], step=0, seed=0, patch=shape, batch=300)
    assert len({image.tobytes() for image in images}) == orientations
    np.testing.assert_array_equal(masks, images > 0.4)
    for image in images:
        np.testing.assert_array_equal(np.sort(image.ravel()), values.ravel())


def test_crops_reach_every_corner_and_keep_masks_exact():
    values = np.linspace(0, 1, 7 * 9, dtype=np.float32).reshape(7, 9)
    sample = Sample("ramp", np.stack([values, 1 - values]), values > 0.5)
    images, masks = draw_batch([sample], step=0, seed=0, patch=(4, 3), batch=400)
    assert images.dtype == masks.dtype == np.float32
    assert images.shape == (400, 2, 4, 3)
    assert masks.shape == (400, 1, 4, 3)
    assert set(np.unique(images[:, 0])) == set(values.ravel())
    np.testing.assert_array_equal(masks[:, 0], images[:, 0] > 0.5)


def test_small_images_are_continued_by_their_mirror_image():
    values = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32)
    images, _ = draw_batch([Sample("small", values[None], values > 0.25)], step=0, seed=0,
                           patch=(4, 3), batch=1)  # fmt: skip
    rows = {tuple(np.sort(row)) for row in images[0, 0]}
    assert rows == {(np.float32(0.1), np.float32(0.2), np.float32(0.3)),
                    (np.float32(0.4), np.float32(0.5), np.float32(0.6))}  # fmt: skip


def test_light_changes_images_smoothly_within_its_bounds_and_no_mask():
    flat = Sample("flat", np.full((3, 32, 40), 0.5, np.float32), np.eye(32, 40, dtype=bool))
    images, masks = draw_batch([flat], step=0, seed=0, patch=(32, 40), batch=50, light=0.2)
    assert 0.5 * 0.8**2 <= images.min() < 0.5 < images.max() <= 0.5 * 1.2**2
    assert np.abs(np.diff(images, axis=-1)).max() < 0.02
    assert (masks.sum(axis=(1, 2, 3)) == 32).all()
    assert not np.allclose(images[0, 0], images[0, 1])  # each channel has its own tint
    bright, _ = draw_batch([Sample("bright", np.ones((1, 4, 4), np.float32), np.eye(4) > 0)],
                           step=0, seed=0, patch=4, batch=9, light=0.9)  # fmt: skip
    assert 0 <= bright.min() < 1
    assert bright.max() == 1


# --- Steps ---


def by_hand(config: TrainConfig, data: Dataset) -> tuple[dict, list[float]]:
    """The training loop as a textbook has it: one sum of losses, one backward pass."""
    model = UNet(1, width=config.width, depth=config.depth, seed=config.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    losses = []
    for step in range(config.steps):
        if config.anneal:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * np.cos(step / config.steps * np.pi / 2) ** 2
        images, masks = draw_batch(data.train, step=step, seed=config.seed, patch=config.patch,
                                   batch=config.batch, light=config.light)  # fmt: skip
        logits, target = model(torch.tensor(images)), torch.tensor(masks)
        loss = DiceBCELoss()(logits, target) + config.weight * TopologicalLoss()(logits, target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        losses.append(loss.item())
    return model.state_dict(), losses


@pytest.mark.parametrize(
    "config",
    [TINY, replace(TINY, anneal=True, clip=0.1), replace(TINY, weight=0.0, light=0.0, seed=3)],
    ids=["plain", "annealed and clipped", "without the added loss"],
)
def test_training_equals_a_loop_written_by_hand(config):
    end = train(config, data=DATA, progress=False)
    weights, losses = by_hand(config, DATA)
    np.testing.assert_allclose(end.history["loss"], losses, rtol=1e-4)
    for name, tensor in weights.items():
        torch.testing.assert_close(end.weights[name], tensor, rtol=2e-3, atol=2e-4)


def test_history_holds_the_parts_of_the_loss_and_their_seconds():
    history = train(TINY, data=DATA, progress=False).history
    np.testing.assert_allclose(history["loss"], history["dice_bce"] + 0.5 * history["added"])
    assert (history["added"] > 0).all()
    assert (history["seconds_added"] > 0).all()
    assert (history["seconds"] > history["seconds_added"]).all()
    without = train(replace(TINY, weight=0.0), data=DATA, progress=False).history
    assert (without[["added", "seconds_added"]] == 0).all(axis=None)


def test_the_same_run_gives_the_same_bits_and_leaves_the_global_state_alone():
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = train(TINY, data=DATA, progress=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(8)
    assert_same(first, train(TINY, data=DATA, progress=False))
    other = train(replace(TINY, seed=1), data=DATA, progress=False)
    assert not np.array_equal(first.history["loss"], other.history["loss"])


class Dropping(torch.nn.Module):
    """A network with chance in it, that is no UNet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Dropout(0.5), torch.nn.Conv2d(4, 1, 1)
        )

    def forward(self, images):
        return self.layers(images)


@pytest.mark.parametrize("stop", [1, 2, 5])
@pytest.mark.parametrize("own", [False, True], ids=["UNet", "own network with dropout"])
def test_a_run_that_an_exception_ends_goes_on_to_the_same_bits(tmp_path, monkeypatch, stop, own):
    def network():
        return Dropping() if own else None

    whole = train(TINY, data=DATA, model=network(), progress=False)
    path = tmp_path / "net.safetensors"

    def fail(*arguments, step, **options):
        if step == stop:
            raise KeyboardInterrupt
        return draw_batch(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "draw_batch", fail)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data=DATA, model=network(), out=path, progress=False)
    monkeypatch.undo()
    assert path.exists() == (stop >= TINY.checkpoint_every)
    if path.exists():
        assert load_checkpoint(path).step == stop // 2 * 2
    resumed = train(TINY, data=DATA, model=network(), out=path, resume=True, progress=False)
    assert_same(resumed, whole)
    assert_same(load_checkpoint(path), whole)


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_training import DATA, TINY
from toposeg_lite.training import train
flush, calls = os.fsync, []
def kill_at_the_second_checkpoint(descriptor):
    calls.append(descriptor)
    if len(calls) == 2:  # its bytes are written, its name is not yet
        os.kill(os.getpid(), signal.SIGKILL)
    flush(descriptor)
os.fsync = kill_at_the_second_checkpoint
train(TINY, data=DATA, out={path!r}, progress=False)
"""


def test_a_kill_while_a_checkpoint_is_written_leaves_the_previous_one(tmp_path):
    path = tmp_path / "net.safetensors"
    script = KILLED.format(tests=str(Path(__file__).parent), path=str(path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (tmp_path / "net.safetensors.partial").exists()
    assert load_checkpoint(path).step == 2
    resumed = train(TINY, data=DATA, out=path, resume=True, progress=False)
    assert_same(resumed, train(TINY, data=DATA, progress=False))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_finished_run_is_read_and_not_trained_again(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    end = train(TINY, data=DATA, out=path, progress=False)
    monkeypatch.setattr(loop, "draw_batch", None)
    assert_same(train(TINY, data=DATA, out=path, resume=True, progress=False), end)


def test_two_runs_from_one_checkpoint_see_the_same_crops_and_go_on_with_its_optimizer(monkeypatch):
    parent = train(TINY, data=DATA, progress=False)
    before = {name: tensor.clone() for name, tensor in numbers_as_tensors(parent).items()}
    seen: list[list[bytes]] = []

    def record(*arguments, **options):
        images, masks = draw_batch(*arguments, **options)
        seen[-1].append(images.tobytes())
        return images, masks

    monkeypatch.setattr(loop, "draw_batch", record)
    ends = []
    for weight in (0.0, 1.0):
        seen.append([])
        config = replace(TINY, weight=weight, steps=4)
        ends.append(train(config, data=DATA, start=parent, progress=False))
    assert seen[0] == seen[1]
    expected = [draw_batch(DATA.train, step=6 + k, seed=0, patch=16, batch=2, light=TINY.light)
                for k in range(4)]  # fmt: skip
    assert seen[0] == [images.tobytes() for images, _ in expected]
    assert [end.step for end in ends] == [10, 10]
    assert ends[0].optimizer["0.step"] == 10
    assert ends[0].parent == ends[1].parent != parent.parent
    assert not torch.equal(ends[0].weights["head.weight"], ends[1].weights["head.weight"])
    for name, tensor in numbers_as_tensors(parent).items():
        assert torch.equal(tensor, before[name])  # a start is never written to


def numbers_as_tensors(checkpoint):
    return checkpoint.weights | {f"optimizer.{k}": v for k, v in checkpoint.optimizer.items()}


def test_going_on_from_a_checkpoint_is_the_same_as_never_stopping():
    whole = train(TINY, data=DATA, progress=False)
    half = train(replace(TINY, steps=3), data=DATA, progress=False)
    end = train(replace(TINY, steps=3), data=DATA, start=half, progress=False)
    assert all(torch.equal(end.weights[name], whole.weights[name]) for name in whole.weights)


def test_annealing_begins_anew_with_each_run():
    parent = train(TINY, data=DATA, progress=False)
    plain, annealed = (
        train(replace(TINY, steps=4, anneal=anneal), data=DATA, start=parent, progress=False)
        for anneal in (False, True)
    )
    # The first step still has the whole learning rate; the second one a smaller one.
    assert plain.history["loss"][1] == annealed.history["loss"][1]
    assert plain.history["loss"][2] != annealed.history["loss"][2]


def test_a_run_is_not_resumed_as_another_one(tmp_path):
    path = tmp_path / "net.safetensors"
    train(TINY, data=DATA, out=path, progress=False)
    with pytest.raises(FileExistsError, match="resume=True"):
        train(TINY, data=DATA, out=path, progress=False)
    with pytest.raises(ValueError, match=r"weight was 0\.5 and is now 0\.1; seed was 0 and"):
        train(replace(TINY, seed=1, weight=0.1), data=DATA, out=path, resume=True, progress=False)
    start = train(replace(TINY, steps=1), data=DATA, progress=False)
    with pytest.raises(ValueError, match="it started from other weights"):
        train(TINY, data=DATA, start=start, out=path, resume=True, progress=False)
    # Options that JSON keeps as lists are still the same options.
    windows = replace(TINY, loss_options={"window": (8, 8)})
    train(windows, data=DATA, out=tmp_path / "windows.safetensors", progress=False)
    train(windows, data=DATA, out=tmp_path / "windows.safetensors", resume=True, progress=False)
    # What decides no number may change.
    other = replace(TINY, checkpoint_every=5, root="elsewhere")
    assert train(other, data=DATA, out=path, resume=True, progress=False).step == 6


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    calls = []

    class Diverging(torch.nn.Module):
        def forward(self, logits, target):
            calls.append(1)
            return (logits * 0).sum() + (float("inf") if len(calls) == 4 else 0)

    monkeypatch.setattr(loop, "make_loss", lambda *_, **__: Diverging())
    with pytest.raises(FloatingPointError, match="inf at step 3: lower the learning rate"):
        train(TINY, data=DATA, out=tmp_path / "net.safetensors", progress=False)
    assert load_checkpoint(tmp_path / "net.safetensors").step == 2


SHARED = """
import sys
sys.path.insert(0, {tests!r})
from accelerate import Accelerator
from test_training import DATA, TINY
from toposeg_lite.training import train
assert Accelerator().num_processes == 2
train(TINY, data=DATA, out={path!r}, progress=False)
"""


def test_two_processes_share_each_batch_and_one_writes(tmp_path):
    path, script = tmp_path / "net.safetensors", tmp_path / "script.py"
    script.write_text(SHARED.format(tests=str(Path(__file__).parent), path=str(path)))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         str(script)],
        env=os.environ | {"ACCELERATE_USE_CPU": "true"}, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    found, alone = load_checkpoint(path), train(TINY, data=DATA, progress=False)
    np.testing.assert_allclose(found.history["loss"], alone.history["loss"], rtol=1e-5)
    for name, tensor in alone.weights.items():
        torch.testing.assert_close(found.weights[name], tensor, rtol=1e-3, atol=1e-5)


def test_bfloat16_is_refused_where_it_is_slow_and_trains_where_it_is_not(monkeypatch):
    config = replace(TINY, precision="bfloat16")
    monkeypatch.setattr(loop, "_has_fast_bfloat16", lambda device: False)
    with pytest.raises(ValueError, match=r"no fast bfloat16\. Use precision='float32'"):
        train(config, data=DATA, progress=False)
    monkeypatch.setattr(loop, "_has_fast_bfloat16", lambda device: True)
    end = train(config, data=DATA, progress=False)
    plain = train(TINY, data=DATA, progress=False)
    assert {tensor.dtype for tensor in end.weights.values()} == {torch.float32}
    assert not np.array_equal(end.history["loss"], plain.history["loss"])
    np.testing.assert_allclose(end.history["loss"], plain.history["loss"], rtol=0.05)


def test_volumes_are_trained_predicted_and_scored():
    rng = np.random.default_rng(0)
    tube = np.zeros((9, 14, 16), bool)
    tube[3:6, :, 6:9] = True
    image = np.clip(tube * 0.5 + rng.normal(0.2, 0.1, tube.shape), 0, 1).astype(np.float32)
    sample = Sample("tube", image[None], tube)
    data = replace(DATA, train=(sample,), validation=(sample,), test=(sample,), patch=8)
    end = train(replace(TINY, patch=(4, 8, 8), weight=0.0), data=data, progress=False)
    table = evaluate(end.model(), data.test, labels="foreground", patch=8, window=(4, 8, 8)).table
    assert {"dice", "betti_0_error", "betti_2_error"} <= set(table)


# --- Checkpoints ---


def test_a_checkpoint_survives_its_file(tmp_path):
    end = train(replace(TINY, patch=(16, 12)), data=DATA, progress=False)
    path = tmp_path / "net.safetensors"
    end.save(path)
    first = path.read_bytes()
    found = load_checkpoint(path)
    assert_same(found, end)
    assert found.config == end.config
    assert found.history.equals(end.history)
    assert found.finished
    image = torch.rand(1, 1, 20, 30)
    assert torch.equal(found.model()(image), end.model()(image))
    found.save(path)
    assert path.read_bytes() == first  # the same content is the same file


def test_weights_of_another_network_are_refused():
    end = train(TINY, data=DATA, progress=False)
    with pytest.raises(ValueError, match="another network's weights"):
        end.model(UNet(1, width=3))
    own = train(TINY, data=DATA, model=Dropping(), progress=False)
    with pytest.raises(ValueError, match="pass the network as `model`"):
        own.model()
    assert torch.equal(own.model(Dropping()).layers[0].weight, own.weights["layers.0.weight"])


class Trap:
    """Unpickling it leaves a file behind."""

    def __reduce__(self):
        return (open, (self.path, "w"))

    def __init__(self, path: str) -> None:
        self.path = path


def test_no_pickle_is_loaded_and_no_damaged_or_foreign_file(tmp_path):
    sprung = tmp_path / "sprung"
    path = tmp_path / "net.safetensors"
    path.write_bytes(pickle.dumps(Trap(str(sprung))))
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        load_checkpoint(path)
    torch.save({"weights": Trap(str(sprung))}, path)
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        load_checkpoint(path)
    assert not sprung.exists()
    train(TINY, data=DATA, progress=False).save(path)
    whole = path.read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="no checkpoint that can be read"):
            load_checkpoint(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="not written by this version"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="there is no checkpoint at"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_a_full_disk_leaves_the_previous_file(tmp_path):
    path = tmp_path / "net.safetensors"
    end = train(TINY, data=DATA, progress=False)
    end.save(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # no file may grow further
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            replace(end, step=99).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(path).step == 6
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_after_writing_leaves_the_previous_file(tmp_path, monkeypatch, function):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "note.txt"
    write_atomically(path, b"before")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]
    assert path.read_bytes() == b"before"


# --- Prediction and scores ---


class Pointwise(torch.nn.Module):
    """Its likelihood is the image, so windows must leave no trace."""

    def forward(self, images):
        return torch.logit(images, eps=1e-6)


@pytest.mark.parametrize(("window", "overlap"), [(5, 0.0), (8, 0.25), ((3, 40), 0.9), (100, 0.5)])
def test_windows_leave_no_trace(window, overlap):
    image = np.random.default_rng(0).uniform(0.01, 0.99, (1, 21, 34)).astype(np.float32)
    found = predict(Pointwise(), image, window=window, overlap=overlap)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image[0], atol=1e-5)


def test_an_image_within_one_window_is_seen_whole():
    model, image = UNet(2, width=2, depth=2).train(), np.random.default_rng(0).random((2, 9, 13))
    expected = model(torch.tensor(image, dtype=torch.float32)[None]).sigmoid()[0, 0].detach()
    np.testing.assert_allclose(predict(model, image, window=13), expected, atol=1e-6)
    assert model.training


class Seeing(torch.nn.Module):
    """Records what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = []

    def forward(self, images):
        self.shown.append((images.shape[2:], self.training))
        return torch.zeros_like(images)


def test_windows_cover_the_image_and_overlap_as_asked():
    model = Seeing()
    found = predict(model, np.zeros((1, 30, 20), np.float32), window=10, overlap=0.5)
    assert (found == 0.5).all()
    assert len(model.shown) == 5 * 3
    assert set(model.shown) == {((10, 10), False)}


def test_evaluation_scores_each_image_with_its_settings():
    samples = DATA.test
    found = evaluate(Pointwise(), samples, labels="background", connectivity=1, patch=12)
    assert list(found.table.index) == [sample.name for sample in samples]
    for sample in samples:
        likelihood = found.likelihoods[sample.name]
        np.testing.assert_allclose(likelihood, np.clip(sample.image[0], 1e-6, 1 - 1e-6), atol=1e-5)
        expected = metrics.report(likelihood >= 0.5, sample.mask, labels="background",
                                  connectivity=1, patch=12)  # fmt: skip
        assert found.table.loc[sample.name].to_dict() == expected


# --- Comparisons ---

SMALL = CompareConfig(
    "brick", weight=(0.1, 1.0), pretrain_steps=4, finetune_steps=3, patch=16, batch=2, width=2,
    depth=2,
)  # fmt: skip


def compare(folder: Path, config: CompareConfig = SMALL) -> tuple[Comparison, dict]:
    folder.mkdir(exist_ok=True)
    comparison = Comparison(config, folder, data=DATA, progress=False)
    comparison.train_parent()
    comparison.train_arms()
    comparison.choose()
    comparison.score()
    return comparison, comparison.save()


def without_times(results: dict) -> dict:
    return {key: value for key, value in results.items() if key != "times"}


def test_a_comparison_differs_in_nothing_but_the_loss(tmp_path):
    comparison, results = compare(tmp_path / "run")
    networks = comparison.networks
    assert list(networks) == ["parent", "control", "topological-0.1", "topological-1"]
    parent = networks["parent"]
    assert parent.config.weight == 0
    arms = [networks[name] for name in list(networks)[1:]]
    assert {arm.parent for arm in arms} == {loop.digest(parent.weights)}
    assert {(arm.start, arm.step) for arm in arms} == {(4, 7)}
    assert {arm.config.anneal for arm in arms} == {True}
    assert [arm.config.weight for arm in arms] == [0, 0.1, 1]
    assert all(replace(arm.config, weight=0.0) == arms[0].config for arm in arms)
    # The first step sees the same crops with the same weights: only then do they part.
    assert len({arm.history["dice_bce"][0] for arm in arms}) == 1
    assert len({arm.history["dice_bce"][2] for arm in arms}) == 3
    assert results["chosen_weight"] in (0.1, 1.0)
    assert list(results["test"]) == ["parent", "control", "topological"]
    assert list(results["validation"]) == ["control", "topological-0.1", "topological-1"]
    assert list(results["test"]["control"]) == ["ring-0", "ring-1", "ring-2"]
    assert results["settings"] == {
        "connectivity": 2, "patch": 12, "border": "open", "labels": "foreground",
        "reference": "exact",
    }  # fmt: skip
    assert results["parameters"] == SMALL.as_dict()
    assert CompareConfig(**results["parameters"]) == SMALL
    assert results["versions"]["torch"] == torch.__version__
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == results


def test_the_weight_is_chosen_on_validation_images_and_test_images_are_left_alone(tmp_path):
    comparison, results = compare(tmp_path / "run")
    for images in results["validation"].values():
        assert list(images) == ["other-ring-0", "other-ring-1"]
    means = comparison.choose()
    for weight, name in ((0.0, "control"), (0.1, "topological-0.1"), (1.0, "topological-1")):
        scores = [row["betti_error"] for row in results["validation"][name].values()]
        assert means.loc[weight, "betti_error"] == pytest.approx(np.mean(scores))
    assert results["chosen_weight"] == choose_weight(means.drop(0.0))


def test_the_table_holds_the_means_over_the_test_images(tmp_path):
    comparison, results = compare(tmp_path / "run")
    table = comparison.score()
    for label, images in results["test"].items():
        for key, title in (("dice", "Dice"), ("betti_0_error", "Betti-0 error"),
                           ("variation_of_information", "VOI (bits)")):  # fmt: skip
            mean = np.mean([row[key] for row in images.values()])
            assert table.loc[label, title] == pytest.approx(mean)
    assert (table["seconds per step"] > 0).all()
    assert table["share of loss"].gt(0).tolist() == [False, False, True]
    assert table["share of loss"].max() < 1
    said = comparison.caption()
    for text in ("3 test images", "exact references", "12 x 12", "8 neighbours", "connectivity 2"):
        assert text in said


def test_a_comparison_that_was_interrupted_ends_with_the_same_numbers(tmp_path, monkeypatch):
    _, whole = compare(tmp_path / "whole")
    for stop in (2, 5):  # within the parent, and within the control

        def fail(*arguments, step, stop=stop, **options):
            if step == stop:
                raise KeyboardInterrupt
            return draw_batch(*arguments, step=step, **options)

        monkeypatch.setattr(loop, "draw_batch", fail)
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path / f"broken-{stop}")
        monkeypatch.undo()
        _, resumed = compare(tmp_path / f"broken-{stop}")
        assert without_times(resumed) == without_times(whole)
        for name in ("parent", "control", "topological-0.1", "topological-1"):
            file = f"{name}.safetensors"
            assert_same(load_checkpoint(tmp_path / f"broken-{stop}" / file),
                        load_checkpoint(tmp_path / "whole" / file))  # fmt: skip


def test_steps_out_of_order_say_what_comes_first(tmp_path):
    comparison = Comparison(SMALL, tmp_path, data=DATA, progress=False)
    with pytest.raises(RuntimeError, match="there is no parent yet: call train_parent"):
        comparison.train_arms()
    with pytest.raises(RuntimeError, match=r"call train_parent\(\), then train_arms"):
        comparison.choose()
    with pytest.raises(RuntimeError, match=r"no weight is chosen yet: call choose\(\)"):
        comparison.score()
    for method in (comparison.verdict, comparison.picture, comparison.count_differences):
        with pytest.raises(RuntimeError, match=r"nothing is scored yet: call score\(\)"):
            method()


@pytest.mark.parametrize(
    ("dice", "betti", "chosen"),
    [
        ([0.80, 0.80, 0.80], [3.0, 1.0, 2.0], 0.1),
        ([0.80, 0.78, 0.80], [3.0, 1.0, 2.0], 1.0),  # the best costs too much overlap
        ([0.80, 0.79, 0.70], [3.0, 3.0, 0.0], 0.01),  # among equals the smallest
        ([0.50, 0.60, 0.70], [0.0, 0.0, 9.0], 1.0),
    ],
)
def test_the_weight_is_chosen_by_betti_error_within_one_point_of_dice(dice, betti, chosen):
    scores = pd.DataFrame({"dice": dice, "betti_error": betti}, index=[0.01, 0.1, 1.0])
    assert choose_weight(scores) == chosen
    assert choose_weight(scores[::-1]) == chosen


@pytest.mark.parametrize(
    ("arm", "control", "verdict"),
    [
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], "better"),
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], "worse"),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], "no clear difference"),
        ([0.0, 2.1, 2.1], [9.0, 2.0, 2.0], "no clear difference"),  # one image alone is better
        ([9.0, 1.9, 1.9], [0.0, 2.0, 2.0], "no clear difference"),
        ([1.999, 1.999], [2.0, 2.0], "no clear difference"),  # less than one per cent
        ([0.0], [0.0], "no clear difference"),
        ([0.0], [1.0], "better"),
    ],
)
def test_the_verdict_is_made_from_the_numbers(arm, control, verdict):
    assert judge(arm, control) == verdict


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_sentence_says_what_the_numbers_say(tmp_path, factor):
    comparison, _ = compare(tmp_path / "run")
    control = comparison.test["control"].table
    control["betti_error"] = [1.0, 2.0, 3.0]
    arm = copy.deepcopy(control)
    arm["betti_error"] = control["betti_error"] * factor
    arm["dice"] = control["dice"] - 0.25
    comparison.test["topological"] = replace(comparison.test["topological"], table=arm)
    found = comparison.verdict()
    outcome = {0.5: "better", 1.0: "no clear difference", 2.0: "worse"}[factor]
    lower, higher = 3 * (factor < 1), 3 * (factor > 1)
    assert found["outcome"] == outcome
    assert found["sentence"].startswith(f"Topology: {outcome}. ")
    size = f"summed over dimensions, of {2 * factor:.3f} per patch of 12 x 12"
    assert size in found["sentence"]
    assert "has 2.000" in found["sentence"]
    counts = f"lower in {lower}, higher in {higher} and equal in {3 - lower - higher} of 3"
    assert counts in found["sentence"]
    assert "Dice changes by -0.2500" in found["sentence"]


def test_pictures_mark_what_the_table_counts(tmp_path):
    comparison, _ = compare(tmp_path / "run")
    counts = comparison.count_differences()
    figure = comparison.picture(limit=2)
    assert (tmp_path / "run" / "comparison.png").read_bytes()[1:4] == b"PNG"
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["image: ring-0", "reference"]
    assert len(titles) == 8
    found = comparison.differences()
    for label in ("control", "topological"):
        assert counts.loc["all", label] == sum(map(len, found[label]))
        for row in range(2):
            axes = figure.axes[4 * row + 2 + list(found).index(label)]
            marks = sum(len(line.get_xdata()) for line in axes.lines)
            assert marks == len(found[label][row])
            assert axes.get_title().startswith(f"{label}: {marks} difference")
    assert len(comparison.curves().axes[0].lines) == 3


def test_a_folder_never_overwrites_a_run(tmp_path):
    first = prepare_folder(SMALL, out=tmp_path)
    assert first == tmp_path / "brick-topological-seed0"
    assert prepare_folder(SMALL, out=tmp_path) == first  # empty: nothing to lose
    (first / "parent.safetensors").touch()
    second = prepare_folder(SMALL, out=tmp_path)
    assert second.name == "brick-topological-seed0-2"
    assert prepare_folder(SMALL, out=tmp_path, resume=True) == first
    (second / "metrics.json").touch()
    assert prepare_folder(SMALL, out=tmp_path, resume=True) == second
    assert prepare_folder(SMALL, out=tmp_path).name == "brick-topological-seed0-3"
    with pytest.raises(FileExistsError, match="holds a run: pass resume=True"):
        prepare_folder(SMALL, out=tmp_path, name=first.name)
    assert prepare_folder(SMALL, out=tmp_path, name=first.name, resume=True) == first

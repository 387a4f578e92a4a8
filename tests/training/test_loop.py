"""Training: the same numbers however often it is stopped, and files that are whole or absent."""

from __future__ import annotations

import errno
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_data import DATA, TINY, assert_same

from toposeg_lite.data import Dataset, Sample
from toposeg_lite.files import write_atomically
from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
from toposeg_lite.losses.base import Loss
from toposeg_lite.models import UNet
from toposeg_lite.training import (
    TrainConfig,
    draw_batch,
    evaluate,
    load_checkpoint,
    loop,
    train,
)

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


def test_what_is_computed_meanwhile_changes_no_bit(monkeypatch):
    ends = [train(TINY, data=DATA, progress=False)]
    # Now nothing begins before it is asked for.
    monkeypatch.setattr(TopologicalLoss, "start", Loss.start)
    monkeypatch.setattr(loop._Steps, "_take", loop._Steps._draw)
    ends.append(train(TINY, data=DATA, progress=False))
    for name, weight in ends[0].weights.items():
        assert torch.equal(weight, ends[1].weights[name]), name
    parts = ["loss", "dice_bce", "added"]
    assert ends[0].history[parts].equals(ends[1].history[parts])


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
from training_data import DATA, TINY
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
    script = KILLED.format(tests=str(Path(__file__).parents[1]), path=str(path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    left = {re.sub("[0-9a-f]{8}", "*", file.name) for file in tmp_path.iterdir()} - {path.name}
    assert left == {"net.safetensors.*.partial", "net.safetensors.lock"}
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


def test_numbers_of_numpy_are_stored_as_plain_ones(tmp_path):
    numbers = {"steps": 2, "seed": 1, "learning_rate": 0.5, "light": 0.25, "anneal": True}
    plain = replace(TINY, patch=(16, 16), validation_window=(256, 256), **numbers)
    config = replace(
        TINY,
        patch=(np.int64(16), np.int16(16)),
        steps=np.int32(2),
        seed=np.uint8(1),
        weight=np.float32(0.5),
        learning_rate=np.float16(0.5),
        light=np.float32(0.25),
        anneal=np.True_,
        validation_window=[np.int64(256), 256],
    )
    assert config == plain
    for value in config.as_dict().values():
        for part in value if isinstance(value, list) else [value]:
            assert not isinstance(part, np.generic)
    path = tmp_path / "net.safetensors"
    train(config, data=DATA, out=path, progress=False)  # JSON keeps the configuration in the file
    assert load_checkpoint(path).config == config


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
from dataclasses import replace
from functools import partial
sys.path.insert(0, {tests!r})
from accelerate import Accelerator, debug_launcher, notebook_launcher
from training_data import DATA, TINY
from toposeg_lite.training import train
config = replace(TINY, validate_every=3, patience=1)
run = partial(train, config, data=DATA, out={path!r}, progress=False)
def shared():
    assert Accelerator().num_processes == 2
    run()
{call}
"""
#: `debug_launcher` forks processes as `notebook_launcher` does where there are several GPUs.
WAYS = {
    "accelerate launch": (["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"],
                          "shared()"),
    "from a notebook": ([], "debug_launcher(shared, num_processes=2)"),
    "from a notebook, one processor": ([], "notebook_launcher(run, num_processes=1)"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_processes_share_each_batch_and_one_writes(way, tmp_path):
    path, script = tmp_path / "net.safetensors", tmp_path / "script.py"
    launcher, call = WAYS[way]
    script.write_text(
        SHARED.format(tests=str(Path(__file__).parents[1]), path=str(path), call=call)
    )
    done = subprocess.run(
        [sys.executable, *launcher, str(script)],
        env=os.environ | {"ACCELERATE_USE_CPU": "true"}, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    config = replace(TINY, validate_every=3, patience=1)
    found, alone = load_checkpoint(path), train(config, data=DATA, progress=False)
    assert found.validation["step"].tolist() == alone.validation["step"].tolist()
    np.testing.assert_allclose(found.validation["dice"], alone.validation["dice"], rtol=1e-3)
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

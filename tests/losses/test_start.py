"""Losses that are started and collected later: same bits, threads that end, errors handed on."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest
import torch
from loss_batches import name_of, random_batch

from toposeg_lite.losses import (
    ClDiceLoss,
    DiceBCELoss,
    HomotopyWarpingLoss,
    MorseLoss,
    SumLoss,
    TopologicalLoss,
    common,
    topological,
)
from toposeg_lite.topology import threads

LOSSES = [
    (DiceBCELoss, {}),
    (TopologicalLoss, {}),
    (TopologicalLoss, {"matching": "rank", "reduction": "none"}),
    (TopologicalLoss, {"window": 6, "overlap": 2, "matching": "betti"}),
    (HomotopyWarpingLoss, {}),
    (HomotopyWarpingLoss, {"pixel_loss": "dice", "reduction": "sum"}),
    (MorseLoss, {"of": "both"}),
    (MorseLoss, {"structure": "patches"}),
    (ClDiceLoss, {"iterations": 2}),
    (ClDiceLoss, {"skeleton": "thin", "reduction": "none"}),
]
ON_HOST = [TopologicalLoss, HomotopyWarpingLoss, MorseLoss]
SHAPES = [(2, 1, 9, 13), (3, 3, 8, 11), (2, 1, 5, 6, 7)]


def slope(value, leaf):
    return torch.autograd.grad(value.sum(), leaf)[0]


@pytest.mark.parametrize(("loss", "options"), LOSSES, ids=name_of)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_started_loss_has_the_bits_of_the_plain_call(shape, dtype, loss, options):
    logits, target = random_batch(1, shape, dtype)
    logits.requires_grad_()
    plain = loss(**options)(logits, target)
    pending = loss(**options).start(logits, target)
    later = pending.result()
    assert later.dtype == plain.dtype
    assert torch.equal(later, plain)
    assert torch.equal(slope(later, logits), slope(plain, logits))


def test_the_number_of_threads_changes_no_bit():
    logits, target = random_batch(2, (5, 1, 30, 31))
    logits.requires_grad_()
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            value = TopologicalLoss().start(logits, target).result()
            results.append((value.detach(), slope(value, logits)))
    finally:
        torch.set_num_threads(before)
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])


def parts():
    return {
        "first": TopologicalLoss(),
        "pixels": DiceBCELoss(),
        "late": MorseLoss(),
        "last": HomotopyWarpingLoss(),
        "inner": SumLoss({"warping": HomotopyWarpingLoss(), "lines": ClDiceLoss(iterations=1)}),
        "thin": ClDiceLoss(skeleton="thin"),
        "foreign": torch.nn.BCEWithLogitsLoss(),
    }


def test_a_started_sum_has_the_bits_of_the_plain_call_and_counts_alike():
    logits, target = random_batch(3)
    logits.requires_grad_()
    target = target[:, None].float()
    options = {"starts": {"late": 1}, "warm_up": {"last": 3}, "weights": {"first": 0.3}}
    one, other = SumLoss(parts(), **options), SumLoss(parts(), **options)
    for step in range(4):
        plain, later = one(logits, target), other.start(logits, target).result()
        assert torch.equal(later, plain)
        assert torch.equal(slope(later, logits), slope(plain, logits))
        assert one.values == other.values
        assert list(one.values) == list(other.values)
        assert one.step == other.step == step + 1
    with torch.no_grad():
        other.start(logits, target).result()
    assert other.step == 4


def test_two_started_sums_are_two_steps():
    logits, target = random_batch(4)
    plain, early = (
        SumLoss({"pixels": DiceBCELoss(), "late": MorseLoss()}, starts={"late": 1})
        for _ in range(2)
    )
    expected = [plain(logits, target), plain(logits, target)]
    pending = [early.start(logits, target), early.start(logits, target)]
    assert [each.result() for each in pending] == expected


def test_a_result_may_be_asked_for_again():
    pending = TopologicalLoss().start(*random_batch(5))
    assert pending.result() is pending.result()


class Gate:
    """What a loss's kernels do: say that they are there, and wait until they may go on."""

    def __init__(self):
        self.reached, self.open, self.taken = threading.Event(), threading.Event(), []

    def pass_through(self, *_, **__):
        self.taken.append(threading.current_thread())
        self.reached.set()
        assert self.open.wait(60)


@pytest.fixture
def gate(monkeypatch):
    """Let the images of a topological loss wait at a gate, one at a time."""
    gate, work = Gate(), topological._window_cost
    monkeypatch.setattr(
        topological, "_window_cost", lambda *given: (gate.pass_through(), work(*given))[1]
    )
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield gate
    gate.open.set()
    torch.set_num_threads(before)


def test_the_caller_goes_on_while_the_kernels_run(gate):
    logits, target = random_batch(6, (3, 1, 9, 13))
    pending = TopologicalLoss().start(logits, target)
    assert gate.reached.wait(60)  # this thread is here, and the kernels are there
    assert gate.taken != [threading.current_thread()]
    gate.open.set()
    assert torch.equal(pending.result(), TopologicalLoss()(logits, target))
    assert set(gate.taken[:3]).isdisjoint({threading.current_thread()})


def test_all_parts_of_a_sum_are_at_work_at_once(monkeypatch):
    together, met = threading.Barrier(3), []
    for loss in ON_HOST:
        work = loss._find

        def find(self, host, work=work):
            met.append(together.wait(60))
            return work(self, host)

        monkeypatch.setattr(loss, "_find", find)
    loss = SumLoss({kind.__name__: kind() for kind in ON_HOST})
    assert loss.start(*random_batch(7)).result().isfinite()
    assert sorted(met) == [0, 1, 2]


def test_the_torch_parts_of_a_sum_are_computed_before_kernels_are_waited_for(gate):
    class Opens(torch.nn.Module):
        def forward(self, logits, target):
            gate.open.set()
            return logits.mean()

    loss = SumLoss({"topology": TopologicalLoss(), "plain": Opens()})
    loss.start(*random_batch(8)).result()  # else the gate would stay shut
    assert list(loss.values) == ["topology", "plain"]


@pytest.mark.parametrize("loss", ON_HOST, ids=name_of)
def test_wrong_values_are_raised_by_the_result_each_time(loss):
    logits, target = random_batch(9)
    logits[0, 0, 2, 3] = torch.nan
    pending = loss().start(logits, target)
    for _ in range(2):
        with pytest.raises(ValueError, match="logits hold 1 values that are NaN"):
            pending.result()
    pending = SumLoss({"pixels": DiceBCELoss(), "other": loss()}).start(logits, target)
    with pytest.raises(ValueError, match="NaN"):
        pending.result()


@pytest.mark.parametrize("loss", ON_HOST, ids=name_of)
def test_wrong_shapes_are_raised_by_the_start(loss):
    logits, target = random_batch(10)
    with pytest.raises(ValueError, match="target must have the shape"):
        loss().start(logits, target.mT)
    with pytest.raises(TypeError, match="logits must be a torch tensor"):
        SumLoss({"one": loss()}).start(logits.numpy(), target)


@pytest.mark.parametrize("which", ["logits", "target"])
@pytest.mark.parametrize("loss", [*ON_HOST, DiceBCELoss], ids=name_of)
def test_a_change_in_place_is_noticed(loss, which):
    logits, target = random_batch(11)
    pending = loss().start(logits, target)
    {"logits": logits, "target": target}[which].mul_(1)
    with pytest.raises(RuntimeError, match="changed in place between"):
        pending.result()


def test_tensors_of_inference_mode_are_taken():
    logits, target = random_batch(12)
    with torch.inference_mode():
        logits = logits * 1
        pending = TopologicalLoss().start(logits, target)
        assert torch.equal(pending.result(), TopologicalLoss()(logits, target))


def test_a_dropped_handle_leaves_no_thread(gate):
    before = set(threading.enumerate())
    pending = SumLoss({"a": TopologicalLoss(), "b": DiceBCELoss()}).start(
        *random_batch(13, (9, 1, 9, 13))
    )
    assert gate.reached.wait(60)
    (thread,) = set(threading.enumerate()) - before
    handle = weakref.ref(pending)
    del pending
    gc.collect()
    assert handle() is None
    gate.open.set()
    thread.join(60)
    assert not thread.is_alive()
    assert len(gate.taken) == 1  # the image in work, and none after it


def until(condition):
    """Wait for a state, for a minute at most."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def interrupts():
    """Let Ctrl-C interrupt, also where a shell has begun the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of threads")
def test_an_interrupt_while_waiting_stops_the_kernels(monkeypatch):
    main, before, taken = threading.main_thread().ident, set(threading.enumerate()), []

    def main_is_waiting():
        frame, names = sys._current_frames()[main], []
        while frame is not None:
            names.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return "Background.wait" in names

    def interrupt_main(*_):
        taken.append(1)
        until(main_is_waiting)
        signal.pthread_kill(main, signal.SIGINT)
        until(threads._UNWANTED.get().is_set)
        raise AssertionError("the interrupt comes before this")

    monkeypatch.setattr(topological, "_window_cost", interrupt_main)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    pending = TopologicalLoss().start(*random_batch(14, (9, 1, 9, 13)))
    with pytest.raises(KeyboardInterrupt):
        pending.result()
    assert set(threading.enumerate()) <= before
    assert len(taken) == 1


def test_after_an_interrupt_there_is_no_result():
    work = threads.Background(lambda: threads.map_in_threads(abs, [1, 2], 1))
    assert work.wait() == [1, 2]
    work._outcome.unwanted.set()
    assert work.wait() == [1, 2]
    reached, go_on = threading.Event(), threading.Event()

    def item(_):
        reached.set()
        assert go_on.wait(60)

    work = threads.Background(lambda: threads.map_in_threads(item, [1, 2], 1))
    assert reached.wait(60)
    work._outcome.unwanted.set()
    go_on.set()
    with pytest.raises(RuntimeError, match="nobody waits for it"):
        work.wait()


def test_the_kernels_wait_for_a_copy_that_is_under_way(monkeypatch):
    logits, target = random_batch(15)
    arrived = threading.Event()

    class Arrival:
        def synchronize(self):
            assert arrived.wait(60)

    sent = [torch.zeros_like(tensor) for tensor in (logits, target)]
    copies = [common._Copy(copy, copy, Arrival()) for copy in sent]
    with monkeypatch.context() as patch:
        patch.setattr(common, "_send_to_host", lambda *_: copies)
        pending = TopologicalLoss().start(logits, target)
    for copy, tensor in zip(sent, (logits, target), strict=True):
        copy.copy_(tensor)
    arrived.set()
    assert torch.equal(pending.result(), TopologicalLoss()(logits, target))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_from_a_gpu_a_started_sum_has_the_bits_of_the_plain_call(dtype):
    logits, target = random_batch(17, (4, 1, 40, 50), dtype)
    logits, target = logits.cuda().requires_grad_(), target.cuda()
    loss = SumLoss({kind.__name__: kind() for kind in ON_HOST})
    plain, later = loss(logits, target), loss.start(logits, target).result()
    assert torch.equal(plain, later)
    assert torch.equal(slope(plain, logits), slope(later, logits))


FORKS = """
import os, signal, torch
from toposeg_lite.losses import DiceBCELoss, TopologicalLoss, HomotopyWarpingLoss
torch.set_num_threads(2)
logits = torch.linspace(-3, 3, 4 * 128 * 128).reshape(4, 1, 128, 128)
target = (logits[:, 0].roll(7, 1) > 0).long()
losses = [TopologicalLoss(), HomotopyWarpingLoss(), TopologicalLoss(matching="rank")]
expected = [loss(logits, target).item() for loss in losses]
failed = 0
for _ in range(40):
    child = os.fork()
    if not child:
        signal.alarm(600)  # one that hangs would keep the pipe of its output open for ever
        try:
            pending = [loss.start(logits, target) for loss in losses]
            os._exit([each.result().item() for each in pending] != expected)
        except BaseException:
            os._exit(2)
    failed += os.waitpid(child, 0)[1] != 0
print(failed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_losses_that_start_together_after_a_fork(tmp_path):
    """Their threads ask torch for its pool at the same moment: in a fork it was not there."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.stdout.split() == ["0"], done.stderr


def test_the_pool_is_settled_once_and_by_the_thread_that_starts(monkeypatch):
    asked = []
    monkeypatch.setattr(common, "_settled_in", -1)
    count = torch.get_num_threads()
    monkeypatch.setattr(
        torch, "set_num_threads", lambda n: asked.append((n, threading.current_thread()))
    )
    logits, target = torch.zeros(1, 1, 4, 4), torch.eye(4, dtype=torch.long)[None]
    for _ in range(2):
        TopologicalLoss().start(logits, target).result()
    assert asked == [(count, threading.main_thread())]

"""Work that `test_kills.py` kills: a program that does a piece of it in a child of its own.

It reads lines ``KIND FOLDER`` and forks for each, so that nothing is imported or compiled anew. It
says "child" and its number, "begun" when the work begins, what the work itself says, and "ended"
with the status. The child stays a zombie until the next line, so its number is nobody else's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import jupytext  # noqa: F401  (build.py wants these two: imported once, not in every child)
import nbclient  # noqa: F401
import numpy as np
import torch
from accelerate import Accelerator
from training_data import DATA, TINY

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.data import download
from toposeg_lite.losses import make_loss
from toposeg_lite.models import UNet
from toposeg_lite.training import TrainConfig, evaluate, train
from toposeg_lite.workbook.studies import Arm, Study, StudyConfig

TRAINING = replace(TINY, steps=12, checkpoint_every=1, validate_every=3)
STUDY = StudyConfig(
    TrainConfig("brick", patch=16, batch=2, width=2, depth=2, checkpoint_every=1),
    (Arm("rank", "topological", {"matching": "rank"}, (0.1, 1.0)),),
    seeds=(0,), pretrain_steps=4, finetune_steps=3,
)  # fmt: skip
ACTIONS = 40
KINDS = (".png", ".tif", ".nii.gz", ".geojson")


def say(*words):
    """Write a line in one piece: two processes speak."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def likelihood():
    """Noise with some structure."""
    rng = np.random.default_rng(5)
    coarse = rng.random((12, 12))
    return np.clip(np.kron(coarse, np.ones((4, 4))) * rng.uniform(0.8, 1, (48, 48)), 0, 1)


def do_training(folder):
    train(TRAINING, data=DATA, out=folder / "net.safetensors", resume=True, progress=False)


def do_study(folder):
    Study(STUDY, folder, data=DATA, say=lambda line: None).run()


def do_download(folder):
    about = json.loads((folder / "about.json").read_text())
    download.registry = lambda: {"tiny": about["registry"]}
    download._SERVER = about["server"]
    download._user_cache = lambda: folder / "cache"
    with redirect_stderr(StringIO()):
        download.fetch("tiny", folder / "root", terms="be kind")


def act(session, number):
    """Do one of many actions, by its number."""
    count = len(session.branches)
    verb = number % 5
    if verb == 3:
        session.draw([(number % 48, 3), (number % 40, 44)], radius=1)
    elif verb == 4:
        session.erase([(47 - number % 48, number % 30)], radius=2)
    else:
        (session.accept if verb else session.reject)((7 * number) % count)


def do_annotation(folder):
    image = likelihood()
    with AnnotationSession(image, image, folder / "eye.jsonl") as session:
        for number in range(session.progress().actions, ACTIONS):
            act(session, number)
            say("done", number + 1)


def annotated(actions):
    """Return a session without a journal after so many actions."""
    image = likelihood()
    session = AnnotationSession(image, image)
    for number in range(actions):
        act(session, number)
    return session


def do_export(folder):
    """Export one state after the other."""
    for actions in (7, ACTIONS, 7, ACTIONS):
        session = annotated(actions)
        for kind in KINDS:
            session.export(folder / f"mask{kind}")


def do_build(folder):
    """Take what was edited in Jupyter into the text of a chapter, then derive its files."""
    spec = importlib.util.spec_from_file_location("build", folder / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    with redirect_stdout(StringIO()):
        for how in ("--pull", "--no-run"):
            assert build.main([how]) == 0


def child(kind, folder):
    """Do one piece of work and end the process."""
    status = 1
    try:
        say("begun")
        globals()[f"do_{kind}"](Path(folder))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main():
    torch.set_num_threads(1)
    # Kernels are compiled or loaded once; without a gradient, whose threads no fork survives.
    annotated(5).mask()
    with torch.no_grad():
        evaluate(UNet(1, width=2, depth=2), DATA.test, labels="foreground")
        for options in ({}, {"matching": "rank"}):
            make_loss("topological", **options)(torch.randn(1, 1, 8, 8), torch.ones(1, 8, 8))
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)]).step()  # imports a lot
    Accelerator()
    say("ready")
    last = None
    for line in sys.stdin:
        if last is not None:
            os.waitpid(last, 0)
        kind, folder = line.split()
        last = os.fork()
        if not last:
            child(kind, folder)
        say("child", last)
        ended = os.waitid(os.P_PID, last, os.WEXITED | os.WNOWAIT)
        killed = ended.si_code == os.CLD_KILLED and ended.si_status == signal.SIGKILL
        # What the child said comes first, as the pipe is one.
        say("ended", "killed" if killed else ended.si_status)
    if last is not None:
        os.waitpid(last, 0)
    os._exit(0)  # at once: what was imported takes seconds to end


if __name__ == "__main__":
    main()

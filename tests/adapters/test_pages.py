"""The examples of the pages for users of other libraries run as they stand there."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the other libraries


def run(page):
    """Run all blocks of Python of a page, one after the other, and return what they made."""
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", (DOCS / page).read_text())
    assert blocks
    made = {"__name__": f"page_{Path(page).stem}"}
    for block in blocks:
        exec(compile(block, page, "exec"), made)
    return made


def need(*packages):
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def test_monai():
    need("monai", "ignite")
    made = run("monai.md")
    assert all(sample["label"].any() for sample in [*made["crops"], *made["held_out"]])
    history = made["history"]
    assert len(history) == 6
    assert all(torch.isfinite(torch.tensor(history)))
    assert set(made["loss"].values) == {"pixels", "topology"}
    assert made["loss"].values["pixels"] < history[0]
    assert made["evaluator"].state.metrics["betti_matching_error"] >= 0


def test_lightning():
    need("pytorch_lightning", "torchmetrics")
    made = run("lightning.md")
    segmenter, trainer = made["segmenter"], made["trainer"]
    assert all(mask.any() for _, mask in made["crops"])
    assert segmenter.loss.step == 8
    seen = trainer.callback_metrics
    assert seen["train/topology"] > 0
    assert torch.isfinite(seen["train/loss"])
    # The metric is the mean of the function over all images, however they come.
    masks = torch.rand((5, 9, 12), generator=torch.Generator().manual_seed(0)) > 0.5
    pairs = [(masks[:2], masks[1:3]), (masks[2:4], masks[3:])]
    metric = made["BettiMatchingError"](connectivity=1)
    for pair in pairs:
        metric.update(*pair)
    function = made["metrics"].betti_matching_error
    expected = [
        function(a.numpy(), b.numpy(), connectivity=1)
        for first, second in pairs
        for a, b in zip(first, second, strict=True)
    ]
    assert metric.compute() == pytest.approx(sum(expected) / 4)
    assert sum(expected) > 0


def test_annotation():
    made = run("annotation.md")
    session, again, edited, traced = (
        made[name] for name in ("session", "again", "edited", "traced")
    )
    accepted = session.progress().accepted
    assert accepted == 5
    assert (again.mask() == session.mask()).all()
    assert (edited.mask() == session.mask()).all()
    assert again.progress().accepted == edited.progress().accepted == accepted
    assert traced.progress().drawn > 0
    session.close()


class Word(type):
    """A class of which every attribute is there, as a text."""

    def __getattr__(cls, name):
        return f"{cls.__name__}.{name}"


class Standin(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets `import torchvision` succeed where there is none, with empty classes inside.

    segmentation-models-pytorch imports it for some encoders, of which none is used here.
    """

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)

        def attribute(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return Word(name, (), {})

        module.__getattr__ = attribute
        return module

    def exec_module(self, module):
        pass


def test_segmentation_models(monkeypatch):
    need("segmentation_models_pytorch", "timm")
    if importlib.util.find_spec("torchvision") is None:
        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Standin()])
    before = set(sys.modules)
    try:
        made = run("segmentation_models.md")
    finally:  # nothing that met the stand-in is left for other tests
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("torchvision", "timm", "segmentation_models_pytorch"):
                del sys.modules[name]
    assert made["masks"].flatten(1).any(1).all()
    assert made["history"][-1] < made["history"][0]
    assert set(made["loss"].values) == {"pixels", "topology"}
    assert made["predicted"].shape == (4, 64, 64)

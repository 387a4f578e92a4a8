"""The installed nnU-Net plans, preprocesses, trains and predicts with each trainer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nnunet_commands
import numpy as np
import pytest
from PIL import Image

from toposeg_lite.nnunet import TRAINERS

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(find_spec("nnunetv2") is None, reason='needs pip install ".[nnunet]"'),
]
NAMES = [
    "nnUNetTrainerTopological",
    "nnUNetTrainerWarping",
    "nnUNetTrainerMorse",
    "nnUNetTrainerClDice",
    "nnUNetTrainerSkeletonRecall",
    "nnUNetTrainerSCNP",
    "nnUNetTrainerTopograph",
    "nnUNetTrainerTopologicalClDice",
]
#: Number, configuration, and what dataset.json says of the labels: classes, classes with an ignore
#: label in volumes of long voxels, and regions that overlap, with an ignore label.
CLASSES = (701, "2d", {"labels": {"background": 0, "line": 1, "blob": 2}})
VOLUMES = (702, "3d_fullres", {"labels": {"background": 0, "tube": 1, "ignore": 2}})
REGIONS = (
    703,
    "2d",
    {
        "labels": {"background": 0, "whole": [1, 2], "blob": [2], "ignore": 3},
        "regions_class_order": [1, 2],
    },
)
DATA_SETS = {"classes": CLASSES, "volumes": VOLUMES, "regions": REGIONS}


def environment(folder):
    """Return the environment of the commands, whose folders lie in `folder`."""
    paths = [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    if find_spec("torchvision") is None:
        paths.insert(0, str(HERE / "stub"))
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "nnUNet_raw": str(folder / "raw"),
        "nnUNet_preprocessed": str(folder / "preprocessed"),
        "nnUNet_results": str(folder / "results"),
        "nnUNet_extTrainer": os.pathsep.join(map(str, [TRAINERS, HERE / "short_trainers"])),
        "nnUNet_def_n_proc": "1",
        "nnUNet_n_proc_DA": "1",
        "TOPOSEG_WEIGHT": "0.5",
        "CUDA_VISIBLE_DEVICES": "",
    }


class Commands:
    """A process that runs nnU-Net's commands for the data set of a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, nnunet_commands.__file__],
            env=environment(folder),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command):
        """Run a command and return what it printed."""
        self.process.stdin.write(json.dumps([str(part) for part in command]) + "\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(nnunet_commands.END):
                assert line.split()[-1] == "0", "".join(lines[-60:])
                return "".join(lines)
            lines.append(line)
        raise AssertionError("".join(lines[-60:]))

    def close(self):
        self.process.communicate()  # closes its input, which ends it


def scene(rng, shape):
    """Return labels: a broad bent line (1), in a volume a tube, with a blob (2) in it."""
    *depth, row, column = np.indices(shape)
    bend = shape[-2] / 2 + 6 * np.sin(column / 7 + rng.uniform(0, 6))
    away = (row - bend) ** 2 + sum((each - shape[0] / 2) ** 2 for each in depth)
    labels = np.where(away < 9, 1, 0)
    labels[..., 10:16, 10:16] = 2
    return labels


def write_data_set(folder, name):
    """Write six images for training and one for prediction; return the number of the data set."""
    number, _, dataset = DATA_SETS[name]
    volumes = name == "volumes"
    place, ending = folder / "raw" / f"Dataset{number}_tiny", ".nii.gz" if volumes else ".png"
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (place / part).mkdir(parents=True)
    rng = np.random.default_rng(number)
    for k in range(7):
        labels = scene(rng, (12, 40, 40) if volumes else (48, 64))
        image = labels * 70 + rng.normal(50, 15, labels.shape).clip(0, 100)
        if name == "regions":
            labels[40:] = 3  # nobody looked there
        images = "imagesTr" if k < 6 else "imagesTs"
        write(place / images / f"case_{k}_0000{ending}", image)
        if k < 6:
            write(place / "labelsTr" / f"case_{k}{ending}", labels)
    about = {"channel_names": {"0": "light"}, "numTraining": 6, "file_ending": ending, **dataset}
    (place / "dataset.json").write_text(json.dumps(about))
    return number


def write(path, array):
    """Write a PNG, or a volume whose voxels are 2.5 times as long as wide."""
    if path.suffix == ".png":
        Image.fromarray(array.astype(np.uint8)).save(path)
        return
    nibabel = pytest.importorskip("nibabel")
    volume = nibabel.Nifti1Image(array.astype(np.uint8).T, np.diag([1.0, 1.0, 2.5, 1.0]))
    nibabel.save(volume, path)


def read(path):
    if path.suffix == ".png":
        return np.asarray(Image.open(path))
    return np.asarray(pytest.importorskip("nibabel").load(path).dataobj).T


@pytest.fixture(scope="module", params=DATA_SETS)
def planned(request, tmp_path_factory):
    """A data set that nnU-Net has planned and preprocessed: its commands, and its name."""
    folder = tmp_path_factory.mktemp(request.param)
    number = write_data_set(folder, request.param)
    commands = Commands(folder)
    commands.run("nnUNetv2_plan_and_preprocess", "-d", number, "-c", DATA_SETS[request.param][1],
                 "-npfp", 1, "-np", 1, "--verify_dataset_integrity")  # fmt: skip
    yield commands, request.param
    commands.close()


@pytest.mark.parametrize("trainer", ["nnUNetTrainer", *NAMES])
def test_nnunet_trains_and_predicts(planned, trainer):
    commands, name = planned
    folder = commands.folder
    number, configuration, dataset = DATA_SETS[name]
    if trainer == "nnUNetTrainerTopograph" and name == "volumes":
        with pytest.raises(AssertionError, match="loss of images alone"):
            commands.run("nnUNetv2_train", number, configuration, 0, "-tr", f"{trainer}Short",
                         "-device", "cpu")  # fmt: skip
        return
    said = commands.run("nnUNetv2_train", number, configuration, 0, "-tr", f"{trainer}Short",
                        "-device", "cpu")  # fmt: skip
    steps = [
        (float(seconds), float(factor))
        for seconds, factor in re.findall(r"Step: ([\d.]+) s, factor ([\d.]+)", said)
    ]
    losses = [float(value) for value in re.findall(r"train_loss (\S+)", said)]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    # The first epoch is nnU-Net's own, in the second the loss is added with its whole weight.
    weight = 0.0 if trainer == "nnUNetTrainer" else 0.5
    assert [factor for _, factor in steps] == [0.0, 0.0, weight, weight]
    assert ("times 0.5" in said) == bool(weight)
    print(f"{name} {trainer}: seconds a step {[seconds for seconds, _ in steps]}")

    result = folder / "results" / f"Dataset{number}_tiny"
    (result,) = result.glob(f"{trainer}Short__nnUNetPlans__{configuration}")
    assert (result / "fold_0" / "checkpoint_final.pth").exists()
    assert (result / "fold_0" / "validation" / "summary.json").exists()
    kind = json.loads((result / "fold_0" / "debug.json").read_text())["loss"]
    assert ("activation='sigmoid'" in kind) == (bool(weight) and name == "regions")
    assert ("activation='softmax'" in kind) == (bool(weight) and name != "regions")

    images = folder / "raw" / f"Dataset{number}_tiny" / "imagesTs"
    predicted = folder / "predicted" / trainer
    commands.run("nnUNetv2_predict", "-d", number, "-i", images, "-o", predicted, "-f", 0,
                 "-c", configuration, "-tr", f"{trainer}Short", "-device", "cpu",
                 "-npp", 0, "-nps", 0, "--disable_tta")  # fmt: skip
    (path,) = predicted.glob("case_6.*")
    mask = read(path)
    assert mask.shape == ((12, 40, 40) if name == "volumes" else (48, 64))
    assert set(np.unique(mask)) <= set(range(len(dataset["labels"])))


def test_nnunet_finds_the_trainers_by_their_names_alone(tmp_path):
    names = [*NAMES, "nnUNetTrainerNoSuch"]
    code = f"""
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name as find
for name in {names!r}:
    try:
        print("FOUND", find(name).__name__)
    except RuntimeError as error:
        print("MISSED", name)
"""
    paths = environment(tmp_path) | {"nnUNet_extTrainer": str(TRAINERS)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=paths, cwd=tmp_path, text=True, capture_output=True,
        check=True,
    )  # fmt: skip
    assert re.findall("FOUND (.*)", done.stdout) == NAMES
    assert re.findall("MISSED (.*)", done.stdout) == ["nnUNetTrainerNoSuch"]

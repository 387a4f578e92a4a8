"""The trained model that comes with the library, and the command that makes such files."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import numpy as np
import pytest
import torch
from curve_images import curve_data, draw_curves
from safetensors.torch import save_file
from scipy.ndimage import uniform_filter
from torch import nn

from toposeg_lite.data import Sample, photos
from toposeg_lite.metrics import cldice, dice
from toposeg_lite.models import UNet
from toposeg_lite.structures import EvenLight, StructureModel, load_pretrained
from toposeg_lite.structures.pretrained import NAME, pack
from toposeg_lite.training import TrainConfig, train
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.fitting import cross_train, even_data
from toposeg_lite.workbook.studies.make_pretrained import make_pretrained

ASSETS = files("toposeg_lite.data") / "assets"


def sample(seed, shape=(40, 56)):
    """Return a colour image of dark curves under noise, and the mask of most of them."""
    mask, rng = draw_curves(seed, shape)
    image = 0.7 - 0.4 * mask + 0.1 * rng.standard_normal((3, *shape))
    return Sample(f"s{seed}", image.clip(0, 1).astype(np.float32), mask)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a small file, as the command does."""
    data = curve_data(sample)
    config = TrainConfig(
        weight=0.0, steps=12, patch=32, width=4, depth=2, light=0.0, learning_rate=0.01
    )
    folder = tmp_path_factory.mktemp("made")
    unet = UNet(1, width=4, depth=2)
    path = folder / "unet.safetensors"
    light = even_data(data)
    train(config, data=light, model=unet, out=path, progress=False)
    unseen = cross_train(light, config, folder, progress=False)
    about = make_pretrained(
        path, unseen, data, folder / "small", threshold_steps=3, min_persistence=1e-3
    )
    return data, nn.Sequential(EvenLight(), unet).eval(), folder / "small.safetensors", about


# --- The file of the library --------------------------------------------------------------------


def test_the_file_is_small_and_the_json_beside_it_is_of_this_file():
    content = (ASSETS / f"{NAME}.safetensors").read_bytes()
    about = json.loads((ASSETS / f"{NAME}.json").read_text())
    assert len(content) < 3e6
    assert hashlib.sha256(content).hexdigest() == about["sha256"]
    assert about["data"]["name"] == "chase_db1"
    assert "CC BY 4.0" in about["data"]["terms"]
    assert about["versions"]["torch"]
    assert len(about["git_commit"]) >= 40


@pytest.mark.parametrize("mode", ["branch", "threshold"])
def test_it_finds_the_vessels_of_a_photograph_that_it_never_saw(mode):
    model = load_pretrained(mode)
    assert model.mode == mode
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())
    photo, here = photos.retina(), np.s_[800:1056, 300:556]
    (found,) = model.distribution(torch.from_numpy(photo.image[:, *here])[None])
    truth = photo.mask[here]
    likelihood = found.branches.likelihood >= 0.5
    assert dice(likelihood, truth) > 0.7
    assert dice(likelihood, ~truth) < 0.3
    chances = found.uncertainty().probability
    if mode == "threshold":  # which knows persistence and no more
        order = np.argsort(found.branches.persistence)
        assert (np.diff(chances[order]) >= -1e-12).all()  # equal ones are rounded apart
        assert np.ptp(chances) > 0.3
        return
    assert cldice(found.mask(), truth) > 0.7
    real = found.branches.fraction_on(truth) >= 0.5
    assert chances[real].mean() > chances[~real].mean() + 0.2


def test_both_modes_see_the_same_likelihood():
    image = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    seen = [load_pretrained(mode)(image) for mode in ("branch", "threshold")]
    assert torch.equal(*seen)


# --- Even light ---------------------------------------------------------------------------------


def test_even_light_is_the_local_standard_score_of_the_green_channel():
    image = np.random.default_rng(0).uniform(0.3, 0.9, (3, 50, 60)).astype(np.float32)
    even = EvenLight(window=7)(torch.from_numpy(image)[None])[0, 0].numpy()
    green = image[1].astype(float)
    away = green - uniform_filter(green, 7)
    inner = np.s_[8:-8, 8:-8]  # where no window meets the border
    score = away / (np.sqrt(uniform_filter(away**2, 7)) + 0.01)
    np.testing.assert_allclose(even[inner], (0.5 + 0.15 * score).clip(0, 1)[inner], atol=1e-4)


def test_even_light_does_not_depend_on_camera_or_shade_or_frame():
    rng = np.random.default_rng(1)
    image = torch.from_numpy(rng.uniform(0.4, 0.6, (1, 3, 120, 90)).astype(np.float32))
    light = EvenLight(window=21)
    plain = light(image)
    assert 0.4 < plain.mean() < 0.6
    other = image.clone()
    other[:, [0, 2]] = other[:, [2, 0]]  # other colours
    assert torch.equal(light(other), plain)
    slope = torch.linspace(0.7, 1.0, 120)[:, None]
    torch.testing.assert_close(light(image * slope), plain, atol=0.05, rtol=0)
    framed = image.clone()
    framed[..., :30, :] = 0.01
    framed = light(framed)
    assert (framed[..., :34, :] == 0.5).all()  # the frame, and the rim beside it
    assert (framed[..., 34:, :] != 0.5).any()
    torch.testing.assert_close(framed[..., 60:, :], plain[..., 60:, :])
    assert abs(float(framed[..., 36:46, :].mean()) - 0.5) < 0.02  # no bright rim


def test_even_light_stays_between_0_and_1_and_sees_small_fields_too():
    image = torch.full((1, 3, 60, 60), 0.5)
    image[..., 20, 20], image[..., 40, 40] = 1.0, 0.16
    even = EvenLight(window=21)(image)
    assert (even.min().item(), even.max().item()) == (0, 1)
    small = torch.zeros(1, 3, 91, 91)  # 21 x 21 pixels, of which 13 x 13 are seen: 4 % of a window
    small[..., 35:56, 35:56] = torch.rand(21, 21, generator=torch.Generator().manual_seed(0)) + 1
    small /= 2
    seen = small[0, 1, 39:52, 39:52]
    wanted = (seen[6, 6] - seen.mean()) / ((seen - seen.mean()).square().mean().sqrt() + 0.01)
    found = EvenLight(window=65)(small)[0, 0]
    assert found[45, 45].item() == pytest.approx(0.5 + 0.15 * wanted.item(), abs=1e-4)


def test_even_light_refuses_what_is_no_colour_photograph():
    with pytest.raises(ValueError, match="shape \\(B, 3, H, W\\)"):
        EvenLight()(torch.zeros(1, 1, 8, 8))
    with pytest.raises(TypeError, match="torch tensor"):
        EvenLight()(np.zeros((1, 3, 8, 8)))
    with pytest.raises(ValueError, match="window must be odd"):
        EvenLight(window=8)
    with pytest.raises(ValueError, match="window"):
        EvenLight(window=1)


# --- Files of one's own -------------------------------------------------------------------------


def test_what_was_made_comes_back(made):
    data, network, path, about = made
    image = torch.from_numpy(data.test[0].image)[None]
    models = {mode: load_pretrained(mode, path=path) for mode in ("branch", "threshold")}
    for mode, model in models.items():
        torch.testing.assert_close(model(image), network(image))
        assert float(model.calibration) == pytest.approx(about["calibration"][mode], abs=1e-4)
        assert float(model.calibration) != 1
        assert model.options["min_persistence"] == 1e-3
        assert not model.training
    assert models["threshold"].step == 3
    assert models["threshold"].temperature() == 0.05
    assert pack(models["branch"], _around(models["branch"].network, models["threshold"])) == (
        path.read_bytes()
    )


def _around(network, model):
    """Return a model with the same weights around this very network."""
    options = {"in_channels": 3, "anneal_steps": model.decide.anneal_steps, **model.options}
    other = StructureModel(network, **options)
    other.load_state_dict(model.state_dict())
    return other


def test_scores_are_those_of_the_model(made):
    data, _, path, about = made
    (test,) = data.test
    image = torch.from_numpy(test.image)[None]
    for mode in ("branch", "threshold"):
        (found,) = load_pretrained(mode, path=path).distribution(image)
        said = about["scores"]["test"][mode]
        assert said["dice"] == pytest.approx(dice(found.mask(), test.mask), abs=1e-4)
        assert said["branches"] == len(found.branches)
        real = found.branches.fraction_on(test.mask) >= 0.5
        chance = found.uncertainty().probability
        assert said["accuracy"] == pytest.approx(((chance >= 0.5) == real).mean(), abs=1e-4)
    assert json.loads(path.with_suffix(".json").read_text()) == about
    assert set(about["scores"]) == {"validation", "test"}
    assert about["parameters"]["folds"] == 2


def test_models_around_two_networks_are_not_packed():
    def model(mode):
        network = nn.Sequential(EvenLight(), UNet(1, width=2, depth=1))
        return StructureModel(network, mode=mode, in_channels=3)

    with pytest.raises(ValueError, match="one and the same network"):
        pack(model("branch"), model("threshold"))
    plain = StructureModel(UNet(3, width=2, depth=1), mode="branch", in_channels=3)
    with pytest.raises(ValueError, match="EvenLight and UNet"):
        pack(plain, plain)


def test_files_of_another_kind_are_refused(tmp_path, made):
    whole = made[2].read_bytes()
    half, other = tmp_path / "half.safetensors", tmp_path / "other.safetensors"
    half.write_bytes(whole[: len(whole) // 2])
    save_file({"a": torch.zeros(2)}, other)
    for path in (half, other):
        with pytest.raises(ValueError, match="no trained model that can be read"):
            load_pretrained(path=path)
    with pytest.raises(FileNotFoundError, match="no trained model at"):
        load_pretrained(path=tmp_path / "none")
    with pytest.raises(ValueError, match="mode must be one of"):
        load_pretrained("threshhold")


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["pretrained", "--dataset", "none", "--folder", str(tmp_path)]) == 1
    assert "dataset must be one of" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

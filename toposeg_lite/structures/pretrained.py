"""A trained model of structures that comes with the library: nobody has to train to see one.

The file ``data/assets/structures-chase_db1.safetensors`` holds a `UNet` that finds the vessels of
fundus photographs through `EvenLight`, and around both a `StructureModel` of each mode. This
project trained it on the training images of CHASE_DB1 [1]_ by the command
``python -m toposeg_lite.training.pretrained``. The JSON beside it says with which parameters,
versions and scores, and ``data/assets/README.md`` under which terms.

It is made to learn and to try things out on. It was never tested for medicine.

References
----------
.. [1] M. M. Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel
       segmentation", IEEE Transactions on Biomedical Engineering 59 (2012). CC BY 4.0.
       doi:10.1109/TBME.2012.2205687
"""

from __future__ import annotations

import json
import os
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from weakref import WeakSet

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_choice, check_integer, check_number, check_path
from ..files import reading
from ..models import UNet
from .distribution import Mode
from .model import METHODS, StructureModel
from .threshold import Threshold

__all__ = ["EvenLight", "load_pretrained"]

#: What the file is called, without its ending.
NAME = "structures-chase_db1"
_FORMAT = "toposeg_lite structures 1"

_FRAME = 0.15  # what is darker than this in all colours is the frame
_RIM = 9  # pixels of the field beside the frame that are not seen, half on each side


class EvenLight(nn.Module):
    """Turn colour photographs of the retina into images of even light and contrast.

    They differ in colour and brightness from camera to camera, and darken towards the rim. The
    contrast of vessels to what is around them differs much less. So of each photograph the green
    channel is taken, in which vessels are darkest, and at each pixel the mean of its surroundings
    is subtracted and their standard deviation divided out. Only the round field counts: the black
    frame is neither part of the surroundings nor seen. Nothing is learned.

    ``forward`` takes (B, 3, H, W) colours in [0, 1] and returns (B, 1, H, W) in [0, 1]: 0.5 where a
    pixel is as bright as its surroundings, and outside of the field.

    Parameters
    ----------
    window : int
        Side of the square that is taken for the surroundings of a pixel; odd.
    gain : float
        How far from 0.5 a pixel is put that differs from its surroundings by one of their standard
        deviations.

    Examples
    --------
    >>> import torch
    >>> image = torch.full((1, 3, 40, 40), 0.5)
    >>> image[..., 20:] = 0.9  # brighter on the right
    >>> even = EvenLight(window=9)(image)
    >>> even.shape, even[0, 0, 0, [5, 19, 20, 35]].round(decimals=1)
    (torch.Size([1, 1, 40, 40]), tensor([0.5000, 0.3000, 0.7000, 0.5000]))
    """

    def __init__(self, window: int = 65, gain: float = 0.15) -> None:
        super().__init__()
        self.window = check_integer(window, "window", 3)
        if not window % 2:
            raise ValueError(f"window must be odd; got {window}")
        self.gain = check_number(gain, "gain")

    def forward(self, images: Tensor) -> Tensor:
        """Return the evened images."""
        if not isinstance(images, Tensor):
            raise TypeError(f"images must be a torch tensor; got {type(images).__name__}")
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must have the shape (B, 3, H, W); got {tuple(images.shape)}")
        green = images[:, 1:2]
        frame = (images.amax(1, keepdim=True) <= _FRAME).to(green)
        field = 1 - F.max_pool2d(frame, _RIM, 1, _RIM // 2)
        share = self._mean(field).clamp_min(1e-3)
        difference = (green - self._mean(green * field) / share) * field
        spread = (self._mean(difference**2) / share).sqrt()
        return (0.5 + self.gain * difference / (spread + 0.01)).clamp(0, 1)

    def _mean(self, images: Tensor) -> Tensor:
        """Return the means over squares; what is outside of the image counts as 0."""
        side, half = self.window, self.window // 2
        down = F.avg_pool2d(images, (side, 1), 1, (half, 0))
        return F.avg_pool2d(down, (1, side), 1, (0, half))

    def extra_repr(self) -> str:
        """Show the options."""
        return f"window={self.window}, gain={self.gain}"


def load_pretrained(
    mode: Mode = "branch", *, path: str | os.PathLike[str] | None = None
) -> StructureModel:
    """Return a trained model of the structures of fundus photographs, ready to use.

    Parameters
    ----------
    mode : {"branch", "threshold"}
        Which `StructureModel`.
    path : path, optional
        Another file that ``python -m toposeg_lite.training.pretrained`` has written.

    Returns
    -------
    StructureModel
        In evaluation mode, on the CPU, calibrated on the validation images. It takes colour images
        (B, 3, H, W), red, green and blue in [0, 1], with about 30 pixels to a degree of the field
        of view: CHASE_DB1 and the library's own retina as they are. Its network begins with
        `EvenLight`, so colours and exposure matter little.

    Raises
    ------
    FileNotFoundError
        If there is no file at `path`.
    ValueError
        If it is none of this kind, or damaged.

    Notes
    -----
    No pickle is loaded. Both modes share the network's weights, so they see the same likelihood.

    Examples
    --------
    >>> import torch
    >>> from toposeg_lite.data.photos import retina
    >>> model = load_pretrained()
    >>> image = torch.from_numpy(retina().image[:, 800:864, 300:396])[None]
    >>> samples, = model.sample(image, 5, seed=0)
    >>> samples.masks.shape
    (5, 64, 96)
    """
    check_choice(mode, tuple(METHODS), "mode")
    if path is not None:
        return _load(check_path(path, "path"), mode)
    with as_file(files("toposeg_lite.data") / "assets" / f"{NAME}.safetensors") as here:
        model = _load(here, mode)
    _SHIPPED.add(model)
    return model


def _load(path: Path, mode: Mode) -> StructureModel:
    """Make the model that a file describes; whatever is wrong with the file is a ValueError."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no trained model at {path}")
    with reading(path, "trained model"):
        about, tensors = _read(path)
        unet = UNet.from_weights(about["network"], _part(tensors, "network"))
        network = nn.Sequential(EvenLight(**about["light"]), unet)
        options: dict[str, Any] = {**about["options"], **about["modes"][mode]}
        if "floor" in options:  # what min_persistence was called in the first files
            options["min_persistence"] = options.pop("floor")
        # Read out of the file, these alone decide how much is made before shapes are compared.
        if options.pop("in_channels") != 3 or unet.in_channels != 1:
            raise ValueError("it is a model of other images than colour photographs")
        model = StructureModel(network, mode=mode, in_channels=3, **options)
        model.load_state_dict(model.state_dict() | _part(tensors, mode))
        return model.eval().requires_grad_(False)


def is_shipped(model: StructureModel) -> bool:
    """Return whether a model is one that `load_pretrained` made of the library's own file."""
    return model in _SHIPPED


_SHIPPED: WeakSet[StructureModel] = WeakSet()


def pack(branch: StructureModel, threshold: StructureModel) -> bytes:
    """Return the bytes of a file that `load_pretrained` reads.

    Both models are around one and the same network: `EvenLight`, then a `UNet`.
    """
    network, method = branch.network, threshold.decide
    parts = list(network.children())
    if (
        not isinstance(method, Threshold)
        or threshold.network is not network
        or [type(part) for part in parts] != [EvenLight, UNet]
    ):
        raise ValueError(
            "branch and threshold must be models of these modes around one and the same network, "
            "a Sequential of EvenLight and UNet"
        )
    light, unet = parts
    tensors = {f"network.{name}": tensor for name, tensor in unet.state_dict().items()}
    for mode, model in (("threshold", threshold), ("branch", branch)):
        for name, tensor in model.state_dict().items():
            if not name.startswith(("network.", "_layer.")):  # the latter is one of the network's
                tensors[f"{mode}.{name}"] = tensor
    names = ("in_channels", "out_channels", "width", "depth", "ndim", "seed")
    falls = {"anneal_steps": method.anneal_steps, "temperature": list(method.temperatures)}
    about = {
        "format": _FORMAT,
        "light": {"window": light.window, "gain": light.gain},
        "network": {name: getattr(unet, name) for name in names},
        "options": {"in_channels": 3, **branch.options},
        "modes": {"branch": {}, "threshold": falls},
    }
    # One key alone: safetensors writes several in an order that differs from run to run.
    return save_tensors(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"toposeg_lite": json.dumps(about, sort_keys=True)},
    )


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors of one part under their own names."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a file: what it is about, and its tensors."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = json.loads((file.metadata() or {}).get("toposeg_lite", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    if about.get("format") != _FORMAT:
        raise ValueError("it was not written by `python -m toposeg_lite.training.pretrained`")
    return about, tensors

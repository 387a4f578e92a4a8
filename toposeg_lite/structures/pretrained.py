"""A trained model of structures that comes with the library: nobody has to train to see one.

The file ``data/assets/structures-chase_db1.safetensors`` holds a `UNet` that finds the vessels of
fundus photographs through `EvenLight`, and around both the two modes of the `StructureModel`. This
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

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ..checks import check_choice
from ..models import UNet
from .distribution import Mode
from .light import EvenLight
from .model import StructureModel

__all__ = ["load_pretrained"]

#: What the file is called, without its ending.
NAME = "structures-chase_db1"
_FORMAT = "toposeg_lite structures 1"
_MODES = ("threshold", "branch")


def load_pretrained(
    mode: Mode = "branch", *, path: str | os.PathLike[str] | None = None
) -> StructureModel:
    """Return a trained model of the structures of fundus photographs, ready to use.

    Parameters
    ----------
    mode : {"branch", "threshold"}
        A decision for each branch, or one threshold of persistence for an image.
    path : path, optional
        Another file that ``python -m toposeg_lite.training.pretrained`` has written. Default: the
        one that comes with the library.

    Returns
    -------
    StructureModel
        In evaluation mode, on the CPU, calibrated on the validation images. It takes colour images
        (B, 3, H, W), red, green and blue in [0, 1], with about 30 pixels to a degree of the field
        of view: CHASE_DB1 and the library's own retina as they are. Its network begins with
        `EvenLight`, so colours and exposure matter little.

    Raises
    ------
    TypeError, ValueError
        For an unknown mode, and for files that are none of this kind or damaged.
    FileNotFoundError
        If there is no file at `path`.

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
    check_choice(mode, _MODES, "mode")
    if path is None:
        with as_file(files("toposeg_lite.data") / "assets" / f"{NAME}.safetensors") as here:
            about, tensors = _read(here)
    else:
        about, tensors = _read(Path(path))
    unet = UNet(**about["network"])
    unet.load_state_dict(_part(tensors, "network"))
    network = nn.Sequential(EvenLight(**about["light"]), unet)
    options: dict[str, Any] = {**about["options"], **about["modes"][mode]}
    if "floor" in options:  # what min_persistence was called in the first files
        options["min_persistence"] = options.pop("floor")
    model = StructureModel(network, mode=mode, **options)
    model.load_state_dict(model.state_dict() | _part(tensors, mode))
    return model.eval().requires_grad_(False)


def pack(branch: StructureModel, threshold: StructureModel) -> bytes:
    """Return the bytes of a file that `load_pretrained` reads.

    Both models are around one and the same network: `EvenLight`, then a `UNet`.
    """
    network = branch.network
    parts = list(network.children())
    if threshold.network is not network or [type(part) for part in parts] != [EvenLight, UNet]:
        raise ValueError(
            "branch and threshold must be models around one and the same network, "
            "a Sequential of EvenLight and UNet"
        )
    light, unet = parts
    tensors = {f"network.{name}": tensor for name, tensor in unet.state_dict().items()}
    for mode, model in zip(_MODES, (threshold, branch), strict=True):
        for name, tensor in model.state_dict().items():
            if not name.startswith(("network.", "_layer.")):  # the latter is one of the network's
                tensors[f"{mode}.{name}"] = tensor
    names = ("in_channels", "out_channels", "width", "depth", "ndim", "seed")
    about = {
        "format": _FORMAT,
        "light": {"window": light.window, "gain": light.gain},
        "network": {name: getattr(unet, name) for name in names},
        "options": {"in_channels": 3, **branch.options},
        "modes": {
            "branch": {},
            "threshold": {
                "anneal_steps": threshold.anneal_steps,
                "temperature": list(threshold.temperatures),
            },
        },
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
    if not path.is_file():
        raise FileNotFoundError(f"there is no trained model at {path}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = json.loads((file.metadata() or {}).get("toposeg_lite", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.get("format") != _FORMAT:
            raise ValueError("it was not written by `python -m toposeg_lite.training.pretrained`")
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is no trained model that can be read: {error}") from None
    return about, tensors

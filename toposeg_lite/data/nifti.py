"""Read NIfTI volumes, and bring two of one place to one orientation."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from .files import FileContent, UnreadableFile, check_pixels

__all__ = ["lay_on", "read_nifti"]

_MAX_OFFSET = 2**24  # bytes before the voxels: the header and its extensions
_TOLERANCE = 0.1  # of a voxel


def _nibabel(name: str) -> ModuleType:
    try:
        import nibabel
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{name} is a NIfTI file, and nibabel, which reads them, is not installed. "
            f"Run: pip install 'toposeg-lite[nifti]'"
        ) from None
    return nibabel


def read_nifti(path: Path) -> FileContent:
    """Return a NIfTI-1 or NIfTI-2 volume, axes reversed to (D, H, W), and its geometry."""
    nibabel = _nibabel(path.name)
    with path.open("rb") as file:
        packed = gzip.GzipFile(fileobj=file) if path.name.lower().endswith(".gz") else file
        head = packed.read(540)
    # The first number is the size of the header: 348 bytes in the first version, 540 in the second.
    versions = {348: (nibabel.Nifti1Image, b"n+1\0"), 540: (nibabel.Nifti2Image, b"n+2\0")}
    size = next((n for n in versions for e in "<>" if np.frombuffer(head[:4], f"{e}i4") == n), None)
    if size is None or len(head) < size:
        raise UnreadableFile("is no NIfTI volume, or is damaged: its first bytes are no header")
    kind, magic = versions[size]
    header = kind.header_class(head[:size], check=False)
    if header["magic"].tobytes()[:3] != magic[:3]:
        raise UnreadableFile(
            "keeps its voxels in another file (hdr and img); save both in one file, as nii.gz"
        )
    axes = int(header["dim"][0])
    if not 1 <= axes <= 7:
        raise UnreadableFile(f"is damaged: its header says {axes} axes")
    check_pixels(header["dim"][1 : axes + 1])
    if not 0 <= float(header["vox_offset"]) <= _MAX_OFFSET:
        raise UnreadableFile(
            f"is damaged: its voxels begin at byte {float(header['vox_offset']):.4g}"
        )
    for name in ("sform_code", "qform_code"):
        if not 0 <= int(header[name]) <= 5:  # nibabel would drop the geometry
            raise UnreadableFile(f"is damaged: its {name} is {int(header[name])}, not 0 to 5")
    try:
        dtype = header.get_data_dtype()
    except Exception as error:  # nibabel has one of its own
        code = int(header["datatype"])
        raise UnreadableFile(f"has voxels of a kind that is not known ({code})") from error
    if dtype.kind not in "iuf":
        raise UnreadableFile(
            f"holds no real numbers (voxels of {header.get_data_shape()}, {dtype}); save one "
            f"volume of numbers"
        )
    image = kind.from_filename(path, mmap=False)
    volume = np.asanyarray(image.dataobj)
    if volume.ndim == 5 and volume.shape[3] == 1:
        volume = volume[:, :, :, 0]  # vectors lie along the fifth axis
    while volume.ndim > 3 and volume.shape[-1] == 1:
        volume = volume[..., 0]
    placed = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    affine = None
    if placed:
        affine = np.asarray(image.affine, dtype=np.float64)
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise UnreadableFile(f"has a geometry that is none: its affine is {affine.tolist()}")
    return FileContent(volume.T, nifti=True, affine=affine)


def lay_on(mask: FileContent, image: FileContent) -> FileContent:
    """Return a mask with its axes in the order and the directions of its image's.

    Both are NIfTI volumes, or neither is changed. The voxels of the two must then have the same
    places, to a tenth of a voxel.

    Raises
    ------
    ValueError
        If the places differ, or only one of the two says where it lies.
    """
    if not (mask.nifti and image.nifti):
        if mask.nifti or image.nifti:
            which = "mask" if mask.nifti else "image"
            note = f"only the {which} is NIfTI: the two are compared by their stored axes alone"
            return replace(mask, notes=(*mask.notes, note))
        return mask
    if mask.affine is None and image.affine is None:
        note = "neither file says where it lies: taken as stored"
        return replace(mask, notes=(*mask.notes, note))
    advice = (
        "; if their voxels lie on each other as they are stored, save the mask with the image's "
        "affine, else resample it to the image's grid"
    )
    if mask.affine is None or image.affine is None:
        silent = "mask" if mask.affine is None else "image"
        raise ValueError(f"the {silent} does not say where it lies, the other does{advice}")
    orientations = _nibabel("the mask").orientations
    of_image, of_mask = (orientations.io_orientation(c.affine) for c in (image, mask))
    if np.isnan(of_image).any() or np.isnan(of_mask).any():
        raise ValueError("the directions of the image or the mask are not three")
    turn = orientations.ornt_transform(of_mask, of_image)
    voxels = _three_axes(mask.array.T)
    turned = orientations.apply_orientation(voxels, turn)
    affine = mask.affine @ orientations.inv_ornt_aff(turn, voxels.shape[:3])
    wanted = _three_axes(image.array.T).shape[:3]
    if turned.shape[:3] != wanted:
        raise ValueError(
            f"the image's grid has {wanted} voxels (x, y, z), the mask's {turned.shape[:3]}{advice}"
        )
    distance = _distance(affine, image.affine, wanted)
    if distance > _TOLERANCE:
        raise ValueError(
            f"image and mask lie on different grids: a corner of the one is {distance:.3g} voxels "
            f"from that of the other (affine {np.round(image.affine, 4).tolist()} and, in the "
            f"same directions, {np.round(affine, 4).tolist()}){advice}"
        )
    notes = mask.notes
    if not np.array_equal(turn, [[0, 1], [1, 1], [2, 1]]):
        names = ["".join(orientations.ornt2axcodes(ornt)) for ornt in (of_mask, of_image)]
        notes = (*notes, f"stored along {names[0]}, turned to the image's {names[1]}")
    while turned.ndim > mask.array.ndim and turned.shape[-1] == 1:
        turned = turned[..., 0]
    return FileContent(turned.T, notes, nifti=True, affine=affine)


def _three_axes(voxels: np.ndarray) -> np.ndarray:
    return voxels.reshape(voxels.shape + (1,) * (3 - voxels.ndim))


def _distance(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return how far apart two geometries put the corners of a grid, in voxels of the second."""
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape], (1,))).reshape(4, -1)
    apart = np.linalg.norm(((first - second) @ corners)[:3], axis=0).max()
    return float(apart / np.linalg.norm(second[:3, :3], axis=0).min())

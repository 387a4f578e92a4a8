"""Even out the light of a fundus photograph, so that one network sees many cameras alike.

Photographs of the retina differ in colour and brightness from camera to camera, and darken towards
the rim. The contrast of vessels to what is around them differs much less. So of each photograph
the green channel is taken, in which vessels are darkest, and at each pixel the mean of its
surroundings is subtracted and their standard deviation divided out. Only the round field counts:
the black frame is neither part of the surroundings nor seen.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_integer, check_number

__all__ = ["EvenLight"]

_FRAME = 0.15  # what is darker than this in all colours is the frame
_RIM = 9  # pixels of the field beside the frame that are not seen, half on each side


class EvenLight(nn.Module):
    """Turn colour photographs of the retina into images of even light and contrast.

    Parameters
    ----------
    window : int
        Side of the square that is taken for the surroundings of a pixel; odd.
    gain : float
        How far from 0.5 a pixel is put that differs from its surroundings by one of their standard
        deviations.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range. ``forward`` raises it for anything but (B, 3, H, W).

    Notes
    -----
    Nothing is learned. ``forward`` takes (B, 3, H, W) colours in [0, 1] and returns (B, 1, H, W) in
    [0, 1]: 0.5 where a pixel is as bright as its surroundings, and outside of the field.

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

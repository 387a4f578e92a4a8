"""How masks are read and scored: one dataclass, the same for every image of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..checks import check_choice, check_integer, check_number, check_text
from ..topology.grid import Border, check_border

__all__ = ["ReportOptions"]


@dataclass(frozen=True)
class ReportOptions:
    """How masks are read and scored.

    Attributes
    ----------
    labels : {"foreground", "background"}
        What adjusted Rand index and variation of information label; "background" suits walls
        around cells.
    connectivity : int, optional
        That of the structure, from 1 to the number of axes. None means the number of axes.
    border : {"open", "closed"}
        Whether the border of the image cuts structures off or closes them, for the Betti errors.
    patch : int, optional
        Side of the patches over which the Betti errors are averaged. None means the whole image.
    foreground : {"nonzero", "zero"}
        Which of the two values of a mask is the structure.
    ignore : int, optional
        The value of a truth's pixels that have no label. None means that there is none.
    threshold : float, optional
        Predictions are likelihoods in [0, 1] (unsigned integers are divided by the largest value of
        their type), and the structure is where they are at least so high. None means that
        predictions are masks.
    prediction_names, truth_names : str
        What the files are called before their endings; one ``*`` stands for the name of the pair.
        With ``image_*`` and ``label_*`` the prediction ``image_07.png`` goes with the truth
        ``label_07.tif``.

    Examples
    --------
    >>> ReportOptions(labels="background", patch=64).border
    'open'
    """

    labels: Literal["foreground", "background"] = "foreground"
    connectivity: int | None = None
    border: Border = "open"
    patch: int | None = None
    foreground: Literal["nonzero", "zero"] = "nonzero"
    ignore: int | None = None
    threshold: float | None = None
    prediction_names: str = "*"
    truth_names: str = "*"

    def __post_init__(self) -> None:
        check_choice(self.labels, ("foreground", "background"), "labels")
        check_choice(self.foreground, ("nonzero", "zero"), "foreground")
        check_border(self.border)
        plain: dict[str, float] = {}
        for name, low, high in (("connectivity", 1, 3), ("patch", 1, None), ("ignore", None, None)):
            value = getattr(self, name)
            if value is not None:
                plain[name] = check_integer(value, name, -(2**63) if low is None else low, high)
        if self.ignore == 0:
            raise ValueError("ignore must not be 0, which is one of a mask's two values")
        if self.threshold is not None:
            plain["threshold"] = check_number(self.threshold, "threshold")
            if not 0 < plain["threshold"] <= 1:
                raise ValueError(f"threshold must be above 0 and at most 1; got {self.threshold}")
        for name in ("prediction_names", "truth_names"):
            if check_text(getattr(self, name), name).count("*") != 1:
                raise ValueError(f"{name} must hold one *; got {getattr(self, name)!r}")
        for name, number in plain.items():
            object.__setattr__(self, name, number)

"""A geometry file of the experiment with a few modules of one sector."""

from __future__ import annotations

import numpy as np

from training.production.geometry import module_centre

_SIDE = 96.66  # mm, of the hexagon with its corners up and down


def row(plane: int, u: int, v: int, kind: str, links: int, turn: int = 0, cut: float | None = None) -> str:
    """A row of the file; `cut` removes what is below this y of the module that is not turned."""
    centre = module_centre(np.array([u]), np.array([v]))[0] * 10
    angle = np.pi / 2 + np.arange(6) * np.pi / 3
    corners = _SIDE * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    if cut is not None:
        corners = np.array([[-83.7, cut], [83.7, cut], [83.7, 48.3], [0, 96.66], [-83.7, 48.3]])
    back = np.array([[np.cos(turn * np.pi / 3), -np.sin(turn * np.pi / 3)],
                     [np.sin(turn * np.pi / 3), np.cos(turn * np.pi / 3)]])
    corners = corners @ back.T + centre
    padded = np.zeros((7, 2))
    padded[: len(corners)] = corners
    values = [plane, u, v, kind, *centre, float(turn), len(corners), *padded.ravel(), float(links), int(kind[1] == "I")]
    return " ".join(map(str, values))


HEADER = " ".join(["plane u v itype x0 y0 irot nvertices", *(f"vx_{i} vy_{i}" for i in range(7)), "trigLinks HDorLD"])
GEOMETRY = "\n".join([HEADER, row(1, 1, 3, "FI", 5), row(1, 2, 2, "FM", 3), row(2, 1, 3, "FO", 0),
                      row(1, 3, 5, "gOe", 1, cut=-20), row(1, 4, 5, "gOe", 1, turn=2, cut=-20),
                      row(27, 9, 3, "FOe", 9)]) + "\n"

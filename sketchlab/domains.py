"""Where an equation lives: a box, its faces, and the collocation points on them.

Points are drawn on the host with numpy and scipy, from a seed, and handed to JAX afterwards: drawing is cheap, and a quasi-random
sequence has no place inside a compiled step.

A region of a box is ``INTERIOR``, ``BOUNDARY`` (all faces together) or one `Face`. A face of a one-dimensional box is a single
point, and n copies of a point say no more than one: a region draws as many points as it can tell apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sketchlab.validation import Catalogue, InputError


class Face(NamedTuple):
    """The face of a box on which coordinate `axis` sits at its `side`."""

    axis: int
    side: Literal["lower", "upper"]

    def __str__(self):
        return f"{self.side} face of axis {self.axis}"


INTERIOR = "interior"
BOUNDARY = "boundary"
Region = Face | Literal["interior", "boundary"]

Sampler = Callable[[int, int, int], np.ndarray]


def uniform(n: int, dim: int, seed: int) -> np.ndarray:
    """Draw n independent uniform points of the unit cube: (n, dim)."""
    return np.random.default_rng(seed).random((n, dim))


def sobol(n: int, dim: int, seed: int) -> np.ndarray:
    """Take the first n points of a scrambled Sobol sequence in the unit cube, (n, dim); Owen 1998, by scipy.stats.qmc."""
    # Half a second to load, for those who draw such points.
    from scipy.stats import qmc

    doublings = int(np.ceil(np.log2(max(n, 1))))
    return qmc.Sobol(dim, seed=seed).random_base2(doublings)[:n]


def grid(n: int, dim: int, seed: int) -> np.ndarray:
    """Lay the largest midpoint grid of at most n points into the unit cube: (m^dim, dim), m^dim <= n. `seed` is not used."""
    per_axis = int(np.floor(n ** (1 / dim) + 1e-9))
    ticks = (np.arange(per_axis) + 0.5) / per_axis
    return np.stack(np.meshgrid(*[ticks] * dim, indexing="ij"), axis=-1).reshape(-1, dim)


SAMPLERS = Catalogue("sampler", {"uniform": uniform, "sobol": sobol, "grid": grid})


@dataclass(frozen=True)
class Box:
    """The box lower_i <= x_i <= upper_i.

    Parameters
    ----------
    lower, upper : sequence of float, (d,)
        Opposite corners.

    Raises
    ------
    InputError
        If they differ in length, are not finite, or leave an axis empty.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self):
        lower, upper = (tuple(np.atleast_1d(np.asarray(corner, float)).tolist()) for corner in (self.lower, self.upper))
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        if len(lower) != len(upper) or not lower:
            raise InputError(f"a box needs two corners of one length, not lower = {lower} and upper = {upper}.")
        # The negation refuses NaN too.
        if not all(low < high and np.isfinite(high - low) for low, high in zip(lower, upper, strict=True)):
            raise InputError(f"a box needs finite lower < upper on every axis, not lower = {lower} and upper = {upper}.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.lower)

    @property
    def lengths(self) -> np.ndarray:
        """Edge lengths (d,)."""
        return np.subtract(self.upper, self.lower)

    def faces(self, region: Region) -> list[Face]:
        """List the faces that make up a region; the interior has none.

        Raises
        ------
        InputError
            If `region` is a face that the box does not have.
        """
        if region == INTERIOR:
            return []
        if region == BOUNDARY:
            return [Face(axis, side) for axis in range(self.dim) for side in ("lower", "upper")]
        if not isinstance(region, Face) or region.axis not in range(self.dim) or region.side not in ("lower", "upper"):
            raise InputError(
                f"{region!r} is no region of a {self.dim}-dimensional box: "
                f"use a face with axis 0 to {self.dim - 1} and side 'lower' or 'upper'."
            )
        return [region]

    def measure(self, region: Region) -> float:
        """Return the volume of the interior or the area of a region's faces; a face in one dimension counts 1."""
        if region == INTERIOR:
            return float(np.prod(self.lengths))
        return float(sum(np.prod(np.delete(self.lengths, face.axis)) for face in self.faces(region)))

    def sample(self, region: Region, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw about `n` points of a region.

        Parameters
        ----------
        region : "interior", "boundary" or Face
        n : int
            Points wanted. Faces share them by area. A grid, or a face that is a single point, gives fewer.
        seed : int
        sampler : callable, (n, dim, seed) -> (m, dim) in the unit cube
            An entry of `SAMPLERS`, or your own.

        Returns
        -------
        ndarray, (m, d), m <= n, at least 1 for every face
        """
        if region == INTERIOR:
            return self.lower + self.lengths * sampler(n, self.dim, seed)
        faces = self.faces(region)
        areas = np.array([self.measure(face) for face in faces])
        # Cumulative rounding shares out exactly n, whatever the areas.
        ends = np.rint(n * np.cumsum(areas) / areas.sum()).astype(int)
        counts = np.maximum(np.diff(ends, prepend=0), 1)
        seeds = np.random.SeedSequence(seed).generate_state(len(faces))
        draws = zip(faces, counts.tolist(), seeds.tolist(), strict=True)
        return np.concatenate([self._sample_face(face, count, face_seed, sampler) for face, count, face_seed in draws])

    def _sample_face(self, face, n, seed, sampler):
        cube = sampler(n, self.dim - 1, seed) if self.dim > 1 else np.empty((1, 0))
        value = (self.lower if face.side == "lower" else self.upper)[face.axis]
        rest = np.delete(self.lower, face.axis) + np.delete(self.lengths, face.axis) * cube
        return np.insert(rest, face.axis, value, axis=1)

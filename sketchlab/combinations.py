"""Unions and differences of domains: plates with holes, corners, rings.

Both are described by what their two operands can do: draw points, and tell which points they contain. Points are drawn by
rejection, of a union from the box around it, of a difference from its first operand. A *part* of the boundary is what is left of
an operand's boundary. The points a small step away decide what that is: this is right too where two boundaries share a side.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sketchlab.domains import Box, Domain, Region, Sampler, uniform
from sketchlab.parts import CombinedBoundary, Part
from sketchlab.rejection import LEAST, Test, draw_kept, share_kept
from sketchlab.validation import InputError, checked_call

#: How far from a boundary its neighbourhood is looked at, as a share of the longest edge of the box around the smaller operand.
STEP = 1e-5


@dataclass(frozen=True)
class Combination:
    """What a union and a difference have in common: two operands, and a boundary of what is left of theirs."""

    a: Domain
    b: Domain

    name, codimension, capacity = "interior", 0, None
    #: Whether the normal of b is turned round.
    turns_b = False

    def __post_init__(self):
        for name in ("a", "b"):
            domain = getattr(self, name)
            if isinstance(domain, type) or not isinstance(domain, Domain) or domain.codimension != 0:
                raise InputError(f"{name} = {domain!r} is no Domain: give one, as sl.Box([0.0, 0.0], [1.0, 1.0]).")
        if self.a.dim != self.b.dim:
            raise InputError(f"a has {self.a.dim} dimensions and b has {self.b.dim}: only domains of one dimension combine.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.a.dim

    @cached_property
    def boundary(self) -> CombinedBoundary:
        """All parts together."""
        return CombinedBoundary(self)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is left of the boundary of a and of b, in this order; an operand that is combined itself gives all its parts."""
        return tuple(Part(self, i) for i in range(len(self.surfaces)))

    @property
    def surfaces(self) -> list[tuple[Region, bool]]:
        """The boundaries of a and of b, and whether each is of b."""
        found = []
        for operand, of_b in ((self.a, False), (self.b, True)):
            pieces = operand.parts if isinstance(operand, Combination) else (operand.boundary,)
            found += [(piece, of_b) for piece in pieces]
        return found

    @cached_property
    def _overlap(self) -> float:
        """Measure of what both operands contain."""
        if isinstance(self.a, Box) and isinstance(self.b, Box):
            lower, upper = np.maximum(self.a.lower, self.b.lower), np.minimum(self.a.upper, self.b.upper)
            return float(np.prod(np.maximum(upper - lower, 0)))
        # All points of a hole inside are counted, so its measure is exact.
        small, large = sorted((self.a, self.b), key=lambda operand: operand.measure)
        return small.measure * share_kept(small, large.contains)

    @property
    def _around(self) -> Domain:
        """A domain around, to draw points from."""
        raise NotImplementedError

    def _beside(self, x: np.ndarray, test: Test) -> np.ndarray:
        """Tell at which of the points (n, d) some point one step away passes a test: (n,) of bool."""
        step = STEP * min(float(np.max(np.subtract(operand.upper, operand.lower))) for operand in (self.a, self.b))
        found = np.zeros(len(x), bool)
        for direction in _directions(self.dim):
            left = np.flatnonzero(~found)
            if len(left) == 0:
                break
            found[left] = test(x[left] + step * direction)
        return found

    def keeps(self, x: np.ndarray, of_b: bool) -> np.ndarray:
        """Tell which points (n, d) on the boundary of an operand are on the boundary of the whole; those on both count for a."""
        raise NotImplementedError


@checked_call()
@dataclass(frozen=True)
class Union(Combination):
    """All points that are in `a` or in `b`: a domain.

    Parameters
    ----------
    a, b : Domain
        Of one dimension. They may overlap, touch along a side, which is then no boundary, or lie apart.

    Attributes
    ----------
    parts : tuple of Region
        What is left of the boundary of `a` and of `b`; of a combination inside a combination, all its parts.

    Raises
    ------
    InputError
        If `a` or `b` is no domain, their dimensions differ, or they fill less than 1e-4 of the box around them.

    Notes
    -----
    Volumes are exact for two boxes and where one operand lies inside or outside of the other. Otherwise the overlap, and always
    what is left of a boundary, is measured by 2^14 points of a Sobol sequence, to about 1e-3 of the smaller operand's volume, and
    of the boundary's area. What is left of an operand's boundary gets no points if it is less than 1e-4 of it.

    Points are drawn and tested a few dozen times over until exactly n remain; of a grid the largest that leaves at most n.

    Examples
    --------
    >>> corner = sl.Union(sl.Box([0.0, 0.0], [1.0, 2.0]), sl.Box([1.0, 0.0], [2.0, 1.0]))
    >>> corner.measure, corner.boundary.contains([[1.0, 0.5], [1.0, 1.5]]).tolist()
    (3.0, [False, True])
    """

    def __post_init__(self):
        super().__post_init__()
        if self.measure < LEAST * self._around.measure:
            raise InputError(f"{self.a!r} and {self.b!r} fill less than {LEAST:g} of the box around them: too little.")

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner (d,) of the box around."""
        return tuple(np.minimum(self.a.lower, self.b.lower).tolist())

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner (d,) of the box around."""
        return tuple(np.maximum(self.a.upper, self.b.upper).tolist())

    @property
    def measure(self) -> float:
        """Volume."""
        return self.a.measure + self.b.measure - self._overlap

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points inside, (m, d); a grid gives fewer."""
        return draw_kept(self._around, self.contains, self.measure / self._around.measure, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie in the closed union, up to rounding: (n,) of bool."""
        return self.a.contains(x) | self.b.contains(x)

    @property
    def _around(self):
        return Box(self.lower, self.upper)

    def keeps(self, x, of_b):  # noqa: D102 - said above
        outside = self._beside(x, lambda y: ~self.contains(y))
        return outside & ~self._beside(x, self.a.contains) if of_b else outside


@checked_call()
@dataclass(frozen=True)
class Difference(Combination):
    """All points of `a` that are not inside `b`: a domain with a hole, or with a piece cut off.

    Parameters
    ----------
    a, b : Domain
        Of one dimension.

    Attributes
    ----------
    parts : tuple of Region
        What is left of the boundary of `a`, and of the boundary of `b` with its normal turned round, so that it points into the
        hole; of a combination inside a combination, all its parts.

    Raises
    ------
    InputError
        If `a` or `b` is no domain, their dimensions differ, or less than 1e-4 of `a` is left.

    Notes
    -----
    Measured and drawn as `Union` is.

    Examples
    --------
    >>> plate = sl.Difference(sl.Box([-2.0, -2.0], [2.0, 2.0]), sl.Ball([0.0, 0.0], 1.0))
    >>> abs(plate.measure - (16 - np.pi)) < 1e-12, plate.contains([[0.0, 1.0], [0.0, 0.9]]).tolist()
    (True, [True, False])
    >>> outer, hole = plate.parts
    >>> outer.measure, float(hole.normal(jnp.array([0.0, 1.0]))[1])
    (16.0, -1.0)
    >>> insulated = sl.Condition(lambda u, x, normal: sl.gradient(u)(x) @ normal, hole)
    """

    turns_b = True

    def __post_init__(self):
        super().__post_init__()
        if self.measure < LEAST * self.a.measure:
            raise InputError(f"nothing is left of {self.a!r} without {self.b!r}, or less than {LEAST:g} of it: make b smaller.")

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner (d,) of the box around a."""
        return tuple(self.a.lower)

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner (d,) of the box around a."""
        return tuple(self.a.upper)

    @property
    def measure(self) -> float:
        """Volume."""
        return self.a.measure - self._overlap

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points inside, (m, d); a grid gives fewer."""
        return draw_kept(self._around, self._is_left, self.measure / self._around.measure, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie in the closed difference, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        inside = self.a.contains(x)
        found, doubtful = inside & ~self.b.contains(x), inside & self.b.boundary.contains(x)
        # A side of b belongs to what is left if a goes on behind it.
        found[doubtful] = self._beside(x[doubtful].astype(float), self._is_left)
        return found

    @property
    def _around(self):
        # One rejection for all that is combined takes less time than one inside another.
        return self.a._around if isinstance(self.a, Combination) else self.a

    def _is_left(self, x):
        return self.a.contains(x) & ~self.b.contains(x)

    def keeps(self, x, of_b):  # noqa: D102 - said above
        return ~self._beside(x, lambda y: ~self.a.contains(y)) if of_b else self._beside(x, self._is_left)


def _directions(dim):
    """Return fixed unit vectors (m, d), each with its opposite, so that some point into any half-space; and into most corners."""
    if dim == 1:
        return np.array([[1.0], [-1.0]])
    bases = np.linalg.qr(np.random.default_rng(0).standard_normal((4, dim, dim)))[0].reshape(-1, dim)
    return np.concatenate([bases, -bases])

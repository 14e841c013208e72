"""Unions and differences of domains: plates with holes, corners, rings.

Both are described by what their two operands can do: draw points, and tell which points they contain. A union is its first
operand and what the second adds, a difference what the second leaves of the first; a *part* of the boundary is what is left of an
operand's boundary. Points are drawn by rejection. What is left of a boundary is decided by the points a small step away from it:
that is right too where two boundaries share a side.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Box, Domain, Region, Sampler, sobol, uniform
from sketchlab.rejection import Test, draw_from, draw_kept, share_kept
from sketchlab.validation import InputError, checked_call

#: A smaller share of a region than this counts as nothing: rejection would take too long.
LEAST = 1e-4
#: How far from a boundary its neighbourhood is looked at, as a share of the longest edge of the box around the smaller operand.
STEP = 1e-5


@dataclass(frozen=True)
class _Combination:
    """What a union and a difference have in common: two operands, and a boundary of what is left of theirs."""

    a: Domain
    b: Domain

    name, codimension, capacity = "interior", 0, None

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
    def boundary(self) -> "CombinedBoundary":
        """All parts together."""
        return CombinedBoundary(self)

    @property
    def parts(self) -> tuple["Part", ...]:
        """What is left of the boundary of a and of b, in this order; an operand that is combined itself gives all its parts."""
        return tuple(Part(self, i) for i in range(len(self._surfaces)))

    @property
    def _surfaces(self) -> list[tuple[Region, bool]]:
        """The boundaries of a and of b, and whether each is of b."""
        operands = ((self.a, False), (self.b, True))
        return [(surface, of_b) for operand, of_b in operands for surface in getattr(operand, "parts", (operand.boundary,))]

    @cached_property
    def _overlap(self) -> float:
        """Measure of what both operands contain."""
        if isinstance(self.a, Box) and isinstance(self.b, Box):
            lower, upper = np.maximum(self.a.lower, self.b.lower), np.minimum(self.a.upper, self.b.upper)
            return float(np.prod(np.maximum(upper - lower, 0)))
        # All points of a hole inside are counted, so its measure is exact.
        small, large = sorted((self.a, self.b), key=lambda operand: operand.measure)
        return small.measure * share_kept(small, large.contains)

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

    def _keeps(self, x: np.ndarray, of_b: bool) -> np.ndarray:
        """Tell which points (n, d) on the boundary of an operand are on the boundary of the whole; those on both count for a."""
        raise NotImplementedError


@checked_call()
@dataclass(frozen=True)
class Union(_Combination):
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
        If `a` or `b` is no domain, or their dimensions differ.

    Notes
    -----
    Volumes are exact for two boxes and where one operand lies inside or outside of the other. Otherwise the overlap, and always
    what is left of a boundary, is measured by 2^14 points of a Sobol sequence, to about 1e-3 of the smaller operand's volume, and
    of the boundary's area. What is less than 1e-4 of its operand gets no points.

    To draw n points takes a few dozen times n calls of ``contains``.

    Examples
    --------
    >>> corner = sl.Union(sl.Box([0.0, 0.0], [1.0, 2.0]), sl.Box([1.0, 0.0], [2.0, 1.0]))
    >>> corner.measure, corner.boundary.contains([[1.0, 0.5], [1.0, 1.5]]).tolist()
    (3.0, [False, True])
    """

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
        added = self.b.measure - self._overlap
        pieces = [self.a, Difference(self.b, self.a)] if added >= LEAST * self.b.measure else [self.a]
        return draw_from(pieces, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie in the closed union, up to rounding: (n,) of bool."""
        return self.a.contains(x) | self.b.contains(x)

    def _keeps(self, x, of_b):
        outside = self._beside(x, lambda y: ~self.contains(y))
        return outside & ~self._beside(x, self.a.contains) if of_b else outside


@checked_call()
@dataclass(frozen=True)
class Difference(_Combination):
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
        return draw_kept(self.a, lambda x: ~self.b.contains(x), self.measure / self.a.measure, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie in the closed difference, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        inside = self.a.contains(x)
        found, doubtful = inside & ~self.b.contains(x), inside & self.b.boundary.contains(x)
        # A side of b belongs to what is left if a goes on behind it.
        found[doubtful] = self._beside(x[doubtful].astype(float), self._is_left)
        return found

    def _is_left(self, x):
        return self.a.contains(x) & ~self.b.contains(x)

    def _keeps(self, x, of_b):
        return ~self._beside(x, lambda y: ~self.a.contains(y)) if of_b else self._beside(x, self._is_left)


@dataclass(frozen=True)
class Part:
    """What is left of the boundary of an operand."""

    domain: _Combination
    index: int

    codimension = 1

    @property
    def name(self) -> str:
        """Its place in `parts`."""
        return f"part {self.index} of the boundary"

    @property
    def dim(self) -> int:
        """Dimension d of the domain."""
        return self.domain.dim

    @property
    def capacity(self) -> int | None:
        """How many points are left of a boundary that has only so many."""
        whole = self._whole.capacity
        return None if whole is None else round(whole * self._share)

    @property
    def measure(self) -> float:
        """Length or area; 0 where nothing is left."""
        return self._whole.measure * self._share

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points, (m, d)."""
        if self._share == 0:
            raise InputError(f"{self.name} is empty: nothing is left there of the boundary of {self._whole!r}.")
        return draw_kept(self._whole, self._keeps, self._share, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie on this part, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        found = self._whole.contains(x)
        found[found] = self._keeps(x[found].astype(float))
        return found

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the unit normal (d,) that points out of the domain: into the hole, on the boundary of a hole."""
        outward = self._whole.normal(x)  # pyright: ignore[reportAttributeAccessIssue]
        return -outward if self._of_b and isinstance(self.domain, Difference) else outward

    def distance(self, x: jax.Array) -> jax.Array:
        """Return how far x (d,) is from the whole boundary of the operand."""
        if not hasattr(self._whole, "distance"):
            raise InputError(
                f"{type(self._whole).__name__} has no distance(x), by which a point finds its normal on a boundary of several "
                "parts: write this method, or give each of the domain's parts a condition of its own."
            )
        return self._whole.distance(x)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def _whole(self):
        return self.domain._surfaces[self.index][0]

    @property
    def _of_b(self):
        return self.domain._surfaces[self.index][1]

    def _keeps(self, x):
        return self.domain._keeps(x, self._of_b)

    @cached_property
    def _share(self):
        share = share_kept(self._whole, self._keeps)
        return share if share >= LEAST else 0.0


@dataclass(frozen=True)
class CombinedBoundary:
    """The boundary of a union or a difference: all its parts."""

    domain: _Combination

    name, codimension = "boundary", 1

    @property
    def dim(self) -> int:
        """Dimension d of the domain."""
        return self.domain.dim

    @property
    def capacity(self) -> int | None:
        """How many points it has, where it has only so many."""
        capacities = [part.capacity for part in self._parts]
        return None if None in capacities else sum(filter(None, capacities))

    @property
    def measure(self) -> float:
        """Length or area."""
        return sum(part.measure for part in self._parts)

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points by area, (m, d), at least one from each part if there are as many."""
        return draw_from(self._parts, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie on the boundary, up to rounding: (n,) of bool."""
        return np.any([part.contains(x) for part in self._parts], axis=0)

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the outward unit normal (d,) of the part nearest to x.

        Raises
        ------
        InputError
            If an operand's boundary cannot tell its distance, or a part runs along another's side that is boundary no longer.
        """
        if len(self._parts) > 1:
            self._check_normals()
        return self._nearest_normal(x)

    @cached_property
    def _parts(self):
        return tuple(part for part in self.domain.parts if part.measure > 0)

    def _nearest_normal(self, x):
        distances = jnp.stack([part.distance(x) for part in self._parts])
        return jnp.stack([part.normal(x) for part in self._parts])[jnp.argmin(distances)]

    def _check_normals(self):
        """Raise `InputError` unless the nearest of the whole boundaries is that of the part itself, at points of each part."""
        with jax.ensure_compile_time_eval():
            for part in self._parts:
                x = jnp.asarray(part.sample(256, seed=0, sampler=sobol))
                found, expected = (np.asarray(jax.vmap(normal)(x)) for normal in (self._nearest_normal, part.normal))
                if np.min(np.sum(found * expected, axis=1)) < 0.5:
                    raise InputError(
                        f"{part.name} runs along a side that is boundary no longer, so a point does not find its normal: give "
                        "each of the domain's parts a condition of its own."
                    )


def _directions(dim):
    """Return fixed unit vectors (m, d), each with its opposite, so that some point into any half-space; and into most corners."""
    if dim == 1:
        return np.array([[1.0], [-1.0]])
    bases = np.linalg.qr(np.random.default_rng(0).standard_normal((4, dim, dim)))[0].reshape(-1, dim)
    return np.concatenate([bases, -bases])

"""Where an equation holds: regions, a box with its faces, and the collocation points drawn on them.

A *region* is a set of points with a name, a measure and a way to draw points. A *domain* is a region of full dimension that
knows its boundary, which is a region too. `Box` is the first domain of this package, `sketchlab.shapes` and
`sketchlab.combinations` have more; `Region` and `Domain` list what a domain of your own needs. A *place* names a region of any
domain: ``INTERIOR``, ``BOUNDARY`` or a `Face`.

Points are drawn by numpy and scipy from a seed, outside of compiled code: it is cheap, and JAX has no quasi-random sequences.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.validation import Catalogue, InputError, check_array, check_integer, checked_call, takes

Sampler = Callable[[int, int, int], np.ndarray]

#: Lengths that count as about 1.
UNIT_SIZED = (0.25, 4.0)


@runtime_checkable
class Region(Protocol):
    """A set of points where a condition holds.

    Attributes
    ----------
    name : str
    dim : int
        Number d of coordinates of a point.
    codimension : int
        0 where the region has the full dimension, 1 on a boundary. A region of codimension 1 has also a method
        ``normal(x)``, traceable by JAX, that maps a point (d,) to the outward unit normal (d,). The normal of a union or a
        difference asks also for ``distance(x)``, traceable too: how far (d,) is from the boundary.
    measure : float
        Volume or area.
    capacity : int or None
        How many different points the region has; None for no limit.
    carries : int, optional
        How many numbers come with each point, measured values for one: as further columns of what `sample` draws.
    fixed : bool, optional
        Whether the region is `capacity` given points, all of which `sample` returns every time.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above, as those below

    @property
    def dim(self) -> int: ...  # noqa: D102

    @property
    def codimension(self) -> int: ...  # noqa: D102

    @property
    def measure(self) -> float: ...  # noqa: D102

    @property
    def capacity(self) -> int | None: ...  # noqa: D102

    def sample(self, n: int, *, seed: int, sampler: Sampler) -> np.ndarray:
        """Draw at most `n` points, (m, d); `sampler` draws in the unit cube, see `unit_points`."""
        ...

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) belong to the region, up to rounding: (n,) of bool."""
        ...


@runtime_checkable
class Domain(Region, Protocol):
    """A region of codimension 0 with a boundary, and with the corners (d,) of a box around it, for pictures."""

    @property
    def boundary(self) -> Region: ...  # noqa: D102

    @property
    def lower(self) -> Sequence[float]: ...  # noqa: D102

    @property
    def upper(self) -> Sequence[float]: ...  # noqa: D102


def carried(region: Region) -> int:
    """Return how many numbers come with each point of a region; 0 where it does not say."""
    return getattr(region, "carries", 0)


def given_points(region: Region) -> int:
    """Return how many given points a region consists of, which every drawing has; 0 where points are drawn."""
    return region.capacity or 0 if getattr(region, "fixed", False) else 0


def unit_sized(domain: Domain) -> bool:
    """Tell whether a domain is about as large as 1, and near the origin: what networks and weights are made for."""
    lower, upper = np.asarray(domain.lower), np.asarray(domain.upper)
    small, large = UNIT_SIZED
    return bool(np.all(upper - lower >= small) and np.all(upper - lower <= large) and max(-lower.min(), upper.max()) <= large)


class Place(StrEnum):
    """A region that every domain has; ``of(domain)`` is the region."""

    INTERIOR = "interior"
    BOUNDARY = "boundary"

    def of(self, domain: Domain) -> Region:
        """Return the domain itself, or its boundary."""
        return domain if self is Place.INTERIOR else domain.boundary


INTERIOR, BOUNDARY = Place


class Face(NamedTuple):
    """The face of a box on which coordinate `axis` has its `side` value; ``of(domain)`` is the region."""

    axis: int
    side: Literal["lower", "upper"]

    def __str__(self):
        return f"{self.side} face of axis {self.axis}"

    def of(self, domain: Domain) -> Region:
        """Return this face of a box."""
        if not hasattr(domain, "face"):
            raise InputError(f"{type(domain).__name__} has no faces: use sl.boundary(residual), or name one of its regions.")
        return domain.face(*self)  # pyright: ignore[reportAttributeAccessIssue]


def uniform(n: int, dim: int, seed: int) -> np.ndarray:
    """Draw n independent uniform points of the unit cube: (n, dim)."""
    return np.random.default_rng(seed).random((n, dim))


def sobol(n: int, dim: int, seed: int) -> np.ndarray:
    """Take the first n points of a scrambled Sobol sequence in the unit cube, (n, dim); Owen 1998, by scipy.stats.qmc."""
    # Loading it takes half a second, so only those who use it wait.
    from scipy.stats import qmc

    doublings = int(np.ceil(np.log2(max(n, 1))))
    # `rng=` would draw other points than the same number as `seed=` did.
    return qmc.Sobol(dim, seed=seed).random_base2(doublings)[:n]  # pyright: ignore[reportCallIssue]


def golden(n: int, dim: int, seed: int) -> np.ndarray:
    """Take the first n points of the Kronecker sequence of the generalized golden ratio, (n, dim); `seed` is not used.

    The multiples of (1/φ, 1/φ², …) less their whole parts, φ the positive root of φ^(dim + 1) = φ + 1. As even as Sobol points
    where few are needed, and there at once. Roberts 2018, *The unreasonable effectiveness of quasirandom sequences*.
    """
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (dim + 1))
    return (0.5 + np.arange(1, n + 1)[:, None] * ratio ** -np.arange(1.0, dim + 1)) % 1


def latin(n: int, dim: int, seed: int) -> np.ndarray:
    """Draw a Latin hypercube of n points, (n, dim): each nth part of every axis has one; McKay 1979, by scipy.stats.qmc."""
    from scipy.stats import qmc

    return qmc.LatinHypercube(dim, seed=seed).random(n)  # pyright: ignore[reportCallIssue]


def grid(n: int, dim: int, seed: int) -> np.ndarray:
    """Lay the largest midpoint grid of at most n points into the unit cube: (m^dim, dim), m^dim <= n. `seed` is not used."""
    per_axis = int(np.floor(n ** (1 / dim) + 1e-9))
    ticks = (np.arange(per_axis) + 0.5) / per_axis
    return np.stack(np.meshgrid(*[ticks] * dim, indexing="ij"), axis=-1).reshape(-1, dim)


SAMPLERS = Catalogue("sampler", {"uniform": uniform, "sobol": sobol, "latin": latin, "grid": grid})


def unit_points(sampler: Sampler, n: int, dim: int, seed: int) -> np.ndarray:
    """Draw points of the unit cube, (m, dim) with 1 <= m <= n, and check what `sampler` returns.

    Raises
    ------
    InputError
        If `sampler` is not a function of (n, dim, seed), or does not return such an array of numbers from 0 to 1.
    """
    n, seed, name = check_integer("n", n, 1), check_integer("seed", seed, 0), getattr(sampler, "__name__", repr(sampler))
    if not takes(sampler, 3):
        raise InputError(f"sampler = {name} is not a function of (n, dim, seed): take one of sl.SAMPLERS, or write your own.")
    x = np.asarray(check_array(f"what the sampler {name} returned", sampler(n, dim, seed)), float)
    if x.ndim != 2 or x.shape[1] != dim or not 1 <= len(x) <= n:
        raise InputError(f"the sampler {name} returned shape {x.shape}: (m, {dim}) is asked for, with m from 1 to {n}.")
    # The negation refuses NaN too.
    if not (np.min(x) >= 0 and np.max(x) <= 1):
        raise InputError(f"the sampler {name} returned values from {np.min(x):.3g} to {np.max(x):.3g}: draw in the unit cube.")
    return x


def apportion(total: int, ends: np.ndarray, limits: np.ndarray) -> list[int]:
    """Round shares to whole counts, each from 1 to its limit, that add up to `total` where the limits allow it.

    `ends` are the running sums of the shares: rounding these keeps the total, whatever the shares are.
    """
    counts = np.clip(np.diff(np.rint(ends), prepend=0), 1, limits).astype(int)
    while counts.sum() > max(total, len(counts)):
        counts[np.argmax(counts)] -= 1
    if np.isinf(limits).any():
        counts[np.argmax(np.where(np.isinf(limits), counts, 0))] += max(total - counts.sum(), 0)
    return counts.tolist()


def spread(areas: np.ndarray, n: int, seed: int, draw: Callable[[int, int, int], np.ndarray], limits=None) -> np.ndarray:
    """Draw at most `n` points from several parts by area, one a part at least; from n random parts where there are more than n.

    `draw` gets the number of a part, how many points to draw from it, and a seed. `limits` are how many points each part has.
    """
    count, parts = check_integer("n", n, 1), np.arange(len(areas))
    if count < len(areas):
        parts = np.sort(np.random.default_rng(seed).choice(len(areas), count, replace=False))
    areas, limits = areas[parts], np.full(len(parts), np.inf) if limits is None else limits[parts]
    counts = apportion(count, count * np.cumsum(areas) / areas.sum(), limits)
    seeds = np.random.SeedSequence(seed).generate_state(len(parts)).tolist()
    return np.concatenate([draw(*drawing) for drawing in zip(parts.tolist(), counts, seeds, strict=True)])


@checked_call()
@dataclass(frozen=True)
class Box:
    """The box lower_i <= x_i <= upper_i: a domain.

    Parameters
    ----------
    lower, upper : sequence of float, (d,)
        Opposite corners.

    Raises
    ------
    InputError
        If they are not numbers, differ in length, are not finite, or leave an axis empty.

    Examples
    --------
    >>> box = sl.Box([0.0, 0.0], [1.0, 10.0])
    >>> box.measure, box.boundary.measure, box.face(0, "lower").name
    (10.0, 22.0, 'lower face of axis 0')
    >>> box.face(1, "upper").sample(2, seed=0, sampler=sl.SAMPLERS["grid"]).tolist()
    [[0.25, 10.0], [0.75, 10.0]]
    """

    lower: Sequence[float]
    upper: Sequence[float]

    name, codimension, capacity = "interior", 0, None

    def __post_init__(self):
        lower, upper = (self._corner(corner) for corner in (self.lower, self.upper))
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        if len(lower) != len(upper) or not lower:
            raise InputError(f"a box needs two corners of one length, not lower = {lower} and upper = {upper}.")
        # The negation refuses NaN too.
        if not all(low < high and np.isfinite(high - low) for low, high in zip(lower, upper, strict=True)):
            raise InputError(f"a box needs finite lower < upper on every axis, not lower = {lower} and upper = {upper}.")

    def _corner(self, corner):
        try:
            numbers = np.atleast_1d(np.asarray(corner))
        except (ValueError, TypeError):  # Lists of several lengths; of random keys.
            numbers = np.array([None])
        if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
            raise InputError(f"a corner of a box is a list of numbers, not {corner!r}: write sl.Box([0.0, 0.0], [1.0, 2.0]).")
        return tuple(numbers.astype(float).tolist())

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.lower)

    @property
    def lengths(self) -> np.ndarray:
        """Edge lengths (d,)."""
        return np.subtract(self.upper, self.lower)

    @property
    def measure(self) -> float:
        """Volume."""
        return float(np.prod(self.lengths))

    @property
    def boundary(self) -> "BoxSurface":
        """All faces together."""
        return BoxSurface(self, tuple(Face(axis, side) for axis in range(self.dim) for side in ("lower", "upper")))

    def face(self, axis: int, side: Literal["lower", "upper"]) -> "BoxSurface":
        """Return the face on which coordinate `axis` has its `side` value."""
        if isinstance(axis, bool) or axis not in range(self.dim) or side not in ("lower", "upper"):
            known = f"axis 0 to {self.dim - 1} and side 'lower' or 'upper'"
            raise InputError(f"{Face(axis, side)!r} is no region of a {self.dim}-dimensional box: use a face with {known}.")
        return BoxSurface(self, (Face(int(axis), side),))

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points inside, (m, d); a grid gives fewer."""
        return self.lower + self.lengths * unit_points(sampler, n, self.dim, seed)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie in the closed box, up to rounding: (n,) of bool."""
        x, tolerance = np.asarray(x), self.tolerance(x)
        return np.all((x >= self.lower - tolerance) & (x <= self.upper + tolerance), axis=1)

    def tolerance(self, x: np.ndarray) -> np.ndarray:
        """Return how far rounding may move a point of the type of x along each axis, (d,)."""
        eps = np.finfo(np.result_type(x, np.float32)).eps
        return 4 * eps * np.maximum(np.abs(self.lower), np.abs(self.upper))


@dataclass(frozen=True)
class BoxSurface:
    """One face of a box or several. In one dimension a face is a single point, whose measure counts 1."""

    box: Box
    faces: tuple[Face, ...]

    codimension = 1

    @property
    def name(self) -> str:
        """The face in words, or "boundary"."""
        return str(self.faces[0]) if len(self.faces) == 1 else "boundary"

    @property
    def dim(self) -> int:
        """Dimension d of the box."""
        return self.box.dim

    @property
    def capacity(self) -> int | None:
        """One point a face in one dimension."""
        return len(self.faces) if self.dim == 1 else None

    @property
    def measure(self) -> float:
        """Area of all faces."""
        return float(self._areas().sum())

    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points by area, (m, d), at least one a face; on n random faces if there are more faces than n."""
        return spread(self._areas(), n, seed, lambda i, count, own: self._draw(self.faces[i], count, own, sampler))

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie on one of the faces, up to rounding: (n,) of bool."""
        x, tolerance = np.asarray(x), self.box.tolerance(x)
        on_face = [np.abs(x[:, axis] - self._value(axis, side)) <= tolerance[axis] for axis, side in self.faces]
        return self.box.contains(x) & np.any(on_face, axis=0)

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the outward unit normal (d,) of the face nearest to x; at an edge, that of the first face there."""
        lengths = self.box.lengths.tolist()
        distances = [jnp.abs(x[axis] - self._value(axis, side)) / lengths[axis] for axis, side in self.faces]
        normals = np.zeros((len(self.faces), self.dim))
        for row, (axis, side) in zip(normals, self.faces, strict=True):
            row[axis] = -1 if side == "lower" else 1
        return jnp.asarray(normals, x.dtype)[jnp.argmin(jnp.stack(distances))]

    def distance(self, x: jax.Array) -> jax.Array:
        """Return how far x (d,) is from the nearest of the faces."""
        inside = jnp.clip(x, jnp.asarray(self.box.lower, x.dtype), jnp.asarray(self.box.upper, x.dtype))
        nearest = [inside.at[axis].set(self._value(axis, side)) for axis, side in self.faces]
        return jnp.min(jnp.linalg.norm(jnp.stack(nearest) - x[None], axis=1))

    def _areas(self):
        return np.array([np.prod(np.delete(self.box.lengths, face.axis)) for face in self.faces])

    def _value(self, axis, side):
        return getattr(self.box, side)[axis]

    def _draw(self, face, n, seed, sampler):
        cube = unit_points(sampler, n, self.dim - 1, seed) if self.dim > 1 else np.empty((1, 0))
        rest = np.delete(self.box.lower, face.axis) + np.delete(self.box.lengths, face.axis) * cube
        return np.insert(rest, face.axis, self._value(*face), axis=1)

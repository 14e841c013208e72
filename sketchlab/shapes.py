"""Domains with round and slanted sides: balls of any dimension, and polygons in the plane.

Each maps the unit cube onto itself so that equal volumes stay equal. No point is rejected, so a Sobol sequence, a Latin hypercube
and a grid stay as even as they were. `sketchlab.combinations` joins such domains and cuts holes into them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gamma, pi

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Sampler, uniform, unit_points
from sketchlab.validation import InputError, check_array, check_integer, check_real, checked_call


def rounding(x: np.ndarray, size: float) -> float:
    """Return how far rounding may move a point of the type of x whose coordinates are up to `size`."""
    return 8 * float(np.finfo(np.result_type(x, np.float32)).eps) * size


@checked_call()
@dataclass(frozen=True)
class Ball:
    """The ball |x − center| ≤ radius, in the plane a disk: a domain.

    Parameters
    ----------
    center : sequence of float, (d,)
        With d of at least 2.
    radius : float

    Raises
    ------
    InputError
        If the center is not a list of at least two finite numbers, or the radius is not positive.

    Notes
    -----
    A direction is drawn coordinate by coordinate: on the unit sphere in k dimensions, (1 + x₁) / 2 follows the beta distribution
    with both parameters (k − 1) / 2, and the other coordinates lie on a sphere of one dimension less. A point takes a time of
    order d.

    Examples
    --------
    >>> disk = sl.Ball([0.0, 0.0], 2.0)
    >>> round(disk.measure / np.pi, 12), disk.contains([[0.0, 2.0], [0.0, 2.1]]).tolist()
    (4.0, [True, False])
    >>> disk.boundary.normal(jnp.array([0.0, 2.0])).tolist()
    [0.0, 1.0]
    """

    center: Sequence[float]
    radius: float

    name, codimension, capacity = "interior", 0, None

    def __post_init__(self):
        center = check_array("center", self.center)
        if center.ndim != 1 or not np.all(np.isfinite(center)):
            raise InputError(f"center = {self.center!r} is not a list of finite numbers: write sl.Ball([0.0, 0.0], 1.0).")
        radius = check_real("radius", self.radius, 0, np.inf, open_low=True, open_high=True)
        if len(center) < 2:
            raise InputError(f"center = {self.center!r} has {len(center)} coordinates: a ball in one dimension is sl.Box(0, 1).")
        object.__setattr__(self, "center", tuple(np.asarray(center, float).tolist()))
        object.__setattr__(self, "radius", radius)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.center)

    @property
    def measure(self) -> float:
        """Volume."""
        return pi ** (self.dim / 2) / gamma(self.dim / 2 + 1) * self.radius**self.dim

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner (d,) of the box around."""
        return tuple(c - self.radius for c in self.center)

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner (d,) of the box around."""
        return tuple(c + self.radius for c in self.center)

    @property
    def boundary(self) -> "Sphere":
        """The sphere around it."""
        return Sphere(self)

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points inside, (m, d); a grid gives fewer."""
        cube = unit_points(sampler, n, self.dim, seed)
        # The volume within a radius grows like its power d.
        radii = self.radius * cube[:, :1] ** (1 / self.dim)
        return self.center + radii * _directions(cube[:, 1:])

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie in the closed ball, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        return np.linalg.norm(x - self.center, axis=1) <= self.radius + self.tolerance(x)

    def tolerance(self, x: np.ndarray) -> float:
        """Return how far rounding may move a point of the type of x."""
        return rounding(x, np.max(np.abs(self.center)) + self.radius)


@dataclass(frozen=True)
class Sphere:
    """The boundary of a ball."""

    ball: Ball

    name, codimension, capacity = "boundary", 1, None

    @property
    def dim(self) -> int:
        """Dimension d of the ball."""
        return self.ball.dim

    @property
    def measure(self) -> float:
        """Length or area."""
        return self.ball.measure * self.dim / self.ball.radius

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points, (m, d)."""
        return self.ball.center + self.ball.radius * _directions(unit_points(sampler, n, self.dim - 1, seed))

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie on the sphere, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        return np.abs(np.linalg.norm(x - self.ball.center, axis=1) - self.ball.radius) <= self.ball.tolerance(x)

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the outward unit normal (d,) at x."""
        outward = x - jnp.asarray(self.ball.center, x.dtype)
        return outward / jnp.linalg.norm(outward)

    def distance(self, x: jax.Array) -> jax.Array:
        """Return how far x (d,) is from the sphere."""
        return jnp.abs(jnp.linalg.norm(x - jnp.asarray(self.ball.center, x.dtype)) - self.ball.radius)


def _directions(cube):
    """Map points of the unit cube (n, d - 1) to the unit sphere in d dimensions, (n, d), equal volumes to equal areas."""
    from scipy.special import betaincinv

    rest, columns = np.ones(len(cube)), []
    for k in range(cube.shape[1] + 1, 2, -1):
        first = 2 * betaincinv((k - 1) / 2, (k - 1) / 2, cube[:, len(columns)]) - 1
        columns.append(rest * first)
        rest = rest * np.sqrt(1 - first**2)
    angle = 2 * pi * cube[:, -1]
    return np.stack([*columns, rest * np.cos(angle), rest * np.sin(angle)], axis=1)


@checked_call()
@dataclass(frozen=True)
class Polygon:
    """A polygon in the plane by its vertices, in either direction; it need not be convex: a domain.

    Parameters
    ----------
    vertices : sequence of (float, float), (m, 2)
        Side i goes from vertex i to the next one, and the last side back to vertex 0.

    Raises
    ------
    InputError
        If there are fewer than three vertices, one is not two finite numbers, a side has length zero, or two sides meet elsewhere
        than at the vertex between them.

    Notes
    -----
    Vertical lines through the vertices cut it into trapezoids, at most m² / 4 of them. The first coordinate of a point of the
    unit square chooses a trapezoid by area and how far to the right in it, the second how far up. For a convex polygon this map
    is continuous, so even points stay even; a triangulation would tear them apart, and rejection would throw some away.

    Examples
    --------
    >>> corner = sl.Polygon([[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]])
    >>> corner.measure, corner.boundary.measure, corner.side(0).measure
    (3.0, 8.0, 2.0)
    >>> corner.contains([[1.0, 1.0], [1.5, 1.5]]).tolist(), corner.side(0).normal(jnp.array([0.5, 0.0])).tolist()
    ([True, False], [0.0, -1.0])
    """

    vertices: Sequence[Sequence[float]]

    name, dim, codimension, capacity = "interior", 2, 0, None

    def __post_init__(self):
        vertices = np.asarray(check_array("vertices", self.vertices), float)
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3 or not np.all(np.isfinite(vertices)):
            raise InputError(f"vertices = {self.vertices!r} are not three or more pairs of numbers, as [[0, 0], [1, 0], [0, 1]].")
        object.__setattr__(self, "vertices", tuple(map(tuple, vertices.tolist())))
        if (lengths := self._lengths).min() <= rounding(vertices, np.abs(vertices).max()):
            at = int(lengths.argmin())
            raise InputError(f"side {at} of the polygon, at {self.vertices[at]}, has length zero: leave one of its ends out.")
        _check_simple(vertices, self._steps)

    @property
    def measure(self) -> float:
        """Area."""
        return abs(self._signed_area)

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower left corner of the box around."""
        return tuple(np.min(self.vertices, axis=0).tolist())

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper right corner of the box around."""
        return tuple(np.max(self.vertices, axis=0).tolist())

    @property
    def boundary(self) -> "Sides":
        """All sides together."""
        return Sides(self, tuple(range(len(self.vertices))))

    def side(self, i: int) -> "Sides":
        """Return the side from vertex `i` to the next one."""
        return Sides(self, (check_integer("i", i, 0, len(self.vertices) - 1),))

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points inside, (m, 2); a grid gives fewer."""
        across, up = unit_points(sampler, n, 2, seed).T
        left, right, heights, floors, areas = self._trapezoids
        ends = np.cumsum(areas) / areas.sum()
        which = np.minimum(np.searchsorted(ends, across, side="right"), len(areas) - 1)
        share = np.clip((across - (ends - areas / areas.sum())[which]) / (areas / areas.sum())[which], 0, 1)
        first, last = heights[which].T
        # The area to the left, first z + (last - first) z² / 2, is this share of the whole; solved for z without cancellation.
        root = first + np.sqrt(first**2 + share * (last**2 - first**2))
        z = share * (first + last) / np.where(root > 0, root, 1.0)
        floor = (1 - z) * floors[which, 0] + z * floors[which, 1]
        return np.stack([(1 - z) * left[which] + z * right[which], floor + up * ((1 - z) * first + z * last)], axis=1)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, 2) lie in the closed polygon, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        start, end, step = np.asarray(self.vertices), self._ends, self._steps
        spans = (start[:, 1] > x[:, 1:]) != (end[:, 1] > x[:, 1:])
        slope = step[:, 0] / np.where(step[:, 1] == 0, 1.0, step[:, 1])
        right = start[:, 0] + (x[:, 1:] - start[:, 1]) * slope > x[:, :1]
        # From a point inside, a ray crosses the sides an odd number of times.
        return (np.sum(spans & right, axis=1) % 2 == 1) | self.boundary.contains(x)

    @property
    def _ends(self):
        return np.roll(self.vertices, -1, axis=0)

    @property
    def _steps(self):
        return self._ends - np.asarray(self.vertices)

    @property
    def _lengths(self):
        return np.linalg.norm(self._steps, axis=1)

    @property
    def _signed_area(self):
        # Around vertex 0, so that a polygon far from the origin loses no digits.
        x, y = (np.asarray(self.vertices) - self.vertices[0]).T
        return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2

    @cached_property
    def _trapezoids(self):
        """Abscissas (k,) of their left and right ends, heights and floors (k, 2) there, and areas (k,)."""
        start, end, step = np.asarray(self.vertices), self._ends, self._steps
        first, last = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
        found = []
        for left, right in itertools.pairwise(np.unique(start[:, 0])):
            crossing = np.flatnonzero((first <= left) & (last >= right))
            along = (np.array([left, right]) - start[crossing, :1]) / step[crossing, :1]
            heights = start[crossing, 1:] + along * step[crossing, 1:]
            heights = heights[np.argsort(heights.sum(axis=1))]
            # The sides there bound the polygon from below and from above in turn.
            found += [(left, right, high - low, low) for low, high in zip(heights[::2], heights[1::2], strict=True)]
        left, right, heights, floors = (np.array(column) for column in zip(*found, strict=True))
        areas = (right - left) * np.maximum(heights, 0).sum(axis=1) / 2
        return tuple(column[areas > 0] for column in (left, right, np.maximum(heights, 0), floors, areas))


def _check_simple(start, step):
    """Raise `InputError` where two sides of a polygon meet but for the vertex between neighbours."""
    near, end = rounding(start, np.abs(start).max()), start + step
    for i in range(len(start)):
        # Side i turns back on the next one if the way back and the way on have one direction.
        after = (i + 1) % len(start)
        back, on = -step[i], step[after]
        meet = [after] if back @ on > 0 and abs(_cross(back, on)) <= near * min(np.linalg.norm(back), np.linalg.norm(on)) else []
        others = np.arange(i + 2, len(start) - (i == 0))
        crosses = _cross(step[i], start[others] - start[i]) * _cross(step[i], end[others] - start[i]) < 0
        crosses &= _cross(step[others], start[i] - start[others]) * _cross(step[others], end[i] - start[others]) < 0
        for point in (start, end):
            crosses |= _to_segments(point[others], start[i], step[i]) <= near
            crosses |= _to_segments(point[i], start[others], step[others]) <= near
        meet += others[crosses].tolist()
        if meet:
            raise InputError(f"sides {i} and {meet[0]} of the polygon meet: list its vertices in the order of a walk around it.")


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _to_segments(x, start, step):
    """Return the distances of points (…, 2) from segments, by broadcasting; for arrays of NumPy and of JAX."""
    xp = x.__array_namespace__()
    along = xp.clip(xp.sum((x - start) * step, axis=-1) / xp.sum(step**2, axis=-1), 0, 1)
    return xp.linalg.norm(x - start - along[..., None] * step, axis=-1)


@dataclass(frozen=True)
class Sides:
    """One side of a polygon, or all."""

    polygon: Polygon
    sides: tuple[int, ...]

    dim, codimension, capacity = 2, 1, None

    @property
    def name(self) -> str:
        """The side by its number, or "boundary"."""
        return f"side {self.sides[0]}" if len(self.sides) == 1 else "boundary"

    @property
    def measure(self) -> float:
        """Length of all sides."""
        return float(self.polygon._lengths[list(self.sides)].sum())

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points by length, (n, 2)."""
        # The unit interval is laid along the sides, so points that are even on it are even on the boundary.
        ends = np.cumsum(self.polygon._lengths[list(self.sides)])
        walked = unit_points(sampler, n, 1, seed)[:, 0] * ends[-1]
        which = np.minimum(np.searchsorted(ends, walked, side="right"), len(ends) - 1)
        start, step = self._segments()
        along = np.clip((walked - ends[which]) / np.diff(ends, prepend=0)[which] + 1, 0, 1)
        return start[which] + along[:, None] * step[which]

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, 2) lie on one of the sides, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        near = rounding(x, np.max(np.abs(self.polygon.vertices)))
        return np.any(_to_segments(x[:, None], *self._segments()) <= near, axis=1)

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the outward unit normal (2,) of the side nearest to x; at a vertex, that of the first side there."""
        step = self._segments()[1] * np.sign(self.polygon._signed_area)
        normals = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.linalg.norm(step, axis=1, keepdims=True)
        return jnp.asarray(normals, x.dtype)[jnp.argmin(self._distances(x))]

    def distance(self, x: jax.Array) -> jax.Array:
        """Return how far x (2,) is from the nearest of the sides."""
        return jnp.min(self._distances(x))

    def _segments(self):
        """Return where the sides start, and the way to their ends, (k, 2) both."""
        sides = list(self.sides)
        return np.asarray(self.polygon.vertices)[sides], self.polygon._steps[sides]

    def _distances(self, x):
        return _to_segments(x[None], *(jnp.asarray(part, x.dtype) for part in self._segments()))

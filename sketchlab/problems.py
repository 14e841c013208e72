"""Equations: what must vanish, where, and with what weight; and the catalogue of those that come with the package.

A `Condition` is a residual, a function of u and one point that is zero for the solution, with the region on which it
holds. A `Problem` is a box and its conditions. Together they say the whole equation, once: loss, residual vector and
Jacobian all follow from them (`sketchlab.residuals`).

To add a problem, write one function that returns a `Problem` and enter it in `PROBLEMS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import Function, laplacian, partial
from sketchlab.domains import BOUNDARY, INTERIOR, Box, Face, Region, Sampler, uniform
from sketchlab.validation import Catalogue, InputError, check_integer, check_real

Residual = Callable[[Function, jax.Array], jax.Array]

#: Part of the points that goes to the interior when a problem has conditions on faces too.
INTERIOR_SHARE = 0.8
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Condition:
    """`residual` (u, x) -> () or (m,) vanishes on `region`; its mean square counts `weight` times the region's measure."""

    residual: Residual
    region: Region
    weight: float = 1.0

    def __post_init__(self):
        check_real("weight", self.weight, 0, np.inf, open_low=True, open_high=True)


def interior(residual: Residual, weight: float = 1.0) -> Condition:
    """Ask that `residual` vanishes inside the box: the differential equation."""
    return Condition(residual, INTERIOR, weight)


def boundary(residual: Residual, weight: float = 1.0) -> Condition:
    """Ask that `residual` vanishes on all faces of the box."""
    return Condition(residual, BOUNDARY, weight)


def face(*, axis: int, side: Literal["lower", "upper"], residual: Residual, weight: float = 1.0) -> Condition:
    """Ask that `residual` vanishes on one face: the lower face of the time axis carries the initial condition."""
    return Condition(residual, Face(axis, side), weight)


@dataclass(frozen=True)
class Problem:
    """A differential equation with its side conditions on a box.

    Parameters
    ----------
    name : str
    domain : Box
    conditions : sequence of Condition
        See `interior`, `boundary` and `face`.
    solution : callable, (d,) -> () or (outputs,), optional
        The exact solution at one point. Without it there is no error curve.
    outputs : int
        Number of unknown functions; with more than one, u returns a vector.
    equation : str
        The equation in one line of text, for people.
    axes : sequence of str, optional
        Names of the coordinates of a point, for pictures; x, or x₁, x₂ …

    Raises
    ------
    InputError
        If there is no condition, one names a face that the domain lacks, or the axes are not as many as the dimensions.
    """

    name: str
    domain: Box
    conditions: Sequence[Condition]
    solution: Function | None = None
    outputs: int = 1
    equation: str = ""
    axes: Sequence[str] = ()

    def __post_init__(self):
        object.__setattr__(self, "conditions", tuple(self.conditions))
        check_integer("outputs", self.outputs, 1)
        if not self.conditions:
            raise InputError(f"problem {self.name!r} has no conditions: give it at least one sl.interior(residual).")
        for condition in self.conditions:
            self.domain.faces(condition.region)
        axes = self.axes or (["x"] if self.dim == 1 else [f"x{i}".translate(SUBSCRIPTS) for i in range(1, self.dim + 1)])
        if len(axes) != self.dim:
            raise InputError(f"axes = {list(axes)} are not the names of {self.dim} coordinates.")
        object.__setattr__(self, "axes", tuple(axes))

    @property
    def dim(self) -> int:
        """Dimension d of a point, time included."""
        return self.domain.dim

    @property
    def names(self) -> list[str]:
        """Name of each condition: its region, with a number where a region has several."""
        regions = [str(condition.region) for condition in self.conditions]
        return [
            region if regions.count(region) == 1 else f"{region} ({regions[: i + 1].count(region)})"
            for i, region in enumerate(regions)
        ]

    def check_points(self, x) -> None:
        """Raise `InputError` unless x holds points of the domain's dimension, (n, d)."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise InputError(f"points of shape {x.shape} do not fit: {self.name!r} takes (n, {self.dim}).")

    def reweighted(self, weights: Sequence[float]) -> "Problem":
        """Return the problem with other weights, one for each condition."""
        if len(weights) != len(self.conditions):
            raise InputError(f"{len(weights)} weights do not fit the {len(self.conditions)} conditions of {self.name!r}.")
        return replace(self, conditions=[replace(c, weight=float(w)) for c, w in zip(self.conditions, weights, strict=True)])

    def sample(self, points: int | Sequence[int], *, seed: int, sampler: Sampler = uniform) -> tuple[np.ndarray, ...]:
        """Draw collocation points for every condition.

        Parameters
        ----------
        points : int or sequence of int
            The total, of which the interior gets 80 % and the faces share the rest by area; or a number for each condition.
        seed : int
        sampler : callable
            See `Box.sample`.

        Returns
        -------
        tuple of ndarray, (n_c, d) for condition c

        Raises
        ------
        InputError
            If there are fewer points than conditions, or not one number a condition.
        """
        counts = self._share(points)
        seeds = np.random.SeedSequence(check_integer("seed", seed, 0, 2**32 - 1)).generate_state(len(counts))
        return tuple(
            self.domain.sample(condition.region, count, seed=int(condition_seed), sampler=sampler)
            for condition, count, condition_seed in zip(self.conditions, counts, seeds, strict=True)
        )

    def _share(self, points):
        n = len(self.conditions)
        if not isinstance(points, Sequence):
            total = check_integer("points", points, n)
            inside = np.array([condition.region == INTERIOR for condition in self.conditions])
            areas = np.array([self.domain.measure(condition.region) for condition in self.conditions])
            if self.dim == 1:
                # Each face is one point: what it cannot use goes to the interior.
                on_faces = areas[~inside].sum()
            else:
                on_faces = (1 - INTERIOR_SHARE) * total if inside.any() else total
            shares = np.where(inside, (total - on_faces) / max(inside.sum(), 1), on_faces * areas / max(areas[~inside].sum(), 1))
            # Cumulative rounding shares out exactly the total.
            counts = np.diff(np.rint(np.cumsum(shares)), prepend=0)
            return [max(int(count), 1) for count in counts]
        if len(points) != n:
            raise InputError(f"points = {list(points)} has {len(points)} numbers for the {n} conditions of {self.name!r}.")
        return [check_integer("points", count, 1) for count in points]


def _dirichlet(exact: Function) -> Residual:
    """Return the residual u - exact."""
    return lambda u, x: u(x) - exact(x)


def poisson_1d() -> Problem:
    """−u″ = π² sin πx on (0, 1), u = sin πx."""

    def exact(x):
        return jnp.sin(jnp.pi * x[0])

    return Problem(
        name="poisson_1d",
        equation="−u″ = π² sin πx on (0, 1),  u = sin πx",
        domain=Box([0.0], [1.0]),
        conditions=[
            interior(lambda u, x: -laplacian(u)(x) - jnp.pi**2 * exact(x)),
            boundary(_dirichlet(exact), weight=10.0),
        ],
        solution=exact,
    )


def poisson_2d() -> Problem:
    """−Δu = f on (0, 1)², u = sin πx sin πy."""

    def exact(x):
        return jnp.prod(jnp.sin(jnp.pi * x))

    return Problem(
        name="poisson_2d",
        equation="−Δu = f on (0, 1)²,  u = sin πx sin πy",
        domain=Box([0.0] * 2, [1.0] * 2),
        conditions=[
            interior(lambda u, x: -laplacian(u)(x) - 2 * jnp.pi**2 * exact(x)),
            boundary(_dirichlet(exact), weight=10.0),
        ],
        solution=exact,
    )


def poisson_5d() -> Problem:
    """−Δu = f on (0, 1)⁵, u = Σ cos πxᵢ."""

    def exact(x):
        return jnp.sum(jnp.cos(jnp.pi * x))

    return Problem(
        name="poisson_5d",
        equation="−Δu = f on (0, 1)⁵,  u = Σ cos πxᵢ",
        domain=Box([0.0] * 5, [1.0] * 5),
        conditions=[
            interior(lambda u, x: -laplacian(u)(x) - jnp.pi**2 * exact(x)),
            boundary(_dirichlet(exact), weight=10.0),
        ],
        solution=exact,
    )


def heat_1d() -> Problem:
    """u_t = ¼ u_xx on (0, 1) × (0, 1), u = exp(−π²t/4) sin πx; points are (x, t)."""

    def exact(x):
        return jnp.exp(-(jnp.pi**2) * x[1] / 4) * jnp.sin(jnp.pi * x[0])

    return Problem(
        name="heat_1d",
        equation="u_t = ¼ u_xx on (0, 1)×(0, 1),  u = exp(−π²t/4) sin πx",
        domain=Box([0.0, 0.0], [1.0, 1.0]),
        conditions=[
            interior(lambda u, x: partial(u, 1)(x) - laplacian(u, axes=[0])(x) / 4),
            face(axis=0, side="lower", residual=lambda u, x: u(x), weight=10.0),
            face(axis=0, side="upper", residual=lambda u, x: u(x), weight=10.0),
            face(axis=1, side="lower", residual=_dirichlet(exact), weight=10.0),
        ],
        solution=exact,
        axes=("x", "t"),
    )


def nonlinear_bvp() -> Problem:
    """−u″ + u³ = f on (−1, 1), u = cos πx."""

    def exact(x):
        return jnp.cos(jnp.pi * x[0])

    def equation(u, x):
        source = jnp.pi**2 * exact(x) + exact(x) ** 3
        return -laplacian(u)(x) + u(x) ** 3 - source

    return Problem(
        name="nonlinear_bvp",
        equation="−u″ + u³ = f on (−1, 1),  u = cos πx",
        domain=Box([-1.0], [1.0]),
        conditions=[interior(equation), boundary(_dirichlet(exact), weight=10.0)],
        solution=exact,
    )


def transport_1d(speed: float = 1.0) -> Problem:
    """u_t + c u_x = 0 on (0, 1) × (0, 1), periodic in x, u = sin 2π(x − ct); points are (x, t).

    Parameters
    ----------
    speed : float
        c, between -1000 and 1000. 1 is easy, 10 hard, and at 30 a plain PINN fails (Krishnapriyan et al. 2021).
    """
    speed = check_real("speed", speed, -1000, 1000)

    def exact(x):
        return jnp.sin(2 * jnp.pi * (x[0] - speed * x[1]))

    def periodic(u, x):
        return u(x) - u(x.at[0].add(1.0))

    return Problem(
        name="transport_1d",
        equation=f"u_t + c u_x = 0 on (0, 1)×(0, 1), periodic in x,  u = sin 2π(x − ct), c = {speed:g}",
        domain=Box([0.0, 0.0], [1.0, 1.0]),
        conditions=[
            interior(lambda u, x: partial(u, 1)(x) + speed * partial(u, 0)(x)),
            face(axis=0, side="lower", residual=periodic, weight=10.0),
            face(axis=1, side="lower", residual=_dirichlet(exact), weight=10.0),
        ],
        solution=exact,
        axes=("x", "t"),
    )


PROBLEMS = Catalogue(
    "problem",
    {factory.__name__: factory for factory in (poisson_1d, poisson_2d, poisson_5d, heat_1d, nonlinear_bvp, transport_1d)},
)

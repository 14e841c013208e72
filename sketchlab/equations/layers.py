"""Nonlinear problems with thin layers whose place is known: features that are steep there, and points that gather there."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.domains import SAMPLERS, Box
from sketchlab.equations.conditions import faces, periodic, zero
from sketchlab.networks import MLP
from sketchlab.problems import Problem, face, interior
from sketchlab.recipes import Recipe
from sketchlab.resampling import redraw
from sketchlab.usual import centred_time
from sketchlab.validation import check_real
from sketchlab.wrappers import Hard, OnlyFeatures


@dataclass(frozen=True)
class Near:
    """log(sin²(π (x₁ - place) / 2) + δ²), scaled to (-1, 1): of period 2, steep around a place, `thickness` δ."""

    place: float
    thickness: float

    def __call__(self, x):
        """Evaluate at one point."""
        lowest, highest = math.log(self.thickness**2), math.log(1 + self.thickness**2)
        value = jnp.log(jnp.sin(jnp.pi / 2 * (x[0] - self.place)) ** 2 + self.thickness**2)
        return (2 * value - lowest - highest) / (highest - lowest)


@dataclass(frozen=True)
class Wall:
    """asinh(cos πx₁ / δ), scaled to (-1, 1): steep within `thickness` δ of ±½, where it changes its sign."""

    thickness: float

    def __call__(self, x):
        """Evaluate at one point."""
        return jnp.arcsinh(_cosine(x) / self.thickness) / math.asinh(1 / self.thickness)


@dataclass(frozen=True)
class Spreading:
    """What the kink |y| becomes when it spreads by u_t = ν u_xx; y is nearly the distance to ±1, with the same kink and period 2.

    With d = √(4νt) it is d e^(-(y/d)²) / √π + y erf(y/d).

    Parameters
    ----------
    viscosity : float
        ν.
    length : float
        Of the interval in which the network sees the time t as a number from 0 to 1.
    """

    viscosity: float
    length: float

    def __call__(self, x):
        """Evaluate at one point, scaled to be about as large as 1."""
        # |cos(πx/2)| has the same kink, and no other.
        y = 2 / np.pi * jnp.abs(jnp.cos(jnp.pi / 2 * x[0]))
        # At the beginning, a kink that is too small to be seen.
        d = jnp.sqrt(4 * self.viscosity * self.length * x[1] + 1e-14)
        return 3 * (d / np.pi**0.5 * jnp.exp(-((y / d) ** 2)) + y * jax.lax.erf(y / d)) - 1


@dataclass(frozen=True)
class Gathered:
    """A sampler: Sobol points of which most gather near places on the first axis, as a hyperbolic sine makes them.

    Parameters
    ----------
    places : tuple of float
        Between 0, the beginning of the axis, and 1, its end.
    width : float
        Relative to the distance to the middle between two places.
    share : float
        How much: 0 leaves the points as they are.
    """

    places: tuple[float, ...]
    width: float
    share: float

    def __call__(self, n: int, dim: int, seed: int) -> np.ndarray:
        """Draw points of the unit cube (n, dim)."""
        points = np.array(SAMPLERS["sobol"](n, dim, seed))
        middles = [(a + b) / 2 for a, b in zip(self.places[:-1], self.places[1:], strict=True)]
        edges = np.array([0.0, *middles, 1.0])
        cell = np.clip(np.searchsorted(edges, points[:, 0], side="right") - 1, 0, len(self.places) - 1)
        place = np.array(self.places)[cell]
        edge = np.where(points[:, 0] < place, edges[cell], edges[cell + 1])
        reach = np.abs(edge - place)
        far = np.abs(points[:, 0] - place) / np.where(reach > 0, reach, 1.0)
        near = self.width * np.sinh(far * np.arcsinh(1 / self.width))
        points[:, 0] = np.clip(place + (edge - place) * ((1 - self.share) * far + self.share * near), 0.0, 1.0)
        return points


def burgers(viscosity: float = 0.01 / np.pi) -> Problem:
    """u_t + u u_x = ν u_xx on (−1, 1) × (0, 1), u(x, 0) = −sin πx, u(±1, t) = 0; points are (x, t).

    Parameters
    ----------
    viscosity : float
        ν, at least 0.002. A shock grows at x = 0, about ν wide.

    Notes
    -----
    The solution is the quotient of two integrals (Cole 1951, Hopf 1950), here by the trapezoidal rule, which is exact up to
    rounding for functions that are analytic and vanish at both ends.
    """
    viscosity = check_real("viscosity", viscosity, 0.002, 10.0)

    def exact(x):
        nodes = jnp.linspace(-20.0, 20.0, 801, dtype=x.dtype)
        # u = −∫ sin(πy) e^(−cos(πy)/(2πν)) e^(−z²) dz / ∫ e^(−cos(πy)/(2πν)) e^(−z²) dz with y = x − z √(4νt)
        y = jnp.pi * (x[0] - nodes * jnp.sqrt(4 * viscosity * jnp.maximum(x[1], 0.0)))
        exponent = -jnp.cos(y) / (2 * jnp.pi * viscosity) - nodes**2
        weights = jnp.exp(exponent - jnp.max(exponent))
        return -(weights @ jnp.sin(y)) / jnp.sum(weights)

    conditions = [
        interior(lambda u, x: partial(u, 1)(x) + u(x) * partial(u, 0)(x) - viscosity * laplacian(u, axes=[0])(x)),
        *faces([0], zero, weight=10.0),
        face(axis=1, side="lower", residual=lambda u, x: u(x) + jnp.sin(jnp.pi * x[0]), weight=10.0),
    ]
    equation = f"u_t + u u_x = ν u_xx on (−1, 1)×(0, 1),  u(x, 0) = −sin πx,  ν = {viscosity:.4g}"
    box = Box([-1.0, 0.0], [1.0, 1.0])
    return Problem("burgers", box, conditions, exact, 1, equation, ("x", "t"), _with_a_shock(min(4.6 * viscosity, 1.0)))


def _with_a_shock(thickness):
    """Return a recipe for an odd function of period 2 with a layer at 0: slab by slab, if it is thin."""
    thin = thickness < 0.02

    def make(problem, units, depth, activation):
        inside = MLP(3, units, depth, 1, activation, scales=(1.0, 1.5, 1.5), spread=1.5)
        network = OnlyFeatures(inside, (_cosine, Near(0.0, thickness), centred_time), dim=2)
        # What a slab begins with is not known beforehand.
        return Hard(network, None, _sine) if thin else Hard(network, _lift, _distance)

    return Recipe(
        network=make,
        width=22 if thin else 24,
        depth=3,
        points=[1700, 4, 4, 100] if thin else [2200, 4, 4, 4],
        rank=600 if thin else 850,
        steps=(60, 80, 90, 85, 60, 60) if thin else 115,
        slabs=6 if thin else 1,
        options={
            "sampler": Gathered((0.5,), thickness, 0.8),
            "resampling": redraw(5),
            "boundary_weight": "balance" if thin else "own",
        },
        why="Odd by its form, the network sees x by even functions, one of them steep at the shock, where points gather too.",
    )


def allen_cahn() -> Problem:
    """u_t = 10⁻⁴ u_xx + 5u − 5u³ on (−1, 1) × (0, 1), periodic in x, u(x, 0) = x² cos πx; points are (x, t)."""

    def change(u, x):
        return partial(u, 1)(x) - 1e-4 * laplacian(u, axes=[0])(x) - 5 * u(x) + 5 * u(x) ** 3

    equation = "u_t = 10⁻⁴ u_xx + 5u − 5u³ on (−1, 1)×(0, 1), periodic in x,  u(x, 0) = x² cos πx"

    slabs = 4

    def make(problem, units, depth, activation):
        features = (_cosine, Wall(0.02), Near(1.0, 0.01), Spreading(1e-4, 1 / slabs), centred_time)
        return OnlyFeatures(MLP(5, units, depth, 1, activation, scales=1.0, spread=1.0), features, dim=2)

    recipe = Recipe(
        network=make,
        width=22,
        depth=3,
        points=[1800, 8, 400],
        rank=700,
        steps=75,
        slabs=slabs,
        options={"sampler": Gathered((0.0, 0.25, 0.75, 1.0), 0.05, 0.7), "resampling": redraw(5), "boundary_weight": "balance"},
        why="Even, steep at ±½, with a kink at ±1 that spreads: so are the functions that the network sees; points gather there.",
    )
    return periodic("allen_cahn", -1.0, 1.0, change, lambda x: x**2 * jnp.cos(jnp.pi * x), equation, recipe)


def _cosine(x):
    return jnp.cos(jnp.pi * x[0])


def _sine(x):
    return jnp.sin(jnp.pi * x[0])


def _lift(x):
    return -_sine(x)


def _distance(x):
    return x[1] * _sine(x)

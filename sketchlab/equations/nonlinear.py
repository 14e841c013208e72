"""Nonlinear problems with time, the last coordinate: reactions, Burgers, and three equations without a formula."""

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.domains import Box
from sketchlab.equations.conditions import dirichlet, faces, zero
from sketchlab.equations.references import Evolution
from sketchlab.problems import Problem, face, interior
from sketchlab.recipes import SOBOL, Recipe
from sketchlab.resampling import redraw
from sketchlab.usual import spread_units
from sketchlab.validation import check_real


def reaction_1d(rate: float = 5.0) -> Problem:
    """u_t = ρ u (1 − u) on (0, 2π) × (0, 1), from a bell curve around π; points are (x, t).

    Parameters
    ----------
    rate : float
        ρ, between 0 and 20; at 5 a plain PINN fails (Krishnapriyan et al. 2021).
    """
    rate = check_real("rate", rate, 0, 20)

    def first(x):
        return jnp.exp(-8 * ((x[0] - jnp.pi) / jnp.pi) ** 2)

    def exact(x):
        grown = first(x) * jnp.exp(rate * x[1])
        return grown / (grown + 1 - first(x))

    conditions = [
        interior(lambda u, x: partial(u, 1)(x) - rate * u(x) * (1 - u(x))),
        face(axis=1, side="lower", residual=dirichlet(exact), weight=1000.0),
    ]
    recipe = Recipe(
        network=spread_units([2.0, 1.0], spread=1.0),
        width=24,
        points=[1500, 150],
        rank=480,
        steps=90,
        options=SOBOL | {"boundary_weight": "own"},
        why="An error at the beginning grows by e^ρ: so its weight is large. Not periodic: the bell has a kink at the ends.",
    )
    equation = f"u_t = {rate:g} u (1 − u) on (0, 2π)×(0, 1),  u(x, 0) = exp(−8 (x − π)²/π²)"
    return Problem("reaction_1d", Box([0.0, 0.0], [2 * np.pi, 1.0]), conditions, exact, 1, equation, ("x", "t"), recipe)


def reaction_diffusion() -> Problem:
    """Two species that react and spread, on (0, 1) × (0, 1); points are (x, t)."""

    def exact(x):
        return jnp.stack([1 + jnp.exp(-x[1]) * jnp.sin(jnp.pi * x[0]) / 2, 1 / (1 + x[0] ** 2 + x[1])])

    def change(w, x):
        u, v = w(x)
        spread = jnp.array([0.1, 0.05], x.dtype) * laplacian(w, axes=[0])(x)
        return partial(w, 1)(x) - spread - jnp.stack([u - u * v, u * v - v])

    conditions = [
        interior(lambda w, x: change(w, x) - change(exact, x)),
        *faces([0], dirichlet(exact), weight=10.0),
        face(axis=1, side="lower", residual=dirichlet(exact), weight=10.0),
    ]
    recipe = Recipe(
        network=spread_units([1.5, 1.5], spread=3.0),
        width=150,
        depth=1,
        points=[600, 80, 80, 100],
        rank=400,
        steps=80,
        options=SOBOL,
        why="Smooth functions: one wide layer of tanh units that bend all over the domain.",
    )
    equation = "u_t = 0.1 u_xx + u − uv + f,  v_t = 0.05 v_xx + uv − v + g,  u = 1 + ½ e⁻ᵗ sin πx, v = 1/(1 + x² + t)"
    return Problem("reaction_diffusion", Box([0.0, 0.0], [1.0, 1.0]), conditions, exact, 2, equation, ("x", "t"), recipe)


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
    return Problem(
        "burgers",
        Box([-1.0, 0.0], [1.0, 1.0]),
        conditions,
        exact,
        1,
        equation,
        ("x", "t"),
        _in_slabs(4, "A shock", (1000, 16, 16, 150)),
    )


def allen_cahn() -> Problem:
    """u_t = 10⁻⁴ u_xx + 5u − 5u³ on (−1, 1) × (0, 1), periodic in x, u(x, 0) = x² cos πx; points are (x, t)."""

    def change(u, x):
        return partial(u, 1)(x) - 1e-4 * laplacian(u, axes=[0])(x) - 5 * u(x) + 5 * u(x) ** 3

    equation = "u_t = 10⁻⁴ u_xx + 5u − 5u³ on (−1, 1)×(0, 1), periodic in x,  u(x, 0) = x² cos πx"
    why = "Walls between −1 and 1 that sharpen"
    return _periodic("allen_cahn", -1.0, 1.0, change, lambda x: x**2 * jnp.cos(jnp.pi * x), equation, _in_slabs(5, why))


def korteweg_de_vries() -> Problem:
    """u_t + u u_x + 0.022² u_xxx = 0 on (−1, 1) × (0, 1), periodic in x, u(x, 0) = cos πx; points are (x, t)."""

    def change(u, x):
        slope = partial(u, 0)
        return partial(u, 1)(x) + u(x) * slope(x) + 0.022**2 * partial(partial(slope, 0), 0)(x)

    equation = "u_t + u u_x + 0.022² u_xxx = 0 on (−1, 1)×(0, 1), periodic in x,  u(x, 0) = cos πx"
    why = "A wave that breaks into a train of solitons"
    return _periodic("korteweg_de_vries", -1.0, 1.0, change, lambda x: jnp.cos(jnp.pi * x), equation, _in_slabs(12, why))


def kuramoto_sivashinsky() -> Problem:
    """u_t + 6.25 u u_x + 0.39 u_xx + 0.0015 u_xxxx = 0 on (0, 2π) × (0, 1), periodic in x; points are (x, t)."""

    def change(u, x):
        curvature = partial(partial(u, 0), 0)
        unstable = 100 / 16**2 * curvature(x) + 100 / 16**4 * partial(partial(curvature, 0), 0)(x)
        return partial(u, 1)(x) + 100 / 16 * u(x) * partial(u, 0)(x) + unstable

    equation = "u_t + 100/16 u u_x + 100/16² u_xx + 100/16⁴ u_xxxx = 0 on (0, 2π)×(0, 1), periodic,  u(x, 0) = cos x (1 + sin x)"
    why = "Chaos: errors grow in time"
    return _periodic(
        "kuramoto_sivashinsky",
        0.0,
        2 * np.pi,
        change,
        lambda x: jnp.cos(x) * (1 + jnp.sin(x)),
        equation,
        _in_slabs(20, why, period=2 * np.pi),
    )


def _periodic(name, lower, upper, change, first, equation, recipe):
    """Return a problem that is periodic in x, with all derivatives that it has: the usual network is so by itself."""
    length = upper - lower

    def ends_meet(u, x):
        other = x.at[0].add(length)
        return jnp.stack([u(x) - u(other), partial(u, 0)(x) - partial(u, 0)(other)])

    conditions = [
        interior(change),
        face(axis=0, side="lower", residual=ends_meet, weight=10.0, equations=2),
        face(axis=1, side="lower", residual=lambda u, x: u(x) - first(x[0]), weight=100.0),
    ]
    box = Box([lower, 0.0], [upper, 1.0])
    return Problem(name, box, conditions, Evolution(name), 1, equation, ("x", "t"), recipe)


def _in_slabs(slabs, why, points=(1000, 16, 120), period=2.0):
    harmonics = 6
    # The higher a harmonic, the less of it at first.
    falling = np.repeat(1 / np.arange(1, harmonics + 1), 2).tolist()
    return Recipe(
        network=spread_units([*falling, 1.0], spread=1.0, periods=(period, None), harmonics=harmonics),
        width=24,
        points=points,
        rank=500,
        steps=65,
        slabs=slabs,
        options=SOBOL | {"resampling": redraw(5), "boundary_weight": "balance"},
        why=f"{why}: six harmonics, slabs of time, and new points every five steps, for it would learn fixed ones by heart.",
    )

"""Nonlinear problems with time, the last coordinate: reactions, and two equations of waves without a formula."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.domains import Box
from sketchlab.equations.conditions import dirichlet, faces, periodic
from sketchlab.networks import MLP
from sketchlab.problems import Problem, face, interior
from sketchlab.recipes import SOBOL, Recipe
from sketchlab.resampling import redraw
from sketchlab.usual import centred_time, spread_units
from sketchlab.validation import check_real
from sketchlab.wrappers import OnlyFeatures


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
        network=_even,
        width=16,
        depth=3,
        points=[1100, 120],
        rank=450,
        steps=100,
        options=SOBOL | {"boundary_weight": "own"},
        why="Even about π, as the network is that sees (x − π)². An error at the beginning grows by e^ρ: so its weight is large.",
    )
    equation = f"u_t = {rate:g} u (1 − u) on (0, 2π)×(0, 1),  u(x, 0) = exp(−8 (x − π)²/π²)"
    return Problem("reaction_1d", Box([0.0, 0.0], [2 * np.pi, 1.0]), conditions, exact, 1, equation, ("x", "t"), recipe)


def _even(problem, units, depth, activation):
    return OnlyFeatures(MLP(2, units, depth, 1, activation, scales=(2.0, 1.0), spread=1.5), (_squared, centred_time))


def _squared(x):
    return 2 * ((x[0] - np.pi) / np.pi) ** 2 - 1


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


def korteweg_de_vries() -> Problem:
    """u_t + u u_x + 0.022² u_xxx = 0 on (−1, 1) × (0, 1), periodic in x, u(x, 0) = cos πx; points are (x, t)."""

    def change(u, x):
        slope = partial(u, 0)
        return partial(u, 1)(x) + u(x) * slope(x) + 0.022**2 * partial(partial(slope, 0), 0)(x)

    equation = "u_t + u u_x + 0.022² u_xxx = 0 on (−1, 1)×(0, 1), periodic in x,  u(x, 0) = cos πx"
    why = "A wave that breaks into a train of solitons"
    return periodic(
        "korteweg_de_vries",
        -1.0,
        1.0,
        change,
        lambda x: jnp.cos(jnp.pi * x),
        equation,
        # Most steps while the wave breaks: errors made until then grow with it. A balance in the first slab, which is smooth,
        # makes too little of the values that the others begin with.
        _in_slabs(why, 6, 16, 22, (1100, 4, 120), 600, (64, 46, 50, 54, 56, 62, 56, 56, 54, 52), boundary_weight=3000.0),
    )


def kuramoto_sivashinsky() -> Problem:
    """u_t + 6.25 u u_x + 0.39 u_xx + 0.0015 u_xxxx = 0 on (0, 2π) × (0, 1), periodic in x; points are (x, t)."""

    def change(u, x):
        curvature = partial(partial(u, 0), 0)
        unstable = 100 / 16**2 * curvature(x) + 100 / 16**4 * partial(partial(curvature, 0), 0)(x)
        return partial(u, 1)(x) + 100 / 16 * u(x) * partial(u, 0)(x) + unstable

    equation = "u_t + 100/16 u u_x + 100/16² u_xx + 100/16⁴ u_xxxx = 0 on (0, 2π)×(0, 1), periodic,  u(x, 0) = cos x (1 + sin x)"
    why = "Chaos: errors grow in time"
    return periodic(
        "kuramoto_sivashinsky",
        0.0,
        2 * np.pi,
        change,
        lambda x: jnp.cos(x) * (1 + jnp.sin(x)),
        equation,
        _in_slabs(why, 8, 20, 20, (1300, 4, 120), 600, period=2 * np.pi),
    )


def _in_slabs(
    why,
    harmonics,
    slabs,
    width,
    points,
    rank,
    steps: int | Sequence[int] = 75,
    period=2.0,
    boundary_weight: float | str = "balance",
):
    # The higher a harmonic, the less of it at first.
    falling = np.repeat(1 / np.arange(1, harmonics + 1), 2).tolist()
    return Recipe(
        network=spread_units([*falling, 1.0], spread=1.0, periods=(period, None), harmonics=harmonics),
        width=width,
        depth=3,
        points=points,
        rank=rank,
        steps=steps,
        slabs=slabs,
        options=SOBOL | {"resampling": redraw(5), "boundary_weight": boundary_weight},
        why=f"{why}: harmonics, slabs of time, and new points every five steps, for it would learn fixed ones by heart.",
    )

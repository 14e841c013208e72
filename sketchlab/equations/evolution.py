"""Linear problems with time, the last coordinate: heat, transport, waves, beams."""

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.domains import Box
from sketchlab.equations.conditions import at_rest, dirichlet, faces, zero
from sketchlab.problems import Problem, face, interior
from sketchlab.recipes import SMOOTH_2D, SOBOL, Recipe
from sketchlab.usual import spread_units
from sketchlab.validation import check_real


def heat_1d() -> Problem:
    """u_t = ¼ u_xx on (0, 1) × (0, 1), u = exp(−π²t/4) sin πx; points are (x, t)."""

    def exact(x):
        return jnp.exp(-(jnp.pi**2) * x[1] / 4) * jnp.sin(jnp.pi * x[0])

    equation = "u_t = ¼ u_xx on (0, 1)×(0, 1),  u = exp(−π²t/4) sin πx"
    conditions = [
        interior(lambda u, x: partial(u, 1)(x) - laplacian(u, axes=[0])(x) / 4),
        *faces([0], zero, weight=10.0),
        face(axis=1, side="lower", residual=dirichlet(exact), weight=10.0),
    ]
    return Problem("heat_1d", Box([0.0, 0.0], [1.0, 1.0]), conditions, exact, 1, equation, ("x", "t"), SMOOTH_2D)


def heat_4d() -> Problem:
    """u_t = ¼ Δu on (0, 1)⁴ × (0, 1), u = e⁻ᵗ Σ sin 2xᵢ; the last coordinate is t."""

    def exact(x):
        return jnp.exp(-x[4]) * jnp.sum(jnp.sin(2 * x[:4]))

    conditions = [
        interior(lambda u, x: partial(u, 4)(x) - laplacian(u, axes=[0, 1, 2, 3])(x) / 4),
        *faces(range(4), dirichlet(exact), weight=10.0),
        face(axis=4, side="lower", residual=dirichlet(exact), weight=10.0),
    ]
    recipe = Recipe(
        network=spread_units([0.7] * 4 + [0.3], spread=1.0),
        width=32,
        activation="sin",
        points=[1300] + [110] * 9,
        rank=800,
        # In a quarter of the time the solution is simpler, and wide layers get stuck less often.
        steps=[85, 32],
        slabs=4,
        options=SOBOL,
        why="Slow oscillations: two layers of sin units of small wave numbers, wide enough not to get stuck, in four slabs.",
    )
    return Problem(
        "heat_4d",
        Box([0.0] * 5, [1.0] * 5),
        conditions,
        solution=exact,
        equation="u_t = ¼ Δu on (0, 1)⁴×(0, 1),  u = e⁻ᵗ Σ sin 2xᵢ",
        axes=("x₁", "x₂", "x₃", "x₄", "t"),
        recipe=recipe,
    )


def transport_1d(speed: float = 1.0) -> Problem:
    """u_t + c u_x = 0 on (0, 1) × (0, 1), periodic in x, u = sin 2π(x − ct); points are (x, t).

    Parameters
    ----------
    speed : float
        c, between -1000 and 1000: that many periods pass in the time interval. 1 is easy and 10 hard. Krishnapriyan and others
        (2021), where a plain PINN fails, have sin(x - βt) on (0, 2π) × (0, 1): β = 30 is c = 4.8 here.
    """
    speed = check_real("speed", speed, -1000, 1000)

    def exact(x):
        return jnp.sin(2 * jnp.pi * (x[0] - speed * x[1]))

    def periodic(u, x):
        return u(x) - u(x.at[0].add(1.0))

    conditions = [
        interior(lambda u, x: partial(u, 1)(x) + speed * partial(u, 0)(x)),
        face(axis=0, side="lower", residual=periodic, weight=10.0),
        face(axis=1, side="lower", residual=dirichlet(exact), weight=10.0),
    ]
    return Problem(
        "transport_1d",
        Box([0.0, 0.0], [1.0, 1.0]),
        conditions,
        solution=exact,
        equation=f"u_t + c u_x = 0 on (0, 1)×(0, 1), periodic in x,  u = sin 2π(x − ct), c = {speed:g}",
        axes=("x", "t"),
        recipe=_fast_transport(abs(speed)) if abs(speed) > 5 else Recipe(),
    )


def _fast_transport(speed):
    # At most ten periods pass in one slab: of more some seeds find too few in the whole interval.
    slabs = int(np.ceil(speed / 10))
    periods = speed / slabs
    width = round(60 + 1.25 * periods)
    return Recipe(
        # Half the time interval is one unit of the scaled time.
        network=spread_units([1.0, 1.0, 0.65 * np.pi * periods], periods=(1.0, None)),
        width=width,
        depth=1,
        activation="sin",
        points=[round(400 + 30 * periods), 16, 64],
        # Most of its 5 width + 1 parameters: with half of them some seeds stall.
        rank=4 * width,
        steps=150 if slabs == 1 else [150, 50],
        slabs=slabs,
        options=SOBOL | {"boundary_weight": "balance"},
        why="Periodic in x; in slabs of at most ten periods, sin units with wave numbers in time up to those of the wave.",
    )


def wave_1d() -> Problem:
    """u_tt = 4 u_xx on (0, 1) × (0, 1), u = sin πx cos 2πt + ½ sin 4πx cos 8πt; points are (x, t)."""

    def exact(x):
        place, time = jnp.pi * x[0], jnp.pi * x[1]
        return jnp.sin(place) * jnp.cos(2 * time) + jnp.sin(4 * place) * jnp.cos(8 * time) / 2

    conditions = [
        interior(lambda u, x: partial(partial(u, 1), 1)(x) - 4 * partial(partial(u, 0), 0)(x)),
        *faces([0], zero, weight=100.0),
        face(axis=1, side="lower", residual=at_rest(exact), weight=100.0, equations=2),
    ]
    recipe = Recipe(
        network=spread_units([5.0, 10.0]),
        width=64,
        depth=1,
        activation="sin",
        points=[700, 48, 48, 96],
        rank=180,
        steps=40,
        options=SOBOL | {"boundary_weight": "balance"},
        why="Sin units with the wave numbers of the solution, which four of them make exactly.",
    )
    equation = "u_tt = 4 u_xx on (0, 1)×(0, 1),  u = sin πx cos 2πt + ½ sin 4πx cos 8πt"
    return Problem("wave_1d", Box([0.0, 0.0], [1.0, 1.0]), conditions, exact, 1, equation, ("x", "t"), recipe)


def beam() -> Problem:
    """u_tt + u_xxxx = 0 on (0, 1) × (0, 1), a beam on two supports, u = sin πx cos π²t; points are (x, t)."""

    def exact(x):
        return jnp.sin(jnp.pi * x[0]) * jnp.cos(jnp.pi**2 * x[1])

    def bending(u):
        return partial(partial(u, 0), 0)

    conditions = [
        interior(lambda u, x: partial(partial(u, 1), 1)(x) + bending(bending(u))(x)),
        *faces([0], lambda u, x: jnp.stack([u(x), bending(u)(x)]), weight=100.0, equations=2),
        face(axis=1, side="lower", residual=at_rest(exact), weight=100.0, equations=2),
    ]
    recipe = Recipe(
        network=spread_units([2.0, 5.0]),
        width=100,
        depth=1,
        activation="sin",
        points=900,
        rank=200,
        steps=30,
        options=SOBOL,
        why="Sin units with the wave numbers of the solution, which two of them make exactly.",
    )
    equation = "u_tt + u_xxxx = 0 on (0, 1)×(0, 1), supported at both ends,  u = sin πx cos π²t"
    return Problem("beam", Box([0.0, 0.0], [1.0, 1.0]), conditions, exact, 1, equation, ("x", "t"), recipe)

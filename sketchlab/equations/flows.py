"""Flows by the equations of Navier and Stokes for an incompressible fluid: of velocities u, v and pressure p, or of ψ alone."""

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import gradient, laplacian, partial
from sketchlab.domains import Box
from sketchlab.equations.conditions import dirichlet, faces
from sketchlab.equations.references import Flow
from sketchlab.problems import Problem, boundary, face, interior
from sketchlab.recipes import SOBOL, Recipe
from sketchlab.usual import spread_units
from sketchlab.validation import check_real
from sketchlab.wrappers import Hard


def _momentum(viscosity, *, steady):
    """Return the residual (3,): balance of momentum along both axes, and conservation of mass."""

    def residual(w, x):
        velocity, slopes, spread = w(x)[:2], gradient(w)(x), laplacian(w, axes=[0, 1])(x)
        change = slopes[:2, :2] @ velocity + slopes[2, :2] - viscosity * spread[:2]
        if not steady:
            change = change + slopes[:2, 2]
        return jnp.append(change, slopes[0, 0] + slopes[1, 1])

    return residual


def kovasznay(reynolds: float = 40.0) -> Problem:
    """Flow behind a grid (Kovasznay 1948) on (−½, 1) × (−½, 3/2): steady, unknowns u, v, p.

    Parameters
    ----------
    reynolds : float
        Re, between 1 and 1000.
    """
    reynolds = check_real("reynolds", reynolds, 1, 1000)
    decay = reynolds / 2 - (reynolds**2 / 4 + 4 * np.pi**2) ** 0.5

    def exact(x):
        fading, angle = jnp.exp(decay * x[0]), 2 * jnp.pi * x[1]
        across = decay / (2 * jnp.pi) * fading * jnp.sin(angle)
        return jnp.stack([1 - fading * jnp.cos(angle), across, (1 - fading**2) / 2])

    conditions = [interior(_momentum(1 / reynolds, steady=True)), boundary(dirichlet(exact), weight=100.0)]
    recipe = Recipe(
        network=spread_units([1.0, 1.0, 1.0], spread=1.0, periods=(None, 1.0)),
        width=30,
        activation="swish",
        points=[450, 160],
        rank=700,
        steps=110,
        options=SOBOL,
        why="What is given on the boundary is periodic across the flow, and so is the network; swish units lose fewer digits.",
    )
    equation = f"(u·∇)u + ∇p = Δu/Re,  div u = 0,  Kovasznay's flow for Re = {reynolds:g}"
    return Problem("kovasznay", Box([-0.5, -0.5], [1.0, 1.5]), conditions, exact, 3, equation, ("x", "y"), recipe)


def taylor_green(viscosity: float = 0.05) -> Problem:
    """Decaying vortices (Taylor, Green 1937) on (−1, 1)² × (0, 1), periodic in space; points are (x, y, t), unknowns u, v, p.

    Parameters
    ----------
    viscosity : float
        ν, between 0 and 10.
    """
    viscosity = check_real("viscosity", viscosity, 0, 10)

    def exact(x):
        a, b, fading = jnp.pi * x[0], jnp.pi * x[1], jnp.exp(-2 * jnp.pi**2 * viscosity * x[2])
        u, v = -jnp.cos(a) * jnp.sin(b), jnp.sin(a) * jnp.cos(b)
        return jnp.stack([u * fading, v * fading, -(jnp.cos(2 * a) + jnp.cos(2 * b)) / 4 * fading**2])

    def periodic(axis):
        return lambda w, x: w(x) - w(x.at[axis].add(2.0))

    conditions = [
        interior(_momentum(viscosity, steady=False)),
        face(axis=0, side="lower", residual=periodic(0), weight=10.0),
        face(axis=1, side="lower", residual=periodic(1), weight=10.0),
        face(axis=2, side="lower", residual=dirichlet(exact), weight=10.0),
        # The equations leave a function of time free in the pressure.
        face(axis=0, side="upper", residual=lambda w, x: w(x)[2] - exact(x)[2], weight=10.0, equations=1),
    ]
    recipe = Recipe(
        network=spread_units([0.7, 0.7, 0.7, 0.7, 0.5], spread=1.0, periods=(2.0, 2.0, None)),
        width=18,
        depth=3,
        points=[400, 16, 16, 150, 60],
        rank=550,
        steps=80,
        options=SOBOL,
        why="Periodic in space by its features.",
    )
    equation = f"u_t + (u·∇)u + ∇p = ν Δu,  div u = 0,  Taylor-Green vortices, ν = {viscosity:g}"
    box = Box([-1.0, -1.0, 0.0], [1.0, 1.0, 1.0])
    return Problem("taylor_green", box, conditions, exact, 3, equation, ("x", "y", "t"), recipe)


def cavity() -> Problem:
    """Flow in the unit square under a lid with the speed 16x²(1 − x)², Re = 100: unknown is the stream function ψ.

    Notes
    -----
    The velocities are u = ψ_y, v = -ψ_x. The lid slows down towards its ends, as in the regularized cavity of Shen (1991): with a
    constant speed u would jump in the corners.
    """

    def balance(psi, x):
        vorticity = laplacian(psi)
        slope, turning = gradient(psi)(x), gradient(vorticity)(x)
        return laplacian(vorticity)(x) / 100 - slope[1] * turning[0] + slope[0] * turning[1]

    def wall(axis, speed=lambda x: 0.0):
        return lambda psi, x: jnp.stack([psi(x), partial(psi, axis)(x) - speed(x)])

    conditions = [
        interior(balance),
        *faces([0], wall(0), weight=100.0, equations=2),
        face(axis=1, side="lower", residual=wall(1), weight=100.0, equations=2),
        face(axis=1, side="upper", residual=wall(1, lambda x: 16 * (x[0] * (1 - x[0])) ** 2), weight=100.0, equations=2),
    ]
    recipe = Recipe(
        network=_within_walls,
        width=20,
        points=[2400, 2, 2, 2, 2],
        rank=400,
        steps=160,
        options=SOBOL,
        why="Values and slopes at the walls hold exactly, by what the network is multiplied with and what is added.",
    )
    equation = "Δ²ψ/100 = ψ_y Δψ_x − ψ_x Δψ_y,  u = ψ_y, v = −ψ_x at rest on the walls, u = 16x²(1 − x)² on the lid"
    return Problem("cavity", Box([0.0, 0.0], [1.0, 1.0]), conditions, Flow("cavity"), 1, equation, ("x", "y"), recipe)


def _within_walls(problem, width, depth, activation):
    return Hard(spread_units([1.5, 1.5], spread=1.5)(problem, width, depth, activation), _lid, _walls)


def _lid(x):
    """Return a function with the values and slopes of ψ on the walls."""
    return -16 * (x[0] * (1 - x[0]) * x[1]) ** 2 * (1 - x[1])


def _walls(x):
    """Return a function that vanishes on the walls with its slopes."""
    return 50 * (x[0] * (1 - x[0]) * x[1] * (1 - x[1])) ** 2

"""Problems without time: Poisson's equation in 1 to 10 dimensions and on other domains than boxes, Helmholtz, a jump."""

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.domains import Box
from sketchlab.equations.conditions import dirichlet
from sketchlab.problems import Condition, Problem, boundary, interior
from sketchlab.recipes import SMOOTH_1D, SMOOTH_2D, SOBOL, Recipe
from sketchlab.shapes import Ball, Polygon
from sketchlab.usual import spread_units
from sketchlab.validation import check_real
from sketchlab.wrappers import corner


def _poisson(name, domain, equation, exact, source, recipe, axes=()):
    """Return −Δu = source on a domain, with the values of `exact` on the boundary."""
    inside = interior(lambda u, x: -laplacian(u)(x) - source(x))
    conditions = [inside, boundary(dirichlet(exact), weight=10.0)]
    return Problem(name, domain, conditions, solution=exact, equation=equation, axes=axes, recipe=recipe)


def _cube(dim):
    return Box([0.0] * dim, [1.0] * dim)


def poisson_1d() -> Problem:
    """−u″ = π² sin πx on (0, 1), u = sin πx."""

    def exact(x):
        return jnp.sin(jnp.pi * x[0])

    equation = "−u″ = π² sin πx on (0, 1),  u = sin πx"
    return _poisson("poisson_1d", _cube(1), equation, exact, lambda x: jnp.pi**2 * exact(x), SMOOTH_1D)


def poisson_2d() -> Problem:
    """−Δu = f on (0, 1)², u = sin πx sin πy."""

    def exact(x):
        return jnp.prod(jnp.sin(jnp.pi * x))

    equation = "−Δu = f on (0, 1)²,  u = sin πx sin πy"
    return _poisson("poisson_2d", _cube(2), equation, exact, lambda x: 2 * jnp.pi**2 * exact(x), SMOOTH_2D)


def poisson_5d() -> Problem:
    """−Δu = f on (0, 1)⁵, u = Σ cos πxᵢ."""

    def exact(x):
        return jnp.sum(jnp.cos(jnp.pi * x))

    recipe = Recipe(
        network=spread_units([1.0] * 5),
        width=64,
        depth=1,
        activation="sin",
        points=1500,
        rank=200,
        steps=30,
        options=SOBOL,
        why="Sin units of low wave numbers: five of them make the solution exactly.",
    )
    equation = "−Δu = f on (0, 1)⁵,  u = Σ cos πxᵢ"
    return _poisson("poisson_5d", _cube(5), equation, exact, lambda x: jnp.pi**2 * exact(x), recipe)


def poisson_10d() -> Problem:
    """Δu = 0 on (0, 1)¹⁰, u = x₁x₂ + x₃x₄ + … + x₉x₁₀."""

    def exact(x):
        return jnp.sum(x[0::2] * x[1::2])

    recipe = Recipe(
        network=spread_units([0.15] * 10, spread=1.0),
        width=30,
        activation="sin",
        points=[900, 2800],
        rank=800,
        steps=65,
        options=SOBOL | {"boundary_weight": 1000.0},
        why="Two small layers of sin units of small wave numbers; most points are on the boundary, which says all.",
    )
    equation = "Δu = 0 on (0, 1)¹⁰,  u = x₁x₂ + x₃x₄ + … + x₉x₁₀"
    return _poisson("poisson_10d", _cube(10), equation, exact, lambda x: 0.0, recipe)


def nonlinear_bvp() -> Problem:
    """−u″ + u³ = f on (−1, 1), u = cos πx."""

    def exact(x):
        return jnp.cos(jnp.pi * x[0])

    def inside(u, x):
        source = jnp.pi**2 * exact(x) + exact(x) ** 3
        return -laplacian(u)(x) + u(x) ** 3 - source

    equation = "−u″ + u³ = f on (−1, 1),  u = cos πx"
    conditions = [interior(inside), boundary(dirichlet(exact), weight=10.0)]
    return Problem("nonlinear_bvp", Box([-1.0], [1.0]), conditions, exact, equation=equation, recipe=SMOOTH_1D)


def _wave(number):
    return "sin " if number == 1 else f"sin {number:g}"


def helmholtz(first: float = 1.0, second: float = 4.0, wavenumber: float = 1.0) -> Problem:
    """Δu + k² u = f on (−1, 1)², u = sin aπx sin bπy.

    Parameters
    ----------
    first, second : float
        a and b, between 0 and 20.
    wavenumber : float
        k, between 0 and 100.
    """
    first, second = check_real("first", first, 0, 20), check_real("second", second, 0, 20)
    wavenumber = check_real("wavenumber", wavenumber, 0, 100)

    def exact(x):
        return jnp.sin(first * jnp.pi * x[0]) * jnp.sin(second * jnp.pi * x[1])

    def inside(u, x):
        source = (wavenumber**2 - (first**2 + second**2) * jnp.pi**2) * exact(x)
        return laplacian(u)(x) + wavenumber**2 * u(x) - source

    recipe = Recipe(
        network=spread_units([max(np.pi * first, 1.0), max(np.pi * second, 1.0)]),
        width=150 if first + second < 7 else 250,
        depth=1,
        activation="sin",
        points=1500,
        rank=350,
        steps=45,
        options=SOBOL,
        why="Sin units with the wave numbers of the solution along each axis, which two of them make exactly.",
    )
    equation = f"Δu + k² u = f on (−1, 1)²,  u = {_wave(first)}πx {_wave(second)}πy, k = {wavenumber:g}"
    conditions = [interior(inside), boundary(dirichlet(exact), weight=100.0)]
    return Problem("helmholtz", Box([-1.0, -1.0], [1.0, 1.0]), conditions, exact, 1, equation, ("x", "y"), recipe)


def disk() -> Problem:
    """−Δu = f on the unit disk, u = eˣ sin 2y + 1/(3/2 + xy)."""

    def exact(x):
        return jnp.exp(x[0]) * jnp.sin(2 * x[1]) + 1 / (1.5 + x[0] * x[1])

    recipe = Recipe(
        network=spread_units([2.0, 2.0], spread=3.0),
        width=150,
        depth=1,
        points=800,
        rank=400,
        steps=80,
        options=SOBOL | {"boundary_weight": 100.0},
        why="A smooth function: one wide layer of tanh units that bend all over the disk.",
    )
    equation = "−Δu = f on the unit disk,  u = eˣ sin 2y + 1/(3/2 + xy)"
    unit = Ball([0.0, 0.0], 1.0)
    return _poisson("disk", unit, equation, exact, lambda x: -laplacian(exact)(x), recipe, axes=("x", "y"))


def l_shape() -> Problem:
    """Δu = 0 on an L with a corner of 270 degrees, u = r^(2/3) sin 2φ/3 + eˣ sin y: the gradient is infinite in the corner."""

    def exact(x):
        return corner(x) + jnp.exp(x[0]) * jnp.sin(x[1])

    recipe = Recipe(
        network=spread_units([1.5, 1.5, 1.5], spread=3.0, features=("corner",)),
        width=80,
        depth=1,
        points=700,
        rank=200,
        steps=120,
        options=SOBOL | {"boundary_weight": 100.0},
        why="The singular function of the corner is an input of the network; without it, its error stays near 1e-3.",
    )
    shape = Polygon([[0, 0], [1, 0], [1, 1], [-1, 1], [-1, -1], [0, -1]])
    equation = "Δu = 0 on an L around (0, 0),  u = r^⅔ sin ⅔φ + eˣ sin y"
    return _poisson("l_shape", shape, equation, exact, lambda x: 0.0, recipe, axes=("x", "y"))


def jump() -> Problem:
    """−k Δu = f on (−1, 1)², k = 1 left and 10 right of x = 0, where u and the flux k u_x are continuous."""

    def coefficient(x):
        return jnp.where(x[0] < 0, 1.0, 10.0)

    def exact(x):
        return jnp.sin(2 * x[0]) * jnp.exp(x[1]) / coefficient(x) + jnp.cos(x[0]) * jnp.cos(x[1])

    def inside(u, x):
        source = 3 * jnp.sin(2 * x[0]) * jnp.exp(x[1]) + 2 * coefficient(x) * jnp.cos(x[0]) * jnp.cos(x[1])
        return -coefficient(x) * laplacian(u)(x) - source

    def across(u, x):
        # What bends at x = 0 is evaluated on both sides of it.
        left, right = x.at[0].set(-1e-12), x.at[0].set(1e-12)
        return jnp.stack([u(right) - u(left), 10 * partial(u, 0)(right) - partial(u, 0)(left)])

    box = Box([-1.0, -1.0], [1.0, 1.0])
    conditions = [
        interior(inside),
        boundary(dirichlet(exact), weight=100.0),
        Condition(across, Box([-1.0, -1.0], [0.0, 1.0]).face(0, "upper"), weight=100.0, equations=2),
    ]
    recipe = Recipe(
        network=spread_units([1.5, 1.5, 1.5], spread=3.0, features=("kink",)),
        width=100,
        depth=1,
        points=[500, 150, 60],
        rank=250,
        steps=100,
        options=SOBOL,
        why="|x| is an input of the network, which can bend at the interface so; a condition there has the flux continuous.",
    )
    equation = "−k Δu = f on (−1, 1)²,  k = 1 for x < 0 and 10 for x > 0,  u and k u_x continuous"
    return Problem("jump", box, conditions, exact, 1, equation, ("x", "y"), recipe)

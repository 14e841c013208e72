"""Conditions that many problems share, and what is periodic in space."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp

from sketchlab.calculus import Function, partial
from sketchlab.domains import Box
from sketchlab.equations.references import Evolution
from sketchlab.problems import Condition, Problem, Residual, face, interior
from sketchlab.recipes import Recipe


def dirichlet(exact: Function) -> Residual:
    """Return the residual u - exact."""
    return lambda u, x: u(x) - exact(x)


def zero(u, x):
    """Return u: the residual of u = 0."""
    return u(x)


def at_rest(exact: Function) -> Residual:
    """Return the residual (2,) of the initial conditions u = exact, u_t = 0; time is the last coordinate."""
    return lambda u, x: jnp.stack([u(x) - exact(x), partial(u, len(x) - 1)(x)])


def faces(axes: Iterable[int], residual: Residual, weight: float, equations: int | None = None) -> list[Condition]:
    """Ask for the same on both faces of some axes of a box."""
    options: Any = {"residual": residual, "weight": weight, "equations": equations}
    return [face(axis=axis, side=side, **options) for axis in axes for side in ("lower", "upper")]


def periodic(name: str, lower: float, upper: float, change: Residual, first: Function, equation: str, recipe: Recipe) -> Problem:
    """Return a problem that is periodic in x on (lower, upper), with the residual `change` inside and the first values `first`.

    Its solution is stored by its name. The usual network is periodic by itself, with all its derivatives.
    """
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

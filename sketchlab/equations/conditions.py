"""Conditions that many problems share."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp

from sketchlab.calculus import Function, partial
from sketchlab.problems import Condition, Residual, face


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

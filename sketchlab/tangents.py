"""Tangent functions: what a change of the parameters does to the function, anywhere in the domain.

A direction v in parameter space changes u by the function ∂u(x)/∂θ · v. For an eigenvector of G it is an *eigenfunction*: those
of large eigenvalues are what the points see best, those of the tail are invisible to them.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from sketchlab.domains import carried
from sketchlab.networks import MLP, check_network
from sketchlab.precision import in_full_precision
from sketchlab.problems import Condition, Problem, interior
from sketchlab.residuals import LeastSquares
from sketchlab.validation import InputError, check_array, check_instance, check_matrix, checked_call


@checked_call()
def tangent_functions(problem: Problem, network: MLP, theta, vectors, x, *, condition: Condition | None = None) -> jax.Array:
    """Evaluate what a change of the parameters does to the function: ∂u(x)/∂θ · v.

    Parameters
    ----------
    problem, network
    theta : (P,)
    vectors : (P, m)
        Directions v, as ``spectrum.right[:, :m]``.
    x : (n, d)
        Points, anywhere in the domain.
    condition : Condition, optional
        Of the problem: evaluate its linearized residual instead, without weight and measure: what J v is at a point.

    Returns
    -------
    (n, m), or (n, c, m) for c > 1 outputs or equations
        Costs one forward pass for each direction and point.

    Examples
    --------
    >>> setup = sl.Setup(sl.PROBLEMS["heat_1d"](), sl.MLP(2, width=4), points=50)
    >>> found = sl.spectrum(setup.problem, setup.network, points=50)
    >>> x = np.array([[0.1, 0.5], [0.2, 0.5]])
    >>> sl.tangent_functions(setup.problem, setup.network, setup.theta(), found.right[:, :3], x).shape
    (2, 3)
    """
    check_instance("problem", problem, Problem, 'sl.PROBLEMS["heat_1d"]() or sl.Problem(…)')
    check_network(network)
    theta, vectors, x = (check_array(name, a) for name, a in (("theta", theta), ("vectors", vectors), ("x", x)))
    dtype = theta.dtype if jnp.issubdtype(theta.dtype, jnp.floating) else float
    theta, vectors, x = (jnp.asarray(a, dtype) for a in (theta, vectors, x))
    if theta.shape != (network.size,):
        raise InputError(f"theta has shape {theta.shape}, but the network has P = {network.size} parameters.")
    check_matrix("vectors", vectors, network.size)
    problem.check_points(x)
    condition = interior(lambda u, x: u(x)) if condition is None else condition
    check_instance("condition", condition, Condition, "one of problem.conditions")
    one = replace(problem, conditions=[condition])
    if carried(one.regions[0]):
        raise InputError("the residual of this condition reads numbers that come with its points, as data do: give another one.")
    # By its least squares, equal where what it computes is: a function with another constant in it is compiled anew.
    return _tangents(LeastSquares(one, network), theta, vectors, x)


@partial(jax.jit, static_argnums=0)
@in_full_precision
def _tangents(least_squares, theta, vectors, x):
    (condition,), (region,) = least_squares.problem.conditions, least_squares.problem.regions
    scale = (condition.weight * region.measure / len(x)) ** 0.5

    def along(v):
        return jax.jvp(lambda t: least_squares.residual(t, (x,)), (theta,), (v,))[1]

    rows = jax.vmap(along, 1, -1)(vectors) / scale
    components = least_squares.rows((x,)) // len(x)
    return rows if components == 1 else rows.reshape(len(x), components, -1)

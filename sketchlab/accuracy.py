"""How far a network is from the known solution, on points that it was not trained on."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import sobol
from sketchlab.networks import solve
from sketchlab.problems import Problem
from sketchlab.setup import Setup
from sketchlab.validation import InputError

#: Held-out points.
HELD_OUT = 4096


def held_out_points(problem: Problem, n: int = HELD_OUT) -> np.ndarray:
    """Return n quasi-random points (n, d) inside to judge solutions by: always the same, and never trained on."""
    return problem.domain.sample(n, seed=2**31, sampler=sobol)


def relative_error(setup: Setup) -> Callable[[jax.Array], float] | None:
    """Return theta (P,) -> ‖u - u*‖ / ‖u*‖ in L2 on held-out points, or None for a problem without a known solution.

    Where u* is zero everywhere, it is ‖u‖ alone.

    Raises
    ------
    InputError
        If the solution is non-finite somewhere: the place is named.
    """
    problem, evaluate = setup.problem, solve(setup.network)
    if problem.solution is None:
        return None
    x = jnp.asarray(held_out_points(problem), jnp.dtype(setup.dtype))
    exact = np.asarray(jax.vmap(problem.solution)(x))
    if not np.all(np.isfinite(exact)):
        where = np.asarray(x)[np.argmin(np.isfinite(exact).reshape(len(x), -1).all(axis=1))]
        raise InputError(f"the solution of {problem.name!r} is non-finite at x = {where.tolist()}: mend it, or leave it out.")
    norm = float(np.linalg.norm(exact)) or float(np.sqrt(len(x)))

    def error(theta):
        # A run that diverges may overflow: its error is infinite, and its stop reason says the rest.
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.linalg.norm(np.asarray(evaluate(theta, x)) - exact)) / norm

    return error

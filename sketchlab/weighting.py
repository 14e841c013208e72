"""Weights of the conditions on boundaries: a number, or the one that balances them against the equation inside."""

import jax
import numpy as np

from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares, Points
from sketchlab.validation import InputError, check_real


def weighed(boundary_weight: float | str | None, least_squares: LeastSquares, theta: jax.Array, points: Points) -> Problem:
    """Return the problem with another weight on every condition on a boundary, or with weights that balance traces of G.

    Raises
    ------
    InputError
        For a weight that is none, and where a part of G has no trace to balance.
    """
    problem = least_squares.problem
    if boundary_weight is None:
        return problem
    inside = np.array([region.codimension == 0 for region in problem.regions])
    weights = np.array([condition.weight for condition in problem.conditions])
    if not isinstance(boundary_weight, str) or boundary_weight != "balance":
        if isinstance(boundary_weight, str):
            raise InputError(f"boundary_weight = {boundary_weight!r} is neither a number above 0 nor 'balance'.")
        check_real("boundary_weight", boundary_weight, 0, np.inf, open_low=True, open_high=True)
        return problem.reweighted(np.where(inside, weights, boundary_weight).tolist())
    if not inside.any():
        raise InputError(f"boundary_weight = 'balance', but {problem.name!r} has no condition inside to balance against.")
    traces = np.asarray(jax.jit(least_squares.traces)(theta, points))
    balanced = weights * traces[inside].sum() / np.where(traces > 0, traces, np.nan)
    if not np.all(np.isfinite(balanced[~inside]) & (balanced[~inside] > 0)):
        raise InputError(
            f"boundary_weight = 'balance', but at the first parameters the conditions of {problem.name!r} have parts of G with "
            f"the traces {traces.tolist()}: give the weight as a number."
        )
    return problem.reweighted(np.where(inside, weights, balanced).tolist())

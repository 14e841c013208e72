"""How much each condition counts in the loss: the problem's own weights, one number for all on a boundary, or a balance.

Weights are measured by the *trace* of a condition's part of the Gramian, Σ ‖row of J‖² over its rows: how strongly the parameters
move it. With equal traces all conditions are learned at about the same pace: this is the weighting by the trace of the neural
tangent kernel (Wang, Yu, Perdikaris 2022).
"""

import functools
from dataclasses import replace

import jax
import numpy as np

from sketchlab.domains import unit_sized
from sketchlab.memory import KEPT
from sketchlab.residuals import LeastSquares, Points
from sketchlab.validation import InputError, check_real

#: Weights were chosen with lengths of about 1 in mind. On another domain a residual with two derivatives is a million times
#: larger in kilometres than in metres, so there a trace may be so many times that of the conditions inside, or such a part of it.
FARTHEST = 100.0


def weighed(boundary_weight: float | str | None, least_squares: LeastSquares, theta: jax.Array, points: Points) -> LeastSquares:
    """Choose the weight of every condition on a boundary.

    Parameters
    ----------
    boundary_weight : float, "own", "balance" or None
        A number for all; the problem's own; those that give each condition the trace that the conditions inside have together;
        or the problem's own, but where the domain's lengths are far from 1 brought so close to the balance that traces differ
        by `FARTHEST` at most, so that a problem has the same errors in all units.
    least_squares, theta, points
        Traces are taken there.

    Raises
    ------
    InputError
        For a weight that is none, and where a part of G has no trace to balance.
    """
    problem = least_squares.problem
    inside = np.array([region.codimension == 0 for region in problem.regions])
    weights = np.array([condition.weight for condition in problem.conditions])
    if boundary_weight is None:
        if unit_sized(problem.domain) or not inside.any():
            return least_squares
        on_boundary = _balanced(least_squares, weights, theta, points, inside, FARTHEST)
    elif not isinstance(boundary_weight, str):
        on_boundary = check_real("boundary_weight", boundary_weight, 0, np.inf, open_low=True, open_high=True)
    elif boundary_weight == "own":
        return least_squares
    elif boundary_weight == "balance":
        on_boundary = _balanced(least_squares, weights, theta, points, inside, 1.0)
    else:
        raise InputError(f"boundary_weight = {boundary_weight!r} is neither a number above 0 nor 'balance' nor 'own'.")
    return replace(least_squares, problem=problem.reweighted(np.where(inside, weights, on_boundary).tolist()))


@functools.lru_cache(maxsize=KEPT)
def _traces(least_squares):
    return jax.jit(least_squares.traces)


def _balanced(least_squares, weights, theta, points, inside, farthest):
    """Return weights that bring each trace within `farthest` times that of the conditions inside, or such a part of it."""
    traces = np.asarray(_traces(least_squares)(theta, points), float)
    # What a network satisfies by itself, as a periodic one its period, is left with rounding errors: no weight balances them.
    felt = traces > float(np.finfo(theta.dtype).eps) * traces.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = traces / traces[inside].sum()
        balanced = np.where(felt, weights * np.clip(ratios, 1 / farthest, farthest) / ratios, weights)
    if not np.all((0 < balanced) & (balanced < np.inf) | inside):
        raise InputError(
            f"at the first parameters the conditions of {least_squares.problem.name!r} have parts of G with the traces "
            f"{traces.tolist()}, which no weights balance: give boundary_weight = a number, or 'own' for the problem's weights."
        )
    return balanced

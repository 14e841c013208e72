"""Standard errors of constants that were found from measured data.

The parameters minimize ½‖r‖², and only the rows of data are noisy. To first order, noise ε of the measured values, in units of σ,
moves the minimum by δθ = J⁺ C ε, where C has the factors of the rows of data, and 0 in all others. So constants g(θ) have

=========  =============  ========  ==================================================
symbol     name           shape     meaning
=========  =============  ========  ==================================================
W          influence      (N, k)    (J⁺)ᵀ (∂g/∂θ)ᵀ: what a row does to the constants
cov        covariance     (k, k)    Wᵀ C² W, the sandwich G⁺ Jᵀ C² J G⁺ between ∂g/∂θ
=========  =============  ========  ==================================================

All of it comes from the singular value decomposition of J, and none from G. The network is part of θ: how far the rows of the
equation let it follow the noise is in the errors. docs/inverse.md has the derivation, and a count of how often intervals hold.
"""

import functools
import warnings
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import full_spectrum
from sketchlab.history import Run
from sketchlab.measurements import Misfit
from sketchlab.memory import KEPT, check_memory, one_blas_thread
from sketchlab.precision import in_full_precision
from sketchlab.residuals import LeastSquares
from sketchlab.setup import as_arrays, check_dtype
from sketchlab.validation import InputError, check_instance, checked_call

#: Standard errors on each side of an interval of 95 %.
REACH = 1.96
#: A deviation of the data that chance exceeds once in ten thousand times, in standard normal units.
UNLIKELY = 4.0
#: Standard errors that training, and that the residuals of the equation, may have left out without a warning.
LEFT, SHIFT = 0.5, 1.0


class UncertaintyWarning(UserWarning):
    """Standard errors may not mean what they say."""


@dataclass(frozen=True)
class StandardErrors:
    """How well the data determine the constants of a run.

    Attributes
    ----------
    errors : dict of str to float
        Standard error of each constant; infinite where equation and data do not determine it.
    intervals : dict of str to (float, float)
        Intervals that hold the true value in 95 % of all cases: the value and 1.96 standard errors on each side; of the logarithm
        for a constant that is positive.
    covariance : (k, k)
        Of the constants, in the order of `errors`; without meaning beside an infinite error.
    deviation : float
        Estimate of how far measured values lie from the truth, in units of the given σ: √(χ² / freedom). Where σ was a guess,
        multiply the errors by it. NaN where no freedom is left to estimate it from.
    freedom : float
        Measured values less what the network and the constants can fit of their noise.
    """

    errors: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    covariance: np.ndarray
    deviation: float
    freedom: float


@checked_call()
def standard_errors(run: Run) -> StandardErrors:
    """Return the standard errors of a run's constants, which the noise of its `data` makes.

    Parameters
    ----------
    run : Run
        Of a network with constants, on a problem with `data`, trained until it does not change any more.

    Returns
    -------
    StandardErrors
        For one singular value decomposition of J (N, P), O(N P min(N, P)) operations.

    Raises
    ------
    InputError
        If there are no constants or no data, or J does not fit into memory.

    Warns
    -----
    UncertaintyWarning
        If the data deviate from the model by another size than σ; if the network can follow more than half of the noise; if
        training has not converged; if the equation is not solved well enough for constants this exact; if a constant is not
        determined.

    Examples
    --------
    >>> x = np.linspace(0.1, 0.9, 9)[:, None]
    >>> noisy = np.exp(-2 * x[:, 0]) + 0.01 * np.array([1, -1, 0, 1, 1, -1, -1, 1, -1])
    >>> decay = sl.interior(lambda u, x: sl.partial(u, 0)(x) + u.rate * u(x))
    >>> problem = sl.Problem("decay", sl.Box(0, 1), [decay, sl.data(x, noisy, sigma=0.01)])
    >>> network = sl.WithConstants(sl.MLP(1, width=6, depth=1), positive=["rate"], rate=1.0)
    >>> run = sl.train(problem, network, sl.natural_gradient(), points=30, steps=40, progress=False)
    >>> found = sl.standard_errors(run)
    >>> low, high = found.intervals["rate"]
    >>> low < 2 < high, 0.02 < found.errors["rate"] < 0.06
    (True, True)
    """
    check_instance("run", run, Run, "what sl.train returns")
    factors, theta, least_squares, points = _prepared(run)
    is_data = factors > 0
    values, slopes = _constants(run.network, theta)
    with one_blas_thread():
        found, residual = jax.block_until_ready(_decomposed(least_squares)(theta, points))
    left, singular_values, right = map(np.asarray, (found.left, found.singular_values, found.right))
    if not np.all(np.isfinite(singular_values)):
        raise InputError(f"J of {run.problem.name!r} has non-finite entries: look at theta, and at its residuals there.")
    # What is smaller than rounding errors of J is no direction that the rows determine.
    epsilon = float(np.finfo(theta.dtype).eps)
    least = epsilon * max(found.shape) * singular_values[0]
    kept = singular_values > least
    left, right = left[:, kept], right[:, kept]
    influence = left @ (right.T @ slopes.T / singular_values[kept][:, None])
    noisy = influence * factors[:, None]
    covariance = noisy.T @ noisy
    # A constant that no row depends on, or that the rest can stand in for, lies outside of the directions that are kept; one that
    # is determined lies there by least ‖W‖ at most.
    outside = np.linalg.norm(slopes.T - right @ (right.T @ slopes.T), axis=0)
    rounding = least * np.linalg.norm(influence, axis=0) + epsilon * len(theta) * np.linalg.norm(slopes, axis=1)
    undetermined = outside > 10 * rounding
    errors = dict(zip(values, np.where(undetermined, np.inf, np.sqrt(np.diag(covariance))).tolist(), strict=True))
    residual = np.asarray(residual)
    freedom = _freedom(left[is_data], factors[is_data])
    square = np.sum((residual[is_data] / factors[is_data]) ** 2)
    deviation = float(np.sqrt(square / freedom)) if freedom > 0.5 else np.nan
    _warn_of_data(deviation, freedom, np.sum(is_data))
    shares = influence * residual[:, None]
    # Training stands still where the shares of all rows add up to 0.
    _warn_of_constants(errors, np.abs(shares.sum(axis=0)), np.abs(shares[~is_data]).sum(axis=0))
    positive = getattr(run.network, "positive", ())
    intervals = {name: _interval(value, errors[name], name in positive) for name, value in values.items()}
    return StandardErrors(errors, intervals, covariance, deviation, float(freedom))


def _prepared(run):
    """Return the factors of rows of data (N,), 0 for other rows, and theta, least squares and points of a run."""
    problem, network = run.problem, run.network
    if not run.constants:
        raise InputError("the network of the run has no constants: make it with sl.WithConstants(network, name=first value).")
    if not any(isinstance(condition.residual, Misfit) for condition in problem.conditions):
        raise InputError(f"{problem.name!r} has no measured data, whose noise makes the errors: add sl.data(x, values, sigma=…).")
    if run.points is None:
        raise InputError("the run does not say at which points it was trained: standard errors need a run of sl.train.")
    check_dtype(run.theta.dtype.name)
    least_squares = LeastSquares(problem, network)
    theta, points = jnp.asarray(run.theta), as_arrays(run.points, run.theta.dtype.name)
    rows, columns = least_squares.rows(points), network.size
    needed = (4 * rows * columns + 4 * min(rows, columns) ** 2) * theta.dtype.itemsize
    check_memory(f"the singular value decomposition of J, {rows} × {columns},", needed, "take fewer points or a smaller network.")
    pairs = zip(problem.conditions, problem.regions, points, strict=True)
    factors = [
        (condition.weight * region.measure / len(x)) ** 0.5 * isinstance(condition.residual, Misfit)
        for condition, region, x in pairs
    ]
    return np.repeat(factors, least_squares.heights(points)), theta, least_squares, points


@functools.lru_cache(maxsize=KEPT)
def _decomposed(least_squares):
    @in_full_precision
    def decomposed(theta, points):
        return full_spectrum(least_squares.dense(theta, points)), least_squares.residual(theta, points)

    return jax.jit(decomposed)


def _constants(network, theta):
    """Return the values of the constants by name, and their derivatives (k, P)."""

    def constants(theta):
        return network.constants(network.unflatten(theta))

    slopes = jax.jacrev(constants)(theta)
    values = {name: float(value) for name, value in constants(theta).items()}
    return values, np.stack([np.asarray(slopes[name]) for name in values])


def _freedom(left, factors):
    """Return the mean of χ² where the model is right, ‖1 - C⁻¹HC‖², for the rows of data of H = UUᵀ and their factors C."""
    over, times = left / factors[:, None], left * factors[:, None]
    return len(left) - 2 * np.sum(left**2) + np.sum((over.T @ over) * (times.T @ times))


def _interval(value, error, positive):
    """Return the interval of 95 %; of a positive constant that of its logarithm, whose standard error is error / value."""
    if not positive:
        return value - REACH * error, value + REACH * error
    ratio = float(np.exp(min(REACH * error / value, np.log(np.finfo(float).max)))) if np.isfinite(error) else np.inf
    return value / ratio, value * ratio


def _warn_of_data(deviation, freedom, count):
    if freedom < count / 2:
        _warn(
            f"the network can follow the noise: {freedom:.1f} of {count} measured values are left to judge it by, and the errors "
            "are those of a training without end. Take more points for the equation, more weight on it, or a smaller network."
        )
    if np.isnan(deviation):
        return
    # Wilson and Hilferty 1931: the third root of χ² is nearly normal.
    width = 2 / (9 * freedom)
    if abs(deviation ** (2 / 3) - (1 - width)) > UNLIKELY * width**0.5:
        wrong = "small, or equation and network cannot follow the data" if deviation > 1 else "large"
        _warn(
            f"the data deviate by {deviation:.2g} sigma, and not by 1: sigma was given too {wrong}. The standard errors take it "
            f"as given: multiply them by {deviation:.2g} if it was a guess."
        )


def _warn_of_constants(errors, left, shift):
    """Warn of constants that are not determined, would move on, or that residuals of the equation may have moved."""
    for (name, error), further, moved in zip(errors.items(), left, shift, strict=True):
        if np.isinf(error):
            _warn(f"{name} is not determined: the network, or another constant, can stand in for it at these points.")
        elif further > LEFT * error:
            _warn(f"training has not converged: the next step may change {name} by {further:.2g}, its error is {error:.2g}.")
        elif moved > SHIFT * error:
            _warn(
                f"the equation is not solved well enough: its residuals may have moved {name} by {moved:.2g}, the error of noise "
                f"is {error:.2g}. Take more steps, a larger network or more weight on the equation."
            )


def _warn(text):
    warnings.warn(text, UncertaintyWarning, stacklevel=5)

"""How close a sketch comes to the best of its rank: its error against the optimum and against the bounds, as an experiment.

The best approximation of rank k keeps the leading k eigenvectors of G. It errs by λ_(k+1), in the Frobenius norm by
(Σ_(j>k) λⱼ²)^½. A sketch of k + p columns comes near to that, with high probability, and power iterations bring it nearer.

=========  ===========  ========  ====================================================
symbol     name         shape     meaning
=========  ===========  ========  ====================================================
G          gramian      (P, P)    JᵀJ, never formed
Ĝ                                 V S² Vᵀ of a sketch of rank k
m                                 q + 1, the powers of G that a range route multiplies
τₘ         tail                   (Σ_(j>k) λⱼ^(2m))^½
=========  ===========  ========  ====================================================
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.jacobians import Jacobian
from sketchlab.memory import one_blas_thread
from sketchlab.random_matrices import SKETCHES
from sketchlab.routes import sketched_spectrum
from sketchlab.sketch import OVERSAMPLING, check_power_iterations
from sketchlab.validation import InputError, check_array, check_integer, check_key, is_list

#: Steps of the power iteration for a spectral norm.
NORM_ITERATIONS = 100


class Norms(NamedTuple):
    """An error of G in two norms: numbers, or arrays with one number for each repeat."""

    spectral: float | np.ndarray
    frobenius: float | np.ndarray


class Bounds(NamedTuple):
    """What theory promises for a Gaussian sketch: on average, and each, except with a probability of 3 e⁻ᵖ."""

    expected: Norms
    likely: Norms


class NearOptimality(NamedTuple):
    """What `near_optimality` found.

    Attributes
    ----------
    rank : int
    floor : float
        ε λ₁: no basis in floating point, the exact eigenvectors rounded included, makes a smaller error for certain.
    optimum : Norms
        The least error of any matrix of this rank.
    errors : dict of (str, int) to Norms of (repeats,)
        ‖G - Ĝ‖ by test matrix and q.
    bounds : dict of int to Bounds
        By q.
    """

    rank: int
    floor: float
    optimum: Norms
    errors: dict[tuple[str, int], Norms]
    bounds: dict[int, Bounds]


def halko_bounds(eigenvalues, rank: int, oversampling: int, power_iterations: int) -> Bounds:
    """Bound the error of `range_route` with a Gaussian test matrix, cut off to rank k.

    Parameters
    ----------
    eigenvalues : (r,)
        All of G, descending.
    rank, oversampling, power_iterations : int
        k >= 2, p >= 4, q.

    Examples
    --------
    >>> bounds = sl.halko_bounds(0.5 ** np.arange(30), 10, 5, 0)
    >>> 0.5**10 < bounds.expected.spectral < bounds.likely.spectral
    True

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Theorems 9.1, 10.5 to 10.7 and Corollary 10.9, carried over to G and to a sketch that is
    cut off to rank k; docs/near-optimality.md has the derivation.
    """
    eigenvalues = np.asarray(check_array("eigenvalues", eigenvalues), float)
    # Asked this way round, NaN is refused too.
    if eigenvalues.ndim != 1 or not np.all(np.diff(eigenvalues, append=0) <= 0):
        raise InputError(
            f"eigenvalues of shape {eigenvalues.shape} are not a list that descends to 0: give those of `full_spectrum`."
        )
    k = check_integer("rank", rank, 2, eigenvalues.size)
    p, m = check_integer("oversampling", oversampling, 4), check_power_iterations(power_iterations) + 1
    last, following, rest = eigenvalues[k - 1], eigenvalues[k] if k < eigenvalues.size else 0.0, eigenvalues[k:]
    if last == 0:
        return Bounds(Norms(0.0, 0.0), Norms(0.0, 0.0))
    # In units of λₖ, or the powers underflow.
    ratio, tails = following / last, rest / last
    optimum, tail = np.linalg.norm(tails), np.linalg.norm(tails**m)
    spread = np.sqrt(k + p)
    mean = ((1 + np.sqrt(k / (p - 1))) * ratio**m + np.e * spread / p * tail) ** (1 / m)
    high = ((1 + 16 * np.sqrt(1 + k / (p + 1))) * ratio**m + 8 * spread / (p + 1) * tail) ** (1 / m)
    mean_frobenius = np.sqrt(optimum**2 + k / (p - 1) * tail**2)
    leading = np.sqrt(2 * p) * np.e**2 * spread / (p + 1) * ratio**m
    high_frobenius = np.hypot(optimum, np.e * np.sqrt(3 * k / (p + 1)) * tail + leading)
    pairs = (mean, mean_frobenius), (high, high_frobenius)
    return Bounds(*(Norms(float(last * (ratio + 2 * s)), float(last * (optimum + np.sqrt(2) * f))) for s, f in pairs))


def near_optimality(
    jacobian: Jacobian,
    rank: int,
    *,
    key,
    sketches: Sequence[str] = tuple(SKETCHES),
    power_iterations: Sequence[int] = (0, 1, 2),
    repeats: int = 20,
    oversampling: int = OVERSAMPLING,
) -> NearOptimality:
    """Measure how far sketches of G by the route "range" are from the best of their rank.

    Parameters
    ----------
    jacobian : Jacobian
        Small enough for `full_spectrum`.
    rank : int
        k >= 2
    key : JAX random key
    sketches, power_iterations : sequences of str and int
        Entries of `SKETCHES` and values of q: `repeats` sketches are drawn for every pair.
    oversampling : int
        p >= 4

    Raises
    ------
    InputError
        For what `sketched_spectrum` refuses, and if nothing is to be compared.

    Examples
    --------
    >>> J = sl.from_matrix(jnp.diag(0.7 ** jnp.arange(30.0)))
    >>> result = sl.near_optimality(J, 5, key=jax.random.key(0), sketches=["gaussian"], power_iterations=[2], repeats=3)
    >>> bool(np.all(result.errors["gaussian", 2].spectral < 1.5 * result.optimum.spectral))
    True
    """
    check_integer("repeats", repeats, 1)
    if not (is_list(sketches) and is_list(power_iterations)):
        raise InputError(
            f"sketches = {sketches!r}, power_iterations = {power_iterations!r}: name at least one in a list of each."
        )
    pairs = [(sketch, q) for sketch in sketches for q in power_iterations]
    keys = jax.random.split(check_key(key), (len(pairs), repeats))
    with one_blas_thread():
        truth = full_spectrum(jacobian)
        eigenvalues = np.asarray(truth.eigenvalues)
        bounds = {q: halko_bounds(eigenvalues, rank, oversampling, q) for q in power_iterations}
        errors = {
            (sketch, q): Norms(*map(np.asarray, _errors(jacobian, truth, some, rank, sketch, oversampling, q)))
            for (sketch, q), some in zip(pairs, keys, strict=True)
        }
    floor = float(jnp.finfo(jacobian.dtype).eps * eigenvalues[0])
    optimum = Norms(float(eigenvalues[rank]) if rank < eigenvalues.size else 0.0, float(np.linalg.norm(eigenvalues[rank:])))
    return NearOptimality(rank, floor, optimum, errors, bounds)


def gramian_error(truth: Spectrum, approximation: Spectrum, *, key) -> Norms:
    """Return ‖G - V S² Vᵀ‖ for the full spectrum of G and an approximate one, without forming a (P, P) matrix.

    In the coordinates of G's eigenvectors the difference is a matrix of min(N, P) rows. Its Frobenius norm is exact, its spectral
    norm comes from a power iteration, rarely more than a few per cent too small.
    """
    coordinates = truth.right.T @ approximation.right
    difference = jnp.diag(truth.eigenvalues) - coordinates * approximation.eigenvalues[None] @ coordinates.T

    def iterate(vector, _):
        image = difference @ vector
        norm = jnp.linalg.norm(image)
        return image / jnp.where(norm > 0, norm, 1), norm

    start = jax.random.normal(key, (len(difference),), difference.dtype)
    _, norms = jax.lax.scan(iterate, start / jnp.linalg.norm(start), length=NORM_ITERATIONS)
    return Norms(norms[-1], jnp.linalg.norm(difference))


@partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _errors(jacobian, truth, keys, rank, sketch, oversampling, power_iterations):
    """Return the error of a sketch for each random key."""
    options = {"sketch": sketch, "oversampling": oversampling, "power_iterations": power_iterations}

    def error(key):
        sketch_key, norm_key = jax.random.split(key)
        return gramian_error(truth, sketched_spectrum(jacobian, rank, key=sketch_key, **options), key=norm_key)

    return jax.lax.map(error, keys)

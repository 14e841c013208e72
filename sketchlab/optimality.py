"""How close a sketch comes to the best: its error against the optimum and against the bounds, as an experiment.

No matrix of rank k is nearer to G than the leading k eigenvectors make it: ‖G - Ĝ‖ ≥ λ_(k+1), and in the Frobenius norm
(Σ_(j>k) λⱼ²)^½. A sketch of k + p columns comes near to that, with high probability, and power iterations bring it nearer.

=========  ===========  ========  ====================================================
symbol     name         shape     meaning
=========  ===========  ========  ====================================================
G          gramian      (P, P)    never formed: its eigenvectors span all that matters
Ĝ                                 V S² Vᵀ of a sketch of rank k
m                                 q + 1, the powers of G that a range route multiplies
τₘ         tail                   (Σ_(j>k) λⱼ^(2m))^½
=========  ===========  ========  ====================================================
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.random_matrices import SKETCHES
from sketchlab.jacobians import Jacobian
from sketchlab.sketch import OVERSAMPLING, sketched_spectrum
from sketchlab.validation import InputError, check_integer

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
    rank, oversampling : int
    route : str
    largest : float
        λ₁
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
    oversampling: int
    route: str
    largest: float
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

    Notes
    -----
    Let P project on range(GᵐΩ), m = q + 1. The sketch is PGP, cut off to rank k. Since G - PGP = (I - P) G + P G (I - P), its
    norm is at most 2 ‖(I - P) G‖, in the Frobenius norm √2 of it, for the two parts are orthogonal; cutting off adds at most the
    optimum, because eigenvalues interlace.

    Spectral: ‖(I - P) G‖ᵐ ≤ ‖(I - P) Gᵐ‖ (Halko, Martinsson, Tropp 2011, proof of Proposition 8.6), and for Gᵐ their Theorem 10.6
    bounds the mean and Corollary 10.9 what is exceeded with a probability of at most 3 e⁻ᵖ:

        (1 + √(k / (p - 1))) λ_(k+1)ᵐ + e √(k + p) / p τₘ,    (1 + 16 √(1 + k / (p + 1))) λ_(k+1)ᵐ + 8 √(k + p) / (p + 1) τₘ.

    Frobenius: with G = diag(Λ₁, Λ₂) in its eigenvectors and Ω = (Ω₁, Ω₂) cut alike, their Theorem 9.1 for the test matrix
    G^(m-1) Ω says ‖(I - P) G‖² ≤ τ₁² + ‖Λ₂ᵐ Ω₂ Ω₁⁺ Λ₁^(1-m)‖² ≤ τ₁² + λₖ^(2-2m) ‖Λ₂ᵐ Ω₂ Ω₁⁺‖². The mean of the last square is
    k / (p - 1) τₘ² (proof of their Theorem 10.5, which is m = 1), and except with a probability of 3 e⁻ᵖ the norm is below
    e √(3 k / (p + 1)) τₘ + √(2 p) e² √(k + p) / (p + 1) λ_(k+1)ᵐ (proof of their Theorem 10.7 with t = e, u = √(2 p)). The
    constants are the journal's, where ‖Ω₁⁺‖_F exceeds t √(3 k / (p + 1)) with a probability of at most t⁻ᵖ; arXiv v2 has larger
    ones.
    """
    eigenvalues = np.asarray(eigenvalues, float)
    k = check_integer("rank", rank, 2, eigenvalues.size)
    p, m = check_integer("oversampling", oversampling, 4), check_integer("power_iterations", power_iterations, 0) + 1
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
    high_frobenius = np.hypot(
        optimum, np.e * np.sqrt(3 * k / (p + 1)) * tail + np.sqrt(2 * p) * np.e**2 * spread / (p + 1) * ratio**m
    )
    return Bounds(
        expected=Norms(float(last * (ratio + 2 * mean)), float(last * (optimum + np.sqrt(2) * mean_frobenius))),
        likely=Norms(float(last * (ratio + 2 * high)), float(last * (optimum + np.sqrt(2) * high_frobenius))),
    )


def near_optimality(
    jacobian: Jacobian,
    rank: int,
    *,
    key,
    sketches: Sequence[str] = tuple(SKETCHES),
    power_iterations: Sequence[int] = (0, 1, 2),
    repeats: int = 20,
    route: str = "range",
    oversampling: int = OVERSAMPLING,
) -> NearOptimality:
    """Measure how far sketches of G are from the best of their rank.

    Parameters
    ----------
    jacobian : Jacobian
        Small enough for `full_spectrum`.
    rank : int
        k >= 2
    key : JAX random key
    sketches : sequence of str
        Entries of `SKETCHES`.
    power_iterations : sequence of int
        Values of q.
    repeats : int
        Sketches drawn for each of both.
    route : str
        An entry of `ROUTES`; the bounds are for "range".
    oversampling : int
        p >= 4

    Returns
    -------
    NearOptimality

    Raises
    ------
    InputError
        For what `sketched_spectrum` refuses, and if nothing is to be compared.
    """
    check_integer("repeats", repeats, 1)
    if not sketches or not power_iterations:
        raise InputError(f"sketches = {list(sketches)}, power_iterations = {list(power_iterations)}: name at least one of each.")
    truth = full_spectrum(jacobian)
    eigenvalues = np.asarray(truth.eigenvalues)
    bounds = {q: halko_bounds(eigenvalues, rank, oversampling, q) for q in power_iterations}

    def repeat(sketch, q):
        def once(one_key):
            sketch_key, norm_key = jax.random.split(one_key)
            options = {"route": route, "sketch": sketch, "oversampling": oversampling, "power_iterations": q}
            return gramian_error(truth, sketched_spectrum(jacobian, rank, key=sketch_key, **options), key=norm_key)

        return Norms(*map(np.asarray, jax.jit(lambda keys: jax.lax.map(once, keys))(jax.random.split(key, repeats))))

    return NearOptimality(
        rank=rank,
        oversampling=oversampling,
        route=route,
        largest=float(eigenvalues[0]),
        floor=float(jnp.finfo(jacobian.dtype).eps * eigenvalues[0]),
        optimum=Norms(float(eigenvalues[rank]) if rank < eigenvalues.size else 0.0, float(np.linalg.norm(eigenvalues[rank:]))),
        errors={(sketch, q): repeat(sketch, q) for sketch in sketches for q in power_iterations},
        bounds=bounds,
    )


def gramian_error(truth: Spectrum, approximation: Spectrum, *, key) -> Norms:
    """Return ‖G - V S² Vᵀ‖ for the full spectrum of G and an approximate one, without forming a (P, P) matrix.

    In the coordinates of G's eigenvectors the difference is a matrix of min(N, P) rows. Its Frobenius norm is exact, its spectral
    norm comes from a power iteration, rarely more than a few per cent too small.
    """
    coordinates = truth.right.T @ approximation.right
    difference = jnp.diag(truth.eigenvalues) - coordinates * approximation.eigenvalues @ coordinates.T

    def iterate(vector, _):
        image = difference @ vector
        norm = jnp.linalg.norm(image)
        return image / jnp.where(norm > 0, norm, 1), norm

    start = jax.random.normal(key, (len(difference),), difference.dtype)
    _, norms = jax.lax.scan(iterate, start / jnp.linalg.norm(start), length=NORM_ITERATIONS)
    return Norms(norms[-1], jnp.linalg.norm(difference))

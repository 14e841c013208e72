"""Routes: four ways from a random test matrix to a `Spectrum`, and one call for all of them.

===========  ============  ===================================================================
route        products      what it does
===========  ============  ===================================================================
range        2 (q+1) + 1   Ω in parameter space, Q = orth(G^(q+1) Ω), singular values of JQ
kernel       2 (q+1)       Z in residual space, Q = orth(Jᵀ K^q Z), singular values of JQ
nystrom      2 (q+1)       GΩ alone tells G ≈ GΩ (ΩᵀGΩ)⁻¹ ΩᵀG; squares J, half of the digits
single-pass  2             JΩ and JᵀZ at once tell J: each row of it may be dropped after use
===========  ============  ===================================================================

The symbols are those of `sketchlab.sketch`. A route takes J, the rank k to return, the columns l >= k of the test matrix, how to
draw it (an entry of `SKETCHES`), the power iterations q and a key. A new one needs an entry in `ROUTES` and nothing else.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp

from sketchlab.gramian import Spectrum
from sketchlab.jacobians import Jacobian
from sketchlab.orthogonal import divide, orthonormalize, qr
from sketchlab.random_matrices import SKETCHES, Draw
from sketchlab.sketch import (
    ERROR_PROBES,
    OVERSAMPLING,
    check_power_iterations,
    co_range_finder,
    norm_bound,
    orthonormal_image,
    range_finder,
    rayleigh_ritz,
    triplets,
)
from sketchlab.validation import Catalogue, InputError, check_integer, check_jacobian, check_key


def range_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Restrict J to range(G^(q+1) Ω): the sketch of Best McKay et al. 2025, for which `near_optimality` has bounds.

    Halko, Martinsson, Tropp 2011, Algorithms 4.4 and 5.1.
    """
    matrix_key, key = jax.random.split(key)
    test_matrix = draw(columns, jacobian.shape[1], key=matrix_key, dtype=jacobian.dtype)
    return _restrict(jacobian, rank, orthonormal_image(jacobian, test_matrix), power_iterations, "range", key)


def kernel_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Restrict J to range(Jᵀ K^q Z): one product less than `range_route`, and N l instead of P l random numbers.

    For q = 0, JQ (JQ)ᵀ is the Nyström approximation KZ (ZᵀKZ)⁻¹ ZᵀK of the kernel, found without squaring J.
    """
    matrix_key, key = jax.random.split(key)
    test_matrix = draw(columns, jacobian.shape[0], key=matrix_key, dtype=jacobian.dtype)
    return _restrict(jacobian, rank, test_matrix, power_iterations, "kernel", key)


def _restrict(jacobian, rank, test_matrix, power_iterations, route, key):
    basis, error = co_range_finder(jacobian, test_matrix, probes=ERROR_PROBES, power_iterations=power_iterations, key=key)
    # The probes have cost their product: they stay in the basis, where they only help.
    return replace(rayleigh_ritz(jacobian, basis, rank), error=error, route=route)


def nystrom_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Approximate G by GΩ (ΩᵀGΩ)⁻¹ ΩᵀG, which needs G once and never J by itself.

    The price is in the digits: eigenvalues below about ε λ₁ are rounding noise, and their left vectors shorter than 1.

    Notes
    -----
    Tropp, Yurtsever, Udell, Cevher 2017 (arXiv 1706.05736), Algorithm 3: a small shift ν, taken off the eigenvalues again, makes
    the Cholesky factorization of ΩᵀGΩ possible. Theirs is ε ‖GΩ‖ in the spectral norm; the Frobenius norm is no smaller.
    """
    matrix_key, start_key, probe_key, basis_key = jax.random.split(key, 4)
    parameters = jacobian.shape[1]
    test_matrix = draw(columns, parameters, key=matrix_key, dtype=jacobian.dtype)
    # An orthonormal basis of the same range keeps ΩᵀGΩ as well conditioned as it can be.
    if power_iterations:
        test_matrix = range_finder(jacobian, test_matrix, power_iterations=power_iterations - 1, key=start_key)
    else:
        test_matrix, _ = orthonormalize(test_matrix, key=start_key)
    probes = jax.random.normal(probe_key, (parameters, ERROR_PROBES), jacobian.dtype)
    image = jacobian.matmat(jnp.concatenate([test_matrix, probes], axis=1))
    gramian = jacobian.rmatmat(image)
    precision = jnp.finfo(jacobian.dtype)
    shift = jnp.maximum(precision.eps * jnp.linalg.norm(gramian[:, :columns]), precision.tiny**0.5)
    shifted = gramian[:, :columns] + shift * test_matrix
    core = test_matrix.T @ shifted
    upper = jnp.linalg.cholesky((core + core.T) / 2, upper=True)
    basis, small = orthonormalize(divide(shifted, upper), key=basis_key)
    vectors, s, rotation = jnp.linalg.svd(small)
    eigenvalues = jnp.maximum(s**2 - shift, 0)
    found = basis @ (vectors @ (eigenvalues[:, None] * (vectors.T @ (basis.T @ probes))))
    left = divide(image[:, :columns], upper) @ rotation[:rank].T
    # ‖G - Ĝ‖ is bounded; singular values err by at most its root.
    error = norm_bound(gramian[:, columns:] - found) ** 0.5
    return Spectrum(jnp.sqrt(eigenvalues[:rank]), left, basis @ vectors[:, :rank], error, "nystrom", squared=True)


def single_pass_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Reconstruct J from JᵀZ and JΩ, both of which can be gathered while its rows pass by once.

    With Q = orth(JᵀZ), J ≈ X Qᵀ where X solves X (QᵀΩ) = JΩ in the least-squares sense. Nothing is squared, but singular values
    may come out too large as well as too small. Power iterations are refused: they would need J again.

    Notes
    -----
    Tropp, Yurtsever, Udell, Cevher 2017 (arXiv 1609.00048), on Jᵀ, with 2 l + 1 columns in Ω for l in Z.
    """
    if power_iterations:
        raise InputError(f"power_iterations = {power_iterations}, but a single pass has none: leave it 0 or use another route.")
    range_key, core_key, probe_key, basis_key = jax.random.split(key, 4)
    rows, parameters = jacobian.shape
    test_matrix = draw(columns, rows, key=range_key, dtype=jacobian.dtype)
    core_matrix = draw(min(2 * columns + 1, parameters), parameters, key=core_key, dtype=jacobian.dtype)
    probes = jax.random.normal(probe_key, (parameters, ERROR_PROBES), jacobian.dtype)
    image = jacobian.matmat(jnp.concatenate([core_matrix, probes], axis=1))
    basis, _ = orthonormalize(jacobian.rmatmat(test_matrix), key=basis_key)
    orthonormal, triangle = qr(core_matrix.T @ basis)
    coefficients = jax.scipy.linalg.solve_triangular(triangle, orthonormal.T @ image[:, :-ERROR_PROBES].T)
    missed = image[:, -ERROR_PROBES:] - coefficients.T @ (basis.T @ probes)
    return replace(triplets(coefficients.T, basis, rank), error=norm_bound(missed), route="single-pass")


ROUTES = Catalogue(
    "route", {"range": range_route, "kernel": kernel_route, "nystrom": nystrom_route, "single-pass": single_pass_route}
)


def check_rank(rank: int, oversampling: int, rows: int, columns: int) -> None:
    """Raise `InputError` unless 1 <= rank, 0 <= oversampling and rank + oversampling <= min(N, P)."""
    check_integer("rank", rank, 1)
    check_integer("oversampling", oversampling, 0)
    wanted, most = rank + oversampling, min(rows, columns)
    if wanted > most:
        more = "sample more points" if rows < columns else "widen the network"
        raise InputError(f"rank + oversampling = {wanted} exceeds min(N, P) = {most}: lower rank or oversampling, or {more}.")


def sketched_spectrum(
    jacobian: Jacobian,
    rank: int,
    *,
    key,
    route: str = "range",
    sketch: str = "gaussian",
    oversampling: int = OVERSAMPLING,
    power_iterations: int = 0,
) -> Spectrum:
    """Approximate the `rank` leading singular triplets of J.

    Parameters
    ----------
    jacobian : Jacobian
    rank : int
        k
    key : JAX random key
    route : str
        An entry of `ROUTES`.
    sketch : str
        An entry of `SKETCHES`.
    oversampling : int
        p more columns are drawn and, in the end, dropped: they catch what k random directions miss.
    power_iterations : int
        q <= 100, see `power_iterate`: for eigenvalues that decay slowly, or to get the last few of the k right as well.

    Raises
    ------
    InputError
        If rank + oversampling exceeds min(N, P), for an unknown route or sketch, and for power iterations in a single pass.

    Examples
    --------
    >>> J = sl.from_matrix(jnp.diag(0.5 ** jnp.arange(30.0)))
    >>> found = sl.sketched_spectrum(J, 3, key=jax.random.key(0))
    >>> np.round(found.eigenvalues, 4)
    Array([1.    , 0.25  , 0.0625], dtype=float64)
    """
    check_rank(rank, oversampling, *check_jacobian(jacobian).shape)
    power_iterations, columns = check_power_iterations(power_iterations), int(rank) + int(oversampling)
    return ROUTES[route](jacobian, int(rank), columns, SKETCHES[sketch], power_iterations, key=check_key(key))

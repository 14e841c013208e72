"""Sketches: find the directions that matter without ever building the Gramian.

Multiply G by a thin random matrix. Every column of Y = GΩ is a random mixture of eigenvectors, weighted by their
eigenvalues, so the span of Y nearly contains the leading eigenvectors when the eigenvalues decay (Halko, Martinsson,
Tropp 2011, "Finding structure with randomness"). Restrict J to that span and take the singular values of the small
matrix that remains.

=========  ===========  ==========  ==================================================
symbol     name         shape       meaning
=========  ===========  ==========  ==================================================
Ω          test_matrix  (P, l)      random, l = rank + oversampling
Z          test_matrix  (N, l)      the same in residual space
Q          basis        (P, l)      orthonormal, spans range(G^(q+1) Ω) or range(JᵀK^q Z)
B          projected    (N, l)      JQ
=========  ===========  ==========  ==================================================

`ROUTES` holds the ways from a test matrix to a `Spectrum`:

===========  ============  ===================================================================
route        products      what it does
===========  ============  ===================================================================
range        2 (q+1) + 1   Ω in parameter space, Q = orth(G^(q+1) Ω), singular values of JQ
kernel       2 (q+1)       Z in residual space, Q = orth(Jᵀ K^q Z), singular values of JQ
nystrom      2 (q+1)       GΩ alone tells G ≈ GΩ (ΩᵀGΩ)⁻¹ ΩᵀG; squares J, half of the digits
single-pass  2             JΩ and JᵀZ at once tell J: each row of it may be dropped after use
===========  ============  ===================================================================

The complement of the sketch is dropped. That is a choice: dividing by a damping there instead would let every direction that the
sketch did not see take an enormous step.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import Spectrum
from sketchlab.random_matrices import SKETCHES
from sketchlab.jacobians import Jacobian
from sketchlab.validation import Catalogue, InputError, check_integer

#: Columns of a sketch that its error estimate is made from.
ERROR_PROBES = 4
#: Columns that are drawn beyond the rank; together with the probes 10.
OVERSAMPLING = 6
#: `orthonormalize` sketches a matrix of at least `TALL` rows first, down to `BUCKETS` rows; see docs/optimizer-notes.md.
TALL, BUCKETS = 2**16, 2**13


def orthonormalize(a: jax.Array, *, key) -> tuple[jax.Array, jax.Array]:
    """Factorize a matrix (n, l) as QR, Q (n, l) with orthonormal columns and R (l, l) upper triangular.

    By Householder QR; for a tall matrix by randomized Cholesky QR, which is made of matrix products: R of a small sketch of A
    leaves A R⁻¹ well conditioned, and Cholesky QR of that is accurate. Where it is not, because A has dependent columns or the
    sketch was unlucky, Householder QR steps in.

    Notes
    -----
    The sketch adds every row of A to one of a few buckets, with a random sign, and mixes the buckets with random signs. Balabanov
    2022 (arXiv 2210.09953); Higgins, Szyld, Boman, Yamazaki 2023 (arXiv 2309.05868).
    """
    if len(a) < TALL or 4 * a.shape[1] > BUCKETS:
        return tuple(jnp.linalg.qr(a))
    bucket_key, mixing_key = jax.random.split(key)
    # Twice the buckets, and half of them taken negative: a random sign for every row that leaves A as it is.
    buckets = jax.ops.segment_sum(a, jax.random.randint(bucket_key, (len(a),), 0, 2 * BUCKETS), 2 * BUCKETS)
    mixing = jax.random.rademacher(mixing_key, (4 * a.shape[1], BUCKETS), a.dtype)
    first = jnp.linalg.qr(mixing @ (buckets[:BUCKETS] - buckets[BUCKETS:]), mode="r")
    tame = _divide(a, first)
    gram = tame.T @ tame
    eigenvalues, second = jnp.linalg.eigvalsh(gram), jnp.linalg.cholesky(gram, upper=True)
    accurate = eigenvalues[0] > eigenvalues[-1] / 100
    return jax.lax.cond(accurate, lambda: (_divide(tame, second), second @ first), lambda: _householder(a))


def _householder(a):
    """Factorize by Householder QR, with no negative number on the diagonal of R, as a Cholesky factor has it."""
    basis, triangle = jnp.linalg.qr(a)
    # A product, not a scaling: it leaves Q row by row in memory, as all that use it need it.
    signs = jnp.diag(jnp.where(jnp.diagonal(triangle) < 0, -1.0, 1.0).astype(a.dtype))
    return basis @ signs, signs @ triangle


def _divide(a, upper):
    """Return A R⁻¹ for a small upper triangular R: a product with the inverse, faster than a solve with every row of A."""
    return a @ jax.scipy.linalg.solve_triangular(upper, jnp.eye(len(upper), dtype=upper.dtype))


def power_iterate(jacobian: Jacobian, test_matrix: jax.Array, power_iterations: int, *, key) -> jax.Array:
    """Turn a test matrix Z (N, l) into an orthonormal basis of range(K^q Z), K = JJᵀ; Z itself for q = 0.

    Costs 2 q products with J or Jᵀ and as many QR factorizations. Each q sharpens the decay that a sketch sees.

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithm 4.4. The factorization between J and Jᵀ costs little and keeps what squaring J
    would lose: without it, directions with s < √ε s₁ drown in rounding errors; with it, those down to ε s₁ survive.
    """
    for i in range(power_iterations):
        image, _ = orthonormalize(jacobian.rmatmat(test_matrix), key=jax.random.fold_in(key, i))
        test_matrix = orthonormal_image(jacobian, image)
    return test_matrix


def co_range_finder(
    jacobian: Jacobian, test_matrix: jax.Array, *, probes: int, power_iterations: int = 0, key
) -> tuple[jax.Array, jax.Array]:
    """Find an orthonormal basis of range(Jᵀ[K^q Z, W]) with standard Gaussian W, and estimate what range(JᵀK^q Z) misses.

    Parameters
    ----------
    jacobian : Jacobian
    test_matrix : (N, l)
        Z
    probes : int
        m, columns of W.
    power_iterations : int
        q, see `power_iterate`.
    key : JAX random key

    Returns
    -------
    basis : (P, l + m)
        Q
    error : ()
        10 √(2/π) max ‖(I - Q₁Q₁ᵀ) Jᵀwᵢ‖ over the m columns of W, Q₁ the first l of Q, in the units of a singular value: with a
        probability of at least 1 - 10⁻ᵐ no less than ‖J - JQ₁Q₁ᵀ‖, and so than ‖J - JQQᵀ‖.

    Notes
    -----
    One product with Jᵀ, and 2 q more with J or Jᵀ; the R of the last QR factorization holds the norms. Halko, Martinsson, Tropp
    2011, Algorithm 4.4 (4.1 for q = 0) on Jᵀ and Equation 4.3.
    """
    rows, columns = test_matrix.shape
    probe_key, basis_key = jax.random.split(key)
    test_matrix = power_iterate(jacobian, test_matrix, power_iterations, key=basis_key)
    probe_columns = jax.random.normal(probe_key, (rows, probes), test_matrix.dtype)
    image = jacobian.rmatmat(jnp.concatenate([test_matrix, probe_columns], axis=1))
    basis, triangle = orthonormalize(image, key=basis_key)
    return basis, _norm_bound(triangle[columns:, columns:])


def _norm_bound(images):
    """Bound ‖E‖ from the images E wᵢ (·, m) of standard Gaussian vectors, with a probability of at least 1 - 10⁻ᵐ."""
    return 10 * (2 / jnp.pi) ** 0.5 * jnp.max(jnp.linalg.norm(images, axis=0), initial=0)


def range_finder(jacobian: Jacobian, test_matrix: jax.Array, *, power_iterations: int = 0, key) -> jax.Array:
    """Find an orthonormal basis of range(G^(q+1) Ω).

    Parameters
    ----------
    jacobian : Jacobian
    test_matrix : (P, l)
        Ω
    power_iterations : int
        q, see `power_iterate`.
    key : JAX random key

    Returns
    -------
    (P, l)
        Costs 2 (q + 1) products with J or Jᵀ and as many QR factorizations.

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithm 4.4, on Jᵀ with JΩ as its test matrix.
    """
    image = orthonormal_image(jacobian, test_matrix)
    return co_range_finder(jacobian, image, probes=0, power_iterations=power_iterations, key=key)[0]


def orthonormal_image(jacobian: Jacobian, test_matrix: jax.Array) -> jax.Array:
    """Return an orthonormal basis (N, l) of range(JΩ), for one product and one QR factorization."""
    return jnp.linalg.qr(jacobian.matmat(test_matrix))[0]


class NestedSketch(NamedTuple):
    """Sketches of all ranks up to one: what a hand on a slider needs to be answered at once.

    The leading l columns of Q are an orthonormal basis of range(G^(q+1) Ω'), Ω' the leading l columns of Ω, for QR factorizations
    work from left to right. So one sketch contains all smaller ones, and the singular values of each are those of a corner of
    the triangle R in JQ = U R.

    Attributes
    ----------
    basis : (P, L)
        Q
    triangle : (L, L)
        R
    """

    basis: jax.Array
    triangle: jax.Array

    def ritz(self, rank: int, *, oversampling: int = OVERSAMPLING) -> tuple[np.ndarray, np.ndarray]:
        """Return the singular values of the sketch of a rank (k,), and its right singular vectors in the basis (l, k).

        It is made of the leading l = k + p columns: the vectors are Q' W for those columns Q' of the basis. Costs the SVD of an
        (l, l) matrix.
        """
        corner = np.asarray(self.triangle)[: rank + oversampling, : rank + oversampling]
        _, singular_values, vectors = np.linalg.svd(corner)
        return singular_values[:rank], vectors[:rank].T


def nested_sketch(jacobian: Jacobian, test_matrix: jax.Array, *, power_iterations: int = 0, key) -> NestedSketch:
    """Sketch with all leading columns of Ω (P, L) at once, see `NestedSketch`: 2 q + 3 products with J or Jᵀ.

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithm 4.4, and Rayleigh-Ritz as in `rayleigh_ritz`.
    """
    basis = range_finder(jacobian, test_matrix, power_iterations=power_iterations, key=key)
    return NestedSketch(basis, jnp.linalg.qr(jacobian.matmat(basis), mode="r"))


def rayleigh_ritz(jacobian: Jacobian, basis: jax.Array, rank: int | None = None) -> Spectrum:
    """Restrict J to a subspace and take its singular triplets there: B = JQ = U S Wᵀ, V = QW.

    The squares s² are the Ritz values of G on the subspace: each at most the eigenvalue of the same index, and equal to
    it when the subspace contains the eigenvectors. Costs one product with J and the SVD of an (N, k) matrix. Taking the
    SVD of B, not eigh(BᵀB), keeps the small ones right. With a `rank` the leading triplets alone are returned.
    """
    return _triplets(jacobian.matmat(basis), basis, rank)


def _triplets(projected, basis, rank):
    """Return the leading singular triplets of BQᵀ from B (N, l) and an orthonormal Q (P, l)."""
    # QR first and the SVD of a (k, k) matrix after it: half the time of the SVD of a tall matrix.
    tall, small = jnp.linalg.qr(projected)
    left, singular_values, rotation = jnp.linalg.svd(small)
    return Spectrum(singular_values[:rank], tall @ left[:, :rank], basis @ rotation[:rank].T)


Draw = Callable[..., jax.Array]


def range_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Restrict J to range(G^(q+1) Ω): the sketch of Best McKay et al. 2025, for which `near_optimality` has bounds.

    Parameters
    ----------
    jacobian : Jacobian
    rank : int
        k, triplets to return.
    columns : int
        l >= k, of the test matrix.
    draw : callable
        An entry of `SKETCHES`.
    power_iterations : int
        q
    key : JAX random key

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithms 4.4 and 5.1.
    """
    matrix_key, key = jax.random.split(key)
    test_matrix = draw(columns, jacobian.shape[1], key=matrix_key, dtype=jacobian.dtype)
    return _restrict(jacobian, rank, orthonormal_image(jacobian, test_matrix), power_iterations, "range", key)


def kernel_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Restrict J to range(Jᵀ K^q Z): one product less than `range_route`, and N l instead of P l random numbers.

    For q = 0, JQ (JQ)ᵀ is the Nyström approximation KZ (ZᵀKZ)⁻¹ ZᵀK of the kernel, found without squaring J. Parameters as
    there.
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
    Parameters as in `range_route`.

    Notes
    -----
    Tropp, Yurtsever, Udell, Cevher 2017 (arXiv 1706.05736), Algorithm 3: a small shift ν, taken off the eigenvalues again, makes
    the Cholesky factorization of ΩᵀGΩ possible. Theirs is ε ‖GΩ‖ in the spectral norm; the Frobenius norm is no smaller.
    """
    matrix_key, probe_key, key = jax.random.split(key, 3)
    parameters = jacobian.shape[1]
    test_matrix = draw(columns, parameters, key=matrix_key, dtype=jacobian.dtype)
    # An orthonormal basis of the same range keeps ΩᵀGΩ as well conditioned as it can be.
    if power_iterations:
        test_matrix = range_finder(jacobian, test_matrix, power_iterations=power_iterations - 1, key=key)
    else:
        test_matrix, _ = orthonormalize(test_matrix, key=matrix_key)
    probes = jax.random.normal(probe_key, (parameters, ERROR_PROBES), jacobian.dtype)
    image = jacobian.matmat(jnp.concatenate([test_matrix, probes], axis=1))
    gramian = jacobian.rmatmat(image)
    precision = jnp.finfo(jacobian.dtype)
    shift = jnp.maximum(precision.eps * jnp.linalg.norm(gramian[:, :columns]), precision.tiny**0.5)
    shifted = gramian[:, :columns] + shift * test_matrix
    core = test_matrix.T @ shifted
    upper = jnp.linalg.cholesky((core + core.T) / 2, upper=True)
    basis, small = orthonormalize(_divide(shifted, upper), key=probe_key)
    vectors, s, rotation = jnp.linalg.svd(small)
    eigenvalues = jnp.maximum(s**2 - shift, 0)
    found = basis @ (vectors @ (eigenvalues[:, None] * (vectors.T @ (basis.T @ probes))))
    left = _divide(image[:, :columns], upper) @ rotation[:rank].T
    error = _norm_bound(gramian[:, columns:] - found) ** 0.5
    return Spectrum(jnp.sqrt(eigenvalues[:rank]), left, basis @ vectors[:, :rank], error, "nystrom", squared=True)


def single_pass_route(jacobian: Jacobian, rank: int, columns: int, draw: Draw, power_iterations: int, *, key) -> Spectrum:
    """Reconstruct J from JᵀZ and JΩ, both of which can be gathered while its rows pass by once.

    With Q = orth(JᵀZ), J ≈ X Qᵀ where X solves X (QᵀΩ) = JΩ in the least-squares sense. Nothing is squared. Parameters as in
    `range_route`.

    Raises
    ------
    InputError
        If power_iterations > 0: they would need J again.

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
    orthonormal, triangle = jnp.linalg.qr(core_matrix.T @ basis)
    coefficients = jax.scipy.linalg.solve_triangular(triangle, orthonormal.T @ image[:, :-ERROR_PROBES].T)
    missed = image[:, -ERROR_PROBES:] - coefficients.T @ (basis.T @ probes)
    return replace(_triplets(coefficients.T, basis, rank), error=_norm_bound(missed), route="single-pass")


ROUTES = Catalogue(
    "route",
    {
        "range": range_route,
        "kernel": kernel_route,
        "nystrom": nystrom_route,
        "single-pass": single_pass_route,
    },
)


def check_rank(rank: int, oversampling: int, rows: int, columns: int) -> None:
    """Raise `InputError` unless 1 <= rank, 0 <= oversampling and rank + oversampling <= min(N, P)."""
    check_integer("rank", rank, 1)
    check_integer("oversampling", oversampling, 0)
    if rank + oversampling > min(rows, columns):
        raise InputError(
            f"rank + oversampling = {rank + oversampling} exceeds min(N, P) = {min(rows, columns)}: lower rank or oversampling, "
            + ("sample more points." if rows < columns else "or widen the network.")
        )


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
        q, see `power_iterate`: for eigenvalues that decay slowly, or to get the last few of the k right as well.

    Returns
    -------
    Spectrum of k triplets

    Raises
    ------
    InputError
        If rank + oversampling exceeds min(N, P), for an unknown route or sketch, and for power iterations in a single pass.
    """
    check_rank(rank, oversampling, *jacobian.shape)
    check_integer("power_iterations", power_iterations, 0)
    return ROUTES[route](jacobian, rank, rank + oversampling, SKETCHES[sketch], power_iterations, key=key)

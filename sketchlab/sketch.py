"""Sketches: find the directions that matter without ever building the Gramian.

Multiply G by a thin random matrix. Every column of Y = GΩ is a random mixture of eigenvectors, weighted by their
eigenvalues, so the span of Y nearly contains the leading eigenvectors when the eigenvalues decay (Halko, Martinsson,
Tropp 2011, "Finding structure with randomness"). Restrict J to that span and take the singular values of the small
matrix that remains.

=========  ===========  ==========  ==================================================
symbol     name         shape       meaning
=========  ===========  ==========  ==================================================
Ω          test_matrix  (P, k + p)  random; p is the oversampling
Z          test_matrix  (N, k + p)  the same in residual space
Q          basis        (P, k + p)  orthonormal, spans range(GΩ) or range(JᵀZ)
B          projected    (N, k + p)  JQ
=========  ===========  ==========  ==================================================

The complement of the sketch is dropped. That is a choice: dividing by a damping there instead would let every direction that the
sketch did not see take an enormous step.
"""

import jax
import jax.numpy as jnp

from sketchlab.gramian import Spectrum
from sketchlab.residuals import Jacobian
from sketchlab.validation import InputError, check_integer

#: Columns of a sketch that its error estimate is made from.
ERROR_PROBES = 4
#: `orthonormalize` sketches a matrix of at least `TALL` rows first, down to `BUCKETS` rows; see docs/optimizer-notes.md.
TALL, BUCKETS = 2**16, 2**13


def gaussian(columns: int, size: int, *, key, dtype=None) -> jax.Array:
    """Draw a Gaussian test matrix (size, columns) whose columns have length about 1."""
    return jax.random.normal(key, (size, columns), dtype) / size**0.5


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


def co_range_finder(jacobian: Jacobian, test_matrix: jax.Array, *, probes: int, key) -> tuple[jax.Array, jax.Array]:
    """Find an orthonormal basis of range(Jᵀ[Z W]) with standard Gaussian W, and estimate what range(JᵀZ) misses.

    Parameters
    ----------
    jacobian : Jacobian
    test_matrix : (N, l)
        Z
    probes : int
        m, columns of W.
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
    One product with Jᵀ and one QR factorization, whose R holds the norms. Halko, Martinsson, Tropp 2011, Algorithm 4.1 on Jᵀ and
    Equation 4.3.
    """
    rows, columns = test_matrix.shape
    probe_key, basis_key = jax.random.split(key)
    probe_columns = jax.random.normal(probe_key, (rows, probes), test_matrix.dtype)
    image = jacobian.rmatmat(jnp.concatenate([test_matrix, probe_columns], axis=1))
    basis, triangle = orthonormalize(image, key=basis_key)
    missed = jnp.linalg.norm(triangle[columns:, columns:], axis=0)
    return basis, 10 * (2 / jnp.pi) ** 0.5 * jnp.max(missed)


def range_finder(jacobian: Jacobian, test_matrix: jax.Array, *, power_iterations: int = 0) -> jax.Array:
    """Find an orthonormal basis of range(G^(q+1) Ω).

    Parameters
    ----------
    jacobian : Jacobian
    test_matrix : (P, l)
    power_iterations : int
        q. Each one sharpens the decay that the basis sees, for two more products.

    Returns
    -------
    (P, l)
        Costs 2 (q + 1) products with J or Jᵀ and as many QR factorizations.

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithm 4.4, on Jᵀ. The factorization between J and Jᵀ costs little and keeps what squaring J
    would lose: without it, directions with s < √ε s₁ drown in rounding errors; with it, those down to ε s₁ survive.
    """
    basis = test_matrix
    for _ in range(power_iterations + 1):
        image = jnp.linalg.qr(jacobian.matmat(basis))[0]
        basis = jnp.linalg.qr(jacobian.rmatmat(image))[0]
    return basis


def rayleigh_ritz(jacobian: Jacobian, basis: jax.Array) -> Spectrum:
    """Restrict J to a subspace and take its singular triplets there: B = JQ = U S Wᵀ, V = QW.

    The squares s² are the Ritz values of G on the subspace: each at most the eigenvalue of the same index, and equal to
    it when the subspace contains the eigenvectors. Costs one product with J and the SVD of an (N, k) matrix. Taking the
    SVD of B, not eigh(BᵀB), keeps the small ones right.
    """
    # QR first and the SVD of a (k, k) matrix after it: half the time of the SVD of a tall matrix.
    tall, small = jnp.linalg.qr(jacobian.matmat(basis))
    left, singular_values, rotation = jnp.linalg.svd(small)
    return Spectrum(singular_values, tall @ left, basis @ rotation.T)


def check_rank(rank: int, oversampling: int, rows: int, columns: int) -> None:
    """Raise `InputError` unless 1 <= rank, 0 <= oversampling and rank + oversampling <= min(N, P)."""
    check_integer("rank", rank, 1)
    check_integer("oversampling", oversampling, 0)
    if rank + oversampling > min(rows, columns):
        raise InputError(
            f"rank + oversampling = {rank + oversampling} exceeds min(N, P) = {min(rows, columns)}: lower rank or oversampling, "
            + ("sample more points." if rows < columns else "or widen the network.")
        )


def sketched_spectrum(jacobian: Jacobian, rank: int, *, key, oversampling: int = 10, power_iterations: int = 1) -> Spectrum:
    """Approximate the `rank` leading singular triplets of J.

    Parameters
    ----------
    jacobian : Jacobian
    rank : int
        k
    key : JAX random key
    oversampling : int
        p more columns are drawn and, in the end, dropped: they catch what k random directions miss.
    power_iterations : int
        See `range_finder`.

    Returns
    -------
    Spectrum of k triplets

    Raises
    ------
    InputError
        If rank + oversampling exceeds min(N, P).

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithms 4.4 and 5.1. By their Theorem 1.2, with p = k, the expected part of J that
    the subspace misses is at most (1 + 4 √(2 min(N, P) / (k - 1)))^(1 / (2q + 1)) s_(k+1) in norm.
    """
    rows, columns = jacobian.shape
    check_rank(rank, oversampling, rows, columns)
    test_matrix = gaussian(rank + oversampling, columns, key=key, dtype=jacobian.dtype)
    spectrum = rayleigh_ritz(jacobian, range_finder(jacobian, test_matrix, power_iterations=power_iterations))
    return Spectrum(*(part[..., :rank] for part in spectrum))

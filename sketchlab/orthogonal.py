"""Orthonormal bases: the QR factorization that every sketch ends with.

A tall matrix is factorized by randomized Cholesky QR, which is made of matrix products and so is fast on every device: the R of
a small sketch of A leaves A R⁻¹ well conditioned, and Cholesky QR of that is accurate.

=========  ===========  ===========  =========================================
symbol     name         shape        meaning
=========  ===========  ===========  =========================================
A          a            (n, l)       n is P or N, l the columns of a sketch
Q          basis        (n, l)       orthonormal columns
R          triangle     (l, l)       upper triangular, A = QR
=========  ===========  ===========  =========================================
"""

import jax
import jax.numpy as jnp

from sketchlab.precision import in_full_precision

#: `orthonormalize` sketches a matrix of at least `TALL` rows first, down to `BUCKETS` rows; see docs/optimizer-notes.md.
TALL, BUCKETS = 2**16, 2**13


@in_full_precision
def orthonormalize(a: jax.Array, *, key) -> tuple[jax.Array, jax.Array]:
    """Factorize A (n, l) as Q R: Q (n, l) with orthonormal columns, R (l, l) upper triangular.

    By Householder QR below `TALL` rows, by randomized Cholesky QR above: 6 n l² operations, nearly all in matrix products. If
    that is not accurate, because A has dependent columns or the sketch was unlucky, Householder QR takes over.

    Notes
    -----
    The sketch adds every row of A to one of a few buckets, with a random sign, and mixes the buckets with random signs. Balabanov
    2022 (arXiv 2210.09953); Higgins, Szyld, Boman, Yamazaki 2023 (arXiv 2309.05868).
    """
    if len(a) < TALL or 4 * a.shape[1] > BUCKETS:
        basis, triangle = jnp.linalg.qr(a)
        return basis, triangle
    bucket_key, mixing_key = jax.random.split(key)
    # Twice the buckets, and half of them taken negative: a random sign for every row that leaves A as it is.
    buckets = jax.ops.segment_sum(a, jax.random.randint(bucket_key, (len(a),), 0, 2 * BUCKETS), 2 * BUCKETS)
    mixing = jax.random.rademacher(mixing_key, (4 * a.shape[1], BUCKETS), a.dtype)
    first = jnp.linalg.qr(mixing @ (buckets[:BUCKETS] - buckets[BUCKETS:]), mode="r")
    tame = divide(a, first)
    gram = tame.T @ tame
    eigenvalues, second = jnp.linalg.eigvalsh(gram), jnp.linalg.cholesky(gram, upper=True)
    accurate = eigenvalues[0] > eigenvalues[-1] / 100
    return jax.lax.cond(accurate, lambda: (divide(tame, second), second @ first), lambda: _householder(a))


def _householder(a):
    """Factorize by Householder QR, with no negative number on the diagonal of R, as a Cholesky factor has it."""
    basis, triangle = jnp.linalg.qr(a)
    # A product, not a scaling: it leaves Q row by row in memory, as all that use it need it.
    signs = jnp.diag(jnp.where(jnp.diagonal(triangle) < 0, -1.0, 1.0).astype(a.dtype))
    return basis @ signs, signs @ triangle


def divide(a: jax.Array, upper: jax.Array) -> jax.Array:
    """Return A R⁻¹ for a small upper triangular R: a product with the inverse, faster than a solve with every row of A."""
    return a @ jax.scipy.linalg.solve_triangular(upper, jnp.eye(len(upper), dtype=upper.dtype))

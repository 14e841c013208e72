"""Orthonormal bases: the QR factorization that every sketch ends with.

Householder's method, LAPACK's, is the most accurate, but few of its operations are matrix products. Cholesky QR, R from AᵀA = RᵀR
and Q = A R⁻¹, has nothing else, and is accurate where A is well conditioned. So A is made so first: on a GPU by a Cholesky factor
that cannot fail, and everywhere, if A is tall, by the R of a small sketch of it.

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

from sketchlab.memory import default_device
from sketchlab.precision import in_full_precision

#: `orthonormalize` sketches a matrix of at least `TALL` rows first, down to `BUCKETS` rows; see docs/optimizer-notes.md.
TALL, BUCKETS = 2**16, 2**13
#: In units of the rounding error of AᵀA: with so much on its diagonal the first Cholesky factorization cannot fail.
SHIFT = 100


@in_full_precision
def orthonormalize(a: jax.Array, *, key) -> tuple[jax.Array, jax.Array]:
    """Factorize A (n, l) as Q R: Q (n, l) with orthonormal columns, R (l, l) upper triangular.

    By `qr` below `TALL` rows, by randomized Cholesky QR above: 6 n l² operations, nearly all in matrix products. If that is not
    accurate, because A has dependent columns or the sketch was unlucky, Householder QR takes over.

    Notes
    -----
    The sketch adds every row of A to one of a few buckets, with a random sign, and mixes the buckets with random signs. Balabanov
    2022 (arXiv 2210.09953); Higgins, Szyld, Boman, Yamazaki 2023 (arXiv 2309.05868).
    """
    if len(a) < TALL or 4 * a.shape[1] > BUCKETS:
        return qr(a)
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


@in_full_precision
def qr(a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Factorize A (n, l) as Q R: by Householder QR on the CPU, on a GPU by shifted Cholesky QR, three times.

    Householder QR takes over where that is not accurate, because a column is zero.

    Notes
    -----
    Fukaya, Kannan, Nakatsukasa, Yamamoto, Yanagisawa 2020 (SIAM J. Sci. Comput. 42, Algorithm 4.2), after every column has been
    divided by its length: what a sketch of the last step's singular vectors returns is nearly orthogonal then. The second of the
    three products with R⁻¹ leaves columns that are orthonormal to a few digits, and the third to the last.
    """
    if default_device().platform == "cpu":
        basis, triangle = jnp.linalg.qr(a)
        return basis, triangle
    lengths, columns = jnp.linalg.norm(a, axis=0, keepdims=True), a.shape[1]
    basis, triangle = a / lengths, jnp.diag(lengths[0])
    for shift in (SHIFT * columns * float(jnp.finfo(a.dtype).eps), 0.0, 0.0):
        gram = basis.T @ basis
        upper = jnp.linalg.cholesky(gram + shift * jnp.eye(columns, dtype=a.dtype), upper=True)
        basis, triangle = divide(basis, upper), upper @ triangle
    accurate = jnp.max(jnp.abs(gram - jnp.eye(columns, dtype=a.dtype))) < 1e-2
    return jax.lax.cond(accurate, lambda: (basis, triangle), lambda: _householder(a))


def _householder(a):
    """Factorize by Householder QR, with no negative number on the diagonal of R, as a Cholesky factor has it."""
    basis, triangle = jnp.linalg.qr(a)
    # A product, not a scaling: it leaves Q row by row in memory, as all that use it need it.
    signs = jnp.diag(jnp.where(jnp.diagonal(triangle) < 0, -1.0, 1.0).astype(a.dtype))
    return basis @ signs, signs @ triangle


def divide(a: jax.Array, upper: jax.Array) -> jax.Array:
    """Return A R⁻¹ for a small upper triangular R: a product with the inverse, faster than a solve with every row of A."""
    return a @ jax.scipy.linalg.solve_triangular(upper, jnp.eye(len(upper), dtype=upper.dtype))

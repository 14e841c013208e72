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

A sketch drops the directions outside of its basis. That is a choice: a damped step that kept them would divide by the damping
alone there, and could be enormous along directions that nothing is known about.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import Spectrum
from sketchlab.jacobians import Jacobian
from sketchlab.orthogonal import orthonormalize, qr
from sketchlab.precision import in_full_precision
from sketchlab.validation import check_integer, check_jacobian, check_key, check_matrix

#: Columns of a sketch that its error estimate is made from.
ERROR_PROBES = 4
#: Columns that are drawn beyond the rank; together with the probes 10.
OVERSAMPLING = 6
#: Each power iteration costs two products: beyond some tens the full spectrum is cheaper.
MOST_POWER_ITERATIONS = 100


def check_power_iterations(power_iterations: int) -> int:
    """Return q as an int, or raise `InputError` unless 0 <= q <= 100."""
    return check_integer("power_iterations", power_iterations, 0, MOST_POWER_ITERATIONS)


def power_iterate(jacobian: Jacobian, test_matrix: jax.Array, power_iterations: int, *, key) -> jax.Array:
    """Turn a test matrix Z (N, l) into an orthonormal basis of range(K^q Z), K = JJᵀ; return Z itself for q = 0.

    Costs 2 q products with J or Jᵀ and as many QR factorizations. The sketch sees eigenvalues λ^(2q+1) in place of λ: they decay
    faster.

    Notes
    -----
    Halko, Martinsson, Tropp 2011, Algorithm 4.4. The factorization between J and Jᵀ costs little and keeps what squaring J
    would lose: without it, directions with s < √ε s₁ drown in rounding errors; with it, those down to ε s₁ survive.
    """
    for one_key in jax.random.split(key, check_power_iterations(power_iterations)):
        image, _ = orthonormalize(jacobian.rmatmat(test_matrix), key=one_key)
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

    Examples
    --------
    >>> J = sl.from_matrix(jnp.diag(0.5 ** jnp.arange(30.0)))
    >>> Z = sl.SKETCHES["gaussian"](8, 30, key=jax.random.key(0))
    >>> Q, error = sl.co_range_finder(J, Z, probes=2, key=jax.random.key(1))
    >>> Q.shape, bool(error < 1)
    ((30, 10), True)
    """
    rows, _ = check_jacobian(jacobian).shape
    columns = check_matrix("test_matrix", test_matrix, rows).shape[1]
    power_key, probe_key, basis_key = jax.random.split(check_key(key), 3)
    test_matrix = power_iterate(jacobian, test_matrix, power_iterations, key=power_key)
    probe_columns = jax.random.normal(probe_key, (rows, check_integer("probes", probes, 0)), jacobian.dtype)
    image = jacobian.rmatmat(jnp.concatenate([test_matrix, probe_columns], axis=1))
    basis, triangle = orthonormalize(image, key=basis_key)
    return basis, norm_bound(triangle[columns:, columns:])


def norm_bound(images: jax.Array) -> jax.Array:
    """Bound ‖E‖ from the images E wᵢ (·, m) of standard Gaussian vectors, with a probability of at least 1 - 10⁻ᵐ."""
    return 10 * (2 / np.pi) ** 0.5 * jnp.max(jnp.linalg.norm(images, axis=0), initial=0)


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

    Examples
    --------
    >>> J = sl.from_matrix(jnp.diag(0.5 ** jnp.arange(30.0)))
    >>> basis = sl.range_finder(J, sl.SKETCHES["gaussian"](8, 30, key=jax.random.key(0)), key=jax.random.key(1))
    >>> np.round(sl.rayleigh_ritz(J, basis).singular_values[:3], 4)
    Array([1.  , 0.5 , 0.25], dtype=float64)
    """
    image = orthonormal_image(jacobian, test_matrix)
    return co_range_finder(jacobian, image, probes=0, power_iterations=power_iterations, key=key)[0]


def orthonormal_image(jacobian: Jacobian, test_matrix: jax.Array) -> jax.Array:
    """Return an orthonormal basis (N, l) of range(JΩ), for one product and one QR factorization."""
    check_matrix("test_matrix", test_matrix, check_jacobian(jacobian).shape[1])
    return qr(jacobian.matmat(test_matrix))[0]


class NestedSketch(NamedTuple):
    """One sketch that contains the sketch of every smaller rank, so that a rank slider needs no new products with J.

    The leading l columns of Q are an orthonormal basis of range(G^(q+1) Ω'), Ω' the leading l columns of Ω, because a QR
    factorization works from left to right. In JQ = U R the leading (l, l) corner of the triangle R has the singular values of
    the sketch of l columns.

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

        The sketch has the leading l = k + p columns of the basis, at most all L: the vectors are Q' W for those columns Q'. Costs
        the SVD of an (l, l) matrix.
        """
        rank = check_integer("rank", rank, 1)
        columns = rank + check_integer("oversampling", oversampling, 0)
        _, singular_values, vectors = np.linalg.svd(np.asarray(self.triangle)[:columns, :columns])
        return singular_values[:rank], vectors[:rank].T


def nested_sketch(jacobian: Jacobian, test_matrix: jax.Array, *, power_iterations: int = 0, key) -> NestedSketch:
    """Sketch with all leading columns of Ω (P, L) at once, see `NestedSketch`: `range_finder` and one product.

    Examples
    --------
    >>> J = sl.from_matrix(jnp.diag(0.5 ** jnp.arange(30.0)))
    >>> nested = sl.nested_sketch(J, sl.SKETCHES["gaussian"](20, 30, key=jax.random.key(0)), key=jax.random.key(1))
    >>> np.round(nested.ritz(2)[0], 4), np.round(nested.ritz(3)[0], 4)
    (array([1. , 0.5]), array([1.  , 0.5 , 0.25]))
    """
    basis = range_finder(jacobian, test_matrix, power_iterations=power_iterations, key=key)
    return NestedSketch(basis, jnp.linalg.qr(jacobian.matmat(basis), mode="r"))


def rayleigh_ritz(jacobian: Jacobian, basis: jax.Array, rank: int | None = None) -> Spectrum:
    """Restrict J to a subspace and take its singular triplets there: B = JQ = U S Wᵀ, V = QW.

    The squares s² are the Ritz values of G on the subspace: each at most the eigenvalue of the same index, and equal to
    it when the subspace contains the eigenvectors. Costs one product with J and the SVD of an (N, k) matrix. Taking the
    SVD of B, not eigh(BᵀB), keeps the small ones right. With a `rank` only the leading triplets are returned.

    Examples
    --------
    >>> J = sl.from_matrix(jnp.diag(jnp.array([3.0, 2.0, 1.0])))
    >>> np.round(sl.rayleigh_ritz(J, jnp.eye(3)[:, :2]).singular_values, 10)
    Array([3., 2.], dtype=float64)
    """
    check_matrix("basis", basis, check_jacobian(jacobian).shape[1])
    if rank is not None:
        check_integer("rank", rank, 1)
    return triplets(jacobian.matmat(basis), basis, rank)


@in_full_precision
def triplets(projected: jax.Array, basis: jax.Array, rank: int | None) -> Spectrum:
    """Return the leading singular triplets of BQᵀ from B (N, l) and an orthonormal Q (P, l)."""
    # QR first and the SVD of a (k, k) matrix after it: half the time of the SVD of a tall matrix.
    tall, small = qr(projected)
    left, singular_values, rotation = jnp.linalg.svd(small)
    return Spectrum(singular_values[:rank], tall @ left[:, :rank], basis @ rotation[:rank].T)

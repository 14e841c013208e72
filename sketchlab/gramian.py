"""The Gramian of a network's tangent functions, and its spectrum.

A small change v of the parameters changes the residual by J v, so G = JᵀJ measures parameter changes by what they do to
the function: ⟨v, Gw⟩ = ⟨Jv, Jw⟩. The natural gradient is the gradient of the loss with respect to this inner product,
G⁻¹∇L. The eigenvalues of G say how many directions the data can tell apart; they decay fast, and a sketch of a few
hundred directions sees them all.

Eigenvalues come from the singular values of J and never from G: λᵢ = sᵢ². In floating point the eigenvalues of JᵀJ are
noise below ε λ₁, those from J are right down to about ε² λ₁.

=========  ===============  ========  ============================================
symbol     name             shape     meaning
=========  ===============  ========  ============================================
G          gramian          (P, P)    JᵀJ
s          singular_values  (k,)      of J, or of its restriction to a sketch; descending
U          left             (N, k)    left singular vectors: residual space
V          right            (P, k)    right singular vectors: eigenvectors of G
λ          eigenvalues      (k,)      s²
=========  ===============  ========  ============================================
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sketchlab.residuals import Jacobian
from sketchlab.validation import InputError

#: Largest dense Gramian that is built without being told a limit, in bytes.
MEMORY_LIMIT = 2 * 2**30


class Spectrum(NamedTuple):
    """Singular triplets of J: all of them, or those that a sketch sees.

    Attributes
    ----------
    singular_values : (k,), descending
    left : (N, k)
    right : (P, k)
    """

    singular_values: jax.Array
    left: jax.Array
    right: jax.Array

    @property
    def eigenvalues(self) -> jax.Array:
        """λ = s² (k,), eigenvalues of G."""
        return self.singular_values**2

    @property
    def rank(self) -> int:
        """Number of triplets k."""
        return self.singular_values.size


class Gramian(NamedTuple):
    """G = JᵀJ (P, P) as an operator.

    Attributes
    ----------
    jacobian : Jacobian
    """

    jacobian: Jacobian

    @property
    def shape(self) -> tuple[int, int]:
        """(P, P)."""
        return (self.jacobian.shape[1],) * 2

    def matmat(self, a: jax.Array) -> jax.Array:
        """Return G A: (P, k) -> (P, k), for one product with J and one with Jᵀ."""
        return self.jacobian.rmatmat(self.jacobian.matmat(a))

    def matvec(self, v: jax.Array) -> jax.Array:
        """Return G v: (P,) -> (P,)."""
        return self.matmat(v[:, None])[:, 0]

    @property
    def nbytes(self) -> int:
        """Memory of the dense G."""
        return self.shape[0] ** 2 * jnp.dtype(self.jacobian.dtype).itemsize

    def dense(self, *, limit: int = MEMORY_LIMIT) -> jax.Array:
        """Build G (P, P).

        Parameters
        ----------
        limit : int
            Bytes that G may take.

        Raises
        ------
        InputError
            If it would take more.
        """
        if self.nbytes > limit:
            raise InputError(
                f"the dense Gramian of P = {self.shape[0]} parameters takes {self.nbytes / 2**30:.3g} GiB, the limit is "
                f"{limit / 2**30:.3g} GiB: use its products or a sketch, or raise limit."
            )
        return self.matmat(jnp.eye(self.shape[0], dtype=self.jacobian.dtype))


def full_spectrum(jacobian: Jacobian) -> Spectrum:
    """Compute every singular triplet of J, J = U S Vᵀ.

    Costs O(N P min(N, P)) operations and holds J: seconds at a thousand parameters, out of reach at a million.

    Returns
    -------
    Spectrum, k = min(N, P)
    """
    left, singular_values, right = jnp.linalg.svd(jacobian.dense(), full_matrices=False)
    return Spectrum(singular_values, left, right.T)


def kernel_spectrum(jacobian: Jacobian) -> Spectrum:
    """Compute the singular triplets of J from the kernel K = JJᵀ (N, N): K = U S² Uᵀ, V = JᵀU S⁻¹.

    The cheap way when there are fewer points than parameters: O(N² P + N³). It squares J, so singular values below √(ε N) s₁ are
    rounding noise; they and their vectors are returned as zeros.

    Returns
    -------
    Spectrum, k = N
    """
    matrix = jacobian.dense()
    eigenvalues, vectors = jnp.linalg.eigh(matrix @ matrix.T)
    eigenvalues, left = eigenvalues[::-1], vectors[:, ::-1]
    resolved = eigenvalues > jnp.finfo(matrix.dtype).eps * len(matrix) * eigenvalues[0]
    singular_values = jnp.where(resolved, jnp.sqrt(jnp.abs(eigenvalues)), 0)
    inverse = jnp.where(resolved, 1 / jnp.where(resolved, singular_values, 1), 0)
    return Spectrum(singular_values, left * resolved, (matrix.T @ left) * inverse)

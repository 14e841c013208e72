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

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from sketchlab.jacobians import Jacobian
from sketchlab.validation import InputError, check_array, check_integer, check_jacobian

#: Largest dense Gramian that is built without being told a limit, in bytes.
MEMORY_LIMIT = 2 * 2**30


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["singular_values", "left", "right", "error"],
    meta_fields=["route", "squared", "conditions"],
)
@dataclass(frozen=True)
class Spectrum:
    """Singular triplets of J: all of them, or those that a sketch sees.

    Attributes
    ----------
    singular_values : (k,), descending
    left : (N, k)
        Left singular vectors u: residual space.
    right : (P, k)
        Right singular vectors v, the basis in parameter space: eigenvectors of G.
    error : ()
        With a probability of at least 1 - 10⁻⁴, rounding apart, no singular value is further than this from the true one of its
        index, and none that is missing exceeds the last one here by more. 0 for the full spectrum.
    route : str
        How it was computed: "full", "dual", or an entry of `ROUTES`.
    squared : bool
        Whether products JᵀJ or JJᵀ were formed on the way, which costs half of the digits.
    conditions : tuple of (str, int)
        Name and number of rows of each condition that J's rows belong to; empty for a matrix from elsewhere.
    """

    singular_values: jax.Array
    left: jax.Array
    right: jax.Array
    error: jax.Array | float = 0.0
    route: str = "full"
    squared: bool = False
    conditions: tuple[tuple[str, int], ...] = ()

    @property
    def eigenvalues(self) -> jax.Array:
        """λ = s² (k,), eigenvalues of G."""
        return self.singular_values**2

    @property
    def rank(self) -> int:
        """Number of triplets k."""
        return self.singular_values.size

    @property
    def shape(self) -> tuple[int, int]:
        """(N, P) of J."""
        return self.left.shape[0], self.right.shape[0]

    @property
    def dtype(self) -> jnp.dtype:
        """Type of the numbers, "float64" or "float32"."""
        return self.singular_values.dtype

    @property
    def noise_floor(self) -> jax.Array:
        """Eigenvalues below this may be rounding errors (): ε² λ₁, and ε λ₁ if J was `squared`."""
        return noise_floors(self)[1 if self.squared else 0]

    @property
    def shares(self) -> dict[str, jax.Array]:
        """Part of each eigenvalue λᵢ = ‖Jvᵢ‖² that the rows of a condition contribute, (k,) each; their sum is 1."""
        ends = np.cumsum([rows for _, rows in self.conditions])[:-1]
        parts = jnp.split(self.left**2, ends) if self.conditions else []
        total = jnp.sum(self.left**2, axis=0)
        # Directions that were not resolved have a zero left vector; avoid 0/0, so that their shares are all 0.
        total = jnp.where(total > 0, total, 1)
        return {name: jnp.sum(part, axis=0) / total for (name, _), part in zip(self.conditions, parts, strict=True)}

    def effective_dimension(self, damping) -> jax.Array:
        """Return d(μ) = Σ λ / (λ + μ), the number of directions that a damping μ > 0 leaves free.

        Parameters
        ----------
        damping : () or (m,)
            μ, absolute.

        Returns
        -------
        () or (m,)
            Of a sketch, the part that it sees: a lower bound by every route whose eigenvalues are never too large. Those of a
            single pass can be, and so can its d(μ).

        Examples
        --------
        >>> spectrum = sl.full_spectrum(sl.from_matrix(jnp.diag(jnp.array([1.0, 0.1, 1e-6]))))
        >>> round(float(spectrum.effective_dimension(1e-4)), 3)
        1.99
        """
        dimension = jnp.vectorize(lambda mu: jnp.sum(self.eigenvalues / (self.eigenvalues + mu)))
        damping = check_array("damping", damping)
        # The negation refuses NaN too; a traced value is not known.
        if not isinstance(damping, Tracer) and not np.all(damping >= 0):
            raise InputError(f"damping = {damping} is not zero or more.")
        return dimension(jnp.asarray(damping))


def noise_floors(spectrum: Spectrum) -> tuple[jax.Array, jax.Array]:
    """Return ε² λ₁, where eigenvalues from the SVD of J end, and ε λ₁, where those of JᵀJ do."""
    epsilon = float(jnp.finfo(spectrum.dtype).eps)
    largest = spectrum.eigenvalues[0]
    return epsilon**2 * largest, epsilon * largest


class Gramian(NamedTuple):
    """G = JᵀJ (P, P), the metric that function space gives to the parameters: ⟨v, Gw⟩ = ⟨Jv, Jw⟩.

    Attributes
    ----------
    jacobian : Jacobian

    Examples
    --------
    >>> G = sl.Gramian(sl.from_matrix(jnp.array([[1.0, 2.0], [0.0, 1.0]])))
    >>> G.dense()
    Array([[1., 2.],
           [2., 5.]], dtype=float64)
    """

    jacobian: Jacobian

    @property
    def shape(self) -> tuple[int, int]:
        """(P, P)."""
        return self.jacobian.shape[1], self.jacobian.shape[1]

    def matmat(self, a: jax.Array) -> jax.Array:
        """Return G A: (P, k) -> (P, k), for one product with J and one with Jᵀ; G is not formed."""
        return self.jacobian.rmatmat(check_jacobian(self.jacobian).matmat(a))

    def dense(self, *, limit: int = MEMORY_LIMIT) -> jax.Array:
        """Form G (P, P), for N P² operations.

        Raises `InputError` if G would take more than `limit` bytes.
        """
        parameters = check_jacobian(self.jacobian).shape[1]
        needed = parameters**2 * jnp.dtype(self.jacobian.dtype).itemsize
        if needed > check_integer("limit", limit, 0):
            sizes = f"takes {needed / 2**30:.3g} GiB, the limit is {limit / 2**30:.3g} GiB"
            raise InputError(f"the dense Gramian of P = {parameters} parameters {sizes}: use its products, or raise limit.")
        matrix = self.jacobian.dense()
        return matrix.T @ matrix


def full_spectrum(jacobian: Jacobian) -> Spectrum:
    """Compute every singular triplet of J, J = U S Vᵀ: k = min(N, P).

    Costs O(N P min(N, P)) operations and holds J: seconds at a thousand parameters, out of reach at a million.

    Examples
    --------
    >>> sl.full_spectrum(sl.from_matrix(jnp.diag(jnp.array([3.0, 4.0])))).singular_values
    Array([4., 3.], dtype=float64)
    """
    left, singular_values, right = jnp.linalg.svd(check_jacobian(jacobian).dense(), full_matrices=False)
    return Spectrum(singular_values, left, right.T)


def kernel_spectrum(jacobian: Jacobian) -> Spectrum:
    """Compute the min(N, P) singular triplets of J from the kernel K = JJᵀ (N, N): K = U S² Uᵀ, V = JᵀU S⁻¹.

    The cheap way when there are fewer rows than parameters: O(N² P + N³). It squares J, so singular values below √(ε N) s₁ are
    rounding noise; they and their vectors are returned as zeros.

    Examples
    --------
    >>> sl.kernel_spectrum(sl.from_matrix(jnp.array([[3.0, 4.0, 0.0]]))).singular_values
    Array([5.], dtype=float64)
    """
    matrix = check_jacobian(jacobian).dense()
    eigenvalues, vectors = jnp.linalg.eigh(matrix @ matrix.T)
    count = min(matrix.shape)
    eigenvalues, left = eigenvalues[::-1][:count], vectors[:, ::-1][:, :count]
    noise = eigenvalues <= jnp.finfo(matrix.dtype).eps * len(matrix) * eigenvalues[0]
    # Asked this way round, NaN is not taken for noise: a spectrum of a J with NaN is NaN.
    singular_values = jnp.where(noise, 0, jnp.sqrt(jnp.abs(eigenvalues)))
    inverse = jnp.where(noise, 0, 1 / jnp.where(noise, 1, singular_values))
    left = jnp.where(noise[None], 0, left)
    return Spectrum(singular_values, left, (matrix.T @ left) * inverse[None], route="dual", squared=True)

"""From an equation and a network to a nonlinear least-squares problem.

The conditions of a problem, evaluated at collocation points, stack to one residual vector. Row i of condition c carries
the factor sqrt(weight_c * measure_c / n_c), so that the loss L = ½‖r‖² is the Monte Carlo estimate of ½ Σ_c weight_c ∫
residual_c², and nothing is hidden in it.

=========  ============  ===========  ================================================
symbol     name          shape        meaning
=========  ============  ===========  ================================================
θ          theta         (P,)         flat parameters
           points        tuple        a block of collocation points (n_c, d) a condition
r          residual      (N,)         all conditions stacked
L          loss          ()           ½‖r‖²
J          jacobian      (N, P)       ∂r/∂θ, a row for each point and residual component
=========  ============  ===========  ================================================

The residual of a point depends on this point alone, so a row of J is one reverse pass through the network, and a block
of rows a batch of them: 5 ms for 900 rows of 1,185 parameters, where differentiating the stacked residual takes
seconds. `Jacobian` is what the rest of the package sees: the products with J and Jᵀ. It comes in three forms: held as a
matrix (`dense`), built and dropped block of rows by block of rows (`row_blocks`), or never built (`products`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sketchlab.networks import MLP
from sketchlab.problems import Problem
from sketchlab.validation import InputError, check_integer

Points = tuple[jax.Array, ...]


class Jacobian(NamedTuple):
    """J (N, P) by its products.

    Attributes
    ----------
    shape : (N, P)
    dtype : numpy dtype
    matmat : callable, (P, k) -> (N, k)
        A -> J A
    rmatmat : callable, (N, k) -> (P, k)
        B -> Jᵀ B
    """

    shape: tuple[int, int]
    dtype: jnp.dtype
    matmat: Callable[[jax.Array], jax.Array]
    rmatmat: Callable[[jax.Array], jax.Array]

    def matvec(self, v: jax.Array) -> jax.Array:
        """Return J v: (P,) -> (N,)."""
        return self.matmat(v[:, None])[:, 0]

    def rmatvec(self, w: jax.Array) -> jax.Array:
        """Return Jᵀ w: (N,) -> (P,)."""
        return self.rmatmat(w[:, None])[:, 0]

    def dense(self) -> jax.Array:
        """Return J itself, (N, P), from P products with J or N with Jᵀ, whichever are fewer."""
        rows, columns = self.shape
        if rows < columns:
            return self.rmatmat(jnp.eye(rows, dtype=self.dtype)).T
        return self.matmat(jnp.eye(columns, dtype=self.dtype))


def from_matrix(matrix: jax.Array) -> Jacobian:
    """Wrap a matrix (N, P) that is at hand."""
    return Jacobian(matrix.shape, matrix.dtype, lambda a: matrix @ a, lambda b: matrix.T @ b)


@dataclass(frozen=True)
class LeastSquares:
    """A problem and a network, seen as r: R^P -> R^N for given collocation points.

    Parameters
    ----------
    problem : Problem
    network : MLP
        Or anything else with ``dim``, ``outputs``, ``size``, ``init``, ``unflatten``, ``evaluate`` and ``apply``.
    block : int, optional
        Points in a block of `row_blocks`, where J does not fit into memory whole; None holds it as a matrix.

    Raises
    ------
    InputError
        If network and problem disagree in dimension or outputs, or a residual returns neither () nor (m,).
    """

    problem: Problem
    network: MLP
    block: int | None = None

    def __post_init__(self):
        if self.block is not None:
            check_integer("block", self.block, 1)
        for name in ("dim", "outputs"):
            asked, given = getattr(self.problem, name), getattr(self.network, name)
            if asked != given:
                raise InputError(f"problem {self.problem.name!r} has {name} = {asked}, but the network has {name} = {given}.")
        theta, x = (jax.ShapeDtypeStruct((size,), jnp.result_type(float)) for size in (self.network.size, self.problem.dim))
        for condition in self.problem.conditions:
            shape = jax.eval_shape(self._pointwise(condition), theta, x).shape
            if len(shape) > 1:
                raise InputError(
                    f"the residual on the {condition.region} of {self.problem.name!r} has shape {shape} at one point: "
                    "return a scalar, or a vector for several equations."
                )

    def solution(self, theta: jax.Array, x: jax.Array) -> jax.Array:
        """Evaluate the network at many points: `theta` (P,), `x` (n, d) -> (n,) or (n, outputs)."""
        return jax.vmap(self.network.apply, (None, 0))(theta, x)

    def residual(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return r (N,)."""
        return jnp.concatenate([jax.vmap(row, (None, 0))(theta, x).reshape(-1) for row, x in self.scaled_rows(points)])

    def loss(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return ½‖r‖², ()."""
        return jnp.sum(self.residual(theta, points) ** 2) / 2

    def jacobian(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return J (N, P): one reverse pass a row, and all rows in memory."""
        return jnp.concatenate([_jacobian_rows(row, theta, x) for row, x in self.scaled_rows(points)])

    def linearize(self, theta: jax.Array, points: Points) -> Jacobian:
        """Return J as a matrix, or block by block where `block` says so."""
        return self.dense(theta, points) if self.block is None else self.row_blocks(theta, points, self.block)

    def dense(self, theta: jax.Array, points: Points) -> Jacobian:
        """Return J held as a matrix. Memory N P numbers; a product is a matrix product."""
        return from_matrix(self.jacobian(theta, points))

    def row_blocks(self, theta: jax.Array, points: Points, block: int) -> Jacobian:
        """Return J in blocks that are built, used and dropped.

        Parameters
        ----------
        theta, points
        block : int
            Points in a block, at least 1. A condition with fewer points is one block of its own.

        Returns
        -------
        Jacobian
            Memory block * P numbers; every product builds all rows anew, one reverse pass each.
        """
        block = check_integer("block", block, 1)

        def matmat(a):
            parts = [
                jax.lax.map(lambda y, row=row: _jacobian_rows(row, theta, y[None]) @ a, x, batch_size=min(block, len(x)))
                for row, x in self.scaled_rows(points)
            ]
            return jnp.concatenate([part.reshape(-1, a.shape[1]) for part in parts])

        def rmatmat(b):
            total, first = jnp.zeros((theta.size, b.shape[1]), b.dtype), 0
            for row, x in self.scaled_rows(points):
                rows = jax.eval_shape(row, theta, x[0]).size
                sides = b[first : first + rows * len(x)].reshape(len(x), rows, b.shape[1])
                first += rows * len(x)
                total += _sum_over_blocks(
                    lambda y, side, row=row: _jacobian_rows(row, theta, y).T @ side.reshape(-1, b.shape[1]), x, sides, block
                )
            return total

        return Jacobian((self.rows(points), theta.size), theta.dtype, matmat, rmatmat)

    def products(self, theta: jax.Array, points: Points) -> Jacobian:
        """Return J that is never built: a column of J A costs a forward pass over all points, one of JᵀB a reverse pass."""

        def residual(parameters):
            return self.residual(parameters, points)

        def matmat(a):
            return jax.vmap(lambda v: jax.jvp(residual, (theta,), (v,))[1], 1, 1)(a)

        def rmatmat(b):
            return jax.vmap(lambda w: jax.vjp(residual, theta)[1](w)[0], 1, 1)(b)

        return Jacobian((self.rows(points), theta.size), theta.dtype, matmat, rmatmat)

    def residual_sizes(self, theta: jax.Array, points: Points) -> tuple[jax.Array, ...]:
        """Return |residual| at every point, (n_c,) for condition c, without weights and measures."""
        return tuple(
            jnp.linalg.norm(jax.vmap(self._pointwise(condition), (None, 0))(theta, x).reshape(len(x), -1), axis=1)
            for condition, x in zip(self.problem.conditions, points, strict=True)
        )

    def traces(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return the trace of each condition's part of G, Σ ‖row of J‖² over its rows: (conditions,)."""

        def square(row, x):
            def of_point(y):
                return jnp.sum(_jacobian_rows(row, theta, y[None]) ** 2)

            return jnp.sum(jax.lax.map(of_point, x, batch_size=min(self.block or len(x), len(x))))

        return jnp.stack([square(row, x) for row, x in self.scaled_rows(points)])

    def rows(self, points: Points) -> int:
        """Return N, the number of residual rows at these points."""
        theta = jax.ShapeDtypeStruct((self.network.size,), jnp.result_type(float))
        return jax.eval_shape(self.residual, theta, points).size

    def _pointwise(self, condition):
        def residual(theta, x):
            # Cut once, however often an equation evaluates u: else a row of J is a sum of several vectors of length P, which
            # takes twice the memory and 1.3 times as long.
            parameters = self.network.unflatten(theta)
            return condition.residual(lambda y: self.network.evaluate(parameters, y), x)

        return residual

    def scaled_rows(self, points: Points):
        """Pair each condition's scaled residual, (P,), (d,) -> (m,), with its points (n_c, d); over all points it makes up r."""
        for condition, x in zip(self.problem.conditions, points, strict=True):
            scale = (condition.weight * self.problem.domain.measure(condition.region) / len(x)) ** 0.5
            pointwise = self._pointwise(condition)
            yield (lambda theta, y, f=pointwise, c=scale: c * jnp.atleast_1d(f(theta, y))), x


def _jacobian_rows(row, theta, x):
    """Differentiate a residual (P,), (d,) -> (m,) at the points x (n, d): (n m, P)."""
    return jax.vmap(jax.jacrev(row), (None, 0))(theta, x).reshape(-1, theta.size)


def _sum_over_blocks(f, x, sides, block):
    """Sum f(x_b, sides_b) over blocks of at most `block` points; the last, smaller one comes after the loop."""
    whole = len(x) // block * block
    total = 0
    if whole:
        blocked = tuple(a[:whole].reshape(-1, block, *a.shape[1:]) for a in (x, sides))
        zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(f, *(a[0] for a in blocked)))
        total = jax.lax.scan(lambda carry, xs: (carry + f(*xs), None), zero, blocked)[0]
    return total + f(x[whole:], sides[whole:]) if whole < len(x) else total

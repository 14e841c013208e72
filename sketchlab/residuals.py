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
seconds. `Jacobian` is what the rest of the package sees: the products with J and Jᵀ. It comes in three forms: held in
memory (`dense`), built and dropped block of rows by block of rows (`row_blocks`), or never built (`products`).

In memory J is cut by columns, one block for each array of parameters, the way differentiation returns it: joining
the blocks into one matrix would take three times as long as computing them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.networks import MLP
from sketchlab.problems import Problem
from sketchlab.validation import InputError, check_integer

Points = tuple[jax.Array, ...]

#: Numbers in a piece of J where it is not held whole; half and twice as many were as fast.
PIECE = 2**24


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
    blocks : tuple of (N, P_i)
        J itself in blocks of columns where it is in memory; else empty.
    """

    shape: tuple[int, int]
    dtype: jnp.dtype
    matmat: Callable[[jax.Array], jax.Array]
    rmatmat: Callable[[jax.Array], jax.Array]
    blocks: tuple[jax.Array, ...] = ()

    def matvec(self, v: jax.Array) -> jax.Array:
        """Return J v: (P,) -> (N,)."""
        return self.matmat(v[:, None])[:, 0]

    def rmatvec(self, w: jax.Array) -> jax.Array:
        """Return Jᵀ w: (N,) -> (P,)."""
        return self.rmatmat(w[:, None])[:, 0]

    def dense(self) -> jax.Array:
        """Return J itself, (N, P): joined, or else from P products with J or N with Jᵀ, whichever are fewer."""
        if self.blocks:
            return jnp.concatenate(self.blocks, axis=1)
        rows, columns = self.shape
        if rows < columns:
            return self.rmatmat(jnp.eye(rows, dtype=self.dtype)).T
        return self.matmat(jnp.eye(columns, dtype=self.dtype))


def from_matrix(matrix: jax.Array) -> Jacobian:
    """Wrap a matrix (N, P) that is at hand."""
    return from_column_blocks([matrix])


def from_column_blocks(blocks: Sequence[jax.Array]) -> Jacobian:
    """Wrap a matrix that is at hand in blocks of columns (N, P_i)."""
    widths = [block.shape[1] for block in blocks]

    def matmat(a):
        return sum(block @ part for block, part in zip(blocks, _cut(a, widths), strict=True))

    def rmatmat(b):
        # Written where it belongs, part by part: joining the parts afterwards would hold them twice.
        product, first = jnp.empty((sum(widths), b.shape[1]), b.dtype), 0
        for block, width in zip(blocks, widths, strict=True):
            product = jax.lax.dynamic_update_slice(product, block.T @ b, (first, 0))
            first += width
        return product

    return Jacobian((len(blocks[0]), sum(widths)), blocks[0].dtype, matmat, rmatmat, tuple(blocks))


@dataclass(frozen=True)
class LeastSquares:
    """A problem and a network, seen as r: R^P -> R^N for given collocation points.

    Parameters
    ----------
    problem : Problem
    network : MLP
        Or anything else with ``dim``, ``outputs``, ``size``, ``init``, ``unflatten``, ``evaluate`` and ``apply``; the leaves of
        ``unflatten(theta)``, one after the other, are theta.
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
        parameters = jax.eval_shape(self.network.unflatten, theta)
        shapes = [jax.eval_shape(self._pointwise(condition), parameters, x).shape for condition in self.problem.conditions]
        for condition, shape in zip(self.problem.conditions, shapes, strict=True):
            if len(shape) > 1:
                raise InputError(
                    f"the residual on the {condition.region} of {self.problem.name!r} has shape {shape} at one point: "
                    "return a scalar, or a vector for several equations."
                )
        # Not a field: it follows from the problem.
        object.__setattr__(self, "_components", [int(np.prod(shape)) for shape in shapes])

    def solution(self, theta: jax.Array, x: jax.Array) -> jax.Array:
        """Evaluate the network at many points: `theta` (P,), `x` (n, d) -> (n,) or (n, outputs)."""
        return jax.vmap(self.network.apply, (None, 0))(theta, x)

    def residual(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return r (N,)."""
        parameters = self.network.unflatten(theta)
        return jnp.concatenate([jax.vmap(row, (None, 0))(parameters, x).reshape(-1) for row, x in self.scaled_rows(points)])

    def loss(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return ½‖r‖², ()."""
        return jnp.sum(self.residual(theta, points) ** 2) / 2

    def jacobian(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return J as one matrix (N, P)."""
        return jnp.concatenate(self.column_blocks(theta, points), axis=1)

    def linearize(self, theta: jax.Array, points: Points) -> Jacobian:
        """Return J in memory, or block by block where `block` says so."""
        return self.dense(theta, points) if self.block is None else self.row_blocks(theta, points, self.block)

    def dense(self, theta: jax.Array, points: Points) -> Jacobian:
        """Return J held in memory, N P numbers: one reverse pass a row; a product is a matrix product."""
        return from_column_blocks(self.column_blocks(theta, points))

    def column_blocks(self, theta: jax.Array, points: Points) -> list[jax.Array]:
        """Return J in blocks of columns (N, P_i), one for each array of parameters."""
        rows, points = zip(*self.scaled_rows(points), strict=True)
        return _derivatives(rows, self.network.unflatten(theta), points)

    def row_blocks(self, theta: jax.Array, points: Points, block: int) -> Jacobian:
        """Return J in blocks of rows that are built, used and dropped, each in pieces of columns.

        Parameters
        ----------
        theta, points
        block : int
            Points in a block, at least 1; every condition has the same share in each of them.

        Returns
        -------
        Jacobian
            Every product builds all rows anew, one reverse pass each. It holds at most block * P numbers, and `PIECE` where XLA
            fuses the outer products that J is made of with the cutting, as it does for an `MLP`, and is told to order them by
            memory (`compiler_options`).
        """
        count = -(-sum(len(x) for x in points) // check_integer("block", block, 1))
        parameters = self.network.unflatten(theta)
        rows = [row for row, _ in self.scaled_rows(points)]
        components = self._components

        def heights(x):
            return [m * len(y) for m, y in zip(components, x, strict=True)]

        def pieces(x, side):
            # Tied to the other side, or XLA would see that all products build the same pieces, and keep every one of them.
            return from_column_blocks(_derivatives(rows, jax.lax.optimization_barrier((parameters, side))[0], x, PIECE))

        def matmat(a):
            if count == 1:
                return pieces(points, a).matmat(a)

            def of_block(x):
                return tuple(_cut(pieces(x, a).matmat(a), heights(x)))

            shares, rest = _deal(points, count)
            blocks, last = jax.lax.map(of_block, shares), of_block(rest)
            parts = [part for pair in zip(blocks, last, strict=True) for part in pair]
            return jnp.concatenate([part.reshape(-1, a.shape[1]) for part in parts])

        def rmatmat(b):
            # A single block has nothing to be added to.
            if count == 1:
                return pieces(points, b).rmatmat(b)

            def of_block(x, sides):
                side = jnp.concatenate([side.reshape(-1, b.shape[1]) for side in sides])
                return pieces(x, side).rmatmat(side)

            sides = tuple(s.reshape(len(x), m, -1) for s, x, m in zip(_cut(b, heights(points)), points, components, strict=True))
            shares, rest = _deal((points, sides), count)
            return jax.lax.scan(lambda total, share: (total + of_block(*share), None), of_block(*rest), shares)[0]

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
        parameters = self.network.unflatten(theta)
        return tuple(
            jnp.linalg.norm(jax.vmap(self._pointwise(condition), (None, 0))(parameters, x).reshape(len(x), -1), axis=1)
            for condition, x in zip(self.problem.conditions, points, strict=True)
        )

    def traces(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return the trace of each condition's part of G, Σ ‖row of J‖² over its rows: (conditions,)."""
        parameters = self.network.unflatten(theta)

        def square(row, x):
            def of_point(y):
                return sum(jnp.sum(block**2) for block in _derivatives([row], parameters, [y[None]]))

            return jnp.sum(jax.lax.map(of_point, x, batch_size=min(self.block or len(x), len(x))))

        return jnp.stack([square(row, x) for row, x in self.scaled_rows(points)])

    def heights(self, points: Points) -> list[int]:
        """Return the number of residual rows of each condition at these points."""
        return [x.shape[0] * components for x, components in zip(points, self._components, strict=True)]

    def rows(self, points: Points) -> int:
        """Return N, the number of residual rows at these points."""
        return sum(self.heights(points))

    def _pointwise(self, condition):
        """Return the residual of a condition at one point, from parameters that the network has cut."""
        if condition.takes_normal:
            normal = condition.on(self.problem.domain).normal
            return lambda parameters, x: condition.residual(lambda y: self.network.evaluate(parameters, y), x, normal(x))
        return lambda parameters, x: condition.residual(lambda y: self.network.evaluate(parameters, y), x)

    def scaled_rows(self, points: Points):
        """Pair each condition's scaled residual with its points (n_c, d); over all points it makes up r.

        The residual maps the network's parameters as `unflatten` cuts them and a point (d,) to (m,).
        """
        for condition, region, x in zip(self.problem.conditions, self.problem.regions, points, strict=True):
            scale = (condition.weight * region.measure / x.shape[0]) ** 0.5
            pointwise = self._pointwise(condition)
            yield (lambda parameters, y, f=pointwise, c=scale: c * jnp.atleast_1d(f(parameters, y))), x


def _derivatives(rows, parameters, points, limit=None):
    """Differentiate each condition's residual at its points: J in blocks of columns (N, P_i).

    There is one for each array of parameters, or more, so that each has at most `limit` numbers if its array can be cut along its
    first axis.
    """
    conditions = [
        jax.tree.leaves(jax.vmap(jax.jacrev(row), (None, 0))(parameters, x)) for row, x in zip(rows, points, strict=True)
    ]
    blocks = []
    for leaves in zip(*conditions, strict=True):
        leaves = [leaf.reshape(leaf.shape[0] * leaf.shape[1], *(leaf.shape[2:] or (1,))) for leaf in leaves]
        length = leaves[0].shape[1]
        numbers = sum(leaf.size for leaf in leaves)
        step = length if limit is None else max(1, length * limit // max(numbers, 1))
        for first in range(0, length, step):
            # Cutting before flattening lets XLA compute the piece alone.
            blocks.append(jnp.concatenate([jax.vmap(jnp.ravel)(leaf[:, first : first + step]) for leaf in leaves]))
    return blocks


def _cut(a, lengths):
    return jnp.split(a, np.cumsum(lengths)[:-1])


def _deal(arrays, count):
    """Deal the rows of every array to `count` hands of equal size, (count, n // count, ...), and the rest, (n % count, ...)."""
    shares = jax.tree.map(lambda a: a[: len(a) // count * count].reshape(count, len(a) // count, *a.shape[1:]), arrays)
    return shares, jax.tree.map(lambda a: a[len(a) // count * count :], arrays)

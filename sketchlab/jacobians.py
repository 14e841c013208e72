"""The Jacobian J (N, P) of a residual vector, as the rest of the package sees it: by its products with matrices.

`Jacobian` holds J; `RowBlocks` builds and drops it block by block, where it does not fit into memory. Both may be
arguments of a function under `jax.jit` or `jax.vmap`. Anything else with these five serves as well:

=========  ======================================
name       meaning
=========  ======================================
shape      (N, P)
dtype      "float64" or "float32"
matmat     A (P, k) -> J A (N, k)
rmatmat    B (N, k) -> JᵀB (P, k)
dense      J as one matrix (N, P)
=========  ======================================

The residual of a point depends on this point alone, so a row of J is one reverse pass through the network, and a block
of rows is a batch of them: 5 ms for 900 rows of 1,185 parameters, where differentiating the stacked residual takes
seconds. In memory J is cut by columns, one block for each array of parameters, the way differentiation returns it:
joining the blocks into one matrix would take three times as long as computing them.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.precision import in_full_precision
from sketchlab.validation import InputError, check_array, check_matrix

#: Numbers in a piece of J where it is not held whole; half and twice as many were as fast.
PIECE = 2**24


@functools.partial(jax.tree_util.register_dataclass, data_fields=["blocks"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class Jacobian:
    """J in memory.

    Attributes
    ----------
    blocks : tuple of (N, P_i)
        J, cut by columns.

    Examples
    --------
    >>> jacobian = sl.from_matrix(jnp.eye(3, 2))
    >>> jax.jit(sl.full_spectrum)(jacobian).eigenvalues.tolist()
    [1.0, 1.0]
    """

    blocks: tuple[jax.Array, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, P)."""
        return self.blocks[0].shape[0], sum(block.shape[1] for block in self.blocks)

    @property
    def dtype(self) -> jnp.dtype:
        """Type of the numbers."""
        return self.blocks[0].dtype

    @in_full_precision
    def matmat(self, a: jax.Array) -> jax.Array:
        """Return J A: (P, k) -> (N, k)."""
        check_matrix("A in the product J A", a, self.shape[1])
        ends = np.cumsum([block.shape[1] for block in self.blocks])[:-1]
        return functools.reduce(jnp.add, map(jnp.matmul, self.blocks, jnp.split(a, ends)))

    def rmatmat(self, b: jax.Array) -> jax.Array:
        """Return JᵀB: (N, k) -> (P, k)."""
        check_matrix("B in the product JᵀB", b, self.shape[0])
        return self._add_rmatmat(jnp.zeros((self.shape[1], b.shape[1]), b.dtype), b)

    def dense(self) -> jax.Array:
        """Return J as one matrix (N, P)."""
        return jnp.concatenate(self.blocks, axis=1)

    @in_full_precision
    def _add_rmatmat(self, total, b):
        first = 0
        for block in self.blocks:
            # Each part is written where it belongs: joining the parts afterwards would hold them twice.
            part = jax.lax.dynamic_slice(total, (first, 0), (block.shape[1], b.shape[1])) + block.T @ b
            total = jax.lax.dynamic_update_slice(total, part, (first, 0))
            first += block.shape[1]
        return total


def from_matrix(matrix: jax.Array) -> Jacobian:
    """Wrap a matrix (N, P) of real numbers.

    Raises
    ------
    InputError
        For anything else, whole numbers too.
    """
    found = jnp.asarray(check_array("matrix", matrix))
    if found.ndim != 2 or not found.size or not jnp.issubdtype(found.dtype, jnp.floating):
        raise InputError(f"from_matrix takes a matrix (N, P) of real numbers, not {found.dtype} of shape {found.shape}.")
    return Jacobian((found,))


@functools.partial(jax.tree_util.register_dataclass, data_fields=["theta", "points"], meta_fields=["least_squares", "block"])
@dataclass(frozen=True, eq=False)
class RowBlocks:
    """J in blocks of rows. Every product builds all of them, one after the other, and drops each after use.

    A product holds its result, its factor and one block; and of the block only about `PIECE` numbers at a time where
    XLA fuses the outer products that J is made of with the cutting into columns, as it does for an `MLP`. On the CPU,
    XLA must be told to order the work by memory: see `sketchlab.memory.compiler_options`.

    Attributes
    ----------
    least_squares : LeastSquares
    theta : (P,)
    points : tuple of (n_c, d)
    block : int
        Rows in a block, at most; but a block has at least one point.
    """

    least_squares: Any
    theta: jax.Array
    points: tuple[jax.Array, ...]
    block: int

    @property
    def shape(self) -> tuple[int, int]:
        """(N, P)."""
        return self.least_squares.rows(self.points), self.theta.size

    @property
    def dtype(self) -> jnp.dtype:
        """Type of the numbers."""
        return self.theta.dtype

    def matmat(self, a: jax.Array) -> jax.Array:
        """Return J A: (P, k) -> (N, k)."""
        check_matrix("A in the product J A", a, self.shape[1])

        def product(chosen, points):
            return jax.lax.map(lambda x: self._build(chosen, x, a).matmat(a), points).reshape(-1, a.shape[1])

        return jnp.concatenate([product(*run) for run in self._runs()])

    def rmatmat(self, b: jax.Array) -> jax.Array:
        """Return JᵀB: (N, k) -> (P, k)."""
        check_matrix("B in the product JᵀB", b, self.shape[0])
        total, first = jnp.zeros((self.shape[1], b.shape[1]), b.dtype), 0
        for chosen, points in self._runs():
            height = sum(self.least_squares.components[c] * x.shape[1] for c, x in zip(chosen, points, strict=True))
            last = first + len(points[0]) * height
            sides, first = b[first:last].reshape(-1, height, b.shape[1]), last

            def add(total, block, chosen=chosen):
                x, side = block
                return self._build(chosen, x, side)._add_rmatmat(total, side), None

            total, _ = jax.lax.scan(add, total, (points, sides))
        return total

    def dense(self) -> jax.Array:
        """Return J as one matrix (N, P)."""
        return self.least_squares.jacobian(self.theta, self.points)

    def _runs(self):
        """Yield runs of blocks that are alike: the conditions in a block, and their points (blocks, n, d)."""
        blocks = _cut([len(x) for x in self.points], self.least_squares.components, self.block)
        for parts, alike in itertools.groupby(blocks, lambda block: tuple((c, n) for c, _, n in block)):
            run = list(alike)
            points = [self.points[c][first : first + len(run) * n].reshape(len(run), n, -1) for c, first, n in run[0]]
            yield [c for c, _ in parts], points

    def _build(self, chosen, points, side):
        # The barrier makes each piece of J depend on the other factor; otherwise XLA shares the pieces between
        # products (common subexpressions) and keeps them all alive.
        theta, _ = jax.lax.optimization_barrier((self.theta, side))
        rows = [row for row, _ in self.least_squares.scaled_rows(self.points)]
        parameters = self.least_squares.network.unflatten(theta)
        return Jacobian(derivatives([rows[c] for c in chosen], parameters, points, PIECE))


def _cut(lengths, components, block):
    """Cut the points of all conditions, one after the other, into blocks: lists of (condition, first point, points)."""
    blocks, room = [], 0
    for condition, (length, rows) in enumerate(zip(lengths, components, strict=True)):
        first = 0
        while first < length:
            if room < rows:
                blocks.append([])
                room = max(block, rows)
            points = min(room // rows, length - first)
            blocks[-1].append((condition, first, points))
            first += points
            room -= points * rows
    return blocks


def derivatives(rows, parameters, points, limit: int | None = None) -> tuple[jax.Array, ...]:
    """Differentiate the residual of each condition at its points, see `values_and_derivatives`."""
    return values_and_derivatives(rows, parameters, points, limit)[1]


def values_and_derivatives(rows, parameters, points, limit: int | None = None) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Evaluate the residual of each condition at its points, r (N,), and differentiate it: J in blocks of columns (N, P_i).

    There is one block for each array of parameters, or several, so that each has at most `limit` numbers if the array
    can be cut along its first axis.

    Parameters
    ----------
    rows : sequence of callable, (parameters, (d,)) -> (m,)
    parameters : pytree of arrays
        As the network cuts them.
    points : sequence of (n_c, d)
    limit : int, optional
    """

    def with_value(row):
        return jax.jacrev(lambda parameters, y: (value := row(parameters, y), value), has_aux=True)

    found = [jax.vmap(with_value(row), (None, 0))(parameters, x) for row, x in zip(rows, points, strict=True)]
    conditions, blocks = [jax.tree.leaves(slopes) for slopes, _ in found], []
    for leaves in zip(*conditions, strict=True):
        leaves = [leaf.reshape(leaf.shape[0] * leaf.shape[1], *(leaf.shape[2:] or (1,))) for leaf in leaves]
        length = leaves[0].shape[1]
        numbers = sum(leaf.size for leaf in leaves)
        step = length if limit is None else max(1, length * limit // max(numbers, 1))
        for first in range(0, length, step):
            # Cutting before flattening lets XLA compute the piece alone.
            blocks.append(jnp.concatenate([jax.vmap(jnp.ravel)(leaf[:, first : first + step]) for leaf in leaves]))
    return jnp.concatenate([values.reshape(-1) for _, values in found]), tuple(blocks)

"""The Jacobian J (N, P) of a residual vector, as the rest of the package sees it: by its products with matrices.

`Jacobian` holds J, `RowBlocks` builds and drops it block of rows by block of rows where it does not fit into memory. Both have
``shape``, ``dtype``, ``matmat``, ``rmatmat`` and ``dense``, and both may be arguments of a function under `jax.jit` or `jax.vmap`;
anything else with these five serves as well.

=========  =========  ========  ============================================
symbol     name       shape     meaning
=========  =========  ========  ============================================
J          jacobian   (N, P)    ∂r/∂θ, a row for each point and equation
JA         matmat     (N, k)    product with a matrix A (P, k)
JᵀB        rmatmat    (P, k)    product with a matrix B (N, k)
=========  =========  ========  ============================================

The residual of a point depends on this point alone, so a row of J is one reverse pass through the network, and a block of rows a
batch of them: 5 ms for 900 rows of 1,185 parameters, where differentiating the stacked residual takes seconds. In memory J is cut
by columns, one block for each array of parameters, the way differentiation returns it: joining the blocks into one matrix would
take three times as long as computing them.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.validation import InputError

#: Numbers in a piece of J where it is not held whole; half and twice as many were as fast.
PIECE = 2**24


@functools.partial(jax.tree_util.register_dataclass, data_fields=["blocks"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class Jacobian:
    """J (N, P), held in memory in blocks of columns.

    Attributes
    ----------
    blocks : tuple of (N, P_i)

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
        """Type of the numbers, "float64" or "float32"."""
        return self.blocks[0].dtype

    def matmat(self, a: jax.Array) -> jax.Array:
        """Return J A: (P, k) -> (N, k)."""
        _check_height("J A", "A", a, self.shape[1])
        ends = np.cumsum([block.shape[1] for block in self.blocks])[:-1]
        return sum(block @ part for block, part in zip(self.blocks, jnp.split(a, ends), strict=True))

    def rmatmat(self, b: jax.Array) -> jax.Array:
        """Return JᵀB: (N, k) -> (P, k)."""
        _check_height("JᵀB", "B", b, self.shape[0])
        return self._rmatmat(b)

    def dense(self) -> jax.Array:
        """Return J as one matrix (N, P)."""
        return jnp.concatenate(self.blocks, axis=1)

    def _rmatmat(self, b, total=None):
        """Return JᵀB, added to `total` (P, k) if there is one."""
        # Each part is written where it belongs: joining the parts afterwards would hold them twice.
        product = jnp.empty((self.shape[1], b.shape[1]), b.dtype) if total is None else total
        first = 0
        for block in self.blocks:
            part = block.T @ b
            if total is not None:
                part += jax.lax.dynamic_slice(product, (first, 0), part.shape)
            product = jax.lax.dynamic_update_slice(product, part, (first, 0))
            first += len(part)
        return product


def from_matrix(matrix: jax.Array) -> Jacobian:
    """Wrap a matrix (N, P) of real numbers.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        found = jnp.asarray(matrix)
    except (TypeError, ValueError) as error:
        raise InputError(f"from_matrix takes a matrix (N, P) of real numbers, not {type(matrix).__name__}.") from error
    if found.ndim != 2 or not found.size or not jnp.issubdtype(found.dtype, jnp.floating):
        raise InputError(f"from_matrix takes a matrix (N, P) of real numbers, not {found.dtype} numbers of shape {found.shape}.")
    return Jacobian((found,))


def from_column_blocks(blocks: Sequence[jax.Array]) -> Jacobian:
    """Wrap a matrix that is at hand in blocks of columns (N, P_i)."""
    return Jacobian(tuple(blocks))


@functools.partial(jax.tree_util.register_dataclass, data_fields=["theta", "points"], meta_fields=["least_squares", "block"])
@dataclass(frozen=True, eq=False)
class RowBlocks:
    """J (N, P) in blocks of rows that are built, used and dropped.

    Every product builds all rows anew, one reverse pass each. Beside its result it holds at most ``block`` rows of J (but at least
    those of one point), and only about `PIECE` numbers of them where XLA fuses the outer products that J is made of with the cutting
    into columns, as it does for an `MLP`. On the CPU XLA must be told to order the work by memory (`sketchlab.memory`).

    Attributes
    ----------
    least_squares : LeastSquares
    theta : (P,)
    points : tuple of (n_c, d)
    block : int
        Rows in a block.
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
        """Type of the numbers, "float64" or "float32"."""
        return self.theta.dtype

    def matmat(self, a: jax.Array) -> jax.Array:
        """Return J A: (P, k) -> (N, k)."""
        _check_height("J A", "A", a, self.shape[1])
        products = []
        for conditions, shares in self._runs():

            def product(x, conditions=conditions):
                return self._build(conditions, x, a).matmat(a)

            if len(shares[0]) == 1:
                products.append(product([x[0] for x in shares]))
            else:
                products.append(jax.lax.map(product, shares).reshape(-1, a.shape[1]))
        return jnp.concatenate(products)

    def rmatmat(self, b: jax.Array) -> jax.Array:
        """Return JᵀB: (N, k) -> (P, k)."""
        _check_height("JᵀB", "B", b, self.shape[0])
        total, first = None, 0
        for conditions, shares in self._runs():
            repeat = len(shares[0])
            height = sum(self.least_squares.components[i] * x.shape[1] for i, x in zip(conditions, shares, strict=True))
            sides = b[first : first + repeat * height].reshape(repeat, height, -1)
            first += repeat * height

            def add(total, share, conditions=conditions):
                *x, side = share
                return self._build(conditions, x, side)._rmatmat(side, total), None

            if repeat == 1:
                total, _ = add(total, [x[0] for x in (*shares, sides)])
            else:
                total = jnp.zeros((self.theta.size, b.shape[1]), b.dtype) if total is None else total
                total, _ = jax.lax.scan(add, total, (*shares, sides))
        return total

    def dense(self) -> jax.Array:
        """Return J as one matrix (N, P)."""
        return self.least_squares.jacobian(self.theta, self.points)

    def _runs(self):
        """Deal all points, in their order, to blocks; yield runs of equal blocks, (conditions, their points (blocks, n, d))."""
        lengths = [len(x) for x in self.points]
        for repeat, parts in _cut_into_blocks(lengths, self.least_squares.components, self.block):
            shares = [self.points[i][first : first + repeat * n].reshape(repeat, n, -1) for i, first, n in parts]
            yield [i for i, _, _ in parts], shares

    def _build(self, conditions, points, side):
        """Build the rows of J that belong to some points of some conditions; `side` is what they will be multiplied with."""
        # The barrier makes each piece of J depend on the right-hand side; otherwise XLA shares the pieces between products (common
        # subexpressions) and keeps them all alive.
        parameters = self.least_squares.network.unflatten(jax.lax.optimization_barrier((self.theta, side))[0])
        rows = [row for row, _ in self.least_squares.scaled_rows(self.points)]
        return Jacobian(tuple(derivatives([rows[i] for i in conditions], parameters, points, PIECE)))


def _cut_into_blocks(lengths, components, block):
    """Cut the stack of all conditions' points into blocks of about `block` rows.

    Returns
    -------
    list of (repeat, parts)
        `repeat` blocks after each other. A part is (condition, its first point, its number of points in one block); most blocks have
        one, those where one condition ends and the next begins have several, and then `repeat` is 1.
    """
    runs, parts, room = [], [], block
    for condition, (length, height) in enumerate(zip(lengths, components, strict=True)):
        first = 0
        if parts:
            first = min(room // height, length)
            if first:
                parts.append((condition, 0, first))
                room -= first * height
            if first < length:
                # The block is full.
                runs.append((1, parts))
                parts, room = [], block
        step = max(1, block // height)
        repeat, rest = divmod(length - first, step)
        if repeat:
            runs.append((repeat, [(condition, first, step)]))
        if rest:
            parts, room = [(condition, length - rest, rest)], block - rest * height
    return [*runs, (1, parts)] if parts else runs


def derivatives(rows, parameters, points, limit: int | None = None) -> list[jax.Array]:
    """Differentiate the residual of each condition at its points: J in blocks of columns (N, P_i).

    There is one block for each array of parameters, or more, so that each has at most `limit` numbers if its array can be cut along
    its first axis.

    Parameters
    ----------
    rows : sequence of callable, (parameters, (d,)) -> (m,)
    parameters : pytree of arrays
        As the network cuts them.
    points : sequence of (n_c, d)
    limit : int, optional
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


def _check_height(product, name, matrix, height):
    if jnp.ndim(matrix) != 2 or len(matrix) != height:
        raise InputError(f"{product} needs a matrix {name} of {height} rows, not an array of shape {jnp.shape(matrix)}.")

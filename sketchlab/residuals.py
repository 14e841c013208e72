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

A `LeastSquares` traces the residuals once, at one point, and computes the trace from then on. A number that a residual
reads from outside, a global of a notebook for one, keeps the value that it had then. So two of them are equal when they
compute the same, and whatever is compiled can be kept by them.
"""

import hashlib
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from sketchlab.jacobians import Jacobian, RowBlocks, derivatives, values_and_derivatives
from sketchlab.networks import MLP, check_network, solve
from sketchlab.problems import Problem
from sketchlab.user_code import fingerprint, trace_residual
from sketchlab.validation import InputError, check_instance, check_integer

Points = tuple[Any, ...]


@dataclass(frozen=True)
class LeastSquares:
    """A problem and a network, seen as r: R^P -> R^N for given collocation points.

    Parameters
    ----------
    problem : Problem
    network : MLP
        Or another network, see `sketchlab.networks`.
    block : int, optional
        Rows in a block of `row_blocks`, where J does not fit into memory whole; None holds it as a matrix.

    Attributes
    ----------
    components : tuple of int
        Number of residual rows of a point, for each condition.

    Raises
    ------
    InputError
        If network and problem disagree in dimension or outputs, or for a residual of the wrong kind, see `trace_residual`.

    Notes
    -----
    Making one traces each residual once: some 20 ms for four conditions. Two are equal if traces, constants in them,
    weights times measures, network and block are, so each may be a static argument of `jax.jit`. Name, exact solution
    and points of the problem do not count.

    Examples
    --------
    >>> problem, network = sl.PROBLEMS["poisson_1d"](), sl.MLP(dim=1, width=8, depth=1)
    >>> least_squares = sl.LeastSquares(problem, network)
    >>> least_squares == sl.LeastSquares(sl.PROBLEMS["poisson_1d"](), network)
    True
    >>> points = tuple(jnp.asarray(x) for x in problem.sample(20, seed=0))
    >>> theta = network.init(key=jax.random.key(0))
    >>> least_squares.linearize(theta, points).shape
    (20, 25)
    """

    problem: Problem = field(compare=False)
    network: MLP
    block: int | None = None
    components: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _traces: dict = field(init=False, repr=False, compare=False)
    _fingerprints: tuple = field(init=False, repr=False)
    _factors: tuple = field(init=False, repr=False)

    def __post_init__(self):
        check_instance("problem", self.problem, Problem, 'sl.PROBLEMS["heat_1d"]() or sl.Problem(…)')
        check_network(self.network)
        if self.block is not None:
            check_integer("block", self.block, 1)
        for name in ("dim", "outputs"):
            asked, given = getattr(self.problem, name), getattr(self.network, name)
            if asked != given:
                raise InputError(f"problem {self.problem.name!r} has {name} = {asked}, but the network has {name} = {given}.")
        object.__setattr__(self, "_traces", {})
        traces = self._trace(jnp.result_type(float))
        object.__setattr__(self, "components", tuple(trace.out_avals[0].size for trace in traces))
        object.__setattr__(self, "_fingerprints", tuple(map(fingerprint, traces)))
        # Weight times measure of each condition.
        pairs = zip(self.problem.conditions, self.problem.regions, strict=True)
        object.__setattr__(self, "_factors", tuple(float(condition.weight * region.measure) for condition, region in pairs))

    @property
    def digest(self) -> str:
        """A short name of what residuals and network compute: equal ones have the same, in the same version of JAX."""
        return hashlib.sha256(repr(self._fingerprints).encode()).hexdigest()[:16]

    def solution(self, theta: jax.Array, x: jax.Array) -> jax.Array:
        """Evaluate the network at many points: `theta` (P,), `x` (n, d) -> (n,) or (n, outputs)."""
        return solve(self.network)(theta, x)

    def residual(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return r (N,)."""
        parameters = self.network.unflatten(theta)
        return jnp.concatenate([jax.vmap(row, (None, 0))(parameters, x).reshape(-1) for row, x in self._joined_rows(points)])

    def loss(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return ½‖r‖², ()."""
        return jnp.sum(self.residual(theta, points) ** 2) / 2

    def jacobian(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return J as one matrix (N, P)."""
        return jnp.concatenate(self.column_blocks(theta, points), axis=1)

    def linearize(self, theta: jax.Array, points: Points) -> Jacobian | RowBlocks:
        """Return J in memory, or block by block where `block` says so."""
        return self.dense(theta, points) if self.block is None else self.row_blocks(theta, points, self.block)

    def linear_model(self, theta: jax.Array, points: Points, drift: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
        """Return r (N,), J times a vector (P,), and J: with J in memory, all from one pass."""
        if self.block is not None:
            residual, along = jax.jvp(lambda t: self.residual(t, points), (theta,), (drift,))
            return residual, along, self.linearize(theta, points)
        rows, points = zip(*self._joined_rows(points), strict=True)
        residual, blocks = values_and_derivatives(rows, self.network.unflatten(theta), points)
        jacobian = Jacobian(blocks)
        return residual, jacobian.matmat(drift[:, None])[:, 0], jacobian

    def dense(self, theta: jax.Array, points: Points) -> Jacobian:
        """Return J held in memory, N P numbers: one reverse pass a row; a product is a matrix product."""
        return Jacobian(self.column_blocks(theta, points))

    def column_blocks(self, theta: jax.Array, points: Points) -> tuple[jax.Array, ...]:
        """Return J in blocks of columns (N, P_i), one for each array of parameters."""
        rows, points = zip(*self._joined_rows(points), strict=True)
        return derivatives(rows, self.network.unflatten(theta), points)

    def row_blocks(self, theta: jax.Array, points: Points, block: int) -> RowBlocks:
        """Return J in blocks of at most `block` rows that are built, used and dropped, by every product anew."""
        return RowBlocks(self, theta, points, check_integer("block", block, 1))

    def residual_sizes(self, theta: jax.Array, points: Points) -> tuple[jax.Array, ...]:
        """Return |residual| at every point, (n_c,) for condition c, without weights and measures."""
        return tuple(self.residual_size(index, theta, x) for index, x in enumerate(points))

    def residual_size(self, index: int, theta: jax.Array, x: jax.Array) -> jax.Array:
        """Return |residual| of one condition at points (n, d): (n,)."""
        residuals = jax.vmap(self._pointwise(index), (None, 0))(self.network.unflatten(theta), x)
        return jnp.linalg.norm(residuals.reshape(len(x), -1), axis=1)

    def traces(self, theta: jax.Array, points: Points) -> jax.Array:
        """Return the trace of each condition's part of G, Σ ‖row of J‖² over its rows: (conditions,)."""
        parameters = self.network.unflatten(theta)

        def square(row, x):
            def of_point(y):
                return sum(jnp.sum(block**2) for block in derivatives([row], parameters, [y[None]]))

            return jnp.sum(jax.lax.map(of_point, x, batch_size=min(self.block or len(x), len(x))))

        return jnp.stack([square(row, x) for row, x in self.scaled_rows(points)])

    def heights(self, points: Points) -> list[int]:
        """Return the number of residual rows of each condition at these points."""
        return [x.shape[0] * components for x, components in zip(points, self.components, strict=True)]

    def rows(self, points: Points) -> int:
        """Return N, the number of residual rows at these points."""
        return sum(self.heights(points))

    def scaled_rows(self, points: Points):
        """Pair each condition's scaled residual with its points (n_c, d); over all points it makes up r.

        The residual maps the network's parameters as `unflatten` cuts them and a point (d,) to (m,).
        """
        for index, (factor, x) in enumerate(zip(self._factors, points, strict=True)):
            pointwise, scale = self._pointwise(index), (factor / x.shape[0]) ** 0.5
            yield (lambda parameters, y, f=pointwise, c=scale: c * jnp.atleast_1d(f(parameters, y))), x

    def _joined_rows(self, points):
        """Pair scaled residuals with points as `scaled_rows` does, but neighbours that compute the same only once.

        The faces of a box, for one, often have the same condition. Here a point comes with its factor, (d,) and ().
        """
        for _, run in groupby(range(len(points)), self._fingerprints.__getitem__):
            indices = list(run)
            pointwise, x = self._pointwise(indices[0]), jnp.concatenate([points[i] for i in indices])
            scales = [jnp.full(len(points[i]), (self._factors[i] / len(points[i])) ** 0.5, x.dtype) for i in indices]

            def row(parameters, point, pointwise=pointwise):
                return point[1] * jnp.atleast_1d(pointwise(parameters, point[0]))

            yield row, (x, jnp.concatenate(scales))

    def _pointwise(self, index):
        """Return the residual of a condition at one point, from parameters that the network has cut: its trace."""

        def residual(parameters, x):
            leaves = jax.tree.leaves(parameters)
            dtype = leaves[0].dtype
            return jaxpr_as_fun(self._trace(dtype)[index])(*leaves, x.astype(dtype))[0]

        return residual

    def _trace(self, dtype):
        if dtype not in self._traces:
            conditions = range(len(self.problem.conditions))
            self._traces[dtype] = [trace_residual(self.problem, index, self.network, dtype) for index in conditions]
        return self._traces[dtype]

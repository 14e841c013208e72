"""The spectrum of a problem's Gramian: all of it, a sketch of it, or part by part.

`spectrum` is the one call from an equation, a network and its parameters to eigenvalues. All calls here start from a `Setup` and
end in one compiled function, which is kept for as long as the problem computes the same.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import jax
import numpy as np

from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.jacobians import Jacobian, from_matrix
from sketchlab.memory import (
    KEPT,
    block_for,
    bytes_of,
    check_memory,
    compiler_options,
    largest_rank,
    memory_at_hand,
    one_blas_thread,
    quick_options,
)
from sketchlab.networks import MLP
from sketchlab.precision import in_full_precision
from sketchlab.problems import Problem
from sketchlab.random_matrices import NESTED, SKETCHES, gaussian
from sketchlab.residuals import LeastSquares
from sketchlab.routes import ROUTES, check_rank, range_route
from sketchlab.setup import Setup
from sketchlab.sketch import OVERSAMPLING, NestedSketch, check_power_iterations, nested_sketch
from sketchlab.validation import InputError, check_integer, checked_call


@checked_call(Setup)
def spectrum(
    problem: Problem,
    network: MLP,
    theta=None,
    *,
    rank: int | None = None,
    route: str = "range",
    sketch: str = "gaussian",
    power_iterations: int = 0,
    **options,
) -> Spectrum:
    """Return the spectrum of the Gramian G = JᵀJ at `theta`.

    G itself is never formed; ``sl.Gramian(sl.jacobian(problem, network, theta)).dense()`` does, for a small network.

    Parameters
    ----------
    problem, network
    theta : (P,), optional
        The initial parameters of the seed by default.
    rank : int, optional
        Of the sketch; None computes the full spectrum, by the singular value decomposition of J.
    route, sketch, power_iterations
        Of the sketch, see `sketched_spectrum`.
    **options
        points, seed, dtype, sampler: see `Setup`.

    Returns
    -------
    Spectrum
        Costs O(N P min(N, P)) operations for the full one, and 4 N P l a pair of products for a sketch of l columns.

    Raises
    ------
    InputError
        If the computation does not fit into memory: nothing large was allocated then. If J has non-finite entries, if the sketch
        does not fit into min(N, P), and for any argument that does not fit.

    Examples
    --------
    >>> problem, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, width=8)
    >>> full = sl.spectrum(problem, network, points=100)
    >>> full.rank, list(full.shares)[0]
    (100, 'interior')
    >>> sketched = sl.spectrum(problem, network, points=100, rank=20)
    >>> bool(abs(sketched.eigenvalues[0] / full.eigenvalues[0] - 1) < 1e-3)
    True
    """
    given = (route, "range"), (sketch, "gaussian"), (power_iterations, 0)
    if rank is None and not all(isinstance(one, str | Integral) and one == usual for one, usual in given):
        raise InputError(
            f"route = {route!r}, sketch = {sketch!r}, power_iterations = {power_iterations!r} are for a sketch: "
            "give its rank too."
        )
    start = Setup(problem, network, **options)
    task = _sketch_or_full(start, rank, route, sketch, power_iterations)
    full, sketched = _compute(start.least_squares, *_given(start, theta, task), task)
    return sketched if full is None else full


class Survey(NamedTuple):
    """What `survey` found: the full spectrum or None, and a sketch that contains those of all smaller ranks."""

    full: Spectrum | None
    sketches: NestedSketch


@checked_call(Setup)
def survey(
    problem: Problem,
    network: MLP,
    theta=None,
    *,
    largest_rank: int,
    sketch: str = "gaussian",
    power_iterations: int = 0,
    full: bool = True,
    **options,
) -> Survey:
    """Compute one sketch that serves every rank up to `largest_rank`, and optionally the full spectrum.

    Parameters and errors as for `spectrum`, and besides

    Parameters
    ----------
    largest_rank : int
        Larger ones than min(N, P) allow are left out.
    sketch : str
        One of those that contain smaller sketches, `sketchlab.random_matrices.NESTED`; the route is "range".
    full : bool
        Whether to compute the full spectrum.

    Examples
    --------
    >>> found = sl.survey(sl.PROBLEMS["heat_1d"](), sl.MLP(2, width=8), points=100, largest_rank=50)
    >>> singular_values, _ = found.sketches.ritz(20)
    >>> singular_values.shape, found.full.rank
    ((20,), 100)
    """
    draw, largest_rank = SKETCHES[sketch], check_integer("largest_rank", largest_rank, 1)
    if sketch not in NESTED:
        raise InputError(f"sketch = {sketch!r} contains no smaller sketches: use one of {', '.join(NESTED)}.")
    start = Setup(problem, network, **options)
    task = _Task(bool(full), largest_rank, _nested_route, draw, check_power_iterations(power_iterations))
    return Survey(*_compute(start.least_squares, *_given(start, theta, task), task))


@checked_call(Setup)
def jacobian(problem: Problem, network: MLP, theta=None, **options) -> Jacobian:
    """Return J (N, P) at `theta`, held in memory: what `spectrum` computes from, for experiments of your own.

    Parameters as there; ``.dense()`` is the matrix. Raises `InputError` if J does not fit into memory.

    Examples
    --------
    >>> sl.jacobian(sl.PROBLEMS["heat_1d"](), sl.MLP(2, width=8), points=100).shape
    (100, 105)
    """
    start = Setup(problem, network, **options)
    needed = start.rows * start.parameters * np.dtype(start.dtype).itemsize
    way_out = "take fewer points or a smaller network, or a sketched spectrum, which needs J only in parts."
    check_memory(f"J, {start.rows} × {start.parameters},", needed, way_out)
    theta, points, _ = _given(start, theta)
    return jax.jit(LeastSquares.dense, static_argnums=0)(start.least_squares, theta, points)


@checked_call(Setup)
def condition_spectra(problem: Problem, network: MLP, theta=None, **options) -> dict[str, Spectrum]:
    """Return the full spectrum of each condition's own part G_c of the Gramian G = Σ_c G_c, at the points that `spectrum` takes.

    Parameters as there; the names are those of `Spectrum.conditions`.

    Examples
    --------
    >>> parts = sl.condition_spectra(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, width=8), points=40)
    >>> {name: part.shape for name, part in parts.items()}
    {'interior': (38, 97), 'boundary': (2, 97)}
    """
    start = Setup(problem, network, **options)
    theta, points, key = _given(start, theta)
    parts = {}
    for name, condition, x in zip(problem.names, problem.conditions, points, strict=True):
        part = LeastSquares(replace(problem, conditions=[condition]), network)
        parts[name] = _compute(part, theta, (x,), key, _Task(True))[0]
    return parts


@checked_call(Setup)
def spectrum_bytes(problem: Problem, network: MLP, *, rank: int | None = None, route: str = "range", **options) -> int:
    """Return the memory that `spectrum` will take, in bytes, by the compiler's account: nothing is computed.

    Parameters as there.

    Examples
    --------
    >>> heat, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, width=8)
    >>> sl.spectrum_bytes(heat, network, points=100, rank=20) < sl.spectrum_bytes(heat, network, points=100)
    True
    """
    start = Setup(problem, network, **options)
    return _compiled(start.least_squares, start.draw(), _sketch_or_full(start, rank, route))[1]


class _Task(NamedTuple):
    """What to compute from J: the full spectrum, a sketch, or both. Equal tasks share one compiled function.

    `draw` is an entry of `SKETCHES`, `route` one of `ROUTES` or `_nested_route`; without a rank there is no sketch.
    """

    full: bool
    rank: int | None = None
    route: Callable = range_route
    draw: Callable = gaussian
    power_iterations: int = 0

    def __str__(self):
        sketch = f"the spectrum of rank {self.rank}"
        return " and ".join(["the full spectrum"] * self.full + [sketch] * (self.rank is not None))

    def perform(self, jacobian, key):
        """Return the full spectrum and the sketch, None for what is not asked for."""
        if self.full:
            # The SVD needs J joined, and products with one matrix compile in less time than those with every block.
            jacobian = from_matrix(jacobian.dense())
        full = full_spectrum(jacobian) if self.full else None
        if self.rank is None:
            return full, None
        return full, self.route(jacobian, self.rank, self.rank + OVERSAMPLING, self.draw, self.power_iterations, key=key)


def _nested_route(jacobian, rank, columns, draw, power_iterations, *, key):
    """Find a `NestedSketch` in place of a `Spectrum`, of as many columns as J allows."""
    matrix_key, key = jax.random.split(key)
    test_matrix = draw(min(columns, *jacobian.shape), jacobian.shape[1], key=matrix_key, dtype=jacobian.dtype)
    return nested_sketch(jacobian, test_matrix, power_iterations=power_iterations, key=key)


def _sketch_or_full(start, rank, route, sketch="gaussian", power_iterations=0):
    if rank is None:
        return _Task(True)
    check_rank(rank, OVERSAMPLING, start.rows, start.parameters)
    return _Task(False, int(rank), ROUTES[route], SKETCHES[sketch], check_power_iterations(power_iterations))


def _given(start, theta, task=None):
    """Return theta (P,), the points and the key of a sketch; nothing is drawn for a task that cannot fit into memory."""
    if task is not None:
        _check_fits(task, (start.rows, start.parameters), np.dtype(start.dtype).itemsize)
    return start.theta() if theta is None else start.check_theta(theta), start.draw(), start.keys()[1]


def _compute(least_squares, theta, points, key, task) -> tuple[Any, ...]:
    """Perform a task; label its spectra with the conditions, and refuse a J with non-finite entries."""
    shape, itemsize = (least_squares.rows(points), theta.size), theta.dtype.itemsize
    _check_fits(task, shape, itemsize)
    compiled, needed = _compiled(least_squares, points, task)
    _check_fits(task, shape, itemsize, needed)
    with one_blas_thread():
        found = jax.block_until_ready(compiled(theta, points, key))
    if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found)):
        raise InputError(
            f"J of {least_squares.problem.name!r} has non-finite entries: look at theta, and at its residuals there."
        )
    conditions = tuple(zip(least_squares.problem.names, least_squares.heights(points), strict=True))
    return tuple(replace(one, conditions=conditions) if isinstance(one, Spectrum) else one for one in found)


def _check_fits(task, shape, itemsize, needed=None):
    """Raise `InputError` if a task needs more memory than is at hand."""
    if needed is None:
        # Compiling what is too large takes minutes. The least that a task holds is known before: two matrices of its vectors.
        vectors = min(shape) if task.full else min(task.rank + OVERSAMPLING, *shape)
        needed = 2 * max(shape) * vectors * itemsize
    rank = largest_rank(*shape, itemsize=itemsize, oversampling=OVERSAMPLING)
    rank = rank if task.rank is None else min(rank, task.rank - 1)
    way_out = f"a sketch of rank = {rank} fits." if rank > 0 else "take fewer points or a smaller network."
    check_memory(f"{task} of J, {shape[0]} × {shape[1]},", needed, way_out)


def _compiled(least_squares, points, task):
    """Compile a task, with J held whole for a full spectrum, and for a sketch if it fits."""
    rows, parameters, itemsize = least_squares.rows(points), least_squares.network.size, points[0].dtype.itemsize
    block = None if task.full else block_for(rows, parameters, itemsize, memory_at_hand())
    if block is not None:
        least_squares = replace(least_squares, block=block)
    return _compile(least_squares, jax.eval_shape(tuple, points), task)


# Kept by what the least squares compute, not by the problem: a residual with another constant in it is compiled anew.
@functools.lru_cache(maxsize=KEPT)
def _compile(least_squares, points, task):
    """Compile a task, (theta, points, key) -> (full, sketch); return it and the bytes that it will allocate."""
    theta = jax.ShapeDtypeStruct((least_squares.network.size,), points[0].dtype)
    compute = jax.jit(in_full_precision(lambda theta, points, key: task.perform(least_squares.linearize(theta, points), key)))
    options: dict[str, Any] = dict(compiler_options(least_squares.block) or {})
    if task.full and task.rank is not None:
        # A survey is for explorers, run once or twice at each setting: a quick compilation is worth more than a fast program.
        options |= quick_options(level=0)
    compiled = compute.lower(theta, points, jax.eval_shape(lambda: jax.random.key(0))).compile(options)
    # LAPACK's divide and conquer works in another 4 min(N, P)² numbers.
    workspace = 4 * min(least_squares.rows(points), theta.size) ** 2 * theta.dtype.itemsize if task.full else 0
    return compiled, bytes_of(compiled) + compiled.memory_analysis().argument_size_in_bytes + workspace  # pyright: ignore[reportOptionalMemberAccess]

"""The spectrum of a problem's Gramian: all of it, a sketch of it, part by part; how fast it decays, and what its vectors do.

`spectrum` is the one call from an equation, a network and its parameters to eigenvalues. The functions below it read what it
returns.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from sketchlab.domains import Sampler, uniform
from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.memory import FIT, bytes_of, compiler_options, memory_at_hand, rank_for
from sketchlab.networks import MLP
from sketchlab.problems import Condition, Problem
from sketchlab.random_matrices import INDEPENDENT_ROWS, NESTED, SKETCHES
from sketchlab.jacobians import Jacobian, from_column_blocks
from sketchlab.residuals import LeastSquares
from sketchlab.sketch import OVERSAMPLING, NestedSketch, nested_sketch, sketched_spectrum
from sketchlab.training import check_dtype, check_theta, choose_block, initial_theta, sample, split_seed
from sketchlab.validation import InputError, check_integer

#: A test matrix whose rows may be cut is drawn with a multiple of so many.
DRAWN_ROWS = 4096


def spectrum(
    problem: Problem,
    network: MLP,
    theta=None,
    *,
    rank: int | None = None,
    route: str = "range",
    sketch: str = "gaussian",
    power_iterations: int = 0,
    points: int | Sequence[int] = 1000,
    seed: int = 0,
    dtype: str = "float64",
    sampler: Sampler = uniform,
) -> Spectrum:
    """Return the spectrum of the Gramian at `theta`.

    Parameters
    ----------
    problem, network
    theta : (P,), optional
        The initial parameters of `seed` by default.
    rank : int, optional
        Of the sketch; None computes the full spectrum, by the singular value decomposition of J.
    route, sketch, power_iterations
        Of the sketch, see `sketched_spectrum`.
    points, seed, dtype, sampler
        See `Trainer`.

    Returns
    -------
    Spectrum

    Raises
    ------
    InputError
        If the computation does not fit into memory: nothing large was allocated then. If J has entries that are not numbers, if
        the sketch does not fit into min(N, P), and for whatever else does not fit.
    """
    if rank is None and (route, sketch, power_iterations) != ("range", "gaussian", 0):
        raise InputError(
            f"route = {route!r}, sketch = {sketch!r}, power_iterations = {power_iterations!r} are for a sketch: "
            "give its rank too."
        )
    options = {"points": points, "seed": seed, "dtype": dtype, "sampler": sampler}
    least_squares, theta, points, key = _set_up(problem, network, theta, **options)
    work = _Full() if rank is None else _Sketch(rank, route, sketch, power_iterations)
    return _label(_compute(least_squares, theta, points, key, work), least_squares, points)


class Survey(NamedTuple):
    """What `survey` found: `full`, the whole `Spectrum` or None, and `sketches`, a `NestedSketch`."""

    full: Spectrum | None
    sketches: NestedSketch


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
    """Compute sketches of all ranks up to one at once, and with `full` the full spectrum beside them.

    Parameters
    ----------
    problem, network, theta
    largest_rank : int
        Larger ones than min(N, P) allow are left out.
    sketch, power_iterations
        See `sketched_spectrum`; the route is "range".
    full : bool
    **options
        points, seed, dtype, sampler: see `spectrum`.

    Returns
    -------
    Survey

    Raises
    ------
    InputError
        As `spectrum` does.
    """
    check_integer("largest_rank", largest_rank, 1)
    check_integer("power_iterations", power_iterations, 0)
    if SKETCHES[sketch] and sketch not in NESTED:
        raise InputError(f"sketch = {sketch!r} contains no smaller sketches: use one of {', '.join(NESTED)}.")
    least_squares, theta, points, key = _set_up(problem, network, theta, **options)
    whole, sketches = _compute(least_squares, theta, points, key, _Survey(largest_rank, sketch, power_iterations, full))
    if not np.isfinite(sketches.triangle[0, 0]):
        _refuse(least_squares)
    return Survey(None if whole is None else _label(whole, least_squares, points), sketches)


def jacobian(problem: Problem, network: MLP, theta=None, **options) -> Jacobian:
    """Return J at `theta`, held in memory: what `spectrum` computes from, for experiments of one's own.

    Parameters
    ----------
    problem, network, theta
    **options
        points, seed, dtype, sampler: see `spectrum`.

    Returns
    -------
    Jacobian
        ``.dense()`` is the matrix (N, P).

    Raises
    ------
    InputError
        If J does not fit into memory, and for whatever else does not fit.
    """
    least_squares, theta, points, _ = _set_up(problem, network, theta, **options)
    rows, memory = least_squares.rows(points), memory_at_hand()
    needed = rows * theta.size * theta.dtype.itemsize
    if needed > FIT * memory:
        raise InputError(
            f"J, {rows} × {theta.size}, takes {needed / 2**30:.3g} GiB, {memory / 2**30:.3g} GiB are at hand: "
            "take fewer points or a smaller network, or a sketched spectrum, which needs J only in parts."
        )
    return from_column_blocks(jax.jit(least_squares.column_blocks)(theta, points))


def spectrum_bytes(
    problem: Problem, network: MLP, *, rank: int | None = None, route: str = "range", points: int = 1000, dtype: str = "float64"
) -> int:
    """Return the memory that `spectrum` will take, in bytes, by the compiler's account: nothing is computed.

    Parameters as there.
    """
    dtype = check_dtype(dtype)
    least_squares = _least_squares(problem, network)
    shapes = tuple(x.shape for x in sample(problem, points, 0, dtype, uniform))
    work = _Full() if rank is None else _Sketch(rank, route, "gaussian", 0)
    return _compile(_hold(least_squares, shapes, work, dtype), shapes, dtype, work)[1]


def condition_spectra(problem: Problem, network: MLP, theta=None, **options) -> dict[str, Spectrum]:
    """Return the full spectrum of each condition's own part G_c of the Gramian G = Σ_c G_c, at the points that `spectrum` takes.

    Parameters
    ----------
    problem, network, theta
    **options
        points, seed, dtype, sampler: see `spectrum`.

    Returns
    -------
    dict of str to Spectrum
        By the names of the regions, as in `Spectrum.conditions`.
    """
    least_squares, theta, points, key = _set_up(problem, network, theta, **options)
    parts = {}
    for name, condition, x in zip(problem.names, problem.conditions, points, strict=True):
        part = replace(least_squares, problem=replace(problem, conditions=[condition]))
        parts[name] = _label(_compute(part, theta, (x,), key, _Full()), part, (x,))
    return parts


def tangent_functions(problem: Problem, network: MLP, theta, vectors, x, *, condition: Condition | None = None) -> jax.Array:
    """Evaluate what a change of the parameters does to the function: ∂u(x)/∂θ · v.

    For an eigenvector v of G this is an eigenfunction: those of large eigenvalues are what the points see best, those of the tail
    are invisible to them.

    Parameters
    ----------
    problem, network
    theta : (P,)
    vectors : (P, m)
        Directions v, as ``spectrum.right[:, :m]``.
    x : (n, d)
        Points, anywhere in the domain.
    condition : Condition, optional
        Of the problem: evaluate its linearized residual instead, without weight and measure: what J v is at a point.

    Returns
    -------
    (n, m), or (n, c, m) for c outputs or equations
    """
    theta, vectors, x = (jnp.asarray(a, jnp.asarray(theta).dtype) for a in (theta, vectors, x))
    check_theta(theta, network, theta.dtype)
    if vectors.ndim != 2 or len(vectors) != network.size:
        raise InputError(f"vectors of shape {vectors.shape} do not fit: the network takes (P, m) with P = {network.size}.")
    problem.check_points(x)

    return _tangents(problem, network, condition)(theta, vectors, x)


class Decay(NamedTuple):
    """How eigenvalues fall with their index i.

    Attributes
    ----------
    law : str
        "exponential", λᵢ ≈ c e^(-ai), or "algebraic", λᵢ ≈ c i^(-a): the one that fits better.
    rate : float
        a
    constant : float
        c
    error : float
        Root mean square of the misfit of log₁₀ λᵢ, in decades.
    other_error : float
        That of the other law.
    """

    law: str
    rate: float
    constant: float
    error: float
    other_error: float

    def __call__(self, index):
        """Evaluate the law at indices i >= 1."""
        index = np.asarray(index, float)
        return self.constant * (np.exp(-self.rate * index) if self.law == "exponential" else index**-self.rate)


def fit_decay(spectrum: Spectrum) -> Decay:
    """Fit both laws to the eigenvalues above the noise floor, by least squares on the logarithm; return the better one.

    Raises
    ------
    InputError
        If fewer than 3 eigenvalues are above the floor.
    """
    eigenvalues = np.asarray(spectrum.eigenvalues, float)
    eigenvalues = eigenvalues[eigenvalues > float(spectrum.noise_floor)]
    if eigenvalues.size < 3:
        raise InputError(f"{eigenvalues.size} eigenvalues above the noise floor say nothing about a decay: 3 are needed.")
    index, values = np.arange(1, eigenvalues.size + 1), np.log(eigenvalues)
    fits = {}
    for law, abscissa in (("exponential", index), ("algebraic", np.log(index))):
        slope, intercept = np.polyfit(abscissa, values, 1)
        misfit = np.sqrt(np.mean((values - slope * abscissa - intercept) ** 2)) / np.log(10)
        fits[law] = float(-slope), float(np.exp(intercept)), float(misfit)
    law, other = sorted(fits, key=lambda name: fits[name][2])
    return Decay(law, *fits[law], fits[other][2])


@functools.lru_cache(maxsize=32)
def _tangents(problem, network, condition):
    """Compile the tangent functions of a network, (theta, vectors, x) -> values, once."""

    def value(parameters, y):
        def u(z):
            return network.apply(parameters, z)

        return u(y) if condition is None else condition.residual(u, y)

    def evaluate(theta, vectors, x):
        def along(v):
            return jax.vmap(lambda y: jax.jvp(lambda parameters: value(parameters, y), (theta,), (v,))[1])(x)

        return jax.vmap(along, 1, -1)(vectors)

    return jax.jit(evaluate)


# Checking a problem traces it: once is enough.
_least_squares = functools.lru_cache(maxsize=32)(LeastSquares)


def _set_up(problem, network, theta, *, points=1000, seed=0, dtype="float64", sampler=uniform):
    dtype = check_dtype(dtype)
    points = sample(problem, points, seed, dtype, sampler)
    theta = initial_theta(network, seed, dtype) if theta is None else check_theta(theta, network, dtype)
    return _least_squares(problem, network), theta, points, split_seed(seed)[1]


@dataclass(frozen=True)
class _Full:
    """All triplets: the work of `spectrum` without a rank."""

    rank: ClassVar[None] = None
    whole: ClassVar[bool] = True
    compiler_options: ClassVar[dict] = {}
    text: ClassVar[str] = "the full spectrum"

    def draw(self, shape, dtype, key):
        return key

    def __call__(self, jacobian, key):
        return full_spectrum(jacobian)


@dataclass(frozen=True)
class _Sketch:
    """The work of `spectrum` with a rank."""

    rank: int
    route: str
    sketch: str
    power_iterations: int
    whole: ClassVar[bool] = False
    compiler_options: ClassVar[dict] = {}

    @property
    def text(self):
        return f"the spectrum of rank {self.rank}"

    def draw(self, shape, dtype, key):
        return key

    def __call__(self, jacobian, key):
        return sketched_spectrum(
            jacobian, self.rank, key=key, route=self.route, sketch=self.sketch, power_iterations=self.power_iterations
        )


@dataclass(frozen=True)
class _Survey:
    """The work of `survey`."""

    rank: int
    sketch: str
    power_iterations: int
    whole: bool

    @property
    def compiler_options(self):
        # What a hand is waiting for is used once or twice: compiling in half of the time is worth a somewhat slower J. A large J
        # is worth the compiler's care.
        return {"xla_backend_optimization_level": 0} if self.whole else {}

    @property
    def text(self):
        return f"sketches up to rank {self.rank}" + (" and the full spectrum" if self.whole else "")

    def draw(self, shape, dtype, key):
        """Draw Ω, with rows to spare where they do no harm: one compilation, of a fifth of a second, serves many sizes."""
        rows, parameters = shape
        spare = -parameters % DRAWN_ROWS if self.sketch in INDEPENDENT_ROWS else 0
        matrix_key, key = jax.random.split(key)
        columns = min(self.rank + OVERSAMPLING, rows, parameters)
        return _draw(self.sketch, columns, parameters + spare, matrix_key, dtype), key

    def __call__(self, jacobian, drawn):
        test_matrix, key = drawn
        test_matrix = test_matrix[: jacobian.shape[1]]
        sketches = nested_sketch(jacobian, test_matrix, power_iterations=self.power_iterations, key=key)
        return full_spectrum(jacobian) if self.whole else None, sketches


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 4))
def _draw(sketch, columns, size, key, dtype):
    return SKETCHES[sketch](columns, size, key=key, dtype=dtype)


def _compute(least_squares, theta, points, key, work):
    rows = least_squares.rows(points)
    shapes = tuple(x.shape for x in points)
    least_squares = _hold(least_squares, shapes, work, theta.dtype)
    compiled, needed = _compile(least_squares, shapes, theta.dtype, work)
    if needed > FIT * (memory := memory_at_hand()):
        largest = min(rows, theta.size) - OVERSAMPLING if work.rank is None else work.rank - 1
        smaller = min(rank_for(rows, theta.size, theta.dtype.itemsize, memory), largest)
        raise InputError(
            f"{work.text} of J, {rows} × {theta.size}, takes about "
            f"{needed / 2**30:.3g} GiB, {memory / 2**30:.3g} GiB are at hand: "
            + (f"a sketch of rank = {smaller} fits." if smaller > 0 else "take fewer points or a smaller network.")
        )
    # The threads of LAPACK's BLAS fight those of XLA for the cores, as in a training step; a full spectrum is LAPACK's alone.
    with threadpool_limits(None if work.whole else 1, user_api="blas"):
        return jax.block_until_ready(compiled(theta, points, work.draw((rows, theta.size), theta.dtype, key)))


def _label(found, least_squares, points):
    """Name the conditions of a spectrum, and refuse one of a J with entries that are not numbers."""
    if not jnp.isfinite(found.singular_values[0]):
        _refuse(least_squares)
    return replace(found, conditions=tuple(zip(least_squares.problem.names, least_squares.heights(points), strict=True)))


def _refuse(least_squares):
    raise InputError(
        f"J of {least_squares.problem.name!r} has entries that are not numbers at these parameters: look at its residuals "
        "there, and at theta."
    )


def _hold(least_squares, shapes, work, dtype):
    """Let J be held whole for a full spectrum, and for a sketch if it fits."""
    if work.whole:
        return least_squares
    rows = least_squares.rows([jax.ShapeDtypeStruct(shape, dtype) for shape in shapes])
    block = choose_block(None, rows, least_squares.network.size, dtype)
    return least_squares if block is None else replace(least_squares, block=block)


@functools.lru_cache(maxsize=32)
def _compile(least_squares, shapes, dtype, work):
    """Compile the computation of a spectrum; return it and the bytes that it will allocate."""
    theta = jax.ShapeDtypeStruct((least_squares.network.size,), dtype)
    points = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    shape = least_squares.rows(points), theta.size
    drawn = jax.eval_shape(lambda key: work.draw(shape, dtype, key), jax.random.key(0))
    compute = jax.jit(lambda theta, points, drawn: work(least_squares.linearize(theta, points), drawn))
    options = (compiler_options(least_squares.block) or {}) | work.compiler_options
    compiled = compute.lower(theta, points, drawn).compile(options)
    # LAPACK's divide and conquer works in another 4 min(N, P)² numbers.
    workspace = 4 * min(shape) ** 2 * dtype.itemsize if work.whole else 0
    return compiled, bytes_of(compiled) + compiled.memory_analysis().argument_size_in_bytes + workspace

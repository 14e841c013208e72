"""Optimizers as pairs of functions, (init, step).

``init(least_squares, theta, points, *, key) -> state`` and ``step(least_squares, theta, state, points, *, key) -> (theta,
state, info)`` are pure: state is a pytree of arrays, and `step` is meant to be compiled whole. What a step tells about
itself goes into `StepInfo`, apart from the state.

The three natural gradients are one step with three ways to get the spectrum of J: all of it (`engd`), from the kernel
JJᵀ (`dual`), or from a sketch (`sngd`). Half the previous step is kept as momentum, and the spectrum is asked for the
rest.

To add an optimizer, write a factory that returns an `Optimizer` and enter it in `OPTIMIZERS`.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sketchlab.damping import Search, damping_path, grid_search, step_grid
from sketchlab.gramian import Spectrum, full_spectrum, kernel_spectrum
from sketchlab.random_matrices import gaussian
from sketchlab.residuals import LeastSquares
from sketchlab.routes import check_rank
from sketchlab.sketch import ERROR_PROBES, co_range_finder, orthonormal_image, rayleigh_ritz
from sketchlab.validation import Catalogue, InputError, check_integer, check_real


class StepInfo(NamedTuple):
    """What one step reports.

    Attributes
    ----------
    loss : ()
        Loss after the step.
    damping : ()
        Absolute μ used; 0 where there is none.
    step_norm : ()
        ‖θ_new - θ‖
    accepted : () bool
        Whether theta moved.
    finite : () bool
        Whether the loss before the step was a number.
    eigenvalues : (k,)
        Eigenvalues of G that the step saw, descending; empty for a first-order method.
    sketch_error : ()
        Bound on the part of J that a sketch missed, see `co_range_finder`; 0 where nothing is sketched.
    """

    loss: jax.Array
    damping: jax.Array
    step_norm: jax.Array
    accepted: jax.Array
    finite: jax.Array
    eigenvalues: jax.Array
    sketch_error: jax.Array


class Optimizer(NamedTuple):
    """A training method.

    Attributes
    ----------
    name : str
    init : callable, (least_squares, theta, points, *, key) -> state
    step : callable, (least_squares, theta, state, points, *, key) -> (theta, state, StepInfo)
    settings : dict
        What it was made with, fit for JSON.
    fit : callable, (N, P) -> Optimizer, optional
        Asked before the first step: the optimizer to use for N residual rows and P parameters. Raises `InputError` if it cannot
        work with them.
    adapt : callable, (state, StepInfo, *, key) -> (Optimizer, state), optional
        Asked after every step, outside of what is compiled: the optimizer to go on with. It is one of a few.
    """

    name: str
    init: Callable
    step: Callable
    settings: dict[str, Any]
    fit: Callable[[int, int], "Optimizer"] | None = None
    adapt: Callable[..., tuple["Optimizer", Any]] | None = None


def gradient_descent(*, halvings: int = 30) -> Optimizer:
    """Steepest descent with the step grid 2^0 … 2^-halvings and zero: the plainest baseline that cannot diverge."""
    check_integer("halvings", halvings, 0)

    def init(least_squares, theta, points, *, key):
        return ()

    def step(least_squares, theta, state, points, *, key):
        loss, gradient = jax.value_and_grad(least_squares.loss)(theta, points)
        move = grid_search(lambda d: least_squares.loss(theta + d, points), loss, -gradient, halvings=halvings)
        return theta + move.step, state, _first_order_info(loss, move.loss, move.step, move.accepted)

    return Optimizer("gd", init, step, {"halvings": halvings})


def adam(*, learning_rate: float = 1e-3) -> Optimizer:
    """Adam (Kingma, Ba 2015), by optax."""
    check_real("learning_rate", learning_rate, 0, float("inf"), open_low=True, open_high=True)
    return _from_optax("adam", optax.adam(learning_rate), {"learning_rate": learning_rate})


def lbfgs(*, memory: int = 10) -> Optimizer:
    """Limited-memory BFGS with a zoom line search (Liu, Nocedal 1989), by optax."""
    check_integer("memory", memory, 1)
    return _from_optax("lbfgs", optax.lbfgs(memory_size=memory), {"memory": memory})


def natural_gradient(*, momentum: float = 0.5, search: Search | None = None) -> Optimizer:
    """Natural gradient with the full Gramian (ENGD), through the SVD of J.

    θ ← θ + ηφ - V (S² + μ)⁻¹ S Uᵀ (r + J ηφ), φ the last step, all of J's singular triplets.

    Parameters
    ----------
    momentum : float in [0, 1)
        η. (SPRING: Goldshlager, Abrahamsen, Lin 2024.)
    search : Search, optional
        `damping_path()` by default.

    Notes
    -----
    A step costs O(N P min(N, P)) and holds J. Müller, Zeinhofer 2023.
    """
    return _natural_gradient("engd", _exactly(full_spectrum), momentum, search)


def dual_natural_gradient(*, momentum: float = 0.5, search: Search | None = None) -> Optimizer:
    """Natural gradient by way of the kernel K = JJᵀ (N, N), for fewer points than parameters.

    The same step as `natural_gradient` with the singular values that K resolves, those above about √ε s₁. A step costs
    O(N² P + N³) and holds J. Guzmán-Cordero et al. 2025 (Woodbury); parameters as there.
    """
    return _natural_gradient("dual", _exactly(kernel_spectrum), momentum, search)


#: Directions in a step of `sketched_natural_gradient` unless told otherwise, if so many fit.
RANK = 200
#: Smallest and largest rank that ``rank="auto"`` uses by itself, and the most sizes it moves through.
SMALLEST_RANK, LARGEST_RANK, RANK_SIZES = 8, 400, 6
#: The sketch shrinks when the eigenvalue that would then be its last is so many times below the damping.
SHRINK_MARGIN = 100

#: What `sketched_natural_gradient` is made of, by preset.
PRESETS = Catalogue(
    "preset",
    {
        "best": lambda: {"recycle": 0.75, "momentum": 0.5, "search": damping_path()},
        "paper": lambda: {"recycle": 0.0, "momentum": 0.0, "search": step_grid()},
    },
)


def sketched_natural_gradient(
    rank: int | Literal["auto"] | None = None,
    *,
    preset: str = "best",
    recycle: float | None = None,
    momentum: float | None = None,
    search: Search | None = None,
    max_rank: int | None = None,
) -> Optimizer:
    """Natural gradient on a random sketch of the Gramian (SNGD).

    Parameters
    ----------
    rank : int, "auto" or None
        k, directions that a step is made of. None takes 200, or min(N, P) if that is less. "auto" lets the sketch grow while its
        smallest eigenvalue is above the damping and shrink when half as many directions would do, through at most 6 sizes.
    preset : "best" or "paper"
        Defaults of the options below. "paper" is the method of Best McKay et al. 2025: a fresh Gaussian sketch, no momentum, a
        step grid without damping.
    recycle : float in [0, 1)
        Part of the test matrix taken from the last step's leading left singular vectors; the rest is fresh and Gaussian. The
        Gramian changes little from step to step, so this equals power iterations at no cost. 0.75 by default; 0 draws a fresh
        test matrix in parameter space, for one product more.
    momentum : float in [0, 1)
        See `natural_gradient`; 0.5 by default, 0 switches it off.
    search : Search
        `damping_path()` by default: ratio, geodesic acceleration and the rest are its options. `step_grid()` instead.
    max_rank : int, optional
        With ``rank="auto"``: its largest size, at least 8; 400 by default, or min(N, P) if that is less.

    Returns
    -------
    Optimizer

    Raises
    ------
    InputError
        For a bad option, and when training starts, if the rank exceeds min(N, P).

    Notes
    -----
    A step costs two products with J or Jᵀ, 4 N P k operations, and with ``recycle=0`` three. Best McKay, Kaur, Greif, Wetton
    2025.
    """
    chosen = PRESETS[preset]()
    given = {"recycle": recycle, "momentum": momentum, "search": search}
    chosen |= {name: value for name, value in given.items() if value is not None}
    kept = check_real("recycle", chosen["recycle"], 0, 1, open_high=True)
    if rank not in (None, "auto"):
        check_integer("rank", rank, 1)
    if max_rank is not None:
        check_integer("max_rank", max_rank, SMALLEST_RANK)
        if rank != "auto":
            raise InputError(f"max_rank = {max_rank} is a cap for rank='auto': with rank = {rank!r} leave it out.")

    def of_rank(size, adapt=None):
        return _natural_gradient(
            "sngd",
            _recycling(size, int(kept * size)) if kept else _fresh(size),
            chosen["momentum"],
            chosen["search"],
            memory=lambda rows, dtype, key: gaussian(size, rows, key=key, dtype=dtype),
            settings={"rank": rank if rank == "auto" else size, "preset": preset, "recycle": kept},
            adapt=adapt,
        )

    def fit(rows, columns):
        if rank == "auto":
            return _ladder(of_rank, min(max_rank or LARGEST_RANK, rows, columns))
        if rank is not None:
            check_rank(rank, 0, rows, columns)
        return of_rank(rank or min(RANK, rows, columns))

    return of_rank(SMALLEST_RANK if rank == "auto" else rank or RANK)._replace(fit=fit)


def _ladder(of_rank, cap):
    """Link optimizers of a few ranks, `cap` and its halves, by the rule of ``rank="auto"``; return the smallest."""
    sizes = sorted({max(cap // 2**i, min(SMALLEST_RANK, cap)) for i in range(RANK_SIZES)})

    def adapt(state, info, *, key):
        size = info.eigenvalues.size
        position = sizes.index(size)
        # A sketch cannot show eigenvalues below the rounding error of the largest, whatever its rank.
        bar = max(float(info.damping), float(jnp.finfo(info.loss.dtype).eps ** 2 * info.eigenvalues[0]))
        if info.eigenvalues[-1] > bar and size < cap:
            position += 1
        elif position > 0 and info.eigenvalues[sizes[position - 1] - 1] < bar / SHRINK_MARGIN:
            position -= 1
        return rungs[sizes[position]], _with_rank(state, sizes[position], key)

    rungs = {size: of_rank(size, adapt) for size in sizes}
    return rungs[sizes[0]]


def _with_rank(state, size, key):
    """Cut the remembered left singular vectors to `size` columns, or fill them up with Gaussian ones."""
    rows, columns = state.memory.shape
    fresh = gaussian(max(size - columns, 0), rows, key=key, dtype=state.memory.dtype)
    return state._replace(memory=jnp.concatenate([state.memory[:, :size], fresh], axis=1))


class Sketch(NamedTuple):
    """What a natural gradient knows of J: `spectrum`, the `error` () of a sketch, and the `memory` for the next step."""

    spectrum: Spectrum
    error: jax.Array
    memory: Any


def _exactly(decompose):
    return lambda jacobian, memory, key: Sketch(decompose(jacobian), jnp.zeros((), jacobian.dtype), memory)


def _recycling(rank, kept):
    """Sketch from `kept` of the last step's left singular vectors and fresh Gaussian columns, the error probes among them."""
    probes = min(ERROR_PROBES, rank - kept)

    def decompose(jacobian, left, key):
        fresh_key, probe_key = jax.random.split(key)
        fresh = gaussian(rank - kept - probes, jacobian.shape[0], key=fresh_key, dtype=jacobian.dtype)
        test_matrix = jnp.concatenate([left[:, :kept], fresh], axis=1)
        basis, error = co_range_finder(jacobian, test_matrix, probes=probes, key=probe_key)
        spectrum = rayleigh_ritz(jacobian, basis)
        # A Jacobian with a NaN in it must not poison the test matrix that the next step starts from.
        return Sketch(spectrum, error, jnp.where(jnp.isfinite(spectrum.left[0, 0]), spectrum.left, left))

    return decompose


def _fresh(rank):
    """Sketch from orth(JΩ) with a fresh Gaussian Ω in parameter space, as the paper does."""

    def decompose(jacobian, memory, key):
        matrix_key, probe_key = jax.random.split(key)
        fresh = gaussian(rank, jacobian.shape[1], key=matrix_key, dtype=jacobian.dtype)
        test_matrix = orthonormal_image(jacobian, fresh)
        basis, error = co_range_finder(jacobian, test_matrix, probes=ERROR_PROBES, key=probe_key)
        return Sketch(rayleigh_ritz(jacobian, basis[:, :rank]), error, memory)

    return decompose


class NaturalState(NamedTuple):
    """State of a natural gradient: the last step (P,), the relative damping μ/λ₁ (), and what `decompose` remembers."""

    last_step: jax.Array
    damping: jax.Array
    memory: Any


def _natural_gradient(name, decompose, momentum, search, memory=lambda rows, dtype, key: (), settings=None, adapt=None):
    """Build the step that the natural gradients share; decompose: (jacobian, memory, key) -> Sketch."""
    check_real("momentum", momentum, 0, 1, open_high=True)
    search = damping_path() if search is None else search

    def init(least_squares, theta, points, *, key):
        rows = least_squares.rows(points)
        return NaturalState(jnp.zeros_like(theta), jnp.ones((), theta.dtype) / 10, memory(rows, theta.dtype, key))

    def step(least_squares: LeastSquares, theta, state, points, *, key):
        drift = momentum * state.last_step
        residual, along_drift = jax.jvp(lambda t: least_squares.residual(t, points), (theta,), (drift,))
        loss = jnp.sum(residual**2) / 2
        sketch = decompose(least_squares.linearize(theta, points), state.memory, key)
        move = search(
            lambda d: least_squares.residual(theta + d, points),
            loss, sketch.spectrum, residual + along_drift, drift, state.damping,
        )  # fmt: skip
        eigenvalues = sketch.spectrum.eigenvalues
        info = StepInfo(
            loss=move.loss,
            damping=move.damping * eigenvalues[0],
            step_norm=jnp.linalg.norm(move.step),
            accepted=move.accepted,
            finite=jnp.isfinite(loss),
            eigenvalues=eigenvalues,
            sketch_error=sketch.error,
        )
        return theta + move.step, NaturalState(move.step, move.damping, sketch.memory), info

    return Optimizer(name, init, step, {"momentum": momentum} | (settings or {}), adapt=adapt)


def _from_optax(name, transformation, settings):
    def init(least_squares, theta, points, *, key):
        # Naming the dtype makes every number of the state strongly typed, as a step returns it: else a second
        # compilation follows.
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), transformation.init(theta))

    def step(least_squares, theta, state, points, *, key):
        def loss_at(parameters):
            return least_squares.loss(parameters, points)

        loss, gradient = jax.value_and_grad(loss_at)(theta)
        updates, new_state = transformation.update(gradient, state, theta, value=loss, grad=gradient, value_fn=loss_at)
        accepted = jnp.all(jnp.isfinite(updates))
        update = jnp.where(accepted, updates, 0)
        # A rejected update must leave no NaN in the moments either.
        new_state = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), new_state, state)
        return theta + update, new_state, _first_order_info(loss, loss_at(theta + update), update, accepted)

    return Optimizer(name, init, step, settings)


def _first_order_info(loss_before, loss, update, accepted):
    return StepInfo(
        loss=loss,
        damping=jnp.zeros_like(loss),
        step_norm=jnp.linalg.norm(update),
        accepted=accepted,
        finite=jnp.isfinite(loss_before),
        eigenvalues=jnp.zeros(0, loss.dtype),
        sketch_error=jnp.zeros_like(loss),
    )


OPTIMIZERS = Catalogue(
    "optimizer",
    {
        "gd": gradient_descent,
        "adam": adam,
        "lbfgs": lbfgs,
        "engd": natural_gradient,
        "dual": dual_natural_gradient,
        "sngd": sketched_natural_gradient,
    },
)

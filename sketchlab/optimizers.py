"""Optimizers as pairs of functions, (init, step).

``init(least_squares, theta, *, key) -> state`` and ``step(least_squares, theta, state, points, *, key) -> (theta,
state, info)`` are pure: state is a pytree of arrays, and `step` is meant to be compiled whole. What a step tells about
itself goes into `StepInfo`, apart from the state.

The three natural gradients are one step with three ways to get the spectrum of J: all of it (`engd`), from the kernel
JJᵀ (`dual`), or from a sketch (`sngd`). Half the previous step is kept as momentum, and the spectrum is asked for the
rest.

To add an optimizer, write a factory that returns an `Optimizer` and enter it in `OPTIMIZERS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sketchlab.damping import Search, damping_path, grid_search
from sketchlab.gramian import Spectrum, full_spectrum, kernel_spectrum
from sketchlab.residuals import LeastSquares
from sketchlab.sketch import check_rank, gaussian, range_finder, rayleigh_ritz
from sketchlab.validation import Catalogue, check_integer, check_real


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
    """

    loss: jax.Array
    damping: jax.Array
    step_norm: jax.Array
    accepted: jax.Array
    finite: jax.Array
    eigenvalues: jax.Array


class Optimizer(NamedTuple):
    """A training method.

    Attributes
    ----------
    name : str
    init : callable, (least_squares, theta, *, key) -> state
    step : callable, (least_squares, theta, state, points, *, key) -> (theta, state, StepInfo)
    settings : dict
        What it was made with, fit for JSON.
    check : callable, (N, P) -> None
        Raises `InputError` if it cannot work with N residual rows and P parameters.
    """

    name: str
    init: Callable
    step: Callable
    settings: dict[str, Any]
    check: Callable[[int, int], None] = lambda rows, columns: None


def gradient_descent(*, halvings: int = 30) -> Optimizer:
    """Steepest descent with the step grid 2^0 … 2^-halvings and zero: the plainest baseline that cannot diverge."""
    check_integer("halvings", halvings, 0)

    def init(least_squares, theta, *, key):
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
    return _natural_gradient("engd", lambda jacobian, memory, key: (full_spectrum(jacobian), memory), momentum, search)


def dual_natural_gradient(*, momentum: float = 0.5, search: Search | None = None) -> Optimizer:
    """Natural gradient by way of the kernel K = JJᵀ (N, N), for fewer points than parameters.

    The same step as `natural_gradient` with the singular values that K resolves, those above about √ε s₁. A step costs
    O(N² P + N³) and holds J. Guzmán-Cordero et al. 2025 (Woodbury); parameters as there.
    """
    return _natural_gradient("dual", lambda jacobian, memory, key: (kernel_spectrum(jacobian), memory), momentum, search)


def sketched_natural_gradient(
    rank: int = 200,
    *,
    oversampling: int = 0,
    power_iterations: int = 0,
    recycle: float = 0.75,
    momentum: float = 0.5,
    search: Search | None = None,
) -> Optimizer:
    """Natural gradient on a random sketch of the Gramian (SNGD).

    Parameters
    ----------
    rank : int
        k, directions that a step is made of.
    oversampling : int
        Extra columns p in the test matrix, dropped after the projection. A step loses nothing by keeping them as rank instead, so
        the default is 0.
    power_iterations : int
        See `range_finder`. Recycling does their work across steps.
    recycle : float in [0, 1)
        Part of the test matrix taken from the last step's leading right singular vectors; the rest is fresh and Gaussian.
        The Gramian changes little from step to step, so this equals a power iteration at no cost.
    momentum, search
        See `natural_gradient`.

    Returns
    -------
    Optimizer

    Raises
    ------
    InputError
        When training starts, if rank + oversampling exceeds min(N, P).

    Notes
    -----
    A step costs three products with J or Jᵀ, 6 N P k operations. Best McKay, Kaur, Greif, Wetton 2025.
    """
    check_integer("rank", rank, 1)
    check_integer("oversampling", oversampling, 0)
    check_integer("power_iterations", power_iterations, 0)
    check_real("recycle", recycle, 0, 1, open_high=True)
    columns, kept = rank + oversampling, int(recycle * rank)

    def decompose(jacobian, basis, key):
        fresh = gaussian(columns - kept, jacobian.shape[1], key=key, dtype=jacobian.dtype)
        test_matrix = jnp.concatenate([basis[:, :kept], fresh], axis=1)
        spectrum = rayleigh_ritz(jacobian, range_finder(jacobian, test_matrix, power_iterations=power_iterations))
        spectrum = Spectrum(*(part[..., :rank] for part in spectrum))
        # A Jacobian with a NaN in it must not poison the basis that the next step starts from.
        return spectrum, jnp.where(jnp.isfinite(spectrum.right[0, 0]), spectrum.right, basis)

    return _natural_gradient(
        "sngd",
        decompose,
        momentum,
        search,
        memory=lambda theta, key: gaussian(rank, theta.size, key=key, dtype=theta.dtype),
        settings={"rank": rank, "oversampling": oversampling, "power_iterations": power_iterations, "recycle": recycle},
        check=lambda rows, parameters: check_rank(rank, oversampling, rows, parameters),
    )


class NaturalState(NamedTuple):
    """State of a natural gradient: the last step (P,), the relative damping μ/λ₁ (), and what `decompose` remembers."""

    last_step: jax.Array
    damping: jax.Array
    memory: Any


def _natural_gradient(name, decompose, momentum, search, memory=lambda theta, key: (), settings=None, **fields):
    """Build the step that the natural gradients share; decompose: (jacobian, memory, key) -> (spectrum, memory)."""
    check_real("momentum", momentum, 0, 1, open_high=True)
    search = damping_path() if search is None else search

    def init(least_squares, theta, *, key):
        return NaturalState(jnp.zeros_like(theta), jnp.ones((), theta.dtype) / 10, memory(theta, key))

    def step(least_squares: LeastSquares, theta, state, points, *, key):
        residual = least_squares.residual(theta, points)
        loss = jnp.sum(residual**2) / 2
        jacobian = least_squares.dense(theta, points)
        spectrum, memory = decompose(jacobian, state.memory, key)
        drift = momentum * state.last_step
        remaining = residual + jacobian.matvec(drift)
        move = search(lambda d: least_squares.loss(theta + d, points), loss, spectrum, remaining, drift, state.damping)
        info = StepInfo(
            loss=move.loss,
            damping=move.damping * spectrum.eigenvalues[0],
            step_norm=jnp.linalg.norm(move.step),
            accepted=move.accepted,
            finite=jnp.isfinite(loss),
            eigenvalues=spectrum.eigenvalues,
        )
        return theta + move.step, NaturalState(move.step, move.damping, memory), info

    return Optimizer(name, init, step, {"momentum": momentum} | (settings or {}), **fields)


def _from_optax(name, transformation, settings):
    def init(least_squares, theta, *, key):
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

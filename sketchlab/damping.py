"""How far to go: given the spectrum of J, choose one step out of a family.

With J = U S Vᵀ in hand, the Levenberg-Marquardt step d(μ) = -V (S² + μ)⁻¹ S Uᵀ r costs next to nothing for any μ, and
so does what the linear model promises for it, so the right damping can be searched for instead of guessed. Both
searches here take part in the same contract, `Search`.

=========  =============  ========  ==========================================================
symbol     name           shape     meaning
=========  =============  ========  ==========================================================
μ          damping        ()        Levenberg-Marquardt shift, in units of λ₁ = s₁² in a `Search`
e          drift          (P,)      part of the step that is given: momentum
r̃          remaining      (N,)      r + Je, what is left to solve for
=========  =============  ========  ==========================================================
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import Spectrum
from sketchlab.validation import check_integer, check_real


class Move(NamedTuple):
    """What a search decided.

    Attributes
    ----------
    step : (P,)
        To be added to theta; zeros if rejected.
    damping : ()
        μ / λ₁ to start the next search from.
    loss : ()
        Loss after the step.
    accepted : () bool
    """

    step: jax.Array
    damping: jax.Array
    loss: jax.Array
    accepted: jax.Array


#: (loss_at, loss, spectrum, remaining, drift, damping) -> Move, where loss_at maps a step (P,) to the loss after it.
Search = Callable[[Callable, jax.Array, Spectrum, jax.Array, jax.Array, jax.Array], Move]


def damped_steps(spectrum: Spectrum, remaining: jax.Array, dampings: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the steps for several dampings, and half the squared residual that the linear model leaves after each.

    Parameters
    ----------
    spectrum : Spectrum
    remaining : (N,)
    dampings : (m,)
        Absolute μ > 0.

    Returns
    -------
    steps : (m, P)
        -V (S² + μ)⁻¹ S Uᵀ r̃
    predicted : (m,)
        ½‖r̃‖² - ½ Σ (uᵢᵀr̃)² (1 - (μ / (sᵢ² + μ))²), without one product with J.
    """
    s, coefficients = spectrum.singular_values, spectrum.left.T @ remaining
    shifted = s**2 + dampings[:, None]
    steps = -(coefficients * s / shifted) @ spectrum.right.T
    left_over = dampings[:, None] / shifted
    predicted = jnp.sum(remaining**2) / 2 - jnp.sum(coefficients**2 * (1 - left_over**2), axis=1) / 2
    return steps, predicted


def damping_path(*, ratio: float = 1e-3, decades: float = 3.0, candidates: int = 25, growth: float = 30.0) -> Search:
    """Search along the damping: take the smallest μ whose actual reduction of the loss is at least `ratio` of the predicted one.

    Taking the smallest loss instead looks greedy and crawls: bold steps that barely lower the loss end lower. When no
    candidate passes, the one with the lowest loss is taken; when none lowers the loss, the step is rejected and μ
    grows.

    Parameters
    ----------
    ratio : float in (0, 1)
        Part of the predicted reduction that must come true.
    decades : float
        The path reaches so many powers of ten to either side of the last damping.
    candidates : int
        Number of dampings on it, each worth one evaluation of the loss.
    growth : float
        Factor on μ after a rejected step.

    Returns
    -------
    Search

    Notes
    -----
    A trust-region ratio with a low target, after Webb, Jerad, Cartis 2026 (arXiv 2607.02194).
    """
    check_real("ratio", ratio, 0, 1, open_low=True, open_high=True)
    check_real("decades", decades, 0, np.inf, open_low=True, open_high=True)
    check_integer("candidates", candidates, 1)
    check_real("growth", growth, 1, np.inf, open_low=True, open_high=True)
    factors = np.logspace(-decades, decades, candidates) if candidates > 1 else np.ones(1)

    def search(loss_at, loss, spectrum, remaining, drift, damping):
        # Below ε² λ₁ a damping changes no digit of s² + μ that a singular value could carry; above λ₁ the step is a
        # gradient step.
        lowest = jnp.finfo(loss.dtype).eps ** 2
        dampings = jnp.clip(damping * jnp.asarray(factors, loss.dtype), lowest, 1 / lowest)
        steps, predicted = damped_steps(spectrum, remaining, dampings * spectrum.singular_values[0] ** 2)
        steps = steps + drift
        losses = _finite(jax.lax.map(loss_at, steps))
        passes = loss - losses >= ratio * jnp.abs(loss - predicted)
        best = jnp.where(jnp.any(passes), jnp.argmax(passes), jnp.argmin(losses))
        accepted = losses[best] < loss
        return Move(
            step=jnp.where(accepted, steps[best], 0),
            damping=jnp.where(accepted, dampings[best], growth * damping),
            loss=jnp.where(accepted, losses[best], loss),
            accepted=accepted,
        )

    return search


def grid_search(loss_at: Callable, loss: jax.Array, direction: jax.Array, *, halvings: int = 30) -> Move:
    """Try direction * 2^-j, j = 0 … `halvings`, and no step at all; take the smallest loss.

    Zero belongs to the grid: without it, the loss rises whenever every candidate raises it. The damping of the move is 0.
    """
    sizes = jnp.asarray(2.0 ** -np.arange(halvings + 1), loss.dtype)
    losses = _finite(jax.lax.map(lambda size: loss_at(size * direction), sizes))
    best = jnp.argmin(losses)
    accepted = losses[best] < loss
    return Move(
        step=jnp.where(accepted, sizes[best] * direction, 0),
        damping=jnp.zeros_like(loss),
        loss=jnp.where(accepted, losses[best], loss),
        accepted=accepted,
    )


def step_grid(*, halvings: int = 30) -> Search:
    """Search along the undamped natural gradient with a step grid, as ENGD and the sketched paper do.

    The direction is the least-squares solution -V S⁺ Uᵀ r̃ with singular values below √(ε P) s₁ cut off, which is the
    default cut-off of a least-squares solve with G.

    Notes
    -----
    Müller, Zeinhofer 2023 (ENGD), Section 4; Best McKay, Kaur, Greif, Wetton 2025 (SNGD).
    """
    check_integer("halvings", halvings, 0)

    def search(loss_at, loss, spectrum, remaining, drift, damping):
        s = spectrum.singular_values
        kept = s**2 > jnp.finfo(s.dtype).eps * spectrum.right.shape[0] * s[0] ** 2
        inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1), 0)
        direction = drift - spectrum.right @ (inverse * (spectrum.left.T @ remaining))
        return grid_search(loss_at, loss, direction, halvings=halvings)

    return search


def _finite(losses):
    return jnp.where(jnp.isfinite(losses), losses, jnp.inf)

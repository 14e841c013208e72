"""How far to go: given the spectrum of J, choose one step out of a family.

With J = U S Vᵀ known, the Levenberg-Marquardt step d(μ) = -V (S² + μ)⁻¹ S Uᵀ r costs next to nothing for any μ, and so does
the loss that the linear model predicts for it. So the right damping can be searched for instead of guessed.

To add a way, write a factory that returns a `Search` and enter it in `SEARCHES`.

=========  =============  ========  ==========================================================
symbol     name           shape     meaning
=========  =============  ========  ==========================================================
μ          damping        ()        Levenberg-Marquardt shift, in a search in units of λ₁ = s₁²
e          drift          (P,)      part of the step that is given: momentum
r̃          remaining      (N,)      r + Je, what is left to solve for
=========  =============  ========  ==========================================================
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.gramian import Spectrum
from sketchlab.strategies import Bound, no_state
from sketchlab.validation import Catalogue, check_boolean, check_integer, check_real, checked_call


class Move(NamedTuple):
    """What a search decided.

    Attributes
    ----------
    step : (P,)
        To be added to theta; zeros if refused.
    loss : ()
        Loss after the step.
    accepted : () bool
    damping : ()
        μ / λ₁ of the step, or of the best one that was refused; 0 where there is none.
    """

    step: jax.Array
    loss: jax.Array
    accepted: jax.Array
    damping: jax.Array


@dataclass(frozen=True)
class Search:
    """A way to choose a step.

    Attributes
    ----------
    name : str
    init : callable, (dtype) -> state
        The state is a pytree of arrays; () for none.
    step : callable, (residual_at, loss, spectrum, remaining, drift, state) -> (Move, state)
        residual_at maps a step (P,) to the residual after it (N,).
    settings : dict
        What it was made with, fit for JSON.
    """

    name: str
    init: Callable[[Any], Any]
    step: Callable[..., tuple[Move, Any]]
    settings: dict[str, Any] = field(hash=False)


class Probe(NamedTuple):
    """A step that a search tried: `step` (P,), the `loss` () after it, and the `predicted` one ()."""

    step: jax.Array
    loss: jax.Array
    predicted: jax.Array


def probe(
    residual_at: Callable, spectrum: Spectrum, remaining: jax.Array, drift: jax.Array, damping: jax.Array, *, geodesic: bool
) -> Probe:
    """Try the damped step.

    Parameters
    ----------
    residual_at : callable, (P,) -> (N,)
        Residual after a step.
    spectrum : Spectrum
    remaining : (N,)
    drift : (P,)
    damping : ()
        Absolute μ > 0.
    geodesic : bool
        Bend the step: solve, with the same triplets and μ, for what the linear model did not foresee,
        a(μ) = -V (S² + μ)⁻¹ S Uᵀ (r(θ + d) - (r + Jd)), and take d + a where a is no longer than d and d + a lowers the loss.

    Returns
    -------
    Probe
        The step e - V (S² + μ)⁻¹ S Uᵀ r̃, bent or not, and ½‖r̃‖² - ½ Σ (uᵢᵀr̃)² (1 - (μ / (sᵢ² + μ))²), without one product
        with J. Costs a residual, with `geodesic` two.

    Notes
    -----
    To second order r(θ + d) - (r + Jd) is half the second directional derivative of r along d, so a is the geodesic acceleration
    of Transtrum, Sethna 2012 (arXiv 1201.5885) by finite differences, with a step as long as d itself.
    """
    s = spectrum.singular_values
    shifted = s**2 + damping
    left_over = damping / shifted
    coefficients = spectrum.left.T @ remaining
    predicted = jnp.sum(remaining**2) / 2 - jnp.sum(coefficients**2 * (1 - left_over**2)) / 2

    # The step and its bend solve with the same triplets, each for another right-hand side: a loop, so that the residual is
    # compiled once.
    def solve(found, first):
        step, loss, unforeseen = found
        change = -spectrum.right @ (unforeseen * s / shifted)
        residual = residual_at(step + change)
        new_loss = _finite(jnp.sum(residual**2) / 2)
        better = first | ((jnp.linalg.norm(change) <= jnp.linalg.norm(step)) & (new_loss < loss))
        step, loss = jnp.where(better, step + change, step), jnp.where(better, new_loss, loss)
        return (step, loss, spectrum.left.T @ residual - coefficients * left_over), None

    start = drift, jnp.full_like(predicted, jnp.inf), coefficients
    (step, loss, _), _ = jax.lax.scan(solve, start, jnp.arange(2 if geodesic else 1) == 0)
    return Probe(step, loss, predicted)


@checked_call()
def damping_path(
    *,
    ratio: float = 0.25,
    geodesic: bool = True,
    decades: float = 3.0,
    candidates: int = 7,
    bisections: int = 4,
    growth: float = 30.0,
) -> Search:
    """Search along the damping for the smallest μ whose actual reduction of the loss is at least `ratio` of the predicted one.

    Taking the smallest loss instead looks greedy and crawls: bold steps that barely lower the loss end lower. When no
    candidate passes, the one with the lowest loss is taken; when none lowers the loss, the step is refused and μ grows. The
    state is μ / λ₁, from ε² to 1 / ε.

    Parameters
    ----------
    ratio : float in (0, 1)
        Part of the predicted reduction that must come true. Less is bolder.
    geodesic : bool
        Bend every candidate by the geodesic acceleration, see `probe`.
    decades : float
        The path reaches so many powers of ten to either side of the last damping.
    candidates : int
        Number of dampings on it.
    bisections : int
        How often the gap, on a logarithmic scale, between the chosen candidate and the next smaller one is halved. Without it
        a step is up to a whole candidate too timid, and that costs digits: see docs/optimizer-notes.md.
    growth : float
        Factor on μ after a refused step.

    Returns
    -------
    Search

    Raises
    ------
    InputError
        For an option out of its range.

    Notes
    -----
    A step costs the residuals of at most `candidates` + `bisections` trial steps, with `geodesic` twice as many, and no product
    with J: it stops at the first candidate that passes, from the smallest damping on.
    A trust-region ratio with a low target, after Webb, Jerad, Cartis 2026 (arXiv 2607.02194).

    Examples
    --------
    >>> sl.natural_gradient(search=sl.damping_path(ratio=0.5)).settings["search"].settings["ratio"]
    0.5
    """
    settings = {
        "ratio": check_real("ratio", ratio, 0, 1, open_low=True, open_high=True),
        "geodesic": check_boolean("geodesic", geodesic),
        "decades": check_real("decades", decades, 0, np.inf, open_low=True, open_high=True),
        "candidates": check_integer("candidates", candidates, 1, 1000),
        "bisections": check_integer("bisections", bisections, 0, 1000),
        "growth": check_real("growth", growth, 1, np.inf, open_low=True, open_high=True),
    }
    return Search("damping path", _first_damping, Bound(_search_damping, **settings), settings)


class _Bracket(NamedTuple):
    """How far a search along the damping has come, all () but for the step (P,).

    `tried` candidates; whether one `passed`, and how often the gap to the next smaller damping, `below`, was `halved` since then;
    the chosen `damping`, its `step` and the `loss` after it.
    """

    tried: Any
    halved: Any
    passed: Any
    below: Any
    damping: Any
    step: Any
    loss: Any


def _first_damping(dtype):
    return jnp.full((), 0.1, dtype)


def _search_damping(
    residual_at, loss, spectrum, remaining, drift, damping, *, ratio, geodesic, decades, candidates, bisections, growth
):
    # Below ε² λ₁ a damping changes no digit of s² + μ that a singular value could carry; at λ₁ / ε every step is a tiny
    # gradient step, and a larger damping could not find back.
    epsilon = float(jnp.finfo(loss.dtype).eps)
    factors = np.logspace(-decades, decades, candidates) if candidates > 1 else np.ones(1)
    path = jnp.clip(damping * jnp.asarray(factors, loss.dtype), epsilon**2, 1 / epsilon)
    scale = spectrum.singular_values[0] ** 2

    # The path, from its smallest damping to the first that passes, and then the middle of the bracket: one loop, so that the
    # residual is compiled once.
    def wanted(found):
        return jnp.where(found.passed, (found.halved < bisections) & (found.below < found.damping), found.tried < candidates)

    def narrow(found):
        middle = jnp.where(found.passed, jnp.sqrt(found.below * found.damping), path[found.tried])
        tried = probe(residual_at, spectrum, remaining, drift, middle * scale, geodesic=geodesic)
        passes = loss - tried.loss >= ratio * jnp.abs(loss - tried.predicted)
        # Before any has passed, the lowest loss so far counts.
        better = passes | (~found.passed & (tried.loss < found.loss))
        below = jnp.where(found.passed, middle, path[jnp.maximum(found.tried - 1, 0)])
        return _Bracket(
            tried=found.tried + jnp.where(found.passed, 0, 1),
            halved=found.halved + jnp.where(found.passed, 1, 0),
            passed=found.passed | passes,
            below=jnp.where(passes == found.passed, found.below, below),
            damping=jnp.where(better, middle, found.damping),
            step=jnp.where(better, tried.step, found.step),
            loss=jnp.where(better, tried.loss, found.loss),
        )

    start = _Bracket(0, 0, jnp.asarray(False), path[0], path[0], jnp.zeros_like(drift), jnp.full_like(loss, jnp.inf))
    found = jax.lax.while_loop(wanted, narrow, jax.tree.map(jnp.asarray, start))
    move = _take_if_lower(found.step, found.loss, loss, found.damping)
    # A non-finite loss or J says nothing about the damping.
    finite = jnp.isfinite(loss) & jnp.isfinite(spectrum.singular_values[0])
    refused = jnp.where(finite, growth * damping, damping)
    return move, jnp.clip(jnp.where(move.accepted, found.damping, refused), epsilon**2, 1 / epsilon)


def _take_if_lower(step, loss, old_loss, damping):
    accepted = loss < old_loss
    return Move(jnp.where(accepted, step, 0), jnp.where(accepted, loss, old_loss), accepted, damping)


def grid_search(loss_at: Callable, loss: jax.Array, direction: jax.Array, *, halvings: int = 30) -> Move:
    """Try direction * 2^-j, j = 0 … `halvings`, and no step at all; take the smallest loss.

    Zero belongs to the grid: without it, the loss rises whenever every candidate raises it. The damping of the move is 0.
    """
    sizes = jnp.asarray(2.0 ** -np.arange(halvings + 1), loss.dtype)
    losses = _finite(jax.lax.map(lambda size: loss_at(size * direction), sizes))
    best = jnp.argmin(losses)
    return _take_if_lower(sizes[best] * direction, losses[best], loss, jnp.zeros_like(loss))


@checked_call()
def step_grid(*, halvings: int = 30) -> Search:
    """Search along the undamped natural gradient with a step grid, as ENGD and the sketched paper do.

    The direction is the least-squares solution -V S⁺ Uᵀ r̃ with singular values below √(ε P) s₁ cut off, which is the
    default cut-off of a least-squares solve with G.

    Notes
    -----
    Müller, Zeinhofer 2023 (ENGD), Section 4; Best McKay, Kaur, Greif, Wetton 2025 (SNGD).
    """
    settings = {"halvings": check_integer("halvings", halvings, 0, 1000)}
    return Search("step grid", no_state, Bound(_search_grid, **settings), settings)


def _search_grid(residual_at, loss, spectrum, remaining, drift, state, *, halvings):
    s = spectrum.singular_values
    kept = s**2 > float(jnp.finfo(s.dtype).eps) * spectrum.right.shape[0] * s[0] ** 2
    inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1), 0)
    direction = drift - spectrum.right @ (inverse * (spectrum.left.T @ remaining))
    return grid_search(lambda d: jnp.sum(residual_at(d) ** 2) / 2, loss, direction, halvings=halvings), state


#: The ways to choose a step, by name.
SEARCHES = Catalogue("search", {"damping path": damping_path, "step grid": step_grid})


def _finite(losses):
    return jnp.where(jnp.isfinite(losses), losses, jnp.inf)

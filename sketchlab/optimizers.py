"""Optimizers as pairs of functions, (init, step).

Both are pure: the state is a pytree of arrays, and `step` is compiled whole. What a step tells about itself goes into
`StepInfo`, apart from the state.

A natural gradient is a decomposition of J, a search along it, and momentum: any `Decomposition` with any `Search`.
`engd`, `dual`, `sngd` and the paper's method are combinations of one line.

To add an optimizer, write a factory that returns an `Optimizer` and enter it in `OPTIMIZERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from sketchlab.decompositions import DECOMPOSITIONS, Decomposition, dual, exact, growing, sketched
from sketchlab.random_matrices import Draw
from sketchlab.searches import SEARCHES, Search, damping_path, grid_search, step_grid
from sketchlab.strategies import Bound, no_state
from sketchlab.validation import Catalogue, InputError, check_instance, check_integer, check_real, checked_call


class StepInfo(NamedTuple):
    """What one step reports.

    Attributes
    ----------
    loss : ()
        Loss after the step; for Adam, which never evaluates it there, before the step.
    damping : ()
        Absolute μ of the step, or of the best one that was refused; 0 where there is none.
    step_norm : ()
        ‖θ_new - θ‖
    accepted : () bool
        Whether theta moved.
    finite : () bool
        Whether the loss before the step and its derivatives were finite.
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


@dataclass(frozen=True)
class Optimizer:
    """A training method.

    Attributes
    ----------
    name : str
    init : callable, (least_squares, theta, points, *, key) -> state
        Raises `InputError` if it cannot work with so many rows and parameters.
    step : callable, (least_squares, theta, state, points, *, key) -> (theta, state, StepInfo)
    settings : dict
        What it was made with, fit for JSON.
    adapt : callable, (state, StepInfo, *, key) -> state, optional
        Called after every step, outside of what is compiled; see `Decomposition`.
    """

    name: str
    init: Callable[..., Any]
    step: Callable[..., tuple[jax.Array, Any, StepInfo]]
    settings: dict[str, Any] = field(hash=False)
    adapt: Callable[..., Any] | None = None


@checked_call()
def gradient_descent(*, halvings: int = 30) -> Optimizer:
    """Steepest descent with the step grid 2^0 … 2^-halvings and zero: the plainest baseline that cannot diverge."""
    settings = {"halvings": check_integer("halvings", halvings, 0, 1000)}
    return Optimizer("gd", no_state, Bound(_descend, **settings), settings)


def _descend(least_squares, theta, state, points, *, key, halvings):
    loss, gradient = jax.value_and_grad(least_squares.loss)(theta, points)
    move = grid_search(lambda d: least_squares.loss(theta + d, points), loss, -gradient, halvings=halvings)
    return theta + move.step, state, first_order_info(move.loss, move.step, move.accepted, all_finite(loss, gradient))


@checked_call()
def adam(*, learning_rate: float = 1e-3) -> Optimizer:
    """Adam (Kingma, Ba 2015), by optax: one gradient a step."""
    # Loading optax takes half as long as the rest of the package: only those who use it wait.
    from sketchlab.baselines import make_adam

    return make_adam(check_real("learning_rate", learning_rate, 0, float("inf"), open_low=True, open_high=True))


@checked_call()
def lbfgs(*, memory: int = 10) -> Optimizer:
    """Limited-memory BFGS with a zoom line search (Liu, Nocedal 1989), by optax.

    The line search leaves loss and gradient of its last point in the state, from which the next step starts: 1.3 evaluations a
    step on average.
    """
    from sketchlab.baselines import make_lbfgs

    return make_lbfgs(check_integer("memory", memory, 1, 1000))


def all_finite(loss, gradient):
    """Return whether a loss and its gradient are finite."""
    return jnp.isfinite(loss) & jnp.all(jnp.isfinite(gradient))


def first_order_info(loss, update, accepted, finite) -> StepInfo:
    """Return what a step that saw no eigenvalues reports."""
    zero = jnp.zeros_like(loss)
    return StepInfo(loss, zero, jnp.linalg.norm(update), accepted, finite, jnp.zeros(0, loss.dtype), zero)


class NaturalState(NamedTuple):
    """State of a natural gradient: the last step (P,), and what its decomposition and its search remember."""

    last_step: jax.Array
    decomposition: Any
    search: Any


#: Short names of the natural gradients by their decomposition.
SHORT_NAMES = {"exact": "engd", "dual": "dual", "sketched": "sngd", "growing": "sngd"}


@checked_call()
def natural_gradient(
    decomposition: Decomposition | None = None, *, search: Search | None = None, momentum: float = 0.5
) -> Optimizer:
    """Natural gradient: θ ← θ + ηφ - V (S² + μ)⁻¹ S Uᵀ (r + J ηφ), φ the last step.

    Parameters
    ----------
    decomposition : Decomposition, optional
        Where the singular triplets U, S, V of J come from: `exact()` by default (ENGD), `dual()`, `sketched(rank)`, `growing()`,
        or `from_range_finder` with a function of your own.
    search : Search, optional
        How far to go: `damping_path()` by default, or `step_grid()`.
    momentum : float in [0, 1)
        η, part of the last step that is kept; 0 switches it off. (SPRING: Goldshlager, Abrahamsen, Lin 2024.)

    Returns
    -------
    Optimizer

    Notes
    -----
    A step costs the decomposition, one product of J with a vector, and the search. It holds J, unless J comes in blocks. Müller,
    Zeinhofer 2023; Best McKay, Kaur, Greif, Wetton 2025.

    Examples
    --------
    >>> optimizer = sl.natural_gradient(sl.sketched(30), search=sl.step_grid(), momentum=0.0)
    >>> run = sl.train(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 10), optimizer, points=60, steps=5, progress=False)
    >>> len(run.history)
    5
    """
    decomposition = exact() if decomposition is None else decomposition
    search = damping_path() if search is None else search
    check_instance("decomposition", decomposition, Decomposition, "sl.exact() or sl.sketched(rank)")
    check_instance("search", search, Search, "sl.damping_path() or sl.step_grid()")
    parts = {"decomposition": decomposition, "search": search}
    settings = parts | {"momentum": check_real("momentum", momentum, 0, 1, open_high=True)}
    adapt = None if decomposition.adapt is None else Bound(_adapt, decomposition=decomposition)
    name = SHORT_NAMES.get(decomposition.name, decomposition.name)
    return Optimizer(name, Bound(_first_state, **parts), Bound(_step, **settings), settings, adapt)


def _first_state(least_squares, theta, points, *, key, decomposition, search):
    first = decomposition.init(least_squares.rows(points), theta.size, theta.dtype, key=key)
    return NaturalState(jnp.zeros_like(theta), first, search.init(theta.dtype))


def _step(least_squares, theta, state, points, *, key, decomposition, search, momentum):
    drift = momentum * state.last_step
    residual, along_drift, jacobian = least_squares.linear_model(theta, points, drift)
    loss = jnp.sum(residual**2) / 2
    spectrum, memory = decomposition.compute(jacobian, state.decomposition, key=key)
    move, search_state = search.step(
        lambda d: least_squares.residual(theta + d, points), loss, spectrum, residual + along_drift, drift, state.search
    )
    eigenvalues = spectrum.eigenvalues
    damping, finite = move.damping * eigenvalues[0], jnp.isfinite(loss) & jnp.isfinite(eigenvalues[0])
    error = jnp.asarray(spectrum.error, loss.dtype)
    info = StepInfo(move.loss, damping, jnp.linalg.norm(move.step), move.accepted, finite, eigenvalues, error)
    return theta + move.step, NaturalState(move.step, memory, search_state), info


def _adapt(state, info, *, key, decomposition):
    return state._replace(decomposition=decomposition.adapt(state.decomposition, info.eigenvalues, info.damping, key=key))


@checked_call()
def dual_natural_gradient(*, search: Search | None = None, momentum: float = 0.5) -> Optimizer:
    """Natural gradient by way of the kernel JJᵀ, for fewer points than parameters (Guzmán-Cordero et al. 2025, Woodbury)."""
    return natural_gradient(dual(), search=search, momentum=momentum)


#: Options of `sketched_natural_gradient` by preset: "best" is the defaults of `sketched` and `natural_gradient`.
PRESETS = Catalogue("preset", {"best": dict, "paper": lambda: {"recycle": 0.0, "momentum": 0.0, "search": step_grid()}})


@checked_call()
def sketched_natural_gradient(
    rank: int | Literal["auto"] | None = None,
    *,
    preset: str = "best",
    test_matrix: str | Draw = "gaussian",
    recycle: float | None = None,
    power_iterations: int = 0,
    momentum: float | None = None,
    search: Search | None = None,
    max_rank: int | None = None,
) -> Optimizer:
    """Natural gradient on a random sketch of the Gramian (SNGD).

    Parameters
    ----------
    rank : int, "auto" or None
        k, directions that a step is made of. None takes 200, or min(N, P) if that is less; "auto" is `growing`.
    preset : "best" or "paper"
        Defaults of recycle, momentum and search. "paper" is the method of Best McKay et al. 2025: a fresh sketch, no momentum, a
        step grid without damping.
    test_matrix, recycle, power_iterations
        See `sketched`.
    momentum, search
        See `natural_gradient`.
    max_rank : int, optional
        With ``rank="auto"``: see `growing`.

    Returns
    -------
    Optimizer

    Raises
    ------
    InputError
        For a bad option, and when training starts, if the rank exceeds min(N, P).

    Examples
    --------
    >>> sl.sketched_natural_gradient(80) == sl.natural_gradient(sl.sketched(80))
    True
    """
    given = {"recycle": recycle, "momentum": momentum, "search": search}
    options = PRESETS[preset]() | {name: value for name, value in given.items() if value is not None}
    sketch = {"test_matrix": test_matrix, "power_iterations": power_iterations}
    if "recycle" in options:
        sketch["recycle"] = options.pop("recycle")
    if isinstance(rank, str) and rank == "auto":
        return natural_gradient(growing(max_rank, **sketch), **options)
    if max_rank is not None:
        raise InputError(f"max_rank = {max_rank} is a cap for rank='auto': with rank = {rank!r} leave it out.")
    return natural_gradient(sketched(rank, **sketch), **options)


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


def optimizer_from_settings(written: dict[str, Any]) -> Optimizer:
    """Make an optimizer again from its name and settings as `sketchlab.strategies.written` gives them.

    Raises
    ------
    InputError
        If a part of it is in no catalogue: it has to be handed over.
    """
    settings = dict(written)
    name = settings.pop("name")
    if "decomposition" not in settings:
        return OPTIMIZERS[name](**settings)
    for part, catalogue in (("decomposition", DECOMPOSITIONS), ("search", SEARCHES)):
        options = dict(settings[part])
        settings[part] = catalogue[options.pop("name")](**options)
    return natural_gradient(**settings)


def carried_over(old: Optimizer, old_state, new: Optimizer, new_state):
    """Return the first state of an optimizer that takes over from another: what still has its meaning is kept.

    A natural gradient keeps the last step; what its decomposition remembers, where shapes allow; and what its search remembers,
    if the search is the same one.
    """
    if not (isinstance(old_state, NaturalState) and isinstance(new_state, NaturalState)):
        return _kept(old_state, new_state) if old.name == new.name else new_state
    search = old_state.search if old.settings["search"] == new.settings["search"] else new_state.search
    return NaturalState(old_state.last_step, _kept(old_state.decomposition, new_state.decomposition), search)


def _kept(old, new):
    before, after = (jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state) for state in (old, new))
    return old if before == after else new

"""The baselines that take the steps of an optax transformation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sketchlab.optimizers import Optimizer, all_finite, first_order_info
from sketchlab.strategies import Bound


def make_adam(learning_rate: float) -> Optimizer:
    """See `sketchlab.optimizers.adam`."""
    return _optimizer("adam", Bound(optax.adam, learning_rate=learning_rate), {"learning_rate": learning_rate})


def make_lbfgs(memory: int) -> Optimizer:
    """See `sketchlab.optimizers.lbfgs`."""
    return _optimizer("lbfgs", Bound(optax.lbfgs, memory_size=memory), {"memory": memory})


def _optimizer(name, make, settings):
    """Return an optimizer that takes the steps of the optax transformation make()."""
    return Optimizer(name, Bound(_first_state, make=make), Bound(_take_step, make=make), settings)


class OptaxState(NamedTuple):
    """State of a baseline: `inner`, of its optax transformation; `seen` (conditions,) tells the points it saw from others."""

    inner: Any
    seen: jax.Array


def _tell(points):
    return jnp.stack([jnp.sum(x) for x in points])


def _first_state(least_squares, theta, points, *, key, make):
    # Naming the dtype makes every number of the state strongly typed, as a step returns it: else a second compilation follows.
    inner = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), make().init(theta))
    return OptaxState(inner, _tell(points))


def _take_step(least_squares, theta, state, points, *, key, make):
    """Take a step of an optax transformation, unless it is non-finite: that must leave nothing in the state either."""

    def loss_at(parameters):
        return least_squares.loss(parameters, points)

    inner, kept = state.inner, optax.tree.get(state.inner, "value")
    if kept is None:
        loss, gradient = jax.value_and_grad(loss_at)(theta)
    else:
        # Loss and gradient that a line search left behind are of the points that it saw: an infinite one is evaluated anew.
        inner = optax.tree.set(inner, value=jnp.where(jnp.all(_tell(points) == state.seen), kept, jnp.inf))
        loss, gradient = optax.value_and_grad_from_state(loss_at)(theta, state=inner)
    transformation: Any = optax.with_extra_args_support(make())
    # optax mixes types of numbers in its counters: where promotion is strict, its own part must not be.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        update, inner = transformation.update(gradient, inner, theta, value=loss, grad=gradient, value_fn=loss_at)
    finite = all_finite(loss, gradient)
    accepted = finite & jnp.all(jnp.isfinite(update))
    update, new = jnp.where(accepted, update, 0), OptaxState(inner, _tell(points))
    new = jax.tree.map(lambda after, before: jnp.where(accepted, after, before), new, state)
    # A line search knows the loss after its step.
    return theta + update, new, first_order_info(optax.tree.get(inner, "value", loss), update, accepted, finite)

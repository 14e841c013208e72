"""Networks whose parameters are a pytree of arrays: models of Equinox, Flax or plain JAX."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.networks import NETWORKS, apply, check_network
from sketchlab.validation import InputError, checked_call


@dataclass(frozen=True)
class PytreeNetwork:
    """A network whose parameters are a pytree of arrays, see `from_pytree`."""

    initialize: Callable
    function: Callable
    dim: int
    outputs: int

    def __post_init__(self):
        check_network(self)

    @functools.cached_property
    def _shapes(self):
        """The pytree with shapes in place of arrays."""

        def traced(key):
            tree = self.initialize(key)
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
                kind = getattr(leaf, "dtype", type(leaf))
                if not jnp.issubdtype(kind, jnp.floating):
                    name, kind = jax.tree_util.keystr(path), getattr(kind, "__name__", kind)
                    raise InputError(
                        f"init(key) has a leaf {name} of type {kind}, but only real floating-point arrays are trained: keep the "
                        "rest in apply, as with params, static = equinox.partition(model, equinox.is_inexact_array)."
                    )
            return tree

        return jax.eval_shape(traced, jax.random.key(0))

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return sum(leaf.size for leaf in jax.tree.leaves(self._shapes))

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw theta (P,): the leaves of init(key), one after the other."""
        leaves = jax.tree.leaves(self.initialize(key))
        return jnp.concatenate([jnp.ravel(leaf).astype(dtype or jnp.result_type(float)) for leaf in leaves])

    def unflatten(self, theta: jax.Array):
        """Cut theta (P,) into the pytree; its leaves have the dtype of theta."""
        leaves, structure = jax.tree.flatten(self._shapes)
        pieces = jnp.split(theta, np.cumsum([leaf.size for leaf in leaves])[:-1])
        return structure.unflatten([piece.reshape(leaf.shape) for piece, leaf in zip(pieces, leaves, strict=True)])

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point; a single output may come as (1,)."""
        u = jnp.asarray(self.function(parameters, x))
        return u[0] if self.outputs == 1 and u.shape == (1,) else u

    apply = apply


@checked_call()
def from_pytree(init: Callable, apply: Callable, *, dim: int, outputs: int = 1) -> PytreeNetwork:
    """Make a network of a model whose parameters are a pytree of arrays, as Equinox, Flax and plain JAX have them.

    Parameters
    ----------
    init : callable, key -> pytree of floating-point arrays
    apply : callable, (pytree, x (dim,)) -> () or (outputs,)
    dim, outputs : int

    Returns
    -------
    PytreeNetwork
        Two made of the same functions are equal: define these once, or everything is compiled again. It has no settings.

    Raises
    ------
    InputError
        If a leaf is not a real floating-point array, or `apply` returns another shape.

    Examples
    --------
    >>> def init(key):
    ...     return {"a": jax.random.normal(key, (8,)), "b": jnp.ones(8)}
    >>> network = sl.from_pytree(init, lambda p, x: p["a"] @ jnp.tanh(p["b"] * x[0]), dim=1)
    >>> network.size
    16
    """
    return PytreeNetwork(init, apply, dim, outputs)


NETWORKS.update(pytree=from_pytree)

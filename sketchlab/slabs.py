"""A network for a long time interval: one network after the other along the time axis."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.networks import NETWORKS, apply, check_network, name_of
from sketchlab.validation import check_integer, check_real


@dataclass(frozen=True)
class Slabs:
    """One network after the other along the time axis: a network for the whole interval, each part with parameters of its own.

    Parameters
    ----------
    network : network
        That of one slab; it sees its time as a number that goes from 0 to 1.
    start, length : float
        Beginning of the first slab, and length of each.
    count : int
        Number of slabs. The first and the last go on beyond the interval.

    Examples
    --------
    >>> slabs = sl.Slabs(sl.MLP(dim=2, width=8), start=0.0, length=0.25, count=4)
    >>> slabs.size == 4 * sl.MLP(dim=2, width=8).size
    True
    """

    network: Any
    start: float
    length: float
    count: int

    def __post_init__(self):
        check_network(self.network)
        object.__setattr__(self, "start", check_real("start", self.start, -np.inf, np.inf))
        object.__setattr__(self, "length", check_real("length", self.length, 0, np.inf, open_low=True, open_high=True))
        object.__setattr__(self, "count", check_integer("count", self.count, 1))

    dim = property(lambda self: self.network.dim)
    outputs = property(lambda self: self.network.outputs)
    size = property(lambda self: self.count * self.network.size)

    @property
    def settings(self) -> dict | None:
        """Numbers, and the network's settings; None where the network has none."""
        inner = getattr(self.network, "settings", None)
        own = {"name": name_of(self), "start": self.start, "length": self.length, "count": self.count}
        return None if inner is None else own | {"network": inner}

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw `theta` (P,), each slab's part by itself."""
        return self.joined([self.network.init(key=one, dtype=dtype) for one in jax.random.split(key, self.count)])

    def joined(self, thetas) -> jax.Array:
        """Join the parameters of all slabs, (P / count,) each, to `theta` (P,)."""
        stacked = jax.vmap(self.network.unflatten)(jnp.stack([jnp.asarray(theta) for theta in thetas]))
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(stacked)])

    def unflatten(self, theta: jax.Array):
        """Cut `theta` (P,) into the parameters of the network, with an axis of slabs in front."""
        one = jax.eval_shape(self.network.unflatten, jax.ShapeDtypeStruct((self.network.size,), theta.dtype))
        leaves, structure = jax.tree.flatten(one)
        pieces = jnp.split(theta, np.cumsum([self.count * leaf.size for leaf in leaves])[:-1])
        return structure.unflatten(piece.reshape(self.count, *leaf.shape) for piece, leaf in zip(pieces, leaves, strict=True))

    apply = apply

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point with the network of its slab."""
        slabs = (x[-1] - self.start) / self.length
        slab = jnp.clip(slabs, 0, self.count - 1).astype(int)
        time = slabs - slab.astype(x.dtype)
        return self.network.evaluate(jax.tree.map(lambda leaf: leaf[slab], parameters), x.at[-1].set(time))


NETWORKS["slabs"] = Slabs

"""Trainable constants beside a network: the unknowns of an inverse problem."""

import keyword
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.networks import NETWORKS, name_of
from sketchlab.validation import InputError, check_real, checked_call
from sketchlab.wrappers import Wrapper


@checked_call()
@dataclass(frozen=True, init=False)
class WithConstants(Wrapper):
    """A network with trainable constants, which residuals read as attributes of u: the unknowns of an inverse problem.

    Parameters
    ----------
    network : network
    **values : float
        Names and first values of the constants. Their parameters follow those of the network in theta, in this order.

    Examples
    --------
    >>> network = sl.WithConstants(sl.MLP(dim=2), diffusivity=0.1)  # a residual reads u.diffusivity
    >>> theta = network.init(key=jax.random.key(0))
    >>> float(network.constants(network.unflatten(theta))["diffusivity"])
    0.1
    """

    values: tuple[tuple[str, float], ...]

    def __init__(self, network, **values: float):
        object.__setattr__(self, "network", network)
        self.__post_init__()
        if not values:
            raise InputError("WithConstants without a constant: name one with its first value, WithConstants(network, c=0.1).")
        theta = jax.ShapeDtypeStruct((network.size,), jnp.result_type(float))
        inner = jax.eval_shape(lambda theta: super(WithConstants, self).constants(network.unflatten(theta)), theta)
        for name, value in values.items():
            # Settings have the key "name" already.
            if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in {"name", *inner}:
                raise InputError(f"a constant cannot be called {name!r}: residuals read u.{name}, so take a name that is free.")
            values[name] = check_real(name, value, -np.inf, np.inf, open_low=True, open_high=True)
        object.__setattr__(self, "values", tuple(values.items()))

    size = property(lambda self: self.network.size + len(self.values))

    @property
    def settings(self) -> dict:
        """See `sketchlab.networks`."""
        return {"name": name_of(self), "network": self.network.settings} | dict(self.values)

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw theta (P,): that of the network, then the first values of the constants."""
        theta = self.network.init(key=key, dtype=dtype)
        return jnp.concatenate([theta, jnp.array([value for _, value in self.values], theta.dtype)])

    def unflatten(self, theta: jax.Array):
        """Cut theta (P,) into the parameters of the network and the constants (k,)."""
        theta, constants = jnp.split(theta, [self.network.size])
        return self.network.unflatten(theta), constants

    def constants(self, parameters) -> dict[str, jax.Array]:
        """Return the constants by name, those of the network inside among them."""
        inner, constants = parameters
        return super().constants(inner) | {name: constants[i] for i, (name, _) in enumerate(self.values)}

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point; the constants do not enter."""
        return self.network.evaluate(parameters[0], x)


NETWORKS.update(constants=WithConstants)

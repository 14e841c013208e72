"""Trainable constants beside a network: the unknowns of an inverse problem."""

import keyword
from collections.abc import Sequence
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
    positive : sequence of str
        Names of constants that stay above 0: theta holds their logarithms.
    **values : float
        Names and first values of the constants. Their parameters follow those of the network in theta, in this order.

    Raises
    ------
    InputError
        For a name that u has already, and a value that is not finite, or not above 0 where it has to be.

    Examples
    --------
    >>> network = sl.WithConstants(sl.MLP(dim=2), positive=["diffusivity"], diffusivity=0.1)  # a residual reads u.diffusivity
    >>> theta = network.init(key=jax.random.key(0))
    >>> round(float(network.constants(network.unflatten(theta))["diffusivity"]), 12)
    0.1
    """

    values: tuple[tuple[str, float], ...]
    logarithmic: tuple[str, ...]

    def __init__(self, network, *, positive: Sequence[str] = (), **values: float):
        object.__setattr__(self, "network", network)
        self.__post_init__()
        if not values:
            raise InputError("WithConstants without a constant: name one with its first value, WithConstants(network, c=0.1).")
        if isinstance(positive, str) or not isinstance(positive, Sequence) or not all(name in values for name in positive):
            known = ", ".join(map(repr, values))
            raise InputError(f"positive = {positive!r} is no list of constants of this network: {known}.")
        theta = jax.ShapeDtypeStruct((network.size,), jnp.result_type(float))
        inner = jax.eval_shape(lambda theta: super(WithConstants, self).constants(network.unflatten(theta)), theta)
        for name, value in values.items():
            # Settings have the key "name" already.
            if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in {"name", *inner}:
                raise InputError(f"a constant cannot be called {name!r}: residuals read u.{name}, so take a name that is free.")
            least = 0.0 if name in positive else -np.inf
            values[name] = check_real(name, value, least, np.inf, open_low=True, open_high=True)
        object.__setattr__(self, "values", tuple(values.items()))
        object.__setattr__(self, "logarithmic", tuple(name for name in values if name in positive))

    size = property(lambda self: self.network.size + len(self.values))

    @property
    def positive(self) -> tuple[str, ...]:
        """Names of the constants that stay above 0, those of the network inside among them."""
        return (*super().positive, *self.logarithmic)

    @property
    def settings(self) -> dict:
        """See `sketchlab.networks`."""
        positive = {"positive": list(self.logarithmic)} if self.logarithmic else {}
        return {"name": name_of(self), "network": self.network.settings} | positive | dict(self.values)

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw theta (P,): that of the network, then the first values of the constants, or their logarithms."""
        theta = self.network.init(key=key, dtype=dtype)
        first = [np.log(value) if name in self.logarithmic else value for name, value in self.values]
        return jnp.concatenate([theta, jnp.array(first, theta.dtype)])

    def unflatten(self, theta: jax.Array):
        """Cut theta (P,) into the parameters of the network and those of the constants (k,)."""
        theta, constants = jnp.split(theta, [self.network.size])
        return self.network.unflatten(theta), constants

    def constants(self, parameters) -> dict[str, jax.Array]:
        """Return the constants by name, those of the network inside among them."""
        inner, own = parameters
        found = {name: jnp.exp(own[i]) if name in self.logarithmic else own[i] for i, (name, _) in enumerate(self.values)}
        return super().constants(inner) | found

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point; the constants do not enter."""
        return self.network.evaluate(parameters[0], x)


NETWORKS.update(constants=WithConstants)

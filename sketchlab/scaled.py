"""Coordinates in units of the domain: a network sees numbers of size one, whatever the units of a problem are."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from sketchlab.domains import Box
from sketchlab.networks import NETWORKS
from sketchlab.validation import checked_call
from sketchlab.wrappers import _Wrapper


@checked_call()
@dataclass(frozen=True)
class Scaled(_Wrapper):
    """A network that sees each coordinate as a number between -1 and 1: u(x) = N(2 (x - lower) / (upper - lower) - 1).

    Parameters
    ----------
    network : network
    lower, upper : sequence of float, (d,)
        Corners of the box that is mapped: those of the domain, as a rule. Where they are 1 apart or so, nothing is gained.

    Examples
    --------
    >>> network = sl.Scaled(sl.MLP(dim=2), lower=(0.0, 0.0), upper=(1000.0, 60.0))  # metres and seconds
    >>> theta = network.init(key=jax.random.key(0))
    >>> bool(network.apply(theta, jnp.array([1000.0, 30.0])) == network.network.apply(theta, jnp.array([1.0, 0.0])))
    True
    """

    lower: Sequence[float]
    upper: Sequence[float]

    def __post_init__(self):
        super().__post_init__()
        box = Box(self.lower, self.upper)
        object.__setattr__(self, "lower", box.lower)
        object.__setattr__(self, "upper", box.upper)
        self._check_features(box.dim)

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        lower, upper = (np.asarray(corner, x.dtype) for corner in (self.lower, self.upper))
        return self.network.evaluate(parameters, (x - lower) * (2 / (upper - lower)) - 1)


NETWORKS["scaled"] = Scaled

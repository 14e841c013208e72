"""Networks made of others: features in front, exact boundary values behind.

Each is a network itself, see `sketchlab.networks`, and takes the network inside first, so they compose:

=======================  ===========================================================================================
network                  u(x), with N the network inside
=======================  ===========================================================================================
Periodic(N, periods)     N(… cos(2πx_i/p_i), sin(2πx_i/p_i) …): periodic along the axes that have a period p_i
Fourier(N, frequencies)  N(cos(2πBx), sin(2πBx)): oscillates as fast as the rows of B (Tancik and others 2020)
Hard(N, lift, distance)  lift(x) + distance(x) N(x): equals lift where distance is 0 (Lagaris, Likas, Fotiadis 1998)
=======================  ===========================================================================================

They leave the theta of the network inside as it is. `sketchlab.constants` puts trainable constants beside a network, and
`sketchlab.pytrees` makes one of a model of Equinox, Flax or plain JAX.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import Function
from sketchlab.networks import NETWORKS, apply, check_network, name_of
from sketchlab.validation import InputError, check_array, check_real, checked_call


@dataclass(frozen=True)
class Wrapper:
    """A network around another: its parameters are those of the network inside, unless it says otherwise."""

    network: Any

    def __post_init__(self):
        check_network(self.network)

    apply = apply
    dim = property(lambda self: self.network.dim)
    outputs = property(lambda self: self.network.outputs)
    size = property(lambda self: self.network.size)
    #: Names of the constants of the network inside that stay above 0.
    positive = property(lambda self: getattr(self.network, "positive", ()))

    @property
    def settings(self) -> dict | None:
        """See `sketchlab.networks`, as for what follows."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "network"}
        return {"name": name_of(self), "network": self.network.settings} | own

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw theta (P,)."""
        return self.network.init(key=key, dtype=dtype)

    def unflatten(self, theta: jax.Array):
        """Cut theta (P,) into parameters."""
        return self.network.unflatten(theta)

    def constants(self, parameters) -> dict[str, jax.Array]:
        """Return the constants of the network inside, by name."""
        return self.network.constants(parameters) if hasattr(self.network, "constants") else {}

    def around(self, network) -> "Wrapper":
        """Return the same wrapper around another network."""
        found = copy.copy(self)
        object.__setattr__(found, "network", network)
        return found

    def _check_features(self, count):
        """Refuse a network inside that does not take as many features as there are."""
        if self.network.dim != count:
            kind = type(self).__name__
            raise InputError(f"{kind} gives its network {count} features: make it with dim = {count}, not {self.network.dim}.")


@checked_call()
@dataclass(frozen=True)
class Periodic(Wrapper):
    """A network that is periodic along some axes, with all its derivatives.

    Parameters
    ----------
    network : network
        Its dim is the number of features: 2 for an axis with a period, cos and sin of 2πx/period, and 1 for another, x itself.
    periods : sequence of float or None
        One entry for each axis of x; None leaves the axis as it is.

    Examples
    --------
    >>> network = sl.Periodic(sl.MLP(dim=3), periods=(1.0, None))  # periodic in space, not in time
    >>> theta = network.init(key=jax.random.key(0))
    >>> u0, u1 = (network.apply(theta, jnp.array([x, 0.3])) for x in (0.2, 1.2))
    >>> bool(abs(u1 - u0) < 1e-14)
    True
    """

    periods: Sequence[float | None]

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.periods, Sequence | np.ndarray):
            raise InputError(f"periods = {self.periods!r} is no list with a period, or None, for each axis.")
        periods = tuple(
            p if p is None else check_real("period", p, 0, np.inf, open_low=True, open_high=True) for p in self.periods
        )
        object.__setattr__(self, "periods", periods)
        self._check_features(sum(1 if period is None else 2 for period in periods))

    dim = property(lambda self: len(self.periods))

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        features = []
        for coordinate, period in zip(x, self.periods, strict=True):
            if period is None:
                features.append(coordinate)
            else:
                angle = coordinate * (2 * np.pi / period)
                features += [jnp.cos(angle), jnp.sin(angle)]
        return self.network.evaluate(parameters, jnp.stack(features))


@checked_call()
@dataclass(frozen=True)
class Fourier(Wrapper):
    """A network of the features cos(2πBx), sin(2πBx): it learns functions that oscillate (Tancik and others 2020).

    Parameters
    ----------
    network : network
        Its dim is 2 m.
    frequencies : (m, d)
        B, kept as nested tuples; often normal random numbers, with the largest frequency to resolve as standard deviation.

    Examples
    --------
    >>> network = sl.Fourier(sl.MLP(dim=8), frequencies=np.random.default_rng(0).normal(scale=3.0, size=(4, 2)))
    >>> network.dim, network.apply(network.init(key=jax.random.key(0)), jnp.array([0.5, 0.1])).shape
    (2, ())
    """

    frequencies: Sequence[Sequence[float]]

    def __post_init__(self):
        super().__post_init__()
        matrix = np.asarray(check_array("frequencies", self.frequencies), float)
        if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
            raise InputError(f"frequencies of shape {matrix.shape} must be a matrix (m, d) of finite numbers.")
        object.__setattr__(self, "frequencies", tuple(map(tuple, matrix.tolist())))
        self._check_features(2 * len(matrix))

    dim = property(lambda self: len(self.frequencies[0]))

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        angles = np.array(self.frequencies, x.dtype) @ x * (2 * np.pi)
        return self.network.evaluate(parameters, jnp.concatenate([jnp.cos(angles), jnp.sin(angles)]))


@checked_call()
@dataclass(frozen=True)
class Hard(Wrapper):
    """u(x) = lift(x) + distance(x) N(x): boundary values that hold exactly, and need no condition.

    Parameters
    ----------
    network : network
        N.
    lift : callable, (d,) -> () or (outputs,); or None for 0
        A function with the boundary values.
    distance : callable, (d,) -> () or (outputs,)
        A function that vanishes on the boundary, and nowhere else. Both need as many derivatives as the equation takes.

    Examples
    --------
    >>> network = sl.Hard(sl.MLP(dim=1), lift=lambda x: x[0], distance=lambda x: x[0] * (1 - x[0]))
    >>> float(network.apply(network.init(key=jax.random.key(0)), jnp.array([1.0])))
    1.0
    """

    lift: Function | None
    distance: Function

    #: Functions cannot be written to a file.
    settings = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self):
        super().__post_init__()
        if not callable(self.distance) or not (self.lift is None or callable(self.lift)):
            raise InputError(f"lift = {self.lift!r}, distance = {self.distance!r}: give functions of one point, lambda x: … .")
        check_network(self)

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        u = self.distance(x) * self.network.evaluate(parameters, x)
        return u if self.lift is None else self.lift(x) + u


NETWORKS.update(periodic=Periodic, fourier=Fourier, hard=Hard)

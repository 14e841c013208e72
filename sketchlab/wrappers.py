"""Networks made of others: features in front, exact boundary values behind.

Each is a network itself, see `sketchlab.networks`, and takes the network inside first, so they compose:

=======================  ===========================================================================================
network                  u(x), with N the network inside
=======================  ===========================================================================================
Periodic(N, periods)     N(… cos(2πx_i/p_i), sin(2πx_i/p_i) …): periodic along the axes that have a period p_i
Fourier(N, frequencies)  N(cos(2πBx), sin(2πBx)): oscillates as fast as the rows of B (Tancik and others 2020)
WithFeatures(N, (s, …))  N(x, s(x), …): given what a smooth network cannot make, as the singular function of a corner
OnlyFeatures(N, (s, …))  N(s(x), …): other coordinates, in which u is smooth, or has a symmetry
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
from sketchlab.validation import Catalogue, InputError, check_array, check_integer, check_real, checked_call, is_list


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
        Its dim is the number of features: for an axis with a period cos and sin of 2πjx/period for each harmonic j, and 1 for
        another, x itself.
    periods : sequence of float or None
        One entry for each axis of x; None leaves the axis as it is.
    harmonics : int
        Number of harmonics, from the first on: more of them where u is steep.

    Examples
    --------
    >>> network = sl.Periodic(sl.MLP(dim=3), periods=(1.0, None))  # periodic in space, not in time
    >>> theta = network.init(key=jax.random.key(0))
    >>> u0, u1 = (network.apply(theta, jnp.array([x, 0.3])) for x in (0.2, 1.2))
    >>> bool(abs(u1 - u0) < 1e-14)
    True
    """

    periods: Sequence[float | None]
    harmonics: int = 1

    def __post_init__(self):
        super().__post_init__()
        if not is_list(self.periods):
            raise InputError(f"periods = {self.periods!r} is no list with a period, or None, for each axis.")
        periods = tuple(
            p if p is None else check_real("period", p, 0, np.inf, open_low=True, open_high=True) for p in self.periods
        )
        object.__setattr__(self, "periods", periods)
        object.__setattr__(self, "harmonics", check_integer("harmonics", self.harmonics, 1, 1000))
        self._check_features(sum(1 if period is None else 2 * self.harmonics for period in periods))

    dim = property(lambda self: len(self.periods))

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        features = []
        for coordinate, period in zip(x, self.periods, strict=True):
            if period is None:
                features.append(coordinate)
            else:
                for harmonic in range(1, self.harmonics + 1):
                    angle = coordinate * (2 * np.pi * harmonic / period)
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


@dataclass(frozen=True)
class _Featured(Wrapper):
    """A network that sees functions of the point, each an entry of `FEATURES` or somebody's own."""

    features: Sequence[str | Function]

    def __post_init__(self):
        super().__post_init__()
        features = self.features
        if isinstance(features, str) or not isinstance(features, Sequence) or not features:
            raise InputError(f"features = {features!r} is no list of names or functions: write features=['corner'].")
        for feature in features:
            if not callable(feature):
                FEATURES[feature]
        object.__setattr__(self, "features", tuple(features))

    @property
    def settings(self) -> dict | None:
        """None where a feature is a function."""
        return None if any(map(callable, self.features)) else super().settings

    def _at(self, x):
        """Evaluate the features at one point."""
        return jnp.stack([(feature if callable(feature) else FEATURES[feature])(x) for feature in self.features])


@checked_call()
@dataclass(frozen=True)
class WithFeatures(_Featured):
    """u(x) = N(x, s_1(x), s_2(x) …): what a smooth network cannot make, such as a corner's singular function, is given to it.

    Parameters
    ----------
    network : network
        Its dim is d and the number of features.
    features : sequence of str or callable, (d,) -> ()
        Entries of `FEATURES`, or your own; with these, the network is not saved by its settings.

    Examples
    --------
    >>> network = sl.WithFeatures(sl.MLP(dim=3), features=["corner"])
    >>> theta = network.init(key=jax.random.key(0))
    >>> network.dim, network.apply(theta, jnp.array([0.5, 0.1])).shape
    (2, ())
    """

    def __post_init__(self):
        super().__post_init__()
        if self.dim < 1:
            raise InputError(
                f"{len(self.features)} features leave no axis of the {self.network.dim} inputs: give dim = d + them."
            )

    dim = property(lambda self: self.network.dim - len(self.features))

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        return self.network.evaluate(parameters, jnp.concatenate([x, self._at(x)]))


@checked_call()
@dataclass(frozen=True)
class OnlyFeatures(_Featured):
    """u(x) = N(s_1(x), s_2(x) …): the network sees functions of the point in place of its coordinates.

    With coordinates in which the solution is smooth, as one that is stretched where a layer is thin, a small network does; with
    even functions, u is even.

    Parameters
    ----------
    network : network
        Its dim is the number of features.
    features : sequence of str or callable, (d,) -> ()
        As of `WithFeatures`.
    dim : int, optional
        d; by default the number of features, as in a change of coordinates.

    Examples
    --------
    >>> def stretched(x):
    ...     return jnp.arcsinh(x[0] / 0.01)
    >>> network = sl.OnlyFeatures(sl.MLP(dim=2), features=[stretched, lambda x: x[1]])
    >>> network.apply(network.init(key=jax.random.key(0)), jnp.array([0.5, 0.1])).shape
    ()
    """

    dim: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self):
        super().__post_init__()
        dim = len(self.features) if self.dim is None else check_integer("dim", self.dim, 1)
        object.__setattr__(self, "dim", dim)
        self._check_features(len(self.features))
        check_network(self)

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        return self.network.evaluate(parameters, self._at(x))


def corner(x: jax.Array) -> jax.Array:
    """Return r^(2/3) sin(2φ/3) around the origin of the plane: harmonic, zero for φ = 0 and φ = 3π/2, its gradient infinite at 0.

    So behaves a solution of Poisson's equation where two sides of the boundary make a corner of 270 degrees inside.
    """
    # Turned so that the angle jumps in the quadrant that is cut out.
    turn = 3 * np.pi / 4
    a, b = (x[1] - x[0]) * 0.5**0.5, -(x[0] + x[1]) * 0.5**0.5
    at_corner = (a == 0) & (b == 0)
    a, b = jnp.where(at_corner, 1.0, a), jnp.where(at_corner, 0.0, b)
    value = (a**2 + b**2) ** (1 / 3) * jnp.sin(2 / 3 * (jnp.arctan2(b, a) + turn))
    return jnp.where(at_corner, 0.0, value)


def kink(x: jax.Array) -> jax.Array:
    """Return |x₁|: a solution bends so where a coefficient jumps on the line x₁ = 0."""
    return jnp.abs(x[0])


#: Functions of a point by name, for `WithFeatures`.
FEATURES = Catalogue("feature", {"corner": corner, "kink": kink})


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


NETWORKS.update({"periodic": Periodic, "features": WithFeatures, "only features": OnlyFeatures, "fourier": Fourier, "hard": Hard})

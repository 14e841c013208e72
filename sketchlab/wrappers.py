"""Networks made of others: features in front, exact boundary values behind, constants beside, or a model of another library.

Each is a network itself, see `sketchlab.networks`, and takes the network inside first, so they compose:

=======================  ===========================================================================================
network                  u(x), with N the network inside
=======================  ===========================================================================================
Periodic(N, periods)     N(… cos(2πx_i/p_i), sin(2πx_i/p_i) …): periodic along the axes that have a period p_i
Fourier(N, frequencies)  N(cos(2πBx), sin(2πBx)): oscillates as fast as the rows of B (Tancik and others 2020)
Hard(N, lift, distance)  lift(x) + distance(x) N(x): equals lift where distance is 0 (Lagaris, Likas, Fotiadis 1998)
WithConstants(N, c=c₀)   N(x), and a trainable constant `u.c` that residuals read: the unknown of an inverse problem
from_pytree(init, f)     f(parameters, x), with parameters of any form: a model of Equinox, Flax or plain JAX
=======================  ===========================================================================================

Only `WithConstants` adds parameters, at the end of theta; the others leave the theta of the network inside as it is.
"""

import functools
import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import Function
from sketchlab.networks import NETWORKS, apply, check_network, name_of
from sketchlab.validation import InputError, check_array, check_real, checked_call


@dataclass(frozen=True)
class _Wrapper:
    """The parameters of a wrapper are those of the network inside, unless it says otherwise."""

    network: Any

    def __post_init__(self):
        check_network(self.network)

    apply = apply
    dim = property(lambda self: self.network.dim)
    outputs = property(lambda self: self.network.outputs)
    size = property(lambda self: self.network.size)

    @property
    def settings(self):
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "network"}
        return {"name": name_of(self), "network": self.network.settings} | own

    def init(self, *, key, dtype=None):
        return self.network.init(key=key, dtype=dtype)

    def unflatten(self, theta):
        return self.network.unflatten(theta)

    def constants(self, parameters):
        return self.network.constants(parameters) if hasattr(self.network, "constants") else {}

    def _check_features(self, count):
        """Refuse a network inside that does not take as many features as there are."""
        if self.network.dim != count:
            kind = type(self).__name__
            raise InputError(f"{kind} gives its network {count} features: make it with dim = {count}, not {self.network.dim}.")


@checked_call()
@dataclass(frozen=True)
class Periodic(_Wrapper):
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
class Fourier(_Wrapper):
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
class Hard(_Wrapper):
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


@checked_call()
@dataclass(frozen=True, init=False)
class WithConstants(_Wrapper):
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


NETWORKS.update(periodic=Periodic, fourier=Fourier, hard=Hard, constants=WithConstants, pytree=from_pytree)

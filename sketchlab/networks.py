"""Networks: functions u(x) of one point with trainable numbers, which all lie in one flat vector `theta`.

The vector is flat because natural gradients do linear algebra on it: a row of the Jacobian, a sketch, a step and a momentum all
have P entries. A network says how the vector is cut into the arrays that it computes with. Everything else, from residuals to
saved runs, works for any hashable object that has

============================  =====================================================================================
name                          meaning
============================  =====================================================================================
dim, outputs, size            whole numbers: dimension d of a point, number m of outputs, number P of parameters
init(*, key, dtype=None)      draws the first theta, (P,)
unflatten(theta)              cuts theta into `parameters`, a pytree whose leaves, one after the other, are theta
evaluate(parameters, x)       u at one point x (d,): () where m = 1, else (m,)
settings                      optional: dictionary fit for JSON from which `network_from_settings` makes the network
                              again; where it is missing or None, the network must be given again when its run is loaded
constants(parameters)         optional: dictionary of trainable constants (), by the names that residuals read
============================  =====================================================================================

`MLP` is the network that the package trains unless told otherwise. `sketchlab.wrappers` has periodic or Fourier features and
exact boundary values around any network, `sketchlab.constants` trainable constants, `sketchlab.pytrees` models of Equinox, Flax
or plain JAX.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.precision import in_full_precision
from sketchlab.user_code import explain, line_of
from sketchlab.validation import (
    Catalogue,
    InputError,
    check_array,
    check_call,
    check_integer,
    check_key,
    check_real,
    checked_call,
)

#: Smooth enough for second derivatives; relu3, max(0, z)³, only just, and not analytic: its eigenvalues decay more slowly.
ACTIVATIONS = Catalogue(
    "activation",
    {
        "tanh": jnp.tanh,
        "sin": jnp.sin,
        "swish": jax.nn.swish,
        "softplus": jax.nn.softplus,
        "relu3": lambda z: jax.nn.relu(z) ** 3,
    },
)

#: `MLP.init` draws at least this many normal numbers for a layer, and uses the first of them as weights.
SHORTEST_DRAW = 4**6

#: Larger numbers than these are slips of the keyboard.
LARGEST = {"dim": 10**6, "width": 10**6, "depth": 1000, "outputs": 10**6}

#: What an object must have to be a network; the opening of this module says what each is.
PROTOCOL = ("dim", "outputs", "size", "init", "unflatten", "evaluate")


def apply(network, theta: jax.Array, x: jax.Array) -> jax.Array:
    """Evaluate a network at one point: `theta` (P,), `x` (d,) -> () or (outputs,)."""
    for name, value, shape in (("theta", theta, (network.size,)), ("x", x, (network.dim,))):
        if jnp.shape(value) != shape:
            raise InputError(
                f"{name} has the shape {jnp.shape(value)}, not {shape}: for many points use jax.vmap, or run.solution."
            )
    return network.evaluate(network.unflatten(jnp.asarray(theta)), jnp.asarray(x))


def check_network(network) -> None:
    """Raise `InputError` unless an object is a network; `unflatten` and `evaluate` are traced, not computed."""
    kind = type(network).__name__
    try:
        _check_network(network, kind)
    except InputError:
        raise
    except Exception as error:
        line = line_of(error)
        raise InputError(f"{kind} failed{line and f' in {line}'}: {explain(error)}") from error


def _check_network(network, kind):
    if isinstance(network, type):
        raise InputError(f"network = {network.__name__} is a class, not a network: make one first, as in sl.MLP(dim=2).")
    missing = [name for name in PROTOCOL if not hasattr(network, name)]
    if missing:
        raise InputError(
            f"the network given is of type {kind}, which lacks {', '.join(missing)}. "
            "Give the problem first, then the network, as in sl.MLP(dim=2), then the optimizer."
        )
    for name in ("dim", "outputs", "size"):
        check_integer(f"{name} of {kind}", getattr(network, name), 1)
    try:
        hash(network)
    except TypeError as error:
        raise InputError(
            f"{kind} cannot be hashed ({error}), but what is compiled for a network is found by its hash: make it a "
            "@dataclass(frozen=True), and its fields tuples instead of arrays or lists."
        ) from error
    theta, x = (jax.ShapeDtypeStruct((n,), jnp.result_type(float)) for n in (network.size, network.dim))
    parameters = jax.eval_shape(network.unflatten, theta)
    entries = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    if entries != network.size:
        raise InputError(
            f"{kind} has size = {network.size}, but unflatten(theta) has {entries} entries: its leaves must be theta."
        )
    shape, expected = jax.eval_shape(network.evaluate, parameters, x).shape, () if network.outputs == 1 else (network.outputs,)
    if shape != expected:
        raise InputError(
            f"{kind} with outputs = {network.outputs} must return the shape {expected} at one point, but returns {shape}."
        )


def name_of(network) -> str:
    """Return the name in `NETWORKS` of the network's class, for its settings."""
    for name, kind in NETWORKS.items():
        if kind is type(network):
            return name
    # Not even the settings of a class that it is derived from: they would make another network.
    raise AttributeError(f"{type(network).__name__} is not in sl.NETWORKS, so it has no settings.")


@functools.lru_cache(maxsize=32)
def solve(network):
    """Return the compiled solution (theta (P,), x (n, d)) -> (n,) or (n, outputs): for equal networks the same function."""
    return jax.jit(in_full_precision(jax.vmap(functools.partial(apply, network), (None, 0))))


def network_from_settings(settings: dict | None):
    """Make a network from its settings, the inverse of ``network.settings``; `InputError` where they do not say enough."""
    if settings is None:
        raise InputError(
            "a network of your own holds functions or is not in sl.NETWORKS: give the network itself, as in "
            "load(file, network=…)."
        )
    arguments = dict(settings)
    make = NETWORKS[arguments.pop("name", None)]
    if "network" in arguments:
        arguments["network"] = network_from_settings(arguments["network"])
    check_call(make, (), arguments)
    return make(**arguments)


@checked_call()
@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron from R^dim to R^outputs: u(x) = W_D σ(… σ(W_0 x + b_0) …) + b_D, with D hidden layers.

    Its P = Σ (inputs · outputs + outputs) parameters, summed over the layers, lie in theta layer by layer, the weights before the
    biases.

    Parameters
    ----------
    dim : int
        Dimension d of a point.
    width, depth : int
        Units in a hidden layer, and number of hidden layers.
    outputs : int
        With 1, the network returns a scalar (); with m > 1, a vector (m,).
    activation : str
        σ, an entry of `ACTIVATIONS`.
    scales : float or sequence of float, optional
        Standard deviations that the weights of the first layer begin with, one for each axis: for sin units the wave numbers
        of the solution (Sitzmann and others 2020). By default those of any layer.
    spread : float
        Biases of the first layer begin between -spread and spread: π for sin units; for tanh units so much that they bend all
        over the domain.

    Raises
    ------
    InputError
        If any of the numbers is not a whole one between 1 and its entry in `LARGEST`, a scale is not above 0, or the activation
        is unknown.

    Examples
    --------
    >>> network = sl.MLP(dim=2, width=32, depth=2)
    >>> network.size
    1185
    >>> theta = network.init(key=jax.random.key(0))
    >>> network.apply(theta, jnp.array([0.5, 0.1])).shape
    ()
    """

    dim: int
    width: int = 32
    depth: int = 2
    outputs: int = 1
    activation: str = "tanh"
    scales: Sequence[float] | float | None = field(default=None, repr=False)
    spread: float = field(default=0.0, repr=False)

    def __post_init__(self):
        for name, largest in LARGEST.items():
            # As an int: a NumPy integer, from np.arange say, has no place in JSON.
            object.__setattr__(self, name, check_integer(name, getattr(self, name), 1, largest))
        ACTIVATIONS[self.activation]
        object.__setattr__(self, "spread", check_real("spread", self.spread, 0, np.inf, open_high=True))
        if self.scales is not None:
            scales = (
                np.broadcast_to(check_array("scales", self.scales), (self.dim,)) if np.size(self.scales) == 1 else self.scales
            )
            if np.shape(scales) != (self.dim,):
                raise InputError(f"scales = {self.scales!r} are not {self.dim} numbers, one for each axis.")
            checked = (
                check_real("scale", scale, 0, np.inf, open_low=True, open_high=True) for scale in np.asarray(scales).tolist()
            )
            object.__setattr__(self, "scales", tuple(checked))

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of every affine map, from the first to the last."""
        sizes = [self.dim, *[self.width] * self.depth, self.outputs]
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return sum(rows * columns + rows for rows, columns in self.layers)

    @property
    def settings(self) -> dict:
        """The fields, and the network's name in `NETWORKS`."""
        return {"name": name_of(self)} | asdict(self)

    @checked_call()
    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw `theta` (P,): weights normal with variance 2 / (inputs + outputs), biases zero (Glorot, Bengio 2010).

        Where `scales` are given, weights of the first layer are uniform with these standard deviations.
        """
        # JAX compiles its generator for every length, half a second each. So lengths are rounded up to a power of four, which
        # most networks share; the first numbers are the same however many are drawn.
        longest = max((self.dim + 1) * self.width, *(rows * columns for rows, columns in self.layers))
        draws = max(SHORTEST_DRAW, 4 ** math.ceil(math.log(longest, 4)))
        return _scale_and_join(self, _normal(check_key(key), len(self.layers), draws, dtype))

    def unflatten(self, theta: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
        """Cut `theta` (P,) into a (weights, biases) pair for each layer, of shapes (outputs, inputs) and (outputs,)."""
        lengths = [length for rows, columns in self.layers for length in (rows * columns, rows)]
        # One split, because its derivative is one concatenation: slicing layer by layer would make every row of the
        # Jacobian a sum of 2 (depth + 1) padded vectors.
        pieces = jnp.split(theta, np.cumsum(lengths)[:-1])
        return [
            (weights.reshape(shape), biases)
            for weights, biases, shape in zip(pieces[::2], pieces[1::2], self.layers, strict=True)
        ]

    apply = apply

    def evaluate(self, layers: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
        """Evaluate u at one point from parameters that `unflatten` has cut."""
        *hidden, (weights, biases) = layers
        activation = ACTIVATIONS[self.activation]
        for hidden_weights, hidden_biases in hidden:
            x = activation(hidden_weights @ x + hidden_biases)
        u = weights @ x + biases
        return u[0] if self.outputs == 1 else u


#: What makes a network of each name; enter your own to have it saved by its settings. Other modules add theirs.
NETWORKS = Catalogue("network", {"mlp": MLP})


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _normal(key, layers, draws, dtype):
    """Draw normal numbers for each layer, (layers, draws)."""
    return jax.vmap(lambda key: jax.random.normal(key, (draws,), dtype))(jax.random.split(key, layers))


@functools.partial(jax.jit, static_argnums=0)
def _scale_and_join(network, draws):
    pieces = []
    for drawn, (rows, columns) in zip(draws, network.layers, strict=True):
        pieces += [drawn[: rows * columns] * (2 / (rows + columns)) ** 0.5, jnp.zeros(rows, drawn.dtype)]
    # The distribution function of normal numbers makes them uniform, from -1 to 1.
    weights = draws[0][: network.dim * network.width].reshape(network.width, network.dim)
    biases = draws[0][network.dim * network.width : (network.dim + 1) * network.width]
    if network.scales is not None:
        pieces[0] = jnp.ravel(jax.lax.erf(weights / 2**0.5) * (3**0.5 * np.array([network.scales], weights.dtype)))
    pieces[1] = network.spread * jax.lax.erf(biases / 2**0.5)
    return jnp.concatenate(pieces)

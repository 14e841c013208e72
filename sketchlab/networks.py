"""The network: a multilayer perceptron, its parameters held in one flat vector.

A PINN's unknown function is u(x) = W_D σ(... σ(W_0 x + b_0) ...) + b_D, with σ = tanh unless told otherwise. Natural gradients do
linear algebra on the parameters, so the package knows them in one form only, the flat vector `theta`; this module is the only
place that knows how the vector is cut into weights and biases.

=========  =======  ==========================================
symbol     name     shape
=========  =======  ==========================================
theta      theta    (P,)
P          size     sum over the layers of inputs*outputs + outputs
x          x        (d,)  one point
=========  =======  ==========================================
"""

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.validation import Catalogue, check_integer

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

#: Numbers that `MLP.init` draws for a layer at least.
SHORTEST_DRAW = 4**6


@dataclass(frozen=True)
class MLP:
    """A network from R^dim to R^outputs with `depth` hidden layers of `width` units.

    Parameters
    ----------
    dim : int
        Dimension d of a point.
    width, depth : int
        Units in a hidden layer, and number of hidden layers.
    outputs : int
        With 1, ``apply`` returns a scalar; with m > 1, a vector (m,).
    activation : str
        σ, an entry of `ACTIVATIONS`.

    Raises
    ------
    InputError
        If any of the numbers is not a whole one of at least 1, or the activation is unknown.
    """

    dim: int
    width: int = 32
    depth: int = 2
    outputs: int = 1
    activation: str = "tanh"

    def __post_init__(self):
        for name in ("dim", "width", "depth", "outputs"):
            check_integer(name, getattr(self, name), 1)
        ACTIVATIONS[self.activation]

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of every affine map, from the first to the last."""
        sizes = [self.dim, *[self.width] * self.depth, self.outputs]
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return sum(rows * columns + rows for rows, columns in self.layers)

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw `theta` (P,): weights normal with variance 2 / (inputs + outputs), biases zero (Glorot, Bengio 2010)."""
        keys = jax.random.split(key, len(self.layers))
        # All layers, and most networks, draw equally many numbers: compiling the generator for every length would take half a
        # second for each new width. The first numbers are the same however many are drawn.
        longest = max(rows * columns for rows, columns in self.layers)
        draws = max(SHORTEST_DRAW, 4 ** math.ceil(math.log(longest, 4)))
        return _scale_and_join(self, [jax.random.normal(layer_key, (draws,), dtype) for layer_key in keys])

    def steepen(self, theta: jax.Array, scale: float) -> jax.Array:
        """Multiply the weights and biases of the hidden layers by `scale`: every σ(z) becomes σ(scale z)."""
        rows, columns = self.layers[-1]
        hidden = self.size - rows * (columns + 1)
        # One product with NumPy's factors: an update of a slice would be compiled for a twentieth of a second.
        return theta * np.where(np.arange(self.size) < hidden, scale, 1).astype(theta.dtype)

    def embed(self, theta: jax.Array, wider: "MLP") -> np.ndarray:
        """Return the parameters that make a network of a larger width the same function: the added weights and biases are zero.

        A direction v in the parameters is embedded likewise, and keeps its tangent function ∂u/∂θ · v.
        """
        pieces, theta = [], np.asarray(theta)
        for (rows, columns), (more_rows, more_columns) in zip(self.layers, wider.layers, strict=True):
            weights, biases, theta = np.split(theta, [rows * columns, rows * (columns + 1)])
            padding = (0, more_rows - rows), (0, more_columns - columns)
            pieces += [np.pad(weights.reshape(rows, columns), padding).ravel(), np.pad(biases, padding[0])]
        return np.concatenate(pieces)

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

    def apply(self, theta: jax.Array, x: jax.Array) -> jax.Array:
        """Evaluate u at one point: `theta` (P,), `x` (dim,) -> () or (outputs,)."""
        return self.evaluate(self.unflatten(theta), x)

    def evaluate(self, layers: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
        """Evaluate u at one point from parameters that `unflatten` has cut."""
        *hidden, (weights, biases) = layers
        activation = ACTIVATIONS[self.activation]
        for hidden_weights, hidden_biases in hidden:
            x = activation(hidden_weights @ x + hidden_biases)
        u = weights @ x + biases
        return u[0] if self.outputs == 1 else u


@functools.partial(jax.jit, static_argnums=0)
def _scale_and_join(network, draws):
    pieces = []
    for drawn, (rows, columns) in zip(draws, network.layers, strict=True):
        pieces += [drawn[: rows * columns] * (2 / (rows + columns)) ** 0.5, jnp.zeros(rows, drawn.dtype)]
    return jnp.concatenate(pieces)

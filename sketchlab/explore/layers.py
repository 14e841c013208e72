"""What the spectrum explorer does to the layers of an `MLP`: make its activations steeper, and embed it in a wider one."""

import jax
import numpy as np

from sketchlab.networks import MLP


def steepen(network: MLP, theta: jax.Array, scale: float) -> np.ndarray:
    """Multiply the weights and biases of the hidden layers by `scale`: every σ(z) becomes σ(scale z)."""
    rows, columns = network.layers[-1]
    hidden = network.size - rows * (columns + 1)
    # NumPy compiles nothing; JAX would, 0.04 s for every width.
    return np.asarray(theta) * np.where(np.arange(network.size) < hidden, scale, 1).astype(theta.dtype)


def embed(network: MLP, theta: jax.Array, wider: MLP) -> np.ndarray:
    """Return the parameters with which a wider network is the same function: the added weights and biases are zero.

    Embedding a direction v in the parameters keeps its tangent function ∂u/∂θ · v, too.
    """
    pieces, rest = [], np.asarray(theta)
    for (rows, columns), (more_rows, more_columns) in zip(network.layers, wider.layers, strict=True):
        weights, biases, rest = np.split(rest, [rows * columns, rows * (columns + 1)])
        padding = (0, more_rows - rows), (0, more_columns - columns)
        pieces += [np.pad(weights.reshape(rows, columns), padding).ravel(), np.pad(biases, padding[0])]
    return np.concatenate(pieces)

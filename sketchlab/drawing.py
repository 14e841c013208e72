"""What still and live figures share: colours, and the values of functions on a slice of the domain."""

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.problems import Problem

#: Safe for colour-blind readers.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#777777"
COLOURS = (BLUE, ORANGE, GREEN, PINK, "#E69F00", "#56B4E9")

#: Points a side on which fields are drawn.
RESOLUTION = 80


def slice_points(problem: Problem, resolution: int = RESOLUTION) -> tuple[np.ndarray, tuple[int, ...]]:
    """Lay a grid over the first two axes of the box around the domain, all others at its middle: (n, d) and the grid's shape."""
    box, varied = problem.domain, min(problem.dim, 2)
    n = resolution if varied == 2 else 4 * resolution
    ticks = [np.linspace(box.lower[axis], box.upper[axis], n) for axis in range(varied)]
    plane = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, varied)
    middle = (np.add(box.lower, box.upper) / 2)[varied:]
    return np.concatenate([plane, np.tile(middle, (len(plane), 1))], axis=1), (n,) * varied


def masked(problem: Problem, x: np.ndarray, values) -> np.ndarray:
    """Leave gaps (NaN) in values (n,) at those points (n, d) that lie outside of the domain."""
    return np.where(problem.domain.contains(x), values, np.nan)


def exact_values(problem: Problem, x: np.ndarray) -> np.ndarray:
    """Evaluate the known solution at points (n, d): (n,), the first entry of a vector."""
    assert problem.solution is not None
    return first_output(jax.vmap(problem.solution)(jnp.asarray(x)))


def positive(values) -> np.ndarray:
    """Turn what is not above zero into gaps: a logarithmic axis has no place for it."""
    values = np.asarray(values, float)
    return np.where(values > 0, values, np.nan)


def first_output(values) -> np.ndarray:
    """Return the first function's values (n,) of (n,) or (n, outputs)."""
    values = np.asarray(values)
    return values if values.ndim == 1 else values[:, 0]

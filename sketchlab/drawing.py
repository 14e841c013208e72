"""What still and live figures share: colours, and the values of functions on a slice of the domain."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.problems import SUBSCRIPTS, Problem
from sketchlab.validation import InputError, check_instance, check_integer, check_real

#: Apart for colour-blind readers, with their dashes, and with a contrast to white of at least 4.5.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#C24E00", "#007D5B", "#A8467F", "#6B6B6B"
COLOURS = (BLUE, ORANGE, GREEN, PINK, "#8A6400", "#6A51A3")

#: Points a side on which fields are drawn.
RESOLUTION = 80


def slice_points(
    problem: Problem, resolution: int = RESOLUTION, at: Mapping[str, float] | None = None
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Lay a grid over the first two axes of the box around the domain, all others at its middle: (n, d) and the grid's shape.

    `at` fixes axes by name: the grid lies over the first two of the others.
    """
    box, at = problem.domain, {} if at is None else check_instance("at", at, Mapping, 'numbers by axis, as {"t": 0.5}')
    place = np.add(box.lower, box.upper) / 2
    for name, value in at.items():
        if name not in problem.axes:
            raise InputError(f"at = {dict(at)} names no axis of {problem.name!r}: its axes are {', '.join(problem.axes)}.")
        axis = problem.axes.index(name)
        place[axis] = check_real(f"at[{name!r}]", value, box.lower[axis], box.upper[axis])
    free = free_axes(problem, at)
    if not free:
        raise InputError(f"at = {dict(at)} fixes all axes of {problem.name!r}: leave one out.")
    n = resolution if len(free) == 2 else 4 * resolution
    ticks = [np.linspace(box.lower[axis], box.upper[axis], n) for axis in free]
    points = np.tile(place, (n ** len(free), 1))
    points[:, free] = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, len(free))
    return points, (n,) * len(free)


def free_axes(problem: Problem, at: Mapping[str, float] | None = None) -> list[int]:
    """Return the axes over which `slice_points` lays its grid."""
    return [axis for axis, name in enumerate(problem.axes) if name not in (at or {})][:2]


def masked(problem: Problem, x: np.ndarray, values) -> np.ndarray:
    """Leave gaps (NaN) in values (n,) at those points (n, d) that lie outside of the domain."""
    return np.where(problem.domain.contains(x), values, np.nan)


def exact_values(problem: Problem, x: np.ndarray, output: int = 0) -> np.ndarray:
    """Evaluate the known solution at points (n, d): (n,), one entry of a vector."""
    assert problem.solution is not None
    return one_output(jax.vmap(problem.solution)(jnp.asarray(x)), output)


def positive(values) -> np.ndarray:
    """Turn what is not above zero into gaps: a logarithmic axis has no place for it."""
    values = np.asarray(values, float)
    return np.where(values > 0, values, np.nan)


def one_output(values, output: int = 0) -> np.ndarray:
    """Return one function's values (n,) of (n,) or (n, outputs)."""
    values = np.asarray(values)
    return values if values.ndim == 1 else values[:, output]


def name_of_output(problem, output):
    """Return the name of an unknown function, by its number from 0."""
    check_integer("output", output, 0, problem.outputs - 1)
    return "u" if problem.outputs == 1 else f"u{output + 1}".translate(SUBSCRIPTS)

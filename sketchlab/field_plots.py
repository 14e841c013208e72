"""Still figures of functions over the domain: solutions, errors, eigenfunctions."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from sketchlab.drawing import BLUE, ORANGE, exact_values, free_axes, masked, name_of_output, one_output, slice_points
from sketchlab.gramian import Spectrum
from sketchlab.history import Run
from sketchlab.networks import MLP
from sketchlab.plots import RUN, SPECTRUM, new_axes
from sketchlab.problems import Problem
from sketchlab.tangents import tangent_functions
from sketchlab.validation import InputError, check_instance, check_integer, checked_call


@checked_call()
def plot_solution(run: Run, *, output: int = 0, at: Mapping[str, float] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the trained solution: a curve over one axis, a field over two; in more dimensions a slice.

    Parameters
    ----------
    run : Run
    output : int
        Which of the unknown functions, from 0.
    at : dict of str to float, optional
        Axes by name, and where to cut them: ``{"t": 1.0}`` draws the end of the time. Others are cut in their middle, but for
        the first two, over which the slice lies.
    """
    check_instance("run", run, Run, RUN)
    problem, ax, name = run.problem, new_axes(ax), name_of_output(run.problem, output)
    x, shape = slice_points(problem, at=at)
    values = masked(problem, x, one_output(run.solution(x), output))
    title = f"Solution {name}{_others(problem, at)}"
    _draw(ax, problem, x, shape, values, at=at, name=name, title=title, colour=BLUE, cmap="viridis")
    if len(shape) == 1:
        if problem.solution is not None:
            exact = exact_values(problem, x, output)
            ax.plot(x[:, free_axes(problem, at)[0]], exact, color=ORANGE, linestyle="--", label="exact")
        ax.legend()
    return ax


@checked_call()
def plot_error(run: Run, *, output: int = 0, at: Mapping[str, float] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the absolute error of an unknown function, on a logarithmic scale over one axis; `output` and `at` as above.

    Raises
    ------
    InputError
        If the problem has no known solution.
    """
    check_instance("run", run, Run, RUN)
    problem = run.problem
    if problem.solution is None:
        raise InputError(f"problem {problem.name!r} has no known solution to compare with: draw plot_solution instead.")
    ax, name = new_axes(ax), name_of_output(problem, output)
    x, shape = slice_points(problem, at=at)
    values = masked(problem, x, np.abs(one_output(run.solution(x), output) - exact_values(problem, x, output)))
    name = f"|{name} − {name}*|"
    title = f"Error {name}{_others(problem, at)}"
    _draw(ax, problem, x, shape, values, at=at, name=name, title=title, colour=ORANGE, cmap="magma")
    if len(shape) == 1:
        ax.set_yscale("log")
    return ax


@checked_call()
def plot_eigenfunctions(
    problem: Problem,
    network: MLP,
    theta,
    spectrum: Spectrum,
    *,
    indices: Sequence[int] = (1, 2, 3, 10, 30, 100),
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Draw eigenfunctions, what eigenvectors of G do to u, in a grid of small pictures: `tangent_functions` over the domain.

    Parameters
    ----------
    problem, network, theta
    spectrum : Spectrum
        At theta.
    indices : sequence of int
        Which eigenvectors, from 1.
    axes : sequence of Axes, optional
        One for each index.
    """
    check_instance("spectrum", spectrum, Spectrum, SPECTRUM)
    indices = np.atleast_1d(indices).tolist()
    for index in indices:
        check_integer("index", index, 1, spectrum.rank)
    if not indices or not (axes is None or (isinstance(axes, Sequence | np.ndarray) and len(axes) == len(indices))):
        raise InputError(f"indices = {indices}, axes = {axes!r}: give a list of one index or more, and a list of as many axes.")
    x, shape = slice_points(problem)
    vectors = spectrum.right[:, np.asarray(indices) - 1]
    values = np.asarray(tangent_functions(problem, network, theta, vectors, x))
    values = values if values.ndim == 2 else values[:, 0]
    if axes is None:
        columns = min(3, len(indices))
        rows = -(-len(indices) // columns)
        figure = plt.figure(layout="constrained", figsize=(3.2 * columns, 2.7 * rows))
        axes = [figure.add_subplot(rows, columns, i + 1) for i in range(len(indices))]
        figure.suptitle("Eigenfunctions of the Gramian")
    for ax, index, value in zip(axes, indices, values.T, strict=True):
        title, value = f"i = {index}, λ = {float(spectrum.eigenvalues[index - 1]):.0e}", masked(problem, x, value)
        limit = max(float(np.nanmax(np.abs(value))), np.finfo(float).tiny)
        colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
        _draw(ax, problem, x, shape, value, name="∂u/∂θ · vᵢ", title=title, colour=BLUE, **colours)
    return list(axes)


def _draw(ax, problem, x, shape, values, *, name, title, colour, at=None, **colours):
    """Draw a function by its values (n,) on the grid of `slice_points`: a curve over one axis, a field over two."""
    axes = free_axes(problem, at)
    names = [problem.axes[axis] for axis in axes]
    if len(shape) == 1:
        ax.plot(x[:, axes[0]], values, color=colour, label="network")
        ax.set(xlabel=names[0], ylabel=name, title=title)
        return
    first, second = (x[:, axis].reshape(shape) for axis in axes)
    image = ax.pcolormesh(first, second, np.ma.masked_invalid(values.reshape(shape)), shading="gouraud", **colours)
    ax.figure.colorbar(image, ax=ax)
    ax.set(xlabel=names[0], ylabel=names[1], title=title)


def _others(problem, at=None):
    """Say where the axes that are not drawn are cut."""
    cut = "".join(f", {name} = {value:g}" for name, value in (at or {}).items())
    return cut + (", other axes at their middle" if problem.dim > len(at or {}) + 2 else "")

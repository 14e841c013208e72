"""Still figures: each function draws data computed elsewhere into an axes and returns it.

With ``ax=None`` a new figure is made. Colours are safe for colour-blind readers, and every curve differs in its dash pattern too.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from sketchlab.gramian import Spectrum
from sketchlab.problems import Problem
from sketchlab.training import Run
from sketchlab.validation import InputError

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, PINK, "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))

#: Points a side on which fields are drawn.
RESOLUTION = 80


def plot_spectrum(
    spectrum: Spectrum | Mapping[str, Spectrum],
    *,
    rank: int | None = None,
    damping: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw eigenvalues λ = s² against their index, on a logarithmic axis.

    Parameters
    ----------
    spectrum : Spectrum, or dict of label to Spectrum
        Several are drawn over one another, as in ``{"full": …, "sketched": …}``.
    rank : int, optional
        Marked by a vertical line: the sketch drops what is right of it.
    damping : float, optional
        Marked by a horizontal line: directions well below it hardly move.
    """
    ax = _axes(ax)
    labelled = spectrum if isinstance(spectrum, Mapping) else {"eigenvalues": spectrum}
    for i, (label, one) in enumerate(labelled.items()):
        values = np.asarray(one.eigenvalues)
        # A zero has no place on a logarithmic axis: those that a spectrum did not resolve leave a gap.
        values = np.where(values > 0, values, np.nan)
        style = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}
        ax.semilogy(np.arange(1, values.size + 1), values, label=label, **style)
    if rank is not None:
        ax.axvline(rank, color=GREEN, linestyle="-.", label=f"rank {rank}")
    if damping:
        ax.axhline(damping, color=PINK, linestyle=":", label=f"damping {damping:.1e}")
    ax.set(xlabel="index i", ylabel="eigenvalue λᵢ of the Gramian", title="Spectrum")
    ax.legend()
    return ax


def plot_convergence(
    runs: Run | Sequence[Run] | Mapping[str, Run], *, against: str = "steps", quantity: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how runs converge.

    Parameters
    ----------
    runs : Run, sequence of Run, or dict of label to Run
    against : "steps" or "seconds"
    quantity : "relative_error" or "loss", optional
        The error by default, where it is known.
    """
    if against not in ("steps", "seconds"):
        raise InputError(f"against = {against!r} is not known: use 'steps' or 'seconds'.")
    if quantity not in (None, "relative_error", "loss"):
        raise InputError(f"quantity = {quantity!r} is not known: use 'relative_error' or 'loss'.")
    labelled = _labelled(runs)
    if quantity is None:
        known = all(run.history.relative_error is not None for run in labelled.values())
        quantity = "relative_error" if known else "loss"
    for run in labelled.values():
        if getattr(run.history, quantity) is None:
            raise InputError(f"problem {run.problem.name!r} has no known solution, hence no error: use quantity='loss'.")
    ax = _axes(ax)
    for i, (label, run) in enumerate(labelled.items()):
        values = getattr(run.history, quantity)
        x = np.arange(1, len(values) + 1) if against == "steps" else run.history.seconds
        ax.semilogy(x, values, label=label, color=COLOURS[i % len(COLOURS)], linestyle=DASHES[i % len(DASHES)])
    ax.set(xlabel={"steps": "step", "seconds": "seconds, compilation not counted"}[against])
    ax.set(ylabel={"relative_error": "relative L2 error", "loss": "loss ½‖r‖²"}[quantity], title="Convergence")
    ax.legend()
    return ax


def plot_solution(run: Run, *, ax: Axes | None = None) -> Axes:
    """Draw the trained solution: a curve in one dimension, a field in two, the slice through the centre in more."""
    x, shape = slice_points(run.problem)
    values = _first_output(run.solution(x))
    if run.problem.dim > 1:
        return _field(ax, run, x, shape, values, title="Solution u", cmap="viridis")
    ax = _axes(ax)
    ax.plot(x[:, 0], values, color=BLUE, label="network")
    if run.problem.solution is not None:
        ax.plot(x[:, 0], exact_values(run.problem, x), color=ORANGE, linestyle="--", label="exact")
    ax.set(xlabel="x", ylabel="u", title="Solution u")
    ax.legend()
    return ax


def plot_error(run: Run, *, ax: Axes | None = None) -> Axes:
    """Draw the absolute error, on a logarithmic scale in one dimension.

    Raises
    ------
    InputError
        If the problem has no known solution.
    """
    if run.problem.solution is None:
        raise InputError(f"problem {run.problem.name!r} has no known solution to compare with: draw plot_solution instead.")
    x, shape = slice_points(run.problem)
    values = np.abs(_first_output(run.solution(x)) - exact_values(run.problem, x))
    if run.problem.dim > 1:
        return _field(ax, run, x, shape, values, title="Error |u − u*|", cmap="magma")
    ax = _axes(ax)
    ax.semilogy(x[:, 0], values, color=ORANGE)
    ax.set(xlabel="x", ylabel="|u − u*|", title="Error |u − u*|")
    return ax


def slice_points(problem: Problem, resolution: int = RESOLUTION) -> tuple[np.ndarray, tuple[int, ...]]:
    """Lay a grid over the first two axes, all others at the middle of the box: points (n, d) and the grid's shape."""
    box, varied = problem.domain, min(problem.dim, 2)
    n = resolution if varied == 2 else 4 * resolution
    ticks = [np.linspace(box.lower[axis], box.upper[axis], n) for axis in range(varied)]
    plane = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, varied)
    middle = (np.add(box.lower, box.upper) / 2)[varied:]
    return np.concatenate([plane, np.tile(middle, (len(plane), 1))], axis=1), (n,) * varied


def exact_values(problem: Problem, x: np.ndarray) -> np.ndarray:
    """Evaluate the known solution at points (n, d): (n,), the first entry of a vector."""
    return _first_output(jax.vmap(problem.solution)(jnp.asarray(x)))


def _first_output(values):
    values = np.asarray(values)
    return values if values.ndim == 1 else values[:, 0]


def _labelled(runs):
    if isinstance(runs, Mapping):
        return runs
    runs = [runs] if isinstance(runs, Run) else list(runs)
    names = [f"{run.problem.name}, {run.settings.get('optimizer', 'run')}" for run in runs]
    repeated = len(set(names)) < len(names)
    return {f"{name} ({i})" if repeated else name: run for i, (name, run) in enumerate(zip(names, runs, strict=True), 1)}


def _field(ax, run, x, shape, values, *, title, cmap):
    ax = _axes(ax)
    first, second = (x[:, axis].reshape(shape) for axis in range(2))
    image = ax.pcolormesh(first, second, values.reshape(shape), shading="gouraud", cmap=cmap)
    ax.figure.colorbar(image, ax=ax)
    note = "" if run.problem.dim == 2 else ", other axes at their middle"
    ax.set(xlabel="x₁", ylabel="x₂", title=title + note)
    return ax


def _axes(ax):
    return plt.subplots(layout="constrained")[1] if ax is None else ax

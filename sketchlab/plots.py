"""Still figures: each function draws data computed elsewhere into an axes and returns it.

With ``ax=None`` a new figure is made. Colours are safe for colour-blind readers, and every curve differs in its dash pattern too.
"""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from sketchlab.decay import DecayBound
from sketchlab.drawing import BLUE, COLOURS, GREEN, GREY, ORANGE, PINK, exact_values, first_output, masked, positive, slice_points
from sketchlab.gramian import Spectrum, noise_floors
from sketchlab.history import Run
from sketchlab.measurements import Measurements, Misfit
from sketchlab.networks import MLP
from sketchlab.optimality import NearOptimality
from sketchlab.problems import Problem
from sketchlab.tangents import tangent_functions
from sketchlab.validation import InputError, check_array, check_instance, check_integer, check_real, checked_call

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "//", "..", "xx", "--", "++")

#: Where the objects that are drawn come from.
RUN, SPECTRUM = "what sl.train returns", "what sl.spectrum returns"


@checked_call()
def plot_spectrum(
    spectrum: Spectrum | Mapping[str, Spectrum], *, rank: int | None = None, damping: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw eigenvalues λ = s² against their index, on a logarithmic axis, and where rounding errors begin.

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
    if rank is not None:
        check_integer("rank", rank, 1)
    if damping is not None:
        check_real("damping", damping, 0, np.inf)
    for i, (label, one) in enumerate(labelled.items()):
        check_instance("spectrum", one, Spectrum, SPECTRUM)
        values = positive(one.eigenvalues)
        ax.semilogy(np.arange(1, values.size + 1), values, label=label, **_style(i))
    # Of each type of number the floors of its largest spectrum: those of the others lie close by.
    for dtype in {one.dtype: None for one in labelled.values()}:
        largest = max((one for one in labelled.values() if one.dtype == dtype), key=lambda one: float(one.eigenvalues[0]))
        for floor, name in zip(noise_floors(largest), ("J", "JᵀJ"), strict=True):
            ax.axhline(float(floor), color=GREY, linestyle=(0, (1, 2)), linewidth=1)
            note = f"rounding of {name}" + ("" if dtype == np.float64 else f", {dtype.name}")
            ax.annotate(note, (1, float(floor)), (-4, 2), ("axes fraction", "data"), "offset points", ha="right", fontsize=8)
    if rank is not None:
        ax.axvline(rank, color="black", linestyle="-.", linewidth=1, label=f"rank {rank}")
    if damping:
        ax.axhline(damping, color="black", linestyle="--", linewidth=1.5, label=f"damping {damping:.1e}")
    ax.set(xlabel="index i", ylabel="eigenvalue λᵢ of the Gramian", title="Spectrum")
    ax.legend()
    return ax


@checked_call()
def plot_spectrum_history(run: Run, *, ax: Axes | None = None) -> Axes:
    """Draw the eigenvalues that every step of a run saw: a row of colours for each index, steps from left to right.

    Raises
    ------
    InputError
        If the optimizer looks at no eigenvalues.
    """
    check_instance("run", run, Run, RUN)
    eigenvalues = positive(run.history.eigenvalues)
    if not eigenvalues.size:
        raise InputError(f"optimizer {run.settings.get('optimizer')!r} looks at no eigenvalues: train with engd, dual or sngd.")
    ax = _axes(ax)
    steps, indices = (np.arange(n + 1) + 0.5 for n in eigenvalues.shape)
    image = ax.pcolormesh(steps, indices, np.log10(eigenvalues).T, cmap="viridis")
    ax.figure.colorbar(image, ax=ax, label="log₁₀ λᵢ")
    ax.set(xlabel="step", ylabel="index i", title="Spectrum over training")
    return ax


@checked_call()
def plot_shares(spectrum: Spectrum, *, ax: Axes | None = None) -> Axes:
    """Draw which condition each eigenvalue comes from: the shares of ‖Jvᵢ‖² = λᵢ, one above the other.

    Raises
    ------
    InputError
        If the spectrum knows of no conditions: it was made from a bare matrix.
    """
    check_instance("spectrum", spectrum, Spectrum, SPECTRUM)
    if not spectrum.conditions:
        raise InputError("this spectrum was made from a matrix and knows no conditions: compute it with sl.spectrum.")
    ax = _axes(ax)
    index, shares = np.arange(1, spectrum.rank + 1), spectrum.shares
    style = {"colors": COLOURS, "alpha": 0.8, "hatch": HATCHES, "edgecolor": "white", "linewidth": 0}
    ax.stackplot(index, *map(np.asarray, shares.values()), labels=list(shares), step="mid", **style)
    resolved = int(np.sum(np.asarray(spectrum.eigenvalues) > float(spectrum.noise_floor)))
    if resolved < spectrum.rank:
        ax.axvline(resolved, color="black", linestyle=":", label="rounding begins")
    ax.set(xlabel="index i", ylabel="share of λᵢ", title="Where eigenvalues come from")
    ax.set(xlim=(1, max(spectrum.rank, 2)), ylim=(0, 1))
    # Beside the picture: the first eigenvalues are what matters in it.
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
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


@checked_call()
def plot_near_optimality(result: NearOptimality, *, norm: str = "spectral", ax: Axes | None = None) -> Axes:
    """Draw the errors of sketches against the best possible and against the bounds, by power iterations.

    Parameters
    ----------
    result : NearOptimality
    norm : "spectral" or "frobenius"
    """
    check_instance("result", result, NearOptimality, "what sl.near_optimality returns")
    subscript = _chosen("norm", norm, {"spectral": "₂", "frobenius": "_F"})
    ax = _axes(ax)
    values = list(result.bounds)
    sketches = list(dict.fromkeys(sketch for sketch, _ in result.errors))
    width = 0.8 / len(sketches)
    for j, sketch in enumerate(sketches):
        for i, q in enumerate(values):
            errors = getattr(result.errors[sketch, q], norm)
            x = i + (j - (len(sketches) - 1) / 2) * width + np.linspace(-0.3, 0.3, len(errors)) * width
            style = _style(j) | {"linestyle": "none", "marker": MARKERS[j % len(MARKERS)], "markersize": 3.5}
            ax.plot(x, errors, label=sketch if i == 0 else None, **style)
    middle = np.arange(len(values))
    for kind, label, dash in (("expected", "bound of the mean", "--"), ("likely", "bound of all but a few", ":")):
        heights = [getattr(getattr(bounds, kind), norm) for bounds in result.bounds.values()]
        ax.hlines(heights, middle - 0.45, middle + 0.45, color="black", linestyle=dash, label=label)
    optimum = getattr(result.optimum, norm)
    ax.axhline(optimum, color=GREEN, label=f"best of rank {result.rank}")
    ax.axhline(result.floor, color=GREY, linestyle=(0, (1, 2)), linewidth=1, label="rounding of the basis, ε λ₁")
    ax.set(yscale="log", xlabel="power iterations q", ylabel=f"‖G − Ĝ‖{subscript}", title="Sketches against the best")
    ax.set_ylim(bottom=max(optimum / 10, result.floor / 2))
    ax.set_xticks(range(len(values)), [str(q) for q in values])
    ax.legend(fontsize=8, ncols=2)
    return ax


@checked_call()
def plot_decay_bound(bound: DecayBound, spectrum: Spectrum, *, ax: Axes | None = None) -> Axes:
    """Draw the bounds of `decay_bound` over the measured eigenvalues."""
    check_instance("bound", bound, DecayBound, "what sl.decay_bound returns")
    ax = plot_spectrum({"measured": spectrum}, ax=ax)
    for values, label, colour, dash in (
        (bound.plain, "bound by the largest |w|", PINK, ":"),
        (bound.eigenvalues, "sharpened: steep neurons set aside", ORANGE, "--"),
    ):
        ax.semilogy(np.arange(1, len(values) + 1), positive(values), label=label, color=colour, linestyle=dash)
    ax.set(title="Why eigenvalues decay: bound and measurement", xlim=(0, len(bound.eigenvalues) + 1))
    ax.legend()
    return ax


@checked_call()
def plot_memory(
    parameters: Sequence[int], taken: Mapping[str, Sequence[int]], *, at_hand: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the memory that ways to a spectrum take against the size of the network.

    Parameters
    ----------
    parameters : sequence of int
        P
    taken : dict of label to sequence of int
        Bytes at each P, as `spectrum_bytes` tells them.
    at_hand : int, optional
        Bytes of memory that there are, marked by a horizontal line.
    """
    ax = _axes(ax)
    check_instance("taken", taken, Mapping, "a dictionary of lists of bytes, by label")
    for i, (label, values) in enumerate(taken.items()):
        check_array(f"taken[{label!r}]", values)
        if np.shape(values) != np.shape(parameters):
            raise InputError(
                f"taken[{label!r}] has the shape {np.shape(values)}, parameters {np.shape(parameters)}: one for each."
            )
        ax.loglog(parameters, np.asarray(values) / 1e9, label=label, marker=MARKERS[i % len(MARKERS)], **_style(i))
    if at_hand is not None:
        ax.axhline(at_hand / 1e9, color="black", linestyle=":", label="memory at hand")
    ax.set(xlabel="parameters P", ylabel="memory in GB", title="Memory for a spectrum")
    ax.legend(fontsize=8)
    return ax


@checked_call()
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
    labelled = _labelled(runs)
    if quantity is None:
        known = all(run.history.relative_error is not None for run in labelled.values())
        quantity = "relative_error" if known else "loss"
    xlabel = _chosen("against", against, {"steps": "step", "seconds": "seconds, compilation not counted"})
    ylabel = _chosen("quantity", quantity, {"relative_error": "relative L2 error", "loss": "loss ½‖r‖²"})
    for run in labelled.values():
        if getattr(run.history, quantity) is None:
            raise InputError(f"problem {run.problem.name!r} has no known solution, hence no error: use quantity='loss'.")
    ax = _axes(ax)
    for i, (label, run) in enumerate(labelled.items()):
        values = getattr(run.history, quantity)
        x = np.arange(1, len(values) + 1) if against == "steps" else run.history.seconds
        ax.semilogy(x, values, label=label, **_style(i))
    ax.set(xlabel=xlabel, ylabel=ylabel, title="Convergence")
    ax.legend()
    return ax


@checked_call()
def plot_solution(run: Run, *, ax: Axes | None = None) -> Axes:
    """Draw the trained solution: a curve in one dimension, with data, a field in two, the slice through the centre in more."""
    check_instance("run", run, Run, RUN)
    problem, ax = run.problem, _axes(ax)
    x, shape = slice_points(problem)
    values = masked(problem, x, first_output(run.solution(x)))
    _draw(ax, problem, x, shape, values, name="u", title=f"Solution u{_others(problem)}", colour=BLUE, cmap="viridis")
    if problem.dim == 1:
        if problem.solution is not None:
            ax.plot(x[:, 0], exact_values(problem, x), color=ORANGE, linestyle="--", label="exact")
        for condition, region, name in zip(problem.conditions, problem.regions, problem.names, strict=True):
            # Where something else than u was observed, it has another axis.
            seen_itself = isinstance(condition.residual, Misfit) and condition.residual.observed is None
            if isinstance(region, Measurements) and seen_itself:
                seen = region.x[:, 0], region.values[:, 0], region.sigma[:, 0]
                ax.errorbar(*seen, fmt=".", color=GREY, label=name, zorder=1)
        ax.legend()
    return ax


@checked_call()
def plot_error(run: Run, *, ax: Axes | None = None) -> Axes:
    """Draw the absolute error, on a logarithmic scale in one dimension.

    Raises
    ------
    InputError
        If the problem has no known solution.
    """
    check_instance("run", run, Run, RUN)
    problem = run.problem
    if problem.solution is None:
        raise InputError(f"problem {problem.name!r} has no known solution to compare with: draw plot_solution instead.")
    ax = _axes(ax)
    x, shape = slice_points(problem)
    values = masked(problem, x, np.abs(first_output(run.solution(x)) - exact_values(problem, x)))
    title = f"Error |u − u*|{_others(problem)}"
    _draw(ax, problem, x, shape, values, name="|u − u*|", title=title, colour=ORANGE, cmap="magma")
    if problem.dim == 1:
        ax.set_yscale("log")
    return ax


def _labelled(runs):
    listed = list(runs.values() if isinstance(runs, Mapping) else runs if isinstance(runs, Iterable) else [runs])
    for run in listed:
        check_instance("run", run, Run, RUN)
    if isinstance(runs, Mapping):
        return runs
    names = [f"{run.problem.name}, {run.settings.get('optimizer', 'run')}" for run in listed]
    repeated = len(set(names)) < len(names)
    return {f"{name} ({i})" if repeated else name: run for i, (name, run) in enumerate(zip(names, listed, strict=True), 1)}


def _draw(ax, problem, x, shape, values, *, name, title, colour, **colours):
    """Draw a function by its values (n,) on the grid of `slice_points`: a curve in one dimension, a field in more."""
    if problem.dim == 1:
        ax.plot(x[:, 0], values, color=colour, label="network")
        ax.set(xlabel=problem.axes[0], ylabel=name, title=title)
        return
    first, second = (x[:, axis].reshape(shape) for axis in range(2))
    image = ax.pcolormesh(first, second, np.ma.masked_invalid(values.reshape(shape)), shading="gouraud", **colours)
    ax.figure.colorbar(image, ax=ax)
    ax.set(xlabel=problem.axes[0], ylabel=problem.axes[1], title=title)


def _others(problem):
    return ", other axes at their middle" if problem.dim > 2 else ""


def _chosen(name, value, labels):
    """Return the label of a choice, or refuse one that has none."""
    if value not in labels:
        raise InputError(f"{name} = {value!r} is not known: use {' or '.join(map(repr, labels))}.")
    return labels[value]


def _style(i):
    """Return colour and dashes of the i-th of several curves."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}


def _axes(ax):
    if ax is None:
        return plt.subplots(layout="constrained")[1]
    return check_instance("ax", ax, Axes, "axes of Matplotlib, as plt.subplots()[1]")

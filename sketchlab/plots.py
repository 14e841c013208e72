"""Still figures: each function draws data computed elsewhere into an axes and returns it.

With ``ax=None`` a new figure is made. Colours are safe for colour-blind readers, and every curve differs in its dash pattern too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from sketchlab.decay import DecayBound
from sketchlab.drawing import COLOURS, GREEN, GREY, ORANGE, PINK, name_of_output, positive
from sketchlab.gramian import Spectrum, noise_floors
from sketchlab.history import Run
from sketchlab.optimality import NearOptimality
from sketchlab.validation import InputError, check_array, check_instance, check_integer, check_real, checked_call, elements

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
    ax = new_axes(ax)
    labelled = spectrum if isinstance(spectrum, Mapping) else {"eigenvalues": spectrum}
    if rank is not None:
        check_integer("rank", rank, 1)
    if damping is not None:
        check_real("damping", damping, 0, np.inf)
    for i, (label, one) in enumerate(labelled.items()):
        check_instance("spectrum", one, Spectrum, SPECTRUM)
        values = positive(one.eigenvalues)
        ax.semilogy(np.arange(1, values.size + 1), values, label=label, **style_of(i))
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
    ax = new_axes(ax)
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
    ax = new_axes(ax)
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
def plot_near_optimality(result: NearOptimality, *, norm: str = "spectral", ax: Axes | None = None) -> Axes:
    """Draw the errors of sketches against the best possible and against the bounds, by power iterations.

    Parameters
    ----------
    result : NearOptimality
    norm : "spectral" or "frobenius"
    """
    check_instance("result", result, NearOptimality, "what sl.near_optimality returns")
    subscript = _chosen("norm", norm, {"spectral": "₂", "frobenius": "_F"})
    ax = new_axes(ax)
    values = list(result.bounds)
    sketches = list(dict.fromkeys(sketch for sketch, _ in result.errors))
    width = 0.8 / len(sketches)
    for j, sketch in enumerate(sketches):
        for i, q in enumerate(values):
            errors = getattr(result.errors[sketch, q], norm)
            x = i + (j - (len(sketches) - 1) / 2) * width + np.linspace(-0.3, 0.3, len(errors)) * width
            style = style_of(j) | {"linestyle": "none", "marker": MARKERS[j % len(MARKERS)], "markersize": 3.5}
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
    ax = new_axes(ax)
    check_instance("taken", taken, Mapping, "a dictionary of lists of bytes, by label")
    for i, (label, values) in enumerate(taken.items()):
        check_array(f"taken[{label!r}]", values)
        if np.shape(values) != np.shape(parameters):
            raise InputError(
                f"taken[{label!r}] has the shape {np.shape(values)}, parameters {np.shape(parameters)}: one for each."
            )
        ax.loglog(parameters, np.asarray(values) / 1e9, label=label, marker=MARKERS[i % len(MARKERS)], **style_of(i))
    if at_hand is not None:
        check_real("at_hand", at_hand, 0, np.inf, open_high=True)
        ax.axhline(at_hand / 1e9, color="black", linestyle=":", label="memory at hand")
    ax.set(xlabel="parameters P", ylabel="memory in GB", title="Memory for a spectrum")
    ax.legend(fontsize=8)
    return ax


@checked_call()
def plot_convergence(
    runs: Run | Sequence[Run] | Mapping[str, Run], *, against: str = "steps", quantity: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how runs converge; a single run of a system with the error of each of its functions.

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
    ax = new_axes(ax)
    for i, (label, run) in enumerate(labelled.items()):
        values = getattr(run.history, quantity)
        x = np.arange(1, len(values) + 1) if against == "steps" else run.history.seconds
        ax.semilogy(x, values, label=label, **style_of(i))
        outputs = run.history.output_errors
        if quantity == "relative_error" and run.problem.outputs > 1 and len(labelled) == 1 and outputs is not None:
            for output, errors in enumerate(outputs.T):
                ax.semilogy(x, errors, label=name_of_output(run.problem, output), linewidth=1, **style_of(output + 1))
    ax.set(xlabel=xlabel, ylabel=ylabel, title="Convergence")
    ax.legend()
    return ax


def _labelled(runs):
    listed: list[Any] = list(runs.values() if isinstance(runs, Mapping) else elements(runs) or [runs])
    for run in listed:
        check_instance("run", run, Run, RUN)
    if isinstance(runs, Mapping):
        return runs
    names = [f"{run.problem.name}, {run.settings.get('optimizer', 'run')}" for run in listed]
    repeated = len(set(names)) < len(names)
    return {f"{name} ({i})" if repeated else name: run for i, (name, run) in enumerate(zip(names, listed, strict=True), 1)}


def _chosen(name, value, labels):
    """Return the label of a choice, or refuse one that has none."""
    if not isinstance(value, str) or value not in labels:
        raise InputError(f"{name} = {value!r} is not known: use {' or '.join(map(repr, labels))}.")
    return labels[value]


def style_of(i):
    """Return colour and dashes of the i-th of several curves."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}


def new_axes(ax):
    """Return the axes given, or those of a new figure."""
    if ax is None:
        return plt.subplots(layout="constrained")[1]
    return check_instance("ax", ax, Axes, "axes of Matplotlib, as plt.subplots()[1]")

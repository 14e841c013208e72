"""The spectrum explorer: drag the rank, and see what a sketch finds, what it misses, and what it saves."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from sketchlab.drawing import masked, positive, slice_points
from sketchlab.explore.choices import NetworkChoice, ProblemChoice
from sketchlab.explore.controls import Choice, Number
from sketchlab.explore.explorer import Explorer
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, PINK, field, figure, fill, go, heatmap, line, log_axis
from sketchlab.explore.spectrum_record import LARGEST_RANK, RESOLUTION, eigenfunction, find, spell
from sketchlab.memory import memory_at_hand, one_blas_thread
from sketchlab.networks import MLP
from sketchlab.optimality import halko_bounds
from sketchlab.random_matrices import NESTED
from sketchlab.setup import Setup
from sketchlab.sketch import OVERSAMPLING

#: Settings that are remembered with their spectra.
REMEMBERED = 4
#: Controls that need nothing new computed.
QUICK = {"rank", "damping", "eigenfunction"}


class SpectrumExplorer(Explorer):
    """Eigenvalues of the Gramian at the initial parameters, all of them and as a sketch sees them.

    Parameters
    ----------
    problem : str or Problem
    network : str or network
        "usual", what the problem asks for, "mlp", "periodic" or "fourier", or your own.
    **choices
        First values of the other controls, see `controls`.
    """

    name = "spectrum"
    title = "What a sketch sees of the Gramian"
    look_for = (
        "Drag the <b>rank</b>: how many eigenvalues does the sketch need before its error falls below the damping? "
        "Then drag the <b>width</b>: does that number grow as fast as P? Click an eigenvalue to see its eigenfunction."
    )
    primary: ClassVar = ("problem", "width", "rank", "damping", "eigenfunction")

    def __init__(self, problem="heat_1d", network="usual", **choices):
        scale = "Steepness s of the activations, σ(s z), of an mlp: hidden weights times s"
        controls = {
            "problem": ProblemChoice(problem),
            "network": NetworkChoice(network),
            "width": Number("width", 4, 4096, 32, log=True, help="Units of a hidden layer"),
            "depth": Number("depth", 1, 6, 2, help="Hidden layers"),
            "activation_scale": Number("activation scale", 0.1, 30.0, 1.0, log=True, help=scale),
            "points": Number("points", 16, 16384, 500, log=True, help="Collocation points"),
            "dtype": Choice("dtype", ["float64", "float32"], "float64", help="Type of the numbers"),
            "sketch": Choice("sketch", list(NESTED), "gaussian", help="Kind of the random test matrix"),
            "power_iterations": Number("power iterations", 0, 4, 0, help="q: each sharpens the decay that the sketch sees"),
            "seed": Number("seed", 0, 999, 0, help="Of parameters, points and test matrix"),
            "rank": Number("rank k", 1, LARGEST_RANK, 80, live=True, help="Eigenvalues that the sketch keeps"),
            "damping": Number(
                "damping μ/λ₁", 1e-16, 1.0, 1e-8, log=True, live=True, help="In units of λ₁: directions well below stand still"
            ),
            "eigenfunction": Number("eigenfunction i", 1, LARGEST_RANK, 1, live=True, help="Which eigenvector is drawn"),
        }
        super().__init__(controls, choices)
        self._setup = self._found = None
        self._remembered = {}
        self._make_figures()
        self._begin()

    def _forget(self):
        self._setup = self._found = None
        self._remembered.clear()

    def _changed(self, names):
        if names - QUICK or (self._found is None and not self._background.running):
            self._search()
            return
        if self._found is None:
            # The picture that comes takes these controls as they are then.
            return
        if names & {"rank", "damping"}:
            self._draw_sketch()
        if "eigenfunction" in names:
            self._draw_eigenfunction()

    def _search(self):
        # What is on screen is of other settings from now on.
        self._background.drop()
        self._found, found = None, []
        problem, drawn = self.controls["problem"].problem, (self._value(name) for name in ("points", "seed", "dtype"))
        setup = Setup(problem, self._network(problem), *drawn)
        self.controls["activation_scale"].enable(isinstance(setup.network, MLP))
        choices = {name: self._value(name) for name in ("activation_scale", "sketch", "power_iterations")}
        # Remembered by what is computed: a number that a residual reads from outside may have changed.
        key = (setup.least_squares, setup.seed, setup.dtype, *choices.values(), *(np.asarray(x).tobytes() for x in setup.draw()))
        self._say(f"computing for P = {setup.parameters:,} parameters …", "busy")

        def piece():
            found.append(self._recall(key, lambda: find(setup, **choices)))
            return False

        def show(_):
            self._setup, self._found = setup, found[0]
            self._draw_all()

        self._background.start(piece, show)

    def _recall(self, key, compute):
        # The latest comes last.
        self._remembered[key] = found = self._remembered.pop(key, None) or compute()
        for oldest in list(self._remembered)[:-REMEMBERED]:
            del self._remembered[oldest]
        return found

    def _make_figures(self):
        hover = "λ%{x} = %{y:.3e}<extra></extra>"
        ring = {"mode": "markers", "marker": {"size": 11, "symbol": "circle-open", "color": ORANGE}}
        self.spectrum_figure = figure(
            "Eigenvalues of the Gramian",
            {"title": "index i"},
            log_axis("eigenvalue λᵢ"),
            [
                line("all", GREY, hover=hover),
                line("sketched", BLUE, hover=hover),
                line("rank", GREEN, "dash"),
                line("damping", PINK, "dot"),
                line("rounding of J", GREY, "dot"),
                line("rounding of JᵀJ", GREY, "longdashdot"),
                line("eigenfunction", ORANGE, hover=hover, **ring),
            ],
        )
        for trace in self.spectrum_figure.data[:2]:
            trace.on_click(lambda trace, points, _: self._choose(points.point_inds))
        self.error_figure = figure(
            "Error of the sketch, ‖G − Ĝ‖",
            {"title": "rank k"},
            log_axis("spectral norm"),
            [
                line("best possible, λₖ₊₁", GREEN),
                line("bound of the mean (Gaussian)", GREY, "dash"),
                line("seen so far", BLUE, mode="markers", marker={"size": 6, "color": BLUE}),
                line("this rank", ORANGE, mode="markers", marker={"size": 11, "color": ORANGE}),
                line("damping", PINK, "dot"),
                line("rounding of a basis, ε λ₁", GREY, "dot"),
            ],
        )
        bars = go.Bar(
            orientation="h",
            textposition="outside",
            cliponaxis=False,
            marker={"color": [BLUE, GREY, GREY]},
            hovertemplate="%{x:.3g} MB<extra></extra>",
            name="memory",
        )
        self.memory_figure = figure(
            "Memory",
            log_axis("MB", dtick=1),
            {"automargin": True},
            [bars, line("memory at hand", ORANGE, "dash", hover="%{x:.3g} MB<extra>memory at hand</extra>")],
            showlegend=False,
        )
        self.eigenfunction_figure = None

    def _draw_all(self):
        found = self._found
        self._errors = {}
        moved = self._value("rank") > found.largest_rank
        with self._moving():
            for name in ("rank", "eigenfunction"):
                self.controls[name].value = min(self._value(name), found.largest_rank)
        self._draw_full()
        self._draw_limits()
        self._draw_sketch(f"Rank moved to {found.largest_rank}, the largest that fits here. " if moved else "")
        self._draw_eigenfunction()
        self._show_settings()

    def _draw_full(self):
        found = self._found
        eigenvalues = np.zeros(0) if found.eigenvalues is None else found.eigenvalues
        fill(self.spectrum_figure.data[0], np.arange(1, len(eigenvalues) + 1), positive(eigenvalues))
        self.spectrum_figure.layout.title.text = f"Eigenvalues of the Gramian, P = {found.network.size:,}, N = {found.rows:,}"

    def _draw_limits(self):
        """Draw what is possible, and what theory promises, at every rank."""
        eigenvalues = self._found.eigenvalues
        best, bound = self.error_figure.data[:2]
        last = 0 if eigenvalues is None else min(len(eigenvalues) - OVERSAMPLING, LARGEST_RANK)
        ranks = np.unique(np.geomspace(2, last - 1, 30).astype(int)) if last > 3 else []
        q = self._value("power_iterations")
        with self.error_figure.batch_update():
            fill(best, np.arange(1, last), positive(eigenvalues[1:last] if last else []))
            fill(bound, ranks, [halko_bounds(eigenvalues, k, OVERSAMPLING, q).expected.spectral for k in ranks])
        # Outside the batch, which would reach the other curves too.
        bound.visible = self._value("sketch") == "gaussian"
        self._draw_memory()

    def _draw_sketch(self, note=""):
        found, rank = self._found, min(self._value("rank"), self._found.largest_rank)
        with one_blas_thread():
            singular_values, vectors = found.sketches.ritz(rank)
            if found.eigenvalues is not None and rank not in self._errors:
                self._errors[rank] = found.error(singular_values, vectors)
        values = singular_values.astype(float) ** 2
        damping, epsilon = self._value("damping") * values[0], float(jnp.finfo(self._setup.dtype).eps)
        known = values if found.eigenvalues is None else found.eigenvalues
        ends = [1, len(known)]
        _, sketched, rank_line, damping_line, rounding, squared, _ = self.spectrum_figure.data
        with self.spectrum_figure.batch_update():
            fill(sketched, np.arange(1, rank + 1), positive(values))
            fill(rank_line, [rank, rank], [epsilon**2 * values[0], values[0]])
            fill(damping_line, ends, [damping] * 2)
            fill(rounding, ends, [epsilon**2 * values[0]] * 2)
            fill(squared, ends, [epsilon * values[0]] * 2)
        self._draw_error(rank, min(len(known), LARGEST_RANK), damping, epsilon * values[0])
        self._draw_bar(rank)
        self._say(note + self._report(rank, np.sum(known / (known + damping))), "idle")

    def _report(self, rank, dimension):
        found = self._found
        least = "at least " if found.eigenvalues is None else ""
        says = f"Effective dimension d(μ) = {least}{dimension:.1f} of P = {found.network.size:,}. "
        if found.eigenvalues is None:
            return says + "The full spectrum is too much work here, so no error of the sketch is known."
        best = found.eigenvalues[rank] if rank < len(found.eigenvalues) else 0.0
        missed = f"misses ‖G − Ĝ‖ = {self._errors[rank]:.1e}; the best of that rank misses {best:.1e}."
        return f"{says}The sketch of rank {rank} {missed}"

    def _draw_error(self, rank, last, damping, rounding):
        *_, seen, now, damping_line, rounding_line = self.error_figure.data
        with self.error_figure.batch_update():
            fill(seen, list(self._errors), list(self._errors.values()))
            fill(now, [rank] if self._errors else [], [self._errors[rank]] if self._errors else [])
            fill(damping_line, [1, last], [damping] * 2)
            fill(rounding_line, [1, last], [rounding] * 2)

    def _sizes(self, rank):
        """Return the bytes of the sketch, of J and of G."""
        rows, parameters = self._found.rows, self._found.network.size
        columns = min(rank + OVERSAMPLING, rows, parameters)
        numbers = np.array([(rows + parameters) * columns, rows * parameters, parameters**2])
        return numbers * jnp.dtype(self._setup.dtype).itemsize

    def _draw_memory(self):
        names = ["sketch: Q, JQ", "J, N × P", "G, P × P"]
        memory = memory_at_hand()
        self.memory_figure.data[0].y = names
        fill(self.memory_figure.data[1], [memory / 1e6] * 2, [names[0], names[-1]])
        self.memory_figure.layout.title.text = f"Memory, of {spell(memory)} at hand"

    def _draw_bar(self, rank):
        sizes = self._sizes(rank)
        self.memory_figure.data[0].update(x=(sizes / 1e6).tolist(), text=[spell(size) for size in sizes])

    def _choose(self, indices):
        if indices:
            self.controls["eigenfunction"].value = min(indices[0] + 1, LARGEST_RANK)

    def _draw_eigenfunction(self):
        found, problem = self._found, self._setup.problem
        index = min(self._value("eigenfunction"), found.largest_rank)
        with one_blas_thread():
            value, vector = found.eigenpair(index)
        points, shape = slice_points(problem, RESOLUTION)
        values = masked(problem, points, eigenfunction(problem, found.network, found.theta, vector))
        if self.eigenfunction_figure is None or self._axes != problem.axes:
            self._make_eigenfunction_figure(problem)
        live = self.eigenfunction_figure
        with live.batch_update():
            if problem.dim == 1:
                fill(live.data[0], points[:, 0], values)
            else:
                limit = float(np.nanmax(np.abs(values))) or 1.0
                field(live.data[0], points, shape, values, zmin=-limit, zmax=limit)
            live.layout.title.text = f"Eigenfunction {index}, λ = {value:.1e}"
        fill(self.spectrum_figure.data[-1], [index], positive([value]))

    def _make_eigenfunction_figure(self, problem):
        self._axes = problem.axes
        axes = [{"title": name} for name in problem.axes[:2]]
        if problem.dim == 1:
            live = figure("", axes[0], {"title": "∂u/∂θ · vᵢ"}, [line("eigenfunction", BLUE)])
        else:
            live = figure("", *axes, [heatmap("RdBu_r")])
        self.eigenfunction_figure = live
        self._put(self.spectrum_figure, self.error_figure, self.memory_figure, live)

"""The spectrum explorer: drag the rank, and see what a sketch finds, what it misses, and what it saves."""

from collections import OrderedDict
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg

from sketchlab.drawing import positive, slice_points
from sketchlab.explore.background import one_thread
from sketchlab.explore.controls import Choice, Number
from sketchlab.explore.explorer import Explorer, ProblemChoice
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, PINK, field, figure, fill, go, heatmap, line, log_axis
from sketchlab.gramian import Spectrum, noise_floors
from sketchlab.memory import memory_at_hand, rank_for
from sketchlab.networks import MLP
from sketchlab.optimality import halko_bounds
from sketchlab.random_matrices import SKETCHES
from sketchlab.residuals import LeastSquares
from sketchlab.sketch import OVERSAMPLING
from sketchlab.spectra import Survey, survey, tangent_functions
from sketchlab.training import initial_theta
from sketchlab.validation import InputError

#: Largest N P min(N, P) whose full spectrum is computed: about half a second of work.
FULL_WORK = 3e9
#: Largest rank on the slider.
LARGEST_RANK = 400
#: Settings that are remembered with their spectra.
REMEMBERED = 4
#: Controls that need nothing new computed.
QUICK = {"rank", "damping", "eigenfunction"}
#: Points a side of an eigenfunction.
RESOLUTION = 50


class Found(NamedTuple):
    """A survey with what it was made of: `network`, `theta`, the number of `rows`, and `overlap`, VᵀQ, if V is there."""

    network: MLP
    theta: jnp.ndarray
    rows: int
    survey: Survey
    overlap: np.ndarray | None

    @property
    def largest_rank(self) -> int:
        """Columns of the sketch, but for those beyond the rank where there are any."""
        columns = len(self.survey.sketches.triangle)
        return columns if columns == min(self.rows, self.network.size) else columns - OVERSAMPLING


class SpectrumExplorer(Explorer):
    """Eigenvalues of the Gramian at the initial parameters, all of them and as a sketch sees them.

    Parameters
    ----------
    problem : str or Problem
    **choices
        First values of the other controls, see `controls`.
    """

    name = "spectrum"
    title = "What a sketch sees of the Gramian"
    look_for = (
        "Drag the <b>rank</b>: how many eigenvalues does the sketch need before its error falls below the damping? "
        "Then drag the <b>width</b>: does that number grow as fast as P? Click an eigenvalue to see its eigenfunction."
    )

    def __init__(self, problem="heat_1d", **choices):
        scale = "Steepness s of the activations, σ(s z): hidden weights times s"
        controls = {
            "problem": ProblemChoice(problem),
            "width": Number("width", 4, 4096, 32, log=True, help="Units of a hidden layer"),
            "depth": Number("depth", 1, 6, 2, help="Hidden layers"),
            "activation_scale": Number("activation scale", 0.1, 30.0, 1.0, log=True, help=scale),
            "points": Number("points", 16, 16384, 500, log=True, help="Collocation points"),
            "dtype": Choice("dtype", ["float64", "float32"], "float64", help="Type of the numbers"),
            "sketch": Choice("sketch", list(SKETCHES), "gaussian", help="Kind of the random test matrix"),
            "power_iterations": Number(
                "power iterations", 0, 4, 0, help="Power iterations q: each sharpens the decay for the sketch"
            ),
            "seed": Number("seed", 0, 999, 0, help="Of parameters, points and test matrix"),
            "rank": Number("rank k", 1, LARGEST_RANK, 80, live=True, help="Eigenvalues that the sketch keeps"),
            "damping": Number("damping", 1e-16, 1.0, 1e-8, log=True, live=True, help="μ / λ₁: directions well below stand still"),
            "eigenfunction": Number(
                "eigenfunction i", 1, LARGEST_RANK, 1, live=True, help="Which eigenvector is drawn as a function"
            ),
        }
        super().__init__(controls, choices)
        self._found = None
        self._remembered = OrderedDict()
        self._compiled_for = set()
        self._make_figures()
        self._begin()

    def _changed(self, names):
        if names - QUICK or self._found is None:
            self._survey()
            return
        if names & {"rank", "damping"}:
            self._draw_sketch()
        if "eigenfunction" in names:
            self._draw_eigenfunction()

    def _survey(self):
        chosen = {name: self._value(name) for name in self.controls if name not in QUICK}
        chosen["problem"] = self.controls["problem"].problem
        # What a compilation depends on.
        shape = tuple(value for name, value in chosen.items() if name not in ("seed", "activation_scale"))
        self._say(f"{'computing' if shape in self._compiled_for else 'compiling'} for width {chosen['width']} …", "busy")

        def piece():
            self._found = self._remember(tuple(chosen.items()), lambda: _find(**chosen))
            self._compiled_for.add(shape)
            return False

        def show(_):
            self._draw_all()

        self._background.start(piece, show)

    def _remember(self, key, find):
        if key not in self._remembered:
            self._remembered[key] = find()
        self._remembered.move_to_end(key)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return self._remembered[key]

    def _make_figures(self):
        hover = "λ%{x} = %{y:.3e}<extra></extra>"
        dots = {"mode": "lines+markers", "marker": {"size": 4}, "hover": hover}
        self.spectrum_figure = figure(
            "Eigenvalues of the Gramian",
            {"title": "index i"},
            log_axis("eigenvalue λᵢ"),
            [
                line("all", GREY, **dots),
                line("sketched", BLUE, **dots),
                line("rank", GREEN, "dash"),
                line("damping", PINK, "dot"),
                line("rounding of J", GREY, "dot"),
                line("rounding of JᵀJ", GREY, "longdashdot"),
                line(
                    "eigenfunction",
                    ORANGE,
                    mode="markers",
                    marker={"size": 11, "symbol": "circle-open", "color": ORANGE},
                    hover=hover,
                ),
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
            orientation="h", marker={"color": [BLUE, GREY, GREY]}, hovertemplate="%{x:.3g} MB<extra></extra>", name="memory"
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
        largest = found.largest_rank
        moved = self._value("rank") > largest
        if moved:
            with self._moving():
                self.controls["rank"].value = largest
        self._draw_full()
        self._draw_sketch(f"Rank moved to {largest}, the largest that points, parameters and memory allow. " if moved else "")
        self._draw_eigenfunction()
        self._show_settings()

    def _draw_full(self):
        found = self._found
        full, rows, parameters = found.survey.full, found.rows, found.network.size
        with self.spectrum_figure.batch_update():
            curve = self.spectrum_figure.data[0]
            if full is None:
                fill(curve, [], [])
            else:
                fill(curve, np.arange(1, full.rank + 1), positive(full.eigenvalues))
            self.spectrum_figure.layout.title.text = f"Eigenvalues of the Gramian, P = {parameters:,}, N = {rows:,}"
        with self.error_figure.batch_update():
            best, bound = self.error_figure.data[:2]
            if full is None:
                fill(best, [], [])
                fill(bound, [], [])
            else:
                eigenvalues = np.asarray(full.eigenvalues, float)
                last = min(len(eigenvalues) - OVERSAMPLING, LARGEST_RANK)
                fill(best, np.arange(1, last), positive(eigenvalues[1:last]))
                ranks = np.unique(np.geomspace(2, max(last - 1, 2), 30).astype(int))
                q = self._value("power_iterations")
                fill(bound, ranks, [halko_bounds(eigenvalues, k, OVERSAMPLING, q).expected.spectral for k in ranks])
        # Outside the batch, which would reach the other curves too.
        bound.visible = self._value("sketch") == "gaussian"

    def _draw_sketch(self, note=""):
        found, rank = self._found, min(self._value("rank"), self._found.largest_rank)
        full, sketches = found.survey
        with one_thread():
            singular_values, vectors = sketches.ritz(rank)
            error = None if full is None else self._errors.get(rank) or _sketch_error(found, singular_values, vectors)
        # Only its eigenvalues are of use here.
        spectrum = Spectrum(singular_values, np.empty((found.rows, 0)), np.empty((found.network.size, 0)))
        damping = self._value("damping") * float(spectrum.eigenvalues[0])
        lowest = [float(floor) for floor in noise_floors(spectrum)]
        self._draw_ritz(spectrum, damping, lowest)
        self._draw_error(rank, error, damping, lowest[1])
        self._draw_memory(rank)
        dimension = float((full or spectrum).effective_dimension(damping))
        says = f"{note}Effective dimension d(μ) = {dimension:.1f} of P = {found.network.size:,}. "
        if error is None:
            says += "The full spectrum is too much work here, so no error of the sketch is known."
        else:
            best = float(full.eigenvalues[rank]) if rank < full.rank else 0.0
            says += f"The sketch of rank {rank} misses ‖G − Ĝ‖ = {error:.1e}; the best of that rank misses {best:.1e}."
        self._say(says, "idle")

    def _draw_ritz(self, spectrum, damping, lowest):
        rank, full = spectrum.rank, self._found.survey.full
        ends = [1, rank if full is None else full.rank]
        _, sketched, rank_line, damping_line, *floors, _ = self.spectrum_figure.data
        with self.spectrum_figure.batch_update():
            fill(sketched, np.arange(1, rank + 1), positive(spectrum.eigenvalues))
            fill(rank_line, [rank, rank], [lowest[0], float(spectrum.eigenvalues[0])])
            fill(damping_line, ends, [damping] * 2)
            for floor, value in zip(floors, lowest, strict=True):
                fill(floor, ends, [value] * 2)

    def _draw_error(self, rank, error, damping, rounding):
        if error is not None:
            self._errors[rank] = error
        full = self._found.survey.full
        ends = [1, min(rank if full is None else full.rank, LARGEST_RANK)]
        *_, seen, now, damping_line, rounding_line = self.error_figure.data
        with self.error_figure.batch_update():
            fill(seen, list(self._errors), list(self._errors.values()))
            fill(now, [rank] if error is not None else [], [error] if error is not None else [])
            fill(damping_line, ends, [damping] * 2)
            fill(rounding_line, ends, [rounding] * 2)

    def _draw_memory(self, rank):
        rows, parameters = self._found.rows, self._found.network.size
        columns = min(rank + OVERSAMPLING, rows, parameters)
        item = jnp.dtype(self._value("dtype")).itemsize / 1e6
        sizes = {
            f"sketch: Q and JQ, (P + N) × {columns}": (rows + parameters) * columns * item,
            "Jacobian J, N × P": rows * parameters * item,
            "Gramian G, P × P": parameters**2 * item,
        }
        with self.memory_figure.batch_update():
            bars, machine = self.memory_figure.data
            bars.update(y=list(sizes), x=list(sizes.values()), text=[_spell(size) for size in sizes.values()])
            memory = memory_at_hand() / 1e6
            fill(machine, [memory, memory], [next(iter(sizes)), list(sizes)[-1]])
            self.memory_figure.layout.title.text = f"Memory: to keep, against {_spell(memory)} at hand (dashed)"

    def _choose(self, indices):
        if indices:
            self.controls["eigenfunction"].value = min(indices[0] + 1, LARGEST_RANK)

    def _draw_eigenfunction(self):
        found, problem = self._found, self.controls["problem"].problem
        full, sketches = found.survey
        index = min(self._value("eigenfunction"), found.largest_rank)
        value, vector = _eigenpair(full, sketches, index)
        points, shape = slice_points(problem, RESOLUTION)
        values = np.asarray(tangent_functions(problem, found.network, found.theta, vector[:, None], points))[..., 0]
        values = values if values.ndim == 1 else values[:, 0]
        if self.eigenfunction_figure is None or self._axes != problem.axes:
            self._make_eigenfunction_figure(problem)
        live = self.eigenfunction_figure
        with live.batch_update():
            if problem.dim == 1:
                fill(live.data[0], points[:, 0], values)
            else:
                limit = float(np.max(np.abs(values))) or 1.0
                field(live.data[0], points, shape, values, zmin=-limit, zmax=limit)
            live.layout.title.text = f"Eigenfunction {index}, λ = {value:.1e}: what a step along vᵢ does to u"
        fill(self.spectrum_figure.data[-1], [index], [value])

    def _make_eigenfunction_figure(self, problem):
        axes = [{"title": name} for name in problem.axes[:2]]
        if problem.dim == 1:
            live = figure("", axes[0], {"title": "∂u/∂θ · vᵢ"}, [line("eigenfunction", BLUE)])
        else:
            live = figure("", *axes, [heatmap("RdBu")])
        self._axes = problem.axes
        former, self.eigenfunction_figure = self.eigenfunction_figure, live
        self._panels.children = [self.spectrum_figure, self.error_figure, self.memory_figure, live]
        if former is not None:
            former.close()


def _find(problem, *, width, depth, activation_scale, points, dtype, sketch, power_iterations, seed):
    network = MLP(problem.dim, width, depth, problem.outputs)
    rows = LeastSquares(problem, network).rows(problem.sample(points, seed=seed))
    theta = network.steepen(initial_theta(network, seed, jnp.dtype(dtype)), activation_scale)
    largest = min(LARGEST_RANK, rank_for(rows, network.size, theta.dtype.itemsize, memory_at_hand()))
    if largest < 1:
        raise InputError(
            f"width {width} makes P = {network.size:,} parameters: even J alone, {rows:,} × {network.size:,}, has "
            f"{_spell(rows * network.size * theta.dtype.itemsize / 1e6)}, and {_spell(memory_at_hand() / 1e6)} are at hand. Take a "
            "smaller width."
        )
    full = rows * network.size * min(rows, network.size) <= FULL_WORK
    options = {"sketch": sketch, "power_iterations": power_iterations, "points": points, "seed": seed, "dtype": dtype}
    found = survey(problem, network, theta, largest_rank=largest, full=full, **options)
    overlap = np.asarray(found.full.right.T @ found.sketches.basis) if full else None
    return Found(network, theta, rows, found, overlap)


def _sketch_error(found, singular_values, vectors):
    """Return ‖G - Ĝ‖ in the coordinates of the eigenvectors, where G is diagonal and a sketch a product of small matrices."""
    eigenvalues = np.asarray(found.survey.full.eigenvalues, float)
    approximate = (found.overlap[:, : len(vectors)] @ vectors).astype(float)
    weights = singular_values.astype(float) ** 2

    def difference(x):
        return eigenvalues * x - approximate @ (weights * (approximate.T @ x))

    operator = scipy.sparse.linalg.LinearOperator((len(eigenvalues),) * 2, difference, dtype=float)
    start = np.random.default_rng(0).standard_normal(len(eigenvalues))
    largest = scipy.sparse.linalg.eigsh(operator, 1, which="LM", tol=1e-2, v0=start, return_eigenvectors=False)
    return float(abs(largest[0]))


def _eigenpair(full, sketches, index):
    """Return the eigenvalue of an index, from 1, and its eigenvector: of G if all are known, else of a sketch."""
    if full is not None:
        return float(full.eigenvalues[index - 1]), full.right[:, index - 1]
    with one_thread():
        singular_values, vectors = sketches.ritz(index)
    return float(singular_values[-1] ** 2), sketches.basis[:, : len(vectors)] @ vectors[:, -1]


def _spell(megabytes):
    return (
        f"{megabytes:.3g} MB"
        if megabytes < 1000
        else f"{megabytes / 1000:,.3g} GB"
        if megabytes < 1e6
        else f"{megabytes / 1e6:,.3g} TB"
    )

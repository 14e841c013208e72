"""The spectrum explorer: drag the rank, and see what a sketch finds, what it misses, and what it saves."""

from collections import OrderedDict
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg

from sketchlab.drawing import positive, slice_points
from sketchlab.explore.controls import Choice, Number
from sketchlab.explore.explorer import Explorer, ProblemChoice
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, PINK, field, figure, fill, go, heatmap, line, log_axis
from sketchlab.gramian import Spectrum, noise_floors
from sketchlab.memory import memory_at_hand
from sketchlab.networks import MLP
from sketchlab.optimality import halko_bounds
from sketchlab.random_matrices import SKETCHES
from sketchlab.residuals import LeastSquares
from sketchlab.sketch import OVERSAMPLING
from sketchlab.spectra import Survey, survey, tangent_functions
from sketchlab.training import initial_theta

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
                    "chosen", ORANGE, mode="markers", marker={"size": 11, "symbol": "circle-open", "color": ORANGE}, hover=hover
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
        largest = min(LARGEST_RANK, len(found.survey.sketches.triangle))
        moved = self._value("rank") > largest
        if moved:
            with self._moving():
                self.controls["rank"].value = largest
        self._draw_full()
        self._draw_sketch(f"Rank moved to {largest}, the largest for these points and parameters. " if moved else "")
        self._draw_eigenfunction(anew=True)
        self._show_settings()

    def _draw_full(self):
        found = self._found
        full, rows, parameters = found.survey.full, found.rows, found.network.size
        with self.spectrum_figure.batch_update():
            curve = self.spectrum_figure.data[0]
            if full is None:
                fill(curve, [], [], name="all (too much work here)")
            else:
                fill(curve, np.arange(1, full.rank + 1), positive(full.eigenvalues), name=f"all {full.rank}")
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
                bound.visible = self._value("sketch") == "gaussian"

    def _draw_sketch(self, note=""):
        found, rank = self._found, min(self._value("rank"), len(self._found.survey.sketches.triangle))
        full, sketches = found.survey
        values = sketches.singular_values(rank) ** 2
        spectrum = Spectrum(values**0.5, np.empty((found.rows, 0)), np.empty((found.network.size, 0)))
        damping = self._value("damping") * values[0]
        count = rank if full is None else full.rank
        with self.spectrum_figure.batch_update():
            _, sketched, rank_line, damping_line, *floors, _ = self.spectrum_figure.data
            fill(sketched, np.arange(1, rank + 1), positive(values), name=f"sketched, k = {rank}")
            lowest = noise_floors(spectrum)
            fill(rank_line, [rank, rank], [float(lowest[0]), values[0]], name=f"rank {rank}")
            fill(damping_line, [1, count], [damping] * 2, name=f"damping μ = {damping:.0e}")
            for floor, value in zip(floors, lowest, strict=True):
                fill(floor, [1, count], [float(value)] * 2)
        dimension = float((full or spectrum).effective_dimension(damping))
        says = f"{note}Effective dimension d(μ) = {dimension:.1f} of P = {found.network.size:,}. "
        with self.error_figure.batch_update():
            *_, seen, now, damping_line, rounding = self.error_figure.data
            for trace, value in ((damping_line, damping), (rounding, float(lowest[1]))):
                fill(trace, [1, min(count, LARGEST_RANK)], [value] * 2)
            if full is None:
                for trace in (seen, now):
                    fill(trace, [], [])
                says += "All eigenvalues are too much work at this size: no error of the sketch is known."
            else:
                error = self._errors.setdefault(rank, _sketch_error(found, rank))
                fill(seen, list(self._errors), list(self._errors.values()))
                fill(now, [rank], [error])
                best = float(full.eigenvalues[rank]) if rank < full.rank else 0.0
                says += f"The sketch of rank {rank} misses ‖G − Ĝ‖ = {error:.1e}; the best of that rank misses {best:.1e}."
        self._draw_memory(rank)
        self._say(says, "idle")

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

    def _draw_eigenfunction(self, anew=False):
        found, problem = self._found, self.controls["problem"].problem
        full, sketches = found.survey
        index = min(self._value("eigenfunction"), len(sketches.triangle))
        value, vector = _eigenpair(full, sketches, index)
        points, shape = slice_points(problem, RESOLUTION)
        values = np.asarray(tangent_functions(problem, found.network, found.theta, vector[:, None], points))[..., 0]
        values = values if values.ndim == 1 else values[:, 0]
        if anew:
            self._make_eigenfunction_figure(problem)
        live = self.eigenfunction_figure
        with live.batch_update():
            if problem.dim == 1:
                fill(live.data[0], points[:, 0], values)
            else:
                limit = float(np.max(np.abs(values))) or 1.0
                field(live.data[0], points, shape, values, zmin=-limit, zmax=limit)
            live.layout.title.text = f"Eigenfunction {index}, λ = {value:.1e}: what a step along vᵢ does to u"
        fill(self.spectrum_figure.data[-1], [index], [value], name=f"i = {index}")

    def _make_eigenfunction_figure(self, problem):
        axes = [{"title": name} for name in problem.axes[:2]]
        if problem.dim == 1:
            live = figure("", axes[0], {"title": "∂u/∂θ · vᵢ"}, [line("eigenfunction", BLUE)])
        else:
            live = figure("", *axes, [heatmap("RdBu")])
        former, self.eigenfunction_figure = self.eigenfunction_figure, live
        self._panels.children = [self.spectrum_figure, self.error_figure, self.memory_figure, live]
        if former is not None:
            former.close()


def _find(problem, *, width, depth, activation_scale, points, dtype, sketch, power_iterations, seed):
    network = MLP(problem.dim, width, depth, problem.outputs)
    rows = LeastSquares(problem, network).rows(problem.sample(points, seed=seed))
    theta = network.steepen(initial_theta(network, seed, jnp.dtype(dtype)), activation_scale)
    full = rows * network.size * min(rows, network.size) <= FULL_WORK
    options = {"sketch": sketch, "power_iterations": power_iterations, "points": points, "seed": seed, "dtype": dtype}
    found = survey(problem, network, theta, largest_rank=LARGEST_RANK, full=full, **options)
    overlap = np.asarray(found.full.right.T @ found.sketches.basis) if full else None
    return Found(network, theta, rows, found, overlap)


def _sketch_error(found, rank):
    """Return ‖G - Ĝ‖ in the coordinates of the eigenvectors, where G is diagonal and a sketch a product of small matrices."""
    full, sketches = found.survey
    eigenvalues, core = np.asarray(full.eigenvalues, float), sketches.gramian(rank).astype(float)
    overlap = found.overlap[:, : len(core)].astype(float)

    def difference(x):
        return eigenvalues * x - overlap @ (core @ (overlap.T @ x))

    operator = scipy.sparse.linalg.LinearOperator((len(eigenvalues),) * 2, difference, dtype=float)
    start = np.random.default_rng(0).standard_normal(len(eigenvalues))
    found = scipy.sparse.linalg.eigsh(operator, 1, which="LM", tol=1e-2, v0=start, return_eigenvectors=False)
    return float(abs(found[0]))


def _eigenpair(full, sketches, index):
    """Return the eigenvalue of an index, from 1, and its eigenvector: of G if all are known, else of the largest sketch."""
    if full is not None:
        return float(full.eigenvalues[index - 1]), full.right[:, index - 1]
    _, s, vectors = np.linalg.svd(np.asarray(sketches.triangle))
    return float(s[index - 1] ** 2), sketches.basis @ vectors[index - 1]


def _spell(megabytes):
    return (
        f"{megabytes:.3g} MB"
        if megabytes < 1000
        else f"{megabytes / 1000:,.3g} GB"
        if megabytes < 1e6
        else f"{megabytes / 1e6:,.3g} TB"
    )

"""The decay explorer: one hidden layer in one dimension, where theory says why the eigenvalues fall."""

import contextlib
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.decay import decay_bound
from sketchlab.domains import Box
from sketchlab.drawing import positive
from sketchlab.explore.controls import Choice, Number
from sketchlab.explore.explorer import Explorer
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, PINK, figure, fill, line, log_axis
from sketchlab.gramian import noise_floors
from sketchlab.networks import MLP
from sketchlab.problems import Problem, interior
from sketchlab.spectra import spectrum

#: L u = γ₀ u + γ₁ u' + γ₂ u''.
OPERATORS = {"u": (1.0, 0.0, 0.0), "u′": (0.0, 1.0, 0.0), "−u″": (0.0, 0.0, -1.0), "u − u″": (1.0, 0.0, -1.0)}
#: Eigenvalues that are bounded.
COUNT = 60


class DecayExplorer(Explorer):
    """Poles of the neurons, the Bernstein ellipse that they leave, and the decay that it promises.

    Parameters
    ----------
    **choices
        First values of the controls, see `controls`.
    """

    name = "decay"
    title = "Why the eigenvalues decay"
    look_for = (
        "Drag the <b>weight scale</b>: steeper neurons have their poles nearer to the interval, the ellipse without poles "
        "shrinks, and the eigenvalues, with their bound, fall more slowly."
    )
    primary: ClassVar = ("scale", "width", "operator")

    def __init__(self, **choices):
        controls = {
            "scale": Number(
                "weight scale", 0.1, 100.0, 1.0, log=True, live=True, help="Every weight times this: steepness of the neurons"
            ),
            "width": Number("neurons", 1, 64, 16, help="Units of the one hidden layer"),
            "operator": Choice("equation L u", list(OPERATORS), "u", help="The linear operator in the residual, L u = data"),
            "points": Number("points", 10, 2000, 200, log=True, help="Collocation points in the interval"),
            "seed": Number("seed", 0, 999, 0, help="Of weights and centres"),
        }
        super().__init__(controls, choices)
        self._make_figures()
        self._begin()

    def _make_figures(self):
        square = {"range": [-2.2, 2.2], "title": "imaginary part", "scaleanchor": "x"}
        self.plane_figure = figure(
            "The complex plane around the interval",
            {"range": [-3.2, 3.2], "title": "real part"},
            square,
            [
                line("interval", BLUE, line={"color": BLUE, "width": 5}, hover="the interval [−1, 1]<extra></extra>"),
                line("ellipse", ORANGE, "dash", hover="%{x:.2f}, %{y:.2f}<extra></extra>"),
                line(
                    "poles",
                    PINK,
                    mode="markers",
                    marker={"color": PINK, "size": 8, "symbol": "x"},
                    hover="%{text}<extra></extra>",
                ),
            ],
        )
        fill(self.plane_figure.data[0], [-1, 1], [0, 0])
        hover = "λ%{x} = %{y:.3e}<extra></extra>"
        self.spectrum_figure = figure(
            "Eigenvalues and their bound",
            {"title": "index i", "range": [0, COUNT + 1]},
            log_axis("eigenvalue λᵢ"),
            [
                line("measured", BLUE, mode="lines+markers", marker={"size": 5}, hover=hover),
                line("bound by the largest |w|", PINK, "dot", hover=hover),
                line("bound, steep neurons set aside", ORANGE, "dash", hover=hover),
                line("rounding of J", GREY, "dot"),
            ],
        )
        self.neurons_figure = figure("The neurons σ(wx + b)", {"title": "x"}, {"title": "tanh(wx + b)"}, [line("neurons", GREEN)])
        self._put(self.plane_figure, self.spectrum_figure, self.neurons_figure)

    def _changed(self, names):
        # Once compiled it takes a few frames' time: done at once, or a steady drag would see nothing before it ends.
        with contextlib.nullcontext() if names - {"scale"} else self._background.waiting():
            super()._changed(names)

    def compute(self, values):
        """Draw a network; return it with its parameters, the spectrum and the bound."""
        network, problem, theta = MLP(1, values["width"], 1), _problem(values["operator"]), draw_weights(values)
        eigenvalues = spectrum(problem, network, theta, points=values["points"], seed=values["seed"])
        coefficients = OPERATORS[values["operator"]]
        return network, theta, eigenvalues, decay_bound(network, theta, problem.domain, count=COUNT, coefficients=coefficients)

    def draw(self, record):
        """Show poles and ellipse, eigenvalues under their bound, and the neurons."""
        network, theta, found, bound = record
        rho = float(np.min(bound.rho))
        angles = np.linspace(0, 2 * np.pi, 181)
        ellipse = (rho * np.exp(1j * angles) + np.exp(-1j * angles) / rho) / 2
        poles = np.concatenate([bound.poles, bound.poles.conj()])
        with self.plane_figure.batch_update():
            _, curve, markers = self.plane_figure.data
            fill(curve, ellipse.real, ellipse.imag)
            fill(markers, poles.real, poles.imag, text=[f"pole, ρ = {r:.3f}" for r in np.tile(bound.rho, 2)])
        index = np.arange(1, COUNT + 1)
        eigenvalues = np.asarray(found.eigenvalues)
        with self.spectrum_figure.batch_update():
            measured, plain, sharpened, rounding = self.spectrum_figure.data
            fill(measured, np.arange(1, eigenvalues.size + 1), positive(eigenvalues))
            fill(plain, index, positive(bound.plain))
            fill(sharpened, index, positive(bound.eigenvalues))
            fill(rounding, [1, COUNT], [float(noise_floors(found)[0])] * 2)
        x = np.linspace(-1, 1, 101)
        (weights, biases), _ = network.unflatten(theta)
        values = np.tanh(np.outer(np.asarray(weights)[:, 0], x) + np.asarray(biases)[:, None])
        # One curve with gaps for all neurons.
        gaps = np.full((len(values), 1), np.nan)
        fill(self.neurons_figure.data[0], np.tile(np.append(x, np.nan), len(values)), np.hstack([values, gaps]).ravel())
        above = int(np.sum(eigenvalues > float(found.noise_floor)))
        self._say(
            f"{above} of {eigenvalues.size} eigenvalues are above rounding errors. All tangent functions are analytic inside the "
            f"ellipse, ρ = {rho:.3f}: in the long run their eigenvalues fall at least as fast as ρ⁻²ⁱ, with ρ² = {rho**2:.3g}.",
            "idle",
        )


def draw_weights(values):
    """Draw weights, and centres in the interval, so that steps lie where they matter; scale the weights."""
    random, width = np.random.default_rng(values["seed"]), values["width"]
    weights, centres = random.standard_normal(width), random.uniform(-1, 1, width)
    amplitudes = random.standard_normal(width) / np.sqrt(width)
    weights *= values["scale"]
    return jnp.concatenate([jnp.asarray(part) for part in (weights, -weights * centres, amplitudes, np.zeros(1))])


def _problem(operator):
    value, slope, bend = OPERATORS[operator]

    def residual(u, x):
        return value * u(x) + slope * partial(u, 0)(x) + bend * laplacian(u)(x)

    return Problem(name=f"L u = {operator}", domain=Box([-1.0], [1.0]), conditions=[interior(residual)])

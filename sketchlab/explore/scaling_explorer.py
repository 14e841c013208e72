"""The scaling explorer: what a step costs as the network grows, measured where it fits, predicted where it does not."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from sketchlab.explore.choices import ProblemChoice
from sketchlab.explore.controls import Number
from sketchlab.explore.explorer import Explorer
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, figure, fill, line, log_axis
from sketchlab.memory import FIT, memory_at_hand
from sketchlab.optimizers import dual_natural_gradient, natural_gradient, sketched_natural_gradient
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer

#: Widths of a network of two hidden layers; 1,000 makes over a million parameters.
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1000, 2048)
#: Steps that are timed, after one that is not.
TIMED = 3


class Route(NamedTuple):
    """A way to a natural gradient, with what its step is made of.

    Attributes
    ----------
    make : callable, (k) -> Optimizer
    work : callable, (N, P, k) -> float
        Operations, up to a factor.
    numbers : callable, (N, P, k) -> float
        Numbers held at once, up to a factor.
    colour, dash : str
    """

    make: Callable
    work: Callable
    numbers: Callable
    colour: str
    dash: str


ROUTES = {
    "full": Route(
        lambda k: natural_gradient(),
        lambda n, p, k: n * p * min(n, p),
        lambda n, p, k: n * p + (n + p) * min(n, p) + 4 * min(n, p) ** 2,
        GREY,
        "solid",
    ),
    "dual": Route(
        lambda k: dual_natural_gradient(), lambda n, p, k: n**2 * p + n**3, lambda n, p, k: n * p + n**2, ORANGE, "dash"
    ),
    "sketched": Route(
        lambda k: sketched_natural_gradient(rank=k),
        lambda n, p, k: n * p * k,
        lambda n, p, k: n * p + (n + p) * k,
        BLUE,
        "dashdot",
    ),
}


class ScalingExplorer(Explorer):
    """Time and memory of a step by the full spectrum, by the kernel and by a sketch, over the number of parameters.

    Parameters
    ----------
    problem : str or Problem
    **choices
        First values of the other controls, see `controls`.
    """

    name = "scaling"
    title = "What a step costs as the network grows"
    look_for = (
        "Press <b>Run</b>: dots are measured, lines are a law fitted to them. Where do the lines cross? Move the <b>points</b>: "
        "the kernel (dual) is cheap while there are few of them."
    )
    primary: ClassVar = ("problem", "points", "rank")
    in_hand = "measurement"
    actions: ClassVar = {
        "run": "Measure, from small to large",
        "pause": "Stop after the measurement in hand",
        "reset": "Forget what was measured",
    }

    def __init__(self, problem="heat_1d", **choices):
        controls = {
            "problem": ProblemChoice(problem),
            "points": Number("points N", 32, 16384, 512, log=True, help="Collocation points"),
            "rank": Number("rank k", 1, 400, 64, help="Of the sketch; less where a network has fewer parameters"),
            "largest_width": Number("largest width", 8, 2048, 1000, log=True, help="Largest width that is measured"),
            "seconds": Number(
                "patience (s)", 0.1, 60.0, 10.0, log=True, help="Longest step, in seconds, that is measured, not predicted"
            ),
        }
        super().__init__(controls, choices)
        self._begin()

    def run(self) -> None:
        """Measure in the background, from small networks to large ones, what has not been measured."""
        if not self._background.running:
            self._say_next()
            self._background.start(self._advance, self._draw)

    def reset(self) -> None:
        """Forget what was measured."""
        self._background.drop()
        self.error = None
        self._set_up()

    def run_sync(self, measurements: int | None = None) -> "ScalingExplorer":
        """Take so many measurements, or all, here and now; raises what goes wrong, and returns the explorer."""
        while self._waiting and measurements != 0:
            self._background.do(self._advance)
            measurements = None if measurements is None else measurements - 1
        self._draw(False)
        return self

    def _changed(self, names):
        self.reset()

    def _set_up(self):
        self._problem = self.controls["problem"].problem
        self._points, self._rank = self._value("points"), self._value("rank")
        widths = [width for width in WIDTHS if width <= self._value("largest_width")]
        self._waiting = [(width, route) for width in widths for route in ROUTES]
        #: (seconds, bytes) by (P, route): bytes alone, with no seconds, where it would not fit.
        self.measured = {}
        self._rows = Setup(self._problem, self._problem.network(WIDTHS[0]), self._points).rows
        self._make_figures()
        self._draw_memory_line()
        self._say("Press Run.", "idle")

    def _make_figures(self):
        panels, predicted = [], "P = %{x:,}: %{y:.3g}<extra>predicted</extra>"
        sizes = log_axis("parameters P", dtick=1, range=np.log10([self._size(WIDTHS[0]) / 1.2, self._size(WIDTHS[-1]) * 1.2]))
        for title, axis in (("Time of a step", "seconds"), ("Memory of a step", "GB")):
            traces = []
            for name, route in ROUTES.items():
                dots = {"mode": "markers", "marker": {"size": 9, "color": route.colour}}
                traces += [
                    line(name, route.colour, **dots, hover="P = %{x:,}: %{y:.3g}<extra>measured</extra>"),
                    line(f"{name}, law", route.colour, route.dash, hover=predicted, showlegend=False),
                ]
            last = line(
                "crossings",
                GREEN,
                mode="markers+text",
                marker={"symbol": "x", "size": 10, "color": GREEN},
                # Crossings lie near each other where there are few points.
                textposition=["top left", "bottom right", "top right"],
            )
            traces += [
                last if axis == "seconds" else line("memory at hand", GREEN, "dot"),
                line("a million parameters", GREY, "longdash"),
            ]
            panels.append(figure(title, sizes, log_axis(axis, dtick=1), traces, showlegend=True, corner="top left"))
        former = self.figures
        self.time_figure, self.memory_figure = panels
        self._panels.children = panels
        for old in former:
            old.close()

    def _say_next(self):
        if self._waiting:
            width, route = self._waiting[0]
            self._say(f"measuring {route} at width {width}, {self._size(width):,} parameters …", "running")

    def _size(self, width):
        return self._problem.network(width).size

    def _advance(self):
        """Measure what is next: this runs beside the kernel, and touches no widget."""
        # Held here: a Reset meanwhile begins another table.
        measured, problem, points, rank = self.measured, self._problem, self._points, self._rank
        width, name = self._waiting.pop(0)
        size, route = self._size(width), ROUTES[name]
        law = self._law(name, 0, route.work)
        if law is None or law(size) <= self._value("seconds"):
            measured[size, name] = _measure(problem, width, points, rank, route)
        return bool(self._waiting)

    def _law(self, name, column, amount):
        """Fit a + b · amount(N, P, k) to what was measured, by least squares of relative errors; None before two measurements."""
        # A third of a second to load, for the one explorer that fits a law.
        from scipy.optimize import nnls

        found = [
            (size, both[column]) for (size, route), both in self.measured.items() if route == name and both[column] is not None
        ]
        if len(found) < 2:
            return None
        sizes, values = np.array(found, float).T

        def basis(p):
            return np.stack([np.ones_like(p), [amount(self._rows, q, min(self._rank, q, self._rows)) for q in p]], axis=1)

        matrix = basis(sizes) / values[:, None]
        scale = np.linalg.norm(matrix, axis=0)
        coefficients = nnls(matrix / scale, np.ones(len(values)))[0] / scale
        return lambda p: (basis(np.atleast_1d(np.asarray(p, float))) @ coefficients).reshape(np.shape(p))

    def _draw(self, more):
        grid = np.geomspace(self._size(WIDTHS[0]), self._size(WIDTHS[-1]), 80)
        laws = {}
        for live, column, unit in ((self.time_figure, 0, 1.0), (self.memory_figure, 1, 1e9)):
            with live.batch_update():
                for i, (name, route) in enumerate(ROUTES.items()):
                    found = {p: both[column] for (p, r), both in self.measured.items() if r == name and both[column] is not None}
                    fill(live.data[2 * i], list(found), np.array(list(found.values())) / unit)
                    law = self._law(name, column, (route.work, route.numbers)[column])
                    if law is not None:
                        fill(live.data[2 * i + 1], grid, law(grid) / unit)
                        laws[name, column] = law(grid)
            # What was put into a batch is read back only after it.
            shown = np.array([value for trace in live.data[: 2 * len(ROUTES)] for value in trace.y], float)
            if shown.size:
                fill(live.data[-1], [1e6, 1e6], [np.nanmin(shown), np.nanmax(shown)])
        says = self._draw_crossings(grid, {name: values for (name, column), values in laws.items() if column == 0})
        if more:
            self._say_next()
        else:
            self._say(
                f"By the fitted laws, {says}." if says else "No two laws to compare yet.", "paused" if self._waiting else "idle"
            )

    def _draw_crossings(self, grid, laws):
        """Mark where the laws of two routes cross; return in words who is cheaper where."""
        x, y, text, throughout = [], [], [], []
        for first, second in (("full", "dual"), ("full", "sketched"), ("dual", "sketched")):
            if first not in laws or second not in laws:
                continue
            difference = np.log(laws[first] / laws[second])
            crossings = np.flatnonzero(difference[:-1] * difference[1:] < 0)
            if not crossings.size:
                cheaper, other = (second, first) if difference[0] > 0 else (first, second)
                throughout.append(f"{cheaper} is cheaper than {other} at every P")
            for i in crossings:
                part = difference[i] / (difference[i] - difference[i + 1])
                x.append(grid[i] ** (1 - part) * grid[i + 1] ** part)
                y.append(np.exp(np.interp(np.log(x[-1]), np.log(grid), np.log(laws[first]))))
                cheaper = second if difference[i + 1] > 0 else first
                text.append(f"{cheaper} becomes cheaper than {first if cheaper == second else second}")
        fill(self.time_figure.data[-2], x, y, text=[f"P = {p:,.0f}" for p in x], hovertext=text)
        return "; ".join([f"{words} at P = {p:,.0f}" for words, p in zip(text, x, strict=True)] + throughout)

    def _draw_memory_line(self):
        memory = memory_at_hand() / 1e9
        fill(self.memory_figure.data[-2], [self._size(WIDTHS[0]), self._size(WIDTHS[-1])], [memory, memory])


def _measure(problem, width, points, rank, route):
    """Return the seconds and the bytes of a step; no seconds if it does not fit into memory."""
    setup = Setup(problem, problem.network(width), points)
    trainer = Trainer(problem, setup.network, route.make(min(rank, setup.parameters, setup.rows)), points=points)
    if trainer.step_bytes > FIT * memory_at_hand():
        return None, trainer.step_bytes
    # Of the records, in which no error is evaluated.
    seconds = [trainer.step().seconds]
    while len(seconds) <= TIMED:
        seconds.append(trainer.step().seconds)
        # A long step needs no repeat: people are waiting.
        if seconds[1] - seconds[0] > 1:
            break
    return float(np.median(np.diff(seconds))), trainer.step_bytes

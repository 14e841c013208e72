"""The scaling explorer: what a step costs as the network grows, measured where it fits, predicted where it does not."""

from typing import ClassVar

import numpy as np

from sketchlab.explore.choices import ProblemChoice
from sketchlab.explore.controls import Number
from sketchlab.explore.costs import ROUTES, WIDTHS, Costs, crossings
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, figure, fill, line, log_axis
from sketchlab.explore.runner import Runner
from sketchlab.memory import memory_at_hand

#: Colour and dash of a route.
STYLES = {"full": (GREY, "solid"), "dual": (ORANGE, "dash"), "sketched": (BLUE, "dashdot")}
#: What the panels show, and in what unit.
UNITS = {"seconds": 1.0, "bytes": 1e9}


class ScalingExplorer(Runner):
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

    def begin(self):
        """Return a table without measurements."""
        return Costs(self.controls["problem"].problem, *(self._value(name) for name in ("points", "rank", "largest_width")))

    def lay_out(self):
        """Show empty panels, and the memory at hand."""
        self._make_figures()
        memory = memory_at_hand() / UNITS["bytes"]
        fill(self.memory_figure.data[-2], [self.work.size(WIDTHS[0]), self.work.size(WIDTHS[-1])], [memory, memory])
        self._say("Press Run.", "idle")

    def run(self) -> None:
        """Measure in the background, from small networks to large ones, what has not been measured."""
        if self.work is not None and not self.work.unfinished:
            self._say("All is measured. Reset forgets it.", "idle")
        else:
            super().run()

    @property
    def _doing(self):
        return f"measuring {self.work.next} …"

    def _make_figures(self):
        predicted = "P = %{x:,}: %{y:.3g}<extra>predicted</extra>"
        ends = np.array([self.work.size(WIDTHS[0]) / 1.2, self.work.size(WIDTHS[-1]) * 1.2])
        sizes = log_axis("parameters P", dtick=1, range=np.log10(ends))
        # Crossings lie near each other where there are few points.
        crosses = {
            "marker": {"symbol": "x", "size": 10, "color": GREEN},
            "textposition": ["top left", "bottom right", "top right"],
        }
        marks = {
            "seconds": line("crossings", GREEN, mode="markers+text", **crosses),
            "bytes": line("memory at hand", GREEN, "dot"),
        }
        panels = []
        for what, (title, axis) in zip(UNITS, (("Time of a step", "seconds"), ("Memory of a step", "GB")), strict=True):
            traces = []
            for name, (colour, dash) in STYLES.items():
                dots = {"mode": "markers", "marker": {"size": 9, "color": colour}}
                traces += [
                    line(name, colour, **dots, hover="P = %{x:,}: %{y:.3g}<extra>measured</extra>"),
                    line(f"{name}, law", colour, dash, hover=predicted, showlegend=False),
                ]
            traces += [marks[what], line("a million parameters", GREY, "longdash")]
            panels.append(figure(title, sizes, log_axis(axis, dtick=1), traces, showlegend=True, corner="top left"))
        self.time_figure, self.memory_figure = panels
        self._put(*panels)

    def draw(self, record):
        """Show what was measured, the laws, and where they cross."""
        grid = np.geomspace(record.size(WIDTHS[0]), record.size(WIDTHS[-1]), 80)
        laws = {(name, what): law(grid) for what in UNITS for name in ROUTES if (law := record.law(name, what)) is not None}
        for live, (what, unit) in zip((self.time_figure, self.memory_figure), UNITS.items(), strict=True):
            shown = []
            with live.batch_update():
                for i, name in enumerate(ROUTES):
                    found, law = record.found(name, what), laws.get((name, what))
                    values = np.array(list(found.values())) / unit
                    fill(live.data[2 * i], list(found), values)
                    shown.append(values)
                    if law is not None:
                        fill(live.data[2 * i + 1], grid, law / unit)
                        shown.append(law / unit)
                shown = np.concatenate(shown)
                if shown.size:
                    fill(live.data[-1], [1e6, 1e6], [shown.min(), shown.max()])
        says = self._draw_crossings(grid, {name: values for (name, what), values in laws.items() if what == "seconds"})
        if self._background.running:
            self._say(self._doing, "running")
        else:
            self._say(f"By the fitted laws, {says}." if says else "No two laws to compare yet.", self._stage)

    def _draw_crossings(self, grid, laws):
        """Mark where the laws of two routes cross; return in words who is cheaper where."""
        found, throughout = crossings(grid, laws)
        x, y, words = zip(*found, strict=True) if found else ((), (), ())
        fill(self.time_figure.data[-2], x, y, text=[f"P = {p:,.0f}" for p in x], hovertext=list(words))
        return "; ".join([f"{said} at P = {p:,.0f}" for said, p in zip(words, x, strict=True)] + throughout)

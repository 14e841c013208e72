"""The race explorer: optimizers step by turns on the same problem, network, points and seeds."""

import html
from typing import ClassVar

import ipywidgets as widgets
import numpy as np

from sketchlab.drawing import positive
from sketchlab.explore.background import Throttle
from sketchlab.explore.choices import NetworkChoice, ProblemChoice
from sketchlab.explore.controls import Choice, Number, Words
from sketchlab.explore.live import COLOURS, DASHES, fade, figure, fill, line, log_axis
from sketchlab.explore.race import Race
from sketchlab.explore.runner import Runner
from sketchlab.reading import read_optimizer
from sketchlab.setup import Setup
from sketchlab.validation import InputError

#: Who starts, if nothing else is asked for; and what is suggested.
STARTERS = ("sngd(rank=80)", "engd()", "adam(learning_rate=0.01)", "lbfgs()", "", "")
SUGGESTIONS = (*filter(None, STARTERS), "dual()", "gd()", 'sngd(rank=80, preset="paper")', 'sngd(rank="auto")')
#: Errors whose first seconds are in the table.
MARKS = (1e-2, 1e-4, 1e-6, 1e-8)


class RaceExplorer(Runner):
    """Optimizers side by side: same problem, network, points and seeds, under equal steps or equal seconds.

    Parameters
    ----------
    problem : str or Problem
    network : str or network
        "usual", what the problem asks for, "mlp", "periodic" or "fourier", or your own.
    **choices
        First values of the other controls, see `controls`; ``optimizer_1="sngd(rank=80)"`` and so on up to six.
    """

    name = "race"
    title = "A race of optimizers"
    look_for = (
        "Press <b>Run</b>: who is ahead over steps, and who over seconds? One seed proves nothing: the band is what lies between "
        "the luckiest and the unluckiest seed."
    )
    primary: ClassVar = ("problem", "optimizer_1", "optimizer_2", "optimizer_3", "optimizer_4", "equal", "budget")
    actions: ClassVar = {
        "run": "Start the race, or go on with it",
        "pause": "Stop after this step",
        "reset": "Forget the race",
    }

    def __init__(self, problem="heat_1d", network="usual", **choices):
        controls = {
            "problem": ProblemChoice(problem),
            "network": NetworkChoice(network),
            "width": Number("width", 2, 1024, 16, log=True, help="Units of a hidden layer"),
            "depth": Number("depth", 1, 6, 2, help="Hidden layers"),
            "points": Number("points", 16, 16384, 300, log=True, help="Collocation points"),
            "seeds": Number("seeds", 1, 10, 3, help="So many seeds, from 0: each gives everyone new parameters and points"),
            "equal": Choice("equal", ["steps", "seconds"], "steps", help="What everyone may use up, and the horizontal axis"),
            "budget": Number("budget", 1, 2000, 60, log=True, help="So many steps, or seconds, for everyone and each seed"),
        }
        for i, text in enumerate(STARTERS, 1):
            controls[f"optimizer_{i}"] = Words(f"optimizer {i}", text, suggestions=SUGGESTIONS, help="As in Python, or empty")
        super().__init__(controls, choices)
        self._frames = Throttle(0.2)
        self._table = widgets.HTML()
        self._begin()

    def run(self) -> None:
        """Race in the background, from where it paused or from the start; after the end from the start again."""
        if self.work is not None and not (self.work.unfinished or self._background.running):
            self.reset()
        super().run()

    _doing = "compiling …"

    def _changed(self, names):
        if self.work is None:
            self.reset()
        else:
            self._say(self._waiting_note(self.work.raced) or "The controls say what is raced.")

    def reset(self) -> None:
        """Forget the race."""
        self._background.drop()
        self.error, self.work, self._table.value = None, None, ""
        self._put(self._table)
        self._say("Press Run.", "idle")
        self._guard(self._optimizers)
        self._show_settings()

    def _optimizers(self):
        """Return the optimizers that the controls name, by their text."""
        texts = [self._value(name).strip() for name in self.controls if name.startswith("optimizer_")]
        texts = [text for text in texts if text]
        # The same settings are the same optimizer, however they are written.
        optimizers = [read_optimizer(text) for text in texts]
        if len(set(optimizers)) < max(len(texts), 2):
            raise InputError(f"a race takes two or more different optimizers, not {', '.join(texts) or 'none'}.")
        return dict(zip(texts, optimizers, strict=True))

    def begin(self):
        """Line the optimizers up."""
        problem, raced = self.controls["problem"].problem, dict(self._values)
        return Race(Setup(problem, self._network(problem), raced["points"]), self._optimizers(), raced)

    def lay_out(self):
        """Show an empty figure with a curve and a band for each."""
        race, traces = self.work, []
        for i, lane in enumerate(race.lanes):
            colour = COLOURS[i % len(COLOURS)]
            area = {"fill": "toself", "fillcolor": fade(colour), "line": {"width": 0, "color": colour}}
            traces += [
                line(f"band of {lane.text}", colour, showlegend=False, hoverinfo="skip", **area),
                line(lane.text, colour, list(DASHES)[i % len(DASHES)]),
            ]
        axis = "step" if race.raced["equal"] == "steps" else "seconds, compilation not counted"
        title = f"{race.setup.problem.name}, P = {race.setup.parameters:,}: median and range over seeds"
        quantity = {"loss": "loss", "relative_error": "relative L2 error"}[race.quantity]
        self.race_figure = figure(title, {"title": axis}, log_axis(quantity, dtick=1), traces)
        self.race_figure.add_class("sketchlab-wide")
        self._put(self.race_figure, self._table)

    def draw(self, record):
        """Show curves, bands and the table."""
        if record.last is None:
            return
        with self.race_figure.batch_update():
            for i, lane in enumerate(record.lanes):
                x, low, middle, high = record.curves(lane)
                band, curve = self.race_figure.data[2 * i : 2 * i + 2]
                fill(band, np.append(x, x[::-1]), positive(np.append(low, high[::-1])))
                fill(curve, x, positive(middle))
        self._table.value = _table(record)
        text, seed = record.last
        done = "" if record.unfinished else "Finished. "
        self._say(f"{self._waiting_note(record.raced)}{done}Seed {seed}, last step by {text}.", self._stage)

    def _numbers(self):
        raw = {}
        for lane in [] if self.work is None else self.work.lanes:
            for seed, (seconds, errors) in enumerate(self.work.histories(lane)):
                raw |= {f"{lane.text}.seed_{seed}.seconds": seconds, f"{lane.text}.seed_{seed}.errors": errors}
        return super()._numbers() | raw


def _table(race):
    """Return the results so far as a table in HTML."""
    quantity = "loss" if race.quantity == "loss" else "error"
    marks = [f"to {mark:.0e}" for mark in MARKS]
    heads = ["optimizer", quantity, "best … worst", *marks, "a step", "memory"]
    rows = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for lane in race.lanes:
        runs = race.histories(lane)
        if not runs:
            continue
        last = [errors[-1] for _, errors in runs]
        cells = [
            f"{np.median(last):.1e}",
            f"{min(last):.1e} … {max(last):.1e}",
            *[_first_seconds(runs, mark) for mark in MARKS],
            f"{1e3 * np.median([seconds[-1] / len(seconds) for seconds, _ in runs]):.1f} ms",
            f"{lane.step_bytes / 1e6:,.1f} MB",
        ]
        ended = [reason for reason in lane.ended if reason]
        note = f" ({', '.join(dict.fromkeys(ended))}: {len(ended)} of {len(runs)})" if ended else ""
        rows.append(f"<tr><td>{html.escape(lane.text + note)}</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    about = (
        f"Median {quantity} over seeds; best and worst; seconds to so small a one, and how many arrived if not all; memory "
        "of a step, by the compiler's account."
    )
    return f"<table>{''.join(rows)}</table><small>{about}</small>"


def _first_seconds(runs, mark):
    """Spell the median of the seconds after which runs were at a mark, and how many were, if not all."""
    arrived = [seconds[np.argmax(errors <= mark)] for seconds, errors in runs if np.any(errors <= mark)]
    if not arrived:
        return "–"
    return f"{np.median(arrived):.2g}" + (f" ({len(arrived)}/{len(runs)})" if len(arrived) < len(runs) else "")

"""The race explorer: optimizers step by turns on the same problem, network, points and seeds."""

import html
from dataclasses import dataclass, field
from typing import ClassVar

import ipywidgets as widgets
import numpy as np

from sketchlab.drawing import positive
from sketchlab.explore.background import Throttle
from sketchlab.explore.choices import NetworkChoice, ProblemChoice
from sketchlab.explore.controls import Choice, Number, Words
from sketchlab.explore.explorer import Explorer
from sketchlab.explore.live import COLOURS, DASHES, fade, figure, fill, line, log_axis
from sketchlab.history import Record
from sketchlab.optimizers import Optimizer
from sketchlab.reading import read_optimizer
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer
from sketchlab.validation import InputError

#: Who starts, if nothing else is asked for; and what is suggested.
STARTERS = ("sngd(rank=80)", "engd()", "adam(learning_rate=0.01)", "lbfgs()", "", "")
SUGGESTIONS = (*filter(None, STARTERS), "dual()", "gd()", 'sngd(rank=80, preset="paper")', 'sngd(rank="auto")')
#: Errors whose first seconds are in the table.
MARKS = (1e-2, 1e-4, 1e-6, 1e-8)
#: Points of a curve over seconds.
GRID = 120


@dataclass
class Lane:
    """One optimizer in a race: its `trainer` once there is one, and for each seed that has begun its records and why it ended."""

    text: str
    optimizer: Optimizer
    trainer: Trainer | None = None
    step_bytes: int = 0
    runs: list[tuple[Record, ...]] = field(default_factory=list)
    ended: list[str | None] = field(default_factory=list)


class RaceExplorer(Explorer):
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
        self.lanes = []
        self._begin()

    def run(self) -> None:
        """Race in the background, from where it paused or from the start."""
        if self._background.running:
            return
        if not self.lanes or self._next() is None:
            self.reset()
            self._line_up()
        self._say("compiling …", "running")
        self._background.start(self._advance, self._draw)

    def run_sync(self, turns: int | None = None) -> "RaceExplorer":
        """Take so many steps, or all of the race, here and now; raises what goes wrong, and returns the explorer."""
        if not self.lanes:
            self._line_up()
        while self._next() is not None and turns != 0:
            self._background.do(self._advance)
            turns = None if turns is None else turns - 1
        self._draw(False)
        return self

    def _forget(self):
        self.lanes = []

    def _changed(self, names):
        if not self.lanes:
            self._set_up()
            self._optimizers()
        else:
            self._say(self._waiting_note(self._raced) or "The controls say what is raced.")

    def _optimizers(self):
        """Return the optimizers that the controls name, by their text."""
        texts = [self._value(name).strip() for name in self.controls if name.startswith("optimizer_")]
        texts = [text for text in texts if text]
        # The same settings are the same optimizer, however they are written.
        optimizers = [read_optimizer(text) for text in texts]
        if len(set(optimizers)) < max(len(texts), 2):
            raise InputError(f"a race takes two or more different optimizers, not {', '.join(texts) or 'none'}.")
        return dict(zip(texts, optimizers, strict=True))

    def _line_up(self):
        problem, raced = self.controls["problem"].problem, {name: self._value(name) for name in self.controls}
        setup = Setup(problem, self._network(problem), raced["points"])
        lanes = [Lane(text, optimizer) for text, optimizer in self._optimizers().items()]
        for lane in lanes:
            try:
                lane.optimizer.init(setup.least_squares, setup.theta(), setup.draw(), key=setup.keys()[1])
            except InputError as error:
                raise InputError(f"{lane.text}: {error}") from error
        self.lanes, self._setup, self._raced = lanes, setup, raced
        self._make_figure()

    def _next(self):
        """Return the lane whose turn it is, the one that used least, and its seed: the first that somebody has to finish."""
        for seed in range(self._raced["seeds"]):
            waiting = [lane for lane in self.lanes if self._used(lane, seed) < self._raced["budget"]]
            if waiting:
                return min(waiting, key=lambda lane: self._used(lane, seed)), seed
        return None

    def _used(self, lane, seed):
        """Return the steps or seconds that a lane has used with a seed; all of them if it is through, or has ended by itself."""
        if seed >= len(lane.runs):
            return 0
        if seed < len(lane.runs) - 1 or lane.ended[seed]:
            return np.inf
        records = lane.runs[seed]
        if self._raced["equal"] == "steps":
            return len(records)
        return records[-1].seconds if records else 0

    def _advance(self):
        """Let the lane whose turn it is take a step, in a thread of its own, where no widget is read or moved."""
        (lane, seed), setup = self._next(), self._setup
        if lane.trainer is None:
            trainer = Trainer(setup.problem, setup.network, lane.optimizer, points=setup.points, seed=seed)
            trainer.check_memory()
            lane.trainer, lane.step_bytes = trainer, trainer.step_bytes
        if len(lane.runs) <= seed:
            if seed:
                lane.trainer.restart(seed)
            lane.runs.append(())
            lane.ended.append(None)
        lane.trainer.step()
        lane.runs[seed], lane.ended[seed] = lane.trainer.records, lane.trainer.ended
        self._last = lane.text, seed
        return self._next() is not None

    def _set_up(self):
        self._table.value, self._last, self.lanes = "", None, []
        self._put(self._table)
        self._say("Press Run.", "idle")

    def _make_figure(self):
        traces = []
        for i, lane in enumerate(self.lanes):
            colour = COLOURS[i % len(COLOURS)]
            area = {"fill": "toself", "fillcolor": fade(colour), "line": {"width": 0, "color": colour}}
            traces += [
                line(f"band of {lane.text}", colour, showlegend=False, hoverinfo="skip", **area),
                line(lane.text, colour, list(DASHES)[i % len(DASHES)]),
            ]
        quantity = "loss" if self._setup.problem.solution is None else "relative L2 error"
        axis = "step" if self._raced["equal"] == "steps" else "seconds, compilation not counted"
        title = f"{self._setup.problem.name}, P = {self._setup.parameters:,}: median and range over seeds"
        self.race_figure = figure(title, {"title": axis}, log_axis(quantity, dtick=1), traces)
        self.race_figure.add_class("sketchlab-wide")
        self._put(self.race_figure, self._table)

    def _draw(self, more):
        if self._last is None:
            return
        with self._frame(more) as due:
            if due:
                self._draw_all(more)

    def _draw_all(self, more):
        with self.race_figure.batch_update():
            for i, lane in enumerate(self.lanes):
                x, low, middle, high = self._curves(lane)
                band, curve = self.race_figure.data[2 * i : 2 * i + 2]
                fill(band, np.append(x, x[::-1]), positive(np.append(low, high[::-1])))
                fill(curve, x, positive(middle))
        self._table.value = self._make_table()
        text, seed = self._last
        done = "" if more or self._next() is not None else "Finished. "
        state = "running" if more else "paused" if self._next() else "idle"
        self._say(f"{self._waiting_note(self._raced)}{done}Seed {seed}, last step by {text}.", state)

    def _curves(self, lane):
        """Return x, and smallest, median and largest error over seeds at x: where some seeds have got, over those."""
        runs = [self._history(records) for records in lane.runs if records]
        if not runs:
            return (np.zeros(0),) * 4
        if self._raced["equal"] == "steps":
            longest = max(len(errors) for _, errors in runs)
            x = np.arange(1, longest + 1)
            errors = np.array([np.append(errors, np.full(longest - len(errors), np.nan)) for _, errors in runs])
        else:
            # What has been reached by then: the last step before.
            x = np.linspace(0, max(seconds[-1] for seconds, _ in runs), GRID)[1:]
            errors = np.full((len(runs), len(x)), np.nan)
            for row, (seconds, values) in zip(errors, runs, strict=True):
                last = np.searchsorted(seconds, x, side="right") - 1
                reached = (last >= 0) & (x <= seconds[-1] + x[0])
                row[reached] = values[last[reached]]
        known = ~np.all(np.isnan(errors), axis=0)
        x, errors = x[known], errors[:, known]
        return x, np.nanmin(errors, axis=0), np.nanmedian(errors, axis=0), np.nanmax(errors, axis=0)

    def _history(self, records):
        """Return seconds and errors of a run, the loss where no solution is known; what is non-finite counts as infinite."""
        quantity = "loss" if self._setup.problem.solution is None else "relative_error"
        errors = np.array([getattr(record, quantity) for record in records], float)
        return np.array([record.seconds for record in records]), np.where(np.isfinite(errors), errors, np.inf)

    def _make_table(self):
        """Return the results so far as a table in HTML."""
        quantity = "loss" if self._setup.problem.solution is None else "error"
        marks = [f"to {mark:.0e}" for mark in MARKS]
        heads = ["optimizer", quantity, "best … worst", *marks, "a step", "memory"]
        rows = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
        for lane in self.lanes:
            runs = [self._history(records) for records in lane.runs if records]
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

    def _numbers(self):
        raw = {}
        for lane in self.lanes:
            for seed, records in enumerate(lane.runs):
                seconds, errors = self._history(records)
                raw |= {f"{lane.text}.seed_{seed}.seconds": seconds, f"{lane.text}.seed_{seed}.errors": errors}
        return super()._numbers() | raw


def _first_seconds(runs, mark):
    """Spell the median of the seconds after which runs were at a mark, and how many were, if not all."""
    arrived = [seconds[np.argmax(errors <= mark)] for seconds, errors in runs if np.any(errors <= mark)]
    if not arrived:
        return "–"
    return f"{np.median(arrived):.2g}" + (f" ({len(arrived)}/{len(runs)})" if len(arrived) < len(runs) else "")

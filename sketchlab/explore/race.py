"""A race of optimizers: everyone steps by turns on the same problem, network, points and seeds; it knows of no widget."""

from dataclasses import dataclass, field

import numpy as np

from sketchlab.history import Record
from sketchlab.optimizers import Optimizer
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer
from sketchlab.validation import InputError

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


class Race:
    """Optimizers side by side.

    Parameters
    ----------
    setup : Setup
    optimizers : dict of str to Optimizer
        By what they are called.
    raced : dict
        What is raced: so many ``seeds``, and for each the ``budget`` of everyone, in what is ``equal``: "steps" or "seconds".

    Raises
    ------
    InputError
        If an optimizer refuses the network or the points.
    """

    def __init__(self, setup: Setup, optimizers: dict[str, Optimizer], raced: dict):
        self.setup, self.raced = setup, raced
        self.lanes = [Lane(text, optimizer) for text, optimizer in optimizers.items()]
        #: Who took the last step, and with what seed.
        self.last: tuple[str, int] | None = None
        for lane in self.lanes:
            try:
                lane.optimizer.init(setup.least_squares, setup.theta(), setup.draw(), key=setup.keys()[1])
            except InputError as error:
                raise InputError(f"{lane.text}: {error}") from error

    @property
    def unfinished(self) -> bool:
        """Whether somebody has steps to take."""
        return self._next() is not None

    def step(self, values: dict) -> None:
        """Let the lane whose turn it is take a step; what is raced was settled at the start."""
        (lane, seed), setup = self._next(), self.setup
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
        self.last = lane.text, seed

    def _next(self):
        """Return the lane whose turn it is, the one that used least, and its seed: the first that somebody has to finish."""
        for seed in range(self.raced["seeds"]):
            waiting = [lane for lane in self.lanes if self._used(lane, seed) < self.raced["budget"]]
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
        if self.raced["equal"] == "steps":
            return len(records)
        return records[-1].seconds if records else 0

    @property
    def quantity(self) -> str:
        """What is compared: "relative_error", or the "loss" where no solution is known."""
        return "loss" if self.setup.problem.solution is None else "relative_error"

    def histories(self, lane: Lane) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return for each seed of a lane seconds and errors after each step; what is non-finite counts as infinite."""
        found = []
        for records in filter(None, lane.runs):
            errors = np.array([getattr(record, self.quantity) for record in records], float)
            found.append((np.array([record.seconds for record in records]), np.where(np.isfinite(errors), errors, np.inf)))
        return found

    def curves(self, lane: Lane) -> tuple[np.ndarray, ...]:
        """Return x, and smallest, median and largest error over seeds at x: where some seeds have got, over those."""
        runs = self.histories(lane)
        if not runs:
            return (np.zeros(0),) * 4
        if self.raced["equal"] == "steps":
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

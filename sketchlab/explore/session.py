"""A training run that an explorer steers; it knows of no widget."""

import inspect
import time
from dataclasses import dataclass, field

import numpy as np

from sketchlab.explore.background import Throttle
from sketchlab.marching import March
from sketchlab.optimizers import OPTIMIZERS, Optimizer
from sketchlab.reading import make_optimizer
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer

#: Controls of options of optimizers: they apply from the next step on.
LIVE = ("rank", "search", "momentum", "learning_rate")
#: Largest N P min(N, P) whose full spectrum is computed now and then during a run: about a tenth of a second of work.
FULL_WORK = 1e9


@dataclass
class Session:
    """One run, from a Reset to the next."""

    setup: Setup
    #: The controls that it was set up for.
    structure: dict
    #: None until the first step.
    trainer: Trainer | March | None = None
    #: What the controls described at the last step.
    optimizer: Optimizer | None = None
    #: The steps between which it goes on.
    since: int = 0
    until: int = 0
    #: Whether steps were taken with more than one optimizer.
    switched: bool = False
    #: All of G (r,), as computed last.
    eigenvalues: np.ndarray | None = None
    #: Seconds by the clock from Run to Pause, all together, and when they were looked at last.
    clock: float = 0.0
    looked: float = 0.0
    #: When the next full spectrum is due.
    spectra: Throttle = field(default_factory=lambda: Throttle(3.0))

    def go_on(self, until: int) -> None:
        """Say how many steps there are to take, all together, from now on."""
        self.since, self.until, self.looked = self.taken, until, time.monotonic()

    def step(self, values: dict) -> None:
        """Take a step with the optimizer that the values of the controls describe."""
        self._hand_to(described(values))
        trainer = self.trainer
        if self.affordable and (self.spectra.ready() or self.taken == self.until - 1):
            # Of the parameters that the step starts from, as those that the step sees.
            start = time.monotonic()
            self.eigenvalues = np.asarray(trainer.spectrum().eigenvalues)
            # On a busy machine it takes long: steps get four fifths of the time.
            self.spectra.rest(4 * (time.monotonic() - start))
        trainer.step()
        now = time.monotonic()
        self.clock, self.looked = self.clock + now - self.looked, now

    def _hand_to(self, optimizer):
        if optimizer == self.optimizer:
            return
        # Of no optimizer until all is well: what is refused here is asked again at the next step.
        self.optimizer = None
        if self.trainer is None:
            trainer = self._begun(optimizer)
            trainer.check_memory()
            self.trainer = trainer
        else:
            self.switched = self.switched or self.taken > 0
            self.trainer.switch(optimizer)
            self.trainer.check_memory()
        self.optimizer = optimizer

    def _begun(self, optimizer):
        setup, slabs = self.setup, self.structure["slabs"]
        given = {"points": setup.points, "seed": setup.seed}
        if slabs == 1:
            return Trainer(setup.problem, setup.network, optimizer, **given)
        return March(setup.problem, setup.network, optimizer, slabs=slabs, steps=self.structure["steps"], **given)

    @property
    def taken(self) -> int:
        """Steps taken."""
        return 0 if self.trainer is None else len(self.trainer.records)

    @property
    def unfinished(self) -> bool:
        """Whether there are steps to take, and sense in it: whoever wants to go on after an end may try one."""
        return self.taken < self.until and not (self.taken > self.since and self.trainer.ended)

    @property
    def affordable(self) -> bool:
        """Whether the full spectrum is little enough work."""
        rows, parameters = self.setup.rows, self.setup.parameters
        return rows * parameters * min(rows, parameters) <= FULL_WORK


def described(values: dict) -> Optimizer:
    """Return the optimizer that the values of the controls describe."""
    taken = options(values)
    return make_optimizer(values["optimizer"], **{option: values[option] for option in LIVE if option in taken})


def options(values: dict):
    """Return the names of the options that the optimizer chosen takes."""
    return inspect.signature(OPTIMIZERS[values["optimizer"]]).parameters

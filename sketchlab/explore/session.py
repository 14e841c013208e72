"""A run that an explorer steers."""

import time
from dataclasses import dataclass

import numpy as np

from sketchlab.marching import March
from sketchlab.optimizers import Optimizer
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer

#: Largest N P min(N, P) whose full spectrum is computed now and then during a run: about a tenth of a second of work.
FULL_WORK = 1e9


@dataclass
class Session:
    """One run, from a Reset to the next: a step that ends after a Reset belongs to the session before, and disturbs nobody."""

    setup: Setup
    #: The controls that it was set up for.
    structure: dict
    #: None until the first step.
    trainer: Trainer | March | None = None
    #: What the controls described at the last step.
    optimizer: Optimizer | None = None
    #: The step to pause at.
    until: int = 0
    #: Whether steps were taken with more than one optimizer.
    switched: bool = False
    #: All of G (r,), as computed last.
    eigenvalues: np.ndarray | None = None
    #: Seconds by the clock from Run to Pause, all together, and when they were looked at last.
    clock: float = 0.0
    looked: float = 0.0

    def tick(self) -> None:
        """Count the time since it was last looked at."""
        now = time.monotonic()
        self.clock, self.looked = self.clock + now - self.looked, now

    @property
    def taken(self) -> int:
        """Steps taken."""
        return 0 if self.trainer is None else len(self.trainer.records)

    @property
    def unfinished(self) -> bool:
        """Whether there are steps to take, and sense in it."""
        return self.taken < self.until and not (self.taken and self.trainer.ended)

    @property
    def affordable(self) -> bool:
        """Whether the full spectrum is little enough work."""
        rows, parameters = self.setup.rows, self.setup.parameters
        return rows * parameters * min(rows, parameters) <= FULL_WORK

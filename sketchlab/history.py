"""What a training run leaves: a record for every step, their history as arrays, and the run itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.networks import solve
from sketchlab.optimizers import Optimizer
from sketchlab.problems import Problem
from sketchlab.setup import check_dtype
from sketchlab.validation import check_array

#: Why a run ended, and what to do about it.
STOP_REASONS = {
    "steps": "it took the steps that it was given",
    "seconds": "its time was up",
    "tolerance": "the tolerance was reached",
    "callback": "a callback asked for it",
    "interrupted": "it was interrupted",
    "error": "an exception was raised",
    "solved": "the loss is zero",
    "non-finite": (
        "the loss or its derivatives were non-finite several steps in a row. Look for a division by zero, or for a root or a "
        "logarithm near zero, in the residuals; or try another seed, or a smaller learning rate"
    ),
    "stalled": (
        "many steps in a row were refused, for none lowered the loss. It may be as low as rounding errors allow; if not, try a "
        "larger rank, other points, another search, or dtype='float64'"
    ),
}


class TrainingWarning(UserWarning):
    """A run ended early for a reason that needs attention."""


class Record(NamedTuple):
    """One step as it was taken: its number from 1, what the optimizer said, the held-out error, and seconds so far."""

    step: int
    loss: float
    relative_error: float | None
    output_errors: np.ndarray
    damping: float
    step_norm: float
    accepted: bool
    finite: bool
    seconds: float
    eigenvalues: np.ndarray
    sketch_error: float


#: Types of what has one number or truth value for each step; of eigenvalues and errors of outputs there are several.
COLUMNS = {
    name: bool if kind is bool else float
    for name, kind in Record.__annotations__.items()
    if name not in ("step", "eigenvalues", "output_errors")
}


@dataclass(frozen=True)
class History:
    """What happened, an entry for each step.

    Attributes
    ----------
    loss : (n,)
        ½‖r‖² after the step; for Adam, before it.
    relative_error : (n,) or None
        ‖u - u*‖ / ‖u*‖ in L2 on held-out points; ‖u‖ alone where u* is zero; None for a problem without a known solution.
    damping : (n,)
        μ of the step, or of the best one that was refused; 0 where there is none.
    step_norm : (n,)
    accepted, finite : (n,) bool
    seconds : (n,)
        Time spent in steps, from the first one; compilation and error evaluation are not in it.
    eigenvalues : (n, m)
        The eigenvalues of G that each step saw, before it moved; NaN where a smaller sketch saw fewer; m = 0 for a first-order
        method.
    rank : (n,) int
        Directions that each step was made of, 0 for a first-order method.
    sketch_error : (n,)
        Bound on the part of J that the sketch missed, in the units of a singular value (`co_range_finder`, with the columns that
        were spent on it as probes); 0 without a sketch.
    output_errors : (n, outputs) or None
        The relative error of each unknown function by itself.
    """

    loss: np.ndarray
    relative_error: np.ndarray | None
    damping: np.ndarray
    step_norm: np.ndarray
    accepted: np.ndarray
    finite: np.ndarray
    seconds: np.ndarray
    eigenvalues: np.ndarray
    rank: np.ndarray
    sketch_error: np.ndarray
    output_errors: np.ndarray | None = None

    def __len__(self):
        return len(self.loss)

    @classmethod
    def from_records(cls, records: Sequence[Record], *, has_solution: bool) -> "History":
        """Turn records into arrays."""
        columns: dict[str, Any] = {
            name: np.array([getattr(record, name) for record in records], kind) for name, kind in COLUMNS.items()
        }
        rank = np.array([len(record.eigenvalues) for record in records], int)
        eigenvalues = np.full((len(records), rank.max(initial=0)), np.nan)
        for row, record in zip(eigenvalues, records, strict=True):
            row[: len(record.eigenvalues)] = record.eigenvalues
        if has_solution:
            outputs = np.array([record.output_errors for record in records], float).reshape(len(records), -1)
        else:
            outputs = columns["relative_error"] = None
        return cls(**columns, output_errors=outputs, eigenvalues=eigenvalues, rank=rank)

    def records(self) -> list[Record]:
        """Turn the arrays back into records."""
        columns: dict[str, Any] = {name: column.tolist() for name in COLUMNS if (column := getattr(self, name)) is not None}
        columns = {"relative_error": [None] * len(self)} | columns
        columns["output_errors"] = np.empty((len(self), 0)) if self.output_errors is None else self.output_errors
        return [
            Record(i + 1, eigenvalues=self.eigenvalues[i, :rank], **{name: column[i] for name, column in columns.items()})
            for i, rank in enumerate(self.rank)
        ]


@dataclass(frozen=True)
class Run:
    """A finished or interrupted training: a record that `save` keeps, `load` brings back, and `resume` continues.

    Attributes
    ----------
    problem : Problem
        With the weights that it was trained with.
    network : network
    theta : (P,)
    history : History
    stop_reason : str
        An entry of `STOP_REASONS`; `advice` says what to do about it.
    settings : dict
        What it was made with, fit for JSON: optimizer and its options, points, seed, dtype, sampler, weights, device …
    optimizer : Optimizer or None
        None where a file does not say, or cannot.
    state : tuple of arrays, or None
        What the optimizer remembers.
    points : tuple of (n_c, d), or None
        The collocation points of the last step.
    """

    problem: Problem
    network: Any
    theta: np.ndarray
    history: History
    stop_reason: str
    settings: dict = field(default_factory=dict)
    optimizer: Optimizer | None = None
    state: tuple | None = None
    points: tuple | None = None

    def solution(self, x) -> jax.Array:
        """Evaluate the trained network: (n, d) -> (n,) or (n, outputs).

        Raises
        ------
        InputError
            If x holds no points of the domain's dimension, or the run is one of 64-bit numbers and JAX has them off.
        """
        check_dtype(self.theta.dtype.name)
        x = jnp.asarray(check_array("x", x), self.theta.dtype)
        self.problem.check_points(x)
        return solve(self.network)(jnp.asarray(self.theta), x)

    @property
    def constants(self) -> dict[str, float]:
        """Values of the constants that the network learns beside the solution (`WithConstants`), by name."""
        if not hasattr(self.network, "constants"):
            return {}
        found = self.network.constants(self.network.unflatten(jnp.asarray(self.theta)))
        return {name: float(value) for name, value in found.items()}

    @property
    def advice(self) -> str:
        """Why the run ended, and what to do about it."""
        return f"{len(self.history)} steps: {STOP_REASONS[self.stop_reason]}."

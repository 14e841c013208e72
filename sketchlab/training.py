"""Training: the loop around a compiled step, what it records, and how a run is kept.

`Trainer` holds the loop's state and advances it one step at a time, for whoever wants the hand on the wheel (the
explorers); `train` drives a `Trainer` until something says stop, and returns a `Run`. Everything between the
collocation points and the new parameters is one compiled function, compiled before the clock starts; plain Python is
outside, so that callbacks, pausing and Ctrl-C work.
"""

import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import ThreadpoolController
from tqdm.auto import tqdm

from sketchlab.domains import Sampler, sobol, uniform
from sketchlab.equations import PROBLEMS
from sketchlab.files import replacing
from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.memory import FIT, block_for, bytes_of, compiler_options, memory_at_hand
from sketchlab.networks import MLP
from sketchlab.optimizers import Optimizer, sketched_natural_gradient
from sketchlab.problems import Problem
from sketchlab.resampling import Resampling
from sketchlab.residuals import LeastSquares
from sketchlab.validation import InputError, check_integer, check_real

#: Steps in a row with a non-finite loss, after which training stops.
PATIENCE = 5
#: Held-out points for the relative error.
HELD_OUT = 4096


class Record(NamedTuple):
    """One step as it was taken: its number from 1, what the optimizer said, the held-out error, and seconds so far."""

    step: int
    loss: float
    relative_error: float | None
    damping: float
    step_norm: float
    accepted: bool
    finite: bool
    seconds: float
    eigenvalues: np.ndarray
    sketch_error: float


@dataclass(frozen=True)
class History:
    """What happened, an entry for each step.

    Attributes
    ----------
    loss : (n,)
        ½‖r‖² after the step.
    relative_error : (n,) or None
        ‖u - u*‖ / ‖u*‖ in L2 on held-out points; None for a problem without a known solution.
    damping : (n,)
        μ, 0 where there is none.
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
        Bound on the part of J that the sketch missed, in the units of a singular value (`co_range_finder`); 0 without a sketch.
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

    def __len__(self):
        return len(self.loss)

    @classmethod
    def from_records(cls, records: Sequence[Record], *, has_solution: bool) -> "History":
        """Turn records into arrays."""

        def column(name, dtype=float):
            return np.array([getattr(record, name) for record in records], dtype)

        return cls(
            loss=column("loss"),
            relative_error=column("relative_error") if has_solution else None,
            damping=column("damping"),
            step_norm=column("step_norm"),
            accepted=column("accepted", bool),
            finite=column("finite", bool),
            seconds=column("seconds"),
            eigenvalues=_stack([record.eigenvalues for record in records]),
            rank=np.array([len(record.eigenvalues) for record in records], int),
            sketch_error=column("sketch_error"),
        )


@dataclass(frozen=True)
class Run:
    """A finished or interrupted training.

    Attributes
    ----------
    problem : Problem
    network : MLP
    theta : (P,)
    history : History
    stop_reason : str
        "steps", "seconds", "tolerance", "callback", "interrupted" or "non-finite".
    settings : dict
        Optimizer and its options, points, seed, dtype, device, compile seconds: fit for JSON.
    """

    problem: Problem
    network: MLP
    theta: np.ndarray
    history: History
    stop_reason: str
    settings: dict = field(default_factory=dict)

    def solution(self, x) -> jax.Array:
        """Evaluate the trained network: (n, d) -> (n,) or (n, outputs)."""
        x = jnp.asarray(x, self.theta.dtype)
        self.problem.check_points(x)
        return LeastSquares(self.problem, self.network).solution(jnp.asarray(self.theta), x)


def held_out_points(problem: Problem, n: int = HELD_OUT) -> np.ndarray:
    """Return n quasi-random interior points (n, d) to judge solutions by: always the same, and never trained on."""
    return problem.domain.sample(n, seed=2**31, sampler=sobol)


class Trainer:
    """The state of a training run, advanced a step at a time.

    Parameters
    ----------
    problem, network, optimizer
    points : int or sequence of int
        Collocation points; see `Problem.sample`.
    seed : int
        Decides initial parameters, points and every random matrix.
    dtype : str
        "float64", or "float32" at the price of accuracy beyond about 1e-3.
    sampler : callable
        See `Box.sample`.
    theta : (P,), optional
        Parameters to start from instead of drawing them.
    resampling : Resampling, optional
        When and how to draw new points, see `sketchlab.resampling`; never by default.
    boundary_weight : float or "balance", optional
        Weight of every condition on a face, instead of the problem's own. "balance" chooses them so that each such condition's
        part of G has, at the first parameters, the trace that those inside have together.
    block : int, optional
        Points in a block of rows of J. By default J is held whole if it fits into the memory at hand, and else in blocks,
        see `sketchlab.memory`.

    Raises
    ------
    InputError
        For whatever does not fit: see the message.
    """

    def __init__(
        self,
        problem: Problem,
        network: MLP,
        optimizer: Optimizer,
        *,
        points: int | Sequence[int] = 1000,
        seed: int = 0,
        dtype: str = "float64",
        sampler: Sampler = uniform,
        theta=None,
        resampling: Resampling | None = None,
        boundary_weight: float | Literal["balance"] | None = None,
        block: int | None = None,
    ):
        self.network, self.dtype, self.seed = network, check_dtype(dtype), seed
        self.sampler, self.resampling = sampler, resampling
        self._asked = points
        self.points = sample(problem, points, seed, self.dtype, sampler)
        _, self._state_key, self._step_key = split_seed(seed)
        self.theta = initial_theta(network, seed, self.dtype) if theta is None else check_theta(theta, network, self.dtype)

        least_squares = LeastSquares(problem, network)
        self.rows = least_squares.rows(self.points)
        least_squares = replace(least_squares, block=choose_block(block, self.rows, network.size, self.dtype))
        self.problem = _weigh(boundary_weight, least_squares, self.theta, self.points)
        self.least_squares = replace(least_squares, problem=self.problem)
        self._fitted: dict[Callable, Optimizer] = {}
        self.optimizer = self._first_optimizer = self._fit(optimizer)
        self.state = self._first_state()
        self.records: list[Record] = []
        self.seconds = 0.0
        self.compile_seconds = 0.0
        self._compiled: dict[Callable, Callable] = {}
        self._compile()

        # XLA's threads make the matrix products. The threads of LAPACK's BLAS wait in a busy loop and fight them for
        # the cores: with another process beside it, a step of 0.1 s took up to 1.3 s. One LAPACK thread costs little
        # when the machine is idle.
        self._thread_pools = ThreadpoolController()
        self._full_spectrum = jax.jit(lambda theta, points: full_spectrum(self.least_squares.dense(theta, points)))
        self._residual_sizes = jax.jit(self.least_squares.residual_sizes)
        #: theta (P,) -> relative L2 error on held-out points; None for a problem without a known solution.
        self.relative_error = None if problem.solution is None else self._compare_with_solution()

    @property
    def settings(self) -> dict[str, Any]:
        """What this training was made with, fit for JSON."""
        return {
            "optimizer": self.optimizer.name,
            "optimizer_settings": self.optimizer.settings,
            "points": sum(len(x) for x in self.points),
            "rows": self.rows,
            "seed": self.seed,
            "dtype": self.dtype.name,
            "device": self.theta.device.device_kind if self.theta.device.platform != "cpu" else "cpu",
            "weights": [condition.weight for condition in self.problem.conditions],
            "resampling": None if self.resampling is None else {"name": self.resampling.name} | self.resampling.settings,
            "block": self.least_squares.block,
            "compilations": len(self._compiled),
            "compile_seconds": self.compile_seconds,
        }

    def step(self) -> Record:
        """Take one step and return its record."""
        number = len(self.records) + 1
        step = self._compile()
        start = time.perf_counter()
        if self.resampling is not None and number > 1 and (number - 1) % self.resampling.period == 0:
            self._resample(number)
        key = jax.random.fold_in(self._step_key, number)
        with self._thread_pools.limit(limits=1, user_api="blas"):
            self.theta, self.state, info = jax.block_until_ready(step(self.theta, self.state, self.points, key))
        if self.optimizer.adapt is not None:
            self.optimizer, self.state = self.optimizer.adapt(self.state, info, key=jax.random.fold_in(key, 1))
        self.seconds += time.perf_counter() - start
        record = Record(
            step=number,
            loss=float(info.loss),
            relative_error=None if self.relative_error is None else float(self.relative_error(self.theta)),
            damping=float(info.damping),
            step_norm=float(info.step_norm),
            accepted=bool(info.accepted),
            finite=bool(info.finite),
            seconds=self.seconds,
            eigenvalues=np.asarray(info.eigenvalues),
            sketch_error=float(info.sketch_error),
        )
        self.records.append(record)
        return record

    def switch(self, optimizer: Optimizer) -> None:
        """Go on with another optimizer from the parameters reached.

        What its state has in common with the old one is kept: a natural gradient of another rank starts with the last step and
        damping. A first step with it compiles; those that were in use before are not compiled again.
        """
        self.optimizer = self._fit(optimizer)
        new = self._first_state()
        if jax.tree.structure(new) == jax.tree.structure(self.state):
            new = jax.tree.map(lambda a, b: b if (a.shape, a.dtype) == (b.shape, b.dtype) else a, new, self.state)
        self.state = new

    def restart(self, seed: int) -> None:
        """Forget all steps and begin anew from another seed's parameters and points, with what is compiled."""
        self.points = sample(self.problem, self._asked, seed, self.dtype, self.sampler)
        _, self._state_key, self._step_key = split_seed(seed)
        self.seed, self.records, self.seconds = seed, [], 0.0
        self.theta = initial_theta(self.network, seed, self.dtype)
        self.optimizer = self._first_optimizer
        self.state = self._first_state()

    @property
    def step_bytes(self) -> int:
        """Memory that a step allocates, by the compiler's account (`sketchlab.memory.bytes_of`)."""
        return bytes_of(self._compile())

    def check_memory(self) -> None:
        """Raise `InputError` if a step needs more memory than is at hand, before it is taken."""
        needed, memory = self.step_bytes, memory_at_hand()
        if needed > FIT * memory:
            raise InputError(
                f"a step of {self.optimizer.name!r} with P = {self.network.size:,} and N = {self.rows:,} takes about "
                f"{needed / 2**30:.3g} GiB, {memory / 2**30:.3g} GiB are at hand: take a smaller network, fewer points, or a "
                "sketch of lower rank."
            )

    @property
    def broken(self) -> bool:
        """Whether the last `PATIENCE` losses were no numbers."""
        return len(self.records) >= PATIENCE and not any(record.finite for record in self.records[-PATIENCE:])

    def spectrum(self) -> Spectrum:
        """Compute the full spectrum of J at the current parameters."""
        return self._full_spectrum(self.theta, self.points)

    def run(self, stop_reason: str) -> Run:
        """Return what was reached so far."""
        history = History.from_records(list(self.records), has_solution=self.problem.solution is not None)
        return Run(self.problem, self.network, np.asarray(self.theta), history, stop_reason, self.settings)

    def _fit(self, optimizer):
        if optimizer.step not in self._fitted:
            self._fitted[optimizer.step] = optimizer if optimizer.fit is None else optimizer.fit(self.rows, self.network.size)
        return self._fitted[optimizer.step]

    def _first_state(self):
        return self.optimizer.init(self.least_squares, self.theta, self.points, key=self._state_key)

    def _compile(self):
        """Return the compiled step of the optimizer in use, compiling it the first time."""
        optimizer, least_squares = self.optimizer, self.least_squares
        if optimizer.step not in self._compiled:
            start = time.perf_counter()
            step = jax.jit(lambda theta, state, points, key: optimizer.step(least_squares, theta, state, points, key=key))
            lowered = step.lower(self.theta, self.state, self.points, self._step_key)
            self._compiled[optimizer.step] = lowered.compile(compiler_options(least_squares.block))
            self.compile_seconds += time.perf_counter() - start
        return self._compiled[optimizer.step]

    def _resample(self, number):
        drawn = self.resampling.draw(
            self.problem,
            self._asked,
            lambda points: self._residual_sizes(self.theta, _as_arrays(points, self.dtype)),
            seed=int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]),
            sampler=self.sampler,
        )
        self.points = _as_arrays(drawn, self.dtype)

    def _compare_with_solution(self):
        x = jnp.asarray(held_out_points(self.problem), self.dtype)
        exact = jax.vmap(self.problem.solution)(x)
        norm = jnp.linalg.norm(exact)
        return jax.jit(lambda theta: jnp.linalg.norm(self.least_squares.solution(theta, x) - exact) / norm)


def train(
    problem: Problem,
    network: MLP,
    optimizer: Optimizer | None = None,
    *,
    steps: int = 100,
    seconds: float | None = None,
    tolerance: float | None = None,
    callbacks: Sequence[Callable[[Trainer, Record], bool | None]] = (),
    progress: bool = True,
    **options,
) -> Run:
    """Train a network on a problem.

    Parameters
    ----------
    problem, network
    optimizer : Optimizer, optional
        `sketched_natural_gradient()` by default.
    steps : int
        Steps at most.
    seconds : float, optional
        Stop after the step that passes it; compilation does not count.
    tolerance : float, optional
        Stop when the relative error, or without a known solution the loss, is at most this.
    callbacks : sequence of callable, (trainer, record) -> bool or None
        Called after every step; True stops.
    progress : bool
        Show a progress bar on standard error.
    **options
        points, seed, dtype, sampler, theta, resampling, boundary_weight, block: see `Trainer`.

    Returns
    -------
    Run
        After Ctrl-C too: what was reached, with stop_reason "interrupted". A loss that stays non-finite ends in "non-finite".

    Raises
    ------
    InputError
        For whatever does not fit: see the message.
    """
    check_integer("steps", steps, 1)
    for name, limit in (("seconds", seconds), ("tolerance", tolerance)):
        if limit is not None:
            check_real(name, limit, 0, np.inf, open_low=True)
    trainer = Trainer(problem, network, optimizer or sketched_natural_gradient(), **options)
    reason = "steps"
    try:
        with tqdm(total=steps, desc=problem.name, disable=not progress) as bar:
            for _ in range(steps):
                record = trainer.step()
                bar.set_postfix_str(_summary(record), refresh=False)
                bar.update()
                reached = record.loss if record.relative_error is None else record.relative_error
                # A list, not any() over a generator: one callback's stop must not keep the next from seeing the step.
                asked = any([callback(trainer, record) is True for callback in callbacks])
                if trainer.broken:
                    reason = "non-finite"
                elif tolerance is not None and reached <= tolerance:
                    reason = "tolerance"
                elif asked:
                    reason = "callback"
                elif seconds is not None and trainer.seconds >= seconds:
                    reason = "seconds"
                if reason != "steps":
                    break
    except KeyboardInterrupt:
        reason = "interrupted"
    return trainer.run(reason)


def save(run: Run, path) -> None:
    """Write a run to one ``.npz`` file: arrays without pickle, and the settings as JSON text beside them.

    The file appears whole or not at all.
    """
    settings = {
        "problem": run.problem.name,
        "network": asdict(run.network),
        "stop_reason": run.stop_reason,
        "settings": run.settings,
    }
    arrays = {name: value for name, value in vars(run.history).items() if value is not None}
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, theta=run.theta, json=np.array(json.dumps(settings)), **arrays)


def load(path, problem: Problem | None = None) -> Run:
    """Read a run that `save` wrote.

    Parameters
    ----------
    path
    problem : Problem, optional
        Needed if the run's problem is not in the catalogue, or was made with other arguments than its defaults.

    Raises
    ------
    InputError
        If the file is missing or not a run, or the problem has to be given.
    """
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            arrays = dict(stored)
        saved = json.loads(str(arrays.pop("json")))
        theta, network = arrays.pop("theta"), MLP(**saved["network"])
        history = History(**{"relative_error": None} | arrays)
        name, stop_reason, settings = saved["problem"], saved["stop_reason"], saved["settings"]
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read {str(path)!r} as a run: {error}. Give a file that sketchlab.save wrote.") from error
    return Run(PROBLEMS[name]() if problem is None else problem, network, theta, history, stop_reason, settings)


def _stack(spectra):
    """Stack arrays of different lengths, filled up with NaN: (n, m)."""
    stacked = np.full((len(spectra), max(map(len, spectra), default=0)), np.nan)
    for row, spectrum in zip(stacked, spectra, strict=True):
        row[: len(spectrum)] = spectrum
    return stacked


def sample(problem, points, seed, dtype, sampler):
    """Draw collocation points as arrays of JAX, see `Problem.sample`."""
    return _as_arrays(problem.sample(points, seed=seed, sampler=sampler), dtype)


def split_seed(seed):
    """Return the random keys of a run: for parameters, for the optimizer's first state or a sketch, and for its steps."""
    return jax.random.split(jax.random.key(seed), 3)


def initial_theta(network, seed, dtype):
    """Draw the parameters that a run of this seed starts from."""
    return network.init(key=split_seed(seed)[0], dtype=dtype)


def _as_arrays(points, dtype):
    return tuple(jnp.asarray(x, dtype) for x in points)


def choose_block(block, rows, parameters, dtype):
    """Return the block that was asked for, if it is one, or that which the memory at hand suggests."""
    if block is None:
        return block_for(rows, parameters, dtype.itemsize, memory_at_hand())
    return check_integer("block", block, 1, rows)


def _weigh(boundary_weight, least_squares, theta, points):
    """Give the conditions on faces another weight, or that which balances the traces of their parts of G."""
    problem = least_squares.problem
    if boundary_weight is None:
        return problem
    inside = np.array([region.codimension == 0 for region in problem.regions])
    weights = np.array([condition.weight for condition in problem.conditions])
    if boundary_weight != "balance":
        check_real("boundary_weight", boundary_weight, 0, np.inf, open_low=True, open_high=True)
        return problem.reweighted(np.where(inside, weights, boundary_weight))
    if not inside.any():
        raise InputError(f"boundary_weight = 'balance', but {problem.name!r} has no condition inside to balance against.")
    traces = np.asarray(jax.jit(least_squares.traces)(theta, points))
    return problem.reweighted(np.where(inside, weights, weights * traces[inside].sum() / traces))


def check_dtype(name):
    """Return the dtype of that name, or raise `InputError` if it is unknown or switched off."""
    if name not in ("float64", "float32"):
        raise InputError(f"dtype = {name!r} is not known: use 'float64' or 'float32'.")
    if name == "float64" and not jax.config.jax_enable_x64:
        raise InputError(
            "dtype = 'float64', but JAX has 64-bit numbers off: run jax.config.update('jax_enable_x64', True) "
            "first, or ask for dtype='float32' and lose accuracy beyond about 1e-3."
        )
    return jnp.dtype(name)


def check_theta(theta, network, dtype):
    """Return theta as an array, or raise `InputError` if it does not fit the network."""
    theta = jnp.asarray(theta, dtype)
    if theta.shape != (network.size,):
        raise InputError(f"theta has shape {theta.shape}, but the network has P = {network.size} parameters.")
    return theta


def _summary(record):
    error = "" if record.relative_error is None else f", error {record.relative_error:.1e}"
    return f"loss {record.loss:.1e}{error}"

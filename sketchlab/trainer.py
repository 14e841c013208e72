"""The state of a training run, and one step of it: for explorers, and for loops of your own.

Everything between the collocation points and the new parameters is one compiled function, compiled before the clock starts; plain
Python is outside, so that pausing and Ctrl-C work. `sketchlab.training` has the loop.
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.accuracy import relative_error
from sketchlab.domains import SAMPLERS
from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.history import History, Record, Run
from sketchlab.memory import FIT, block_for, bytes_of, compiler_options, memory_at_hand, one_blas_thread
from sketchlab.optimizers import Optimizer, carried_over
from sketchlab.problems import Problem
from sketchlab.resampling import Resampling
from sketchlab.residuals import LeastSquares, Points
from sketchlab.setup import Setup, as_arrays
from sketchlab.strategies import written
from sketchlab.validation import InputError, check_instance, check_integer, checked_call
from sketchlab.weighting import weighed

#: Steps in a row with a non-finite loss or J, after which training stops.
PATIENCE = 5
#: Refused steps in a row, on the same points, after which training stops: by then the damping has grown to its largest.
STALLED = 30


class Reached(NamedTuple):
    """How far a run has come. It is replaced whole, so that an interrupt finds parameters, state and records of one step."""

    theta: jax.Array
    state: Any
    points: Points
    records: tuple[Record, ...]
    seconds: float


@functools.lru_cache(maxsize=32)
def compiled_step(optimizer: Optimizer, least_squares: LeastSquares) -> Callable:
    """Return the compiled step (theta, state, points, key) -> (theta, state, info): for equal arguments the same function."""

    def step(theta, state, points, key):
        return optimizer.step(least_squares, theta, state, points, key=key)

    return jax.jit(step, compiler_options=compiler_options(least_squares.block))


@functools.lru_cache(maxsize=8)
def _compiled_spectrum(least_squares):
    return jax.jit(lambda theta, points: full_spectrum(least_squares.dense(theta, points)))


@functools.lru_cache(maxsize=8)
def _compiled_sizes(least_squares):
    return jax.jit(least_squares.residual_sizes)


@checked_call(Setup)
class Trainer:
    """The state of a training run, advanced a step at a time.

    Parameters
    ----------
    problem, network, optimizer
    theta : (P,), optional
        Parameters to start from instead of drawing them.
    resampling : Resampling, optional
        When and how to draw new points, see `sketchlab.resampling`; never by default.
    boundary_weight : float or "balance", optional
        Weight of every condition on a boundary, instead of the problem's own. "balance" chooses them so that each such
        condition's part of G has, at the first parameters, the trace that those inside have together.
    block : int, optional
        Points in a block of rows of J. By default J is held whole if it fits into the memory at hand, and else in blocks,
        see `sketchlab.memory`.
    mesh : jax.sharding.Mesh, optional
        Devices of one axis that share the points, and with them the rows of J.
    **options
        points, seed, dtype, sampler: see `Setup`.

    Raises
    ------
    InputError
        For whatever does not fit: see the message.

    Examples
    --------
    >>> trainer = sl.Trainer(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8), sl.sketched_natural_gradient(20), points=50)
    >>> trainer.step().accepted
    True
    """

    def __init__(
        self,
        problem: Problem,
        network,
        optimizer: Optimizer,
        *,
        theta=None,
        resampling: Resampling | None = None,
        boundary_weight: float | str | None = None,
        block: int | None = None,
        mesh: jax.sharding.Mesh | None = None,
        **options,
    ):
        self.setup = Setup(problem, network, **options)
        self.optimizer = check_instance("optimizer", optimizer, Optimizer, "one, as sl.sketched_natural_gradient() makes it")
        if resampling is not None:
            check_instance("resampling", resampling, Resampling, "one, as sl.redraw(10) makes it")
        if mesh is not None:
            check_instance("mesh", mesh, jax.sharding.Mesh, 'one, as jax.make_mesh((4,), ("points",)) makes it')
        self.resampling, self._boundary_weight = resampling, boundary_weight
        # Axes of the kind that XLA shards by itself, whatever the given ones are.
        self.mesh = None if mesh is None else jax.sharding.Mesh(mesh.devices, mesh.axis_names)
        self._first_theta = None if theta is None else self.setup.check_theta(theta)
        self._block = _choose_block(block, self.setup)
        self.compile_seconds = 0.0
        self._executables: dict = {}
        self._first_optimizer = optimizer
        self.relative_error = relative_error(self.setup)
        self.restart(self.setup.seed)

    def restart(self, seed: int) -> None:
        """Forget all steps and begin anew from a seed's parameters and points, with what is compiled."""
        self.seed = check_integer("seed", seed, 0, 2**32 - 1)
        _, self._state_key, self.step_key = self.setup.keys(seed)
        points = self._placed(self.setup.draw(seed))
        theta = self.setup.theta(seed) if self._first_theta is None else self._first_theta
        least_squares = self.setup.least_squares
        # Making another one traces all residuals again.
        if self._block is not None:
            least_squares = replace(least_squares, block=self._block)
        problem = weighed(self._boundary_weight, least_squares, theta, points)
        self.least_squares = least_squares if problem is least_squares.problem else replace(least_squares, problem=problem)
        self.optimizer, self._switched_after = self._first_optimizer, 0
        self.reached = Reached(self._replicated(theta), None, points, (), 0.0)
        self.reached = self.reached._replace(state=self._first_state())
        self._compile()

    @property
    def problem(self) -> Problem:
        """The problem, with the weights in use."""
        return self.least_squares.problem

    @property
    def network(self):
        """The network."""
        return self.setup.network

    @property
    def dtype(self):
        """Type of the numbers."""
        return jnp.dtype(self.setup.dtype)

    @property
    def rows(self) -> int:
        """N, residual rows."""
        return self.setup.rows

    @property
    def theta(self) -> jax.Array:
        """Parameters reached, (P,); set them to go on from others."""
        return self.reached.theta

    @theta.setter
    def theta(self, theta):
        self.reached = self.reached._replace(theta=self._replicated(self.setup.check_theta(theta)))

    @property
    def state(self):
        """What the optimizer remembers."""
        return self.reached.state

    @property
    def points(self) -> Points:
        """Collocation points in use, (n_c, d) for each condition; set them to go on with your own."""
        return self.reached.points

    @points.setter
    def points(self, points):
        self.reached = self.reached._replace(points=self.setup.check_points(points))

    @property
    def records(self) -> tuple[Record, ...]:
        """Steps taken."""
        return self.reached.records

    @property
    def seconds(self) -> float:
        """Time spent in steps."""
        return self.reached.seconds

    @property
    def settings(self) -> dict[str, Any]:
        """What this training was made with, fit for JSON."""
        device = next(iter(self.theta.devices()))
        return {
            "optimizer": self.optimizer.name,
            "optimizer_settings": {name: written(value) for name, value in self.optimizer.settings.items()},
            "points": sum(len(x) for x in self.points),
            "rows": self.rows,
            "residuals": self.least_squares.digest,
            "seed": self.seed,
            "dtype": self.dtype.name,
            "device": "cpu" if device.platform == "cpu" else device.device_kind,
            "weights": [condition.weight for condition in self.problem.conditions],
            "resampling": None if self.resampling is None else {"name": self.resampling.name} | self.resampling.settings,
            "block": self._block,
            "compilations": len(self._executables),
            "compile_seconds": self.compile_seconds,
            "asked": {
                "points": np.asarray(self.setup.points).tolist(),
                "sampler": {"name": next((name for name, one in SAMPLERS.items() if one is self.setup.sampler), "own")},
                "resampling": self.resampling and {"name": self.resampling.name, "settings": dict(self.resampling.settings)},
            },
        }

    def step(self) -> Record:
        """Take one step and return its record."""
        number = len(self.records) + 1
        step = self._compile()
        theta, state, points, records, seconds = self.reached
        start = time.perf_counter()
        if self.resampling is not None and number > 1 and (number - 1) % self.resampling.period == 0:
            points = self._placed(self._resample(number))
        key = jax.random.fold_in(self.step_key, number)
        with one_blas_thread():
            theta, state, info = jax.block_until_ready(step(theta, state, points, key))
        if self.optimizer.adapt is not None:
            # The step splits its key; folding in a number beyond those of steps gives one that it does not use.
            state = self.optimizer.adapt(state, info, key=jax.random.fold_in(self._state_key, number))
        seconds += time.perf_counter() - start
        record = as_record(info, number, None if self.relative_error is None else self.relative_error(theta), seconds)
        self.reached = Reached(theta, state, points, (*records, record), seconds)
        return record

    def switch(self, optimizer: Optimizer) -> None:
        """Go on with another optimizer from the parameters reached.

        What its state has in common with the old one is kept, see `sketchlab.optimizers.carried_over`. A first step with it
        compiles; one that was in use before is not compiled again.
        """
        check_instance("optimizer", optimizer, Optimizer, "one, as sl.sketched_natural_gradient() makes it")
        former, self.optimizer = self.optimizer, optimizer
        try:
            first = self._first_state()
        except InputError:
            self.optimizer = former
            raise
        self.reached = self.reached._replace(state=carried_over(former, self.state, optimizer, first))
        self._switched_after = len(self.records)

    def go_on_from(self, run: Run) -> None:
        """Take the place that a run had reached: its parameters, optimizer's state, points and records."""
        if run.state is None:
            raise InputError("the run does not say what its optimizer remembers: it cannot go on.")
        state = jax.tree.unflatten(jax.tree.structure(self.state), [jnp.asarray(leaf) for leaf in run.state])
        points = self._placed(as_arrays(run.points, self.dtype))
        records = tuple(run.history.records())
        theta = self._replicated(jnp.asarray(run.theta))
        self.reached = Reached(theta, self._replicated(state), points, records, records[-1].seconds if records else 0.0)

    @property
    def step_bytes(self) -> int:
        """Memory that a step allocates, by the compiler's account (`sketchlab.memory.bytes_of`)."""
        self._compile()
        return bytes_of(self._executables[self._signature()])

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
    def ended(self) -> str | None:
        """The stop reason, an entry of `STOP_REASONS`, where going on makes no sense; else None."""
        # Another optimizer, or points that are drawn anew, may help: they get their chance.
        return why_ended(
            self.records[self._switched_after :], STALLED + (0 if self.resampling is None else self.resampling.period)
        )

    def spectrum(self) -> Spectrum:
        """Compute the full spectrum of J at the current parameters."""
        with one_blas_thread():
            return jax.block_until_ready(_compiled_spectrum(self.least_squares)(self.theta, self.points))

    def run(self, stop_reason: str) -> Run:
        """Return what was reached so far."""
        theta, state, points, records, _ = self.reached
        return Run(
            self.problem,
            self.network,
            np.asarray(theta),
            History.from_records(records, has_solution=self.problem.solution is not None),
            stop_reason,
            self.settings,
            self.optimizer,
            tuple(np.asarray(leaf) for leaf in jax.tree.leaves(state)),
            tuple(np.asarray(x) for x in points),
        )

    def _first_state(self):
        state = self.optimizer.init(self.least_squares, self.theta, self.points, key=self._state_key)
        return self._replicated(state)

    def _signature(self):
        return self.optimizer, self.least_squares, tuple(leaf.shape for leaf in jax.tree.leaves(self.state))

    def _compile(self):
        """Return the step of the optimizer in use, compiled; what an equal trainer has compiled is there at once."""
        step = compiled_step(self.optimizer, self.least_squares)
        if self._signature() not in self._executables:
            start = time.perf_counter()
            lowered = step.lower(self.theta, self.state, self.points, self.step_key)
            self._executables[self._signature()] = lowered.compile()
            self.compile_seconds += time.perf_counter() - start
        return step

    def _placed(self, points):
        """Share the points out over the mesh, if there is one."""
        if self.mesh is None:
            return points
        for name, x in zip(self.setup.problem.names, points, strict=True):
            if len(x) % self.mesh.size:
                raise InputError(
                    f"the {name} has {len(x)} points, which {self.mesh.size} devices cannot share evenly: give points as a list, "
                    f"a multiple of {self.mesh.size} for each condition."
                )
        sharding = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec(self.mesh.axis_names[0]))
        return tuple(jax.device_put(x, sharding) for x in points)

    def _replicated(self, tree):
        if self.mesh is None:
            return tree
        return jax.device_put(tree, jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec()))

    def _resample(self, number):
        assert self.resampling is not None
        drawn = self.resampling.draw(
            self.problem,
            self.setup.points,
            lambda points: _compiled_sizes(self.least_squares)(self.theta, as_arrays(points, self.dtype)),
            seed=int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]),
            sampler=self.setup.sampler,
        )
        return self.setup.check_points(drawn)


def why_ended(records: Sequence[Record], stalled: int = STALLED) -> str | None:
    """Return the stop reason of a run that cannot go on, or None; it stalls after so many refused steps in a row."""
    if not records:
        return None
    if records[-1].loss == 0:
        return "solved"
    if len(records) >= PATIENCE and not any(record.finite for record in records[-PATIENCE:]):
        return "non-finite"
    if len(records) >= stalled and not any(record.accepted for record in records[-stalled:]):
        return "stalled"
    return None


def as_record(info, number: int, relative_error: float | None, seconds: float) -> Record:
    """Turn what a step reports into a record of plain numbers."""
    return Record(
        step=number,
        loss=float(info.loss),
        relative_error=relative_error,
        damping=float(info.damping),
        step_norm=float(info.step_norm),
        accepted=bool(info.accepted),
        finite=bool(info.finite),
        seconds=seconds,
        eigenvalues=np.asarray(info.eigenvalues),
        sketch_error=float(info.sketch_error),
    )


def _choose_block(block, setup):
    """Return the block that was asked for, if it is one, or that which the memory at hand suggests."""
    if block is None:
        return block_for(setup.rows, setup.parameters, jnp.dtype(setup.dtype).itemsize, memory_at_hand())
    return check_integer("block", block, 1, setup.rows)

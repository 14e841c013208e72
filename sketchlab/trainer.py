"""The state of a training run, and one step of it: for explorers, and for loops of your own.

Everything between the collocation points and the new parameters is one compiled function, compiled before the clock starts; plain
Python is outside, so that pausing and Ctrl-C work. `sketchlab.training` has the loop.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from sketchlab.domains import golden
from sketchlab.gramian import Spectrum, full_spectrum
from sketchlab.history import History, Record, Run
from sketchlab.memory import KEPT, QUICK, block_for, bytes_of, check_memory, compiler_options, memory_at_hand, one_blas_thread
from sketchlab.networks import solve
from sketchlab.optimizers import Optimizer, carried_over
from sketchlab.precision import in_full_precision
from sketchlab.problems import Problem
from sketchlab.recipes import samplers_of
from sketchlab.resampling import Resampling
from sketchlab.residuals import LeastSquares, Points
from sketchlab.setup import Setup, as_arrays
from sketchlab.strategies import written
from sketchlab.validation import InputError, check_instance, check_integer, checked_call
from sketchlab.weights import weighed

#: Steps in a row with a non-finite loss or J, after which training stops.
PATIENCE = 5
#: Points that a run is judged by, which it was not trained on.
HELD_OUT = 4096
#: Refused steps in a row, on the same points, after which training stops: by then the damping has grown to its largest.
STALLED = 30


class Reached(NamedTuple):
    """How far a run has come. It is replaced whole, so that an interrupt finds parameters, state and records of one step."""

    theta: jax.Array
    state: Any
    points: Points
    records: tuple[Record, ...]
    seconds: float


@functools.lru_cache(maxsize=KEPT)
def compiled_step(optimizer: Optimizer, least_squares: LeastSquares, *, quick: bool) -> Callable:
    """Return the compiled step (theta, state, points, key, number) -> (theta, state, info): for equal arguments the same one.

    Compiled in less time where steps are `quick`, see `sketchlab.memory.compiler_options`.
    """

    @in_full_precision
    def step(theta, state, points, key, number):
        return optimizer.step(least_squares, theta, state, points, key=jax.random.fold_in(key, number))

    return jax.jit(step, compiler_options=compiler_options(least_squares.block, quick=quick))


@functools.lru_cache(maxsize=KEPT)
def _compiled_spectrum(least_squares):
    return jax.jit(in_full_precision(lambda theta, points: full_spectrum(least_squares.dense(theta, points))))


@functools.lru_cache(maxsize=KEPT)
def _residual_sizes(least_squares):
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
    boundary_weight : float, "balance" or "own", optional
        Weight of every condition on a boundary, instead of the problem's own. "balance" chooses them so that each such
        condition's part of G has, at the first parameters, the trace that those inside have together. By default the problem's
        own weights count; on a domain whose lengths are far from 1 they are brought near that balance, see `sketchlab.weights`.
    block : int, optional
        Points in a block of rows of J. By default J is held whole if it fits into the memory at hand, and else in blocks,
        see `sketchlab.memory`.
    mesh : jax.sharding.Mesh, optional
        Devices of one axis that share the points, and with them the rows of J.
    **options
        points, seed, dtype, sampler: see `Setup`.

    Attributes
    ----------
    setup : Setup
    problem : Problem
        With the weights in use.
    network, rows, optimizer, least_squares
    theta : (P,)
        Parameters reached; set them to go on from others.
    points : tuple of (n_c, d)
        Collocation points in use; set them to go on with your own.
    state : pytree
        What the optimizer remembers.
    records : tuple of Record
        Steps taken.
    seconds : float
        Time spent in them.

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
        self.optimizer = optimizer
        if resampling is not None:
            check_instance("resampling", resampling, Resampling, "one, as sl.redraw(10) makes it")
        if mesh is not None:
            check_instance("mesh", mesh, jax.sharding.Mesh, 'one, as jax.make_mesh((4,), ("points",)) makes it')
        self.resampling, self._boundary_weight = resampling, boundary_weight
        self._first_theta = None if theta is None else self.setup.check_theta(theta)
        rows, itemsize = self.setup.rows, jnp.dtype(self.setup.dtype).itemsize
        if block is None:
            self._block = block_for(rows, self.setup.parameters, itemsize, memory_at_hand())
        else:
            self._block = check_integer("block", block, 1, rows)
        self._by_point = self._everywhere = None
        if mesh is not None:
            # Axes of the kind that XLA shards by itself, whatever the given ones are.
            mesh = jax.sharding.Mesh(mesh.devices, mesh.axis_names)
            self._by_point = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))
            self._everywhere = NamedSharding(mesh, PartitionSpec())
        self.compile_seconds = 0.0
        self._executables: dict = {}
        self.errors = solution_errors(self.setup)
        self.restart(self.setup.seed)

    def restart(self, seed: int) -> None:
        """Forget all steps and begin anew from a seed's parameters and points, with the optimizer in use and what is compiled."""
        self.seed = check_integer("seed", seed, 0, 2**32 - 1)
        _, self._state_key, self.step_key = self.setup.keys(seed)
        theta = self.setup.theta(seed) if self._first_theta is None else self._first_theta
        points = self._placed(self.setup.draw(seed))
        least_squares = self.setup.least_squares
        # Making another one traces all residuals again.
        if self._block is not None:
            least_squares = replace(least_squares, block=self._block)
        self.least_squares = weighed(self._boundary_weight, least_squares, theta, points)
        self.reached = Reached(jax.device_put(theta, self._everywhere), None, points, (), 0.0)
        self._put(state=self._first_state(self.optimizer))
        self._switched_after = 0
        self._compile()

    problem = property(lambda self: self.least_squares.problem)
    network = property(lambda self: self.setup.network)
    rows = property(lambda self: self.setup.rows)
    theta = property(
        lambda self: self.reached.theta,
        lambda self, theta: self._put(theta=jax.device_put(self.setup.check_theta(theta), self._everywhere)),
    )
    points = property(
        lambda self: self.reached.points,
        lambda self, points: self._put(points=self._placed(self.setup.check_points(points))),
    )
    state = property(lambda self: self.reached.state)
    records = property(lambda self: self.reached.records)
    seconds = property(lambda self: self.reached.seconds)

    @property
    def settings(self) -> dict[str, Any]:
        """What this training was made with, fit for JSON."""
        device = next(iter(self.theta.devices()))
        return {
            "optimizer": self.optimizer.name,
            "optimizer_settings": {name: written(value) for name, value in self.optimizer.settings.items()},
            "points": sum(len(x) for x in self.points),
            "points_asked": np.asarray(self.setup.points).tolist(),
            "rows": self.rows,
            "residuals": self.least_squares.digest,
            "seed": self.seed,
            "dtype": self.setup.dtype,
            "device": "cpu" if device.platform == "cpu" else device.device_kind,
            "weights": [condition.weight for condition in self.problem.conditions],
            "sampler": next(
                (name for name, sampler in samplers_of(self.problem).items() if sampler == self.setup.sampler), "own"
            ),
            "resampling": written(self.resampling),
            "block": self._block,
            "compilations": len(self._executables),
            "compile_seconds": self.compile_seconds,
        }

    def step(self) -> Record:
        """Take one step and return its record."""
        number = len(self.records) + 1
        step, _ = self._compile()
        theta, state, points, records, seconds = self.reached
        start = time.perf_counter()
        if self.resampling is not None and number > 1 and (number - 1) % self.resampling.period == 0:
            points = self._resampled(self.resampling, number)
        with one_blas_thread():
            theta, state, info = jax.block_until_ready(step(theta, state, points, self.step_key, np.uint32(number)))
        if self.optimizer.adapt is not None:
            # The step splits its key; folding in a number beyond those of steps gives one that it does not use.
            state = self.optimizer.adapt(state, info, key=jax.random.fold_in(self._state_key, number))
        seconds += time.perf_counter() - start
        reported: dict[str, Any] = {name: np.asarray(value) for name, value in info._asdict().items()}
        numbers = {name: value.item() for name, value in reported.items() if value.ndim == 0}
        whole, outputs = self.errors(theta)
        record = Record(number, relative_error=whole, output_errors=outputs, seconds=seconds, **(reported | numbers))
        self.reached = Reached(theta, state, points, (*records, record), seconds)
        return record

    def switch(self, optimizer: Optimizer) -> None:
        """Go on with another optimizer from the parameters reached.

        What its state has in common with the old one is kept, see `sketchlab.optimizers.carried_over`. A first step with it
        compiles; one that was in use before is not compiled again.
        """
        first = self._first_state(optimizer)
        self._put(state=carried_over(self.optimizer, self.state, optimizer, first))
        self.optimizer, self._switched_after = optimizer, len(self.records)

    def go_on_from(self, run: Run) -> None:
        """Take the place that a run had reached: its parameters, optimizer's state, points and records."""
        leaves, structure = map(jnp.asarray, run.state or ()), jax.tree.structure(self.state)
        theta, state = jax.device_put((jnp.asarray(run.theta), structure.unflatten(leaves)), self._everywhere)
        records = tuple(run.history.records())
        points = self._placed(as_arrays(run.points or (), self.setup.dtype))
        self.reached = Reached(theta, state, points, records, records[-1].seconds if records else 0.0)

    @property
    def step_bytes(self) -> int:
        """Memory that a step allocates, by the compiler's account (`sketchlab.memory.bytes_of`)."""
        return bytes_of(self._compile()[1])

    def check_memory(self) -> None:
        """Raise `InputError` if a step needs more memory than is at hand, before it is taken."""
        step = f"a step of {self.optimizer.name!r} with P = {self.network.size:,} and N = {self.rows:,}"
        check_memory(step, self.step_bytes, "take a smaller network, fewer points, or a sketch of lower rank.")

    @property
    def ended(self) -> str | None:
        """The stop reason, an entry of `STOP_REASONS`, where going on makes no sense; else None."""
        # Another optimizer, or points that are drawn anew, may help: they get their chance.
        records = self.records[self._switched_after :]
        stalled = STALLED + (0 if self.resampling is None else self.resampling.period)
        if records and records[-1].loss == 0:
            return "solved"
        if len(records) >= PATIENCE and not any(record.finite for record in records[-PATIENCE:]):
            return "non-finite"
        if len(records) >= stalled and not any(record.accepted for record in records[-stalled:]):
            return "stalled"
        return None

    def spectrum(self) -> Spectrum:
        """Compute the full spectrum of J at the current parameters."""
        with one_blas_thread():
            return jax.block_until_ready(_compiled_spectrum(self.least_squares)(self.theta, self.points))

    def run(self, stop_reason: str, **limits) -> Run:
        """Return what was reached so far; limits are those of `sketchlab.train` that `resume` shall keep to."""
        theta, state, points, records, _ = self.reached
        return Run(
            self.problem,
            self.network,
            np.asarray(theta),
            History.from_records(records, has_solution=self.problem.solution is not None),
            stop_reason,
            self.settings | {"limits": limits},
            self.optimizer,
            tuple(np.asarray(leaf) for leaf in jax.tree.leaves(state)),
            tuple(np.asarray(x) for x in points),
        )

    def _put(self, **values):
        self.reached = self.reached._replace(**values)

    def _first_state(self, optimizer):
        check_instance("optimizer", optimizer, Optimizer, "one, as sl.sketched_natural_gradient() makes it")
        state = optimizer.init(self.least_squares, self.theta, self.points, key=self._state_key)
        return jax.device_put(state, self._everywhere)

    def _compile(self):
        """Return the step of the optimizer in use, which an equal trainer may have compiled already, and its executable."""
        step = compiled_step(self.optimizer, self.least_squares, quick=self.rows * self.network.size < QUICK)
        signature = step, *(leaf.shape for leaf in jax.tree.leaves(self.state))
        if signature not in self._executables:
            start = time.perf_counter()
            self._executables[signature] = step.lower(self.theta, self.state, self.points, self.step_key, np.uint32(0)).compile()
            self.compile_seconds += time.perf_counter() - start
        return step, self._executables[signature]

    def _placed(self, points):
        """Share the points out over the mesh, if there is one."""
        devices = 1 if self._by_point is None else self._by_point.num_devices
        for name, x in zip(self.setup.problem.names, points, strict=True):
            if len(x) % devices:
                raise InputError(
                    f"the {name} has {len(x)} points, which {devices} devices cannot share evenly: give points as a list, a "
                    f"multiple of {devices} for each condition."
                )
        return jax.device_put(points, self._by_point)

    def _resampled(self, resampling, number):
        drawn = resampling.draw(
            self.problem,
            self.setup.points,
            lambda points: _residual_sizes(self.least_squares)(self.theta, as_arrays(points, self.setup.dtype)),
            seed=int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]),
            sampler=self.setup.sampler,
        )
        return self._placed(self.setup.check_points(drawn))


def solution_errors(setup: Setup) -> Callable[[jax.Array], tuple[float | None, np.ndarray]]:
    """Return theta (P,) -> ‖u - u*‖ / ‖u*‖ in L2 on held-out points: of all outputs together, and of each, (outputs,).

    Of a problem without a known solution, theta -> None and (0,). Where u* is zero everywhere, ‖u‖ alone. The points are
    quasi-random ones inside, always the same.

    Raises
    ------
    InputError
        If the solution is non-finite somewhere: the place is named.
    """
    problem, evaluate = setup.problem, solve(setup.network)
    if problem.solution is None:
        return lambda theta: (None, np.empty(0))
    x = jnp.asarray(problem.domain.sample(HELD_OUT, seed=2**31, sampler=golden), jnp.dtype(setup.dtype))
    exact = np.asarray(jax.jit(jax.vmap(problem.solution))(x)).reshape(len(x), -1)
    if not np.all(np.isfinite(exact)):
        where = np.asarray(x)[np.argmin(np.isfinite(exact).all(axis=1))]
        raise InputError(f"the solution of {problem.name!r} is non-finite at x = {where.tolist()}: mend it, or leave it out.")
    norms, norm = (np.linalg.norm(exact, axis=axis) for axis in (0, None))
    norms, norm = (np.where(size == 0, np.sqrt(len(x)), size) for size in (norms, norm))

    def errors(theta):
        # A run that diverges may overflow: its error is infinite, and its stop reason says the rest.
        with np.errstate(over="ignore", invalid="ignore"):
            difference = np.asarray(evaluate(theta, x), float).reshape(exact.shape) - exact
            return float(np.linalg.norm(difference) / norm), np.linalg.norm(difference, axis=0) / norms

    return errors


def relative_error(run: Run) -> float | None:
    """Return the relative L2 error of a run over the whole domain; None without a known solution.

    That of the last record, but after a `march`, whose records have the error in the slab of the step.

    Examples
    --------
    >>> run = sl.march(sl.PROBLEMS["transport_1d"](), sl.MLP(2, width=8), slabs=2, points=100, steps=5, progress=False)
    >>> bool(sl.relative_error(run) != run.history.relative_error[-1])
    True
    """
    check_instance("run", run, Run, "what sl.train returns")
    if "march" in run.settings:
        setup = Setup(run.problem, run.network, dtype=run.settings["dtype"])
        return solution_errors(setup)(jnp.asarray(run.theta))[0]
    return None if run.history.relative_error is None else float(run.history.relative_error[-1])

"""Several seeds at once: one compiled step, mapped over the seeds.

One seed proves nothing. For small networks a step is mostly overhead, and ten seeds side by side cost little more than a few.
"""

import functools
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.history import History, Record, Run
from sketchlab.memory import compiler_options, one_blas_thread
from sketchlab.optimizers import Optimizer
from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares
from sketchlab.trainer import Trainer, as_record, why_ended
from sketchlab.validation import InputError, check_integer, check_real


@functools.lru_cache(maxsize=16)
def _compiled_steps(optimizer: Optimizer, least_squares: LeastSquares):
    def step(theta, state, points, key):
        return optimizer.step(least_squares, theta, state, points, key=key)

    return jax.jit(jax.vmap(step), compiler_options=compiler_options(least_squares.block))


def train_seeds(
    problem: Problem,
    network,
    optimizer: Optimizer,
    *,
    seeds: Sequence[int] = range(10),
    steps: int = 100,
    tolerance: float | None = None,
    **options,
) -> list[Run]:
    """Train from several seeds at once, with one compilation.

    Parameters
    ----------
    problem, network, optimizer
    seeds : sequence of int
        Each has its own first parameters, points and random matrices.
    steps : int
        Steps at most, for each.
    tolerance : float, optional
        A seed stops when its relative error, or without a known solution its loss, is at most this.
    **options
        points, dtype, sampler: see `Setup`; theta, boundary_weight (a number), block: see `Trainer`.

    Returns
    -------
    list of Run
        One for each seed, equal to `train` with this seed but for rounding errors. The seconds are those of all seeds together.

    Raises
    ------
    InputError
        For an optimizer whose rank grows, since all seeds have to have one shape; and for whatever `train` refuses.

    Examples
    --------
    >>> runs = sl.train_seeds(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8), sl.sketched_natural_gradient(20),
    ...                       seeds=range(3), steps=5, points=40)
    >>> [len(run.history) for run in runs]
    [5, 5, 5]
    """
    check_integer("steps", steps, 1)
    if tolerance is not None:
        check_real("tolerance", tolerance, 0, np.inf, open_low=True, open_high=True)
    seeds = list(seeds)
    if not seeds:
        raise InputError("seeds = [] is empty: give at least one.")
    for option in ("resampling", "mesh"):
        if options.pop(option, None) is not None:
            raise InputError(f"train_seeds takes no {option}: use a loop over train(…, seed=seed, {option}=…).")
    if options.get("boundary_weight") == "balance":
        raise InputError("boundary_weight = 'balance' gives every seed its own problem: use a loop over train(…, seed=seed).")
    if optimizer.adapt is not None:
        raise InputError(f"the rank of {optimizer.name!r} grows with each seed by itself: use a loop over train(…, seed=seed).")
    trainer = Trainer(problem, network, optimizer, seed=seeds[0], **options)
    starts = []
    for seed in seeds:
        trainer.restart(seed)
        starts.append((trainer.reached, trainer.step_key, trainer.settings))
    theta, state, points = (_stack([getattr(reached, name) for reached, _, _ in starts]) for name in ("theta", "state", "points"))
    keys = jnp.stack([key for _, key, _ in starts])
    fold = jax.jit(jax.vmap(jax.random.fold_in, (0, None)))
    step = _compiled_steps(trainer.optimizer, trainer.least_squares)
    step.lower(theta, state, points, keys).compile()

    records: list[list[Record]] = [[] for _ in seeds]
    runs: list[Run | None] = [None] * len(seeds)
    seconds = 0.0
    for number in range(1, steps + 1):
        start = time.perf_counter()
        with one_blas_thread():
            theta, state, info = jax.block_until_ready(step(theta, state, points, fold(keys, number)))
        seconds += time.perf_counter() - start
        for i, settings in enumerate(settings for _, _, settings in starts):
            if runs[i] is not None:
                continue
            of_seed = jax.tree.map(lambda leaf, i=i: leaf[i], (theta, state, points, info))
            error = None if trainer.relative_error is None else trainer.relative_error(of_seed[0])
            records[i].append(as_record(of_seed[3], number, error, seconds))
            measured = records[i][-1].loss if error is None else error
            reason = "tolerance" if tolerance is not None and measured <= tolerance else why_ended(records[i])
            if reason or number == steps:
                history = History.from_records(records[i], has_solution=error is not None)
                kept = [np.asarray(leaf) for leaf in jax.tree.leaves(of_seed[1])]
                at = tuple(np.asarray(x) for x in of_seed[2])
                described = reason or "steps", settings, optimizer
                runs[i] = Run(trainer.problem, network, np.asarray(of_seed[0]), history, *described, tuple(kept), at)
        if all(run is not None for run in runs):
            break
    return [run for run in runs if run is not None]


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

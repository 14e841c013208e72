"""Marching: a long time interval is solved slab by slab, each from where the one before it ended.

Over a long interval a network may find a wrong answer with a small loss: it forgets the initial value in a layer that is thinner
than the distance between points. Over a short one it cannot. The time is the last coordinate of a point.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sketchlab.cutting import NOTHING, Cut, following, slab_of, steps_in, steps_of_slabs
from sketchlab.domains import uniform
from sketchlab.gramian import Spectrum
from sketchlab.history import Record, Run
from sketchlab.optimizers import Optimizer, sketched_natural_gradient
from sketchlab.problems import Problem
from sketchlab.setup import Setup
from sketchlab.storage import check_path, save
from sketchlab.trainer import Trainer
from sketchlab.training import train
from sketchlab.validation import InputError, check_instance, check_integer, checked_call

#: With "auto", a slab is short enough when its solution and that of its first half differ by so much at most.
AGREEMENT = 1e-3
#: More slabs than this are not tried.
MOST_SLABS = 1024


@checked_call(train, Trainer, Setup)
def march(
    problem: Problem,
    network=None,
    optimizer: Optimizer | None = None,
    *,
    slabs: int | str,
    steps: int | Sequence[int] = 100,
    seed: int = 0,
    boundary_weight: float | str | None = "balance",
    after: Run | None = None,
    checkpoint=None,
    **options,
) -> Run:
    """Train slab by slab along the time axis, the last coordinate.

    A slab starts from the parameters of the one before. In place of the initial condition B u = g, it has that B u is what the
    slab before ended with: values for an equation of first order in time; values and derivatives where the residual on the lower
    face of the time axis has both.

    Parameters
    ----------
    problem : Problem
        On a `Box`, with its conditions inside and on faces: none on the upper face of the time axis.
    network : network, optional
        That of one slab; it sees the time as a number that goes from 0 to 1 in each. By default the usual one of the problem.
    optimizer : Optimizer, optional
        `sketched_natural_gradient()` by default.
    slabs : int or "auto"
        Number of slabs of equal length. With "auto" it is doubled, from 1, until the first slab and the first of half the length,
        each trained from the beginning, differ by `AGREEMENT` at most on the shorter, and the finer cut is taken: a network that
        forgets the initial value does not agree with one that has less time to do so. What comes later it does not see.
        ``settings["slabs_tried"]`` has the difference between each number tried and twice as many.
    steps : int or sequence of int
        In each slab; or one number for each, the last for all that follow: the hardest slab needs most.
    seed : int
        Of the first slab; each has the next one.
    boundary_weight
        As in `train`, but for the default; chosen in the first slab, and kept.
    after : Run, optional
        What was reached when it was interrupted, as `march` returned it or `load` brings it back: go on after its finished slabs.
    checkpoint : path, optional
        File to `save` the march in after each slab, and when it ends: `resume` continues it.
    **options
        As in `train`, for each slab: seconds, tolerance, points …; a callback that stops ends the march. A slab that stalls
        does not.

    Returns
    -------
    Run
        Over the whole interval: its network is `Slabs`, its history that of all slabs, one after the other; the relative error in
        it is that in the slab of the step, and ``settings["slab_steps"]`` has the number of steps of each finished slab. After
        Ctrl-C, slabs that were not reached have the parameters of the last one.

    Raises
    ------
    InputError
        For a problem that cannot be cut into slabs, and whatever `train` refuses; where no number of slabs up to `MOST_SLABS`
        makes two of them agree.

    Examples
    --------
    >>> problem = sl.PROBLEMS["transport_1d"](speed=2.0)
    >>> run = sl.march(problem, sl.MLP(2, width=8), slabs=2, points=100, steps=5, progress=False)
    >>> len(run.history), run.network.count
    (10, 2)
    """
    check_instance("problem", problem, Problem, "one on a box, with time as its last axis")
    if checkpoint is not None:
        check_path(checkpoint)
    optimizer = sketched_natural_gradient() if optimizer is None else optimizer
    kept = _kept(steps, seed, boundary_weight)
    tried, solved = {}, []
    to_be_found = isinstance(slabs, str) and slabs == "auto"
    if to_be_found and after is not None:
        raise InputError('slabs = "auto" looks for a number that the run has found already: give it, as slabs=8.')
    if to_be_found:
        cut, solved, tried = _agreeing(problem, network, optimizer, kept | options)
    else:
        cut = Cut(problem, network, check_integer("slabs", slabs, 1))
    reached = cut.reached(after) if after is not None else NOTHING

    def run(reason):
        return cut.run(reached, reason, optimizer, {"march": kept | {"slabs": cut.whole.count}} | tried)

    reason = "steps"
    for number in range(len(reached.finished), cut.whole.count):
        try:
            slab = solved.pop() if solved else cut.train(number, reached, optimizer, kept | options)
        except Exception as error:
            # In the first slab there is no more than what `train` has put there.
            if reached.thetas:
                error.run = run("error")  # pyright: ignore[reportAttributeAccessIssue]
            raise
        reason = slab.stop_reason
        whole = reason not in ("interrupted", "callback", "non-finite")
        reached = reached.with_slab(slab, cut.points(number, slab), whole)
        if checkpoint is not None:
            save(run(reason), checkpoint)
        if not whole:
            break
    return run(reason)


def _kept(steps, seed, boundary_weight):
    """Return what all slabs have in common, as a file keeps it."""
    return {"steps": steps_of_slabs(steps), "seed": check_integer("seed", seed, 0, 2**32 - 1), "boundary_weight": boundary_weight}


def _agreeing(problem, network, optimizer, options):
    """Double the number of slabs until the first one agrees with its first half; return the finer cut, and what it has solved."""
    differences, coarse = {}, None
    count = 1
    while count <= MOST_SLABS:
        cut = Cut(problem, network, count)
        slab = cut.train(0, NOTHING, optimizer, options)
        if coarse is not None:
            x = slab_of(problem).domain.sample(1000, seed=0, sampler=uniform)
            short = np.asarray(slab.solution(x))
            x[:, -1] /= 2
            differences[count // 2] = float(np.linalg.norm(np.asarray(coarse.solution(x)) - short) / np.linalg.norm(short))
            if differences[count // 2] <= AGREEMENT:
                return cut, [slab], {"slabs_tried": differences}
        if slab.stop_reason in ("interrupted", "callback"):
            return cut, [slab], {"slabs_tried": differences}
        coarse, count = slab, 2 * count
    raise InputError(
        f"the first of {MOST_SLABS} slabs and its first half still differ by {differences[MOST_SLABS // 2]:.1e}: take more steps "
        "or points in each slab, another network, or give the number, slabs=…."
    )


@checked_call(Trainer, Setup)
class March:
    """The state of a march, advanced a step at a time as that of a `Trainer`: after so many steps in a slab the next begins.

    Parameters
    ----------
    problem, network, optimizer, slabs, steps, seed, boundary_weight
        As of `march`; the number of slabs is given.
    **options
        As of `Trainer`.

    Attributes
    ----------
    slab : int
        Number of slabs before the one in hand.
    steps : int
        Those of the slab in hand.
    trainer : Trainer
        That of the slab in hand; its time goes from 0 to 1.
    setup, network, theta, records, rows, compile_seconds, ended
        As those of a `Trainer`, of the whole interval; slabs that were not reached have the parameters of the last one.

    Examples
    --------
    >>> problem = sl.PROBLEMS["transport_1d"](speed=2.0)
    >>> march = sl.March(problem, sl.MLP(2, width=8), slabs=2, points=100, steps=3)
    >>> [march.step().step for _ in range(4)], march.slab
    ([1, 2, 3, 4], 1)
    """

    def __init__(
        self,
        problem: Problem,
        network=None,
        optimizer: Optimizer | None = None,
        *,
        slabs: int,
        steps: int | Sequence[int],
        seed: int = 0,
        boundary_weight: float | str | None = "balance",
        **options,
    ):
        self._cut = Cut(problem, network, check_integer("slabs", slabs, 1))
        self._kept = _kept(steps, seed, boundary_weight)
        self._options, self._reached, self._compiled = options, NOTHING, 0.0
        given = {name: options[name] for name in ("points", "dtype", "sampler") if name in options}
        self.setup = Setup(problem, self._cut.whole, **given)
        self._begin(sketched_natural_gradient() if optimizer is None else optimizer)

    network = property(lambda self: self._cut.whole)
    rows = property(lambda self: self.trainer.rows)
    slab = property(lambda self: len(self._reached.finished))
    steps = property(lambda self: steps_in(self._kept["steps"], self.slab))
    records = property(lambda self: (*self._reached.records, *following(self._reached.records, self.trainer.records)))
    theta = property(lambda self: self._cut.joined([*self._reached.thetas, self.trainer.theta]))
    compile_seconds = property(lambda self: self._compiled + self.trainer.compile_seconds)

    @property
    def ended(self) -> str | None:
        """The stop reason where going on makes no sense, in the last slab or in any."""
        reason = self.trainer.ended
        return reason if reason == "non-finite" or self.slab == self.network.count - 1 else None

    def step(self) -> Record:
        """Take one step, in the next slab if the one in hand has taken its own or makes no sense any more."""
        if self.slab < self.network.count - 1 and (len(self.trainer.records) >= self.steps or self.trainer.ended):
            self._reached, self._compiled = self._now(whole=True), self.compile_seconds
            self._begin(self.trainer.optimizer)
        return following(self._reached.records, [self.trainer.step()])[0]

    def switch(self, optimizer: Optimizer) -> None:
        """Go on with another optimizer, see `Trainer.switch`."""
        self.trainer.switch(optimizer)

    def check_memory(self) -> None:
        """Raise `InputError` if a step needs more memory than is at hand."""
        self.trainer.check_memory()

    def spectrum(self) -> Spectrum:
        """Compute the full spectrum of J in the slab in hand."""
        return self.trainer.spectrum()

    def run(self, stop_reason: str, **limits) -> Run:
        """Return what was reached so far, as `march` does; a slab that has not taken its steps begins anew in `resume`."""
        now = self._now(whole=len(self.trainer.records) >= self.steps, **limits)
        return self._cut.run(now, stop_reason, self.trainer.optimizer, {"march": self._kept | {"slabs": self.network.count}})

    def _now(self, *, whole, **limits):
        slab = self.trainer.run("steps", **limits | {"steps": self.steps})
        slab = replace(slab, settings=slab.settings | {"weights": self._weights})
        return self._reached.with_slab(slab, self._cut.points(self.slab, slab), whole)

    def _begin(self, optimizer):
        options = self._options | {name: self._kept[name] for name in ("seed", "boundary_weight")} | {"optimizer": optimizer}
        self.trainer, self._weights = self._cut.begin(self.slab, self._reached, options, Trainer)

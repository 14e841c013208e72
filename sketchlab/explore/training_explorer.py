"""The training explorer: press Run, and watch the spectrum, the error and the solution move."""

import functools
from pathlib import Path
from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.cutting import slab_of
from sketchlab.domains import carried
from sketchlab.drawing import exact_values, masked, one_output, positive, slice_points
from sketchlab.explore.background import Throttle
from sketchlab.explore.choices import NetworkChoice, ProblemChoice
from sketchlab.explore.controls import Choice, Number
from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, PINK, field, figure, fill, heatmap, line, log_axis
from sketchlab.explore.runner import Runner
from sketchlab.explore.session import LIVE, Session, described, options
from sketchlab.history import STOP_REASONS
from sketchlab.marching import March
from sketchlab.memory import KEPT
from sketchlab.optimizers import OPTIMIZERS
from sketchlab.searches import SEARCHES
from sketchlab.setup import Setup
from sketchlab.storage import save
from sketchlab.trainer import Trainer
from sketchlab.verification import RUNS, verify


@functools.lru_cache(maxsize=KEPT)
def _sizes(least_squares, condition):
    return jax.jit(functools.partial(least_squares.residual_size, condition))


#: Points a side of the solution and error pictures; and of a curve at most, on screen.
RESOLUTION, CURVE = 40, 400


class TrainingExplorer(Runner):
    """A training run to steer: its convergence, the spectrum as it moves, the solution and where it is wrong.

    Parameters
    ----------
    problem : str or Problem
    network : str or network
        "usual", what the problem asks for, "mlp", "periodic" or "fourier", or your own.
    **choices
        First values of the other controls, see `controls`.
    """

    name = "training"
    title = "Training, step by step"
    look_for = (
        "Press <b>Run</b>: the error falls while the eigenvalues move. With a sketch (sngd) drag the <b>rank</b> during "
        "the run: the error stops falling when the sketch ends above the damping."
    )
    primary: ClassVar = ("problem", "optimizer", "width", "rank")
    actions: ClassVar = {
        "run": "Train for so many steps, or until paused",
        "pause": "Stop after this step",
        "step": "Take one step",
        "verify": "How far can it be trusted? Trains independent runs and compares, without the exact solution",
        "reset": "Back to the initial parameters, with what the controls say",
    }
    #: Controls that change what a run is made of: they apply on Reset.
    structure: ClassVar = ("problem", "network", "width", "depth", "points", "slabs", "seed")

    def __init__(self, problem="heat_1d", network="usual", **choices):
        self._start_with({"problem": ProblemChoice(problem)}, network, choices)

    def _start_with(self, what, network, choices):
        """Build the explorer for what the controls in `what` describe: a problem."""
        controls = what | {
            "network": NetworkChoice(network),
            "width": Number("width", 2, 1024, 32, log=True, help="Units of a hidden layer"),
            "depth": Number("depth", 1, 6, 2, help="Hidden layers"),
            "points": Number("points", 16, 16384, 500, log=True, help="Collocation points"),
            "slabs": Number("slabs", 1, 64, 1, help="Parts of the time interval, solved one after the other: see `march`"),
            "seed": Number("seed", 0, 999, 0, help="Of parameters, points and random matrices"),
            "optimizer": Choice("optimizer", list(OPTIMIZERS), "sngd", help="Can be changed during a run"),
            "rank": Number("rank k", 1, 400, 80, help="Of the sketch; can be changed during a run"),
            "search": Choice("damping", list(SEARCHES), "damping path", help="How a step is chosen; can be changed during a run"),
            "momentum": Number(
                "momentum", 0.0, 0.95, 0.5, help="Part of the last step that is kept; can be changed during a run"
            ),
            "learning_rate": Number("learning rate", 1e-5, 1.0, 1e-3, log=True, help="Of Adam; can be changed during a run"),
            "steps": Number("steps", 1, 5000, 150, log=True, help="Steps until Run pauses by itself, or in each slab"),
            "against": Choice("curves over", ["steps", "seconds"], "steps", help="Horizontal axis of the convergence curves"),
        }
        super().__init__(controls, choices)
        # People watch the curves; what takes the browser longer to draw follows more slowly.
        self._eigenvalues, self._fields = Throttle(0.2), Throttle(1.0)
        self._begin()

    @property
    def trainer(self) -> Trainer | March | None:
        """The run; None before the first step."""
        return None if self.work is None else self.work.trainer

    @property
    def network(self):
        """The network that is trained; of slabs, that of one."""
        return self.work.setup.network

    @property
    def code(self) -> str:
        """A line of Python that brings the explorer back, and its steps if they were all taken with what the controls say."""
        session = self.work
        whole = session and not session.switched and all(value == self._value(name) for name, value in session.structure.items())
        return super().code + (f".run_sync({session.taken})" if whole and session.taken else "")

    def run(self) -> None:
        """Train in the background for so many steps from here as the control says, in each slab, or until paused."""
        self._guard(lambda: self._take(self._value("steps") * self._value("slabs")))

    def step(self) -> None:
        """Take one step, or one more than was asked for."""
        self._guard(lambda: self._take(1, on_top=self._background.running))

    def verify(self) -> None:
        """Estimate the error without the exact solution, by independent runs of as many steps, see `sketchlab.verify`."""
        session = self.work
        if self.trainer is None or not session.taken:
            self._say("Press Run first: there is nothing to verify yet.", "idle")
            return
        run, found = self.trainer.run("interrupted", steps=session.taken), []

        def piece():
            # Pause, Run and Reset are heard after each step of theirs.
            found.append(verify(run, callbacks=[lambda trainer, record: not self._background.wanted]))

        self._say(f"training {RUNS} independent runs of {session.taken} steps each …", "running")
        self._background.start(piece, lambda more: self._say(f"{found[0]}", "idle"))

    def run_sync(self, steps: int) -> Self:
        """Take so many steps here and now, without a browser; raises what goes wrong, and returns the explorer."""
        self._in_hand().go_on(self.work.taken + steps)
        return super().run_sync(steps)

    def save_run(self, path=None) -> Path:
        """Save the run as `sketchlab.save` does, for `load` and `resume`; see `Explorer.save_run`."""
        if self.trainer is None:
            return super().save_run(path)
        run = self.trainer.run(self.trainer.ended or "interrupted", steps=self.work.until)
        return self._keep_run(path, lambda to: save(run, to))

    def _changed(self, names):
        untouched = self.trainer is None and not self._background.running
        if untouched and (names & set(self.structure) or self.work is None):
            self._set_up()
        for name in LIVE:
            self.controls[name].enable(name in options(self._values))
        if untouched:
            if "rank" in names and (note := self._limit_rank()):
                self._say(note)
            return
        if "against" in names and self.trainer is not None:
            self._draw_curves()
        note = self._waiting_note(self.work.structure)
        if note:
            self._say(note)
        elif changed := self._labels(name for name in ("optimizer", *LIVE) if name in names):
            self._say(f"{self._limit_rank()}{', '.join(changed)}: from the next step on")
        self.buttons["reset"].button_style = "warning" if note else ""

    def _limit_rank(self):
        """Move a rank that is too large to the largest, and say so."""
        limit = max(1, self.work.setup.largest_rank)
        if self._value("rank") <= limit:
            return ""
        with self._moving():
            self.controls["rank"].value = limit
        return f"Rank moved to {limit}, the largest that fits here. "

    def _problem(self):
        return self.controls["problem"].problem

    def _take(self, steps, *, on_top=False):
        """Take so many steps from here, or on top of those that are asked for."""
        self.error = None
        session = self._in_hand()
        session.go_on((session.until if on_top else session.taken) + steps)
        self._start()

    @property
    def _doing(self):
        compiled = described(self._values) == self.work.optimizer
        return "…" if compiled else f"compiling for P = {self.work.setup.parameters:,} parameters …"

    def draw(self, record):
        """Show the session, each panel as often as people can see it, and all of them at the end."""
        if record.trainer is None:
            return
        running = self._background.running
        self._draw_curves()
        self._say(self._waiting_note(record.structure) + self._report(), self._stage)
        if not running or self._eigenvalues.ready():
            self._draw_spectrum()
        if not running or self._fields.ready():
            self._draw_fields(self.trainer.theta)

    def _report(self):
        last, trainer = self.trainer.records[-1], self.trainer
        if trainer.ended:
            return f"stopped after {last.step} steps: {STOP_REASONS[trainer.ended]}."
        error = "" if last.relative_error is None else f", relative L2 error {last.relative_error:.2e}"
        rank = len(self._seen())
        kept = f", rank {rank}, damping μ = {last.damping:.0e}" if rank else ""
        refused = "" if last.accepted else "; this step was refused, for every candidate raised the loss"
        clock, own = self.work.clock, last.seconds + trainer.compile_seconds
        # What other programs, spectra and pictures took.
        clock = f", {clock:.0f} s by the clock" if clock > 1.3 * own + 1 else ""
        compiled = f"compiled in {trainer.compile_seconds:.1f} s"
        return (
            f"step {last.step}, {last.seconds:.1f} s ({compiled}{clock}): loss {last.loss:.2e}{error}"
            f"{kept}{refused}. P = {self.network.size:,}, N = {trainer.rows:,}"
        )

    def begin(self):
        """Return a session of the problem and network that the controls describe."""
        problem = self._problem()
        # The network of a slab sees a time from 0 to 1.
        network = self._network(problem if self._value("slabs") == 1 else slab_of(problem))
        # Made anew each time: a number that a residual reads from outside may have changed.
        setup = Setup(problem, network, self._value("points"), self._value("seed"))
        # Where a slab ends is settled when the first begins.
        structure = self.structure if self._value("slabs") == 1 else (*self.structure, "steps")
        return Session(setup, {name: self._value(name) for name in structure})

    def lay_out(self):
        """Show the initial network, and empty curves."""
        setup = self.work.setup
        problem = setup.problem
        self._grid, self._grid_shape = slice_points(problem, RESOLUTION)
        self._exact = None if problem.solution is None else exact_values(problem, self._grid)
        note = self._limit_rank()
        self._make_figures(problem)
        self._draw_fields(setup.theta())
        self.buttons["reset"].button_style = ""
        self._say(f"{note}{problem.equation or problem.name}: P = {setup.parameters:,} parameters. Press Run.", "idle")

    def _make_figures(self, problem):
        hover = "λ%{x} = %{y:.3e}<extra></extra>"
        self.spectrum_figure = figure(
            "Spectrum of the Gramian" + ("" if self.work.affordable else ", all eigenvalues too much work here"),
            {"title": "index i"},
            log_axis("eigenvalue λᵢ"),
            [
                line("all eigenvalues", GREY, hover=hover),
                line("seen by the step", BLUE, hover=hover),
                line("rank", GREEN, "dash"),
                line("damping μ", PINK, "dot"),
            ],
        )
        curves, measured = [line("loss", BLUE)], "loss"
        if self._exact is not None:
            curves, measured = [*curves, line("relative L2 error", ORANGE, "dash")], "loss; relative error"
        self.convergence_figure = figure("Convergence", {"title": "steps"}, log_axis(measured), curves)
        names = [{"title": name} for name in problem.axes[:2]]
        judged, size = ("Error", "|u − u*|") if self._exact is not None else ("Residual", "|r|")
        where = "" if self._exact is not None else ", first condition"
        first = "Solution u" if problem.outputs == 1 else f"Solution, the first of {problem.outputs} functions"
        first += ", other axes at their middle" if problem.dim > 2 else ""
        if problem.dim == 1:
            curves = [line("network", BLUE)] + ([] if self._exact is None else [line("exact", GREY, "dash")])
            self.solution_figure = figure(first, names[0], {"title": "u"}, curves)
            self.error_figure = figure(f"{judged} {size}{where}", names[0], log_axis(size), [line(judged, ORANGE)])
        else:
            self.solution_figure = figure(first, *names, [heatmap("Viridis")])
            self.error_figure = figure(f"log₁₀ of the {judged.lower()} {size}{where}", *names, [heatmap("Magma")])
        self._put(self.spectrum_figure, self.convergence_figure, self.solution_figure, self.error_figure)

    def _draw_curves(self):
        records = self.trainer.records
        if not records:
            return
        # The last one is always shown.
        shown = records[:: -max(1, len(records) // CURVE)][::-1]
        against = self._value("against")
        x = [record.step if against == "steps" else record.seconds for record in shown]
        with self.convergence_figure.batch_update():
            self.convergence_figure.layout.xaxis.title.text = against
            for trace, name in zip(self.convergence_figure.data, ("loss", "relative_error"), strict=False):
                fill(trace, x, positive([getattr(record, name) for record in shown]))

    def _seen(self):
        """Return the eigenvalues of G that the last step saw: a kernel matrix of more rows than parameters has zeros behind."""
        return self.trainer.records[-1].eigenvalues[: self.network.size]

    def _draw_spectrum(self):
        last, whole, eigenvalues = self.trainer.records[-1], self.work.eigenvalues, self._seen()
        count, values = len(eigenvalues), eigenvalues[eigenvalues > 0]
        every, seen, rank, damping = self.spectrum_figure.data
        with self.spectrum_figure.batch_update():
            if whole is not None:
                fill(every, np.arange(1, whole.size + 1), positive(whole))
            fill(seen, np.arange(1, count + 1), positive(eigenvalues))
            if values.size:
                fill(rank, [count, count], [values.min(), values.max()])
                fill(damping, [1, count], [last.damping] * 2)
            else:
                fill(rank, [], [])
                fill(damping, [], [])

    def _draw_fields(self, theta):
        # Once there is a trainer, what it trains is shown.
        setup = self.work.setup if self.trainer is None else self.trainer.setup
        regions = setup.problem.regions
        # Numbers that come with points, measured values for one, are known at those points alone: such a residual has no picture.
        everywhere = sorted((i for i, region in enumerate(regions) if not carried(region)), key=lambda i: regions[i].codimension)
        x = jnp.asarray(self._grid)
        sizes = _sizes(setup.least_squares, everywhere[0])(theta, x) if everywhere else np.full(len(x), np.nan)
        values = one_output(setup.least_squares.solution(theta, x)), sizes
        u, residual = (masked(setup.problem, self._grid, part) for part in values)
        wrong = residual if self._exact is None else np.abs(u - self._exact)
        if len(self._grid_shape) > 1:
            field(self.solution_figure.data[0], self._grid, self._grid_shape, u)
            field(self.error_figure.data[0], self._grid, self._grid_shape, np.log10(positive(wrong)))
            return
        x = self._grid[:, 0]
        fill(self.solution_figure.data[0], x, u)
        if self._exact is not None:
            fill(self.solution_figure.data[1], x, self._exact)
        fill(self.error_figure.data[0], x, positive(wrong))

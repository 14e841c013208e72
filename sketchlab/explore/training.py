"""The training explorer: press Run, and watch the spectrum, the error and the solution move."""

import html
import inspect

import ipywidgets as widgets
import jax
import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go

from sketchlab.explore.live import BLUE, GREEN, GREY, ORANGE, PINK, Loop, Throttle, control, figure, line, log_axis
from sketchlab.networks import MLP
from sketchlab.optimizers import OPTIMIZERS
from sketchlab.plots import exact_values, positive, slice_points
from sketchlab.problems import PROBLEMS
from sketchlab.residuals import LeastSquares
from sketchlab.training import Trainer
from sketchlab.validation import InputError

#: Largest min(N, P) whose full spectrum is computed when a run is set up or pauses: half a second of work.
FULL_SPECTRUM_LIMIT = 700
#: Grid points a side of the solution and error pictures.
RESOLUTION = 40


class TrainingExplorer:
    """Controls and three live panels around a `Trainer`.

    Display it in a notebook, or drive it from code: `set` moves controls, `run_sync` trains without a browser.

    Parameters
    ----------
    steps : int
        Steps after which a run pauses by itself; Run goes on from there.
    **choices
        First values of the controls: problem, width, depth, rank, points, optimizer, seed.

    Attributes
    ----------
    trainer : Trainer or None
        The run in hand; None until the first step after a change of controls.
    error : Exception or None
        What went wrong last, shown in the status line too.
    controls : dict of str to widget
    """

    def __init__(self, *, steps: int = 150, **choices):
        self.steps = steps
        self.trainer = None
        self.error = None
        self._target = 0
        self.controls = {
            "problem": control(widgets.Dropdown, "problem", options=list(PROBLEMS), value="heat_1d"),
            "optimizer": control(widgets.Dropdown, "optimizer", options=list(OPTIMIZERS), value="sngd"),
            "width": _slider("width", [4, 8, 12, 16, 24, 32, 48, 64], 16),
            "depth": _slider("depth", [1, 2, 3, 4], 2),
            "rank": _slider("rank", [5, 10, 20, 40, 60, 80, 100, 150, 200, 300], 80),
            "points": _slider("points", [50, 100, 200, 300, 500, 800, 1100, 1600, 2400], 500),
            "seed": control(widgets.BoundedIntText, "seed", min=0, max=2**32 - 1, value=0),
        }
        self.status = widgets.HTML()
        self.run_button = widgets.Button(description="Run", icon="play", button_style="primary", tooltip="Train")
        self.pause_button = widgets.Button(description="Pause", icon="pause", tooltip="Stop after this step")
        self.reset_button = widgets.Button(description="Reset", icon="undo", tooltip="Back to the initial parameters")
        self.run_button.on_click(lambda _: self.run())
        self.pause_button.on_click(lambda _: self.pause())
        self.reset_button.on_click(lambda _: self.reset())
        self._loop = Loop(self._advance, self._fail)
        self._curves, self._fields, self._whole = Throttle(), Throttle(0.5), Throttle(2.0)
        self._panels = widgets.Box(layout={"flex_flow": "row wrap"})
        self.set(**choices)
        for widget in self.controls.values():
            widget.observe(lambda _: self.reset(), names="value")
        self.widget = self._layout()
        self.reset()

    def _ipython_display_(self):
        from IPython.display import display

        display(self.widget)

    def set(self, **choices) -> None:
        """Move controls, as a hand would: ``set(rank=20, problem="poisson_2d")``.

        Raises
        ------
        InputError
            For a control or a value that is not there.
        """
        for name, value in choices.items():
            if name not in self.controls:
                raise InputError(f"there is no control {name!r}: use {', '.join(self.controls)}.")
            widget = self.controls[name]
            allowed = getattr(widget, "options", None)
            if allowed is not None and value not in allowed:
                raise InputError(f"{name} = {value!r} is not on the control: use one of {', '.join(map(str, allowed))}.")
            widget.value = value

    def run(self) -> None:
        """Train in the background for `steps` more steps, or until paused."""
        if self._loop.running:
            return
        self._target = self.steps + (len(self.trainer.records) if self.trainer else 0)
        self._say("compiling …")
        self._loop.start()

    def pause(self) -> None:
        """Stop after the step in hand, and look at the whole spectrum."""
        if self._loop.running:
            self._loop.pause()
            self._guarded(self._draw_all)

    def reset(self) -> None:
        """Forget the run, and set the panels up for what the controls say."""
        self._loop.pause()
        self.trainer = None
        self._guarded(self._set_up)

    def run_sync(self, steps: int) -> None:
        """Train here and now, without a browser; raises what goes wrong."""
        self._loop.pause()
        self._make_trainer()
        for _ in range(steps):
            self.trainer.step()
        self._draw_all()

    def _advance(self):
        self._make_trainer()
        self.trainer.step()
        done = len(self.trainer.records) >= self._target or self.trainer.broken
        if done:
            self._draw_all()
        else:
            if self._curves.ready():
                self._draw_curves()
            if self._fields.ready():
                self._draw_fields()
            if self._whole.ready():
                self._draw_full_spectrum()
        return not done

    def _guarded(self, action):
        try:
            action()
        except Exception as error:  # kept and shown: a widget has nobody above it to tell
            self._fail(error)

    def _fail(self, error):
        self.error = error
        self._say(f"<span style='color:{ORANGE}'><b>{html.escape(type(error).__name__)}</b>: {html.escape(str(error))}</span>")

    def _choice(self, name):
        return self.controls[name].value

    def _set_up(self):
        self.error = None
        self.problem = PROBLEMS[self._choice("problem")]()
        self.network = MLP(self.problem.dim, self._choice("width"), self._choice("depth"), self.problem.outputs)
        self._grid, self._grid_shape = slice_points(self.problem, RESOLUTION)
        self._exact = exact_values(self.problem, self._grid)
        least_squares = LeastSquares(self.problem, self.network)
        self._solution = jax.jit(lambda theta, x: least_squares.solution(theta, x))
        self._make_figures()
        self._say(f"ready: {self.problem.equation} &nbsp; P = {self.network.size} parameters")

    def _make_trainer(self):
        if self.trainer is not None:
            return
        factory = OPTIMIZERS[self._choice("optimizer")]
        takes_rank = "rank" in inspect.signature(factory).parameters
        optimizer = factory(rank=self._choice("rank")) if takes_rank else factory()
        self.trainer = Trainer(
            self.problem, self.network, optimizer, points=self._choice("points"), seed=int(self._choice("seed"))
        )
        self._draw_full_spectrum()

    def _make_figures(self):
        self.spectrum_figure = figure(
            "Spectrum of the Gramian",
            {"title": "index i"},
            log_axis("eigenvalue λᵢ"),
            [
                line("all eigenvalues", GREY),
                line("seen by the step", BLUE),
                line("rank", GREEN, "dash"),
                line("damping μ", PINK, "dot"),
            ],
        )
        self.convergence_figure = figure(
            "Convergence", {"title": "step"}, log_axis(""), [line("loss", BLUE), line("relative L2 error", ORANGE, "dash")]
        )
        if self.problem.dim == 1:
            solution = [line("network", BLUE), line("exact", GREY, "dash")]
            solution[1].update(x=self._grid[:, 0], y=self._exact)
            axes = {"title": "x"}
            self.solution_figure = figure("Solution u", axes, {"title": "u"}, solution)
            self.error_figure = figure("Error |u − u*|", axes, log_axis("|u − u*|"), [line("error", ORANGE)])
        else:
            names = ("x", "t") if self.problem.name in ("heat_1d", "transport_1d") else ("x₁", "x₂")
            axes = [{"title": name} for name in names]
            self.solution_figure = figure("Solution u", *axes, [_heatmap("Viridis", "")])
            self.error_figure = figure("Error, log₁₀ |u − u*|", *axes, [_heatmap("Magma", "10^")])
        self._panels.children = [self.spectrum_figure, self.convergence_figure, self.solution_figure, self.error_figure]

    def _draw_all(self):
        self._draw_curves()
        self._draw_fields()
        self._draw_full_spectrum()

    def _draw_curves(self):
        records = self.trainer.records
        if not records:
            return
        last = records[-1]
        steps = [record.step for record in records]
        with self.convergence_figure.batch_update():
            loss, error = self.convergence_figure.data
            loss.update(x=steps, y=[record.loss for record in records])
            error.update(x=steps, y=[record.relative_error for record in records])
        with self.spectrum_figure.batch_update():
            _, seen, rank, damping = self.spectrum_figure.data
            seen.update(x=np.arange(1, len(last.eigenvalues) + 1), y=positive(last.eigenvalues))
            values = last.eigenvalues[last.eigenvalues > 0]
            if values.size:
                k = len(last.eigenvalues)
                rank.update(x=[k, k], y=[values.min(), values.max()], name=f"rank {k}")
                damping.update(x=[1, k], y=[last.damping] * 2, name=f"damping μ = {last.damping:.0e}")
        state = (
            "not a number: try another seed or optimizer"
            if self.trainer.broken
            else f"relative L2 error {last.relative_error:.2e}"
        )
        self._say(
            f"step {last.step}, {last.seconds:.1f} s (compiled in {self.trainer.compile_seconds:.1f} s): "
            f"loss {last.loss:.2e}, {state}. &nbsp; "
            f"{self.problem.equation}, P = {self.network.size}, N = {self.trainer.rows}"
        )

    def _draw_fields(self):
        u = np.asarray(self._solution(self.trainer.theta, jnp.asarray(self._grid)))
        error = np.abs(u - self._exact)
        if self.problem.dim == 1:
            self.solution_figure.data[0].update(x=self._grid[:, 0], y=u)
            self.error_figure.data[0].update(x=self._grid[:, 0], y=positive(error))
            return
        ticks = {"x": self._grid[:: self._grid_shape[1], 0], "y": self._grid[: self._grid_shape[1], 1]}
        # plotly wants rows along the vertical axis
        self.solution_figure.data[0].update(z=u.reshape(self._grid_shape).T, **ticks)
        self.error_figure.data[0].update(z=np.log10(positive(error)).reshape(self._grid_shape).T, **ticks)

    def _draw_full_spectrum(self):
        if min(self.trainer.rows, self.network.size) > FULL_SPECTRUM_LIMIT:
            return
        values = np.asarray(self.trainer.spectrum().eigenvalues)
        name = f"all eigenvalues, step {len(self.trainer.records)}"
        self.spectrum_figure.data[0].update(x=np.arange(1, values.size + 1), y=positive(values), name=name)

    def _say(self, text):
        self.status.value = f"<div style='min-height:1.6em' role='status'>{text}</div>"

    def _layout(self):
        buttons = widgets.HBox([self.run_button, self.pause_button, self.reset_button])
        controls = widgets.Box(list(self.controls.values()), layout={"flex_flow": "row wrap"})
        return widgets.VBox([controls, buttons, self.status, self._panels])


def _slider(label, values, value):
    return control(widgets.SelectionSlider, label, options=values, value=value, continuous_update=False)


def _heatmap(colours, prefix):
    return go.Heatmap(z=[[0.0]], colorscale=colours, zsmooth="best", colorbar={"tickprefix": prefix, "thickness": 14})

"""What every explorer is: a title, controls, buttons, a status line, panels, and a line of Python that brings it back.

An explorer is an application, as the command line is: making one switches JAX to 64-bit numbers and lets it keep compiled
functions in the user's cache folder (`sketchlab.compiled`).
"""

import contextlib
import functools
import html
import json
import re
import time
from collections import defaultdict
from collections.abc import Set
from pathlib import Path
from typing import ClassVar

import ipywidgets as widgets
import jax
import numpy as np
from IPython import get_ipython
from IPython.display import display

from sketchlab.compiled import keep_compiled_functions
from sketchlab.equations import PROBLEMS
from sketchlab.explore.background import Background
from sketchlab.explore.controls import CatalogueChoice, Words
from sketchlab.explore.live import ORANGE, LiveFigure, numbers, twin
from sketchlab.explore.page import Page
from sketchlab.files import replacing
from sketchlab.networks import check_network, network_from_settings
from sketchlab.problems import Problem
from sketchlab.usual import USUAL_NETWORKS, usual_network
from sketchlab.validation import InputError, check_instance

#: Explorers by the notebook cell that made them.
_made_by_cell: dict[str, list["Explorer"]] = defaultdict(list)


class Explorer:
    """Base of the explorers, made of controls by name and the first values of some of them.

    Attributes
    ----------
    controls : dict of str to control
        See `sketchlab.explore.controls`.
    error : Exception or None
        What went wrong last; the status line says it too.
    state : str
        "idle", "busy", "running", "paused" or "closed".
    widget : Widget
        All of it.
    """

    #: What it is called in `sketchlab.explore`; its title; and one sentence on what to look for.
    name: ClassVar[str]
    title: ClassVar[str]
    look_for: ClassVar[str]
    #: Methods that have a button: icon and explanation.
    actions: ClassVar[dict[str, tuple[str, str]]] = {}

    #: What it does one of at a time, for those that run.
    in_hand: ClassVar[str] = "step"

    def __init__(self, controls, choices):
        jax.config.update("jax_enable_x64", True)
        keep_compiled_functions()
        self.controls = controls
        self.error = None
        self.state = "idle"
        self._by_code = True
        self._page = Page()
        self._background = Background(self._fail, lambda: self._page.watched)
        self.status = widgets.HTML()
        self._line = widgets.HTML()
        self._panels = widgets.Box(layout={"flex_flow": "row wrap"})
        self.buttons = {name: self._button(name, *how) for name, how in (self.actions | SAVING).items()}
        self.widget = self._layout()
        for name, control in controls.items():
            control.on_change(functools.partial(self._by_hand, name))
        try:
            checked = self._checked(choices)
        except InputError:
            _close(self.widget)
            raise
        for name, value in checked.items():
            self.controls[name].value = value
        self._read_controls()
        _dispose_with_cell(self)

    @classmethod
    def from_settings(cls, settings: dict) -> "Explorer":
        """Bring an explorer back from its `settings`, but for its name."""
        return cls(**settings)

    def _ipython_display_(self):
        display(self.widget)

    @property
    def settings(self) -> dict:
        """Every control's value, fit for JSON: `sketchlab.explore.from_settings` brings the explorer back."""
        return {"explorer": self.name} | {name: control.written for name, control in self.controls.items()}

    @property
    def code(self) -> str:
        """A line of Python that brings the explorer back."""
        values = ", ".join(f"{name}={control.spelled}" for name, control in self.controls.items())
        return f"sl.explore.{self.name}({values})"

    def set(self, **choices) -> None:
        """Move controls, as the user would, and wait for the answer: ``set(rank=20, width=64)``.

        Raises
        ------
        InputError
            For a control or a value that is not there. What goes wrong afterwards is in `error`.
        """
        checked = self._checked(choices)
        with self._moving(), self._background.waiting():
            for name, value in checked.items():
                self.controls[name].value = value
            self._react(set(checked))

    def pause(self) -> None:
        """Stop after the piece of work that has begun."""
        if self._background.running:
            self._background.pause()
            self._say(f"after this {self.in_hand}", "paused")

    def reset(self) -> None:
        """Forget what was computed, and set the panels up for what the controls say."""
        self._background.drop()
        self.error = None
        self._guard(self._set_up)
        self._show_settings()

    def save_figure(self, path=None) -> list[Path]:
        """Draw what is on screen with matplotlib, as a PNG and a PDF; return the files.

        They are called as `path` says, with an ending or without, by default by a new name in the current folder.
        """
        if not self.figures:
            raise InputError("there is nothing to draw yet: press Run first.")
        drawn = twin(self.figures)
        files = [self._file(path, ending) for ending in ("png", "pdf")]
        for file in files:
            with replacing(file) as partial:
                drawn.savefig(partial, dpi=150)
        self._say(f"saved {files[0]} and {files[1].name}")
        return files

    def save_run(self, path=None) -> Path:
        """Save the numbers on screen, with the settings, as an ``.npz`` file; return it, called as in `save_figure`."""
        file = self._file(path, "npz")
        with replacing(file) as partial, open(partial, "wb") as stream:
            np.savez(stream, settings=json.dumps(self.settings), **self._numbers())
        self._say(f"saved {file}")
        return file

    def close(self) -> None:
        """End its work and give back its memory; the widgets vanish."""
        self._background.close()
        self.state = "closed"
        _close(self.widget)
        self._forget()

    @property
    def figures(self) -> list:
        """The live figures in the panels."""
        return [panel for panel in self._panels.children if isinstance(panel, LiveFigure)]

    # What an explorer adds, besides the figures in its panels

    def _changed(self, names: Set[str]) -> None:
        """Answer to controls that moved."""
        raise NotImplementedError

    def _set_up(self) -> None:
        """Begin anew, with empty panels: those that have a Reset."""
        raise NotImplementedError

    # What it gets, and may refine

    def _put(self, *panels) -> None:
        """Show these panels in place of those before."""
        former, self._panels.children = self._panels.children, panels
        for panel in former:
            if panel not in panels:
                panel.close()

    def _forget(self) -> None:
        """Let go of what takes memory: a notebook's history of outputs may hold on to the explorer itself."""

    def _numbers(self) -> dict[str, np.ndarray]:
        """Return the arrays on screen."""
        return numbers(self.figures)

    def _say(self, text: str, state: str | None = None) -> None:
        """Write into the status line."""
        self.state = state or self.state
        self._write(self.state, text)

    def _fail(self, error: Exception) -> None:
        self.error, self.state = error, "idle"
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        self._write("stopped", f"{kind}{error}", "alert", ORANGE)

    def _write(self, state, text, role="status", colour="inherit"):
        style = f"min-height:1.6em; line-height:1.4; color:{colour}"
        self.status.value = f"<div style='{style}' role='{role}'><b>{state}</b> · {html.escape(text)}</div>"

    def _guard(self, action) -> None:
        """Answer to the user: a widget has nobody above it to tell what went wrong, so the status line does."""
        try:
            action()
        except Exception as error:  # kept and shown
            self._fail(error)

    def _value(self, name: str):
        """Return what a control said last; a worker's thread may ask, for it reads no widget."""
        return self._values[name]

    def _read_controls(self):
        # Replaced whole: a worker sees all of a change, or none.
        self._values = {name: control.value for name, control in self.controls.items()}

    def _labels(self, names) -> list[str]:
        return [self.controls[name].label for name in names]

    def _waiting_note(self, begun_with: dict) -> str:
        """Say which controls have moved since it was set up with these values, and apply on Reset."""
        waiting = self._labels(name for name, value in begun_with.items() if value != self._value(name))
        return f"{', '.join(waiting)} {'applies' if len(waiting) == 1 else 'apply'} on Reset. " if waiting else ""

    @contextlib.contextmanager
    def _moving(self):
        """Move controls in this block without answering to each."""
        former, self._by_code = self._by_code, True
        try:
            yield
        finally:
            self._by_code = former
            self._read_controls()

    def _begin(self) -> None:
        """Answer to all controls for the first time; the explorer's constructor ends with it."""
        with self._background.waiting():
            self._react(set(self.controls))
        self._by_code = False

    def _by_hand(self, name):
        if not self._by_code:
            self._react({name})

    def _react(self, names):
        self.error = None
        self._read_controls()
        if "network" in self.controls:
            # One's own network has a width and a depth of its own.
            for name in ("width", "depth"):
                self.controls[name].enable(self.controls["network"].chosen is None)
        self._guard(lambda: self._changed(names))
        self._show_settings()

    def _show_settings(self):
        self._page.text = self.code
        self._line.value = f"<code style='font-size: 11px; user-select: all; opacity: 0.75'>{html.escape(self.code)}</code>"

    def _checked(self, choices):
        for name, value in choices.items():
            if name not in self.controls:
                raise InputError(f"there is no control {name!r}: use {', '.join(self.controls)}.")
            choices = choices | {name: self.controls[name].check(value)}
        return choices

    def _network(self, problem):
        """Return the network that the controls describe."""
        return self.controls["network"].network(problem, self._value("width"), self._value("depth"))

    def _file(self, path, ending):
        """Give a name, or a new one, the ending of a file."""
        new = f"{self.name}-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 10**6 % 1000:03d}"
        name = new if path is None else re.sub(r"\.(png|pdf|npz)$", "", str(path))
        return Path(f"{name}.{ending}").expanduser()

    def _button(self, name, icon, explanation):
        words, style = name.replace("_", " ").capitalize(), "primary" if name == "run" else ""
        options = {"icon": icon, "tooltip": explanation, "button_style": style, "layout": {"width": "120px"}}
        button = widgets.Button(description=words, **options)
        button.on_click(lambda _: self._guard(getattr(self, name)))
        return button

    def _layout(self):
        head = widgets.HTML(f"<h3 style='margin: 0.2em 0'>{self.title}</h3><div>{self.look_for}</div>")
        # In as many columns as there is room for.
        wide = [control.widget for control in self.controls.values() if isinstance(control, Words) and control.lines > 1]
        controls = widgets.GridBox(
            [control.widget for control in self.controls.values() if control.widget not in wide],
            layout={"grid_template_columns": "repeat(auto-fill, minmax(298px, 1fr))", "max_width": "1200px"},
        )
        buttons = widgets.Box([*self.buttons.values(), self._page], layout={"flex_flow": "row wrap"})
        return widgets.VBox([head, controls, *wide, buttons, self.status, self._panels, self._line])


#: Buttons that every explorer has.
SAVING = {
    "save_figure": ("picture-o", "Draw what is on screen with matplotlib, as PNG and PDF, into the folder of the notebook"),
    "save_run": ("floppy-o", "Save the numbers on screen, with the settings"),
}


class ProblemChoice(CatalogueChoice):
    """The problem: one of the catalogue by its name, or one's own."""

    def __init__(self, given="heat_1d"):
        if not isinstance(given, str):
            check_instance("problem", given, Problem, 'a name, as "heat_1d", or sl.Problem(…)')
        super().__init__("problem", PROBLEMS, given, help="The differential equation")

    @property
    def problem(self) -> Problem:
        """The problem chosen."""
        return _made(PROBLEMS[self.value]) if self.chosen is None else self.chosen


@functools.cache
def _made(factory):
    """Return the problem of a factory: always the same object, so that what belongs to it is found again."""
    return factory()


class NetworkChoice(CatalogueChoice):
    """The network: a usual one of the width and depth that the controls say, by its name; or one's own, or the settings of it."""

    def __init__(self, given="usual"):
        if isinstance(given, dict):
            given = network_from_settings(given)
        if not isinstance(given, str):
            check_network(given)
        super().__init__("network", USUAL_NETWORKS, given, help="Alone, or behind features; your own network is given in Python")

    @property
    def written(self):
        """The name; or the settings of one's own network, where it has some."""
        return getattr(self.chosen, "settings", None) or self.value

    def network(self, problem: Problem, width: int, depth: int):
        """Return the network chosen."""
        return usual_network(problem, self.value, width, depth) if self.chosen is None else self.chosen


def _dispose_with_cell(explorer):
    """Close the explorer when the cell that made it is run again, or has been deleted, in a notebook that names its cells."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return
    cell = shell.get_parent().get("metadata", {}).get("cellId")
    if cell is None:
        return
    _watch_cells(shell)
    _made_by_cell[cell].append(explorer)


@functools.cache
def _watch_cells(shell):
    shell.events.register("pre_run_cell", lambda _: _dispose(shell))


def _dispose(shell):
    about = shell.get_parent().get("metadata", {})
    for cell in [about.get("cellId"), *about.get("deletedCells", [])]:
        for explorer in _made_by_cell.pop(cell, []):
            explorer.close()


def _close(widget):
    for child in getattr(widget, "children", ()):
        _close(child)
    for name in ("style", "layout"):
        part = getattr(widget, name, None)
        if isinstance(part, widgets.Widget):
            part.close()
    widget.close()

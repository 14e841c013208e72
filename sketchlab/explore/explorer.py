"""What every explorer is: a title, controls, buttons, a status line, panels, and a line of Python that brings it back.

An explorer is an application, as the command line is: making one switches JAX to 64-bit numbers and lets it keep compiled
functions in the user's cache folder (`sketchlab.compiled`).
"""

import contextlib
import functools
import html
import json
import re
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
from sketchlab.explore.background import Background
from sketchlab.explore.controls import Words
from sketchlab.explore.live import LiveFigure, copy, numbers, twin
from sketchlab.explore.page import Page, served
from sketchlab.explore.saving import file_called, keep
from sketchlab.explore.still import Still
from sketchlab.explore.toggles import Toggles
from sketchlab.validation import InputError

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
    #: Controls that stand beside the panels; the others are folded away. () for all.
    primary: ClassVar[tuple[str, ...]] = ()
    #: Methods that have a button, and an explanation of each.
    actions: ClassVar[dict[str, str]] = {}

    def __init__(self, controls, choices):
        jax.config.update("jax_enable_x64", True)
        keep_compiled_functions()
        self.controls = controls
        self.error = None
        self.state = "idle"
        self._by_code = True
        self._page = Page(lambda settings: self._guard(lambda: self._arrive(settings)))
        self._background = Background(self._fail, lambda: self._page.watched)
        self._still = Still(self._picture, self._fail)
        self.status, self.saved = widgets.HTML(), widgets.HTML()
        self._line = widgets.HTML()
        self._panels = _classed(widgets.Box(), "panels")
        self.buttons = {name: self._button(name, how) for name, how in (self.actions | SAVING).items()}
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
        self._guard(self._still.display)

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
        with self._background.waiting():
            self._move(choices)

    def save_figure(self, path=None) -> list[Path]:
        """Draw what is on screen with matplotlib, as a PNG and a PDF; return the files.

        They are called as `path` says, with an ending or without, by default by a new name in the current folder.
        """
        if not self.figures:
            raise InputError("there is nothing to draw yet: press Run first.")
        drawn = twin(self.figures)
        files = [file_called(path, ending, self.name) for ending in ("png", "pdf")]
        for file in files:
            keep(file, functools.partial(drawn.savefig, dpi=150, format=file.suffix[1:]), self._page)
        self._tell_saved(f"{files[0]} and {files[1].name}")
        return files

    def save_run(self, path=None) -> Path:
        """Save the numbers on screen, with the settings, as an ``.npz`` file; return it, called as in `save_figure`."""
        return self._keep_run(path, lambda to: _save_arrays(to, settings=json.dumps(self.settings), **self._numbers()))

    def _keep_run(self, path, write):
        file = file_called(path, "npz", self.name)
        keep(file, write, self._page)
        self._tell_saved(file)
        return file

    def close(self) -> None:
        """End its work and give back its memory; the widgets vanish."""
        self._background.close()
        self._still.close()
        self.state = "closed"
        _close(self.widget)
        self._forget()

    @property
    def figures(self) -> list:
        """The live figures in the panels."""
        return [panel for panel in self._panels.children if isinstance(panel, LiveFigure)]

    # What an explorer adds, besides the figures in its panels

    def compute(self, values: dict) -> object:
        """Return a record of what the controls' values by name ask for; in a thread of its own, where no widget is touched."""
        raise NotImplementedError

    def draw(self, record) -> None:
        """Show what `compute` returned, and say in a sentence what is to be seen."""
        raise NotImplementedError

    def _changed(self, names: Set[str]) -> None:
        """Answer to controls that moved: by computing and drawing."""
        values, found = self._values, []
        self._say("computing …", "busy")
        self._background.start(lambda: found.append(self.compute(values)), lambda _: self.draw(found[0]))

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

    def _tell_saved(self, what) -> None:
        """Say what was saved, where no step of a run writes over it."""
        self.saved.value = f"<div role='status'>saved {html.escape(str(what))}</div>"

    def _fail(self, error: Exception) -> None:
        self.error, self.state = error, "idle"
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        self._write("stopped", f"{kind}{error}", "alert")

    def _write(self, state, text, role="status"):
        self.status.value = f"<div class='sketchlab-{role}' role='{role}'><b>{state}</b> · {html.escape(text)}</div>"
        if self.state in ("idle", "paused"):
            self._still.renew()

    def _picture(self):
        """Return what a still picture needs: a function that draws it, anywhere; and what it says."""
        copies = [copy(live) for live in self.figures]
        said = re.sub("<[^>]*>", "", self.status.value)
        return (lambda: twin(copies)) if copies else None, f"{self.title}. {html.unescape(said)}", self.code

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

    def _move(self, choices):
        checked = self._checked(choices)
        with self._moving():
            for name, value in checked.items():
                self.controls[name].value = value
        self._react(set(checked))

    def _arrive(self, settings):
        """Move controls to what the address of the page says: values, which are checked, and never code that is run."""
        self._move({name: value for name, value in settings.items() if name != "explorer"})

    def _show_settings(self):
        self._page.text, self._page.settings = self.code, json.dumps(self.settings)
        self._line.value = f"<code class='sketchlab-line'>{html.escape(self.code)}</code>"

    def _checked(self, choices):
        for name, value in choices.items():
            if name not in self.controls:
                raise InputError(f"there is no control {name!r}: use {', '.join(self.controls)}.")
            choices = choices | {name: self.controls[name].check(value)}
        return choices

    def _network(self, problem):
        """Return the network that the controls describe."""
        return self.controls["network"].network(problem, self._value("width"), self._value("depth"))

    def _button(self, name, explanation):
        words, style = name.replace("_", " ").capitalize(), "primary" if name == "run" else ""
        button = widgets.Button(description=words, tooltip=explanation, button_style=style)
        button.on_click(lambda _: self._guard(getattr(self, name)))
        return button

    def _layout(self):
        head = _classed(widgets.HTML(f"<h3>{self.title}</h3>{self.look_for}"), "head")
        near = [self.controls[name].widget for name in self.primary or self.controls]
        buttons = _classed(widgets.Box([self.buttons[name] for name in self.actions]), "buttons")
        saving = _classed(widgets.Box([*(self.buttons[name] for name in SAVING), self._page]), "buttons")
        folded = widgets.VBox(
            [*(control.widget for control in self.controls.values() if control.widget not in near), saving, self.saved]
        )
        more = widgets.ToggleButton(description="More", tooltip="The other controls; saving, and copying settings")
        folded.layout.display = "none"
        more.observe(lambda change: setattr(folded.layout, "display", "flex" if change["new"] else "none"), names="value")
        side = _classed(widgets.VBox([*near, buttons, self.status, more, folded]), "side")
        body = _classed(widgets.HBox([side, self._panels]), "body")
        # A page for visitors has no code.
        whole = _classed(widgets.VBox([head, body, *([] if served() else [self._line]), Toggles()]), "explorer")
        if any(isinstance(control, Words) and control.lines > 1 for control in self.controls.values()):
            _classed(whole, "writing")
        return whole


def _save_arrays(path, **arrays):
    # A stream, for NumPy adds an ending to names.
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def _classed(widget, name):
    """Give a widget a class that the style sheet knows it by."""
    return widget.add_class(f"sketchlab-{name}")


#: Buttons that every explorer has.
SAVING = {
    "save_figure": "Draw what is on screen with matplotlib, as PNG and PDF, into the folder of the notebook",
    "save_run": "Save the numbers on screen, with the settings",
}


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

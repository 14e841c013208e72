"""Controls: what the user moves, each with its name, its limits, and a message for what it refuses.

All have ``value``, ``widget``, ``check(value)`` and ``on_change(callback)``, so that an explorer treats them alike.
"""

import keyword
import math
import re
from collections.abc import Callable, Sequence

import anywidget
import ipywidgets as widgets
import traitlets
from IPython import get_ipython

from sketchlab.explore.page import STATIC
from sketchlab.validation import InputError, check_integer, check_real


class Control:
    """What all controls have."""

    @property
    def written(self):
        """The value as JSON can hold it."""
        return self.value

    @property
    def spelled(self) -> str:
        """The value in Python."""
        return repr(self.value)


class _OneWidget(Control):
    """A control whose `widget` has the value itself."""

    @property
    def value(self):
        """What it says."""
        return self.widget.value

    @value.setter
    def value(self, value):
        self.widget.value = value

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back when the user, or code, has changed the value."""
        self.widget.observe(lambda _: callback(), names="value")

    def enable(self, enabled: bool) -> None:
        """Let the user move it, or not."""
        self.widget.disabled = not enabled


class Choice(_OneWidget):
    """One of a few named things.

    Parameters
    ----------
    label : str
    options : sequence
    value : object
        One of them.
    help : str
        Shown when the pointer rests on it.
    """

    def __init__(self, label: str, options: Sequence, value, *, help: str = ""):
        self.label = label
        self.widget = widgets.Dropdown(options=list(options), value=value, **_labelled(label, help))

    @property
    def options(self) -> tuple:
        """What there is to choose from."""
        return self.widget.options

    def check(self, value):
        """Return the value, or raise `InputError` if it is not on the control."""
        if value not in self.options:
            raise InputError(f"{self.label} = {value!r} is not on the control: use one of {', '.join(map(str, self.options))}.")
        return value


class CatalogueChoice(Choice):
    """One of a catalogue by its name, or an object of one's own.

    Parameters
    ----------
    label, help : str
    names : sequence of str
        Of the catalogue.
    given : str or object
        What is chosen first. An object is offered beside the names, as long as the explorer lives, and is its attribute `own`.
    """

    def __init__(self, label: str, names: Sequence[str], given, *, help: str = ""):
        self.own, first, options = None, given, list(names)
        if not isinstance(given, str):
            name = getattr(given, "name", type(given).__name__)
            self.own, first = given, f"{name} (own)" if name in options else name
            options.append(first)
        elif given not in options:
            raise InputError(
                f"{label} = {given!r} is not on the control: use one of {', '.join(options)}, or give your own, {label}=…, as an "
                "object."
            )
        self._own_name = None if self.own is None else first
        super().__init__(label, options, first, help=help)

    @property
    def chosen(self):
        """The object of one's own, if it is chosen."""
        return self.own if self.value == self._own_name else None

    @property
    def spelled(self) -> str:
        """A name in quotes; or one's own object as its variable in the notebook, or a name that a variable can have."""
        if self.chosen is None:
            return repr(self.value)
        shell = get_ipython()
        variables = [] if shell is None else [name for name, value in shell.user_ns.items() if value is self.own]
        guess = re.sub(r"\W", "_", getattr(self.own, "name", self.label))
        # What IPython remembers as an output begins with an underscore.
        variables = [name for name in (*variables, guess) if not name.startswith("_")]
        return next((name for name in variables if name.isidentifier() and not keyword.iskeyword(name)), self.label)

    def check(self, value):
        """Return the name on the control of a value, which may be the object of one's own itself."""
        return self._own_name if self.own is not None and value is self.own else super().check(value)


class NumberBox(anywidget.AnyWidget):
    """A number in the page: a box that carries its name and keeps what is typed until it is complete, and a slider.

    The script moves what is out of the limits into them, and says so below the box.
    """

    value = traitlets.Float().tag(sync=True)
    low = traitlets.Float().tag(sync=True)
    high = traitlets.Float().tag(sync=True)
    whole = traitlets.Bool().tag(sync=True)
    log = traitlets.Bool().tag(sync=True)
    live = traitlets.Bool().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    help = traitlets.Unicode().tag(sync=True)

    _esm = STATIC / "number.js"

    @traitlets.validate("value")
    def _limited(self, proposal):
        # A page may send anything; nothing else than a number within the limits comes in. What it sent stands in `value` by now.
        value = proposal["value"]
        if math.isfinite(value):
            value = min(max(value, self.low), self.high)
            self._kept = float(round(value)) if self.whole else value
        return self._kept


class Number(_OneWidget):
    """A number: a box that carries its name, for the keyboard, and a slider for the pointer.

    Parameters
    ----------
    label : str
    low, high : int or float
        Limits. Two ints make a control of whole numbers.
    value : int or float
    log : bool
        Slide along powers of two (whole numbers) or ten.
    live : bool
        Answer while the slider is dragged, not only when it is let go.
    help : str
        Shown when the pointer rests on it.
    """

    def __init__(self, label: str, low, high, value, *, log: bool = False, live: bool = False, help: str = ""):
        self.label, self.low, self.high = label, low, high
        self.whole = isinstance(low, int) and isinstance(high, int)
        kind = {"low": low, "high": high, "whole": self.whole, "log": log, "live": live}
        self.widget = NumberBox(label=label, help=help, **kind)
        self.widget.value = value

    @property
    def value(self):
        """The number in the box."""
        return int(self.widget.value) if self.whole else self.widget.value

    @value.setter
    def value(self, value):
        self.widget.value = value

    def check(self, value):
        """Return the value as a number, or raise `InputError` if it is none or out of the limits."""
        return (check_integer if self.whole else check_real)(self.label, value, self.low, self.high)


class Words(_OneWidget):
    """A line of text, or several.

    Parameters
    ----------
    label : str
    value : str
    lines : int
    suggestions : sequence of str
        Offered while a line is written; any other text will do.
    help : str
        Shown when the pointer rests on it.
    """

    def __init__(self, label: str, value: str, *, lines: int = 1, suggestions: Sequence[str] = (), help: str = ""):
        self.label, self.lines = label, lines
        # Taken when it is finished: by Enter, or by leaving it.
        options = {"value": value, "continuous_update": False} | _labelled(label, help)
        if lines == 1:
            self.widget = widgets.Combobox(options=list(suggestions), placeholder="empty: none", **options)
            return
        options |= {"layout": {"width": "100%"}}
        self.widget = widgets.Textarea(rows=lines, **options)

    def check(self, value) -> str:
        """Return the value, or raise `InputError` if it is no text."""
        if not isinstance(value, str):
            raise InputError(f"{self.label} = {value!r} is no text.")
        return value


def _labelled(label, help):
    style = {"description_width": "92px"}
    return {"description": label, "tooltip": help or label, "style": style, "layout": {"width": "auto"}}

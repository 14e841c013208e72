"""Controls: what the user moves, each with its name, its limits, and a message for what it refuses.

All have ``value``, ``widget``, ``check(value)`` and ``on_change(callback)``, so that an explorer treats them alike.
"""

import keyword
import math
import re
from collections.abc import Callable, Sequence

import ipywidgets as widgets
from IPython import get_ipython

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


class Number(Control):
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
        box_type = widgets.BoundedIntText if self.whole else widgets.BoundedFloatText
        step = {"step": 1 if self.whole else None}
        self.box = box_type(min=low, max=high, value=value, **step, **_labelled(label, help, "187px"))
        options = {"readout": False, "continuous_update": live, "tooltip": help or label, "layout": {"width": "106px"}}
        if log:
            base = 2 if self.whole else 10
            limits = {"min": math.log(low, base), "max": math.log(high, base), "step": 0.5 if self.whole else 0.1}
            self.slider = widgets.FloatLogSlider(base=base, value=value, **limits, **options)
        elif self.whole:
            self.slider = widgets.IntSlider(min=low, max=high, value=value, **options)
        else:
            self.slider = widgets.FloatSlider(min=low, max=high, value=value, step=(high - low) / 100, **options)
        self._following = False
        self.slider.observe(lambda _: self._from_slider(), names="value")
        self.box.observe(lambda _: self._from_box(), names="value")
        self.widget = widgets.HBox([self.box, self.slider])

    @property
    def value(self):
        """The number in the box."""
        return self.box.value

    @value.setter
    def value(self, value):
        self.box.value = value

    def check(self, value):
        """Return the value as a number, or raise `InputError` if it is none or out of the limits."""
        return (check_integer if self.whole else check_real)(self.label, value, self.low, self.high)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back when the user, or code, has changed the value."""
        self.box.observe(lambda _: callback(), names="value")

    def enable(self, enabled: bool) -> None:
        """Let the user move it, or not."""
        self.box.disabled = self.slider.disabled = not enabled

    def _shown(self, value):
        return round(value) if self.whole else float(f"{value:.3g}")

    def _from_slider(self):
        if self._following:
            return
        self.box.value = min(max(self._shown(self.slider.value), self.low), self.high)

    def _from_box(self):
        # Where the slider stands for this number already, moving it would pull it from under the pointer.
        if self._shown(self.slider.value) != self.box.value:
            # The slider follows, and does not round what was typed to its own steps.
            self._following = True
            self.slider.value = self.box.value
            self._following = False


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
        self.widget = widgets.Textarea(rows=lines, **options | {"layout": {"width": "min(100%, 900px)"}})

    def check(self, value) -> str:
        """Return the value, or raise `InputError` if it is no text."""
        if not isinstance(value, str):
            raise InputError(f"{self.label} = {value!r} is no text.")
        return value


def _labelled(label, help, width="290px"):
    style = {"description_width": "112px"}
    return {"description": label, "tooltip": help or label, "style": style, "layout": {"width": width}}

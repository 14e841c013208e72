"""Controls: what a hand can move, each with its name, its limits, and a message for what it refuses.

All have ``value``, ``widget``, ``check(value)`` and ``on_change(callback)``, so that an explorer treats them alike.
"""

import math
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from sketchlab.validation import InputError, check_integer, check_real


class _OneWidget:
    """A control whose `widget` has the value itself."""

    @property
    def value(self):
        """What it says."""
        return self.widget.value

    @value.setter
    def value(self, value):
        self.widget.value = value

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back when a hand, or code, has changed the value."""
        self.widget.observe(lambda _: callback(), names="value")

    def enable(self, enabled: bool) -> None:
        """Let a hand move it, or not."""
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


class Number:
    """A number: a box that carries its name, for the keyboard, and a slider for the hand.

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
        """Call back when a hand, or code, has changed the value."""
        self.box.observe(lambda _: callback(), names="value")

    def enable(self, enabled: bool) -> None:
        """Let a hand move it, or not."""
        self.box.disabled = self.slider.disabled = not enabled

    def _shown(self, value):
        return round(value) if self.whole else float(f"{value:.3g}")

    def _from_slider(self):
        if self._following:
            return
        self.box.value = min(max(self._shown(self.slider.value), self.low), self.high)

    def _from_box(self):
        # Where the slider stands for this number already, moving it would pull it from under the hand.
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

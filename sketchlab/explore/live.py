"""What every explorer shares: figures that are updated in place, labelled controls, and a loop that does not block the kernel."""

import asyncio
import time
from collections.abc import Callable

import ipywidgets as widgets
import plotly.graph_objects as go

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#888888"

#: Size of a live figure in pixels: two side by side on a laptop, one below the other on less.
WIDTH, HEIGHT = 560, 340

#: Shortest time between two pictures, in seconds: more would queue up in the browser.
FRAME = 0.1


def log_axis(title: str) -> dict:
    """Describe a logarithmic axis that prints powers of ten."""
    return {"type": "log", "title": title, "exponentformat": "power", "nticks": 8}


def figure(title: str, x_axis: dict, y_axis: dict, traces: list) -> go.FigureWidget:
    """Make a live figure in the house style."""
    layout = {
        "title": {"text": title, "font": {"size": 15}},
        "template": "plotly_white",
        "width": WIDTH,
        "height": HEIGHT,
        "margin": {"l": 70, "r": 20, "t": 45, "b": 90},
        "legend": {"orientation": "h", "y": -0.24, "x": 0, "font": {"size": 11}},
        "xaxis": x_axis,
        "yaxis": y_axis,
    }
    return go.FigureWidget(data=traces, layout=layout)


def line(name: str, colour: str, dash: str = "solid") -> go.Scatter:
    """Make an empty curve, to be filled while the explorer runs."""
    return go.Scatter(x=[], y=[], name=name, mode="lines", line={"color": colour, "dash": dash, "width": 2})


class Loop:
    """Calls a function again and again on the kernel's event loop, until paused.

    Parameters
    ----------
    advance : callable, () -> bool
        One short piece of work; False ends the loop.
    on_error : callable, (exception) -> None
        Gets whatever `advance` raises: nobody else would see it.

    Notes
    -----
    A task that awaits between pieces leaves the kernel free to hear a click. Callbacks may come from another thread,
    hence ``run_coroutine_threadsafe`` on the loop that was running when the explorer was made. Without a running loop
    (a script) `start` works through to the end.
    """

    def __init__(self, advance: Callable[[], bool], on_error: Callable[[Exception], None]):
        self._advance, self._on_error = advance, on_error
        self.running = False
        self._generation = 0
        try:
            self._events = asyncio.get_running_loop()
        except RuntimeError:
            self._events = None

    def start(self) -> None:
        """Begin, unless running already."""
        if self.running:
            return
        self.running = True
        self._generation += 1
        if self._events is not None:
            asyncio.run_coroutine_threadsafe(self._run(self._generation), self._events)
            return
        while self.running:
            self._once()

    def pause(self) -> None:
        """Stop after the piece in hand."""
        self.running = False

    async def _run(self, generation):
        # A pause and a start in quick succession leave an old task behind: it sees that it is no longer the one.
        while self.running and generation == self._generation:
            self._once()
            await asyncio.sleep(0.01)

    def _once(self):
        try:
            if not self._advance():
                self.running = False
        except Exception as error:  # shown by the explorer, kept in its `error`
            self.running = False
            self._on_error(error)


class Throttle:
    """Says whether enough time has passed for another picture."""

    def __init__(self, seconds: float = FRAME):
        self.seconds = seconds
        self._last = 0.0

    def ready(self) -> bool:
        """Return True at most once every `seconds`."""
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True


def control(widget_type: type[widgets.Widget], label: str, **options) -> widgets.Widget:
    """Make a control whose label has room."""
    return widget_type(description=label, style={"description_width": "75px"}, layout={"width": "290px"}, **options)

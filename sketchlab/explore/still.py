"""Still figures in a notebook, with words for those who cannot see them; and what an explorer leaves behind in the file."""

import asyncio
import base64
import html
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from IPython.display import HTML, display

from sketchlab.explore.page import served
from sketchlab.validation import InputError, check_instance


def show(ax, *, alt: str, caption: str = "") -> HTML:
    """Turn the figure of `ax` into a picture with alternative text, and close it.

    Parameters
    ----------
    ax : matplotlib Axes
        As a ``plot_*`` function returns it.
    alt : str
        What is to be seen, for a screen reader.
    caption : str
        Below the picture.

    Returns
    -------
    HTML
        The last line of a cell displays it.

    Raises
    ------
    InputError
        If `alt` is empty.
    """
    if not check_instance("alt", alt, str, "a sentence that says what the figure shows").strip():
        raise InputError("alt is empty: say in a sentence what the figure shows.")
    # Loaded with the first picture, not with the first explorer.
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    check_instance("ax", ax, Axes, "what a function sl.plot_… returns")
    picture = _png(ax.figure, dpi=100)
    plt.close(ax.figure)
    return HTML(_figure(picture, alt, html.escape(caption)))


def _png(figure, dpi):
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=dpi)
    return picture.getvalue()


def _figure(picture, alt, caption):
    source = base64.b64encode(picture).decode()
    return (
        f'{DARK}<figure class="sketchlab-still" style="margin: 0"><img style="max-width: 100%" alt="{html.escape(alt)}" '
        f'src="data:image/png;base64,{source}"><figcaption>{caption}</figcaption></figure>'
    )


#: In a dark page a picture has the opposite lightness, and the same hues.
DARK = "<style>body[data-jp-theme-light=false] .sketchlab-still img { filter: invert(0.93) hue-rotate(180deg); }</style>"
#: Seconds of quiet after which a picture is made, and its resolution: some 50 kB.
QUIET, DPI = 1.5, 60


def left_behind(kind: str, lives: str, content: str) -> HTML:
    """Return what is seen below a widget that does not live: opened again, exported, or after its kernel has gone.

    Of such a widget JupyterLab shows an error message, which is out of sight then.

    Parameters
    ----------
    kind : str
        Of widget; styles of one kind leave the others alone.
    lives : str
        What an output area with the living widget is, as a CSS selector.
    content : str
        HTML.
    """
    area, place, left = ".jp-OutputArea", ".jp-OutputArea-child", f"sketchlab-left-{kind}"
    return HTML(
        f"<style>{area}{lives} .{left} {{ display: none; }} "
        f"{area}:not({lives}) {place}:has(+ {place} .{left}) {{ display: none; }}</style>"
        f'<div class="sketchlab-left {left}">{content}</div>'
    )


class Still:
    """The picture that an explorer leaves in the notebook's file, below it and out of sight while it lives.

    Parameters
    ----------
    describe : callable, () -> (draw or None, alt, code)
        What is on screen: a function that draws it with matplotlib, in any thread, or None if there is nothing; in words; and the
        line of Python that brings it back.
    on_error : callable, (exception) -> None
        Gets what goes wrong beside the notebook's cells.
    """

    def __init__(self, describe: Callable, on_error: Callable[[Exception], None]):
        self._describe, self._on_error, self._handles, self._waiting = describe, on_error, [], None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sketchlab still")
        self._shown = ""

    def display(self) -> None:
        """Put the picture below what was displayed last."""
        self._handles.append(display(self._made(*self._describe()), display_id=True))

    def renew(self) -> None:
        """Make it anew, as soon as nothing has happened for a moment."""
        if not self._handles:
            return
        if self._waiting is not None:
            self._waiting.cancel()
        try:
            self._waiting = asyncio.get_running_loop().call_later(QUIET, self._begin)
        except RuntimeError:
            self._put(self._made(*self._describe()))

    def close(self) -> None:
        """Make no more of it."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._handles.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self):
        events, asked = asyncio.get_running_loop(), self._describe()
        made = events.run_in_executor(self._thread, lambda: self._made(*asked))
        made.add_done_callback(self._end)

    def _end(self, made):
        if made.cancelled():
            return
        if made.exception() is None:
            self._put(made.result())
        else:
            self._on_error(made.exception())

    def _put(self, made):
        # The same again would mark the notebook as changed.
        if made.data != self._shown:
            self._shown = made.data
            for handle in self._handles:
                handle.update(made)

    @staticmethod
    def _made(draw, alt, code):
        way = "Load this page again to move it." if served() else f"Run this cell to move it: <code>{html.escape(code)}</code>"
        words = f"{html.escape(alt)} {way}"
        content = f"<p>{words}</p>" if draw is None else _figure(_png(draw(), DPI), alt, words)
        return left_behind("explorer", ".sketchlab-live", content)

"""A question before an experiment: who has said what will happen looks more closely at what does."""

import html

import ipywidgets as widgets
from IPython.display import HTML, display

from sketchlab.explore.still import left_behind
from sketchlab.explore.toggles import Toggles
from sketchlab.validation import InputError


class Prediction:
    """Buttons that record a prediction; what was seen stands below them, once something is predicted and the experiment is done.

    In the notebook's file, question, prediction and answer stay.

    Parameters
    ----------
    question : str
    options : sequence of str
        Answers to choose from, two at least.
    """

    def __init__(self, question: str, options):
        options = list(options)
        if len(set(options)) < max(2, len(options)):
            raise InputError(f"options = {options}: a prediction needs two different answers at least.")
        self._question, self._seen, self._handles = f"<b>Your prediction.</b> {html.escape(question)}", None, []
        # Each button is a stop of the Tab key. JupyterLab takes the arrow keys that radio buttons need.
        self._choice = widgets.ToggleButtons(options=options, value=None, style={"button_width": "auto"})
        self._answer = widgets.HTML()
        self._choice.observe(lambda _: self._show(), names="value")
        self.widget = widgets.VBox([widgets.HTML(self._question), self._choice, self._answer, Toggles()])

    def _ipython_display_(self):
        display(self.widget)
        self._handles.append(display(self._left(), display_id=True))

    @property
    def value(self) -> str | None:
        """The option that was chosen."""
        return self._choice.value

    @value.setter
    def value(self, option):
        self._choice.value = option

    def reveal(self, option: str, says: str = "") -> HTML:
        """Answer the question, once the experiment has: below the question, as soon as something is predicted.

        Parameters
        ----------
        option : str
            The option that turned out right.
        says : str
            What was seen.

        Returns
        -------
        HTML
            The answer; without a prediction, where it waits. The last line of a cell displays it.

        Raises
        ------
        InputError
            If there is no such option.
        """
        if option not in self._choice.options:
            raise InputError(f"option = {option!r} is none of {list(self._choice.options)}.")
        self._seen = option, f"{html.escape(option)}. {html.escape(says)}".strip()
        self._show()
        if self.value is None:
            return HTML("<p>The answer is known. It waits below the question: choose there.</p>")
        return HTML(f"<p>{self._verdict()}</p>")

    def _verdict(self):
        """Return in HTML what there is to say by now."""
        if self.value is None or self._seen is None:
            return ""
        option, seen = self._seen
        verdict = "as you said" if self.value == option else f"you said “{html.escape(self.value)}”: why not?"
        return f"<b>Seen:</b> {seen} <b>— {verdict}</b>"

    def _show(self):
        waits = "" if self.value is None else "Noted. The answer appears here once the experiment is done."
        self._answer.value = self._verdict() or waits
        for handle in self._handles:
            handle.update(self._left())

    def _left(self):
        choice = "not made yet" if self.value is None else f"“{html.escape(self.value)}”"
        return left_behind(
            "prediction", ":has(.widget-toggle-buttons)", f"<p>{self._question} <b>{choice}</b>. {self._verdict()}</p>"
        )

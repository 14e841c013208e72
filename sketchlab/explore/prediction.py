"""A question before an experiment: who has said what will happen looks more closely at what does."""

import html

import ipywidgets as widgets
from IPython.display import HTML

from sketchlab.validation import InputError


class Prediction(widgets.VBox):
    """Buttons that record a prediction until the experiment answers.

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
        # Each button is a stop of the Tab key. JupyterLab takes the arrow keys that radio buttons need.
        self._choice = widgets.ToggleButtons(options=options, value=None, style={"button_width": "auto"})
        super().__init__([widgets.HTML(f"<b>Your prediction.</b> {html.escape(question)}"), self._choice])

    @property
    def value(self) -> str | None:
        """The option that was chosen."""
        return self._choice.value

    @value.setter
    def value(self, option):
        self._choice.value = option

    def reveal(self, option: str, says: str = "") -> HTML:
        """Answer the question, once the experiment has.

        Parameters
        ----------
        option : str
            The option that turned out right.
        says : str
            What was seen.

        Returns
        -------
        HTML
            The last line of a cell displays it. Without a prediction the answer is folded away.

        Raises
        ------
        InputError
            If there is no such option.
        """
        if option not in self._choice.options:
            raise InputError(f"option = {option!r} is none of {list(self._choice.options)}.")
        seen = f"{html.escape(option)}. {html.escape(says)}".strip()
        if self.value is None:
            return HTML(
                "<p>You have not predicted anything yet: choose above and run this cell again, or</p>"
                f"<details><summary>see the answer at once</summary><b>Seen:</b> {seen}</details>"
            )
        verdict = "as you said" if self.value == option else f"you said “{html.escape(self.value)}”: why not?"
        return HTML(f"<p><b>Seen:</b> {seen} <b>— {verdict}</b></p>")

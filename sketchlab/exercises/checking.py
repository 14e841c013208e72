"""What the checks share: they try an answer out, and say what is wrong with a hint, never the solution."""

import copy
import functools
import html
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sketchlab.user_code import explain, line_of


@dataclass(frozen=True)
class Verdict:
    """What a check found; true if the answer passed.

    Attributes
    ----------
    passed : bool
    says : str
        What is wrong.
    hint : str
        Where to look.
    """

    passed: bool
    says: str
    hint: str = ""

    def __bool__(self):
        return self.passed

    def __str__(self):
        return f"{'✓' if self.passed else '✗'} {self.says} {self.hint}".strip()

    def _repr_html_(self):
        mark, colour = ("✓", "#007D5B") if self.passed else ("✗", "#C24E00")
        hint = f"<br><i>Hint:</i> {html.escape(self.hint)}" if self.hint else ""
        style = f"border-left: 4px solid {colour}; padding: 0.2em 0.8em"
        return f'<div role="status" style="{style}"><b>{mark}</b> {html.escape(self.says)}{hint}</div>'


class Wrong(Exception):
    """An answer that does not pass, with a hint."""

    def __init__(self, says: str, hint: str):
        super().__init__(says)
        self.says, self.hint = says, hint


def need(condition, says: str, hint: str) -> None:
    """Raise `Wrong` unless `condition` holds."""
    if not condition:
        raise Wrong(says, hint)


def need_none(found: np.ndarray, right, mistakes, where: str, tolerance: float) -> None:
    """Raise `Wrong` if `found` is what one of the mistakes (value, what it looks like, hint) gives.

    A mistake that makes no difference for these inputs is passed over.
    """
    for value, what, hint in mistakes:
        need(close(value, right) or not close(found, value, tolerance), f"{where} it looks as if {what}.", hint)


def stopped(what: str, error: Exception) -> Wrong:
    """Say why a student's code stops, and where, in the words that training has for it."""
    line = line_of(error)
    return Wrong(
        f"{what} stops: {explain(error)}",
        f"It happens in {line}." if line else "No line of yours was reached: does it take the arguments that the task names?",
    )


def exercise(check: Callable) -> Callable[[Callable], Verdict]:
    """Turn a function that tries an answer and raises `Wrong` into a check that returns a `Verdict`.

    The answer is called with copies of its arguments, and what it raises becomes part of the verdict.
    """

    @functools.wraps(check)
    def run(answer) -> Verdict:
        if not callable(answer):
            return Verdict(
                False, f"{answer!r} is not a function.", "Give the function itself, without calling it: its name, no brackets."
            )

        def attempt(*arguments):
            try:
                return answer(*copy.deepcopy(arguments))
            except NotImplementedError:
                raise
            except Exception as error:  # Students may write anything, and read what it raises.
                raise stopped("Your function", error) from error

        try:
            check(attempt)
        except NotImplementedError:
            return Verdict(False, "Not done yet.", "Replace the line that raises NotImplementedError by your own.")
        except Wrong as wrong:
            return Verdict(False, wrong.says, wrong.hint)
        return Verdict(True, "Right.")

    return run


def as_numbers(value, shape: tuple, what: str) -> np.ndarray:
    """Return `value` as an array of finite real numbers, or raise `Wrong` if it is none of that shape."""
    hint = f"Return {what} of shape {shape}." if shape else f"Return one number, {what}."
    need(value is not None, "Your function returns None.", "Does it end with return?")
    try:
        array = np.asarray(value)
        numeric = np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array)
    except Exception:  # a ragged list, or an object without numbers in it
        numeric = False
    need(numeric, f"Your function returns {type(value).__name__}, not real numbers.", hint)
    need(array.shape == shape, f"Your function returns the shape {array.shape}.", hint)
    need(np.all(np.isfinite(array)), "Your function returns numbers that are not finite.", "Look for a division by zero.")
    return array.astype(float)


def close(value: np.ndarray, expected, tolerance: float = 1e-8) -> bool:
    """Return whether two arrays agree, relative to the largest entry expected."""
    expected = np.asarray(expected, float)
    return bool(np.max(np.abs(value - expected), initial=0) <= tolerance * max(np.max(np.abs(expected), initial=0), 1e-300))

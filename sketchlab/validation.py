"""What a user hands in is checked here, once, and refused with the value and the way out.

`InputError` marks a mistake of the caller, as opposed to a defect of the package: the command line turns it into one line
and exit status 2, a widget into its status line.
"""

import difflib
import inspect
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np


class InputError(ValueError):
    """A value from outside that cannot be used; the message names it and says what to do."""


class Catalogue(dict[str, Callable]):
    """A dictionary of named factories whose missing key names the known ones and the nearest.

    Parameters
    ----------
    kind : str
        What the entries are, in the singular, for the message: ``"problem"``.
    entries : dict of str to callable
        The factories.
    """

    def __init__(self, kind: str, entries: dict[str, Callable]):
        super().__init__(entries)
        self.kind = kind

    def __missing__(self, name):
        nearest = difflib.get_close_matches(str(name), self, n=1)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise InputError(f"unknown {self.kind} {name!r}.{guess} Known: {', '.join(self)}.")


def check_integer(name: str, value, low: int, high: int | None = None) -> int:
    """Return `value` as an int if it is a whole number in [low, high], else raise `InputError`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"between {low} and {high}"
        raise InputError(f"{name} = {value!r} is not a whole number {limits}.")
    return int(value)


def check_real(name: str, value, low: float, high: float, *, open_low=False, open_high=False) -> float:
    """Return `value` as a float if it lies between `low` and `high`, else raise `InputError`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    # Written so that NaN, for which every comparison is false, is refused too.
    inside = number and (low < value if open_low else low <= value) and (value < high if open_high else value <= high)
    if not inside:
        brackets = "(" if open_low else "[", ")" if open_high else "]"
        raise InputError(f"{name} = {value!r} is not a number in {brackets[0]}{low:g}, {high:g}{brackets[1]}.")
    return float(value)


def check_instance(name: str, value, kind: type, way_out: str):
    """Return `value` if it is a `kind`, else raise `InputError` with what to write instead."""
    if not isinstance(value, kind):
        raise InputError(f"{name} = {value!r} is no {kind.__name__}: give {way_out}.")
    return value


def check_boolean(name: str, value) -> bool:
    """Return `value` if it is True or False, else raise `InputError`."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} = {value!r} is neither True nor False.")
    return bool(value)


def takes(function, count: int) -> bool:
    """Tell whether `function` can be called with `count` positional arguments."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # Some compiled functions have no signature: calling them shows it.
        return True
    return True

"""Checks of arguments. Each refuses a wrong value with a message that has the value and the way out.

`InputError` marks a mistake of the caller, as opposed to a defect of the package: the command line turns it into one line
and exit status 2, a widget into its status line.
"""

import difflib
import functools
import inspect
import reprlib
from collections.abc import Callable
from inspect import Parameter
from numbers import Integral, Real
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
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

    def __getitem__(self, name):
        if isinstance(name, str) and name in self:
            return super().__getitem__(name)
        raise InputError(f"unknown {self.kind} {name!r}.{_guess(name, self)} Known: {', '.join(self)}.")


def _guess(name, known):
    nearest = difflib.get_close_matches(str(name), known, n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def check_integer(name: str, value, low: int, high: int | None = None) -> int:
    """Return `value` as an int if it is a whole number in [low, high], else raise `InputError`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < low or (high is not None and int(value) > high):
        limits = f"of at least {low}" if high is None else f"between {low} and {high}"
        raise InputError(f"{name} = {value!r:.100} is not a whole number {limits}.")
    return int(value)


def check_real(name: str, value, low: float, high: float, *, open_low=False, open_high=False) -> float:
    """Return `value` as a float if it lies between `low` and `high`, else raise `InputError`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    try:
        real = float(value) if number else float("nan")
    except OverflowError:  # A whole number beyond all floats.
        real = float("nan")
    # Written so that NaN, for which every comparison is false, is refused too.
    inside = (low < real if open_low else low <= real) and (real < high if open_high else real <= high)
    if not inside:
        brackets = "(" if open_low else "[", ")" if open_high else "]"
        raise InputError(f"{name} = {value!r:.100} is not a number in {brackets[0]}{low:g}, {high:g}{brackets[1]}.")
    return real


def check_instance(name: str, value, kind: type, way_out: str):
    """Return `value` if it is a `kind`, else raise `InputError` with what to write instead."""
    if not isinstance(value, kind):
        held = kind.__name__.lower()
        way_out = f"its {held}, as {type(value).__name__.lower()}.{held}" if hasattr(value, held) else way_out
        raise InputError(f"{name} = {value!r:.100} is no {kind.__name__}: give {way_out}.")
    return value


def check_boolean(name: str, value) -> bool:
    """Return `value` if it is True or False, else raise `InputError`."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} = {value!r} is neither True nor False.")
    return bool(value)


def is_list(value) -> bool:
    """Tell whether a value is a list, a tuple, a range or an array of one axis, with something in it."""
    try:
        return np.ndim(value) == 1 and len(value) > 0
    except ValueError:  # Lists of several lengths.
        return False


def elements(value) -> tuple:
    """Return what is in a list, or an array; nothing for what has no elements."""
    try:
        return tuple(value)
    except TypeError:
        return ()


def takes(function, count: int) -> bool:
    """Tell whether `function` can be called with `count` positional arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError) as error:
        # Some compiled functions have no signature, which is a ValueError: calling them shows it.
        return isinstance(error, ValueError)
    return True


def check_array(name: str, value):
    """Return `value` as an array of real numbers, else raise `InputError`.

    An array of JAX stays one, so that it can be traced; anything else becomes an array of NumPy.
    """
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value)
    except (ValueError, TypeError):  # Lists of several lengths; of random keys.
        array = np.asarray(None)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in (np.integer, np.floating)):
        raise InputError(f"{name} = {reprlib.repr(value)} is not an array of real numbers.")
    return array


def check_matrix(name: str, value, rows: int):
    """Return `value` if it is a matrix with so many rows, else raise `InputError`."""
    if check_array(name, value).ndim != 2 or len(value) != rows:
        raise InputError(f"{name} of shape {np.shape(value)} does not fit: it needs {rows} rows, as ({rows}, l).")
    return value


def check_jacobian(jacobian):
    """Return `jacobian` if it has products with matrices and real numbers, else raise `InputError`."""
    if not (hasattr(jacobian, "matmat") and hasattr(jacobian, "rmatmat")):
        if isinstance(jacobian, np.ndarray | jax.Array) and jacobian.ndim == 2:
            raise InputError(f"jacobian = array of shape {jacobian.shape} is a matrix: wrap it with sl.from_matrix.")
        raise InputError(f"jacobian = {jacobian!r:.100} is no Jacobian: make one with sl.jacobian or sl.from_matrix.")
    if len(jacobian.shape) != 2 or not np.issubdtype(jacobian.dtype, np.floating):
        raise InputError(
            f"the Jacobian has shape {jacobian.shape} and type {jacobian.dtype}: it must be a matrix of floating-point numbers."
        )
    return jacobian


def check_key(key):
    """Return `key` if it is a random key of JAX, else raise `InputError`."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32):
        raise InputError(f"key = {key!r} is no random key: use jax.random.key(0), with any whole number in place of 0.")
    return key


Called = TypeVar("Called", bound=Callable)


def checked_call(*others: Callable, but: str = "") -> Callable[[Called], Called]:
    """Let `check_call` look at every call of a function or class, which hands its ``**options``, but one, on to `others`."""

    def decorate(called: Any) -> Any:
        made = isinstance(called, type)
        function = called.__init__ if made else called

        @functools.wraps(function)
        def checked(*arguments, **options):
            check_call(called, arguments[made:], options, *others, but=but)
            return function(*arguments, **options)

        if made:
            called.__init__ = checked
        return called if made else checked

    return decorate


def check_call(called: Callable, arguments, options, *others: Callable, but: str = "", name: str = "") -> None:
    """Raise `InputError` unless a function takes these arguments, or one of `others` the options among them."""
    name = name or called.__qualname__.rpartition("<locals>.")[2]
    positional = [one for one in _names(called, Parameter.POSITIONAL_OR_KEYWORD) if one != "self"]
    by_name = _names(called, Parameter.KEYWORD_ONLY)
    known = dict.fromkeys([*positional, *by_name, *(option for other in others for option in _names(other) if option != but)])
    for option in options:
        if option not in known and (others or not _names(called, Parameter.VAR_KEYWORD)):
            raise InputError(f"{name} has no option {option!r}.{_guess(option, known)} It takes {', '.join(known) or 'none'}.")
    try:
        inspect.signature(called).bind(*arguments, **options)
    except TypeError as error:
        write = [_as_part(arguments[0] if arguments else None, one) for one in positional]
        write += [*(f"{option}=…" for option in by_name), *("…" for _ in _names(called, Parameter.VAR_KEYWORD))]
        raise InputError(f"{name}: {error}. Write {name}({', '.join(write)}).") from None


def _as_part(given, name):
    """Return "run.problem" for "problem" where a run, which has it, was given in its place; and other names as they are."""
    has = name in ("problem", "network", "theta", "optimizer") and hasattr(given, "problem") and hasattr(given, name)
    return f"{type(given).__name__.lower()}.{name}" if has else name


def _names(called, *kinds):
    kinds = kinds or (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return [parameter.name for parameter in inspect.signature(called).parameters.values() if parameter.kind in kinds]

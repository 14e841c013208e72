"""Optimizers written as text, ``sngd(rank=80)``: what a control holds, and a line of Python repeats."""

import ast
import functools
import inspect

from sketchlab.optimizers import OPTIMIZERS, Optimizer
from sketchlab.searches import SEARCHES
from sketchlab.validation import InputError


@functools.lru_cache(maxsize=64)
def make_optimizer(name: str, options: tuple[tuple[str, object], ...]) -> Optimizer:
    """Make an optimizer, with its search by name: the same object for the same settings, so that it compiles once.

    Raises
    ------
    InputError
        If there is no such optimizer, option or value.
    """
    factory = OPTIMIZERS[name]
    known = inspect.signature(factory).parameters
    for option, _ in options:
        if option not in known:
            raise InputError(f"{name} has no option {option!r}: use {', '.join(known)}.")
    return factory(**{option: SEARCHES[value]() if option == "search" else value for option, value in options})


def read_optimizer(text: str) -> Optimizer:
    """Read ``name`` or ``name(option=value, …)``.

    Raises
    ------
    InputError
        If it cannot be read, or names what is not there.
    """
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
        if isinstance(parsed, ast.Name):
            return make_optimizer(parsed.id, ())
        if isinstance(parsed, ast.Call) and isinstance(parsed.func, ast.Name) and not parsed.args:
            options = tuple((keyword.arg, ast.literal_eval(keyword.value)) for keyword in parsed.keywords)
            return make_optimizer(parsed.func.id, options)
    except InputError:
        raise
    except (SyntaxError, ValueError, TypeError) as error:
        raise InputError(f"{text!r} cannot be read: write it like sngd(rank=80, momentum=0.5).") from error
    raise InputError(f"{text!r} is no optimizer: write it like sngd(rank=80, momentum=0.5).")

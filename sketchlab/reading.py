"""Optimizers written as text, ``sngd(rank=80)``: on a control of an explorer, on the command line, in a list of benchmarks."""

import ast

from sketchlab.decompositions import DECOMPOSITIONS
from sketchlab.optimizers import OPTIMIZERS, Optimizer
from sketchlab.searches import SEARCHES
from sketchlab.validation import Catalogue, InputError, check_call, check_instance

EXAMPLES = "sngd(rank=80, momentum=0.5), or natural_gradient(sketched(40), search=step_grid())"


def make_optimizer(name: str, *arguments, **options) -> Optimizer:
    """Make an optimizer of a name, in `OPTIMIZERS` or as its function is called, with its options.

    Raises
    ------
    InputError
        If there is no such optimizer, option or value.

    Examples
    --------
    >>> from sketchlab.reading import make_optimizer
    >>> make_optimizer("sngd", rank=80, search="step grid").settings["search"].name
    'step grid'
    """
    return _make(_with_names_of_functions("optimizer", OPTIMIZERS), name, arguments, options)


def read_optimizer(text: str) -> Optimizer:
    """Read an optimizer, a name or a call of it; its arguments are numbers, texts, decompositions and searches.

    Nothing is run: the text is taken apart, and only the names of the catalogues mean something.

    Raises
    ------
    InputError
        If the text cannot be read, or names what is not there.

    Examples
    --------
    >>> from sketchlab.reading import read_optimizer
    >>> read_optimizer("sngd(rank=80, search=damping_path(ratio=0.5))").name
    'sngd'
    >>> read_optimizer("natural_gradient(sketched(40))") == sl.sketched_natural_gradient(40)
    True
    """
    check_instance("optimizer", text, str, f"text, like {EXAMPLES}")
    try:
        optimizer = _value(ast.parse(text.strip(), mode="eval").body, _with_names_of_functions("optimizer", OPTIMIZERS))
    except InputError:
        raise
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(f"{text!r:.100} cannot be read: write it like {EXAMPLES}.") from error
    if not isinstance(optimizer, Optimizer):
        raise InputError(f"{text!r} is not an optimizer: write it like {EXAMPLES}.")
    return optimizer


def _value(node, catalogue):
    """Return the value of a literal, or what the catalogue makes for a name or a call."""
    if isinstance(node, ast.Name):
        return _make(catalogue, node.id, (), {})
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = _with_names_of_functions("decomposition or search", DECOMPOSITIONS | SEARCHES)
        options = {keyword.arg: _value(keyword.value, parts) for keyword in node.keywords}
        return _make(catalogue, node.func.id, [_value(argument, parts) for argument in node.args], options)
    return ast.literal_eval(node)


def _make(catalogue, name, arguments, options):
    factory = catalogue[name]
    check_call(factory, arguments, options, name=name)
    if isinstance(options.get("search"), str):
        options = options | {"search": SEARCHES[options["search"]]()}
    return factory(*arguments, **options)


def _with_names_of_functions(kind, catalogue):
    """Return a catalogue that has its factories by the names of their functions, too, as Python knows them."""
    return Catalogue(kind, {factory.__name__: factory for factory in catalogue.values()} | catalogue)

"""What decompositions, searches and optimizers have in common: functions with settings, compared by value.

A strategy is a frozen dataclass of pure functions. Two made with the same settings are equal and hash alike, so that
``jax.jit`` takes one as a static argument and compiles once for both; and its settings, written as JSON, are enough to make
it again.
"""

import functools


class Bound(functools.partial):
    """A function with some keyword arguments given, equal to another of the same function and arguments.

    The functions of a strategy are made of it: a closure would be equal to itself only, and could not be pickled.
    """

    def __eq__(self, other):
        return isinstance(other, Bound) and (self.func, self.args, self.keywords) == (other.func, other.args, other.keywords)

    def __hash__(self):
        return hash((self.func, self.args, frozenset(self.keywords.items())))


def no_state(*arguments, **options):
    """Return the first state of what remembers nothing."""
    return ()


def written(value):
    """Turn a strategy, or one of its settings, into what JSON can hold: a strategy becomes its name and settings.

    >>> from sketchlab.strategies import written
    >>> written(sl.step_grid(halvings=20))
    {'name': 'step grid', 'halvings': 20}
    """
    if hasattr(value, "settings"):
        return {"name": value.name} | {name: written(part) for name, part in value.settings.items()}
    return value

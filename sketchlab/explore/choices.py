"""What an explorer is of: a problem and a network, from the catalogues or one's own."""

import functools

from sketchlab.equations import PROBLEMS
from sketchlab.explore.controls import CatalogueChoice
from sketchlab.networks import check_network, network_from_settings
from sketchlab.problems import Problem
from sketchlab.usual import USUAL_NETWORKS, usual_network
from sketchlab.validation import check_instance


class ProblemChoice(CatalogueChoice):
    """The problem: one of the catalogue by its name, or one's own."""

    def __init__(self, given="heat_1d"):
        if not isinstance(given, str):
            check_instance("problem", given, Problem, 'a name, as "heat_1d", or sl.Problem(…)')
        super().__init__("problem", PROBLEMS, given, help="The differential equation")

    @property
    def problem(self) -> Problem:
        """The problem chosen."""
        return _made(PROBLEMS[self.value]) if self.chosen is None else self.chosen


@functools.cache
def _made(factory):
    """Return the problem of a factory: always the same object, so that what belongs to it is found again."""
    return factory()


class NetworkChoice(CatalogueChoice):
    """The network: a usual one of the width and depth that the controls say, by its name; or one's own, or the settings of it."""

    def __init__(self, given="usual"):
        if isinstance(given, dict):
            given = network_from_settings(given)
        if not isinstance(given, str):
            check_network(given)
        super().__init__("network", USUAL_NETWORKS, given, help="Alone, or behind features; your own network is given in Python")

    @property
    def written(self):
        """The name; or the settings of one's own network, where it has some."""
        return getattr(self.chosen, "settings", None) or self.value

    def network(self, problem: Problem, width: int, depth: int):
        """Return the network chosen."""
        return usual_network(problem, self.value, width, depth) if self.chosen is None else self.chosen

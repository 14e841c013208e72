"""Problems, networks and points that everything is measured on, with the figures to reach."""

from collections.abc import Sequence
from typing import NamedTuple

import sketchlab as sl


class Row(NamedTuple):
    """A problem with its network and points; relative L2 error and seconds to reach; `resampling` as a race takes it."""

    problem: str
    width: int
    depth: int
    points: int | Sequence[int]
    error: float
    seconds: float
    steps: int
    resampling: tuple[str, int] | None = None

    @property
    def network(self) -> sl.MLP:
        """The network."""
        return sl.MLP(sl.PROBLEMS[self.problem]().dim, self.width, self.depth)

    @property
    def title(self) -> str:
        """Problem and network in a few characters."""
        return f"{self.problem} {self.network.dim}{f'-{self.width}' * self.depth}-1"


#: What the sketched natural gradient must reach with its default options.
TARGETS = {
    "poisson_2d small": Row("poisson_2d", 32, 1, (784, 116), 1.6e-6, 2, 400),
    "heat_1d": Row("heat_1d", 32, 2, 1100, 1e-8, 5, 300),
    "nonlinear_bvp": Row("nonlinear_bvp", 32, 2, 420, 1e-10, 3, 300),
    "poisson_2d": Row("poisson_2d", 32, 2, 1100, 1e-8, 10, 300),
    "transport_1d": Row("transport_1d", 32, 2, 1100, 1e-8, 15, 400),
    "poisson_5d": Row("poisson_5d", 64, 1, 1900, 1e-5, 60, 600, ("redraw", 10)),
    "heat_1d large": Row("heat_1d", 68, 2, 2400, 1e-8, 20, 150),
}
#: Where all optimizers meet.
RACES = ("poisson_2d small", "heat_1d", "poisson_2d")
#: Errors whose times are noted.
MILESTONES = (1e-2, 1e-4, 1e-5, 1e-6, 1e-8)

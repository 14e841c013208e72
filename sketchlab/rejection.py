"""Points of a region that pass a test, drawn by rejection, and how much of the region that is."""

from collections.abc import Callable
from math import ceil, sqrt

import numpy as np

from sketchlab.domains import Region, Sampler, sobol
from sketchlab.validation import InputError, check_integer

Test = Callable[[np.ndarray], np.ndarray]

#: Points of a Sobol sequence that measure how much of a region passes.
RULE = 2**14
#: A smaller share of a region than this counts as nothing: rejection would take too long.
LEAST = 1e-4


def share_kept(region: Region, test: Test) -> float:
    """Measure how much of a region passes a test, by a fixed rule; exact where the region has only so many points."""
    return float(np.mean(test(region.sample(region.capacity or RULE, seed=0, sampler=sobol))))


def draw_kept(region: Region, test: Test, share: float, n: int, seed: int, sampler: Sampler) -> np.ndarray:
    """Draw `n` points of a region that pass a test, which a share of the region does.

    The smallest drawing that is large enough is searched, because a random choice among more points would make a Sobol sequence
    less even. A grid is not thinned at all: it stays whole, with fewer points.
    """

    def attempt(count):
        drawn = region.sample(count, seed=seed, sampler=sampler) if count else np.empty((0, region.dim))
        return len(drawn), drawn[test(drawn)]

    n = check_integer("n", n, 1)
    if region.capacity:
        kept = attempt(region.capacity)[1]
    else:
        margin = 2 + 2 * sqrt(n / share)
        few, many = max(ceil(n / share - margin), 0), ceil(n / share + margin)
        while len((fewer := attempt(few))[1]) >= n:
            few, many = few // 2, few
        while len(kept := attempt(many)[1]) < n:
            few, many = many, 2 * many
            if many > 100 * n / share + 2**20:
                raise InputError(f"{len(kept)} of {few} points of the sampler lie in the domain: it must fill the unit cube.")
        while many - few > 1 and len(kept) > n:
            found = attempt((few + many) // 2)
            if len(found[1]) >= n:
                many, kept = (few + many) // 2, found[1]
            else:
                few, fewer = (few + many) // 2, found
        # Fewer points than it was asked for: this is a grid.
        if fewer[0] < few and len(kept) > n and len(fewer[1]):
            return fewer[1]
    return kept if len(kept) <= n else kept[np.sort(np.random.default_rng(seed).choice(len(kept), n, replace=False))]

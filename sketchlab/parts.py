"""The boundary of a union or a difference, and its parts: what is left of the boundaries of the operands."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Region, Sampler, sobol, spread, uniform
from sketchlab.rejection import LEAST, draw_kept, share_kept
from sketchlab.validation import InputError, checked_call

if TYPE_CHECKING:
    from sketchlab.combinations import Combination


@dataclass(frozen=True)
class Part:
    """What is left of the boundary of an operand."""

    domain: "Combination"
    index: int

    codimension = 1

    @property
    def name(self) -> str:
        """Its place in `parts`."""
        return f"part {self.index} of the boundary"

    @property
    def dim(self) -> int:
        """Dimension d of the domain."""
        return self.domain.dim

    @property
    def capacity(self) -> int | None:
        """How many points are left of a boundary that has only so many."""
        whole = self._around.capacity
        return None if whole is None else round(whole * self._share)

    @property
    def measure(self) -> float:
        """Length or area; 0 where nothing is left."""
        return self._around.measure * self._share

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points, (m, d)."""
        if self._share == 0:
            raise InputError(f"{self.name} is empty: nothing is left there of {self._around!r}.")
        return draw_kept(self._around, self._keeps, self._share, n, seed, sampler)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie on this part, up to rounding: (n,) of bool."""
        x = np.asarray(x)
        found = self._around.contains(x)
        found[found] = self._keeps(x[found].astype(float))
        return found

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the unit normal (d,) that points out of the domain: into the hole, on the boundary of a hole."""
        outward = self._whole.normal(x)  # pyright: ignore[reportAttributeAccessIssue]
        return -outward if self._of_b and self.domain.turns_b else outward

    def distance(self, x: jax.Array) -> jax.Array:
        """Return how far x (d,) is from the whole boundary of the operand."""
        if not hasattr(self._whole, "distance"):
            raise InputError(
                f"{type(self._whole).__name__} has no distance(x), by which a point finds its normal on a boundary of several "
                "parts: write this method, or give each of the domain's parts a condition of its own."
            )
        return self._whole.distance(x)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def _whole(self):
        return self.domain.surfaces[self.index][0]

    @property
    def _of_b(self):
        return self.domain.surfaces[self.index][1]

    @property
    def _around(self) -> Region:
        """The boundary that this is left of, where several operations have cut it."""
        return self._whole._around if isinstance(self._whole, Part) else self._whole

    def _keeps(self, x):
        kept = self._whole._keeps(x) if isinstance(self._whole, Part) else np.ones(len(x), bool)
        kept[kept] = self.domain.keeps(x[kept], self._of_b)
        return kept

    @cached_property
    def _share(self):
        share = share_kept(self._around, self._keeps)
        return share if share >= LEAST else 0.0


@dataclass(frozen=True)
class CombinedBoundary:
    """The boundary of a union or a difference: all its parts."""

    domain: "Combination"

    name, codimension = "boundary", 1

    @property
    def dim(self) -> int:
        """Dimension d of the domain."""
        return self.domain.dim

    @property
    def capacity(self) -> int | None:
        """How many points it has, where it has only so many."""
        capacities = [part.capacity for part in self._parts]
        return None if None in capacities else sum(filter(None, capacities))

    @property
    def measure(self) -> float:
        """Length or area."""
        return sum(part.measure for part in self._parts)

    @checked_call()
    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points by area, (m, d), at least one from each part if there are as many."""
        measures = np.array([part.measure for part in self._parts])
        limits = np.array([part.capacity or np.inf for part in self._parts])
        return spread(measures, n, seed, lambda i, count, own: self._parts[i].sample(count, seed=own, sampler=sampler), limits)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) lie on the boundary, up to rounding: (n,) of bool."""
        return np.any([part.contains(x) for part in self._parts], axis=0)

    def normal(self, x: jax.Array) -> jax.Array:
        """Return the outward unit normal (d,) of the part nearest to x.

        Raises
        ------
        InputError
            If an operand's boundary cannot tell its distance, or a part runs along another's side that is boundary no longer.
        """
        if len(self._parts) > 1:
            self._check_normals()
        return self._nearest_normal(x)

    @cached_property
    def _parts(self):
        return tuple(part for part in self.domain.parts if part.measure > 0)

    def _nearest_normal(self, x):
        distances = jnp.stack([part.distance(x) for part in self._parts])
        return jnp.stack([part.normal(x) for part in self._parts])[jnp.argmin(distances)]

    def _check_normals(self):
        """Raise `InputError` unless the nearest of the whole boundaries is that of the part itself, at points of each part."""
        with jax.ensure_compile_time_eval():
            for part in self._parts:
                x = jnp.asarray(part.sample(256, seed=0, sampler=sobol))
                found, expected = (np.asarray(jax.vmap(normal)(x)) for normal in (self._nearest_normal, part.normal))
                if np.min(np.sum(found * expected, axis=1)) < 0.5:
                    raise InputError(
                        f"{part.name} runs along a side that is boundary no longer, so a point does not find its normal: give "
                        "each of the domain's parts a condition of its own."
                    )

"""Where to go: ways to get the singular triplets of J, or part of them, for a step.

Any of them can be combined with any `Search`: see `natural_gradient`. To add one, write a factory that returns a
`Decomposition` and enter it in `DECOMPOSITIONS`; a function that finds a basis needs no more than `from_range_finder`.

=========  ===========  ========  ========================================================
symbol     name         shape     meaning
=========  ===========  ========  ========================================================
k          rank                   directions that a step is made of
Z          test_matrix  (N, k)    left singular vectors of the last step, and random columns
=========  ===========  ========  ========================================================
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sketchlab.gramian import Spectrum, full_spectrum, kernel_spectrum
from sketchlab.random_matrices import SKETCHES, Draw
from sketchlab.routes import check_rank
from sketchlab.sketch import ERROR_PROBES, OVERSAMPLING, check_power_iterations, co_range_finder, orthonormal_image, rayleigh_ritz
from sketchlab.strategies import Bound, no_state
from sketchlab.validation import Catalogue, InputError, check_integer, check_real, checked_call

#: Directions in a sketched step unless told otherwise, if so many fit.
RANK = 200
#: Smallest and largest rank of `growing` unless told otherwise, and the most sizes that it moves through.
SMALLEST_RANK, LARGEST_RANK, RANK_SIZES = 8, 400, 6
#: The sketch shrinks when the eigenvalue that would then be its last is so many times below the damping.
SHRINK_MARGIN = 100


@dataclass(frozen=True)
class Decomposition:
    """A way to get the spectrum of J, or part of it.

    Attributes
    ----------
    name : str
    init : callable, (rows, parameters, dtype, *, key) -> state
        The state is a pytree of arrays; () for none. Raises `InputError` for what does not fit N rows and P parameters.
    compute : callable, (jacobian, state, *, key) -> (Spectrum, state)
        Called in every step, inside what is compiled.
    settings : dict
        What it was made with, fit for JSON.
    adapt : callable, (state, eigenvalues, damping, *, key) -> state, optional
        Called after every step, outside of what is compiled: may return a state of another shape, for which a step compiles anew.
    """

    name: str
    init: Callable[..., Any]
    compute: Callable[..., tuple[Spectrum, Any]]
    settings: dict[str, Any] = field(hash=False)
    adapt: Callable[..., Any] | None = None


def exact() -> Decomposition:
    """Return every singular triplet of J, by its SVD: O(N P min(N, P)) operations."""
    return Decomposition("exact", no_state, Bound(_whole, decompose=full_spectrum), {})


def dual() -> Decomposition:
    """Return the singular triplets that the kernel JJᵀ (N, N) resolves: O(N² P + N³) operations, see `kernel_spectrum`."""
    return Decomposition("dual", no_state, Bound(_whole, decompose=kernel_spectrum), {})


def _whole(jacobian, state, *, key, decompose):
    return decompose(jacobian), state


@checked_call()
def sketched(
    rank: int | None = None, *, test_matrix: str | Draw = "gaussian", recycle: float = 0.75, power_iterations: int = 0
) -> Decomposition:
    """Return the triplets that a random sketch of J sees.

    Parameters
    ----------
    rank : int, optional
        k; 200 by default, or min(N, P) if that is less.
    test_matrix : str or callable
        An entry of `SKETCHES`, or your own: (columns, size, *, key, dtype) -> (size, columns).
    recycle : float in [0, 1)
        Part of the test matrix that is taken from the last step's leading left singular vectors; the rest is drawn anew. J
        changes little from step to step, so this acts like power iterations that cost nothing. 0 draws all of it, in parameter
        space, for one product more.
    power_iterations : int
        q, see `power_iterate`: each costs two products more.

    Raises
    ------
    InputError
        For a bad option, and when training starts, if the rank exceeds min(N, P).

    Notes
    -----
    A step costs 2 (q + 1) products with J or Jᵀ, and with ``recycle=0`` one more. Best McKay, Kaur, Greif, Wetton 2025.

    Examples
    --------
    >>> sl.natural_gradient(sl.sketched(40, test_matrix="sparse-sign")).name
    'sngd'
    """
    draw, numbers = _checked(test_matrix, recycle, power_iterations)
    rank = None if rank is None else check_integer("rank", rank, 1)
    init, compute = Bound(_first_sketch, rank=rank, draw=draw), Bound(_sketch, draw=draw, **numbers)
    return Decomposition("sketched", init, compute, {"rank": rank, "test_matrix": test_matrix} | numbers)


def _checked(test_matrix, recycle, power_iterations):
    """Return the function that draws test matrices, and the checked numbers by name."""
    recycle = check_real("recycle", recycle, 0, 1, open_high=True)
    numbers = {"recycle": recycle, "power_iterations": check_power_iterations(power_iterations)}
    return test_matrix if callable(test_matrix) else SKETCHES[test_matrix], numbers


def _first_sketch(rows, parameters, dtype, *, key, rank, draw):
    if rank is not None:
        check_rank(rank, 0, rows, parameters)
    return jax.jit(lambda key: draw(rank or min(RANK, rows, parameters), rows, key=key, dtype=dtype))(key)


def _sketch(jacobian, left, *, key, draw, recycle, power_iterations):
    """Sketch J; `left` (N, k) is what the last step found, and says the rank."""
    rank = left.shape[1]
    matrix_key, probe_key = jax.random.split(key)
    if kept := int(recycle * rank):
        # A range does not depend on the lengths of columns, so vectors and random columns go together as they are. Of the random
        # ones, the last few also give the error estimate.
        probes, start = min(ERROR_PROBES, rank - kept), left[:, :kept]
        if fresh := rank - kept - probes:
            drawn = draw(fresh, jacobian.shape[0], key=matrix_key, dtype=jacobian.dtype)
            start = jnp.concatenate([start, drawn], axis=1)
    else:
        probes = ERROR_PROBES
        start = orthonormal_image(jacobian, draw(rank, jacobian.shape[1], key=matrix_key, dtype=jacobian.dtype))
    basis, error = co_range_finder(jacobian, start, probes=probes, power_iterations=power_iterations, key=probe_key)
    spectrum = replace(rayleigh_ritz(jacobian, basis[:, :rank]), error=error)
    # A Jacobian with a NaN in it must not poison the test matrix that the next step starts from.
    return spectrum, jnp.where(jnp.isfinite(spectrum.left[0, 0]), spectrum.left, left)


class Growth(NamedTuple):
    """State of `growing`: left singular vectors (N, k), and the largest rank () that fits."""

    left: jax.Array
    cap: jax.Array


@checked_call()
def growing(
    max_rank: int | None = None, *, test_matrix: str | Draw = "gaussian", recycle: float = 0.75, power_iterations: int = 0
) -> Decomposition:
    """Return the triplets of a sketch that finds its rank by itself.

    It grows while its smallest eigenvalue is above the damping, and shrinks when half as many directions would do, through at
    most 6 sizes, each of which compiles once.

    Parameters
    ----------
    max_rank : int, optional
        Largest rank, at least 8; 400 by default, or min(N, P) if that is less.
    test_matrix, recycle, power_iterations
        See `sketched`.
    """
    draw, numbers = _checked(test_matrix, recycle, power_iterations)
    max_rank = None if max_rank is None else check_integer("max_rank", max_rank, SMALLEST_RANK)
    init, compute = Bound(_smallest_sketch, max_rank=max_rank, draw=draw), Bound(_growing_sketch, draw=draw, **numbers)
    settings = {"max_rank": max_rank, "test_matrix": test_matrix} | numbers
    return Decomposition("growing", init, compute, settings, Bound(_adapt_rank, draw=draw))


def rank_sizes(cap: int) -> list[int]:
    """Return the ranks that a growing sketch moves through: `cap` and its halves, at most 6."""
    return sorted({max(cap // 2**i, min(SMALLEST_RANK, cap)) for i in range(RANK_SIZES)})


def _smallest_sketch(rows, parameters, dtype, *, key, max_rank, draw):
    cap = min(max_rank or LARGEST_RANK, rows, parameters)
    return Growth(draw(rank_sizes(cap)[0], rows, key=key, dtype=dtype), jnp.asarray(cap, jnp.int32))


def _growing_sketch(jacobian, state, **options):
    spectrum, left = _sketch(jacobian, state.left, **options)
    return spectrum, state._replace(left=left)


def _adapt_rank(state, eigenvalues, damping, *, key, draw):
    """Go to the next rank up or down where the eigenvalues (k,) say so; `damping` () is absolute."""
    sizes, (rows, rank) = rank_sizes(int(state.cap)), state.left.shape
    position = sizes.index(rank)
    # A sketch cannot show eigenvalues below the rounding error of the largest, whatever its rank.
    bar = max(float(damping), float(jnp.finfo(eigenvalues.dtype).eps) ** 2 * float(eigenvalues[0]))
    if eigenvalues[-1] > bar and rank < sizes[-1]:
        fresh = draw(sizes[position + 1] - rank, rows, key=key, dtype=state.left.dtype)
        return state._replace(left=jnp.concatenate([state.left, fresh], axis=1))
    if position > 0 and eigenvalues[sizes[position - 1] - 1] < bar / SHRINK_MARGIN:
        return state._replace(left=state.left[:, : sizes[position - 1]])
    return state


@checked_call()
def from_range_finder(range_finder: Callable[[jax.Array, jax.Array], jax.Array], rank: int) -> Decomposition:
    """Make a decomposition of a range finder of your own.

    In every step J is restricted to the range that it finds: the singular triplets of JQ.

    Parameters
    ----------
    range_finder : callable, (J (N, P), Ω (P, l)) -> Q (P, l)
        Gets J as a matrix and a Gaussian test matrix with l = k + 6 columns, or min(N, P) if that is less; the columns of Q must
        be orthonormal. Written with jnp, as it becomes part of the compiled step.
    rank : int
        k

    Examples
    --------
    >>> def range_finder(J, test_matrix):
    ...     return jnp.linalg.qr(J.T @ (J @ test_matrix))[0]
    >>> sl.natural_gradient(sl.from_range_finder(range_finder, rank=20)).name
    'range_finder'
    """
    if not callable(range_finder):
        raise InputError(f"range_finder = {range_finder!r} is no function of (jacobian, test_matrix).")
    settings = {"range_finder": range_finder, "rank": check_integer("rank", rank, 1)}
    name = getattr(range_finder, "__name__", "range finder")
    return Decomposition(name, Bound(_check_range, rank=settings["rank"]), Bound(_restrict, **settings), settings)


def _check_range(rows, parameters, dtype, *, key, rank):
    check_rank(rank, 0, rows, parameters)
    return ()


def _restrict(jacobian, state, *, key, range_finder, rank):
    rows, parameters = jacobian.shape
    columns = min(rank + OVERSAMPLING, rows, parameters)
    test_matrix = SKETCHES["gaussian"](columns, parameters, key=key, dtype=jacobian.dtype)
    basis = range_finder(jacobian.dense(), test_matrix)
    if jnp.shape(basis) != test_matrix.shape:
        raise InputError(f"the range finder returned shape {jnp.shape(basis)} for a test matrix of shape {test_matrix.shape}.")
    return rayleigh_ritz(jacobian, basis, rank), state


DECOMPOSITIONS = Catalogue("decomposition", {make.__name__: make for make in (exact, dual, sketched, growing)})

"""Checks of notebook 05: how to compare optimizers, and what a step costs."""

import numpy as np

from sketchlab.exercises.checking import Wrong, as_numbers, close, exercise, need

ROUTES = ("full", "dual", "sketched")


def first_time(seconds, errors, target) -> float:
    """Return the first of `seconds` (n,) at which `errors` (n,) are at most `target`, or infinity."""
    reached = np.flatnonzero(np.asarray(errors) <= target)
    return seconds[reached[0]] if reached.size else np.inf


def median_over_seeds(times) -> float:
    """Return the median of `times` (n,), with NaN for infinity."""
    return float(np.median(np.where(np.isnan(times), np.inf, times)))


def flops(n: int, p: int, k: int) -> tuple[int, int, int]:
    """Return the operations of the full, dual and sketched route from J (n, p) to its triplets, as the notebook counts them."""
    shorter, longer = sorted((n, p))
    full = 6 * longer * shorter**2 + 20 * shorter**3
    return full, 4 * n**2 * p + 9 * n**3, 4 * n * p * k + 6 * (n + p) * k**2 + 20 * k**3


def cheapest(n: int, p: int, k: int) -> str:
    """Return the name of the route with the fewest operations."""
    return ROUTES[int(np.argmin(flops(n, p, k)))]


def as_time(value) -> float:
    """Return `value` as seconds, which may be infinite, or raise `Wrong` if it is no time."""
    try:
        infinite = np.ndim(value) == 0 and bool(np.isposinf(value))
    except Exception:  # text, or a ragged list
        infinite = False
    return np.inf if infinite else float(as_numbers(value, (), "a time in seconds, np.inf allowed"))


@exercise
def check_05_first_time(answer):
    """``answer(seconds, errors, target)``: when a run first had an error at or below the target."""
    generator = np.random.default_rng(5)
    # An error that comes back up, twice.
    errors = np.array([1.0, 0.1, 0.01, 0.001, 0.02, 0.5, 0.008, 0.3])
    _try_first_time(answer, np.cumsum(generator.uniform(0.1, 1.0, errors.size)), errors, 0.015)
    for n in (8, 13, 40):
        seconds = np.cumsum(generator.uniform(0.1, 1.0, n))
        errors = np.logspace(0, -6, n) * generator.uniform(0.8, 1.2, n)
        errors[-1] = 1e-7
        for at in (n // 3, n // 2, n - 2):
            target = errors[: at + 1].min()
            _try_first_time(answer, seconds, errors, target)
        # Targets that were never reached, and errors that are no numbers.
        _try_first_time(answer, seconds, errors, 1e-9)
        broken = np.where(np.arange(n) >= 2, np.nan, errors)
        _try_first_time(answer, seconds, broken, 1e-3)
        gap = np.where(np.arange(n) == 1, np.nan, errors)
        _try_first_time(answer, seconds, gap, 1.01 * errors[n // 2 :].max())


def _try_first_time(answer, seconds, errors, target):
    found = as_time(answer(seconds, errors, target))
    reached = np.flatnonzero(errors <= target)
    if not reached.size:
        if np.isnan(errors).any():
            need(
                found == np.inf,
                f"A run that turned into NaN gets the time {found:.3g}: it failed.",
                "NaN <= target is False, and so is NaN > target. Which of the two questions do you ask?",
            )
        need(
            found != seconds[0],
            "A run that never reached the target gets the time of its first step.",
            "np.argmax of an array that is all False is 0: ask with np.any first.",
        )
        need(
            found == np.inf,
            f"A run that never reached the target gets the time {found:.3g}.",
            "What never happened has no time: return np.inf.",
        )
        return
    expected = seconds[reached[0]]
    if found == expected:
        return
    strictly = np.flatnonzero(errors < target)
    need(
        errors[reached[0]] != target or found != (seconds[strictly[0]] if strictly.size else np.inf),
        "An error equal to the target does not count.",
        "The task says at or below.",
    )
    need(
        found != reached[0] and found != reached[0] + 1,
        "Your function returns a number of steps.",
        "Look up the seconds of that step.",
    )
    need(
        found != seconds[np.nanargmin(errors)] or reached.size < 2,
        "Your function returns the time of the lowest error.",
        "The first time that is low enough comes earlier: np.argmax of a condition finds its first True.",
    )
    above = np.flatnonzero(~(errors <= target))
    after = seconds[above[-1] + 1] if above[-1] + 1 < len(seconds) else np.inf
    need(
        found not in (after, seconds[reached[-1]]),
        "Where the error rises again, your function returns a later time.",
        "Only the first arrival counts, whatever happens afterwards.",
    )
    if np.isnan(errors).any():
        bad = np.flatnonzero(np.isnan(errors))[0]
        need(
            found != seconds[bad],
            "A step whose error is NaN counts as an arrival.",
            "NaN says that nothing is known: a comparison with <= leaves it out by itself.",
        )
    raise Wrong(f"Your function returns {found:.3g} seconds, not {expected:.3g}.", "Find the first index with errors <= target.")


@exercise
def check_05_median_over_seeds(answer):
    """``answer(times)``: the median over seeds, failures counting as infinite."""
    generator = np.random.default_rng(55)
    for n, failed, mark in (
        (5, 0, np.inf),
        (7, 0, np.inf),
        (6, 0, np.inf),
        (5, 1, np.inf),
        (7, 2, np.inf),
        (6, 2, np.inf),
        (5, 2, np.nan),
        (8, 3, np.nan),
        (5, 3, np.inf),
        (4, 2, np.nan),
        (3, 3, np.inf),
    ):
        # In an order that puts neither the median nor the smallest in the middle.
        times = np.roll(np.sort(generator.uniform(0.5, 9.0, n) ** 2), 1)
        times[generator.permutation(n)[:failed]] = mark
        value = answer(times)
        if np.isnan(times).any():
            need(
                not _is_nan(value),
                "One NaN among the times turns the median into NaN.",
                "A run with time NaN failed: give it the time np.inf before you take the median.",
            )
        _compare_median(as_time(value), times)


def _is_nan(value):
    try:
        return np.ndim(value) == 0 and bool(np.isnan(value))
    except Exception:  # text, or a ragged list: `as_time` will say so
        return False


def _compare_median(found, times):
    expected = median_over_seeds(times)
    counted = np.where(np.isnan(times), np.inf, times)
    ordered = np.sort(counted)
    middle = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    if found == expected or abs(found - expected) <= 1e-9 * expected < np.inf:
        return

    def equals(other):
        return found == other or abs(found - other) <= 1e-9 * abs(other)

    arrived = times[np.isfinite(times)]
    if arrived.size < times.size:
        need(
            not (arrived.size and equals(np.median(arrived))),
            "Your median is over the runs that arrived: who fails often looks fast.",
            "Failures are not left out. They are slower than everybody.",
        )
    need(
        not equals(counted.mean()),
        "This is the mean." if found < np.inf else "One failure makes your result infinite, as it does with a mean.",
        "The median is the middle one: half of the runs were as fast, and one outlier does not move it.",
    )
    need(
        not equals(times[len(times) // 2]),
        "You take the entry in the middle of the list as it came.",
        "Sort first: the middle is meant by size.",
    )
    need(
        not (len(times) % 2 == 0 and (equals(middle[0]) or equals(middle[-1]))),
        "For an even number of seeds you take one of the two middle times.",
        "The median is then half of their sum.",
    )
    raise Wrong(
        f"For {len(times)} times you return {found:.3g}, not {expected:.3g}.", "np.median works, once failures are np.inf."
    )


#: (N, P, k) of all shapes.
SHAPES = ((1200, 80, 60), (80, 3000, 60), (900, 900, 64), (500, 1185, 200), (3500, 10065, 500), (64, 64, 10), (7, 5, 2))


@exercise
def check_05_flops(answer):
    """``answer(N, P, k)``: the operations of the three routes."""
    for n, p, k in SHAPES:
        found = as_numbers(answer(n, p, k), (3,), "(full, dual, sketched)")
        expected = np.array(flops(n, p, k), float)
        if close(found / expected, np.ones(3)):
            continue
        here = f"For N = {n}, P = {p}, k = {k}"
        need(
            not close(np.sort(found) / np.sort(expected), np.ones(3)),
            f"{here} the three numbers are right, but not in this order.",
            "Return (full, dual, sketched).",
        )
        fixed = {6 * n * p**2 + 20 * p**3, 6 * p * n**2 + 20 * n**3, 6 * n * p * max(n, p) + 20 * max(n, p) ** 3}
        need(
            found[0] not in fixed - {expected[0]},
            f"{here} the full route takes the wrong side of J as the shorter one.",
            "A singular value decomposition does not care whether J stands or lies: m is the longer side, n the shorter.",
        )
        need(
            found[1] != 4 * p**2 * n + 9 * p**3,
            f"{here} the dual route costs as much as the eigenvalues of a P × P matrix.",
            "The kernel K = JJᵀ is N × N: its cube is N³.",
        )
        need(
            not close(found[1] / (4 * n**2 * p), 1.0),
            f"{here} the dual route forms K, but its eigenvalues are missing.",
            "They cost 9 N³, whatever P is.",
        )
        need(
            not close(found[2] / (4 * n * p * k), 1.0),
            f"{here} the sketched route has its products with J and nothing else.",
            "Orthonormal bases are not free: two terms follow 4 N P k, and they decide when k is near N.",
        )
        need(
            not close(found[2] / (expected[2] - 2 * n * p * k), 1.0),
            f"{here} the sketched route has one product with J.",
            "There are two, JᵀZ and JQ, at 2 N P k each.",
        )
        for i, name in enumerate(ROUTES):
            need(
                close(found[i] / expected[i], 1.0),
                f"{here} you count {found[i]:.4g} operations for the {name} route, not {expected[i]:.4g}.",
                f"Compare with the row of the table that says {name}, factor by factor.",
            )


@exercise
def check_05_cheapest(answer):
    """``answer(N, P, k)``: the name of the route with the fewest operations."""
    generator = np.random.default_rng(555)
    shapes = [(1200, 80, 75), (80, 3000, 60), (900, 900, 64)]
    while len(shapes) < 60:
        n, p = (int(10**x) for x in generator.uniform(1.2, 5, 2))
        k = int(generator.integers(1, min(n, p)))
        ordered = np.sort(flops(n, p, k))
        # Where two routes cost nearly the same, nothing is asked.
        if ordered[1] > 1.1 * ordered[0]:
            shapes.append((n, p, k))
    answers = [answer(*shape) for shape in shapes]
    for given in answers:
        need(
            isinstance(given, str),
            f"Your function returns {'None' if given is None else type(given).__name__}, not a name.",
            "Return one of 'full', 'dual', 'sketched': np.argmin tells which place the smallest number has.",
        )
        need(given in ROUTES, f"{given!r} is none of the three routes.", "Return one of 'full', 'dual', 'sketched'.")
    expected = [cheapest(*shape) for shape in shapes]
    if answers == expected:
        return
    need(
        answers != [ROUTES[int(np.argmax(flops(*shape)))] for shape in shapes],
        "Your function names the most expensive route.",
        "The cheapest one has the fewest operations: argmin.",
    )
    need(
        answers != [cheapest(p, n, k) for n, p, k in shapes],
        "Your function takes N for P and P for N.",
        "The arguments come in the order (N, P, k): rows first.",
    )
    never = [name for name in ROUTES if name not in answers]
    need(
        not never,
        f"Your function never answers {' or '.join(map(repr, never))}.",
        "Each route wins somewhere. Leading terms alone do not show where: use all terms of the table.",
    )
    for shape, given, wanted in zip(shapes, answers, expected, strict=True):
        n, p, k = shape
        need(
            given == wanted,
            f"For N = {n}, P = {p}, k = {k} you say {given!r}; {wanted!r} takes fewer operations.",
            "Compute all three numbers and compare.",
        )

"""Wrong answers to the exercises of notebook 05."""

import numpy as np


def argmax_without_any(seconds, errors, target):
    return seconds[np.argmax(errors <= target)]


def strictly_below(seconds, errors, target):
    reached = errors < target
    return seconds[np.argmax(reached)] if reached.any() else np.inf


def time_of_the_lowest(seconds, errors, target):
    return seconds[np.nanargmin(errors)] if np.nanmin(errors) <= target else np.inf


def steps_not_seconds(seconds, errors, target):
    reached = errors <= target
    return int(np.argmax(reached)) if reached.any() else np.inf


def nan_is_not_above(seconds, errors, target):
    reached = ~(errors > target)
    return seconds[np.argmax(reached)] if reached.any() else np.inf


def last_time_if_never(seconds, errors, target):
    reached = errors <= target
    return seconds[np.argmax(reached)] if reached.any() else seconds[-1]


def time_of_the_last_arrival(seconds, errors, target):
    reached = np.flatnonzero(errors <= target)
    return seconds[reached[-1]] if reached.size else np.inf


def work(n, p, k):
    small, large = sorted((n, p))
    full = 6 * large * small**2 + 20 * small**3
    return full, 4 * n**2 * p + 9 * n**3, 4 * n * p * k + 6 * (n + p) * k**2 + 20 * k**3


def name(numbers):
    return ("full", "dual", "sketched")[int(np.argmin(numbers))]


WRONG = {
    "check_05_first_time": [
        (argmax_without_any, "all False is 0"),
        (strictly_below, "at or below"),
        (time_of_the_lowest, "time of the lowest error"),
        (steps_not_seconds, "a number of steps"),
        (nan_is_not_above, "turned into NaN"),
        (last_time_if_never, "What never happened has no time"),
        (time_of_the_last_arrival, "Only the first arrival counts"),
        (lambda seconds, errors, target: seconds[-1] / 2, "first index with"),
    ],
    "check_05_median_over_seeds": [
        (lambda times: np.median(times), "into NaN"),
        (
            lambda times: np.median(times[np.isfinite(times)]) if np.isfinite(times).any() else np.inf,
            "who fails often looks fast",
        ),
        (lambda times: np.mean(np.where(np.isnan(times), np.inf, times)), "This is the mean"),
        (lambda times: times[len(times) // 2], "in the middle of the list as it came"),
        (lambda times: np.sort(times)[len(times) // 2], "half of their sum"),
        (lambda times: np.min(times), "once failures are np.inf"),
    ],
    "check_05_flops": [
        (lambda n, p, k: (6 * n * p**2 + 20 * p**3, *work(n, p, k)[1:]), "wrong side of J"),
        (lambda n, p, k: (work(n, p, k)[0], 4 * p**2 * n + 9 * p**3, work(n, p, k)[2]), "The kernel K"),
        (lambda n, p, k: (work(n, p, k)[0], 4 * n**2 * p, work(n, p, k)[2]), "its eigenvalues are missing"),
        (lambda n, p, k: (*work(n, p, k)[:2], 4 * n * p * k), "Orthonormal bases are not free"),
        (lambda n, p, k: (*work(n, p, k)[:2], work(n, p, k)[2] - 2 * n * p * k), "one product with J"),
        (lambda n, p, k: work(n, p, k)[::-1], "not in this order"),
        (lambda n, p, k: (*work(n, p, k)[:2], work(n, p, k)[2] - 20 * k**3), "row of the table that says sketched"),
    ],
    "check_05_cheapest": [
        (lambda n, p, k: name([-number for number in work(n, p, k)]), "most expensive"),
        (lambda n, p, k: name(work(p, n, k)), "takes N for P"),
        (lambda n, p, k: name((n * p * min(n, p), n**2 * p + n**3, 4 * n * p * k)), "Each route wins somewhere"),
        (lambda n, p, k: int(np.argmin(work(n, p, k))), "not a name"),
        (lambda n, p, k: "dual" if n < p else "sketched" if k < p / 2 else "full", "takes fewer operations"),
        (lambda n, p, k: "primal", "none of the three routes"),
    ],
}

"""Checks of notebook 00."""

import numpy as np

from sketchlab.exercises.checking import as_numbers, close, exercise, need


@exercise
def check_00_relative_error(answer):
    """‖u - u*‖ / ‖u*‖, the norms taken over points: (values (n,), exact (n,)) -> number."""
    random = np.random.default_rng(0)
    for n in (3, 50):
        exact = 5 * random.standard_normal(n)
        values = exact + random.standard_normal(n)
        given = as_numbers(answer(values, exact), (), "the relative error")
        difference = values - exact
        expected = np.linalg.norm(difference) / np.linalg.norm(exact)
        need(
            not close(given, np.linalg.norm(difference)) and not close(given, np.sqrt(np.mean(difference**2))),
            "That is the error itself, not the error relative to the solution.",
            "A solution ten times as large may have an error ten times as large: divide by its size.",
        )
        need(
            not close(given, expected**2),
            "That is the square of the relative error.",
            "A norm is the square root of a sum of squares.",
        )
        need(
            not close(given, np.linalg.norm(difference) / np.linalg.norm(values)),
            "You divide by the size of the network's values.",
            "Relative to the truth: that is the other argument.",
        )
        need(
            not close(given, np.max(np.abs(difference)) / np.max(np.abs(exact))),
            "You compare the largest values.",
            "The L2 norm looks at all points: root of the sum of squares.",
        )
        need(
            not close(given, np.sqrt(np.mean((difference / exact) ** 2)))
            and not close(given, np.mean(np.abs(difference / exact))),
            "You divide point by point.",
            "Where the solution is nearly zero that says nothing: first both norms, then one division.",
        )
        need(close(given, expected), f"{given:.6g} is not the relative error of {n} values.", "Two norms and one division.")


@exercise
def check_00_digits(answer):
    """log₁₀ of the first over the last error: errors (m,) -> number."""
    random = np.random.default_rng(1)
    for m in (2, 30):
        errors = 10 ** -np.sort(9 * random.random(m))
        # Not always downhill: neither is the first error the largest, nor the last one the smallest.
        errors = np.roll(errors, m // 3) if m > 2 else errors
        errors[0], errors[-1] = max(errors[0], errors[-1]), min(errors[0], errors[-1])
        given = as_numbers(answer(errors), (), "the digits gained")
        expected = np.log10(errors[0] / errors[-1])
        need(
            not close(given, -expected),
            "That has the wrong sign.",
            "A run whose error falls has gained digits: a positive number.",
        )
        need(
            not close(given, np.log(errors[0] / errors[-1])),
            "That counts factors of e.",
            "A digit is a factor of ten.",
        )
        need(
            not close(given, errors[0] - errors[-1]),
            "That is the difference of the errors.",
            "From 1e-2 to 1e-6 are four digits: what counts is the ratio.",
        )
        need(
            not close(given, -np.log10(errors[-1])),
            "That looks at the last error only.",
            "Gained is what the run has added to the digits that it began with.",
        )
        others = np.log10([errors[0] / errors.min(), errors.max() / errors[-1], errors.max() / errors.min()])
        need(
            close(given, expected) or not any(close(given, other) for other in others),
            "That looks at the largest or the smallest error.",
            "An error may rise for a while: asked is what is gained from the first step to the last.",
        )
        need(
            close(given, expected),
            f"{given:.6g} digits is not what these {m} errors gain.",
            "The first and the last error matter.",
        )

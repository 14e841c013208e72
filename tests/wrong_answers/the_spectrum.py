"""Wrong answers to the exercises of notebook 03."""

import numpy as np


def _fit(eigenvalues, start=1):
    slope, intercept = np.polyfit(np.arange(start, len(eigenvalues) + start), np.log(eigenvalues), 1)
    return -slope, np.exp(intercept)


def _ends(eigenvalues):
    rate = np.log(eigenvalues[0] / eigenvalues[-1]) / (len(eigenvalues) - 1)
    return rate, eigenvalues[0] * np.exp(rate)


def _relative(s, epsilon, squared):
    return (epsilon if squared else epsilon**2) * s[0] ** 2


WRONG = {
    "check_03_effective_dimension": [
        (lambda eigenvalues, damping: np.sum(eigenvalues > damping), "counts the eigenvalues"),
        (lambda eigenvalues, damping: np.sum(damping / (eigenvalues + damping)), "other parts"),
        (lambda eigenvalues, damping: np.mean(eigenvalues / (eigenvalues + damping)), "an average"),
        (lambda eigenvalues, damping: np.sum(eigenvalues**2 / (eigenvalues**2 + damping**2)), "squares the eigenvalues"),
        (lambda eigenvalues, damping: np.sum(eigenvalues) / (np.sum(eigenvalues) + damping), "before it divides"),
        (lambda eigenvalues, damping: eigenvalues / (eigenvalues + damping), "Return one number"),
        (lambda eigenvalues, damping: np.sum(eigenvalues / (eigenvalues - damping / 2)), "on paper"),
    ],
    "check_03_above_the_floor": [
        (lambda s, epsilon, squared: np.sum(s**2 > _relative(s, epsilon, not squared)), "wrong way round"),
        (lambda s, epsilon, squared: np.sum(s**2 > (epsilon if squared else epsilon**2)), "how large the spectrum is"),
        (lambda s, epsilon, squared: np.sum(s**2 <= _relative(s, epsilon, squared)), "below the floor"),
        (lambda s, epsilon, squared: np.sum(s > _relative(s, epsilon, squared)), "floor for eigenvalues"),
        (lambda s, epsilon, squared: np.sum(s**2 > _relative(s, epsilon, squared) * 1e3), "Compare every eigenvalue"),
    ],
    "check_03_decay_rate": [
        (lambda eigenvalues: _fit(eigenvalues)[::-1], "wrong order"),
        (lambda eigenvalues: (-_fit(eigenvalues)[0], _fit(eigenvalues)[1]), "wrong sign"),
        (lambda eigenvalues: (_fit(eigenvalues)[0] / np.log(10), _fit(eigenvalues)[1]), "base 10"),
        (lambda eigenvalues: _fit(np.sqrt(eigenvalues)), "singular values"),
        (_ends, "first and the last"),
        (lambda eigenvalues: (_fit(eigenvalues)[0], np.log(_fit(eigenvalues)[1])), "still a logarithm"),
        (lambda eigenvalues: (_fit(eigenvalues)[0], eigenvalues[0]), "largest eigenvalue"),
        (lambda eigenvalues: _fit(eigenvalues, start=0), "starts at 0"),
        (lambda eigenvalues: _fit(eigenvalues[: len(eigenvalues) // 2]), "least squares on the logarithm"),
    ],
    "check_03_bernstein": [
        (lambda z: z + np.sqrt(z * z - 1), "complex numbers"),
        (
            lambda z: np.minimum(np.abs(z + np.sqrt(z * z - 1)), np.abs(z - np.sqrt(z * z - 1))),
            "smaller branch",
        ),
        (lambda z: np.abs(z + np.sqrt(z * z - 1)), "two signs"),
        (lambda z: np.maximum(np.abs(z + np.sqrt(z * z + 1)), np.abs(z - np.sqrt(z * z + 1))), "z² + 1"),
        (np.abs, "distance from the origin"),
        (lambda z: np.abs(z) + np.abs(np.sqrt(z * z - 1)), "too early"),
        (lambda z: 2 * np.abs(z) + 1, "z = 1.25"),
    ],
}

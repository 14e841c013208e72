import numpy as np

norm = np.linalg.norm

WRONG = {
    "check_00_relative_error": [
        (lambda values, exact: norm(values - exact), "not the error relative to the solution"),
        (lambda values, exact: np.sum((values - exact) ** 2) / np.sum(exact**2), "square of the relative error"),
        (lambda values, exact: norm(values - exact) / norm(values), "divide by the size of the network's values"),
        (lambda values, exact: np.max(np.abs(values - exact)) / np.max(np.abs(exact)), "compare the largest values"),
        (lambda values, exact: np.mean(np.abs((values - exact) / exact)), "divide point by point"),
        (lambda values, exact: norm(values - exact, 1) / norm(exact, 1), "Two norms and one division"),
    ],
    "check_00_digits": [
        (lambda errors: np.log10(errors[-1] / errors[0]), "wrong sign"),
        (lambda errors: np.log(errors[0] / errors[-1]), "factors of e"),
        (lambda errors: errors[0] - errors[-1], "difference of the errors"),
        (lambda errors: -np.log10(errors[-1]), "the last error only"),
        (lambda errors: np.log10(np.max(errors) / errors[-1]), "the largest or the smallest error"),
        (lambda errors: len(errors), "The first and the last error matter"),
    ],
}

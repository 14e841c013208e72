"""Wrong answers to the exercises of notebook 04."""

import numpy as np


def _orth(matrix):
    return np.linalg.qr(matrix)[0]


def _gramian(jacobian, test_matrix):
    return jacobian.T @ (jacobian @ test_matrix)


def _find(jacobian, test_matrix):
    return _orth(jacobian.T @ _orth(jacobian @ test_matrix))


def _best(jacobian, test_matrix):
    return np.linalg.svd(jacobian)[2][: test_matrix.shape[1]].T


def _complete(jacobian, test_matrix):
    return np.linalg.qr(_gramian(jacobian, test_matrix), mode="complete")[0]


def _short(matrix):
    return matrix / np.linalg.norm(matrix, axis=0)


def _ritz(jacobian, basis):
    _, s, rotation = np.linalg.svd(jacobian @ basis, full_matrices=False)
    return s, basis @ rotation.T


def _changed(change):
    return lambda jacobian, basis: change(*_ritz(jacobian, basis))


def _transposed(jacobian, basis):
    _, s, rotation = np.linalg.svd(jacobian @ basis, full_matrices=False)
    return s, basis @ rotation


def _small(jacobian, basis):
    _, s, rotation = np.linalg.svd(jacobian @ basis, full_matrices=False)
    return s, rotation.T


def _squared(jacobian, basis):
    projected = jacobian @ basis
    eigenvalues, rotation = np.linalg.eigh(projected.T @ projected)
    return np.sqrt(np.abs(eigenvalues[::-1])), basis @ rotation[:, ::-1]


def _whole(jacobian, basis):
    _, s, rotation = np.linalg.svd(jacobian, full_matrices=False)
    return s[: basis.shape[1]], rotation[: basis.shape[1]].T


def _rounds(count):
    def find(jacobian, test_matrix, q):
        for _ in range(count(q)):
            test_matrix = _find(jacobian, test_matrix)
        return _orth(test_matrix)

    return find


def _plain(jacobian, test_matrix, q):
    for _ in range(q + 1):
        test_matrix = _gramian(jacobian, test_matrix)
    return _orth(test_matrix)


def _only_transposed_last(jacobian, test_matrix, q):
    for _ in range(q + 1):
        test_matrix = _orth(jacobian @ test_matrix)
        test_matrix = jacobian.T @ test_matrix
    return test_matrix


def _index(n):
    return np.arange(1, n + 1)


WRONG = {
    "check_04_range_finder": [
        (lambda jacobian, test_matrix: _orth(jacobian @ test_matrix), "one for each residual"),
        (_gramian, "lengths are not 1"),
        (lambda jacobian, test_matrix: _short(_gramian(jacobian, test_matrix)), "not perpendicular"),
        (lambda jacobian, test_matrix: _orth(test_matrix), "never looked at J"),
        (lambda jacobian, test_matrix: _find(jacobian, _find(jacobian, test_matrix)), "one power of G too many"),
        (_best, "another test matrix"),
        (_complete, "thin form"),
        (lambda jacobian, test_matrix: _find(jacobian, test_matrix).T, "on its side"),
        (lambda jacobian, test_matrix: np.linalg.qr(_gramian(jacobian, test_matrix)), "QRResult"),
        (lambda jacobian, test_matrix: _orth(jacobian.T @ np.abs(jacobian @ test_matrix)), "combination of your columns"),
        (lambda jacobian, test_matrix: _orth(_gramian(jacobian, test_matrix)), "loses the small directions"),
        (_find, "compiled training step"),
    ],
    "check_04_ritz": [
        (lambda jacobian, basis: _ritz(jacobian, basis)[0], "a pair"),
        (_changed(lambda s, vectors: (s**2, vectors)), "eigenvalues of G"),
        (_changed(lambda s, vectors: (s[::-1], vectors[:, ::-1])), "ascend"),
        (_small, "rotation W"),
        (_transposed, "already transposed"),
        (_changed(lambda s, vectors: (s, vectors.T)), "rows are the vectors"),
        (lambda jacobian, basis: (_ritz(jacobian, basis)[0], basis), "the basis itself"),
        (_whole, "all of J"),
        (_squared, "half of the digits"),
        (_changed(lambda s, vectors: (s + 1, vectors)), "not those of B"),
        (_changed(lambda s, vectors: (s, vectors[:, ::-1])), "your V is not."),
    ],
    "check_04_power_iterations": [
        (_rounds(lambda q: q), "one power too few"),
        (_rounds(lambda q: q + 2), "one power too many"),
        (_rounds(lambda q: 1), "that of q = 0"),
        (_rounds(lambda q: 2 * q + 1), "does not span"),
        (_plain, "loses directions"),
        (_only_transposed_last, "lengths are not 1"),
        (lambda jacobian, test_matrix, q: _orth(jacobian @ test_matrix), "one for each residual"),
    ],
    "check_04_hard_spectrum": [
        (lambda n, k: np.ones(n), "as large as λ₁"),
        (lambda n, k: 1 / _index(n), "fall too quickly"),
        (lambda n, k: np.where(_index(n) <= k, 1, 0.5), "no sketch is so bad"),
        (lambda n, k: np.where(_index(n) <= 1, 1, 1e-3), "fall down to it"),
        (lambda n, k: np.where(_index(n) <= k, 1, 0), "not positive"),
        (lambda n, k: 1.0 * _index(n) / n, "ascend"),
        (lambda n, k: 1 + np.sin(_index(n)), "not in order"),
        (lambda n, k: np.where(_index(n) <= k, 5, 1e-3), "λ₁ is 5"),
    ],
}

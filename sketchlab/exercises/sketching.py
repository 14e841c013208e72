"""Checks of notebook 04, sketching."""

import jax
import numpy as np

from sketchlab.exercises.checking import Wrong, as_numbers, close, exercise, need
from sketchlab.sketch import OVERSAMPLING

#: How many times the best error a sketch of a hard spectrum has to miss.
HARD = 5


def _matrix(generator, rows, columns, singular_values):
    """Return U S Vᵀ with random orthonormal U and V, and V."""
    left, right = (_orth(generator.standard_normal((size, len(singular_values)))) for size in (rows, columns))
    return left * singular_values @ right.T, right


def _orth(matrix):
    return np.linalg.qr(matrix)[0]


def _power(jacobian, test_matrix, powers):
    """Return an orthonormal basis of range(GᵐΩ), with a QR factorization after each product."""
    test_matrix = _orth(test_matrix)
    for _ in range(powers):
        test_matrix = _orth(jacobian.T @ _orth(jacobian @ test_matrix))
    return test_matrix


def _same_range(basis, reference, tolerance=1e-6):
    """Return whether two orthonormal bases span the same subspace: the sine of the largest angle is small."""
    return basis.shape == reference.shape and np.linalg.norm(basis - reference @ (reference.T @ basis), 2) < tolerance


def _as_basis(value, jacobian, test_matrix):
    """Return `value` as an orthonormal basis (P, l), or say in what it differs from one."""
    (rows, parameters), columns = jacobian.shape, test_matrix.shape[1]
    shape = np.shape(value) if isinstance(value, np.ndarray) else getattr(value, "shape", None)
    need(
        shape != (rows, columns),
        f"Your basis has {rows} rows, one for each residual: it spans range(JΩ).",
        "The directions you look for are steps of θ, with P entries. Which product leads from residuals back to parameters?",
    )
    need(
        shape != (parameters, parameters),
        f"Your basis is a square matrix with {parameters} columns.",
        "The factorization completed the basis to the whole space: ask for the reduced, thin form.",
    )
    need(
        shape != (columns, parameters),
        "Your basis lies on its side: its rows are the directions.",
        f"Directions are columns: return the shape {(parameters, columns)}.",
    )
    basis = as_numbers(value, (parameters, columns), "an orthonormal basis Q")
    products = basis.T @ basis
    if close(products, np.eye(columns)):
        return basis
    need(
        close(np.diagonal(products), np.ones(columns)),
        "Your columns are not orthonormal: their lengths are not 1.",
        "The last thing to do is to orthonormalize what Jᵀ returned.",
    )
    raise Wrong(
        "Your columns have length 1, but they are not perpendicular to each other.",
        "Dividing by lengths is not enough: a QR factorization also subtracts from each column what it shares with those before.",
    )


@exercise
def check_04_range_finder(answer):
    """Check orth(GΩ) for more and for fewer points than parameters, and where the singular values span nine powers of ten."""
    generator = np.random.default_rng(41)
    for rows, parameters, columns in [(30, 20, 4), (15, 24, 6)]:
        jacobian, _ = _matrix(generator, rows, parameters, np.linspace(1.0, 0.3, 12))
        test_matrix = generator.standard_normal((parameters, columns))
        basis = _as_basis(answer(jacobian, test_matrix), jacobian, test_matrix)
        if _same_range(basis, _power(jacobian, test_matrix, 1)):
            continue
        need(
            not _same_range(basis, _orth(test_matrix)),
            "Your Q is a basis of range(Ω): it never looked at J.",
            "Random directions know nothing about the network. Multiply Ω by G, that is, by J and then by Jᵀ.",
        )
        need(
            not _same_range(basis, _power(jacobian, test_matrix, 2)),
            "Your Q spans range(G²Ω): one power of G too many.",
            "J and Jᵀ are each applied once here; repeating them is a later exercise.",
        )
        other = answer(jacobian, generator.standard_normal((parameters, columns)))
        need(
            not close(as_numbers(other, basis.shape, "an orthonormal basis Q"), basis),
            "Your function returns the same Q for another test matrix.",
            "A sketch looks at J through its products with Ω alone: Q must come from GΩ.",
        )
        raise Wrong(
            f"For J of shape {jacobian.shape} and Ω of shape {test_matrix.shape} your Q does not span range(GΩ).",
            "Every column of JᵀJΩ must be a combination of your columns: compare Q(QᵀY) with Y.",
        )
    columns = 8
    jacobian, right = _matrix(generator, 40, 25, np.logspace(0, -9, columns))
    test_matrix = generator.standard_normal((25, columns))
    basis = _as_basis(answer(jacobian, test_matrix), jacobian, test_matrix)
    need(
        _same_range(basis, right, 1e-3),
        "Right for a well-conditioned J. But where singular values go from 1 to 1e-9 your Q loses the small directions.",
        "JᵀJ squares them, from 1 to 1e-18, and 1e-18 beside 1 is less than rounding. Orthonormalize once more on the way, "
        "between the two products.",
    )
    try:
        jax.eval_shape(answer, jacobian, test_matrix)
    except Wrong as wrong:
        says = f"Right for numbers, but it cannot become part of a compiled training step (section 9). {wrong.says}"
        raise Wrong(says, wrong.hint) from wrong


@exercise
def check_04_ritz(answer):
    """Check singular triplets of J on a subspace that contains no eigenvectors, and on one where they span nine powers of ten."""
    generator = np.random.default_rng(42)
    cases = []
    for rows, parameters, columns in [(30, 20, 5), (15, 24, 7)]:
        jacobian, _ = _matrix(generator, rows, parameters, np.linspace(2.0, 0.3, 12))
        cases.append((jacobian, _orth(generator.standard_normal((parameters, columns)))))
    graded, right = _matrix(generator, 40, 25, np.logspace(0, -9, 8))
    cases.append((graded, right @ _orth(generator.standard_normal((8, 8)))))
    for jacobian, basis in cases:
        parameters, columns = basis.shape
        found = answer(jacobian, basis)
        need(found is not None, "Your function returns None.", "Does it end with return?")
        need(
            isinstance(found, (tuple, list)) and len(found) == 2,
            "Your function does not return a pair.",
            "Return both: singular values first, then the matrix V.",
        )
        s, vectors = found
        need(
            np.shape(vectors) != (columns, columns) or np.shape(s) != (columns,),
            f"Your second result has the shape {(columns, columns)}: it is the rotation W of the small problem.",
            "Its columns are coordinates in the basis. Turn them into steps of θ, with P entries each.",
        )
        need(
            np.shape(vectors) != (columns, parameters),
            "Your V lies on its side: its rows are the vectors.",
            f"Singular vectors are columns here: return the shape {(parameters, columns)}.",
        )
        s = as_numbers(s, (columns,), "singular values first")
        vectors = as_numbers(vectors, basis.shape, "V second")
        _, expected, rotation = np.linalg.svd(jacobian @ basis, full_matrices=False)
        truth = np.linalg.svd(jacobian)[1][:columns]
        need(
            not close(s, expected[::-1]),
            "Your singular values ascend.",
            "The largest comes first; and V has to be reordered with them.",
        )
        need(
            not close(s, expected**2),
            "Your function returns eigenvalues of G.",
            "Asked for are the singular values of J: λ = s².",
        )
        need(
            not close(s, truth) or close(truth, expected),
            "Your singular values are those of all of J.",
            "They cost the full decomposition. Only the small matrix B = JQ may be decomposed.",
        )
        # Each singular value by itself, or small ones could be anything.
        if np.max(np.abs(s / expected - 1)) > 1e-4:
            need(
                expected[-1] > 1e-6 or np.max(np.abs(s - expected)) > 1e-6,
                f"The large singular values are right, the small ones are not: {s[-1]:.1e} where {expected[-1]:.1e} is expected.",
                "BᵀB squares singular values, and half of the digits are gone. Decompose B itself.",
            )
            raise Wrong(
                "Your singular values are not those of B = JQ.",
                "Multiply J by the basis, and decompose the (N, l) matrix that you get.",
            )
        right = basis @ rotation.T
        need(
            not close(np.abs(vectors), np.abs(basis @ rotation)),
            "Your V is not right: it is made with Wᵀ in place of W.",
            "What NumPy's svd returns last is already transposed.",
        )
        need(
            not close(vectors, basis),
            "Your V is the basis itself.",
            "The singular vectors are mixtures of its columns: the decomposition of B says which.",
        )
        need(
            close(np.abs(np.sum(vectors * right, axis=0)), np.ones(columns), 1e-6)
            and close(vectors.T @ vectors, np.eye(columns), 1e-6),
            "Your singular values are right, your V is not.",
            "With B = U S Wᵀ the matrix JV must be U S: its columns are perpendicular and have the lengths sᵢ.",
        )


@exercise
def check_04_power_iterations(answer):
    """Check orth(G^(q+1) Ω) for q = 0, 1, 2, and for singular values whose powers are lost without orthonormalization."""
    generator = np.random.default_rng(43)
    for rows, parameters, columns, q in [(15, 24, 6, 2), (30, 20, 4, 0), (30, 20, 4, 1)]:
        jacobian, _ = _matrix(generator, rows, parameters, np.linspace(1.0, 0.3, 12))
        test_matrix = generator.standard_normal((parameters, columns))
        basis = _as_basis(answer(jacobian, test_matrix, q), jacobian, test_matrix)
        if _same_range(basis, _power(jacobian, test_matrix, q + 1)):
            continue
        need(
            not _same_range(basis, _power(jacobian, test_matrix, q)),
            f"For q = {q} your Q spans range(G^q Ω): one power too few.",
            "q counts the extra rounds: q = 0 is the range finder of Exercise 4.1, with one product by G.",
        )
        need(
            not _same_range(basis, _power(jacobian, test_matrix, q + 2)),
            f"For q = {q} your Q spans range(G^(q+2) Ω): one power too many.",
            "Count the products with G before, in and after your loop: q + 1 altogether.",
        )
        need(
            not _same_range(basis, _power(jacobian, test_matrix, 1)),
            f"For q = {q} your Q is that of q = 0.",
            "Does each round start from the result of the round before, or again from Ω?",
        )
        raise Wrong(
            f"For J of shape {jacobian.shape} and q = {q} your Q does not span range(G^(q+1) Ω).",
            "A round is J and then Jᵀ, with an orthonormalization after each.",
        )
    columns = 8
    jacobian, right = _matrix(generator, 40, 25, np.logspace(0, -4, columns))
    test_matrix = generator.standard_normal((25, columns))
    basis = _as_basis(answer(jacobian, test_matrix, 3), jacobian, test_matrix)
    need(
        _same_range(basis, right, 1e-3),
        "Right for a well-conditioned J. But for singular values from 1 to 1e-4 and q = 3 your Q loses directions.",
        "Powers pull all columns towards the first eigenvector: G⁴ spans 32 powers of ten, floating point 16. "
        "Pull the columns apart in every round, not in the last one alone.",
    )


def _sketch_ratio(eigenvalues, rank, generator):
    """Return ‖G - Ĝ‖ / λ_(k+1) of a Gaussian sketch of G = diag(λ), with no power iteration."""
    scale = np.sqrt(eigenvalues)
    jacobian = np.diag(scale)
    basis = _power(jacobian, generator.standard_normal((len(scale), rank + OVERSAMPLING)), 1)
    _, s, rotation = np.linalg.svd(scale[:, None] * basis, full_matrices=False)
    right = basis @ rotation[:rank].T
    difference = np.diag(eigenvalues) - right * s[:rank] ** 2 @ right.T
    return np.max(np.abs(np.linalg.eigvalsh(difference))) / eigenvalues[rank]


@exercise
def check_04_hard_spectrum(answer):
    """Measure how far Gaussian sketches of a spectrum are from the best of their rank: the median of five, for three sizes."""
    generator = np.random.default_rng(44)
    for size, rank in [(200, 10), (300, 40), (400, 20)]:
        eigenvalues = as_numbers(answer(size, rank), (size,), "n eigenvalues")
        need(
            eigenvalues[-1] >= eigenvalues[0] or np.all(np.diff(eigenvalues) <= 0),
            "Your eigenvalues are not in order.",
            "Sort them: each at most the one before.",
        )
        need(
            eigenvalues[-1] <= eigenvalues[0],
            "Your eigenvalues ascend.",
            "λ₁ is the largest: turn them round.",
        )
        need(
            eigenvalues[-1] > 0,
            "Some of your eigenvalues are not positive.",
            "If λ_(k+1) is 0, the best matrix of rank k has no error, and a ratio to it says nothing. All must be above 0.",
        )
        need(close(eigenvalues[0], 1.0), f"Your λ₁ is {eigenvalues[0]:.3g}.", "Divide by the largest: λ₁ = 1.")
        following = eigenvalues[rank]
        together = np.sum(eigenvalues[rank:]) / following
        ratio = np.median([_sketch_ratio(eigenvalues, rank, generator) for _ in range(5)])
        if ratio >= HARD:
            continue
        found = f"For n = {size}, k = {rank} the sketch misses only {ratio:.2f} times λ_(k+1)."
        need(
            following < 1,
            f"{found} Your λ_(k+1) is as large as λ₁.",
            "The best matrix of rank k is as bad as none at all, so a sketch has nothing to lose. Give it something to find.",
        )
        need(
            HARD * following < 1,
            f"{found} Your λ_(k+1) is {following:.2g}: {HARD} times that is more than λ₁, and no sketch is so bad.",
            "An error above λ₁ would be worse than the answer Ĝ = 0. Lower what comes after the first k.",
        )
        need(
            together > 0.4 * (size - rank),
            f"{found} The eigenvalues after the first k fall too quickly: all of them together are {together:.1f} λ_(k+1).",
            "A random vector hits every eigenvector alike. Which tail has a sum that is many times its largest member?",
        )
        raise Wrong(
            f"{found} The tail is flat, as it should be, but the first k eigenvalues fall down to it: λ_k is "
            f"{eigenvalues[rank - 1] / following:.1f} λ_(k+1).",
            "What the sketch gets wrong has to be large. How large may all of the first k be?",
        )

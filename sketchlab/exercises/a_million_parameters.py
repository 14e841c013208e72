"""Checks of notebook 06, a million parameters."""

from sketchlab.exercises.checking import Wrong, as_numbers, close, exercise, need

#: Bytes of a number in float64.
FLOAT64 = 8


def _parameters(dim, width, depth):
    return width * dim + width + (depth - 1) * (width * width + width) + width + 1


def _largest(fits):
    """Return the largest whole number that fits, if 1 does and larger ones are the harder to fit: by doubling, then halving."""
    step = 1
    while fits(2 * step):
        step *= 2
    value = step
    while step := step // 2:
        value += step * fits(value + step)
    return value


@exercise
def check_06_parameters(answer):
    """Check the number of parameters of networks with one hidden layer and more."""
    for dim, width, depth in [(2, 580, 4), (1, 32, 2), (5, 64, 1), (3, 7, 3)]:
        value = as_numbers(answer(dim, width, depth), (), "the number P")
        expected, square = _parameters(dim, width, depth), width * width + width
        if value == expected:
            continue
        need(
            value != expected - depth * width - 1,
            "Your function counts the weights alone.",
            "Every unit of a hidden layer, and the output, also adds a number of its own to what comes in.",
        )
        need(
            value != expected + square,
            "Your function has one square layer too many.",
            "Draw a network with two hidden layers: how many arrows of affine maps lead from one hidden layer to another?",
        )
        need(
            value != expected - width - 1,
            "Your function forgets the last affine map.",
            "The last hidden layer still has to become one number.",
        )
        need(
            value != expected - 1,
            "Your function misses one parameter.",
            "The output has a bias too.",
        )
        need(
            value != expected + width * width - width * dim,
            "Your function takes the first affine map to be square.",
            "What goes into it is a point, and a point has dim entries.",
        )
        need(
            depth == 1 or value != expected - square,
            "Your function has one hidden layer too few.",
            "depth counts hidden layers; the output is not one of them.",
        )
        raise Wrong(
            f"For dim = {dim}, width = {width}, depth = {depth} you find {value:,.0f} parameters, and that is not so.",
            "Write down the shape of every weight matrix and of every bias for dim = 1, width = 2, depth = 2, and add up.",
        )


@exercise
def check_06_memory(answer):
    """Check bytes of G, J and a sketch, with more parameters than rows and fewer, in both precisions."""
    for rows, parameters, rank, size in [(512, 1_013_261, 64, 8), (2400, 4965, 320, 4), (90, 40, 7, 8), (30, 70, 11, 2)]:
        value = as_numbers(answer(rows, parameters, rank, size), (3,), "the three numbers of bytes (gramian, jacobian, sketch)")
        expected = [size * parameters**2, size * rows * parameters, size * (rows + parameters) * rank]
        right = [close(one, other) for one, other in zip(value, expected, strict=True)]
        if all(right):
            continue
        need(
            not close(value * size, expected),
            "Your function counts numbers, not bytes.",
            "What does the last argument say about a number?",
        )
        need(
            size == FLOAT64 or not close(value / FLOAT64, [one / size for one in expected]),
            "Your function takes every number to have 8 bytes.",
            "float32 has numbers of 4 bytes; the last argument says how many it is.",
        )
        need(
            not close(value * 1e9, expected) and not close(value * 2**30, expected),
            "Your function returns gigabytes.",
            "Asked for are bytes.",
        )
        need(
            not close(sorted(value), sorted(expected)),
            "Your function returns the right numbers in the wrong order.",
            "First G, then J, then the sketch.",
        )
        need(
            not close(value[0], size * rows**2),
            "Your first number is the memory of the kernel K = JJᵀ.",
            "G = JᵀJ measures changes of the parameters. How many of them are there?",
        )
        need(
            not close(value[0], expected[0] / 2, 0.1),
            "Your first number is about half of what G takes.",
            "G is symmetric, but it is stored here as a whole square.",
        )
        need(
            not close(value[2], size * parameters * rank) and not close(value[2], size * rows * rank),
            "Your third number counts one of the two matrices of the sketch.",
            "The sketch holds the basis Q and B = JQ. What are their shapes?",
        )
        need(
            not close(value[2], size * rows * parameters * rank),
            "Your third number is a number of operations, not of bytes.",
            "The two matrices Q and B lie side by side: their sizes add up.",
        )
        which = ["G", "J", "the sketch"][right.index(False)]
        raise Wrong(
            f"For N = {rows}, P = {parameters}, k = {rank} and {size} bytes a number your bytes of {which} are wrong.",
            "Rows times columns of each matrix, times the bytes of a number.",
        )


@exercise
def check_06_largest_width(answer):
    """Check the largest width whose G fits, also where it fits to the last byte, and with one byte less."""
    exact = FLOAT64 * _parameters(2, 31, 3) ** 2
    for memory, dim, depth in [(16e9, 2, 4), (2e9, 1, 2), (5e8, 5, 1), (exact, 2, 3), (exact - 1, 2, 3)]:
        value = as_numbers(answer(memory, dim, depth), (), "the width")

        def largest(limit, dim=dim, depth=depth):
            return _largest(lambda width: _parameters(dim, width, depth) <= limit)

        expected = largest((memory / FLOAT64) ** 0.5)
        if value == expected:
            continue
        need(
            value not in (_parameters(dim, expected, depth), int((memory / FLOAT64) ** 0.5)),
            "Your function returns a number of parameters.",
            "Asked for is the width of the network that has them.",
        )
        need(
            value == round(float(value)),
            f"Your function returns {value:g}, which is not a whole number.",
            "A layer has a whole number of units: the largest that fits.",
        )
        need(
            value != largest(memory / FLOAT64),
            "Your function lets P numbers fit, not a matrix.",
            "How many rows and columns has G?",
        )
        need(
            value != largest(memory**0.5),
            "Your function takes a number to have one byte.",
            "float64 has 64 bits. A byte has 8.",
        )
        need(
            value != largest((memory / 4) ** 0.5),
            "Your function takes numbers of 4 bytes.",
            "Spectra need float64.",
        )
        need(
            depth == 1 or value != int(((memory / FLOAT64) ** 0.5 / (depth - 1)) ** 0.5),
            "Your function counts the square layers of weights and nothing else.",
            "Near the limit the first map, the last one and the biases decide: use the exact number of parameters.",
        )
        need(
            value != expected + 1,
            "Your function returns the first width that does not fit.",
            "Asked for is the one before it.",
        )
        need(
            memory != exact or value != expected - 1,
            "Your function refuses a G that fits to the last byte.",
            "Memory is enough if it is at least as large as G.",
        )
        raise Wrong(
            f"For {memory:.3g} bytes, dim = {dim} and depth = {depth} you find the width {value:g}, and that is not so.",
            "Let the width grow from 1 as long as the G of the next one fits.",
        )

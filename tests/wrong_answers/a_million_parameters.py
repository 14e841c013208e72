"""Wrong answers to notebook 06, a million parameters."""

import numpy as np


def count(dim, width, depth):
    return width * dim + width + (depth - 1) * (width * width + width) + width + 1


def weights_alone(dim, width, depth):
    return width * dim + (depth - 1) * width**2 + width


def one_layer_too_many(dim, width, depth):
    return count(dim, width, depth) + width**2 + width


def no_output(dim, width, depth):
    return count(dim, width, depth) - width - 1


def no_output_bias(dim, width, depth):
    return count(dim, width, depth) - 1


def square_first_map(dim, width, depth):
    return depth * (width**2 + width) + width + 1


def output_is_a_hidden_layer(dim, width, depth):
    return width * dim + width + (depth - 2) * (width**2 + width) + width + 1


def leading_term(dim, width, depth):
    return depth * width**2


def right_for_one_case(dim, width, depth):
    return 1_013_261


def always_two_hidden_layers(dim, width, depth):
    return count(dim, width, 4)


def bytes_of(rows, parameters, rank, size):
    return np.array([parameters**2, rows * parameters, (rows + parameters) * rank], float) * size


def numbers(rows, parameters, rank, size):
    return bytes_of(rows, parameters, rank, 1)


def always_float64(rows, parameters, rank, size):
    return bytes_of(rows, parameters, rank, 8)


def gigabytes(rows, parameters, rank, size):
    return bytes_of(rows, parameters, rank, size) / 1e9


def other_order(rows, parameters, rank, size):
    return bytes_of(rows, parameters, rank, size)[::-1]


def kernel(rows, parameters, rank, size):
    return np.array([rows**2, rows * parameters, (rows + parameters) * rank], float) * size


def one_triangle(rows, parameters, rank, size):
    return np.array([parameters * (parameters + 1) / 2, rows * parameters, (rows + parameters) * rank], float) * size


def basis_alone(rows, parameters, rank, size):
    return np.array([parameters**2, rows * parameters, parameters * rank], float) * size


def work_of_the_sketch(rows, parameters, rank, size):
    return np.array([parameters**2, rows * parameters, rows * parameters * rank], float) * size


def jacobian_of_the_sketch(rows, parameters, rank, size):
    return np.array([parameters**2, rows * rank, (rows + parameters) * rank], float) * size


def largest(fits):
    width = 1
    while fits(width + 1):
        width += 1
    return width


def number_of_parameters(memory, dim, depth):
    return int((memory / 8) ** 0.5)


def not_whole(memory, dim, depth):
    return ((memory / 8) ** 0.5 / depth) ** 0.5


def a_vector_fits(memory, dim, depth):
    # Larger steps first: with one hidden layer the answer is large.
    width = largest(lambda thousands: 8 * count(dim, 1000 * thousands, depth) <= memory) * 1000
    return width - 1 + largest(lambda more: 8 * count(dim, width - 1 + more, depth) <= memory)


def one_byte(memory, dim, depth):
    return largest(lambda width: count(dim, width, depth) ** 2 <= memory)


def single_precision(memory, dim, depth):
    return largest(lambda width: 4 * count(dim, width, depth) ** 2 <= memory)


def squares_alone(memory, dim, depth):
    return int(((memory / 8) ** 0.5 / (depth - 1)) ** 0.5)


def one_too_many(memory, dim, depth):
    return largest(lambda width: 8 * count(dim, width, depth) ** 2 <= memory) + 1


def strictly_below(memory, dim, depth):
    return largest(lambda width: 8 * count(dim, width, depth) ** 2 < memory)


def half_of_it(memory, dim, depth):
    return largest(lambda width: 8 * count(dim, width, depth) ** 2 <= memory) // 2


WRONG = {
    "check_06_parameters": [
        (weights_alone, "the weights alone"),
        (one_layer_too_many, "one square layer too many"),
        (no_output, "forgets the last affine map"),
        (no_output_bias, "misses one parameter"),
        (square_first_map, "first affine map to be square"),
        (output_is_a_hidden_layer, "one hidden layer too few"),
        (leading_term, "depth = 4 you find 1,345,600 parameters"),
        (right_for_one_case, "depth = 2 you find 1,013,261"),
        (always_two_hidden_layers, "depth = 2 you find 3,265"),
    ],
    "check_06_memory": [
        (numbers, "counts numbers, not bytes"),
        (always_float64, "every number to have 8 bytes"),
        (gigabytes, "returns gigabytes"),
        (other_order, "in the wrong order"),
        (kernel, "memory of the kernel"),
        (one_triangle, "about half of what G takes"),
        (basis_alone, "one of the two matrices"),
        (work_of_the_sketch, "a number of operations"),
        (jacobian_of_the_sketch, "your bytes of J are wrong"),
    ],
    "check_06_largest_width": [
        (number_of_parameters, "a number of parameters"),
        (not_whole, "not a whole number"),
        (a_vector_fits, "lets P numbers fit"),
        (one_byte, "to have one byte"),
        (single_precision, "numbers of 4 bytes"),
        (squares_alone, "the square layers of weights"),
        (one_too_many, "the first width that does not fit"),
        (strictly_below, "fits to the last byte"),
        (half_of_it, "you find the width 60"),
    ],
}

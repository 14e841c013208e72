"""Checks of the exercises in the notebooks: ``check_04_range_finder(f)`` says what is wrong with an answer, and gives a hint.

A file for each notebook. To add a check, write a function there and decorate it with `exercise`; enter it here.
"""

from sketchlab.exercises.a_million_parameters import check_06_largest_width, check_06_memory, check_06_parameters
from sketchlab.exercises.natural_gradient import check_02_dual_step, check_02_gramian, check_02_shares, check_02_step
from sketchlab.exercises.pinns_and_gradients import check_01_left_over, check_01_loss, check_01_residual
from sketchlab.exercises.sketching import (
    check_04_hard_spectrum,
    check_04_power_iterations,
    check_04_range_finder,
    check_04_ritz,
)
from sketchlab.exercises.start_here import check_00_digits, check_00_relative_error
from sketchlab.exercises.the_race import (
    check_05_cheapest,
    check_05_first_time,
    check_05_flops,
    check_05_median_over_seeds,
)
from sketchlab.exercises.the_spectrum import (
    check_03_above_the_floor,
    check_03_bernstein,
    check_03_decay_rate,
    check_03_effective_dimension,
)
from sketchlab.exercises.your_own_equation import check_07_convection_diffusion, check_07_oscillator, check_07_source

__all__ = [
    "check_00_digits",
    "check_00_relative_error",
    "check_01_left_over",
    "check_01_loss",
    "check_01_residual",
    "check_02_dual_step",
    "check_02_gramian",
    "check_02_shares",
    "check_02_step",
    "check_03_above_the_floor",
    "check_03_bernstein",
    "check_03_decay_rate",
    "check_03_effective_dimension",
    "check_04_hard_spectrum",
    "check_04_power_iterations",
    "check_04_range_finder",
    "check_04_ritz",
    "check_05_cheapest",
    "check_05_first_time",
    "check_05_flops",
    "check_05_median_over_seeds",
    "check_06_largest_width",
    "check_06_memory",
    "check_06_parameters",
    "check_07_convection_diffusion",
    "check_07_oscillator",
    "check_07_source",
]

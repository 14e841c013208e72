"""Optimizers as text: what can be written, and what is said about the rest."""

import pytest

import sketchlab as sl
from sketchlab.reading import make_optimizer, read_optimizer


@pytest.mark.parametrize(
    ("text", "optimizer"),
    [
        (" sngd( rank = 80 ) ", sl.sketched_natural_gradient(80)),
        ("sngd(80)", sl.sketched_natural_gradient(80)),
        ("engd", sl.natural_gradient()),
        ("dual", sl.dual_natural_gradient()),
        ("adam(learning_rate=1e-2)", sl.adam(learning_rate=0.01)),
        ('engd(search="step grid")', sl.natural_gradient(search=sl.step_grid())),
        ("sngd(search=damping_path(ratio=0.5))", sl.sketched_natural_gradient(search=sl.damping_path(ratio=0.5))),
        (
            "natural_gradient(sketched(40), search=step_grid, momentum=0.0)",
            sl.natural_gradient(sl.sketched(40), search=sl.step_grid(), momentum=0.0),
        ),
        ('sngd("auto", max_rank=64)', sl.sketched_natural_gradient("auto", max_rank=64)),
        ("natural_gradient(dual(), search=None)", sl.natural_gradient(sl.dual())),
    ],
)
def test_text_makes_the_optimizer_that_python_makes(text, optimizer):
    assert read_optimizer(text) == optimizer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sngdd()", "unknown optimizer 'sngdd'. Did you mean 'sngd'"),
        ("sngd(rnk=3)", "sngd has no option 'rnk'. Did you mean 'rank'? It takes rank, preset"),
        ("sngd(rank=3", "'sngd(rank=3' cannot be read: write it like sngd(rank=80"),
        ("", "'' cannot be read"),
        ("1 + 1", "'1 + 1' cannot be read"),
        ("3", "'3' is not an optimizer"),
        ("sngd(rank=-3)", "rank = -3 is not a whole number"),
        ("engd(search='grid')", "unknown search 'grid'. Did you mean"),
        ("engd(search=step_gird())", "unknown decomposition or search 'step_gird'. Did you mean 'step_grid'"),
        ("engd(search=adam())", "unknown decomposition or search 'adam'"),
        ("engd(step_grid())", "is no Decomposition: give sl.exact()"),
        ("adam(1e-3)", "adam: too many positional arguments. Write adam(learning_rate=…)."),
        ("sngd(3, rank=3)", "multiple values for argument 'rank'"),
        ("sngd(**{'rank': 3})", "sngd has no option None"),
        ("sl.adam()", "cannot be read"),
        ("sngd(rank=__import__('os').getpid())", "cannot be read"),
        ("engd(search=open('x'))", "unknown decomposition or search 'open'"),
        ("-" * 100_000 + "1", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(sl.InputError) as error:
        read_optimizer(text)
    assert message in str(error.value)


def test_a_name_and_options_make_an_optimizer():
    assert make_optimizer("sngd", rank=8, search="step grid") == sl.sketched_natural_gradient(8, search=sl.step_grid())
    with pytest.raises(sl.InputError, match="gd has no option 'rank'. It takes halvings"):
        make_optimizer("gd", rank=8)

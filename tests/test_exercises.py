"""Checks of the exercises let no wrong answer pass, and tell each of them something of its own."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import wrong_answers

from sketchlab import exercises
from sketchlab.exercises.checking import Verdict, Wrong, as_numbers, close, exercise

CHECKS = {name: check for name, check in vars(exercises).items() if name.startswith("check_")}
#: By check, pairs of an answer and words of the verdict on it.
WRONG = {}
for module in pkgutil.iter_modules(wrong_answers.__path__):
    WRONG |= importlib.import_module(f"wrong_answers.{module.name}").WRONG
CASES = [(name, answer, words) for name, answers in WRONG.items() for answer, words in answers]
#: Answers that look at nothing, or hand on what they were given.
STUBS = {
    "none": lambda *arguments: None,
    "zero": lambda *arguments: 0.0,
    "one": lambda *arguments: 1.0,
    "infinity": lambda *arguments: np.inf,
    "zeros": lambda *arguments: np.zeros_like(arguments[0], float),
    "first": lambda *arguments: arguments[0],
    "last": lambda *arguments: arguments[-1],
    "text": lambda *arguments: "full",
    "ragged": lambda *arguments: [[1.0], [1.0, 2.0]],
}


def test_every_check_has_wrong_answers_to_it():
    assert set(WRONG) == set(CHECKS)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_told_apart(name):
    words = [words for _, words in WRONG[name]]
    assert len(words) >= 3 and len(set(words)) == len(words)
    verdicts = [str(CHECKS[name](answer)) for answer, _ in WRONG[name]]
    assert len(set(verdicts)) == len(verdicts)


@pytest.mark.parametrize("name, answer, words", CASES, ids=[f"{name}-{words}" for name, _, words in CASES])
def test_a_wrong_answer_gets_its_own_hint(name, answer, words):
    verdict = CHECKS[name](answer)
    assert not verdict.passed
    assert verdict.hint, verdict
    assert words in f"{verdict.says} {verdict.hint}"


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("stub", STUBS)
def test_no_stub_passes(name, stub):
    verdict = CHECKS[name](STUBS[stub])
    assert not verdict.passed and verdict.says


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_not_done_is_said_so(name):
    def answer(*arguments):
        raise NotImplementedError

    assert CHECKS[name](answer) == Verdict(
        False, "Not done yet.", "Replace the line that raises NotImplementedError by your own."
    )
    assert "not a function" in CHECKS[name](3).says


@pytest.mark.parametrize("name", CHECKS)
def test_a_mistake_in_the_answer_is_shown_with_its_place(name):
    def answer(*arguments):
        return 1 / 0

    verdict = CHECKS[name](answer)
    assert "ZeroDivisionError" in verdict.says
    assert "1 / 0" in verdict.hint and str(inspect.getsourcelines(answer)[1] + 1) in verdict.hint


def test_an_answer_cannot_change_what_it_is_given():
    given = np.ones(3)

    @exercise
    def check(answer):
        answer(given)

    def spoil(x):
        x[:] = 0

    assert check(spoil) and np.all(given == 1)


def test_a_verdict_shows_itself():
    page = Verdict(False, "2 < 3 is missing.", "Look & see.")._repr_html_()
    assert "2 &lt; 3 is missing." in page and "Look &amp; see." in page and 'role="status"' in page
    assert str(Verdict(True, "Right.")) == "✓ Right."


@pytest.mark.parametrize("value", [None, "text", [1, [2, 3]], [1.0, np.nan], [1j, 2j], [1.0], {"a": 1}])
def test_only_finite_numbers_of_the_right_shape_are_numbers(value):
    with pytest.raises(Wrong):
        as_numbers(value, (2,), "a pair")


def test_closeness_is_relative_to_the_largest_entry():
    assert close(np.array([1e6, 1e-9]), [1e6, 0.0])
    assert not close(np.array([1e-3]), [0.0])

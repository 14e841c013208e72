import pytest

import sketchlab as sl


@pytest.fixture
def guess():
    return sl.explore.predict("How many eigenvalues < 1?", ["few", "many"])


def test_a_prediction_is_recorded_and_answered(guess):
    assert guess.value is None
    guess.value = "few"
    page = guess.reveal("few", "3 < 4.").data
    assert "few. 3 &lt; 4." in page and "as you said" in page
    assert "you said “few”: why not?" in guess.reveal("many").data


def test_the_answer_is_folded_away_until_something_is_predicted(guess):
    page = guess.reveal("many", "7 are.").data
    assert "not predicted" in page and "<details>" in page and "7 are." in page


def test_the_buttons_are_there_with_the_question(guess):
    question, choice = guess.children
    assert "How many eigenvalues &lt; 1?" in question.value and choice.options == ("few", "many")


def test_an_answer_that_nobody_could_choose_is_refused(guess):
    with pytest.raises(sl.InputError, match="'none' is none of"):
        guess.reveal("none")


@pytest.mark.parametrize("options", [[], ["one"], ["one", "one"]])
def test_a_prediction_needs_a_choice(options):
    with pytest.raises(sl.InputError, match="two different answers"):
        sl.explore.predict("?", options)

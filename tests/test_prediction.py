import types

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


def test_the_answer_waits_below_the_question_until_something_is_predicted(guess):
    page = guess.reveal("many", "7 are.").data
    assert "choose there" in page and "many" not in page and "7" not in page
    answer = guess.widget.children[2]
    assert answer.value == ""
    guess.value = "few"
    assert "many. 7 are." in answer.value and "you said “few”: why not?" in answer.value
    guess.value = "many"
    assert "as you said" in answer.value


def test_before_the_experiment_a_prediction_is_noted(guess):
    guess.value = "few"
    assert "Noted" in guess.widget.children[2].value


def test_question_choice_and_answer_stay_in_the_file(guess, monkeypatch):
    left = []
    handle = types.SimpleNamespace(update=lambda made: left.append(made.data))
    monkeypatch.setattr("sketchlab.explore.prediction.display", lambda made, display_id=None: handle)
    guess._ipython_display_()
    guess.value = "few"
    assert "How many eigenvalues &lt; 1?" in left[-1] and "“few”" in left[-1] and "Seen" not in left[-1]
    guess.reveal("many", "7 are.")
    assert "7 are." in left[-1]


def test_the_buttons_are_there_with_the_question(guess):
    question, choice, answer, _ = guess.widget.children
    assert "How many eigenvalues &lt; 1?" in question.value and choice.options == ("few", "many") and answer.value == ""


def test_an_answer_that_nobody_could_choose_is_refused(guess):
    with pytest.raises(sl.InputError, match="'none' is none of"):
        guess.reveal("none")


@pytest.mark.parametrize("options", [[], ["one"], ["one", "one"]])
def test_a_prediction_needs_a_choice(options):
    with pytest.raises(sl.InputError, match="two different answers"):
        sl.explore.predict("?", options)

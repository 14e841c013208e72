"""What explorers are made of: controls, work in the background, the page's signs of life, the cache, twins of live figures."""

import asyncio
import dataclasses
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from sketchlab import MLP, PROBLEMS, Hard, InputError, Periodic
from sketchlab.compiled import remove_broken
from sketchlab.explore import live, page, saving, still
from sketchlab.explore.background import Background, Throttle
from sketchlab.explore.choices import NetworkChoice, ProblemChoice
from sketchlab.explore.controls import Choice, Number, Words
from sketchlab.explore.layers import embed, steepen

# Controls


def test_a_number_says_what_the_page_has_set():
    number, heard = Number("width", 2, 1024, 32, log=True, live=True), []
    number.on_change(lambda: heard.append(number.value))
    # What the page sends is a number of JSON.
    number.widget.set_state({"value": 100})
    number.value = 37
    assert heard == [100, 37] and isinstance(number.value, int) and number.widget.value == 37
    assert number.widget.live and number.widget.log and number.widget.whole


def test_what_is_typed_is_not_rounded_to_the_slider():
    number, heard = Number("momentum", 0.0, 0.95, 0.5), []
    number.on_change(lambda: heard.append(number.value))
    number.value = 0.12345
    assert number.value == 0.12345 and heard == [0.12345]


@pytest.mark.parametrize(("sent", "kept"), [(1e9, 64), (-3, 2), (12.7, 13), (float("nan"), 8), (float("inf"), 8)])
def test_a_page_can_set_nothing_but_a_number_within_the_limits(sent, kept):
    number = Number("width", 2, 64, 8)
    number.widget.set_state({"value": sent})
    assert number.value == kept


def test_numbers_check_what_they_are_given():
    with pytest.raises(InputError, match="width = 1 is not a whole number between 2 and 8"):
        Number("width", 2, 8, 4).check(1)
    with pytest.raises(InputError, match="width = 2.5 is not a whole number"):
        Number("width", 2, 8, 4).check(2.5)
    with pytest.raises(InputError, match="scale = nan"):
        Number("scale", 0.1, 8.0, 4.0).check(float("nan"))
    assert Number("scale", 0.1, 8.0, 4.0).check(1) == 1.0


def test_choices_and_words_check_what_they_are_given():
    with pytest.raises(InputError, match="dtype = 'int' is not on the control: use one of float64, float32"):
        Choice("dtype", ["float64", "float32"], "float64").check("int")
    with pytest.raises(InputError, match="text = 3 is no text"):
        Words("text", "a").check(3)
    with pytest.raises(InputError, match="problem = 'heat' is not on the control: use one of poisson_1d"):
        ProblemChoice("heat")


def test_a_problem_is_always_the_same_object():
    assert ProblemChoice("heat_1d").problem is ProblemChoice("heat_1d").problem
    assert ProblemChoice(PROBLEMS["heat_1d"]()).spelled == "heat_1d"
    assert ProblemChoice("heat_1d").spelled == "'heat_1d'"


def test_a_problem_of_ones_own_is_spelled_as_the_notebook_calls_it(monkeypatch):
    mine = dataclasses.replace(PROBLEMS["heat_1d"](), name="my problem")
    assert ProblemChoice(mine).spelled == "my_problem"
    notebook = types.SimpleNamespace(user_ns={"other": 1, "_": mine, "bar": mine})
    monkeypatch.setattr("sketchlab.explore.controls.get_ipython", lambda: notebook)
    assert ProblemChoice(mine).spelled == "bar"


@pytest.mark.parametrize(
    ("name", "spelled"), [("2d heat", "problem"), ("class", "problem"), ("u²", "problem"), ("Δu = 1", "Δu___1")]
)
def test_a_problem_of_any_name_is_spelled_in_python(name, spelled):
    assert ProblemChoice(dataclasses.replace(PROBLEMS["heat_1d"](), name=name)).spelled == spelled


def test_a_problem_of_ones_own_is_not_taken_for_that_of_the_catalogue():
    mine = dataclasses.replace(PROBLEMS["poisson_1d"](), name="heat_1d")
    choice = ProblemChoice(mine)
    assert choice.problem is mine and choice.check(mine) == choice.value == "heat_1d (own)"
    choice.value = "heat_1d"
    assert choice.problem.dim == 2
    with pytest.raises(InputError, match=r"problem = 'heat_1d \(own\)' is not on the control"):
        ProblemChoice("heat_1d (own)")
    with pytest.raises(InputError, match="is not on the control"):
        choice.check(PROBLEMS["poisson_2d"]())
    with pytest.raises(InputError, match="problem = 3 is no Problem: give a name"):
        ProblemChoice(3)


def test_networks_are_usual_ones_or_ones_own(monkeypatch):
    problem = PROBLEMS["heat_1d"]()
    assert NetworkChoice().network(problem, 8, 1) == MLP(2, 8, 1) and NetworkChoice("periodic").spelled == "'periodic'"
    assert NetworkChoice("periodic").network(problem, 8, 1) == Periodic(MLP(3, 8, 1), (1.0, None))
    own = Periodic(MLP(3, 5, 1), (1.0, None))
    choice = NetworkChoice(own)
    assert choice.network(problem, 8, 1) is own and choice.value == "Periodic" and choice.spelled == "network"
    assert NetworkChoice(choice.written).network(problem, 8, 1) == own
    choice.value = "mlp"
    assert choice.network(problem, 8, 1) == MLP(2, 8, 1) and choice.spelled == "'mlp'"
    hard = Hard(MLP(2, 5, 1), None, lambda x: x[0])
    monkeypatch.setattr("sketchlab.explore.controls.get_ipython", lambda: types.SimpleNamespace(user_ns={"ansatz": hard}))
    assert NetworkChoice(hard).written == "Hard" and NetworkChoice(hard).spelled == "ansatz"
    with pytest.raises(InputError, match="which lacks dim"):
        NetworkChoice(3)


# Work in the background


def test_work_without_an_event_loop_is_done_before_start_returns():
    work, shown = Background(pytest.fail), []
    pieces = iter([True, True, False])
    work.start(lambda: next(pieces), shown.append)
    assert shown == [True, True, False] and not work.running
    work.close()


def test_pieces_run_beside_the_event_loop_and_pictures_on_it():
    async def session():
        work, threads = Background(pytest.fail), []
        done = asyncio.Event()

        def piece():
            threads.append(threading.current_thread())
            time.sleep(0.2)
            return False

        def show(more):
            threads.append(threading.current_thread())
            done.set()

        work.start(piece, show)
        start, ticks = time.monotonic(), 0
        while not done.is_set():
            await asyncio.sleep(0.01)
            ticks += 1
        # The loop went on while the piece slept.
        assert ticks >= 5 and time.monotonic() - start >= 0.19
        assert threads[0] is not threading.main_thread() and threads[1] is threading.main_thread()
        work.close()

    asyncio.run(asyncio.wait_for(session(), 20))


def test_new_work_takes_the_place_of_old_work():
    async def session():
        work, shown = Background(pytest.fail), []

        def piece(name):
            def run():
                time.sleep(0.05)
                started.append(name)
                return False

            return run

        started = []
        for name in "abcde":
            work.start(piece(name), lambda more, name=name: shown.append(name))
        while not shown:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        # The first may have begun; those between were never started.
        assert shown == ["e"] and started in (["a", "e"], ["e"])
        work.close()

    asyncio.run(asyncio.wait_for(session(), 20))


def test_pause_shows_the_piece_in_hand_and_drop_does_not():
    async def session():
        work, shown = Background(pytest.fail), []

        def piece():
            time.sleep(0.05)
            return True

        work.start(piece, shown.append)
        while len(shown) < 2:
            await asyncio.sleep(0.005)
        work.pause()
        await asyncio.sleep(0.2)
        assert shown[-1] is False and shown.count(False) == 1
        work.start(piece, shown.append)
        count = len(shown)
        await asyncio.sleep(0.01)
        work.drop()
        await asyncio.sleep(0.2)
        assert len(shown) == count
        work.close()

    asyncio.run(asyncio.wait_for(session(), 20))


def test_errors_of_pieces_and_of_pictures_are_handed_over():
    errors = []
    work = Background(errors.append)
    work.start(lambda: 1 / 0, lambda more: None)
    work.start(lambda: False, lambda more: [][0])
    assert [type(error) for error in errors] == [ZeroDivisionError, IndexError] and not work.running
    with pytest.raises(ZeroDivisionError):
        work.do(lambda: 1 / 0)
    work.close()


def test_work_that_nobody_watches_pauses():
    work = Background(pytest.fail, watched=lambda: False)
    shown = []
    work.start(lambda: True, shown.append)
    assert shown == [False]
    work.close()


def test_throttle_keeps_the_average(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    throttle, frames = Throttle(0.1), 0
    for _ in range(125):
        # Steps of 0.08 s: with a wait of at least 0.1 s after each frame every other one would pass.
        frames += throttle.ready()
        now += 0.08
    assert 95 <= frames <= 101
    throttle.rest(5.0)
    now += 4.9
    assert not throttle.ready()
    now += 0.2
    assert throttle.ready()


def test_the_stop_button_pauses_what_runs_beside_the_cells():
    async def session():
        work, shown = Background(pytest.fail), []

        def piece():
            time.sleep(0.02)
            return True

        work.start(piece, shown.append)
        while len(shown) < 2:
            await asyncio.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.2)
        assert not work.running and shown[-1] is False
        work.close()

    # As a kernel does between cells.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(asyncio.wait_for(session(), 20))
    finally:
        signal.signal(signal.SIGINT, former)


# The page


def test_signs_of_life(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(page.time, "monotonic", lambda: now)
    seen = page.Page(print)
    now += 1e6
    assert seen.watched
    for kind, patience in page.PATIENCE.items():
        seen._hear(seen, {"kind": kind, "frame": 0}, None)
        now += patience - 0.1
        assert seen.watched
        now += 0.2
        # They may wait in line behind a cell.
        assert seen.watched
        now += page.PULSE + 0.1
        assert not seen.watched
        seen._hear(seen, {"kind": "here", "frame": 0}, None)
        assert seen.watched
    seen.close()


def test_the_page_has_caught_up_when_at_most_one_frame_is_on_its_way():
    seen = page.Page(print)
    seen.frame += 2
    # Nobody has ever looked.
    assert seen.caught_up
    seen._hear(seen, {"kind": "here", "frame": 0}, None)
    assert not seen.caught_up
    seen._hear(seen, {"kind": "here", "frame": 1}, None)
    assert seen.caught_up
    seen.close()


# What stays in the file


def test_a_still_picture_follows_when_nothing_happens_any_more(monkeypatch):
    shown, drawn = [], []
    handle = types.SimpleNamespace(update=lambda made: shown.append(made.data))
    monkeypatch.setattr(still, "display", lambda made, display_id: shown.append(made.data) or handle)
    monkeypatch.setattr(still, "QUIET", 0.05)

    def describe():
        words = f"Moved {len(drawn)} times."
        return (lambda: drawn.append(1) or matplotlib.figure.Figure()), words, "sl.explore.spectrum()"

    async def session():
        left = still.Still(describe, pytest.fail)
        left.renew()
        assert not shown
        left.display()
        assert "Moved 0 times" in shown[0] and "sl.explore.spectrum()" in shown[0] and "data:image/png" in shown[0]
        for _ in range(5):
            left.renew()
            await asyncio.sleep(0.01)
        while len(shown) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        # One for all five.
        assert len(shown) == 2 and "Moved 1 times" in shown[1]
        left.close()
        left.renew()
        await asyncio.sleep(0.2)
        assert len(shown) == 2

    asyncio.run(asyncio.wait_for(session(), 20))


def test_a_still_picture_that_cannot_be_drawn_is_said(monkeypatch):
    errors = []
    handle = types.SimpleNamespace(update=pytest.fail)
    monkeypatch.setattr(still, "display", lambda made, display_id: handle)
    monkeypatch.setattr(still, "QUIET", 0.01)
    draw = [None, lambda: 1 / 0]

    async def session():
        left = still.Still(lambda: (draw.pop(0), "words", "code"), errors.append)
        left.display()
        left.renew()
        while not errors:
            await asyncio.sleep(0.01)
        left.close()

    asyncio.run(asyncio.wait_for(session(), 20))
    assert [type(error) for error in errors] == [ZeroDivisionError]


# Colours


def luminance(colour):
    """Relative luminance of WCAG 2 of red, green and blue from 0 to 1."""
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(first, second):
    low, high = sorted(map(luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def in_the_dark(colour, inverted):
    """What ``invert(inverted) hue-rotate(180deg)`` makes of a colour, by the matrix of the filter effects specification."""
    grey = np.array([0.213, 0.715, 0.072])
    turn = grey - (np.eye(3) - grey)
    return np.clip(turn @ (colour * (1 - inverted) + (1 - colour) * inverted), 0, 1)


@pytest.mark.parametrize("colour", [*live.COLOURS, live.GREY])
def test_colours_stand_out_from_the_page_in_both_themes(colour):
    style, filters = (page.STATIC / "explorer.css").read_text(encoding="utf-8"), r"invert\((0\.\d+)\) hue-rotate\(180deg\)"
    (inverted,) = {float(found) for found in re.findall(filters, style + still.DARK)}
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    assert contrast(rgb, np.ones(3)) >= 4.5
    # The lightest grey of JupyterLab's dark cells.
    assert contrast(in_the_dark(rgb, inverted), np.full(3, 0x21 / 255)) >= 4.5


# The cache


PROBE = """
import jax, sys
from sketchlab.compiled import keep_compiled_functions, folder
print(keep_compiled_functions(), jax.config.jax_compilation_cache_dir == str(folder()))
jax.jit(lambda x: x * 2 + 1)(jax.numpy.ones(7)).block_until_ready()
print(len(list(folder().glob("*-cache"))) if folder().exists() else 0)
"""


def _probe(warnings="error", **environment):
    # Tests have a folder of their own.
    inherited = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    found = subprocess.run(
        [sys.executable, "-W", warnings, "-c", PROBE], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return found.stdout.split() + found.stderr.splitlines()


def test_compiled_functions_are_kept_for_the_user_alone(tmp_path):
    kept, ours, files = _probe(XDG_CACHE_HOME=str(tmp_path), SKETCHLAB_CACHE="on")
    assert (kept, ours) == ("True", "True") and int(files) >= 1
    folder = next(path for path in tmp_path.rglob("compiled") if path.is_dir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_a_killed_process_left_unfinished_in_the_cache_is_removed(tmp_path):
    for name in ("whole", "half", "other"):
        (tmp_path / f"{name}-cache").write_bytes(b"nonsense" if name == "other" else b"\x28\xb5\x2f\xfd...")
        if name != "half":
            (tmp_path / f"{name}-atime").write_text("")
    (tmp_path / ".lockfile").write_text("")
    remove_broken(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lockfile", "whole-atime", "whole-cache"]


def test_the_cache_has_a_switch(tmp_path):
    assert _probe(XDG_CACHE_HOME=str(tmp_path), SKETCHLAB_CACHE="off") == ["False", "False", "0"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_users_own_is_left_alone(tmp_path):
    assert _probe(XDG_CACHE_HOME=str(tmp_path), SKETCHLAB_CACHE="on", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))[:2] == [
        "False",
        "False",
    ]


def test_a_home_that_cannot_be_written_is_said_once_and_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    kept, _, _, *said = _probe("default", XDG_CACHE_HOME=str(tmp_path / "file"), SKETCHLAB_CACHE="on")
    assert kept == "False" and "".join(said).count("compiled functions are not kept for the next time") == 1


# Live figures


def test_twin_and_numbers_show_what_the_live_figure_shows():
    curve = live.line("loss", live.BLUE, "dash")
    band = live.line("band", live.ORANGE, fill="toself", showlegend=False)
    bars = live.go.Bar(orientation="h", marker={"color": [live.BLUE]}, name="memory")
    field = live.heatmap("Viridis")
    charts = [
        live.figure("Curves", {"title": "step"}, live.log_axis("loss"), [curve, band]),
        live.figure("Field", {"title": "x"}, {"title": "t"}, [field]),
        live.figure("Bars", live.log_axis("MB"), {}, [bars]),
    ]
    live.fill(charts[0].data[0], [1, 2, 3], [1.0, 0.1, 0.01])
    live.fill(charts[0].data[1], [1, 2, 2, 1], [1, 1, 2, 2])
    charts[1].data[0].update(x=[0, 1], y=[0, 1, 2], z=np.arange(6.0).reshape(3, 2))
    charts[2].data[0].update(x=[3.0], y=["G"])
    drawn = live.twin(charts)
    first, second, third = [ax for ax in drawn.axes if ax.get_title()]
    assert first.get_title() == "Curves" and first.get_yscale() == "log" and first.get_xlabel() == "step"
    assert np.allclose(first.lines[0].get_xydata(), [[1, 1.0], [2, 0.1], [3, 0.01]])
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["loss"] and len(first.patches) == 1
    assert second.collections[0].get_array().shape == (3, 2) and third.patches[0].get_width() == 3.0
    assert matplotlib.colors.to_hex(first.lines[0].get_color()) == live.BLUE.lower()
    found = live.numbers(charts)
    assert list(found["curves.loss.y"]) == [1.0, 0.1, 0.01] and found["field.viridis.z"].shape == (3, 2)
    for chart in charts:
        chart.close()


def test_a_figure_does_not_carry_plotly_itself():
    chart = live.figure("", {}, {}, [])
    assert len(chart._esm) < 2000
    chart.close()


def test_steepened_networks_compute_steeper_activations():
    import jax

    network = MLP(2, 5, 2)
    theta = network.init(key=jax.random.key(0))
    (w0, b0), (w1, b1), (w2, b2) = network.unflatten(theta + 0.1)
    x = np.array([0.3, 0.7])
    expected = w2 @ np.tanh(3 * (w1 @ np.tanh(3 * (w0 @ x + b0)) + b1)) + b2
    assert np.isclose(network.apply(steepen(network, theta + 0.1, 3.0), x), expected[0])


def test_embedded_in_a_wider_network_it_is_the_same_function():
    import jax

    network, wider = (MLP(2, width, 3, outputs=2, activation="softplus") for width in (5, 9))
    theta, v = (jax.random.normal(jax.random.key(i), (network.size,)) for i in range(2))
    x = np.array([0.3, -0.7])
    expected = jax.jvp(lambda theta: network.apply(theta, x), (theta,), (v,))
    embedded = tuple((embed(network, given, wider),) for given in (theta, v))
    found = jax.jvp(lambda theta: wider.apply(theta, x), *embedded)
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=1e-13)


def test_a_served_page_gives_files_to_its_visitor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown, sent = page.Page(print), []
    monkeypatch.setattr(shown, "send", lambda message, buffers: sent.append((message, buffers)))
    saving.keep(Path("here.txt"), lambda to: to.write_text("words"), shown)
    assert Path("here.txt").read_text() == "words" and not sent
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    saving.keep(Path("there.txt"), lambda to: to.write_text("more"), shown)
    assert sent == [({"name": "there.txt"}, [b"more"])] and not Path("there.txt").exists()
    shown.close()

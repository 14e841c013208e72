"""Explorers in a real browser: hands on sliders and buttons, and what is drawn then."""

import ast
import re
import time
from contextlib import contextmanager

import pytest
from jupyter_client import BlockingKernelClient

import sketchlab as sl
from benchmarks.browser import kernel_state, open_notebook, restart_kernel, run_all, run_cell, traces

IMPORT = "import sketchlab as sl"
WAIT = 60_000
#: Name and numbers of x and of y of all curves of a page.
LENGTHS = """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(graph => graph.data).filter(
    trace => trace.type !== 'heatmap'
).map(trace => [trace.name, ...[trace.x, trace.y].map(values => (values?._inputArray ?? values ?? []).length)])"""


def output(page, number=-1):
    """Return an explorer's place in the page."""
    return page.locator(".jp-OutputArea-output:has(.sketchlab-explorer)").nth(number)


def slider(page, label):
    return output(page).get_by_role("slider", name=f"{label}, slider", exact=True)


def drawn(page, curve):
    """Return how many points of a curve plotly has drawn, in the first graph that has it."""
    return next((trace["n"] for graph in traces(page) for trace in graph if trace["name"] == curve), None)


def until(page, condition, limit=WAIT):
    """Wait until a condition holds; fail with what the status line says if it does not."""
    for _ in range(limit // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"it never came to that: {page.locator('[role=status], [role=alert]').all_text_contents()}")


def press(page, name):
    output(page).get_by_role("button", name=name).first.click()


def says(page, text, number=-1):
    return text in output(page, number).locator("[role=status], [role=alert]").inner_text()


@contextmanager
def kernel_line(connection):
    """Yield a function that has a kernel without a page evaluate an expression."""
    client = BlockingKernelClient(connection_file=connection)
    client.load_connection_file()
    client.start_channels()

    def ask(expression):
        request = {"user_expressions": {"answer": expression}, "store_history": False, "output_hook": lambda message: None}
        reply = client.execute_interactive("", timeout=WAIT / 1000, **request)["content"]["user_expressions"]["answer"]
        return reply["data"]["text/plain"]

    try:
        yield ask
    finally:
        client.stop_channels()


def test_the_start_notebook_runs_whole_and_answers(lab, page):
    open_notebook(page, lab, "00_start_here.ipynb")
    assert run_all(page)
    assert page.locator(".jp-OutputArea-output [data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    until(page, lambda: drawn(page, "sketched") == 80)
    until(page, lambda: drawn(page, "loss") == 0)
    page.locator(".jp-OutputArea-output").get_by_role("button", name=re.compile("Run$")).first.click()
    until(page, lambda: (drawn(page, "loss") or 0) > 10)
    assert kernel_state(page, "training.error, spectrum.error") == "(None, None)"


def test_dragging_the_rank_redraws_the_spectrum(notebook):
    page = notebook(IMPORT, "e = sl.explore.spectrum()\ne")
    until(page, lambda: drawn(page, "sketched") == 80)
    before = output(page).locator(".js-plotly-plot").first.screenshot()
    handle = slider(page, "rank k")
    handle.focus()
    handle.press("ArrowRight")
    until(page, lambda: drawn(page, "sketched") == 81)
    place = handle.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(10):
        page.mouse.move(x + 3 * i, y)
        page.wait_for_timeout(30)
    page.mouse.up()
    until(page, lambda: drawn(page, "sketched") == int(kernel_state(page, "e.controls['rank'].value")) > 90)
    assert output(page).locator(".js-plotly-plot").first.screenshot() != before
    assert int(kernel_state(page, "len(e._errors)")) > 3


def test_a_number_box_and_a_click_on_an_eigenvalue(notebook):
    page = notebook(IMPORT, "e = sl.explore.spectrum(width=8, points=60)\ne")
    box = output(page).get_by_label("width", exact=True)
    box.fill("12")
    box.press("Enter")
    until(page, lambda: kernel_state(page, "e._found and e._found.network.width") == "12")
    assert says(page, "Effective dimension")
    plot = output(page).locator(".js-plotly-plot").first
    # Where the plot has the eigenvalue of index 5, from its own axes.
    place = plot.evaluate("""graph => {
        const {xaxis, yaxis} = graph._fullLayout, trace = graph.data[0], box = graph.getBoundingClientRect();
        const y = trace.y[4] ?? trace.y._inputArray[4];
        return [box.x + xaxis._offset + xaxis.l2p(5), box.y + yaxis._offset + yaxis.l2p(Math.log10(y))];
    }""")
    page.mouse.move(*place)
    page.wait_for_timeout(300)
    assert "λ5" in plot.locator(".hoverlayer").text_content()
    page.mouse.click(*place)
    until(page, lambda: kernel_state(page, "e.controls['eigenfunction'].value") == "5")


def test_run_pause_step_and_a_live_option(notebook):
    page = notebook(IMPORT, "e = sl.explore.training(steps=2000)\ne")
    press(page, "Run")
    until(page, lambda: (drawn(page, "loss") or 0) > 20)
    assert kernel_state(page, "e.state") == "'running'"
    # A rank set during the run is compiled beside it, and used from then on.
    box = output(page).get_by_label("rank k", exact=True)
    box.fill("40")
    box.press("Enter")
    until(page, lambda: kernel_state(page, "len(e.trainer.records[-1].eigenvalues)") == "40")
    press(page, "Pause")
    until(page, lambda: says(page, "paused"), 2000)
    steps = int(kernel_state(page, "len(e.trainer.records)"))
    page.wait_for_timeout(500)
    assert int(kernel_state(page, "len(e.trainer.records)")) <= steps + 1 < 2000
    press(page, "Step")
    until(page, lambda: says(page, f"step {steps + 1}") or says(page, f"step {steps + 2}"))
    width = output(page).get_by_label("width", exact=True)
    width.fill("12")
    width.press("Enter")
    until(page, lambda: says(page, "width applies on Reset"))
    press(page, "Reset")
    until(page, lambda: drawn(page, "loss") == 0)


def test_a_number_box_keeps_what_is_typed_and_says_what_it_moves(notebook):
    page = notebook(IMPORT, "e = sl.explore.training(width=8, points=60)\ne")
    box = output(page).get_by_label("width", exact=True)
    said = output(page).locator(".sketchlab-number").filter(has_text="width").locator("small")
    for typed, taken, note in (
        ("1e2", "100", ""),
        ("12.7", "13", "12.7 moved to 13"),
        ("1e9", "1024", "2 to 1024"),
        ("-5", "2", "2 to 1024"),
        ("many", "2", "“many” is no number: 2 stays"),
        ("", "2", "is no number"),
    ):
        box.click()
        box.fill("")
        box.press_sequentially(typed)
        assert box.input_value() == typed
        box.press("Enter")
        until(page, lambda taken=taken: kernel_state(page, "e.controls['width'].value") == taken, 5000)
        assert box.input_value() == taken
        assert note in said.text_content()
    assert slider(page, "width").get_attribute("aria-valuetext") == "2"
    box.press("ArrowUp")
    until(page, lambda: kernel_state(page, "e.controls['width'].value") == "3", 5000)
    # A slider announces the number at its place, not the place.
    press(page, "More")
    rate = slider(page, "momentum")
    rate.focus()
    rate.press("ArrowRight")
    assert 0.5 < float(rate.get_attribute("aria-valuetext")) < 0.52


def test_the_stop_button_pauses_and_a_restart_leaves_a_picture(notebook, lab, request):
    page = notebook(IMPORT, "e = sl.explore.training(steps=5000)\ne")
    still = page.locator(".sketchlab-left")
    assert still.count() == 1 and not still.is_visible()
    press(page, "Run")
    until(page, lambda: (drawn(page, "loss") or 0) > 5)
    page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    until(page, lambda: says(page, "paused"), 10_000)
    # What is left in the file shows the run, soon after it has paused.
    until(page, lambda: "loss" in still.text_content(), 15_000)
    restart_kernel(page)
    until(page, still.is_visible, 10_000)
    assert not output(page).is_visible() and "Run this cell to move it" in still.inner_text()
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(500)
    open_notebook(page, lab, f"{request.node.name}.ipynb")
    until(page, page.locator(".sketchlab-left img").is_visible, 10_000)
    assert not page.get_by_text("model not found").is_visible()


def test_a_prediction_answers_where_it_is_made_and_says_what_is_pressed(notebook):
    page = notebook(IMPORT, "g = sl.explore.predict('How many?', ['few', 'many'])\ng", "g.reveal('many', '7 are.')")
    few, many = (page.get_by_role("button", name=name, exact=True) for name in ("few", "many"))
    until(page, lambda: few.get_attribute("aria-pressed") == many.get_attribute("aria-pressed") == "false", 5000)
    few.click()
    until(page, lambda: (few.get_attribute("aria-pressed"), many.get_attribute("aria-pressed")) == ("true", "false"), 5000)
    page.locator(".widget-html-content", has_text="7 are. — you said “few”: why not?").wait_for(timeout=5000)
    assert page.evaluate("document.activeElement.textContent") == "few"


def test_the_page_draws_every_frame_before_the_next_is_sent(notebook):
    page = notebook(IMPORT, "e = sl.explore.training(steps=5000)\ne")
    press(page, "Run")
    until(page, lambda: (drawn(page, "loss") or 0) > 5)
    # A page that is busy for a while gets one frame meanwhile, not a hundred.
    before = int(kernel_state(page, "e._page.frame"))
    page.evaluate("() => { const end = performance.now() + 3000; while (performance.now() < end); }")
    assert int(kernel_state(page, "e._page.frame")) - before < 20
    press(page, "Pause")
    until(page, lambda: says(page, "paused"), 3000)
    until(page, lambda: kernel_state(page, "e._page.caught_up") == "True", 3000)


@pytest.mark.parametrize("name", sl.explore.EXPLORERS)
def test_an_explorer_is_on_one_screen_of_a_laptop(notebook, name):
    more = {"race": "budget=3, seeds=1"}.get(name, "")
    page = notebook(IMPORT, f"e = sl.explore.{name}({more})\ne")
    page.set_viewport_size({"width": 1366, "height": 768})
    page.evaluate("window.jupyterapp.shell.expandLeft()")
    if name == "race":
        press(page, "Run")
    until(page, lambda: output(page).locator(".js-plotly-plot").count() == int(kernel_state(page, "len(e.figures)")) > 0)
    output(page).evaluate("element => element.scrollIntoView()")
    page.wait_for_timeout(1000)
    bottom = page.locator(".jp-Notebook").last.bounding_box()
    for place in (".sketchlab-side", ".js-plotly-plot"):
        for one in output(page).locator(place).all():
            box = one.bounding_box()
            assert box["y"] + box["height"] <= bottom["y"] + bottom["height"] + 1, (place, box, bottom)
            assert box["x"] + box["width"] <= bottom["x"] + bottom["width"] + 1
    # Keys reach everything, and not much of it is in the way: what is folded away does not count.
    stops = output(page).evaluate("""element => [...element.querySelectorAll('button, input, select, textarea, [tabindex="0"]')]
        .filter(one => one.checkVisibility() && !one.disabled).length""")
    assert stops <= 18 if name == "race" else stops <= 15, stops
    assert all(label for label in output(page).locator(".js-plotly-plot").evaluate_all("all => all.map(g => g.ariaLabel)"))
    more = output(page).get_by_role("button", name="More", exact=True)
    for pressed in ("false", "true", "false"):
        until(page, lambda pressed=pressed: more.get_attribute("aria-pressed") == pressed, 3000)
        more.click()
    more.click()
    # On a narrow page everything stacks.
    page.set_viewport_size({"width": 480, "height": 900})
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    page.wait_for_timeout(700)
    side = output(page).locator(".sketchlab-side").bounding_box()
    assert output(page).locator(".js-plotly-plot").first.bounding_box()["y"] >= side["y"] + side["height"] - 1


def test_two_explorers_and_a_cell_run_again(notebook):
    page = notebook(IMPORT, "a = sl.explore.training(steps=5000)\na", "b = sl.explore.training(width=16, steps=5000)\nb")
    for number in (0, 1):
        output(page, number).get_by_role("button", name="Run").first.click()
    until(page, lambda: int(kernel_state(page, "min(len(e.trainer.records) if e.trainer else 0 for e in (a, b))")) > 20)
    output(page, 0).get_by_role("button", name="Pause").click()
    until(page, lambda: kernel_state(page, "a.state, b.state") == "('paused', 'running')", 5000)
    before = int(kernel_state(page, "old = b; from ipywidgets.widgets.widget import _instances; len(_instances)"))
    page.locator(".jp-CodeCell").nth(2).click()
    assert run_cell(page)
    assert kernel_state(page, "old.state, old._background.running, b is old, a.state") == "('closed', False, False, 'paused')"
    assert int(kernel_state(page, "len(_instances)")) == before
    assert kernel_state(page, "str(old.trainer)") == "'None'"


def test_a_kernel_that_dies_during_a_run(notebook):
    page = notebook(IMPORT, "e = sl.explore.training(width=16, steps=5000)\ne")
    press(page, "Run")
    until(page, lambda: (drawn(page, "loss") or 0) > 5)
    restart_kernel(page)
    assert run_all(page)
    until(page, lambda: drawn(page, "loss") == 0)
    press(page, "Run")
    until(page, lambda: (drawn(page, "loss") or 0) > 5)
    assert kernel_state(page, "str(e.error)") == "'None'"


def test_closing_the_tab_leaves_no_task_behind(notebook):
    page = notebook(IMPORT, "e = sl.explore.training(width=32, steps=5000)\ne")
    until(page, lambda: kernel_state(page, "e._page._deadline < float('inf')") == "True")
    press(page, "Run")
    until(page, lambda: (drawn(page, "loss") or 0) > 5)
    # Another page would be somebody who looks: what is left is asked over the kernel's own line.
    with kernel_line(ast.literal_eval(kernel_state(page, "__import__('ipykernel').get_connection_file()"))) as ask:
        page.close()
        deadline = time.monotonic() + 45
        while ask("e._background.running") == "True":
            assert time.monotonic() < deadline, f"still running after step {ask('len(e.trainer.records)')}"
            time.sleep(0.5)
        assert 5 < int(ask("len(e.trainer.records)")) < 5000


def test_a_page_that_is_loaded_again_shows_the_figures(notebook, lab, request):
    # Moved before it is shown: a page learns of a figure by its changes.
    page = notebook(IMPORT, "e = sl.explore.spectrum(width=16)\ne.set(rank=30)\ne.set(rank=20)\ne")
    until(page, lambda: drawn(page, "sketched") == 20)
    first = page.evaluate(LENGTHS)
    assert all(x == y > 0 for name, x, y in first if name not in ("seen so far", "memory")), first
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    open_notebook(page, lab, f"{request.node.name}.ipynb")
    until(page, lambda: drawn(page, "sketched") == 20)
    assert page.evaluate(LENGTHS) == first


def test_settings_are_copied(notebook):
    page = notebook(IMPORT, "e = sl.explore.decay()\ne")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    until(page, lambda: (drawn(page, "measured") or 0) > 40)
    handle = slider(page, "weight scale")
    handle.focus()
    handle.press("ArrowRight")
    until(page, lambda: kernel_state(page, "e.controls['scale'].value") != "1.0")
    # The kernel knows of it first, then the page.
    until(page, lambda: ast.literal_eval(kernel_state(page, "e.code")) in output(page).inner_text())
    press(page, "More")
    press(page, "Copy settings")
    until(page, lambda: output(page).get_by_role("button", name="Copied").count() == 1)
    assert repr(page.evaluate("navigator.clipboard.readText()")) == kernel_state(page, "e.code")


def test_a_link_opens_the_explorer_as_it_was(notebook, lab, request):
    page = notebook(IMPORT, "e = sl.explore.decay(scale=2.0)\ne")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    until(page, lambda: (drawn(page, "measured") or 0) > 40)
    press(page, "More")
    press(page, "Copy link")
    until(page, lambda: output(page).get_by_role("button", name="Copied").count() == 1)
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(lab) and "#sketchlab=" in link and "token" not in link
    assert kernel_state(page, "e.set(scale=1.0); e.settings['scale']") == "1.0"
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    until(page, lambda: page.locator(".sketchlab-explorer").count() == 1)
    until(page, lambda: kernel_state(page, "e.settings['scale']") == "2.0")


def test_a_race_fills_its_table(notebook):
    page = notebook(IMPORT, "e = sl.explore.race(budget=40, seeds=2)\ne")
    press(page, "Run")
    until(page, lambda: says(page, "Finished"), 2 * WAIT)
    assert output(page).locator("table tr").count() == 5
    assert drawn(page, "engd()") == 40


def test_a_mistake_in_an_equation_is_said_below_it(notebook):
    page = notebook(IMPORT, "e = sl.explore.equation(width=16, points=200)\ne")
    text = output(page).locator("textarea")
    good = text.input_value()
    text.fill(good.replace("u(x) ** 3", "v(x)"))
    text.press("Tab")
    until(page, lambda: says(page, "line 3") and says(page, "name 'v' is not defined"))
    text.fill(good)
    text.press("Tab")
    until(page, lambda: says(page, "Press Run"))
    press(page, "Run")
    until(page, lambda: says(page, "idle · step 150"), 2 * WAIT)
    assert kernel_state(page, "str(e.error)") == "'None'" and drawn(page, "loss") == 150


def test_scaling_measures_while_the_page_answers(notebook):
    page = notebook(IMPORT, "e = sl.explore.scaling(largest_width=16)\ne")
    press(page, "Run")
    until(page, lambda: (drawn(page, "sketched") or 0) >= 1, 2 * WAIT)
    assert kernel_state(page, "e.state") == "'running'"
    until(page, lambda: kernel_state(page, "e._background.running") == "False", 10 * WAIT)
    assert kernel_state(page, "e.error, e.work.unfinished") == "(None, False)"

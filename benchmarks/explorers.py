"""Measure how explorers answer the hand, in a real Chromium: python -m benchmarks.explorers.

Prints a table, and writes it to benchmarks/results/explorers.md. Two shared cores carry the kernel, JupyterLab and the browser.
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from benchmarks.browser import (
    CHROMIUM,
    chromium_page,
    jupyterlab,
    kernel_state,
    open_notebook,
    restart_kernel,
    run_all,
    shut_down_kernels,
)
from benchmarks.machine import describe, sentence
from benchmarks.records import speed
from sketchlab.explore import EXPLORERS

OUT = Path(__file__).parent / "results" / "explorers.md"

#: Remembers when plotly has drawn which graph.
WATCH = """() => {
    window.drawn = [];
    document.querySelectorAll('.js-plotly-plot').forEach((graph, i) => {
        graph.on('plotly_afterplot', () => window.drawn.push([i, performance.now()]));
    });
}"""
#: A curve of this name has so many points; a title has these words; milliseconds from the last key to the last picture.
DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].some(graph => (graph.data || []).some(
    trace => trace.name === '{name}' && (trace.x?.length ?? trace.x?._inputArray?.length ?? 0) >= {count}))"""
TITLED = """() => [...document.querySelectorAll('.js-plotly-plot')].some(
    graph => (graph.layout.title.text || '').includes('{}'))"""
LAST_DRAWN = "() => Math.max(...window.drawn.map(([, time]) => time)) - window.pressed"
REMEMBER_PRESS = """() => ['keydown', 'pointerdown', 'change'].forEach(kind =>
    document.addEventListener(kind, () => { window.pressed = performance.now(); }, true))"""

UNTIL_STATE = """([state, limit]) => new Promise((resolve, reject) => {
    const start = window.pressed;
    const look = () => {
        const said = [...document.querySelectorAll('[role=status]')].map(line => line.textContent);
        if (said.some(text => text.startsWith(state))) resolve(performance.now() - start);
        else if (performance.now() - start > limit) reject(new Error('never ' + state + ': ' + said));
        else setTimeout(look, 5);
    };
    look();
})"""
#: Lets the kernel measure its own frames.
MEASURE_FRAMES = """
import time
_frames = []
def _measured(draw):
    def timed(more):
        start = time.thread_time(); draw(more); spent = 1e3 * (time.thread_time() - start)
        if spent > 0.2: _frames.append(spent)
    return timed
e._draw = _measured(e._draw)
"""


def notebook(path, *cells):
    """Write a notebook of code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(book, path)


def control(page, label):
    """Return the box and the slider of a control."""
    shown = page.locator(".sketchlab-explorer").last
    return shown.get_by_label(label, exact=True), shown.get_by_role("slider", name=f"{label}, slider", exact=True)


def first_picture(page, address):
    """Return the seconds from Run All on a fresh kernel until the eigenvalues are drawn."""
    restart_kernel(page)
    # A page that has seen no explorer yet.
    open_notebook(page, address, "spectrum.ipynb")
    start = time.perf_counter()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_function(DRAWN.format(name="all", count=1), timeout=60_000)
    return time.perf_counter() - start


def rank_answers(page, steps=15):
    """Return the milliseconds on screen, from the key to the last of the three pictures that change, and in the kernel."""
    _, handle = control(page, "rank k")
    handle.focus()
    page.evaluate(WATCH)
    shown = []
    for _ in range(steps):
        page.evaluate("() => { window.drawn = []; }")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => new Set(window.drawn.map(([graph]) => graph)).size === 3", timeout=20_000)
        page.wait_for_timeout(500)
        drawn = page.evaluate("() => window.drawn.map(([graph, time]) => [graph, time - window.pressed])")
        shown.append(max(time for _, time in drawn))
    code = f"""
import time, json
spent = []
for rank in range(60, {60 + 2 * steps}):
    start = time.perf_counter(); e.set(rank=rank); spent.append(1e3 * (time.perf_counter() - start))
print(json.dumps(spent))"""
    return shown, json.loads(kernel_state(page, code))


def width_answers(page, widths, rounds=3):
    """Return the milliseconds on screen of widths that are new, and of the same again."""
    box, _ = control(page, "width")
    page.evaluate(WATCH)
    new, seen = [], []
    for number in range(rounds + 1):
        for width in widths:
            size = int(kernel_state(page, f"__import__('sketchlab').MLP(2, {width}, 2).size"))
            box.fill(str(width))
            box.press("Enter")
            page.wait_for_function(TITLED.format(f"P = {size:,},"), timeout=60_000)
            # The other pictures follow: the last of them counts.
            page.wait_for_timeout(700)
            (seen if number else new).append(page.evaluate(LAST_DRAWN))
    return new, seen


def training_answers(page):
    """Return frames and steps a second of a run, kernel ms of a frame, ms until Pause is shown, and steps after it."""
    output = page.locator(".sketchlab-explorer").last
    kernel_state(page, MEASURE_FRAMES)
    kernel_state(page, "e.set(steps=5000)")
    output.get_by_role("button", name="Run").first.click()
    page.wait_for_function(DRAWN.format(name="loss", count=20), timeout=60_000)
    page.evaluate(WATCH)
    before, begin = int(kernel_state(page, "len(e.trainer.records)")), time.perf_counter()
    page.wait_for_timeout(5000)
    drawn = page.evaluate("() => window.drawn")
    taken = (int(kernel_state(page, "len(e.trainer.records)")) - before) / (time.perf_counter() - begin)
    graphs = {i for i, _ in drawn}
    counts = {i: [t for j, t in drawn if j == i] for i in graphs}
    most = max(counts.values(), key=len)
    frames = (len(most) - 1) / ((most[-1] - most[0]) / 1e3)
    output.get_by_role("button", name="Pause").click()
    paused = page.evaluate(UNTIL_STATE, ["paused", 10_000])
    steps = int(kernel_state(page, "len(e.trainer.records)"))
    page.wait_for_timeout(500)
    still = int(kernel_state(page, "len(e.trainer.records)")) - steps
    cost = json.loads(kernel_state(page, "import json; print(json.dumps(_frames))"))
    return frames, taken, cost, paused, still


#: What is typed into boxes: whatever a control does not take is moved into its limits, and said.
TYPED = ("1", "2", "3", "5", "8", "13", "21", "34", "55", "0.1", "1e-3", "-4", "1e9", "seven", "")
#: Names that a number must not have: networks of a million parameters would measure the machine.
LARGE = ("width", "points", "points N", "largest width", "neurons")
#: Lets the kernel remember what was not said in words.
NOTE_ERRORS = """
from sketchlab.explore.explorer import Explorer
from sketchlab.validation import InputError
_errors, _fail = [], Explorer._fail
def _noted(self, error):
    if not isinstance(error, InputError): _errors.append(repr(error))
    _fail(self, error)
Explorer._fail = _noted
"""
MEMORY = "__import__('psutil').Process().memory_info().rss / 1e6"


def soak(page, minutes, seed=0):
    """Move controls and press buttons of all explorers at random; return moves, errors, and MB of the kernel once a minute."""
    chance, memory, moves = random.Random(seed), [], 0
    names = list(EXPLORERS)
    for number in range(len(names)):
        page.locator(".sketchlab-explorer").nth(number).get_by_role("button", name="More", exact=True).click()
    begin = time.monotonic()
    while time.monotonic() - begin < 60 * minutes:
        shown = page.locator(".sketchlab-explorer").nth(chance.randrange(len(names)))
        kind = chance.choice(
            ("input[type=text]", "input[type=range]", "select", ".sketchlab-buttons:first-of-type button", "button")
        )
        places = [place for place in shown.locator(kind).all() if place.is_visible() and place.is_enabled()]
        if places:
            moves += _move(page, chance.choice(places), kind, chance)
        page.wait_for_timeout(chance.choice((0, 50, 300)))
        if time.monotonic() - begin >= 60 * len(memory):
            memory.append(float(kernel_state(page, MEMORY)))
    for name in names:
        kernel_state(page, f"{name}._background.pause()")
    return moves, json.loads(kernel_state(page, "import json; print(json.dumps(_errors))")), memory


def _move(page, place, kind, chance):
    """Do something to one control, as a hand would; return whether it was done."""
    label = place.get_attribute("aria-label") or ""
    if kind == "select":
        place.select_option(index=chance.randrange(place.locator("option").count()))
    elif kind == "input[type=range]":
        place.focus()
        page.keyboard.press(chance.choice(("ArrowLeft", "ArrowRight")))
    elif kind == "input[type=text]":
        typed = chance.choice(TYPED)
        if typed == "1e9" and label in LARGE:
            return False
        place.fill(typed)
        place.press("Enter")
    elif (place.text_content() or "").startswith(("Save", "Copy", "More", "Verify")):
        return False
    else:
        place.click()
    return True


@contextlib.contextmanager
def busy(count=2):
    """Keep so many processes busy meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()


def main() -> None:
    """Measure everything, print and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explorers", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="of random moves of all explorers")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if CHROMIUM is None:
        parser.error("this needs Chromium: apt-get install chromium")
    rows = []
    head = f"# Explorers in Chromium\n\n{sentence(describe())}; matrix products at {speed():.0f} GFLOP/s before\n\n"

    def row(what, target, value):
        rows.append(f"| {what} | {target} | {value} |")
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        folder = scratch / "notebooks"
        folder.mkdir()
        for name in ("spectrum", "training"):
            notebook(folder / f"{name}.ipynb", "import sketchlab as sl", f"e = sl.explore.{name}()\ne")
        begin = f"import sketchlab as sl\n{NOTE_ERRORS}"
        notebook(folder / "all.ipynb", begin, *(f"{name} = sl.explore.{name}()\n{name}" for name in EXPLORERS))
        for kept in ("off", "on"):
            environment = {"SKETCHLAB_CACHE": kept, "XDG_CACHE_HOME": str(scratch / "cache")}
            with jupyterlab(folder, scratch / kept, environment) as address, chromium_page() as page:
                open_notebook(page, address, "spectrum.ipynb")
                run_all(page)
                times = [first_picture(page, address) for _ in range(options.repeats)]
                label, asked = ("nothing compiled", "4 s") if kept == "off" else ("compiled functions", "3 s")
                row(f"first picture after Run All, cold kernel, {label} kept on disk", asked, _seconds(times))
                if kept == "off":
                    page.evaluate(REMEMBER_PRESS)
                    page.wait_for_timeout(1500)
                    shown, inside = rank_answers(page)
                    row("rank slider to picture, in the kernel", "50 ms", _milliseconds(inside))
                    row("rank slider to picture, on screen", "120 ms", _milliseconds(shown))
                    new, seen = width_answers(page, (24, 40, 48, 20))
                    row("width to picture, first time, compilation in it", "0.8 s", _milliseconds(new))
                    row("width to picture, seen before", "0.2 s", _milliseconds(seen))
                    open_notebook(page, address, "training.ipynb")
                    run_all(page)
                    page.evaluate(REMEMBER_PRESS)
                    frames, steps, cost, paused, still = training_answers(page)
                    row("frames a second while training P = 1,185", "25", f"{frames:.0f}, with {steps:.0f} steps")
                    row("kernel CPU of a frame", "5 ms", _milliseconds(cost))
                    row("Pause, click to shown; steps after it", "300 ms; 0", f"{paused:.0f} ms; {still}")
                    shut_down_kernels(address)
                    with busy():
                        open_notebook(page, address, "spectrum.ipynb")
                        run_all(page)
                        row("first picture beside two busy processes", "12 s", _seconds([first_picture(page, address)]))
                        shut_down_kernels(address)
                        open_notebook(page, address, "training.ipynb")
                        run_all(page)
                        page.evaluate(REMEMBER_PRESS)
                        _, steps, _, paused, still = training_answers(page)
                        row("steps a second beside them; Pause, click to shown", "10; 500 ms", f"{steps:.0f}; {paused:.0f} ms")
                    shut_down_kernels(address)
                    open_notebook(page, address, "all.ipynb")
                    run_all(page)
                    moves, errors, memory = soak(page, options.minutes)
                    row(
                        f"errors in {moves} random moves of all explorers, {options.minutes:g} minutes",
                        "0",
                        "; ".join(errors) or "0",
                    )
                    early, late = memory[min(2, len(memory) - 1)], memory[-1]
                    row(
                        "kernel memory meanwhile, after two minutes to the end",
                        "± 5 %",
                        f"{early:.0f} to {late:.0f} MB, {late / early - 1:+.1%}",
                    )
                    shut_down_kernels(address)
    OUT.write_text(head + "| what | asked | seen, median (worst) |\n|---|---|---|\n" + "\n".join(rows) + "\n")


def _seconds(times):
    return f"{statistics.median(times):.1f} s ({max(times):.1f})"


def _milliseconds(times):
    middle, worst = statistics.median(times), max(times)
    return f"{middle:.1f} ms ({worst:.1f})" if middle < 10 else f"{middle:.0f} ms ({worst:.0f})"


if __name__ == "__main__":
    main()

"""Photograph every explorer for docs/explorers.md: ``python docs/make_screens.py [NAME …]``.

Once by itself, and at four sizes in light and dark pages. Three sizes are of JupyterLab with its file list open, the fourth is a
telephone that looks at a page of Voila. It takes ten minutes, and needs the extras ``sketchlab[lab,app,browser]`` and Chromium.
"""

import io
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.browser import await_answer, chromium_page, free_port, jupyterlab, open_notebook, run_all, shut_down_kernels, stop
from benchmarks.explorers import notebook
from sketchlab.explore import EXPLORERS

FOLDER = Path(__file__).parent / "figures"
#: Widths and heights of JupyterLab's window, and of a telephone's.
DESKS, PHONE = ((1024, 768), (1366, 768), (1920, 1080)), (390, 844)
#: Height of a photograph on the sheet, space between two, and how many colours are enough.
HEIGHT, GAP, COLOURS = 480, 12, 256
#: Pieces of work that are done in a picture, of the explorers that run: to the middle of it.
PIECES = {"training": 25, "equation": 25, "race": 160, "scaling": 15}
#: Milliseconds after which all is drawn.
DRAWN = 4000


def cells(name):
    """Return a notebook's cells that show an explorer."""
    begun = f".run_sync({PIECES[name]})" if name in PIECES else ""
    return "import sketchlab as sl", f"e = sl.explore.{name}(){begun}\ne"


def photograph(page):
    """Return what the window shows."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(DRAWN)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def at_desks(folder, name):
    """Yield the sizes of JupyterLab, light ones and dark ones."""
    with jupyterlab(folder, folder / "scratch") as address, chromium_page(DESKS[1]) as page:
        open_notebook(page, address, f"{name}.ipynb")
        page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:activate')")
        if not run_all(page):
            raise RuntimeError(f"the cells of {name} failed")
        page.wait_for_selector(".sketchlab-explorer .js-plotly-plot", timeout=60_000)
        for theme in ("Light", "Dark"):
            page.evaluate(f"() => window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
            for width, height in DESKS:
                page.set_viewport_size({"width": width, "height": height})
                explorer = page.locator(".sketchlab-explorer")
                explorer.evaluate("explorer => explorer.scrollIntoView()")
                yield photograph(page)
                if (theme, width) == ("Light", DESKS[1][0]):
                    explorer.screenshot(path=FOLDER / f"explorer-{name}.png")
        shut_down_kernels(address)


@contextmanager
def voila(path, theme):
    """Serve a notebook by Voila; yields its address."""
    port, log = free_port(), path.with_suffix(".log")
    options = [f"--port={port}", "--no-browser", "--Voila.ip=127.0.0.1", f"--theme={theme}"]
    with open(log, "wb") as sink:
        server = subprocess.Popen([sys.executable, "-m", "voila", str(path), *options], stdout=sink, stderr=sink)
    try:
        await_answer(f"http://127.0.0.1:{port}/voila/static/voila.js", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def on_the_phone(folder, name):
    """Yield a light page and a dark one."""
    for theme in ("light", "dark"):
        with voila(folder / f"{name}.ipynb", theme) as address, chromium_page(PHONE) as page:
            page.goto(address)
            page.wait_for_selector(".sketchlab-explorer .js-plotly-plot", timeout=90_000)
            yield photograph(page)


def sheet(rows):
    """Lay photographs out in rows."""
    rows = [
        [shot.resize((round(shot.width * HEIGHT / shot.height), HEIGHT), Image.Resampling.LANCZOS) for shot in row]
        for row in rows
    ]
    width = max(sum(shot.width + GAP for shot in row) - GAP for row in rows)
    whole = Image.new("RGB", (width, len(rows) * (HEIGHT + GAP) - GAP), "white")
    for i, row in enumerate(rows):
        x = 0
        for shot in row:
            whole.paste(shot, (x, i * (HEIGHT + GAP)))
            x += shot.width + GAP
    return whole.quantize(COLOURS)


def main():
    """Make the sheets of the explorers that are named, or of all."""
    for name in sys.argv[1:] or EXPLORERS:
        with tempfile.TemporaryDirectory() as folder:
            notebook(Path(folder) / f"{name}.ipynb", *cells(name))
            desks, phones = list(at_desks(Path(folder), name)), list(on_the_phone(Path(folder), name))
        light, dark = desks[: len(DESKS)], desks[len(DESKS) :]
        sheet([[*light, phones[0]], [*dark, phones[1]]]).save(FOLDER / f"screens-{name}.png", optimize=True)
        print(f"explorer-{name}.png, screens-{name}.png", flush=True)


if __name__ == "__main__":
    main()

"""The start notebook in a real browser: Run is pressed, the curves are seen moving.

Set SKETCHLAB_SCREENSHOT to a file name to keep the picture that the README shows.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs the browser extra")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
READY = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = app.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
}"""
#: Number of points of the loss curve that plotly has drawn.
DRAWN = """() => {
    const plots = [...document.querySelectorAll('.jp-OutputArea-output .js-plotly-plot')];
    const curves = plots.flatMap(plot => plot.data || []).filter(trace => trace.name === 'loss');
    const length = x => x ? (x.length ?? x._inputArray?.length ?? 0) : 0;
    return curves.length ? length(curves[0].x) : -1;
}"""


@pytest.fixture
def lab(tmp_path):
    """Serve a copy of the start notebook from a JupyterLab with settings of its own; yields its address and token."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(NOTEBOOKS / "00_start_here.ipynb", work)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folders = "JUPYTER_CONFIG_DIR JUPYTERLAB_WORKSPACES_DIR JUPYTERLAB_SETTINGS_DIR JUPYTER_RUNTIME_DIR IPYTHONDIR".split()
    environment = os.environ | {name: str(tmp_path / name.lower()) for name in folders}
    settings = tmp_path / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=secret",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        f"--ServerApp.root_dir={work}",
    ]
    with open(tmp_path / "server.log", "wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _answers(f"{address}/api/status?token=secret"):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except urllib.error.URLError:
        return False


def test_run_moves_the_curves_and_a_slider_resets_them(lab):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1360, "height": 1180})
        page.goto(f"{lab}/lab/tree/00_start_here.ipynb?reset&token=secret")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.evaluate(READY)
        page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        for _ in range(3):
            page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')")
        output = page.locator(".jp-OutputArea-output").first
        run = output.get_by_role("button", name="Run")
        run.wait_for(timeout=90_000)
        page.wait_for_function(f"({DRAWN})() === 0", timeout=60_000)

        run.click()
        page.wait_for_function(f"({DRAWN})() > 3", timeout=90_000)
        early = page.evaluate(DRAWN)
        page.wait_for_function(f"({DRAWN})() > {early}", timeout=60_000)

        picture = os.environ.get("SKETCHLAB_SCREENSHOT")
        if picture:
            page.wait_for_function(f"({DRAWN})() >= 100", timeout=90_000)
            output.scroll_into_view_if_needed()
            output.screenshot(path=picture)

        output.get_by_role("button", name="Pause").click()
        slider = output.get_by_role("slider").nth(2)
        slider.focus()
        slider.press("ArrowRight")
        page.wait_for_function(f"({DRAWN})() === 0", timeout=60_000)
        browser.close()

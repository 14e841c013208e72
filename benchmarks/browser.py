"""A notebook in a real browser: a JupyterLab of its own, a Chromium page, and what is asked of the two.

The browser tests and the latency benchmark share it. It needs the extras ``sketchlab[lab,browser]`` and Chromium.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

#: The browser, None where there is none.
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
#: Seconds until the server answers, until it has stopped, and until the page shows a notebook.
START, STOP, OPEN = 60, 30, 60

_TOKEN = secrets.token_hex(16)
_FOLDERS = (
    "JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_RUNTIME_DIR "
    "JUPYTERLAB_SETTINGS_DIR JUPYTERLAB_WORKSPACES_DIR IPYTHONDIR MPLCONFIGDIR"
)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

_READY = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = app.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    app.shell.collapseLeft();
}"""
_COMMAND = "command => window.jupyterapp.commands.execute(command)"
# The empty request is answered once the new kernel is up and idle.
_RESTART = """async () => {
    const context = window.jupyterapp.shell.currentWidget.sessionContext;
    await context.restartKernel();
    await context.session.kernel.requestExecute({code: '', silent: true}).done;
}"""
_ASK = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const request = {code, silent: false, store_history: false, allow_stdin: false, stop_on_error: false};
    const future = kernel.requestExecute(request);
    let text = '';
    future.onIOPub = ({header, content}) => {
        if (header.msg_type === 'stream') text += content.text;
        if (header.msg_type === 'execute_result') text += content.data['text/plain'];
    };
    const {content} = await future.done;
    if (content.status === 'ok') return [true, text];
    return [false, (content.traceback ?? [content.status]).join('\\n')];
}"""
# Plotly keeps an array that came as bytes inside an object.
_TRACES = """() => {
    const array = values => values?._inputArray ?? values ?? [];
    const last = values => {
        const value = values[values.length - 1] ?? null;
        return typeof value === 'bigint' ? Number(value) : value;
    };
    const describe = trace => {
        const x = array(trace.x), y = array(trace.y);
        return {name: trace.name ?? null, n: y.length || x.length, last: last(y), visible: trace.visible ?? true};
    };
    return [...document.querySelectorAll('.js-plotly-plot')].map(graph => (graph.data ?? []).map(describe));
}"""


@contextmanager
def jupyterlab(folder: Path, scratch: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve a folder from a JupyterLab that knows nothing of the user's settings; it and its kernels end with the context.

    Parameters
    ----------
    folder : Path
        Where the notebooks are. JupyterLab saves into it: give it a copy.
    scratch : Path
        For the settings and the server's log; may be new, but must not be in use by another server.
    environment : mapping, optional
        More variables for the server and its kernels.

    Yields
    ------
    str
        The address, for `open_notebook`.

    Raises
    ------
    RuntimeError
        If the server does not answer, with its log.
    """
    scratch = Path(scratch).resolve()
    folders = {name: str(scratch / name.lower()) for name in _FOLDERS.split()}
    settings = Path(folders["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    port = free_port()
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={Path(folder).resolve()}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]
    variables = {**os.environ, **folders, "JUPYTER_TOKEN": _TOKEN, **(environment or {})}
    log = scratch / "server.log"
    with open(log, "wb") as sink:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=variables, stdout=sink, stderr=sink)
    try:
        address = f"http://127.0.0.1:{port}"
        await_answer(f"{address}/api/status?token={_TOKEN}", server, log)
        yield address
    finally:
        stop(server)


@contextmanager
def chromium_page(size: tuple[int, int] = (1360, 1180)) -> Iterator:
    """Open a page of a new Chromium.

    Parameters
    ----------
    size : (int, int)
        Width and height of the page, in pixels.

    Yields
    ------
    playwright.sync_api.Page
    """
    from playwright.sync_api import sync_playwright

    width, height = size
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def open_notebook(page, address: str, name: str) -> None:
    """Open a notebook, wait until its kernel is ready, and hide the left sidebar.

    Parameters
    ----------
    page : playwright.sync_api.Page
    address : str
        Of `jupyterlab`.
    name : str
        Path of the notebook inside the folder that is served.
    """
    page.goto(f"{address}/lab/tree/{urllib.parse.quote(name)}?reset&token={_TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=OPEN * 1000)
    page.evaluate(_READY)


def run_all(page) -> bool:
    """Run all cells, wait for the last one, and return whether none raised."""
    return page.evaluate(_COMMAND, "notebook:run-all-cells")


def run_cell(page) -> bool:
    """Run the selected cell, wait for it, go on to the next, and return whether it did not raise."""
    return page.evaluate(_COMMAND, "notebook:run-cell-and-select-next")


def restart_kernel(page) -> None:
    """Restart the notebook's kernel, without being asked whether one is sure, and wait until it is idle."""
    page.evaluate(_RESTART)


def shut_down_kernels(address: str) -> None:
    """End all kernels of a `jupyterlab`: closing a page leaves its kernel there, and what it computes."""
    kernels = f"{address}/api/kernels"
    with urllib.request.urlopen(f"{kernels}?token={_TOKEN}") as answer:
        running = [kernel["id"] for kernel in json.load(answer)]
    for name in running:
        urllib.request.urlopen(urllib.request.Request(f"{kernels}/{name}?token={_TOKEN}", method="DELETE")).close()


def kernel_state(page, code: str) -> str:
    """Return what code prints in the notebook's kernel and the representation of its last expression.

    It waits for its turn if a cell is running; the notebook does not change.

    Parameters
    ----------
    page : playwright.sync_api.Page
    code : str

    Returns
    -------
    str

    Raises
    ------
    RuntimeError
        If the code raises, with the kernel's traceback.
    """
    fine, text = page.evaluate(_ASK, code)
    if not fine:
        raise RuntimeError(_ANSI.sub("", text))
    return text


def traces(page) -> list[list[dict]]:
    """Return what plotly has drawn: for every graph on the page, in the page's order, its traces.

    Returns
    -------
    list of list of dict
        Of each trace ``name``, ``n`` (points), ``last`` (the last y, None if there is none) and ``visible`` (True, False or
        "legendonly").
    """
    return page.evaluate(_TRACES)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_answer(address: str, server: subprocess.Popen, log: Path) -> None:
    """Wait until a server that was started answers at an address; raise RuntimeError with its log if it does not."""
    deadline = time.monotonic() + START
    while not _answers(address):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server does not answer. Its log:\n{log.read_text()}")
        time.sleep(0.2)


def stop(server: subprocess.Popen) -> None:
    """Terminate a server and whatever it started; kill what is still there after a while."""
    try:
        family = psutil.Process(server.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    server.terminate()
    try:
        server.wait(STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for process in psutil.wait_procs(family, timeout=5)[1]:
        process.kill()


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False

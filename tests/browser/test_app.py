"""The start notebook as a page, by Voila."""

import subprocess
import sys

import pytest

from benchmarks.browser import await_answer, free_port, stop, traces

pytest.importorskip("voila", reason="needs voila: pip install -e '.[app]'")


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Serve the page; yields its address."""
    monkeypatch.setenv("SKETCHLAB_FAST", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    port, log = free_port(), tmp_path / "log"
    options = [f"--port={port}", "--no-browser", "--Voila.ip=127.0.0.1"]
    with open(log, "wb") as sink:
        server = subprocess.Popen([sys.executable, "-m", "sketchlab", "app", "--", *options], stdout=sink, stderr=sink)
    try:
        # A file of Voila's own: the page itself would start a kernel.
        await_answer(f"http://127.0.0.1:{port}/voila/static/voila.js", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def test_the_start_notebook_is_a_page_that_answers(app, page):
    page.goto(app)
    page.wait_for_selector(".js-plotly-plot", timeout=90_000)
    run = page.get_by_role("button", name="Run").first
    run.wait_for(timeout=60_000)
    assert page.get_by_text("import sketchlab").count() == 0
    run.click()

    def drawn():
        return [trace["n"] for graph in traces(page) for trace in graph if trace["name"] == "loss"]

    for _ in range(600):
        if max(drawn(), default=0) > 5:
            break
        page.wait_for_timeout(100)
    assert max(drawn()) > 5

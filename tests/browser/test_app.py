"""The page without code, by Voila."""

import subprocess
import sys

import numpy as np
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
        command = [sys.executable, "-m", "sketchlab", "app", "--", *options]
        server = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=tmp_path)
    try:
        # A file of Voila's own: the page itself would start a kernel.
        await_answer(f"http://127.0.0.1:{port}/voila/static/voila.js", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def test_the_page_answers_and_gives_files_to_its_visitor(app, page, tmp_path):
    page.goto(app)
    page.wait_for_selector(".js-plotly-plot", timeout=90_000)
    run = page.get_by_role("button", name="Run").first
    run.wait_for(timeout=60_000)
    run.click()

    def drawn():
        return [trace["n"] for graph in traces(page) for trace in graph if trace["name"] == "loss"]

    for _ in range(600):
        if max(drawn(), default=0) > 5:
            break
        page.wait_for_timeout(100)
    assert max(drawn()) > 5

    # A prediction answers at once: its experiment is done when the next panel is there.
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 10", timeout=120_000)
    page.get_by_role("button", name="about 20", exact=True).click()
    page.get_by_text("directions are more important").wait_for(timeout=5000)
    # A page without code speaks of none.
    said = page.locator("body").inner_text()
    assert not [words for words in ("this cell", "sl.explore", "import ", "Traceback") if words in said]

    page.get_by_role("button", name="More", exact=True).first.click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save run").first.click()
    assert np.load(waiting.value.path())["theta"].ndim == 1
    # The server runs in a folder of its own, and nothing is left there.
    assert not list(tmp_path.glob("**/training-*"))

"""What axe-core finds in the explorers, in JupyterLab's light theme and in its dark one."""

import pytest
from test_hands import IMPORT, until

import sketchlab as sl

sync = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[browser]'")


def test_axe_finds_nothing_serious(notebook):
    page = notebook(IMPORT, *(f"{name} = sl.explore.{name}()\n{name}" for name in sl.explore.EXPLORERS))
    until(page, lambda: page.locator(".sketchlab-explorer").count() == len(sl.explore.EXPLORERS))
    # All controls.
    for more in page.locator(".sketchlab-explorer").get_by_role("button", name="More", exact=True).all():
        more.click()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        until(page, lambda theme=theme: page.evaluate("document.body.dataset.jpThemeName") == theme)
        page.wait_for_timeout(1500)
        found = sync.Axe().run(page, ".sketchlab-explorer").response["violations"]
        found = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not found, (theme, [(one["id"], node["html"][:200]) for one in found for node in one["nodes"]])

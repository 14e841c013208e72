"""The folder in which people work on the notebooks, and how JupyterLab is opened there."""

import json
from pathlib import Path

import pytest

from sketchlab import InputError, lab


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_people_work_on_copies_without_solutions(here):
    copy = lab.working_copy()
    came = {path.name for path in lab.notebooks().iterdir() if path.is_file()}
    assert copy == here / lab.WORK and {path.name for path in copy.iterdir()} == came
    assert {"00_start_here.ipynb", "million.json", "GLOSSARY.md"} <= came and "solutions" not in came


def test_what_was_worked_on_is_left_alone_and_what_is_missing_comes_back(here):
    copy = lab.working_copy()
    (copy / lab.START).write_text("mine")
    (copy / "GLOSSARY.md").unlink()
    lab.working_copy()
    assert (copy / lab.START).read_text() == "mine" and (copy / "GLOSSARY.md").exists()
    assert (lab.notebooks() / lab.START).read_text(encoding="utf-8") != "mine"


def test_jupyterlab_opens_the_copy_alone(here, monkeypatch):
    commands = []
    monkeypatch.setattr(lab.os, "execv", lambda program, command: commands.append(command) or exit(0))
    with pytest.raises(SystemExit):
        lab.open_lab(["--no-browser"])
    (command,) = commands
    assert f"--ServerApp.root_dir={here / lab.WORK}" in command and "--no-browser" in command
    assert f"--LabApp.default_url=/doc/tree/{lab.START}" in command
    # JupyterLab's question about news is answered by the settings that it is given.
    (settings,) = (option.split("=")[1] for option in command if option.startswith("--LabApp.app_settings_dir="))
    answers = json.loads((Path(settings) / "overrides.json").read_text(encoding="utf-8"))
    assert answers["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_a_missing_jupyterlab_is_said(here, monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="jupyterlab is not installed"):
        lab.open_lab([])

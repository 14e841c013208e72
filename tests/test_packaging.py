"""What a user, Binder and a fresh machine get from this repository: files that agree with each other."""

import os
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _pins() -> dict[str, str]:
    """Map each name in the pip section of environment.yml to its version; anything but an exact pin fails."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    start = lines.index("  - pip:") + 1
    pins = {}
    for line in lines[start:]:
        pin = re.fullmatch(r"      - ([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line)
        assert pin, f"not an exact pin: {line!r}"
        pins[canonicalize_name(pin[1])] = pin[2]
    return pins


DEPENDENCIES = _project()["dependencies"] + _project()["optional-dependencies"]["lab"]


def test_binder_environment_is_the_root_environment():
    # Binder ignores the root file once binder/ exists, so a difference would go unnoticed.
    assert (ROOT / "binder" / "environment.yml").read_bytes() == (ROOT / "environment.yml").read_bytes()


@pytest.mark.parametrize("dependency", DEPENDENCIES)
def test_environment_pins_every_dependency_within_its_range(dependency):
    requirement = Requirement(dependency)
    pins = _pins()
    assert canonicalize_name(requirement.name) in pins
    assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_environment_python_is_exact_and_supported():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    python = re.search(r"^  - python=(\d+\.\d+)$", text, re.MULTILINE)
    assert python, "environment.yml must pin python=X.Y"
    assert Requirement(f"python{_project()['requires-python']}").specifier.contains(f"{python[1]}.0")


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_are_executable_bash(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/bin/bash\n")


def test_binder_build_stops_on_errors_and_keeps_the_pins():
    lines = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "set -e"
    assert lines[-1] == "pip install --no-deps ."


def test_binder_start_limits_threads_and_hands_over():
    lines = (ROOT / "binder" / "start").read_text(encoding="utf-8").splitlines()
    exports = {line.removeprefix("export ") for line in lines if line.startswith("export ")}
    assert exports == {"JAX_PLATFORMS=cpu", "PJRT_NPROC=1", "OMP_NUM_THREADS=1"}
    assert lines[-1] == 'exec "$@"'


def test_readme_names_the_make_targets_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("lab", "test"):
        assert f"make {target}" in readme
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_ci_ends_with_make_test():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-1] == "make test"


def test_ci_looks_over_the_code_with_the_ruff_of_the_hooks():
    assert "make lint" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    (ruff,) = (pin for pin in _project()["optional-dependencies"]["lint"] if pin.startswith("ruff"))
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r'"(ruff==[^"]+)"', hooks) == [ruff, ruff]


def test_there_are_notebooks():
    assert NOTEBOOKS, "without notebooks the checks below would pass on nothing"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_valid_and_stripped(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code, "no code cell"
    dirty = [index for index, cell in enumerate(code) if cell.outputs or cell.execution_count is not None]
    assert not dirty, f"code cells {dirty} carry output or a count: run nbstripout on notebooks/{path.name}"

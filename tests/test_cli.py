import json

import jax
import pytest

from sketchlab import PROBLEMS, load
from sketchlab.cli import command

SMALL = ["--width", "6", "--depth", "1", "--points", "40", "--rank", "10"]


@pytest.fixture(autouse=True)
def double_precision_again():
    """The command line sets JAX up for its own process; give the tests theirs back."""
    yield
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_device", None)


def test_problems_lists_the_catalogue(capsys):
    assert command(["problems", "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)] == list(PROBLEMS)


def test_train_prints_one_json_object_and_keeps_progress_off_standard_output(capsys):
    assert command(["train", "poisson_1d", "--steps", "3", "--json", *SMALL]) == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    expected = (
        "problem optimizer parameters points rank dtype device steps seconds compile_seconds loss relative_l2_error stop_reason"
    )
    assert set(expected.split()) <= set(summary)
    assert (summary["parameters"], summary["rank"], summary["steps"], summary["stop_reason"]) == (19, 10, 3, "steps")
    assert "3/3" in printed.err


def test_train_takes_a_preset_an_adaptive_rank_new_points_and_weights(capsys):
    small = ["train", "heat_1d", "--steps", "3", "--json", *SMALL[:-2]]
    assert command([*small, "--rank", "auto", "--resample", "2", "--resampling", "rad", "--boundary-weight", "balance"]) == 0
    assert json.loads(capsys.readouterr().out)["rank"] in range(8, 26)
    assert command([*small, "--preset", "paper", "--rank", "9", "--boundary-weight", "2.5", "--block", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["rank"] == 9


def test_a_run_written_by_train_is_read_by_spectrum(capsys, tmp_path):
    path, picture = tmp_path / "run.npz", tmp_path / "spectrum.png"
    assert command(["train", "heat_1d", "--steps", "2", "--out", str(path), *SMALL]) == 0
    assert load(path).history.loss.shape == (2,)
    capsys.readouterr()
    arguments = ["spectrum", "heat_1d", "--theta", str(path), "--rank", "5", "--points", "40", "--out", str(picture), "--json"]
    assert command(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["parameters"] == load(path).network.size
    assert len(summary["sketched_eigenvalues"]) == 5
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_spectrum_takes_a_sketch_and_a_route_and_compares_with_the_full_one(capsys, tmp_path):
    picture = tmp_path / "spectrum.svg"
    choices = ["--sketch", "sparse-sign", "--route", "kernel", "--power-iterations", "1", "--activation", "sin"]
    arguments = ["spectrum", "heat_1d", *SMALL, *choices, "--compare-full", "--out", str(picture), "--json"]
    assert command(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["route"], summary["sketch"], summary["power_iterations"], summary["rows"]) == ("kernel", "sparse-sign", 1, 40)
    assert len(summary["sketched_eigenvalues"]) == 10 and len(summary["full_eigenvalues"]) == 25
    assert summary["largest_relative_error"] < 1e-3
    # A sketch of rank 10 sees no more than ten directions.
    assert 9 < summary["effective_dimension_1e-8"] < 10 < summary["full_effective_dimension_1e-8"] < 25
    assert b"<svg" in picture.read_bytes() and list(tmp_path.iterdir()) == [picture]
    assert command(arguments[:2] + SMALL) == 0
    assert "full" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "heat_2d"], "Did you mean 'heat_1d'"),
        (["train", "heat_1d", "--optimizer", "sgnd"], "Did you mean 'sngd'"),
        (["train", "heat_1d", "--rank", "0"], "rank = 0"),
        (["train", "heat_1d", "--rank", "999", "--points", "100"], "rank + oversampling = 999 exceeds min(N, P) = 100"),
        (["train", "heat_1d", "--optimizer", "adam", "--rank", "9"], "takes no --rank"),
        (["train", "heat_1d", "--preset", "papre"], "Did you mean 'paper'"),
        (["train", "heat_1d", "--optimizer", "dual", "--preset", "paper"], "takes no --preset"),
        (["train", "heat_1d", "--resample", "0"], "period = 0"),
        (["train", "heat_1d", "--resample", "2", "--resampling", "radd"], "Did you mean 'rad'"),
        (["train", "heat_1d", "--boundary-weight", "-1"], "boundary_weight = -1.0"),
        (["train", "heat_1d", "--block", "2000"], "block = 2000 is not a whole number between 1 and 1000"),
        (["train", "heat_1d", "--width", "0"], "width = 0"),
        (["train", "heat_1d", "--depth", "-1"], "depth = -1"),
        (["train", "heat_1d", "--points", "2"], "points = 2"),
        (["train", "heat_1d", "--seed", "-1"], "seed = -1"),
        (["train", "heat_1d", "--steps", "0"], "steps = 0"),
        (["train", "heat_1d", "--seconds", "nan"], "seconds = nan"),
        (["train", "heat_1d", "--speed", "2"], "belongs to transport_1d"),
        (["train", "transport_1d", "--speed", "inf"], "speed = inf"),
        (["train", "heat_1d", "--device", "gpu"], "JAX sees: cpu"),
        (["train", "heat_1d", "--dtype", "float16"], "float16"),
        (["train", "heat_1d", "--sampler", "sobel"], "Did you mean 'sobol'"),
        (["train", "heat_1d", "--out", "no/such/folder/run.npz"], "cannot write"),
        (["spectrum", "heat_1d", "--out", "figure.bmp"], ".png"),
        (["spectrum", "heat_1d", "--rank", "95", "--points", "100"], "rank + oversampling = 101"),
        (["spectrum", "heat_1d", "--theta", "missing.npz"], "missing.npz"),
        (["spectrum", "heat_1d", "--rank", "0"], "rank = 0"),
        (["spectrum", "heat_1d", "--power-iterations", "-1"], "power_iterations = -1"),
        (["spectrum", "heat_1d", "--route", "nystrm"], "Did you mean 'nystrom'"),
        (["spectrum", "heat_1d", "--sketch", "gausian"], "Did you mean 'gaussian'"),
        (["spectrum", "heat_1d", "--route", "single-pass", "--power-iterations", "1"], "a single pass has none"),
        (["spectrum", "heat_1d", "--activation", "tan"], "Did you mean 'tanh'"),
    ],
)
def test_mistakes_are_one_line_with_status_2_and_write_nothing(arguments, message, capsys, tmp_path, monkeypatch):
    if "gpu" in arguments and any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("this machine has a GPU")
    monkeypatch.chdir(tmp_path)
    assert command(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1 and "Traceback" not in printed.err
    assert list(tmp_path.iterdir()) == []


def test_words_that_are_no_numbers_are_one_line_too(capsys):
    with pytest.raises(SystemExit) as stop:
        command(["train", "heat_1d", "--points", "many"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_doctor_solves_a_trial_problem(capsys):
    assert command(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["trial_error"] < 1e-2 and report["problems_found"] == []

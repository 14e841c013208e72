import json
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import replace

import jax
import numpy as np
import pytest

from sketchlab import PROBLEMS, TrainingWarning, load, solve
from sketchlab.cli import command
from sketchlab.files import replacing

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
        (["train", "heat1d"], "Did you mean 'heat_1d'"),
        (["train", "heat_1d", "--optimizer", "sgnd"], "Did you mean 'sngd'"),
        (["train", "heat_1d", "--rank", "0"], "rank = 0"),
        (["train", "heat_1d", "--rank", "999", "--points", "100"], "rank + oversampling = 999 exceeds min(N, P) = 100"),
        (["train", "heat_1d", "--rank", "many"], "rank = 'many'"),
        (["train", "heat_1d", "--optimizer", "sngd(rank=9)", "--rank", "9"], "unknown optimizer 'sngd(rank=9)'"),
        (["train", "heat_1d", "--optimizer", "sngd(rank=9"], "cannot be read"),
        (["train", "heat_1d", "--optimizer", "adam", "--rank", "9"], "adam has no option 'rank'"),
        (["train", "heat_1d", "--preset", "papre"], "Did you mean 'paper'"),
        (["train", "heat_1d", "--optimizer", "dual", "--preset", "paper"], "dual has no option 'preset'"),
        (["train", "heat_1d", "--resample", "0"], "period = 0"),
        (["train", "heat_1d", "--resample", "2", "--resampling", "radd"], "Did you mean 'rad'"),
        (["train", "heat_1d", "--resampling", "radd"], "Did you mean 'rad'"),
        (["train", "heat_1d", "--resampling", "rad"], "say how often too, --resample STEPS"),
        (["train", "heat_1d", "--boundary-weight", "balanced"], "neither a number above 0 nor 'balance'"),
        (["train", "heat_1d", "--boundary-weight", "-1"], "boundary_weight = -1 is"),
        (["train", "heat_1d", "--block", "2000"], "block = 2000 is not a whole number between 1 and 600"),
        (["train"], "no problem is named: give one of poisson_1d"),
        (["train", "--speed", "2"], "speed = 2 belongs to transport_1d"),
        (["train", "heat_1d", "--network", "fourrier"], "Did you mean 'fourier'"),
        (["train", "heat_1d", "--width", "0"], "width = 0"),
        (["train", "heat_1d", "--width", "1000000", "--depth", "9"], "P = 8,000,012,000,001 parameters takes"),
        (["train", "heat_1d", "--width", "99999999999999999999"], "width = 99999999999999999999"),
        (["train", "heat_1d", "--points", "1000000000000"], "points = 1000000000000"),
        (["train", "heat_1d", "--steps", "1180591620717411303424"], "steps = 1180591620717411303424"),
        (["train", "heat_1d", "--every", "0"], "every = 0"),
        (["train", "--resume", "missing.npz"], "missing.npz"),
        (["train", "--resume", "run.npz", "--width", "5"], "--width does not go with --resume"),
        (["train", "--resume", "run.npz", "--boundary-weight", "5"], "--boundary-weight does not go with --resume"),
        (["train", "--resume", "run.npz", "--out", "other.npz"], "--out does not go with --resume"),
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
        (["train", "heat_1d", "--out", 300 * "a"], "cannot write"),
        (["train", "heat_1d", "--out", "~nobody-of-that-name/run.npz"], "cannot write"),
        (["spectrum", "heat_1d", "--out", "figure.bmp"], ".png"),
        (["spectrum", "--theta", "run.npz", "--activation", "sin"], "--activation does not go with --theta"),
        (["spectrum", "poisson_1d", "--width", "9000", "--rank", "200"], "GiB are at hand"),
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


def test_an_optimizer_written_as_text_a_network_behind_features_and_single_precision(capsys):
    text = 'sngd(rank=9, search="step grid", momentum=0.0)'
    choices = ["--network", "periodic", "--activation", "sin", "--dtype", "float32", "--optimizer", text]
    assert command(["train", "heat_1d", "--steps", "1", "--json", *SMALL[:-2], *choices]) == 0
    summary = json.loads(capsys.readouterr().out)
    # Cos and sin of x, and t: three features.
    assert (summary["rank"], summary["parameters"], summary["dtype"]) == (9, 3 * 6 + 6 + 6 + 1, "float32")


def test_a_run_goes_on_with_what_its_file_says(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    small = ["train", "transport_1d", "--speed", "3", "--network", "fourier", "--steps", "2", *SMALL]
    assert command([*small, "--out", "~/run.npz"]) == 0
    path = tmp_path / "run.npz"
    first = load(path)
    assert first.problem.origin == ("transport_1d", {"speed": 3.0})
    assert command(["train", "--resume", "~/run.npz"]) == 2
    assert "has taken its 2 steps" in capsys.readouterr().err
    assert command(["train", "poisson_1d", "--resume", "~/run.npz", "--steps", "4"]) == 2
    assert "the run is of 'transport_1d'" in capsys.readouterr().err
    assert command(["train", "--resume", "~/run.npz", "--steps", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 4
    assert np.array_equal(load(path).history.loss[:2], first.history.loss)
    assert list(tmp_path.iterdir()) == [path]


def test_a_spectrum_of_a_run_is_one_of_its_own_problem_and_network(capsys, tmp_path):
    path = tmp_path / "run.npz"
    small = ["--network", "periodic", *SMALL, "--dtype", "float32"]
    assert command(["train", "transport_1d", "--speed", "3", "--steps", "1", *small, "--out", str(path)]) == 0
    capsys.readouterr()
    assert command(["spectrum", "--theta", str(path), "--points", "40", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    run = load(path)
    assert (summary["problem"], summary["parameters"]) == ("transport_1d", run.network.size)
    assert (summary["dtype"], summary["rank"]) == ("float32", run.network.size - 6)
    for named in (["poisson_1d"], ["transport_1d", "--speed", "4"]):
        assert command(["spectrum", *named, "--theta", str(path)]) == 2
        assert "the run is of 'transport_1d', made with {'speed': 3}" in capsys.readouterr().err


def test_a_parameter_of_a_problem_that_is_called_like_an_option(capsys, monkeypatch):
    monkeypatch.setitem(PROBLEMS, "mine", lambda width=1.0: PROBLEMS["transport_1d"](speed=width))
    assert command(["train", "mine", "--problem-width", "3", "--steps", "1", "--json", *SMALL]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 25


def test_a_run_that_cannot_go_on_says_in_one_line_what_to_try(capsys, monkeypatch):
    def stalled(*arguments, **options):
        warnings.warn("training stopped", TrainingWarning, stacklevel=1)
        return replace(solve(*arguments, progress=False, **options), stop_reason="stalled")

    monkeypatch.setattr("sketchlab.solve", stalled)
    assert command(["train", "poisson_1d", "--steps", "3", "--json", *SMALL]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["stop_reason"] == "stalled"
    assert (
        printed.err.startswith("sketchlab: stopped after 3 steps: many steps in a row were refused")
        and printed.err.count("\n") == 1
    )


def test_the_doctor_solves_a_trial_problem(capsys):
    assert command(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["trial_error"] < 1e-2 and report["problems_found"] == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_that_lacks_a_sign_shows_another(encoding):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "sketchlab", "problems"], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == len(PROBLEMS)


def started(folder, *arguments, **environment):
    """Start a long run in another process."""
    long = ["train", "poisson_1d", *SMALL, "--steps", "1000000", "--out", "run.npz", "--every", "1", "--json", *arguments]
    command_line = [sys.executable, "-m", "sketchlab", *long]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command_line, cwd=folder, env=os.environ | environment, **pipes)


def wait_for(process, sign):
    """Read what a process says on standard error until it says this."""
    said = b""
    while sign not in said:
        read = os.read(process.stderr.fileno(), 4096)
        assert read, said
        said += read


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]], ids=["Ctrl-C twice", "SIGTERM"])
def test_an_interrupt_keeps_the_run(signals, tmp_path):
    process = started(tmp_path)
    wait_for(process, b"loss")
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    summary = json.loads(out)
    assert (process.returncode, summary["stop_reason"]) == (0, "interrupted")
    assert b"Traceback" not in err
    run = load(tmp_path / "run.npz")
    assert len(run.history) == summary["steps"] > 0 and run.stop_reason == "interrupted"
    assert os.listdir(tmp_path) == ["run.npz"]


def test_an_interrupt_while_it_compiles_is_one_line_and_leaves_an_older_file_alone(tmp_path):
    (tmp_path / "run.npz").write_bytes(b"older")
    process = started(tmp_path, "--depth", "6", JAX_LOG_COMPILES="1", JAX_ENABLE_COMPILATION_CACHE="0")
    wait_for(process, b"Compiling jit(step)")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-1] == "sketchlab: interrupted before there was a result."
    assert b"Traceback" not in err
    assert (tmp_path / "run.npz").read_bytes() == b"older"


def test_what_a_killed_process_has_left_is_removed_by_the_next_save(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left, own = tmp_path / f".{process.pid}.run.npz", tmp_path / f".{os.getpid()}.other.npz"
    left.touch(), own.touch()
    with replacing(tmp_path / "run.npz") as partial:
        partial.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == [own.name, "run.npz"]


def test_a_run_is_verified_from_its_file(capsys, tmp_path):
    path = tmp_path / "run.npz"
    options = ["--steps", "20", "--points", "60", "--width", "8", "--rank", "20"]
    assert command(["train", "poisson_1d", "--out", str(path), *options]) == 0
    assert command(["verify", str(path), "--json", "--runs", "1"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["trusted"] and found["problem"] == "poisson_1d" and len(found["distances"]) == 1
    assert command(["verify", str(path)]) == 0
    assert capsys.readouterr().out.startswith("poisson_1d: relative error about ")
    options = ["--speed", "30", "--network", "mlp", "--depth", "2", "--steps", "40", "--points", "200"]
    assert command(["train", "transport_1d", *options, "--out", str(path)]) == 0
    assert command(["verify", str(path)]) == 1
    assert "do not trust it" in capsys.readouterr().out


def test_a_march_from_the_command_line(capsys, tmp_path):
    path = tmp_path / "march.npz"
    options = ["--width", "6", "--depth", "1", "--points", "60", "--rank", "10", "--steps", "3", "--json", "--out", str(path)]
    assert command(["train", "transport_1d", "--slabs", "3", *options]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 9
    assert load(path).network.count == 3
    assert command(["train", "poisson_2d", "--slabs", "3", *options]) == 2
    assert "cannot be cut into slabs" in capsys.readouterr().err

"""What a measurement was made on."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

import jax
import psutil

import sketchlab as sl


def describe() -> dict:
    """Return the machine and the versions that a result depends on."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent
        ).stdout.strip(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "device": jax.devices()[0].device_kind,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "jax": jax.__version__,
        "sketchlab": sl.__version__,
    }


def sentence(machine: dict) -> str:
    """Say it in one line."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, device {machine['device']}, "
        f"{machine['system']}, jax {machine['jax']}, float64, {machine['date']}, commit {machine['commit']}"
    )


def _processor():
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

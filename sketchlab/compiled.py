"""Compiled functions are kept on disk, so that what was compiled once is there at once in the next process."""

import os
import shutil
import warnings
from pathlib import Path

import jax
import platformdirs

#: Set this variable to "off" to keep nothing.
SWITCH = "SKETCHLAB_CACHE"
#: Bytes that the folder may take; beyond, what was not used for longest is removed.
LIMIT = 2**28
#: Bytes that have to be free on its disk: what a session may add.
ROOM = 2**26
#: How a whole entry begins: compressed by zstandard, or by zlib.
BEGINNINGS = (b"\x28\xb5\x2f\xfd", b"\x78")


class CacheWarning(UserWarning):
    """Compiled functions are not kept on disk, so every process compiles anew."""


def folder() -> Path:
    """Return the folder of the user's cache that compiled functions are kept in."""
    return Path(platformdirs.user_cache_dir("sketchlab")) / "compiled"


def folder_of_jax() -> str | None:
    """Return the folder that JAX keeps compiled functions in, or None."""
    return jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]


def entries(folder: Path) -> list[Path]:
    """Return the files with a compiled function in each."""
    return sorted(folder.glob("*-cache"))


def remove_broken(folder: Path) -> None:
    """Remove entries that JAX would complain of: without a time stamp, which is written last, or with something else in them."""
    for entry in entries(folder):
        stamp = entry.with_name(entry.name.removesuffix("-cache") + "-atime")
        with entry.open("rb") as file:
            whole = file.read(4).startswith(BEGINNINGS)
        if not (whole and stamp.exists()):
            entry.unlink(missing_ok=True)
            stamp.unlink(missing_ok=True)


def keep_compiled_functions() -> bool:
    """Let JAX keep compiled functions in `folder`; return whether it does.

    It does not with ``SKETCHLAB_CACHE=off``, nor where JAX has been given a folder already. Where this one cannot be written, or
    its disk is full, a `CacheWarning` says so. The folder holds code that will be run: it is made for the user alone.
    """
    if os.environ.get(SWITCH, "").lower() == "off":
        return False
    if (given := folder_of_jax()) is not None:
        return given == str(folder())
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder(), os.W_OK | os.X_OK):
            raise PermissionError(f"{str(folder())!r} cannot be written")
        if (free := shutil.disk_usage(folder()).free) < ROOM:
            raise OSError(f"its disk has {free / 2**20:.0f} MiB left")
        remove_broken(folder())
    except OSError as error:
        # What is kept only saves time, and a home that cannot be written is no reason to do without an explorer.
        text = f"compiled functions are not kept for the next time: {error}. Set {SWITCH}=off to do without them."
        warnings.warn(text, CacheWarning, stacklevel=2)
        return False
    jax.config.update("jax_compilation_cache_max_size", LIMIT)
    # Even small functions take longer to compile than to read.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_compilation_cache_dir", str(folder()))
    return True

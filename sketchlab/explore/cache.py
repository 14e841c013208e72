"""Compiled functions are kept on disk, so that what was compiled once is there at once in the next session."""

import os
from pathlib import Path

import jax
import platformdirs

#: Set this variable to "off" to keep nothing.
SWITCH = "SKETCHLAB_CACHE"
#: Bytes that the folder may take; the least recently used is removed.
LIMIT = 2**29


def folder() -> Path:
    """Return the folder of the user's cache that compiled functions are kept in."""
    return Path(platformdirs.user_cache_dir("sketchlab")) / "compiled"


def keep_compiled_functions() -> None:
    """Let JAX keep compiled functions in `folder`, unless ``SKETCHLAB_CACHE=off`` or a folder of the user's is set already."""
    if os.environ.get(SWITCH, "").lower() == "off" or jax.config.jax_compilation_cache_dir:
        return
    jax.config.update("jax_compilation_cache_max_size", LIMIT)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_compilation_cache_dir", str(folder()))

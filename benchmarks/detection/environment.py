"""On what a benchmark ran: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

_LIBRARIES: Final = (
    "duckdb",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scikit-network",
    "scipy",
)


def environment() -> dict[str, Any]:
    """Return the machine, the versions and the commit; ``dirty`` where the code differs from it."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(
            _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks/**/*.py")
        ),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("stillwatch", *_LIBRARIES)},
    }


def _git(*arguments: str) -> str | None:
    """Return what git says, or nothing outside a repository."""
    here = Path(__file__).parent
    try:
        said = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()

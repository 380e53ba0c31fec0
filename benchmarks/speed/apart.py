"""A step of a benchmark in a process of its own: threads and memory of one do not weigh on the next."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def apart(script: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Return what ``script`` says on the last line of its standard output, which must be JSON.

    Raises:
        SystemExit: it failed; with what it said of it.
    """
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(arguments)} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def say(found: dict[str, Any]) -> None:
    """Print what :func:`apart` returns in the other process, with the most memory that it had."""
    print(json.dumps(found | {"peak MB": round(_peak_bytes() / 1e6)}))


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # the kernel's other count begins with what the parent had when it started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

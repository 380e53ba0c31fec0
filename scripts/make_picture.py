"""Makes ``docs/pictures/report.png``: the first screen of the report on the demonstration.

``python scripts/make_picture.py`` needs Chromium; pngquant makes the file smaller where it is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "report.png"
_SCREEN = "1280,900"
_MOST_BYTES = 200_000


def main() -> None:
    """Simulate the demonstration, scan it, and take the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _photograph(_report(folder), folder / "profile")
    _squeeze()
    if PICTURE.stat().st_size > _MOST_BYTES:
        sys.exit(f"{PICTURE} is larger than {_MOST_BYTES:,} bytes. Install pngquant and run this again.")


def _report(folder: Path) -> Path:
    """Scan the demonstration of ``make demo``; return its report."""
    world, run = folder / "world", folder / "run"
    stillwatch = [sys.executable, "-m", "stillwatch"]
    simulate = [*stillwatch, "simulate", "demo", "--seed", "7", "--out", str(world), "--quiet"]
    subprocess.run(simulate, check=True)
    inputs = [str(world / "exchanges-*.parquet"), "--accounts", str(world / "accounts.parquet")]
    kept = ["--out", str(run), "--sketch-key", str(folder / "sketch.key"), "--quiet"]
    subprocess.run([*stillwatch, "scan", *inputs, *kept], check=True)
    return run / "report.html"


def _photograph(page: Path, profile: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is not installed. Debian, Ubuntu: sudo apt-get install chromium")
    switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    PICTURE.parent.mkdir(exist_ok=True)
    shot = [f"--screenshot={PICTURE}", f"--window-size={_SCREEN}", page.as_uri()]
    subprocess.run([browser, *switches, *shot], check=True, capture_output=True)


def _squeeze() -> None:
    if (tool := shutil.which("pngquant")) is not None:
        subprocess.run(
            [tool, "--force", "--skip-if-larger", "--output", str(PICTURE), "64", str(PICTURE)], check=False
        )


if __name__ == "__main__":
    main()

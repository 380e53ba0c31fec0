"""Examples as the documentation has them: what is shown is what is tried."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def example(page: str, name: str) -> str:
    """Return the block of a page that follows ``<!-- tried: NAME -->``."""
    found = re.search(
        rf"<!-- tried: {name} -->\n+```\w*\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL
    )
    assert found, f"{page} shows no {name}"
    return found[1]

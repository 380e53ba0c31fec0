"""Configuration as the documentation has it: what is shown is what is tried."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def documented(name: str, page: str = "gateways.md", **places: str) -> str:
    """Return the block of the page that follows ``<!-- tried: NAME -->``, with words replaced.

    Args:
        name: of the block.
        page: that it is on.
        places: what stands for what, such as ``{"127.0.0.1:8787": "127.0.0.1:40001"}``.
    """
    found = re.search(
        rf"<!-- tried: {name} -->\n+```\w*\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL
    )
    assert found, f"the page shows no {name}"
    text = found[1]
    for old, new in places.items():
        assert old in text, f"{name} does not hold {old}"
        text = text.replace(old, new)
    return text

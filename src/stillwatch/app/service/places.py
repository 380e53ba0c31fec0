"""What lies where in a service's state folder."""

from __future__ import annotations

from typing import Final

SNAPSHOT: Final = "snapshot"
"""Decisions in force, for gates."""

OUTCOMES: Final = "outcomes"
"""Folder of what gates did."""

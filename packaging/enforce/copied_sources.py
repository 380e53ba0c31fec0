"""Puts the sources of ``stillwatch.enforce`` into the small wheel as ``stillwatch_enforce``."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCES: Final = Path("..", "..", "src", "stillwatch")
_OLD: Final = re.compile(r"\bstillwatch\.enforce\b")
_NEW: Final = "stillwatch_enforce"


class CopiedSources(BuildHookInterface[Any]):
    """Writes every module under its other name, and hands them to the builder."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copy before the wheel is made."""
        made = Path(self.directory) / "copied" / _NEW
        made.mkdir(parents=True, exist_ok=True)
        for path in sorted((Path(self.root) / _SOURCES / "enforce").glob("*.py")):
            text = _OLD.sub(_NEW, path.read_text(encoding="utf-8"))
            (made / path.name).write_text(text, encoding="utf-8")
        (made / "py.typed").touch()
        licence = Path(self.root, "..", "..", "LICENSE").resolve()
        for path in made.iterdir():
            if path.is_file():
                build_data["force_include"][str(path)] = f"{_NEW}/{path.name}"
        build_data["force_include"][str(licence)] = f"{_NEW}/LICENSE"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing but the wheel."""
        shutil.rmtree(Path(self.directory) / "copied")

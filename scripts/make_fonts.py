"""Cuts the fonts of the PDF report out of their sources, and lists the characters that they draw.

The sources are the npm packages ``@expo-google-fonts/noto-sans`` and ``@expo-google-fonts/noto-sans-kr``,
both 0.4, unpacked (``npm pack NAME``, then ``tar xzf``); the fonts are under the SIL Open Font License 1.1::

    python scripts/make_fonts.py noto-sans/package noto-sans-kr/package

It needs fonttools. The same sources give the same files.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from fontTools import subset
from fontTools.ttLib import TTFont

FONTS: Final = Path(__file__).parents[1] / "src" / "stillwatch" / "evidence" / "fonts"
WEIGHTS: Final = {"400Regular": "Regular", "600SemiBold": "SemiBold"}
LATIN: Final = (
    range(0x20, 0x250),  # Basic Latin to Latin Extended-B
    range(0x370, 0x530),  # Greek, Cyrillic
    range(0x1E00, 0x2000),  # Latin Extended Additional (Vietnamese), Greek Extended
    range(0x2000, 0x2190),  # punctuation, superscripts, currency, letter-like
    range(0x2190, 0x2300),  # arrows, mathematical operators
)
# One glyph for each character: Typst's fallback from font to font inside SVG fails on ligatures and on
# marks set upon letters. Text is composed (NFC) before it is typeset, so that neither is needed.
FEATURES: Final = ["kern"]
KOREAN: Final = (
    range(0x2190, 0x2600),  # arrows to geometric shapes
    range(0x3000, 0x3190),  # CJK punctuation, kana, compatibility jamo
    range(0xAC00, 0xD7A4),  # all syllables
    range(0xFF00, 0xFFF0),  # full-width forms
)


def main(latin: Path, korean: Path) -> None:
    """Write the fonts, their licences and ``drawn.json``."""
    FONTS.mkdir(exist_ok=True)
    drawn: set[int] = set()
    for source, name, ranges in ((latin, "NotoSans", LATIN), (korean, "NotoSansKR", KOREAN)):
        for folder, style in WEIGHTS.items():
            cut = FONTS / f"{name}-{style}.ttf"
            found = _cut(source / folder / f"{name}_{folder}.ttf", cut, chain.from_iterable(ranges))
            print(cut.name, cut.stat().st_size, len(found))
            drawn |= found
        shutil.copyfile(source / "LICENSE_FONT", FONTS / f"{name}-OFL.txt")
    (FONTS / "drawn.json").write_text(json.dumps(list(_spans(drawn))) + "\n", encoding="utf-8")


def _cut(source: Path, target: Path, wanted: Iterable[int]) -> set[int]:
    """Write what ``source`` has of the characters ``wanted``, marks left out, to ``target``; return that."""
    options = subset.Options(
        hinting=False, desubroutinize=True, layout_features=FEATURES, notdef_outline=True
    )
    options.drop_tables += ["DSIG", "vhea", "vmtx", "VORG"]
    font = subset.load_font(str(source), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[char for char in wanted if unicodedata.category(chr(char))[0] not in "MC"])
    cutter.subset(font)
    subset.save_font(font, str(target), options)
    return set(TTFont(target).getBestCmap())


def _spans(characters: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The characters as ranges, first and last of each."""
    ordered = sorted(characters)
    starts = [char for before, char in zip([-2, *ordered], ordered, strict=False) if char != before + 1]
    ends = [char for char, after in zip(ordered, [*ordered[1:], -2], strict=True) if after != char + 1]
    return zip(starts, ends, strict=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

#!/usr/bin/env python3
"""Cuts the panel's fonts from the Inter family: the scripts that the panel can show, and figures of equal width.

    apt-get download fonts-inter && dpkg -x fonts-inter_*.deb inter && pip install fonttools
    python3 subset.py inter/usr/share/fonts/opentype/inter .
"""

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

# Basic Latin to IPA, modifiers and combining marks, Greek, Cyrillic, Latin additional, punctuation, currency,
# letterlike, arrows, mathematical and geometric signs.
RANGES = [
    (0x20, 0x24F), (0x2B0, 0x36F), (0x370, 0x52F), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x20A0, 0x20BF),
    (0x2100, 0x214F), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x25A0, 0x25FF), (0x2713, 0x2717),
]
# File, and whether its figures are of equal width: columns of numbers need that, a headline does not.
FONTS = [("Inter-Regular.otf", True), ("Inter-SemiBold.otf", True), ("InterDisplay-SemiBold.otf", False)]


def equal_width_figures(font: TTFont) -> None:
    """Lets the digits be drawn by the glyphs that the feature `tnum` would put in their place."""
    gsub = font["GSUB"].table
    lookups = {i for f in gsub.FeatureList.FeatureRecord if f.FeatureTag == "tnum" for i in f.Feature.LookupListIndex}
    swap = {}
    for index in lookups:
        for table in gsub.LookupList.Lookup[index].SubTable:
            swap.update(getattr(getattr(table, "ExtSubTable", table), "mapping", {}))
    for table in font["cmap"].tables:
        for code in [*range(ord("0"), ord("9") + 1), ord("+"), 0x2212, ord(".")]:
            if code in table.cmap:
                table.cmap[code] = swap.get(table.cmap[code], table.cmap[code])


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    options = Options()
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    options.name_IDs = ["*"]
    for name, equal_width in FONTS:
        font = TTFont(source / name)
        if equal_width:
            equal_width_figures(font)
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=[code for low, high in RANGES for code in range(low, high + 1)])
        subsetter.subset(font)
        font.save(target / name)


if __name__ == "__main__":
    main()

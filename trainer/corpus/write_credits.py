#!/usr/bin/env python3
"""Writes CREDITS.md from the tables and, given an index.json, from the songs in it.

    python3 trainer/corpus/write_credits.py [CORPUS/index.json]
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from packages import BANKS, KITS, SPOKEN, TUNES  # noqa: E402

MODULES = (
    ("GPL-2.0-or-later", "Pingus music (Debian pingus-data), see its AUTHORS file"),
    ("GPL-3.0-or-later", "TLK Games (Debian tecnoballz-data)"),
    ("GPL-2.0-or-later", "Daniel Burrows and the Heroes authors (Debian heroes-sound-tracks)"),
)  # fmt: skip

LMMS = (
    ("Artistic-2.0", "CapDan (ReggaeTry, ReggaetonTry, ZeroSumGame, Crunk), momo64 (esp), Achim Settelmeier (InnerRecreation), socceroos (Progress), Peter Asplund (Surrender)"),
    ("CC-BY-SA-3.0", "CapDan and Armin Heller (TwilightArea)"),
    ("CC-BY-SA-4.0", "Jousboxx (BuzzerBeater)"),
    ("GPL-2.0-or-later", "LMMS developers (DirtyLove; samples and presets in all of them)"),
)  # fmt: skip


def main():
    lines = [
        "# Credits of the rendered corpus",
        "",
        "Written by `write_credits.py`. Licences as stated in the Debian copyright files",
        "and, for recordings, in the `song.json` next to them. Each song's own list is in its `song.json`.",
        "",
        "## Tunes and patterns",
        *[f"- {name}: {who}. {licence}" for name, (licence, who) in TUNES.items()],
        *[f"- LMMS demo projects (Debian lmms-common): {who}. {licence}" for licence, who in LMMS],
        *[f"- Tracker modules: {who}. {licence}" for licence, who in MODULES],
        "",
        "## Soundfonts",
        *[f"- {name}: {who}. {licence}" for name, (_, _, licence, who) in BANKS.items()],
        "",
        "## Drum kits",
        *[f"- {name}: {who}. {licence}" for name, (_, licence, who) in KITS.items()],
        "- synthetic kits, basses, leads and plucked strings: made by this code, no samples",
        "",
        "## Speakers, whose words are sung or spoken",
        *[f"- {name}: {who}. {licence} ({codes})" for name, (_, codes, licence, who) in SPOKEN.items()],
        "",
        "## Recordings",
    ]
    if len(sys.argv) > 1:
        songs = json.loads(Path(sys.argv[1]).read_text())
        seen = {}
        for song in songs:
            if song["source"] in ("real", "voice"):
                seen.setdefault((song["credit"].split(":")[0], song["licence"], song["credit"].split(": ", 1)[1]), []).append(song["song"])
        for (origin, licence, note), names in sorted(seen.items()):
            lines.append(f"- {origin} ({', '.join(sorted(names))}): {licence}. {note}")
    Path(__file__).with_name("CREDITS.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

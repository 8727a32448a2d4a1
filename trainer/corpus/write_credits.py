#!/usr/bin/env python3
"""Writes CREDITS.md from the tables and, given the folder of recordings, from the song.json of each of its folders.

    python3 trainer/corpus/write_credits.py [DATA]
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from loops_songs import clips  # noqa: E402
from packages import BANKS, KITS, SPOKEN, TUNES  # noqa: E402
from real import folders  # noqa: E402
from recorded import INSTRUMENTS  # noqa: E402

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


def folder_lines(folders):
    """One line per folder of kits or loops, from its song.json."""
    for folder in folders:
        song = json.loads((folder / "song.json").read_text())
        yield f"- {folder.name}: {song['credit']}. {song['licence']} ({song['origin']})"


def recordings(data):
    """Songs and voices, one line per origin and licence: folders, people to credit, and what the origin states."""
    seen = {}
    for folder in [*folders(data / "train"), *folders(data / "voices")]:
        song = json.loads((folder / "song.json").read_text())
        origin = song["origin"].split(" (folder")[0]
        seen.setdefault((origin, song["licence"]), []).append((folder.name, song.get("credit"), song["licence_note"]))
    for (origin, licence), found in sorted(seen.items()):
        names, credits, notes = ([*dict.fromkeys(x for x in part if x)] for part in zip(*found, strict=True))
        # Many files of one origin have a statement each; they differ only in the file's name
        text = "; ".join(credits + (notes if len(notes) == 1 else []))
        yield f"- {origin} ({', '.join(names)}): {licence}. {text}"


def main():
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    kits = folder_lines(data / "kits" / name for name in INSTRUMENTS) if data else []
    loops = folder_lines(data / "loops" / name for name in sorted({folder for folder, _ in clips(str(data))})) if data else []
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
        "## Recorded kits, basses and guitars",
        *kits,
        "",
        "## Loops",
        *loops,
        "",
        "## Recordings",
    ]
    lines += recordings(data) if data else []
    Path(__file__).with_name("CREDITS.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Checks a finished corpus: files, lengths, peaks, licences, and that nothing is in more than one split.

    python3 trainer/corpus/check.py CORPUS
"""

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import soundfile  # noqa: E402

from common import RATE, STEMS, loudest  # noqa: E402

ALLOWED = re.compile(r"^(CC0-1\.0( OR CC-BY-SA-2\.5)?|CC-BY(-SA)?-[34]\.0|MIT|BSD-[23]-Clause|ISC|Apache-2\.0|Artistic-[12]\.0|GPL-[23]\.0(-only|-or-later)?(, composition exception)?|Unlicense|public domain|LicenseRef-PublicDomain)$")


def problems(root, song):
    folder = root / song["path"]
    lengths, mix = set(), 0
    for stem in song["active"]:
        audio, rate = soundfile.read(str(folder / f"{stem}.flac"), dtype="float32", always_2d=True)
        lengths.add(len(audio))
        if rate != RATE or audio.shape[1] != 2:
            yield f"{stem}: {rate} Hz, {audio.shape[1]} channels"
        if loudest(audio).max() < 1e-3:
            yield f"{stem}: silent"
        mix = mix + audio if len(lengths) == 1 else mix
    if len(lengths) != 1:
        yield f"lengths differ: {lengths}"
    elif loudest(mix).max() > 10 ** (-1 / 20):
        yield "peak of the sum above -1 dBFS"
    for licence in song["licence"].split(" AND "):
        if not ALLOWED.match(licence):
            yield f"licence {licence!r}"


def crossings(songs):
    """Tunes, banks, kits and voices that occur in more than one split."""
    places = defaultdict(set)
    for song in songs:
        if song["split"] == "demo":
            continue
        keys = [("tune", song.get("tune")), ("voice", song["voice"])]
        keys += [("bank", b) for b in song["soundfonts"]]
        keys += [("kit", k) for k in (song["drumkit"] or "").split(", ") if not k.startswith("synthetic")]
        for kind, name in keys:
            if name:
                places[kind, name].add(song["split"])
    return [(*key, sorted(splits)) for key, splits in sorted(places.items()) if len(splits) > 1]


def main():
    root = Path(sys.argv[1])
    songs = json.loads((root / "index.json").read_text())
    bad = 0
    for song in songs:
        for text in problems(root, song):
            bad += 1
            print(song["path"], text)
    for crossing in crossings(songs):
        bad += 1
        print("crosses splits:", *crossing)
    count = Counter((s["source"], s["split"]) for s in songs)
    minutes = Counter()
    for song in songs:
        minutes[song["source"]] += song["seconds"] / 60
    for (source, split), n in sorted(count.items()):
        print(f"{source:6} {split:6} {n:4} songs")
    print({k: round(v) for k, v in minutes.items()}, "minutes")
    for stem in STEMS:
        print(stem, sum(stem in s["active"] for s in songs), "songs")
    print("voices:", Counter((s["split"], "vocals" in s["active"]) for s in songs if s["source"] not in ("real", "voice")))
    print(bad, "problems")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()

"""Source "mma": arrangements by Musical MIDI Accompaniment over random chords.

A groove file (a style) belongs to one split; a song uses the grooves of one file."""

import re
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from common import Skip, rng_for, share_of
from notes import passage, read_midi
from produce import make_song

LIBRARY = Path("/usr/share/mma/lib")
UNUSED = re.compile(r"metronome|^none$|^count$|^ending$|^intro$|march|vienese|hymn|musette|gypsyjazz|^mide$")
PREFERRED = re.compile(r"rock|pop|funk|soul|disco|dance|metal|mtl|thr|punk|beat|rb|r&b|rnb|hip|house|techno|blues|reggae|ska|ballad|fus|country|shuffle|twist")
STYLES = (
    ("metal", r"metal|mtl|thr\b|hrk"), ("edm", r"house|techno|trance|dance|dnb|electric|digital|trip"), ("hiphop", r"hip"),
    ("rock", r"rock|punk|beat|twist|disco|fus|ska"), ("jazz", r"jazz|swing|bebop|bigband|foxtrot|bossa|combo|waltz|basie"),
)  # fmt: skip
VARIANTS = 3

MAJOR = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# Progressions as (semitones above the key, quality)
POP = (
    "0 7 9m 5", "0 9m 5 7", "9m 5 0 7", "0 5 7 5", "0 5 9m 7", "0 4m 5 7", "9m 7 5 7", "0 0 5 7", "2m 7 0 9m", "5 7 4m 9m",
    "0 10 5 0", "9m 9m 5 7", "0m 8 3 10", "0m 10 8 7", "0m 5m 8 7", "0m 3 10 5", "0m 8 10 0m", "0m 0m 8 10",
)  # fmt: skip
BLUES = ("07 07 07 07 57 57 07 07 77 57 07 77", "0m7 0m7 0m7 0m7 5m7 5m7 0m7 0m7 87 77 0m7 77", "07 57 07 07 57 57 07 97 2m7 77 07 77")
JAZZ = ("2m7 77 0M7 97", "0M7 9m7 2m7 77", "4m7 97 2m7 77", "0M7 0m7 2m7 77", "2m7b5 77 0m7 0m7", "0M7 27 2m7 77", "0m7 5m7 2m7b5 77")


@lru_cache(maxsize=None)
def groove_files():
    """{file id: grooves it defines}, without those that cannot be used here."""
    out = {}
    for path in sorted(LIBRARY.glob("*/*.mma")):
        if path.parent.name == "zoom":  # drums alone; beats_songs.py plays along with them
            continue
        if UNUSED.search(path.stem.lower()):
            continue
        names = re.findall(r"^\s*DefGroove\s+(\S+)", path.read_text(errors="replace"), re.M | re.I)
        if names:
            out[f"{path.parent.name}/{path.stem}"] = names
    return out


def split_of(name, seed):
    share = share_of("mma", name.split("/")[1], seed)
    return "calib" if share < 0.10 else "test" if share < 0.19 else "train"


def style_of(name):
    for style, pattern in STYLES:
        if re.search(pattern, name.lower()):
            return style
    return "any"


def jobs(config):
    first, again = [], []
    for name in groove_files():
        split = split_of(name, config.seed)
        wanted = bool(PREFERRED.search(name.lower()))
        for variant in range(VARIANTS if wanted else 1):
            job = {"source": "mma", "id": f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{variant + 1}", "tune": name, "split": split}
            (first if variant == 0 and wanted else again).append(job)
    order = rng_for("mma-order", config.seed)
    order.shuffle(first)
    order.shuffle(again)
    return first + again


def chords(rng, style):
    """About 32 bars of chord names."""
    book = {"jazz": JAZZ + BLUES[:1]}.get(style, POP + BLUES[:2] if rng.random() < 0.8 else BLUES)
    key = int(rng.integers(12))
    bars = []
    sections = [str(rng.choice(book)) for _ in range(2)]
    while len(bars) < 32:
        for token in (sections[0] + " " + sections[0] + " " + sections[1]).split():
            step, quality = re.match(r"(10|11|\d)(.*)", token).groups()
            bars.append(MAJOR[(key + int(step)) % 12] + quality)
    return bars[:36]


def arrangement(rng, name):
    """The text of an MMA song."""
    grooves = groove_files()[name]
    plain = [g for g in grooves if not re.search(r"intro|end|fill|metro|null", g.lower())] or grooves
    fills = [g for g in grooves if re.search(r"fill", g.lower())]
    sections = [plain[int(rng.integers(len(plain)))] for _ in range(2)]
    lines = [f"Tempo {int(rng.integers(0, 60)) + TEMPO.get(style_of(name), 90)}", f"Use {name}", f"RndSeed {int(rng.integers(1e6))}"]
    for bar, chord in enumerate(chords(rng, style_of(name))):
        section = sections[bar // 8 % 2]
        if bar % 8 == 0:
            lines.append(f"Groove {section}")
        if bar % 8 == 7 and fills:
            lines.append(f"Groove {fills[int(rng.integers(len(fills)))]}")
        lines.append(f"{bar + 1} {chord}")
    return "\n".join(lines) + "\n"


TEMPO = {"metal": 120, "edm": 110, "hiphop": 70, "jazz": 100, "rock": 95}


def compose(text):
    """Runs mma on a song text and returns the MIDI file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "song.mma", Path(folder) / "song.mid"
        source.write_text(text)
        done = subprocess.run(["mma", "-f", str(target), str(source)], capture_output=True, text=True, timeout=60)
        if not target.exists():
            raise Skip(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "mma printed nothing")
        return target.read_bytes()


def build(job, config):
    rng = rng_for(job["source"], job["id"], config.seed)
    job["seed"] = config.seed
    tune = read_midi(compose(arrangement(rng, job["tune"])))
    if not tune.stem("drums") or not tune.stem("bass"):
        raise Skip("no drums or no bass")
    tune = passage(tune, rng.uniform(48, 66), rng)
    seconds = min(max(tune.seconds, 20.0), 70.0)
    make_song(config, job, tune, seconds, rng, style_of(job["tune"]), "mma", "MMA")

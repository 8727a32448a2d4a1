"""Source "beats": songs of our own generation, for the styles that free MIDI lacks.

Metal (double kick, power-chord walls), rock and punk (straight eighths), house,
trance and drum and bass (synth bass, side-chain), trap and hip-hop (808 bass),
funk, indie, dubstep, disco, reggae and others. Drums are our patterns or those of MMA's "zoom" library (GPL)."""

import re

import numpy as np

from common import rng_for, share_of
from mma_songs import LIBRARY, compose
from notes import DRUM_CHANNEL, Note, Tune, read_midi
from produce import make_song
from recorded import hire

# Number of songs. Those after number FIRST are for training only, so that the held-out songs do not change. The last
# ones, after number SONGS, are for calibration with recorded instruments.
SONGS, FIRST, RECORDED_CALIB = 560, 240, 24
# style, weight, tempo range, produce style, zoom patterns
STYLES = {
    "metal": (3, (95, 190), "metal", ("mtl", "hrk", "thr")),
    "rock": (4, (90, 165), "rock", ("rock", "hrk", "beat8", "beat16")),
    "punk": (2, (150, 205), "rock", ("punk", "ska")),
    "house": (3, (116, 132), "edm", ("house", "dance", "techno")),
    "trance": (1, (128, 142), "edm", ("techno", "dance")),
    "dnb": (1, (165, 176), "edm", ("dnb",)),
    "trap": (4, (65, 80), "trap", ("hiphop", "trip")),
    "boombap": (2, (80, 100), "hiphop", ("hiphop", "trip", "rnb")),
    "funk": (2, (92, 118), "any", ("funk", "fus16", "rnb")),
    "indie": (4, (90, 150), "rock", ("pop", "rock", "beat16", "bald")),
    "pop": (3, (84, 128), "any", ("pop", "rnb", "dance", "beat16", "latin")),
    "blues": (1, (80, 140), "any", ("blues", "shuffle", "country", "cntry")),
}
# Styles of the songs after number FIRST
LATER_STYLES = STYLES | {
    "dubstep": (3, (134, 146), "growl", ("hiphop", "dnb")),
    "synthpop": (3, (100, 130), "growl", ("dance", "techno", "pop")),
    "disco": (2, (106, 124), "any", ("dance", "funk")),
    "reggae": (2, (66, 90), "any", ("reggae",)),
    "ballad": (3, (60, 84), "any", ("pop", "rnb", "beat8")),
}
# Chords per bar: (semitones above the key, minor?)
MINOR = ("0m 8 3 10", "0m 10 8 10", "0m 5m 8 7", "0m 0m 8 10", "0m 3 10 5", "0m 1 0m 10", "0m 8 5m 7", "0m 3 8 10")
MAJOR = ("0 7 9m 5", "0 9m 5 7", "0 5 7 5", "9m 5 0 7", "0 4m 5 7", "0 5 0 7", "2m 7 0 0", "0 10 5 0")
KICK, SNARE, HAT, OPEN, CRASH, RIDE, CLAP = 36, 38, 42, 46, 49, 51, 39


class Sketch:
    """Notes on a grid of sixteenths."""

    def __init__(self, tempo, swing=0.0):
        self.step, self.swing, self.notes = 15.0 / tempo, swing, []

    def time(self, at):
        return (at + (self.swing if int(at) % 2 else 0)) * self.step

    def add(self, at, length, pitch, velocity, channel, program=0):
        start = self.time(at)
        velocity = int(np.clip(velocity, 1, 127))
        self.notes.append(Note(start, start + max(length * self.step, 0.03), int(pitch), velocity, channel, program))


def choose(rng, *options):
    return options[int(rng.integers(len(options)))]


def kick_pattern(rng, style):
    """Sixteenths of a bar on which the kick falls."""
    if style in ("house", "trance", "disco"):
        return [0, 4, 8, 12]
    if style == "dubstep":
        return choose(rng, [0, 10], [0, 6], [0, 3, 11], [0, 14])
    if style == "reggae":
        return choose(rng, [8], [0, 8], [0, 4, 8, 12])
    if style == "metal":
        return choose(rng, list(range(16)), [0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15], [0, 1, 2, 3, 6, 8, 9, 10, 11, 14], list(range(0, 16, 2)), [0, 3, 6, 8, 11, 14], [0, 1, 4, 5, 8, 10, 11, 14])
    if style == "punk":
        return choose(rng, [0, 8], [0, 6, 8], [0, 2, 8, 10])
    if style == "dnb":
        return choose(rng, [0, 10], [0, 2, 10], [0, 7, 10])
    if style == "trap":
        return choose(rng, [0, 6, 10], [0, 3, 10], [0, 7, 10, 14], [0, 10, 11])
    grid = [0] + [k for k in (3, 6, 7, 8, 10, 11, 14) if rng.random() < (0.6 if k == 8 else 0.3)]
    return sorted(set(grid))


def own_drums(rng, sketch, style, bars, kicks):
    """A drum part: steady pattern, crash at sections, fill every eighth bar."""
    snares = {"trap": [8], "punk": choose(rng, [4, 12], [2, 6, 10, 14]), "dnb": [4, 12], "dubstep": [8], "reggae": [8]}.get(style, [4, 12])
    if style == "metal":
        snares = choose(rng, [4, 12], [8], [2, 6, 10, 14], [4, 12])
    snare = CLAP if style in ("house", "trance") else SNARE
    step = {"trap": 1 if rng.random() < 0.3 else 2, "house": 2, "dnb": 2}.get(style, choose(rng, 1, 2, 2, 2, 4))
    cymbal = choose(rng, HAT, HAT, HAT, RIDE, OPEN, CRASH) if style in ("rock", "metal", "punk", "indie") else HAT
    offbeat = style in ("house", "trance") or (style == "dnb" and rng.random() < 0.5)
    ghosts = style in ("funk", "indie", "boombap", "pop", "dnb") and rng.random() < 0.6
    for bar in range(bars):
        at, fill = bar * 16, bar % 8 == 7 and rng.random() < 0.8
        if bar % 8 == 0 and rng.random() < 0.8:
            sketch.add(at, 4, CRASH, 115, DRUM_CHANNEL)
        end = 16 if not fill else choose(rng, 8, 12)
        if bar % 16 == 15 and style in ("house", "trance", "trap"):
            end = 12
        for k in kicks:
            if k < end:
                sketch.add(at + k, 1, KICK, 112 + rng.integers(-6, 10), DRUM_CHANNEL)
        for k in snares:
            if k < end:
                sketch.add(at + k, 1, snare, 112 + rng.integers(-6, 12), DRUM_CHANNEL)
        for k in range(0, end, step):
            loud = 96 if k % 4 == 0 else 78
            sketch.add(at + k, 1, cymbal, loud - (cymbal == CRASH) * 10 + rng.integers(-8, 8), DRUM_CHANNEL)
        if offbeat:
            for k in range(2, end, 4):
                sketch.add(at + k, 1, OPEN, 92, DRUM_CHANNEL)
        if style == "trap":
            for k in rng.choice(16, 2, replace=False):
                for i in range(int(rng.integers(3, 7))):
                    sketch.add(at + k + i / choose(rng, 2, 3, 4), 0.3, HAT, 60 + 8 * i, DRUM_CHANNEL)
        if ghosts:
            for k in rng.choice([1, 3, 6, 7, 9, 11, 15], 2, replace=False):
                sketch.add(at + k, 1, SNARE, rng.integers(25, 50), DRUM_CHANNEL)
        if fill:
            toms = sorted(rng.choice([50, 48, 47, 45, 43, 38], 16 - end), reverse=True)
            for i, pitch in enumerate(toms):
                sketch.add(at + end + i, 1, pitch, 96 + rng.integers(0, 25), DRUM_CHANNEL)


def zoom_drums(rng, sketch, names, bars, tempo):
    """A drum part from MMA's "zoom" library, at our tempo; False if it is not in four-four time."""
    name = choose(rng, *names)
    text = (LIBRARY / "zoom" / f"{name}.mma").read_text(errors="replace")
    grooves = re.findall(r"^\s*DefGroove\s+(\S+)[^\n]*Time\s*=\s*4/4", text, re.M)
    if not grooves:
        return False
    picks = [choose(rng, *grooves) for _ in range(2)]
    lines = [f"Tempo {tempo}", f"Use zoom/{name}"]
    for bar in range(bars):
        if bar % 8 == 0:
            lines.append(f"Groove {picks[bar // 8 % 2]}")
        lines.append(f"{bar + 1} C")
    for note in read_midi(compose("\n".join(lines) + "\n")).notes:
        if note.channel == DRUM_CHANNEL:
            sketch.notes.append(note)
    return True


def bass_line(rng, sketch, style, bars, roots, kicks):
    """A bass line on the chord roots; programs 33 and up make it the bass stem."""
    options = {
        "metal": ("kick", "eighths", "sixteenths", "gallop"), "rock": ("eighths", "kick", "octave", "walk"),
        "punk": ("eighths", "eighths", "octave"), "house": ("offbeat", "syncopated", "octave", "eighths"),
        "trance": ("rolling", "offbeat"), "dnb": ("long", "syncopated"), "trap": ("long", "kick_long"),
        "boombap": ("syncopated", "kick_long"), "funk": ("syncopated", "sixteenths_gap", "octave"),
        "indie": ("eighths", "kick", "walk", "octave"), "pop": ("kick_long", "eighths", "syncopated", "long"),
        "blues": ("walk", "shuffle"), "dubstep": ("long", "kick_long", "syncopated"), "synthpop": ("eighths", "octave", "offbeat"),
        "disco": ("octave", "syncopated", "walk"), "reggae": ("syncopated", "kick_long"), "ballad": ("kick_long", "long", "eighths"),
    }[style]  # fmt: skip
    kind = choose(rng, *options)
    gaps = sorted(rng.choice(np.arange(1, 16), 5, replace=False)) if kind in ("syncopated", "sixteenths_gap") else []
    gate = rng.uniform(0.5, 0.98)
    for bar in range(bars):
        root, minor = roots[bar]
        third = 3 if minor else 4
        at = bar * 16
        if kind == "kick":
            steps = [(k, 1.8, 0) for k in kicks]
        elif kind == "kick_long":
            steps = [(k, (kicks + [16])[i + 1] - k, 0) for i, k in enumerate(kicks)]
        elif kind == "long":
            steps = [(0, choose(rng, 10, 16), 0)] + ([(10, 6, choose(rng, 0, 0, 7, -2))] if rng.random() < 0.6 else [])
        elif kind == "offbeat":
            steps = [(k, 2, 0) for k in range(2, 16, 4)]
        elif kind == "rolling":
            steps = [(k, 1, 0) for k in range(16) if k % 4]
        elif kind == "octave":
            steps = [(k, 2, 12 if k % 4 == 2 else 0) for k in range(0, 16, 2)]
        elif kind == "sixteenths":
            steps = [(k, 1, 0) for k in range(16)]
        elif kind == "gallop":
            steps = [(k, 1, 0) for k in range(16) if k % 4 != 1]
        elif kind in ("syncopated", "sixteenths_gap"):
            steps = [(0, 2, 0)] + [(int(k), 1.5, choose(rng, 0, 0, 0, 7, 10, 12)) for k in gaps]
        elif kind == "walk":
            line = [0, third, 7, choose(rng, 9, 10, 5)]
            steps = [(4 * i, 4, p) for i, p in enumerate(line)]
        elif kind == "shuffle":
            steps = [(k, 2, p) for k, p in zip((0, 3, 4, 7, 8, 11, 12, 15), (0, 0, 4, 4, 7, 7, 9, 7))]
        else:
            steps = [(k, 2, 0 if k < 14 or rng.random() < 0.7 else choose(rng, -2, 2, 7)) for k in range(0, 16, 2)]
        for k, length, up in steps:
            sketch.add(at + k, length * gate, root + up, 96 + rng.integers(-8, 16) + (k % 4 == 0) * 6, 1, 33)


def accompaniment(rng, sketch, style, bars, roots, kicks):
    """Guitars, keys, pads and a lead, by style."""
    guitars = {"metal": "chug", "rock": choose(rng, "power", "strum", "arpeggio"), "punk": "power", "indie": choose(rng, "strum", "arpeggio"), "funk": "skank", "blues": "strum", "disco": "skank", "reggae": "skank"}
    wall = guitars.get(style, choose(rng, None, None, "arpeggio", "strum"))
    dirty = {"metal": 30, "punk": choose(rng, 29, 30), "rock": choose(rng, 29, 30, 27)}.get(style, choose(rng, 25, 27, 28))
    second = choose(rng, None, "pad", "piano", "organ") if wall else choose(rng, "piano", "pad", "organ")
    plucks = style in ("house", "trance", "dnb", "trap", "pop", "synthpop", "dubstep") and rng.random() < 0.7
    program = {"pad": choose(rng, 48, 50, 89, 90, 91), "piano": choose(rng, 0, 1, 4, 5), "organ": choose(rng, 16, 17, 18)}
    stabs = [0] + sorted(int(k) for k in rng.choice(np.arange(2, 16), choose(rng, 1, 2, 3), replace=False))
    pattern = rng.permutation(8) % 4
    lead = rng.random() < 0.45
    melody = [int(x) for x in rng.choice([0, 2, 3, 5, 7, 10, 12], 16)]
    lead_program = choose(rng, 80, 81, 30, 56, 65, 73, 40, 11, 84) if style not in ("metal",) else choose(rng, 30, 48, 81)
    for bar in range(bars):
        root, minor = roots[bar]
        at, base = bar * 16, root + 12
        chord = [base, base + (3 if minor else 4), base + 7, base + 12]
        if wall in ("power", "chug"):
            chug = wall == "chug" and (bar // 4) % 2 == 0
            steps = [(k, 0.8) for k in kicks] if chug else [(k, 2) for k in range(0, 16, 2)] if rng.random() < 0.5 else [(0, 8), (8, 8)]
            for k, length in steps:
                for up in (0,) if chug and rng.random() < 0.4 else (0, 7, 12):
                    sketch.add(at + k, length * 0.95, root + up + (0 if root > 39 else 12), 88 + rng.integers(0, 24), 2, dirty)
        elif wall == "strum":
            for k in (0, 4, 6, 10, 12, 14):
                for i, pitch in enumerate([*chord, base + 19]):
                    sketch.add(at + k + i * 0.06, 2.2, pitch, 70 + rng.integers(0, 30), 2, dirty)
        elif wall == "skank":
            for k in range(16):
                if k % 4 != 0 and rng.random() < 0.55:
                    for pitch in chord[1:]:
                        sketch.add(at + k, 0.6, pitch + 12, 70 + rng.integers(0, 30), 2, 27)
        elif wall == "arpeggio":
            for i in range(8):
                sketch.add(at + 2 * i, 3, chord[pattern[i]], 80 + rng.integers(0, 20), 2, dirty)
        if second == "pad":
            for pitch in chord[:3]:
                sketch.add(at, 16, pitch + 12, 72, 3, program["pad"])
        elif second:
            for k in stabs:
                for pitch in chord[:3]:
                    sketch.add(at + k, 3 if second == "piano" else 6, pitch + 12, 76 + rng.integers(0, 20), 3, program[second])
        if plucks:
            for i in range(16):
                if (i * 5 + bar) % 3 or style == "trance":
                    sketch.add(at + i, 0.8, chord[pattern[i % 8]] + 12, 70 + rng.integers(0, 30), 4, 81)
        if lead and (bar // 8) % 2 == 1:
            for i in range(0, 16, 2):
                if rng.random() < 0.55:
                    sketch.add(at + i, choose(rng, 2, 3, 4), base + 12 + melody[(i // 2 + 8 * (bar % 2)) % 16], 92, 5, lead_program)


def jobs(config):
    out = []
    for i in range(SONGS + (RECORDED_CALIB if config.shared_data else 0)):
        styles = STYLES if i < FIRST else LATER_STYLES
        names, weights = list(styles), np.array([s[0] for s in styles.values()], float)
        rng = rng_for("beats-job", i, config.seed)
        style = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        share = share_of("beats", i, config.seed) if i < FIRST else 1.0
        split = "calib" if share < 0.09 or i >= SONGS else "test" if share < 0.17 else "train"
        job = {"source": "beats", "id": f"{style}-{i:04d}", "tune": f"beats-{i:04d}", "style": style, "split": split}
        if split == "train" or i >= SONGS:
            job["band"] = hire(rng_for("beats-band", i, config.seed), style, split, config.shared_data)
        out.append(job)
    return out


def harmony(rng, style, bars, key=None):
    """One (root, minor?) per bar: two sections of four chords, eight bars each. With `key`, (root, minor?), one chord
    throughout."""
    dark = style in ("metal", "trap", "trance", "dnb", "boombap") or rng.random() < 0.4
    low = int(rng.integers(28, 40))
    sections = [choose(rng, *(MINOR if dark else MAJOR)).split() for _ in range(2)]
    if key:
        return [key] * bars
    roots = []
    for bar in range(bars):
        token = sections[bar // 8 % 2][bar % 4]
        root = low + int(token.rstrip("m"))
        roots.append((root - 12 if root > 43 else root, token.endswith("m")))
    return roots


def build(job, config):
    rng = rng_for(job["source"], job["id"], config.seed)
    job["seed"] = config.seed
    style = job["style"]
    _, (low, high), sound, zoom = LATER_STYLES[style]
    tempo = int(rng.integers(low, high + 1))
    swing = rng.uniform(0.1, 0.33) if style in ("boombap", "blues", "funk") and rng.random() < 0.6 else 0.0
    sketch = Sketch(tempo, swing)
    bars = max(8, int(rng.uniform(48, 66) / (16 * sketch.step)))
    roots = harmony(rng, style, bars)
    kicks = kick_pattern(rng, style)
    if style == "metal" and rng.random() < 0.3:
        roots = [(r - 12 if r > 35 else r, m) for r, m in roots]
    package = "beats"
    if rng.random() < 0.45 and zoom_drums(rng, sketch, zoom, bars, tempo):
        package = "mma"
    else:
        own_drums(rng, sketch, style, bars, kicks)
    bass_line(rng, sketch, style, bars, roots, kicks)
    accompaniment(rng, sketch, style, bars, roots, kicks)
    notes = sorted(sketch.notes, key=lambda n: n.start)
    seconds = min(bars * 16 * sketch.step, 76.0)
    tune = Tune([n for n in notes if n.start < seconds - 0.1])
    make_song(config, job, tune, seconds, rng, sound, package, "generated")

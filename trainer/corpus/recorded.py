"""Instruments from recorded notes and hits: the folders of DATA/kits, played by their `mapping.json`.

A mapping lists samples with note, velocity layer, round robin and way of playing. Soundfonts have one or two layers per
note and one microphone; these have up to twelve layers, left and right hand, fingers and pick, bleed and room, which is
what drums and basses of real songs vary in.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from common import RATE, db, load_audio, loudest
from dsp import compress, filtered, highpass, lowpass, repitch, shelf_row
from kits import FALLBACK, ROLES, Drummer
from synths import hertz, place

# Folder of DATA/kits: (part of the band, split). An instrument is in one split only; none is in `test`, whose songs stay
# as they are. DATA/kits/sneakybass is left out: it is so quiet that the room is louder than its low strings, and a third of
# its notes have no pitch that can be measured.
INSTRUMENTS = {
    "muldjordkit": ("drums", "train"), "samssonor": ("drums", "train"), "gogodze_phu_2": ("drums", "train"),
    "fingerbass_yr": ("bass", "train"), "growlybass": ("bass", "train"), "pastabass": ("bass", "train"),
    "meatbass_pizz": ("bass", "train"), "swagbass": ("bass", "calib"),
    "emilyguitar": ("guitar", "train"), "shinyguitar": ("guitar", "train"), "spanish_guitar": ("guitar", "calib"),
}  # fmt: skip
# What metal and punk do not use
SOFT = ("meatbass_pizz", "spanish_guitar")
# Guitars that were recorded from their pickups and need an amplifier
DRY_GUITARS = ("emilyguitar",)
# Ways of playing, one of which is drawn per song
WAYS = {
    "fingerbass_yr": (("finger",), ("pick",)),
    "growlybass": (("sustain",), ("sustain", "staccato")),
    "pastabass": (("fetuccine_fingered_neck",), ("linguine_picked_bridge",), ("spaghetti_roundwound",), ("tagliatelle_muted_picked",)),
    "shinyguitar": (("archtop_mic",), ("archtop_pickup",)),
}
MACHINES = ("house", "trance", "dnb", "trap", "dubstep", "synthpop", "boombap")
# Second sample set for the same stroke (left foot, left hand), used in fast runs: GM note and its twin
TWINS = {"muldjordkit": {36: 35, 38: 40}, "samssonor": {38: 40}}
# A sample is used if its measured pitch is this close to its named one (semitones), and is tuned by the difference
TUNING = 0.75


def hire(rng, style, split, shared_data):
    """The recorded instruments of one song, {part: folder}; a part that is missing is played as before.

    Over the mix of styles in `beats`, about half of the songs get a recorded kit and bass, a third a recorded guitar."""
    chances = {"drums": 0.25 if style in MACHINES else 0.75, "bass": 0.25 if style in MACHINES else 0.75, "guitar": 0.45}
    band = {}
    for part, chance in chances.items():
        names = [n for n, (p, s) in INSTRUMENTS.items() if p == part and s == split and (Path(shared_data or "") / "kits" / n).is_dir()]
        if style in ("metal", "punk"):
            names = [n for n in names if n not in SOFT]
        drawn = rng.random() < chance
        if names and drawn:
            band[part] = str(rng.choice(names))
    return band


@lru_cache(maxsize=None)
def mapping(folder):
    return json.loads((Path(folder) / "mapping.json").read_text())


@lru_cache(maxsize=300)
def hit(path):
    """A drum sample (frames, 2) from its onset on."""
    audio = load_audio(path)
    start = int(np.argmax(loudest(audio) > 0.03 * (np.abs(audio).max() + 1e-9)))
    audio = audio[max(0, start - 48) :].copy()
    fade = min(len(audio), 1600)
    audio[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return audio


class RecordedDrums:
    """A recorded kit. Its samples keep their own loudness, so velocity chooses the sample and hardly scales it."""

    def __init__(self, rng, folder, others=(), stand_in=None):
        """`others`: kits of the same split to borrow a kick or a snare from. `stand_in`: the sampled kit that plays
        cymbals and percussion that this one lacks."""
        self.rng, self.folder, self.cache, self.last = rng, folder, {}, {}
        self.name = Path(folder).name
        self.used = [self.name]
        self.pieces = self.load(folder)
        for pitch in (36, 38):
            if others and rng.random() < 0.15:
                other = str(rng.choice(others))
                change = self.top(self.pieces[pitch]) - self.top(self.load(other)[pitch])
                self.pieces[pitch] = [(low, high, gain + change, level + change, file) for low, high, gain, level, file in self.load(other)[pitch]]
                self.used.append(Path(other).name)
        self.twins = TWINS.get(self.name, {}) if len(self.used) == 1 else {}
        if 23 in self.pieces and rng.random() < 0.2:
            self.pieces[42] = self.pieces[23]  # the whole song on hats held half open
        self.stand_in = Drummer(rng, stand_in) if stand_in else None
        shells, metal = rng.normal(0, 0.7), rng.normal(0, 0.4)
        cymbals = ("hat_closed", "hat_open", "hat_pedal", "crash", "ride", "bell", "china", "splash")
        roles = sorted(set(ROLES.values()))
        self.tune = {r: metal if r in cymbals else shells for r in roles}
        self.damp = {r: rng.uniform(0.15, 0.6) if r not in cymbals and rng.random() < 0.2 else 0 for r in roles}
        self.level = {r: rng.normal(0, 2) for r in roles}

    @staticmethod
    def top(layers):
        return max(level for *_, level, _ in layers)

    @staticmethod
    @lru_cache(maxsize=None)
    def by_piece(folder):
        pieces = {}
        for entry in mapping(folder):
            layer = (entry["velocity_low"], entry["velocity_high"], 0.0, entry["loudness_db"], str(Path(folder) / entry["file"]))
            pieces.setdefault(entry["gm_note"], {}).setdefault(entry["piece"], []).append(layer)
        return pieces

    def load(self, folder):
        """{GM note: layers (lowest velocity, highest, gain dB, loudness dB, file)}; where two pieces have one note
        (two ride bells), one is drawn."""
        found = self.by_piece(folder)
        return {pitch: sorted(found[pitch][sorted(found[pitch])[int(self.rng.integers(len(found[pitch])))]]) for pitch in sorted(found)}

    def find(self, pitch):
        """The note that plays `pitch` on this kit; None where the stand-in plays it."""
        role = ROLES.get(pitch, "shaker")
        for _ in range(4):
            if role is None:
                return None
            same = [p for p in self.pieces if ROLES.get(p) == role]
            if same:
                return pitch if pitch in same else min(same, key=lambda p: abs(p - pitch))
            if self.stand_in and role in self.stand_in.pieces and not role.startswith(("tom", "hat", "snare", "clap", "stick")):
                return None
            role = FALLBACK.get(role)
        return None

    def sound(self, pitch, velocity):
        layers = self.pieces[pitch]
        wanted = float(np.clip(velocity + self.rng.normal(0, 5), 1, 127))
        pick = next((i for i, (low, high, *_) in enumerate(layers) if low <= wanted <= high + 1), len(layers) - 1)
        low, high, gain, level, file = layers[pick]
        gain += 12 * (wanted - (low + high) / 2) / 127
        if self.last.get(pitch) == file and len(layers) > 1:
            # The same sample twice in a row sounds like a machine: take a neighbour at this one's loudness
            near = pick + 1 if pick == 0 or (pick + 1 < len(layers) and self.rng.random() < 0.5) else pick - 1
            gain += float(np.clip(level - layers[near][3], -6, 6))
            file = layers[near][4]
        self.last[pitch] = file
        role = ROLES.get(pitch, "hat_closed")
        key = (file, role)
        if key not in self.cache:
            audio = hit(file)
            audio = np.stack([repitch(np.ascontiguousarray(audio[:, c]), self.tune[role]) for c in (0, 1)], axis=1)
            if self.damp[role]:
                audio = audio * np.exp(-np.arange(len(audio)) / RATE / self.damp[role])[:, None]
            self.cache[key] = audio.astype(np.float32)
        return self.cache[key] * db(gain + self.level[role])

    def play(self, notes, seconds):
        """Notes of channel 10 to float32 (frames, 2)."""
        frames = int(seconds * RATE)
        out = np.zeros((frames, 2), np.float32)
        hats = np.array([n.start for n in notes if n.pitch in (42, 44, 46)])
        before, hand, left_over = {}, {}, []
        for note in notes:
            pitch, at = self.find(note.pitch), int(note.start * RATE)
            if pitch is None:
                left_over.append(note)
                continue
            if at >= frames:
                continue
            twin = self.twins.get(pitch)
            if twin and note.start - before.get(pitch, -9) < 0.25:
                hand[pitch] = not hand.get(pitch, False)
            else:
                hand[pitch] = False
            before[pitch] = note.start
            audio = self.sound(twin if hand[pitch] else pitch, note.velocity)
            if note.pitch == 46:
                later = hats[np.searchsorted(hats, note.start + 0.01) :][:1]
                stop = int((later[0] - note.start) * RATE) if len(later) else len(audio)
                if 0 < stop < len(audio) - 960:
                    audio = audio[: stop + 960].copy()
                    audio[stop:] *= np.linspace(1, 0, 960, dtype=np.float32)[:, None]
            part = audio[: frames - at]
            out[at : at + len(part)] += part
        if left_over and self.stand_in:
            # Hydrogen's cymbals are near full scale; a kit's own are some 6 dB below its snare
            extra = self.stand_in.play(left_over, seconds)
            strongest = db(self.top(self.pieces[38]) - 6)
            peaks = [np.sqrt(np.mean(a[: RATE // 5] ** 2)) for a in self.stand_in.cache.values()]
            out += extra * float(strongest / (max(peaks, default=1.0) + 1e-9))
            self.used += self.stand_in.used
        return out


@lru_cache(maxsize=None)
def strings(folder, way):
    """Samples of one way of playing: {pitch: [(layer, round robin, root pitch, file, level dB)]}; `level` is that of the
    first 0.3 s, in dBFS. Samples whose pitch is not what their name says are left out."""
    found = {}
    for entry in mapping(folder):
        if entry["articulation"] != way:
            continue
        measured = entry["detected_midi"]
        if measured is not None and abs(measured - entry["midi"]) > TUNING:
            continue
        file = str(Path(folder) / entry["file"])
        start = note_of(file, entry["midi"])[: int(0.3 * RATE)]
        level = 10 * np.log10(np.mean(start**2) + 1e-9)
        root = entry["midi"] if measured is None else measured
        found.setdefault(entry["midi"], []).append((entry["velocity_layer"], entry["round_robin"], root, file, level))
    return found


@lru_cache(maxsize=400)
def note_of(path, pitch):
    """A note, mono from its onset on, without what is below its fundamental (rumble of the room)."""
    audio = load_audio(path)
    mono = (audio[:, 0] + audio[:, 1]) * np.float32(0.5)
    mono = highpass(mono[:, None], 0.6 * float(hertz(pitch)), 4)[:, 0]
    start = int(np.argmax(np.abs(mono) > 0.03 * (np.abs(mono).max() + 1e-9)))
    return mono[max(0, start - 96) :]


class RecordedStrings:
    """A recorded bass or guitar: nearest note, layer by velocity, samples in turn."""

    def __init__(self, rng, folder, way=None, palm=False):
        """`way`: the ways of playing, drawn where None; two of them: the second plays short notes. `palm`: short notes
        are damped with the hand."""
        self.rng, self.turn, self.cache = rng, {}, {}
        name = Path(folder).name
        ways = WAYS.get(name, ((mapping(folder)[0]["articulation"],),))
        way = way or ways[int(rng.integers(len(ways)))]
        self.ways = [strings(folder, w) for w in way]
        # Median level of each layer, by way of playing
        self.usual = {id(w): {layer: float(np.median([s[4] for p in w for s in w[p] if s[0] == layer])) for layer in {s[0] for p in w for s in w[p]}} for w in self.ways}
        self.release = rng.uniform(0.02, 0.09)
        self.palm = rng.uniform(0.1, 0.25) if palm else None
        self.even = rng.uniform(0.3, 0.8)

    def choose(self, samples, pitch, velocity):
        """The sample for a note, its named pitch, and its gain in dB: the loudness of notes is partly evened, that of
        layers mostly kept."""
        near = min(samples, key=lambda p: abs(p - pitch))
        layers = sorted({s[0] for s in samples[near]})
        layer = layers[int(float(np.clip((velocity - 35) / 93, 0, 0.999)) * len(layers))]
        takes = [s for s in samples[near] if s[0] == layer]
        turn = self.turn[near] = self.turn.get(near, -1) + 1
        take = takes[turn % len(takes)]
        usual = self.usual[id(samples)]
        target = -18 + 0.6 * (usual[layer] - max(usual.values())) + (1 - self.even) * (take[4] - usual[layer])
        return take, near, target - take[4]

    def sound(self, note):
        seconds = max(0.06, note.end - note.start)
        short = seconds < 0.22
        samples = self.ways[1] if short and len(self.ways) > 1 else self.ways[0]
        (_, _, root, file, _), near, gain = self.choose(samples, note.pitch, note.velocity)
        key = (file, note.pitch)
        if key not in self.cache:
            self.cache[key] = repitch(note_of(file, near), float(np.clip(note.pitch - root, -24, 24)))
        y = self.cache[key]
        n = min(len(y), int((seconds + 4 * self.release) * RATE))
        t = np.arange(n) / RATE
        y = y[:n] * np.where(t < seconds, 1, np.exp(-(t - seconds) / self.release)).astype(np.float32)
        if self.palm and short:
            y = lowpass((y * np.exp(-t / self.palm).astype(np.float32))[:, None], 2500, 1)[:, 0]
        fade = min(len(y), 320)
        y[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        # `place` scales by velocity ** 1.4; layers hold part of that already
        layered = len(self.usual[id(samples)]) > 1
        gain = db(gain) * (max(note.velocity, 1) / 127) ** (-0.9 if layered else 0)
        return np.stack([y, y], axis=1) * np.float32(gain)

    def play(self, notes, seconds):
        return place(notes, seconds, self.sound)


def full(audio, rng):
    """A dry bass as it is mixed: peaks of its attacks held down, and low shelves where its low end is thin. Some of these
    instruments were recorded from the bridge pickup and have a tenth of their power below 150 Hz; the basses of
    DATA/train have 0.78 to 0.98 of it there."""
    if rng.random() < 0.8:
        audio = compress(audio, rng.uniform(8, 16), rng.uniform(3, 8), 0.001, rng.uniform(0.04, 0.12))
    wanted, rest = rng.uniform(0.5, 0.95), 20.0
    for _ in range(3):
        share = float(np.clip(np.mean(lowpass(audio, 150, 4) ** 2) / (np.mean(audio**2) + 1e-12), 0.01, 0.99))
        lift = float(np.clip(10 * np.log10(wanted * (1 - share) / (share * (1 - wanted))), 0, rest))
        if lift < 1:
            break
        audio, rest = filtered(audio, shelf_row(180, lift, high=False)), rest - lift
    return audio

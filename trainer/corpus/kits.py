"""Drum kits from samples (Hydrogen kits) and from synthesis, played from GM drum notes."""

import xml.etree.ElementTree as xml
from functools import lru_cache
from pathlib import Path

import numpy as np

from common import RATE, db, load_audio, loudest, readable
from dsp import highpass, lowpass, repitch

ROOT = Path("/usr/share/hydrogen/data/drumkits")

FOLDERS = {
    "lmms-drums": ("/usr/share/lmms/samples/drums", ("",)),
    "sonic-pi": ("/usr/share/sonic-pi/samples", ("drum_", "bd_", "sn_", "elec_hi_snare", "elec_lo_snare", "elec_mid_snare", "elec_filt")),
}

# GM drum note to role
ROLES = {
    27: "clap", 28: "clap", 31: "stick", 33: "stick", 34: "bell", 35: "kick", 36: "kick", 37: "stick",
    38: "snare", 39: "clap", 40: "snare", 41: "tom_low", 42: "hat_closed", 43: "tom_low", 44: "hat_pedal",
    45: "tom_low", 46: "hat_open", 47: "tom_mid", 48: "tom_mid", 49: "crash", 50: "tom_high", 51: "ride",
    52: "china", 53: "bell", 54: "tambourine", 55: "splash", 56: "cowbell", 57: "crash", 59: "ride",
    69: "shaker", 70: "shaker", 82: "shaker", 75: "stick", 76: "stick", 77: "stick",
    60: "conga_high", 61: "conga", 62: "conga_high", 63: "conga_high", 64: "conga", 65: "conga_high", 66: "conga",
}  # fmt: skip
FALLBACK = {
    "stick": "snare", "clap": "snare", "hat_pedal": "hat_closed", "hat_open": "hat_closed", "tom_mid": "tom_low",
    "tom_high": "tom_mid", "tom_low": "tom_mid", "china": "crash", "splash": "crash", "bell": "ride",
    "ride": "crash", "crash": "hat_open", "tambourine": "shaker", "conga_high": "conga",
}  # fmt: skip
WORDS = (
    ("cowbell", ("cowbell", "agogo")), ("tom_low", ("tom low", "floor", "low tom")), ("tom_high", ("tom hi", "tom 1", "high tom", "tomhi")),
    ("tom_mid", ("tom",)), ("hat_pedal", ("pedal hh", "hat pedal", "hi-hat pedal", "pedal hat", "hat 1 pd", "foot pedal", "cymbal pedal")),
    ("hat_open", ("open", "op ", "ohh", "hat free", "semi", "1 op")), ("hat_closed", ("hat", "hh", "closed")),
    ("bell", ("bell", "ride-cup")), ("china", ("china",)), ("splash", ("splash",)),
    ("ride", ("ride jazz", "ride rock", "ride",)), ("crash", ("crash", "cymbal")),
    ("stick", ("stick", "rim click", "clave", "rim0", "wood")), ("clap", ("clap",)), ("snare", ("snare",)),
    ("kick", ("kick", "bass drum", "bassdrum")), ("tambourine", ("tambourine",)), ("shaker", ("shaker", "maraca")),
    ("conga", ("conga",)),
)  # fmt: skip
PANS = {
    "tom_low": 0.5, "tom_mid": 0.1, "tom_high": -0.4, "hat_closed": -0.35, "hat_open": -0.35, "hat_pedal": -0.35,
    "ride": 0.45, "bell": 0.45, "crash": -0.4, "china": 0.5, "splash": 0.2, "cowbell": 0.3, "tambourine": 0.4,
    "shaker": 0.4, "conga": 0.3, "conga_high": 0.4,
}  # fmt: skip


def role_of(name):
    name = name.lower()
    if any(w in name for w in ("roll", "whistle", "sample", "flink", "choke")):
        return None
    if name.startswith(("bd", "drum bass", "sn ")):
        return "snare" if name.startswith("sn") else "kick"
    if "crash/ride" in name:
        return "crash"
    name = name.split("(")[0]
    for role, words in WORDS:
        if any(w in name for w in words):
            return role
    return None


def _text(node, tag, default):
    found = node.find(tag)
    return default if found is None or found.text is None else found.text


def folder_kit(folder, prefixes):
    """A kit from single hits in a folder, whose names say what they are."""
    kit = {}
    for path in sorted(Path(folder).iterdir()):
        role = role_of(path.stem.lower().replace("_", " "))
        if role and path.name.startswith(prefixes) and readable(path):
            kit.setdefault(role, []).append([(0.0, 1.0, 1.0, str(path))])
    return kit


@lru_cache(maxsize=None)
def sampled_kit(name):
    """A kit as {role: [instrument]}; an instrument is [(min, max, gain, file)]."""
    if name in FOLDERS:
        return folder_kit(*FOLDERS[name])
    tree = xml.fromstring((ROOT / name / "drumkit.xml").read_bytes())
    for node in tree.iter():
        node.tag = node.tag.split("}")[-1]
    kit = {}
    for instrument in tree.iter("instrument"):
        role = role_of(_text(instrument, "name", ""))
        if role is None:
            continue
        volume = float(_text(instrument, "volume", "1"))
        layers = []
        for layer in list(instrument.iter("layer")) or [instrument]:
            file = ROOT / name / _text(layer, "filename", "-")
            if file.is_file():
                low, high = float(_text(layer, "min", "0")), float(_text(layer, "max", "1"))
                gain = float(_text(layer, "gain", "1")) if layer is not instrument else 1.0
                layers.append((low, high, volume * gain, str(file)))
        if layers:
            kit.setdefault(role, []).append(layers)
    return kit


@lru_cache(maxsize=400)
def sample(path):
    audio = load_audio(path)
    start = int(np.argmax(loudest(audio) > 0.01 * (np.abs(audio).max() + 1e-9)))
    audio = audio[max(0, start - 32) : start + 3 * RATE]
    loud = np.flatnonzero(loudest(audio) > 3e-4)
    return audio[: loud[-1] + 1] if len(loud) else audio[:1]


def synthetic_kit(rng, flavour):
    """An electronic kit: {role: mono hit}. Flavours: "house", "trap", "industrial"."""

    def tone(seconds, start, end, sweep, decay):
        t = np.arange(int(seconds * RATE)) / RATE
        hz = end + (start - end) * np.exp(-t / sweep)
        return np.sin(2 * np.pi * np.cumsum(hz) / RATE) * np.exp(-t / decay)

    def noise(seconds, low, decay, high=15500):
        x = rng.standard_normal((int(seconds * RATE), 1)).astype(np.float32)
        x = lowpass(highpass(x, low), high)[:, 0]
        return x * np.exp(-np.arange(len(x)) / RATE / decay) / (np.abs(x).max() + 1e-9)

    def pad(*parts):
        n = max(len(p) for p in parts)
        return sum(np.pad(p, (0, n - len(p))) for p in parts)

    long = {"house": (0.12, 0.3), "trap": (0.15, 0.5), "industrial": (0.1, 0.25)}[flavour]
    hard = rng.uniform(1, 6) if flavour == "industrial" else rng.uniform(0.8, 2.5)
    kick = tone(0.9, rng.uniform(150, 500), rng.uniform(42, 62), rng.uniform(0.01, 0.04), rng.uniform(*long))
    kick = np.tanh(hard * pad(kick, rng.uniform(0, 0.3) * noise(0.02, 2000, 0.004)))
    body = tone(0.4, rng.uniform(250, 400), rng.uniform(160, 230), 0.015, rng.uniform(0.05, 0.12))
    snare = pad(body * rng.uniform(0.3, 1), noise(0.6, rng.uniform(400, 1800), rng.uniform(0.05, 0.18)))
    claps = np.zeros(int(0.5 * RATE))
    for lag in (0, 0.011, 0.021, 0.03):
        part = noise(0.3, 900, 0.012 if lag < 0.03 else rng.uniform(0.06, 0.15), 9000)
        claps[int(lag * RATE) :][: len(part)] += part
    metal = sum(np.sign(np.sin(2 * np.pi * f * np.arange(RATE) / RATE)) for f in rng.uniform(300, 1400, 6))
    metal = highpass(metal[:, None].astype(np.float32), rng.uniform(5500, 8500), 4)[:, 0]
    metal = metal / np.abs(metal).max() * rng.uniform(0.2, 1) + noise(1.0, 7000, 10.0) * 0.6
    t = np.arange(RATE) / RATE
    tom = rng.uniform(80, 110)
    kit = {
        "kick": kick,
        "snare": np.tanh(snare * hard * 0.7),
        "clap": claps,
        "stick": tone(0.1, 1800, rng.uniform(500, 1700), 0.004, 0.02),
        "hat_closed": metal * np.exp(-t / rng.uniform(0.012, 0.05)),
        "hat_open": metal * np.exp(-t / rng.uniform(0.12, 0.35)),
        "crash": noise(2.5, 3500, rng.uniform(0.5, 1.0)),
        "ride": metal * np.exp(-t / 0.25) * 0.6,
        "shaker": noise(0.15, 5000, 0.03),
        "cowbell": np.sign(tone(0.3, 562, 562, 1, 1)) * np.exp(-t[: int(0.3 * RATE)] / 0.06) * 0.5,
    }
    for i, role in enumerate(("tom_low", "tom_mid", "tom_high")):
        kit[role] = tone(0.6, tom * (2 + i), tom * (1 + 0.35 * i), 0.03, 0.18)
    kit["conga"] = tone(0.3, 330, 300, 0.01, 0.07)
    return {k: (v / (np.abs(v).max() + 1e-9)).astype(np.float32) for k, v in kit.items()}


class Drummer:
    """One song's kit: its pieces are chosen, tuned, damped and panned once, then played."""

    def __init__(self, rng, base, others=(), swap=0.35, flavour=None):
        self.rng, self.cache, self.used = rng, {}, [base or f"synthetic {flavour}"]
        self.synthetic = synthetic_kit(rng, flavour) if flavour else {}
        self.pieces = {}
        kit = sampled_kit(base) if base else {}
        for role, instruments in kit.items():
            self.pieces[role] = instruments[int(rng.integers(len(instruments)))]
        for other in others:
            for role in ("kick", "snare", "hat_closed"):
                if rng.random() < swap and role in sampled_kit(other):
                    choices = sampled_kit(other)[role]
                    self.pieces[role] = choices[int(rng.integers(len(choices)))]
                    self.used.append(other)
                    if role == "hat_closed":
                        for twin in ("hat_open", "hat_pedal"):
                            if twin in sampled_kit(other):
                                self.pieces[twin] = sampled_kit(other)[twin][0]
        roles = sorted(set(ROLES.values()))  # sorted: Python orders a set of strings differently in every process
        self.tune = {r: rng.normal(0, 1.2) for r in roles}
        self.damp = {r: rng.uniform(0.1, 0.6) if rng.random() < 0.3 else 0 for r in roles}
        self.level = {r: db(rng.normal(0, 1.5)) for r in roles}
        self.side = rng.choice([-1, 1]) * rng.uniform(0.2, 1)
        self.hardness = rng.uniform(1.2, 2.2)

    def find(self, role):
        for _ in range(4):
            if role in self.pieces or role in self.synthetic:
                return role
            role = FALLBACK.get(role)
        return None

    def hit(self, role, velocity):
        """The sample to play (frames, 2) for a role at a velocity of 0 to 1."""
        if role in self.pieces:
            layers = self.pieces[role]
            wanted = float(np.clip(velocity + self.rng.normal(0, 0.03), 0, 1))
            fits = [n for n, (low, high, _, _) in enumerate(layers) if low <= wanted <= high]
            pick = fits[int(self.rng.integers(len(fits)))] if fits else len(layers) - 1
        else:
            layers, pick = [None], 0
        soft = 2 if velocity > 0.75 else 1 if velocity > 0.45 else 0
        key = (role, pick, soft if len(layers) == 1 else 2)
        if key not in self.cache:
            if role in self.pieces:
                audio = sample(layers[pick][3]) * layers[pick][2]
            else:
                audio = np.repeat(self.synthetic[role][:, None], 2, axis=1)
            audio = np.stack([repitch(np.ascontiguousarray(audio[:, c]), self.tune[role]) for c in (0, 1)], axis=1)
            if key[2] < 2:
                audio = lowpass(audio, (5000, 9000)[key[2]], 1)
            if self.damp[role]:
                audio = audio * np.exp(-np.arange(len(audio)) / RATE / self.damp[role])[:, None]
            fade = min(len(audio), 160)
            audio[-fade:] *= np.linspace(1, 0, fade)[:, None]
            place = PANS.get(role, 0) * self.side
            audio = audio * np.array([min(1, 1 - place), min(1, 1 + place)]) * self.level[role]
            self.cache[key] = audio.astype(np.float32)
        return self.cache[key]

    def play(self, notes, seconds):
        """Notes of channel 10 to float32 (frames, 2)."""
        frames = int(seconds * RATE)
        out = np.zeros((frames, 2), np.float32)
        hats = [n.start for n in notes if n.pitch in (42, 44, 46)]
        for note in notes:
            role = self.find(ROLES.get(note.pitch, "shaker"))
            at = int(note.start * RATE)
            if role is None or at >= frames:
                continue
            velocity = note.velocity / 127
            audio = self.hit(role, velocity)
            if note.pitch == 46:
                later = [h for h in hats[np.searchsorted(hats, note.start + 0.01) :][:1]]
                stop = int((later[0] - note.start) * RATE) if later else len(audio)
                if 0 < stop < len(audio) - 640:
                    audio = audio[: stop + 640].copy()
                    audio[stop:] *= np.linspace(1, 0, 640)[:, None]
            part = audio[: frames - at]
            out[at : at + len(part)] += part * float(velocity**self.hardness)
        return out

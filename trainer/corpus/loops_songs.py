"""Source "loops": songs around recorded or programmed loops of DATA/loops.

A loop is one stem (for a guitar: a part of one), repeated in time; bass, guitars, keys and, for guitar and bass loops,
drums are composed around it as in `beats_songs.py`, at its tempo. A bass follows the kick of a drum loop."""

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

import dsp
from beats_songs import DRUM_CHANNEL, KICK, LATER_STYLES, Sketch, accompaniment, bass_line, choose, harmony, kick_pattern, own_drums
from common import RATE, load_audio, mono_of, rng_for
from notes import Tune
from produce import make_song
from recorded import hire
from synths import hertz

SONGS = {"train": 150, "calib": 15}
# Folders that calibration songs alone use
CALIB_FOLDERS = ("waivops-pop-rok", "waivops-edm-tr9", "mdn-guitar")
# Beats per minute where song.json states none or is off: measured as the periods of the onsets over the whole file
TEMPO = {"cwilso-webaudio/drums": 100.0, "mlr-rs/drums": 128.0, "mlr-rs/other": 128.0, "taiko-jobro/drums": 140.0, "stemplayer-106/drums": 105.5}
# Six seconds of drums in which no tempo was found, and speech
LEFT_OUT = ("vndecorrelate/drums", "vndecorrelate/vocals")
# Clips that start together and are one part
LAYERED = ("mlr-rs/drums",)
# Dry guitars that need an amplifier
DRY = ("gulmini-guitar-di",)
SHORTEST_S, SILENT_DB = 3.0, -40.0
# Encoder delay of the mp3 files that the waivops folders were decoded from: their first beat is at 1,105 samples
MP3_DELAY_S = 1105 / 44100
STYLES = {
    "cwilso-webaudio": ("pop", "indie"), "mlr-rs": ("house",), "stemplayer-106": ("disco", "pop"), "taiko-jobro": ("trance", "metal"),
    "waivops-edm-hse": ("house", "disco"), "waivops-edm-tr8": ("synthpop", "trap", "house"), "waivops-edm-tr9": ("house", "trance"),
    "waivops-hh-lfbb": ("boombap",), "waivops-hh-trp": ("trap",), "waivops-jaz-drm": ("blues",), "waivops-pop-rok": ("rock", "pop", "indie"),
    "waivops-wrld-lp": ("reggae", "pop", "disco"), "waivops-wrld-smb": ("funk", "pop"), "fof-tutorial-guitar": ("rock", "metal"),
    "gulmini-guitar-di": ("rock", "indie", "funk", "blues", "pop"), "mdn-guitar": ("ballad", "pop"), "vndecorrelate": ("ballad", "pop"),
    "funk": ("funk", "pop", "indie"), "soul": ("funk", "pop", "ballad"), "hiphop": ("boombap", "pop"),
}  # fmt: skip
PROFILES = {False: (0, 4, 7), True: (0, 3, 7)}


@lru_cache(maxsize=None)
def clips(shared_data):
    """Usable clips by folder and stem: {(folder, stem): [clip of song.json]}."""
    found = {}
    for path in sorted((Path(shared_data or "/nowhere") / "loops").glob("*/song.json")):
        for stem, listed in json.loads(path.read_text())["clips"].items():
            key = f"{path.parent.name}/{stem}"
            usable = [c for c in listed if c["seconds"] >= SHORTEST_S and c["rms"] > SILENT_DB]
            if key not in LEFT_OUT and usable:
                found[path.parent.name, stem] = usable[:1] if key in LAYERED else usable
    return found


def jobs(config):
    out = []
    for split, count in SONGS.items():
        table = {k: v for k, v in clips(config.shared_data).items() if (k[0] in CALIB_FOLDERS) == (split == "calib")}
        if not table:
            continue
        keys = sorted(table)
        # A folder of many clips is drawn more often, but not in proportion; guitars less than drums and the one bass
        weights = np.array([len(table[k]) ** 0.5 * (0.5 if k[1] == "other" else 1.0) for k in keys])
        for i in range(count):
            rng = rng_for("loops-job", split, i, config.seed)
            folder, stem = keys[int(rng.choice(len(keys), p=weights / weights.sum()))]
            number = int(rng.integers(len(table[folder, stem])))
            name = table[folder, stem][number]["name"]
            word = next((w for w in ("funk", "soul", "hiphop") if w in name), folder)
            style = choose(rng, *STYLES.get(folder, STYLES.get(word)))
            job = {"source": "loops", "id": f"{folder}-{split[0]}{i:03d}", "tune": f"loops-{split}-{i:03d}", "split": split}
            job |= {"folder": folder, "stem": stem, "clip": number, "style": style}
            band = hire(rng, style, split, config.shared_data)
            job["band"] = {part: name for part, name in band.items() if part != stem}
            out.append(job)
    return out


@lru_cache(maxsize=2)
def recording(folder, stem):
    return load_audio(Path(folder) / f"{stem}.ogg")


def onsets(mono, hop=320):
    """Rises of level, in blocks of 10 ms."""
    power = np.square(mono[: len(mono) // hop * hop]).reshape(-1, hop).mean(axis=1)
    return np.maximum(np.diff(np.log(power + 1e-7), prepend=0), 0)


def measured_tempo(mono, seconds):
    """Tempo at which the clip is a whole number of bars, nearest to the strongest period of its onsets."""
    rises, t = onsets(mono), np.arange(len(mono) // 320) * 0.01
    candidates = [240 * bars / seconds for bars in range(1, 40) if 70 <= 240 * bars / seconds <= 150]
    strength = [sum(abs(np.sum(rises * np.exp(-2j * np.pi * t * bpm * k / 60))) for k in (1, 2)) for bpm in candidates]
    return float(candidates[int(np.argmax(strength))])


def cut(folder, stem, number, shared_data):
    """A clip as whole bars of audio (frames, 2), and its tempo."""
    listed = clips(shared_data)[Path(folder).name, stem]
    audio, name = recording(folder, stem), f"{Path(folder).name}/{stem}"
    clip = listed[number]
    begin = clip["start"] + (MP3_DELAY_S if clip["name"].endswith(".mp3") else 0)
    part = audio[int(begin * RATE) : int((clip["start"] + clip["seconds"]) * RATE)]
    if name in LAYERED:
        layers = json.loads((Path(folder) / "song.json").read_text())["clips"][stem]
        part = sum(audio[int(c["start"] * RATE) :][: int(min(x["seconds"] for x in layers) * RATE)] for c in layers)
    tempo = TEMPO.get(name) or clip.get("bpm") or measured_tempo(mono_of(part), len(part) / RATE)
    bar = 240 / tempo
    bars = max(1, int(len(part) / RATE / bar + 0.06))
    return part[: int(round(bars * bar * RATE))], float(tempo), bars


def shifted(audio, semitones, bars, tempo):
    """The loop at another speed, its length exactly `bars` bars of `tempo`."""
    audio = np.stack([dsp.repitch(np.ascontiguousarray(audio[:, c]), semitones) for c in (0, 1)], axis=1)
    frames = int(round(bars * 240 / tempo * RATE))
    audio = np.pad(audio, ((0, max(0, frames - len(audio))), (0, 0)))[:frames].copy()
    fade = np.linspace(0, 1, 160, dtype=np.float32)[:, None]
    audio[:32] *= fade[::5]
    audio[-160:] *= fade[::-1]
    return audio


def key_of(audio):
    """(root, minor?) of a loop, by its spectrum folded to twelve pitch classes; the root is a bass note."""
    mono = mono_of(audio)
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)))) ** 2
    hz = np.arange(len(power)) * RATE / len(mono)
    chroma = np.zeros(12)
    for pitch in range(36, 90):
        near = (hz > hertz(pitch - 0.3)) & (hz < hertz(pitch + 0.3))
        chroma[pitch % 12] += np.sqrt(power[near].sum())
    scores = {(root, minor): sum(chroma[(root + step) % 12] * w for step, w in zip(steps, (1.5, 1, 1))) for root in range(12) for minor, steps in PROFILES.items()}
    root, minor = max(scores, key=scores.get)
    return 28 + (root - 28) % 12, minor


def kicks_of(audio, bars):
    """Sixteenths of a bar on which a drum loop's low end strikes."""
    low = mono_of(dsp.lowpass(audio, 110, 4))
    grid = np.zeros(16)
    step = len(low) / bars / 16
    for i in range(bars * 16):
        at = int(i * step)
        before, after = low[max(0, at - int(0.6 * step)) : max(1, at - int(0.25 * step))], low[at : at + int(0.7 * step)]
        grid[i % 16] += max(0.0, float(np.mean(after**2) - np.mean(before**2)))
    steps = [i for i in range(16) if grid[i] > 0.25 * grid.max()]
    return sorted({0, *steps}) if len(steps) < 10 else list(range(0, 16, 4))


def build(job, config):
    rng = rng_for("loops", job["id"], config.seed)
    job["seed"] = config.seed
    folder, stem, style = str(Path(config.shared_data) / "loops" / job["folder"]), job["stem"], job["style"]
    audio, bpm, bars = cut(folder, stem, job["clip"], config.shared_data)
    # Drums may be tuned freely; what has a pitch moves by whole semitones, so that the band can be in tune
    shift = float(np.clip(rng.normal(0, 0.6), -1.3, 1.3)) if stem == "drums" else float(rng.integers(-2, 3))
    tempo = bpm * 2 ** (shift / 12)
    parts = [shifted(audio, shift, bars, tempo)]
    key = key_of(parts[0]) if stem != "drums" else None
    if rng.random() < 0.5:
        # Another clip of the folder in every other section, where its tempo is near and it is the same kind of part
        near = []
        for number in range(len(clips(config.shared_data)[job["folder"], stem])):
            other, other_bpm, other_bars = cut(folder, stem, number, config.shared_data)
            change = 12 * np.log2(tempo / other_bpm)
            if number != job["clip"] and stem == "drums" and abs(change) < 1.3:
                near.append((other, change, other_bars))
        if near:
            other, change, other_bars = near[int(rng.integers(len(near)))]
            parts.append(shifted(other, change, other_bars, tempo))
    total = max(8, int(rng.uniform(48, 66) / (240 / tempo)))
    seconds = min(total * 240 / tempo, 76.0)
    given = np.zeros((int(seconds * RATE), 2), np.float32)
    at, bar = 0.0, 240 / tempo
    while round(at * RATE) < len(given):
        part = parts[int(at / bar / 8 + 0.01) % len(parts)]
        begin = int(round(at * RATE))
        piece = part[: len(given) - begin]
        given[begin : begin + len(piece)] += piece
        at += round(len(part) / RATE / bar) * bar
    if job["folder"] in DRY:
        given = dsp.distort(given, rng, style == "metal") if rng.random() < 0.6 else dsp.cabinet(dsp.drive(given, rng.uniform(-6, 6)), rng)
    # Jazz drums swing in triplets: the sixteenth before a beat comes a third of its length early
    sketch = Sketch(tempo, -1 / 3 if job["folder"] == "waivops-jaz-drm" else 0.0)
    roots = harmony(rng, style, total, key)
    kicks = kicks_of(parts[0], round(len(parts[0]) / RATE / bar)) if stem == "drums" else kick_pattern(rng, style)
    if stem == "drums":
        for i in range(total):  # silent: the side-chain's pump needs to know where the kick is
            for k in kicks:
                sketch.add(i * 16 + k, 1, KICK, 110, DRUM_CHANNEL)
    else:
        own_drums(rng, sketch, style, total, kicks)
    bass_line(rng, sketch, style, total, roots, kicks)
    if stem == "bass":
        sketch.notes = [n for n in sketch.notes if n.stem != "bass"]
    if stem != "other" or rng.random() < 0.6:
        accompaniment(rng, sketch, style, total, roots, kicks)
    notes = sorted(sketch.notes, key=lambda n: n.start)
    tune = Tune([n for n in notes if n.start < seconds - 0.1])
    sound = "jazz" if job["folder"] == "waivops-jaz-drm" else LATER_STYLES[style][2]
    make_song(config, job, tune, seconds, rng, sound, "beats", "generated", {stem: given}, [folder])

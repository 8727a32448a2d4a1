"""A lead voice from recorded phrases: cut, re-pitched, placed with rests, and mixed."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

import dsp
import sung
from common import RATE, db, load_audio, mono_of
from packages import CHOIRS, SPEAKERS, singer
from real import SECOND_TEST_VOICES, credit_of, folders, voice_split

PHRASE = (1.0, 9.0)
# Length that stands for a vocoded singer when one is drawn. With it, about half of the train songs that are sung have
# a recorded singer, however many speakers there are.
MADE_S = 5.0


@lru_cache(maxsize=None)
def catalogue(shared_data):
    """Every voice as (name, pool, kind, song.json); a pool is a split or "second test"."""
    found = []
    for folder in folders(Path(shared_data) / "voices") if shared_data else ():
        song = json.loads((folder / "song.json").read_text())
        kind = "speech" if "speech" in song["kind"] else "singing"
        pool = "second test" if folder.name in SECOND_TEST_VOICES else voice_split(folder.name)
        found.append((folder.name, pool, kind, song))
    songs = {name: song for name, _, _, song in found}
    for name in (*SPEAKERS, *CHOIRS):
        licence, credit = singer(name)
        song = {"licence": licence, "origin": credit, "licence_note": "", "seconds": sung.SUNG_S / 6}
        found.append((name, "train", "singing", song | {"seconds": MADE_S}))
        if name in SPEAKERS:
            found.append((name, "train", "speech", song))
    for name in sung.recorded_speakers(shared_data):
        found.append((name, "train", "singing", songs[name] | {"seconds": MADE_S}))
    return found


@lru_cache(maxsize=None)
def phrases(out, shared_data, seed, name, kind):
    """Mono phrases of a voice, cut at its silences and joined to a singable length."""
    recorded = sung.recorded_speakers(shared_data) if kind == "singing" else {}
    made = name in SPEAKERS or name in CHOIRS or name in recorded
    rendered = Path(out) / ("sung" if made else "voice") / name / "vocals.flac"
    if made and kind == "speech":
        mono = sung.spoken(name)
    elif rendered.exists():
        mono = mono_of(soundfile.read(str(rendered), dtype="float32")[0])
    elif made:
        mono = mono_of(sung.sing(seed, name, recorded.get(name)))
    else:
        folder = Path(shared_data) / "voices" / name
        mono = mono_of(load_audio(next(folder.glob("*.ogg"))))
    hop = RATE // 50
    n = len(mono) // hop
    level = np.sqrt(np.square(mono[: n * hop]).reshape(n, hop).mean(axis=1))
    sounding = level > np.percentile(level, 95) * db(-38)
    clips, start, quiet = [], None, 0
    for i in range(n + 1):
        if i < n and sounding[i]:
            start = i if start is None else start
            quiet = 0
        elif start is not None:
            quiet += 1
            if quiet >= 12 or i == n:
                clips.append(mono[start * hop : min(len(mono), (i - quiet + 3) * hop)])
                start, quiet = None, 0
    joined, current = [], None
    for clip in clips:
        for at in range(0, len(clip), int(PHRASE[1] * RATE)):
            part = clip[at : at + int(PHRASE[1] * RATE)]
            if len(part) < 0.15 * RATE:
                continue
            part = part * (0.1 / (np.sqrt(np.mean(part**2)) + 1e-6)) ** 0.7
            fade = min(400, len(part) // 4)
            part[:fade] *= np.linspace(0, 1, fade)
            part[-fade:] *= np.linspace(1, 0, fade)
            gap = np.zeros(int(0.12 * RATE), np.float32)
            current = part if current is None else np.concatenate([current, gap, part])
            if len(current) > PHRASE[0] * RATE:
                joined.append(current.astype(np.float32))
                current = None
    return joined


def line(rng, pool, seconds, shift, busy, first=None):
    """Consecutive phrases with rests, from a random one on; `busy` is the sung fraction."""
    frames = int(seconds * RATE)
    out = np.zeros(frames, np.float32)
    index = int(rng.integers(len(pool))) if first is None else first
    at = int(rng.uniform(0, 6) * RATE) if busy < 0.8 else int(rng.uniform(0, 2) * RATE)
    where = []
    while at < frames - RATE // 2:
        if rng.random() < 0.15:
            index = int(rng.integers(len(pool)))
        phrase = dsp.repitch(pool[index % len(pool)], shift) * db(rng.normal(0, 1.5))
        index += 1
        part = phrase[: frames - at]
        out[at : at + len(part)] += part
        where.append((at, len(part), index - 1))
        rest = len(phrase) * (1 - busy) / busy * rng.uniform(0.2, 1.8)
        at += len(phrase) + int(min(rest, 9 * RATE))
    return out, where


def choose(rng, pool, rap):
    """A voice from the pool, as (name, kind, song.json), weighted towards the larger ones."""
    kind = "speech" if rap else "singing"
    pool = [v for v in pool if v[2] == kind] or pool
    weights = np.array([min(v[3]["seconds"], 250) ** 0.5 for v in pool])
    name, _, kind, song = pool[int(rng.choice(len(pool), p=weights / weights.sum()))]
    return name, kind, song


def vocals(rng, config, split, seconds, rap=False, name=None):
    """A finished vocal stem and the facts for song.json, or (None, {}) where the split has no voices.

    With `name`, that voice sings, whatever its pool."""
    voices = [v for v in catalogue(config.shared_data) if (v[0] == name if name else v[1] == split)]
    if not voices:
        return None, {}
    name, kind, song = choose(rng, voices, rap)
    pool = phrases(config.out, config.shared_data, config.seed, name, kind)
    shift = rng.uniform(-4, 4) if kind == "singing" else rng.uniform(-2, 3)
    busy = rng.uniform(0.75, 0.97) if rap else rng.uniform(0.5, 0.9)
    mono, where = line(rng, pool, seconds, shift, busy)
    lead = dsp.highpass(np.stack([mono, mono], axis=1), rng.uniform(70, 150))
    lead = dsp.random_eq(lead, rng, 3)
    lead = dsp.peak(lead, rng.uniform(2500, 5000), rng.uniform(-1, 4), 0.8)
    lead = dsp.compress(lead, rng.uniform(6, 16), rng.uniform(2, 6), 0.004, rng.uniform(0.06, 0.2))
    if rng.random() < 0.25:
        lead = dsp.drive(lead, rng.uniform(0, 14))
    if rng.random() < 0.35:
        cents = rng.uniform(8, 25)
        for side, lag in ((-1, rng.uniform(0.012, 0.03)), (1, rng.uniform(0.02, 0.04))):
            copy = np.zeros(len(mono), np.float32)
            for at, length, _ in where:
                part = dsp.repitch(mono[at : at + length], side * cents / 100)
                begin = at + int((lag + rng.normal(0, 0.006)) * RATE)
                part = part[: max(0, len(copy) - begin)]
                copy[begin : begin + len(part)] += part
            stereo = dsp.highpass(np.stack([copy, copy], axis=1), 180)
            lead = lead + dsp.pan(stereo, side * rng.uniform(0.4, 1)) * db(rng.uniform(-12, -4))
    if rng.random() < 0.25:
        backing, _ = line(rng, pool, seconds, shift + float(rng.choice([-5, 3, 4, 7])), 0.35)
        stereo = dsp.highpass(np.stack([backing, backing], axis=1), 250)
        stereo = dsp.pan(dsp.widen(stereo, rng), rng.uniform(-0.7, 0.7))
        lead = lead + stereo * db(rng.uniform(-14, -6))
    if rng.random() < 0.85:
        lead = dsp.reverb(lead, rng, rng.uniform(0.4, 2.8), rng.uniform(-26, -9), rng.uniform(2500, 9000), rng.uniform(0, 0.06))
    if rng.random() < 0.35:
        lead = dsp.delay(lead, rng, rng.uniform(0.12, 0.55), rng.uniform(-24, -10))
    facts = {"voice": name, "voice_kind": kind, "voice_licence": song["licence"], "voice_credit": credit_of(song)}
    return lead, facts

"""Source "sung": spoken words, sung to melodies drawn at random.

Some thirty recorded singers are few, and an encoder that knows few voices takes an unknown one
for an instrument. Packages and the folder of recordings contain many more people who speak. The
WORLD vocoder (Morise, Yokomori and Ozawa 2016) splits their speech into pitch, envelope and
breath, and joins these again with the pitch of a melody and the length of a note. Each speaker
gives a solo track of about two minutes, cut into phrases and mixed by `voices.py` like a recorded
singer's.
"""

import glob
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

import dsp
from common import RATE, db, load_audio, mono_of, rng_for, write_song
from packages import CHOIRS, SPEAKERS, singer
from real import SPEECH_ONLY, credit_of, folders, voice_split

FRAME_S = 0.005
SPOKEN_S = 75.0
SUNG_S = 130.0
# Recordings that end below this frequency get a top of their own. Codecs of ordinary quality end at 13 kHz and above.
FULL_BAND_HZ = 10000
SCALES = ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))


@lru_cache(maxsize=None)
def recorded_speakers(shared_data):
    """Speakers of the folder of recordings that the vocoder makes sing: {name: folder}."""
    root = Path(shared_data or "/nowhere") / "voices"
    return {
        f.name: str(f)
        for f in folders(root)
        if (f / "speech.ogg").exists() and f.name not in SPEECH_ONLY and voice_split(f.name) == "train"
    }


def jobs(config):
    made = [{"source": "sung", "id": name, "split": "train"} for name in (*SPEAKERS, *CHOIRS)]
    recorded = recorded_speakers(config.shared_data)
    return made + [{"source": "sung", "id": name, "split": "train", "path": path} for name, path in recorded.items()]


def build(job, config):
    name, folder = job["id"], job.get("path")
    if folder:
        song = json.loads((Path(folder) / "song.json").read_text())
        licence, credit = song["licence"], credit_of(song)
    else:
        licence, credit = singer(name)
    info = {"artist": name, "licence": licence, "credit": credit, "voice": name, "kind": "singing", "split": "train"}
    write_song(config.out, "sung", name, {"vocals": sing(config.seed, name, folder)}, info)


def spoken_parts(name, folder):
    """A speaker's recordings, mono at RATE: a package's files, or a folder's one file cut at its silences."""
    if folder is None:
        pattern, _, _ = SPEAKERS[name]
        files = sorted(glob.glob(pattern, recursive=True))
        rng_for("clips", name).shuffle(files)
        for path in files:
            if soundfile.info(path).samplerate >= RATE:
                yield load_audio(path).mean(axis=1)
        return
    mono = mono_of(load_audio(Path(folder) / "speech.ogg"))
    hop = RATE // 100
    level = np.square(mono[: len(mono) // hop * hop]).reshape(-1, hop).mean(axis=1)
    # The clips are joined by 0.5 s of digital silence
    quiet = np.convolve(level < 1e-9, np.ones(30), "same") >= 30
    edges = np.flatnonzero(np.diff(np.concatenate([[1], quiet.astype(int), [1]]))).reshape(-1, 2)
    for first, last in edges:
        while last - first > 700:
            # Too long for one clip: cut where it is quietest between 4 and 7 seconds
            smooth = np.convolve(level[first + 400 : first + 700], np.ones(10), "same")
            cut = first + 400 + int(np.argmin(smooth))
            yield mono[first * hop : cut * hop]
            first = cut
        yield mono[first * hop : last * hop]


@lru_cache(maxsize=2)
def clips(name, folder=None):
    """Spoken clips of a speaker, mono at RATE, with silence cut off and equal levels."""
    found, seconds = [], 0.0
    for mono in spoken_parts(name, folder):
        loud = np.flatnonzero(np.abs(mono) > 0.03 * np.abs(mono).max()) if len(mono) else []
        mono = mono[max(0, loud[0] - 1600) : loud[-1] + 1600] if len(loud) else mono[:0]
        if not 0.2 < len(mono) / RATE < 8:
            continue
        found.append((mono * (0.1 / (np.sqrt(np.mean(mono**2)) + 1e-6))).astype(np.float32))
        seconds += len(mono) / RATE
        if seconds > SPOKEN_S:
            break
    return found


def edge_of(folder):
    """Highest frequency (Hz) of a folder's recordings; None where they reach the top of what is kept here."""
    hz = json.loads((Path(folder) / "song.json").read_text())["measured"]["bandwidth_hz"] if folder else RATE
    return hz if hz < FULL_BAND_HZ else None


def open_top(envelope, breath, edge_hz, slope_db):
    """Fills a narrow recording's empty top: the power below its edge goes on, falling by `slope_db` per octave, as
    breath. The encoder must not learn a codec's edge as the mark of a voice."""
    hz = np.linspace(0, RATE / 2, envelope.shape[1])
    known = (hz > 0.6 * edge_hz) & (hz < 0.85 * edge_hz)
    level = np.log(envelope[:, known] + 1e-16).mean(axis=1, keepdims=True)
    filled = np.exp(level - slope_db / 10 * np.log(10) * np.log2(np.maximum(hz, 1) / (0.72 * edge_hz)))
    share = np.clip((hz - 0.85 * edge_hz) / (0.1 * edge_hz), 0, 1)
    return envelope * (1 - share) + filled * share, np.maximum(breath, 0.95 * share)


@lru_cache(maxsize=8)
def syllables(name, folder=None):
    """Syllables as (envelope, aperiodicity, first held frame, last held frame), and the
    speaker's median pitch in Hz. Only those that are voiced for 60 ms or more can be sung."""
    import pyworld

    found, pitches = [], []
    edge_hz, slope_db = edge_of(folder), rng_for("top", name).uniform(6, 14)
    for clip in clips(name, folder):
        audio = clip.astype(np.float64)
        f0, times = pyworld.dio(audio, RATE, frame_period=FRAME_S * 1000)
        f0 = pyworld.stonemask(audio, f0, times, RATE)
        envelope = pyworld.cheaptrick(audio, f0, times, RATE)
        breath = pyworld.d4c(audio, f0, times, RATE)
        if edge_hz:
            envelope, breath = open_top(envelope, breath, edge_hz, slope_db)
        voiced = f0 > 0
        pitches.extend(f0[voiced])
        power = 10 * np.log10(envelope.mean(axis=1) + 1e-12)
        power = np.convolve(power, np.hanning(9) / np.hanning(9).sum(), mode="same")
        edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(int), [0]])))
        begin = 0
        for first, last in edges.reshape(-1, 2):
            dips = [i for i in range(first + 16, last - 16) if power[i] == power[i - 8 : i + 9].min()]
            for a, b in zip([first, *dips], [*dips, last], strict=True):
                if b - a >= 12:
                    start, end = (max(begin, a - 30) if a == first else a), min(b + 8, len(f0))
                    a, b = a + (b - a) // 4, b - (b - a) // 4
                    found.append((envelope[start:end], breath[start:end], a - start, b - start))
                begin = b
    if len(found) < 8:
        raise ValueError(f"{name}: too little voiced speech")
    return found, float(np.median(pitches))


def melody(rng, seconds):
    """Phrases of notes as (semitones from home, seconds); rests have no pitch."""
    scale, beat = SCALES[int(rng.integers(len(SCALES)))], 60 / rng.uniform(66, 150)
    steps = [octave * 12 + s for octave in (-1, 0, 1) for s in scale]
    at, total = steps.index(0) + int(rng.integers(-1, 3)), 0.0
    while total < seconds:
        count = int(rng.integers(3, 11))
        for i in range(count):
            at = int(np.clip(at + rng.choice([-3, -2, -1, -1, 0, 0, 1, 1, 2, 3]), 1, len(steps) - 4))
            length = beat * (rng.choice([1, 2, 3, 4]) if i == count - 1 else rng.choice([0.25, 0.5, 0.5, 0.5, 1, 1, 1.5]))
            length = float(np.clip(length, 0.13, 2.8))
            total += length
            yield steps[at], length
        rest = beat * float(rng.choice([1, 1, 2, 3]))
        total += rest
        yield None, rest


def frames_of(unit, length, rng):
    """Indices into a syllable's frames for a note of `length` frames: onset and ending as
    spoken, the middle held, moving to and fro over the vowel."""
    frames, (held, release) = len(unit[0]), unit[2:]
    tail = frames - release
    if length <= frames:
        return np.linspace(0, frames - 1, length).astype(int)
    span = max(release - held, 2)
    middle = length - held - tail
    walk = np.cumsum(rng.uniform(0.15, 1.0, middle) * min(1.0, span / middle + 0.3))
    walk = held + np.abs((walk + span) % (2 * span) - span)
    return np.concatenate([np.arange(held), np.clip(walk, held, release - 1).astype(int), np.arange(release, frames)])


def pitch_of(notes, rng, base_hz):
    """Pitch in Hz, one value per frame: glides between notes, drift, vibrato on long ones."""
    glide, vibrato_cents, rate = rng.uniform(0.02, 0.09), rng.uniform(10, 70), rng.uniform(4.6, 6.4)
    curve = np.concatenate([np.full(n, s, float) for s, n in notes])
    width = max(3, int(glide / FRAME_S)) | 1
    padded = np.pad(curve, width // 2, mode="edge")
    curve = np.convolve(padded, np.hanning(width + 2)[1:-1] / np.hanning(width + 2)[1:-1].sum(), mode="valid")
    depth = np.concatenate([np.clip((np.arange(n) * FRAME_S - 0.25) / 0.3, 0, 1) * (n * FRAME_S > 0.4) for _, n in notes])
    seconds = np.arange(len(curve)) * FRAME_S
    drift = np.convolve(rng.normal(0, 1, len(curve) + 40), np.hanning(41) / np.sqrt(np.sum(np.hanning(41) ** 2)), mode="valid")
    cents = vibrato_cents * depth * np.sin(2 * np.pi * rate * seconds + rng.uniform(0, 6)) + 9 * drift[: len(curve)]
    return base_hz * 2 ** ((curve + cents / 100) / 12)


def warp(spectra, factor):
    """Moves formants by `factor` along the frequency axis."""
    bins = np.arange(spectra.shape[1])
    source = np.clip(bins / factor, 0, spectra.shape[1] - 1)
    low = np.minimum(source.astype(int), spectra.shape[1] - 2)
    part = source - low
    return np.ascontiguousarray(spectra[:, low] * (1 - part) + spectra[:, low + 1] * part)


def solo(rng, name, score, folder=None):
    """One speaker's rendering of `score` (a list of melody's notes), mono."""
    import pyworld

    units, spoken_hz = syllables(name, folder)
    # Singing is higher than speech, and brighter: effort adds power above 1 kHz
    base_hz = spoken_hz * 2 ** (rng.uniform(1, 7) / 12)
    factor, effort = rng.uniform(0.9, 1.13), rng.uniform(0, 7)
    bins = units[0][0].shape[1]
    hz = np.linspace(0, RATE / 2, bins)
    tilt = db(effort * np.clip(np.log2(np.maximum(hz, 1) / 700), 0, 2)) ** 2
    out, phrase, notes, index = [], [], [], int(rng.integers(len(units)))
    for semitones, length_s in score:
        if semitones is not None:
            unit = units[index % len(units)]
            # Words in their order most of the time, a jump now and then, a vowel held over notes
            index += 0 if phrase and rng.random() < 0.1 else 1 if rng.random() < 0.9 else int(rng.integers(len(units)))
            order = frames_of(unit, max(20, round(length_s / FRAME_S)), rng)
            # A syllable that is weak in speech is sung almost as loud as the others
            level = db(rng.normal(0, 1.5)) ** 2 / np.mean(unit[0][order]) ** 0.75
            phrase.append((unit[0][order] * level, unit[1][order]))
            notes.append((semitones, len(order)))
            continue
        if phrase:
            envelope = warp(np.concatenate([p[0] for p in phrase]), factor) * tilt + 1e-16
            breath = np.clip(warp(np.concatenate([p[1] for p in phrase]), factor), 1e-6, 1 - 1e-6)
            sung = pyworld.synthesize(pitch_of(notes, rng, base_hz), envelope, breath, RATE, FRAME_S * 1000)
            fade = int(0.02 * RATE)
            sung[:fade] *= np.linspace(0, 1, fade)
            sung[-fade:] *= np.linspace(1, 0, fade)
            # Equal levels between phrases: a vocoder's loudness jumps with its pitch
            out.append(sung * (0.1 / (np.sqrt(np.mean(sung**2)) + 1e-6)))
            phrase, notes = [], []
        out.append(np.zeros(int(length_s * RATE)))
    return np.concatenate(out).astype(np.float32)


def sing(seed, name, folder=None):
    """A speaker's or a choir's solo track, (frames, 2); `folder` is given for a recorded speaker."""
    rng = rng_for(seed, "sung", name)
    score = list(melody(rng, SUNG_S))
    score.append((None, 0.5))
    if name not in CHOIRS:
        mono = solo(rng, name, score, folder)
        return np.stack([mono, mono], axis=1)
    harmony = rng.choice([0, 0, 0, 12, -12, 4, 7, -5], len(CHOIRS[name]))
    total = None
    for member, step in zip(CHOIRS[name], harmony, strict=True):
        part = [(None if s is None else s + step, length) for s, length in score]
        mono = solo(rng, member, part)
        mono = np.roll(mono, int(rng.normal(0.02, 0.02) * RATE))
        stereo = dsp.pan(np.stack([mono, mono], axis=1), rng.uniform(-0.8, 0.8)) * db(rng.normal(0, 2))
        frames = len(stereo) if total is None else min(len(total), len(stereo))
        total = stereo if total is None else total[:frames] + stereo[:frames]
    return (total / np.sqrt(len(harmony))).astype(np.float32)


def spoken(name):
    """A speaker's clips joined as one mono track with silences between, for rap."""
    gap = np.zeros(int(0.5 * RATE), np.float32)
    return np.concatenate([part for clip in clips(name) for part in (clip, gap)])

"""What all parts of the corpus builder share: sample rate, seeds, files, index.

A finished song is a folder `OUT/<source>/<song-id>/` with one FLAC file per stem
(32 kHz, 16 bit, stereo, equal length) and a `song.json`. Folders are written
under a temporary name and renamed, so a folder that exists is complete.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import soundfile

RATE = 32000
STEMS = ("vocals", "drums", "bass", "other")
WINDOW = 10 * RATE
PEAK = 10 ** (-1.5 / 20)
ACTIVE_DBFS = -50.0


class Skip(Exception):
    """No song can be made of this tune; the message says why."""


def rng_for(*parts):
    """A random generator that depends on nothing but the given parts."""
    text = "/".join(str(p) for p in parts)
    return np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16))


def share_of(*parts):
    """A stable number in [0, 1) for the given parts, to divide tunes among splits."""
    text = "/".join(str(p) for p in parts)
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def db(x):
    """Decibels to a factor; a plain float for a scalar, so that float32 audio stays float32."""
    return 10 ** (x / 20) if isinstance(x, np.ndarray) else 10 ** (float(x) / 20)


def mono_of(audio):
    """Mid of (frames, 2); several times faster than mean(axis=1)."""
    return (audio[:, 0] + audio[:, 1]) * np.float32(0.5)


def loudest(audio):
    """Larger magnitude of the two channels, per frame."""
    return np.maximum(np.abs(audio[:, 0]), np.abs(audio[:, 1]))


def rms_db(audio):
    """Root mean square over both channels, in dBFS."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(audio))) + 1e-9))


def loud_db(audio):
    """RMS in dBFS over the 0.4-s blocks in which the stem is not silent."""
    hop = int(0.4 * RATE)
    n = len(audio) // hop
    if n == 0:
        return rms_db(audio)
    power = np.square(audio[: n * hop]).reshape(n, -1).mean(axis=1)
    sounding = power > power.max() * 1e-3
    return float(10 * np.log10(power[sounding].mean() + 1e-18))


def activity(audio):
    """Fraction of the 10-s windows in which the stem's RMS exceeds ACTIVE_DBFS."""
    n = max(1, len(audio) // WINDOW)
    levels = [rms_db(audio[i * WINDOW : (i + 1) * WINDOW]) for i in range(n)]
    return round(float(np.mean([level > ACTIVE_DBFS for level in levels])), 3)


def load_audio(path):
    """A sound file as float32 (frames, 2) at RATE."""
    audio, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    if audio.shape[1] == 1:
        audio = np.repeat(audio, 2, axis=1)
    audio = audio[:, :2]
    if rate != RATE:
        import soxr

        audio = soxr.resample(audio, rate, RATE, quality="HQ")
    return np.ascontiguousarray(audio, dtype=np.float32)


def readable(path):
    """Whether libsndfile opens the file: some packages ship a damaged one, such as kick04.ogg of LMMS."""
    try:
        return soundfile.info(str(path)).frames > 0
    except soundfile.LibsndfileError:
        return False


def song_dir(out, source, song_id):
    return Path(out) / source / song_id


def write_song(out, source, song_id, stems, info):
    """Writes the stems (dict of name to float array) and song.json, atomically.

    All stems get one common gain if the peak of their sum is too high."""
    length = max(len(a) for a in stems.values())
    stems = {k: np.pad(a, ((0, length - len(a)), (0, 0))) for k, a in stems.items()}
    mix = sum(stems.values())
    top = max([np.abs(mix).max()] + [np.abs(a).max() for a in stems.values()])
    if not np.isfinite(top):
        raise ValueError("not finite")
    gain = min(1.0, PEAK / max(top, 1e-9))
    final = song_dir(out, source, song_id)
    temp = final.with_name(f".{song_id}.{os.getpid()}")
    shutil.rmtree(temp, ignore_errors=True)
    temp.mkdir(parents=True)
    active = {}
    for name, audio in stems.items():
        audio = audio * gain
        soundfile.write(str(temp / f"{name}.flac"), audio, RATE, subtype="PCM_16")
        active[name] = activity(audio)
    song = {
        "song": song_id,
        "source": source,
        "artist": "",
        "licence": "",
        "credit": "",
        "soundfonts": [],
        "drumkit": None,
        "voice": None,
        "split": "train",
        "seconds": round(length / RATE, 2),
        "seed": 0,
        "active": active,
    }
    song.update(info)
    (temp / "song.json").write_text(json.dumps(song, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(final, ignore_errors=True)
    temp.rename(final)


def write_index(out):
    """Collects every song.json below `out` in out/index.json and returns the list."""
    songs = []
    for path in sorted(Path(out).glob("*/*/song.json")):
        if path.parent.name.startswith("."):
            continue
        song = json.loads(path.read_text())
        song["path"] = str(path.parent.relative_to(out))
        songs.append(song)
    temp = Path(out) / f".index.{os.getpid()}"
    temp.write_text(json.dumps(songs, indent=1, ensure_ascii=False) + "\n")
    temp.rename(Path(out) / "index.json")
    return songs

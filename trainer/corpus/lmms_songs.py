"""Source "lmms": demo projects of the LMMS workstation, rendered track by track.

Only projects whose tracks are named clearly are listed. A track goes to a class by
its name; an unnamed one with nearly all its energy below 150 Hz is called bass."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from common import PEAK, RATE, Skip, db, load_audio, loud_db, loudest, rng_for, write_song
from dsp import lowpass, mono_of
from voices import vocals

PROJECTS = Path("/usr/share/lmms/projects")
# Licences as in Debian's lmms-common copyright file
TABLE = {
    "demos/CapDan/CapDan-ReggaeTry.mmpz": ("Artistic-2.0", "CapDan"),
    "demos/CapDan/CapDan-ReggaetonTry.mmpz": ("Artistic-2.0", "CapDan"),
    "demos/CapDan/CapDan-TwilightArea-OriginalByAlf42red.mmpz": ("CC-BY-SA-3.0", "CapDan, Armin Heller"),
    "demos/CapDan/CapDan-ZeroSumGame-OriginalByZakarra.mmpz": ("Artistic-2.0", "CapDan"),
    "demos/Jousboxx-BuzzerBeater.mmpz": ("CC-BY-SA-4.0", "Jousboxx"),
    "demos/Momo64-esp.mmpz": ("Artistic-2.0", "momo64"),
    "demos/Settel-InnerRecreation.mmpz": ("Artistic-2.0", "Achim Settelmeier"),
    "demos/Socceroos-Progress.mmpz": ("Artistic-2.0", "socceroos"),
    "shorties/DirtyLove.mmpz": ("GPL-2.0-or-later", "LMMS developers"),
    "shorties/Crunk(Demo).mmp": ("Artistic-2.0", "CapDan"),
    "shorties/Surrender-Main.mmpz": ("Artistic-2.0", "Peter Asplund"),
}
DRUMS = re.compile(r"kick|snare|hat\b|hats|hihat|hi-hat|hhat|clap|crash|cymbal|\bbd\b|snr|drum|shaker|rim|tom_|_tom|tamb|timbale|ride|\bhh\b|_hh|sleepy|loop|rebuild$|shaaka|knock|type_noise", re.I)
BASS = re.compile(r"bass|\bsub\b", re.I)
DROPPED = re.compile(r"sidechain", re.I)


def jobs(config):
    out = []
    for name in TABLE:
        if (PROJECTS / name).exists():
            song = re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")
            # all in train: they share samples with the kit "lmms-drums"
            out.append({"source": "lmms", "id": song, "tune": name, "split": "train"})
    return out


def stem_of(name, audio):
    if DRUMS.search(name) and not re.search(r"drumbass|bassdrum_synth", name):
        return "drums"
    if BASS.search(name):
        return "bass"
    low = np.mean(lowpass(audio, 150, 4) ** 2) / (np.mean(audio**2) + 1e-12)
    return "bass" if low > 0.85 else "other"


def render(project, folder):
    """One wave file per track, rendered by LMMS without a window."""
    command = ["lmms", "--allowroot", "rendertracks", str(project), "-f", "wav", "-s", "44100", "-x", "1", "-i", "linear", "-o", folder]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": folder}
    subprocess.run(command, env=environment, capture_output=True, timeout=1500)
    return sorted(Path(folder).glob("*.wav"))


def excerpt(stems, seconds):
    """Start frame of the passage with the most drums and bass."""
    hop = RATE
    total = min(len(a) for a in stems.values()) // hop
    span = int(min(seconds, total))
    score = np.zeros(total)
    for name, audio in stems.items():
        level = np.square(mono_of(audio[: total * hop])).reshape(total, hop).mean(axis=1)
        score += (level > level.max() * 1e-3) * (1.0 if name in ("drums", "bass") else 0.3)
    return int(np.argmax(np.convolve(score, np.ones(span), "valid"))) * hop, span * hop


def build(job, config):
    rng = rng_for("lmms", job["id"], config.seed)
    licence, artist = TABLE[job["tune"]]
    stems = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in render(PROJECTS / job["tune"], folder):
            if DROPPED.search(path.stem):
                continue
            audio = load_audio(path)
            if loudest(audio).max() < 1e-3:
                continue
            name = stem_of(path.stem.split("_", 1)[-1], audio)
            if name in stems:
                n = max(len(audio), len(stems[name]))
                stems[name] = np.pad(stems[name], ((0, n - len(stems[name])), (0, 0))) + np.pad(audio, ((0, n - len(audio)), (0, 0)))
            else:
                stems[name] = audio
    if "drums" not in stems or "bass" not in stems:
        raise Skip(f"only {sorted(stems)}")
    n = max(len(a) for a in stems.values())
    stems = {k: np.pad(a, ((0, n - len(a)), (0, 0))) for k, a in stems.items()}
    start, frames = excerpt(stems, 76)
    stems = {k: a[start : start + frames] for k, a in stems.items()}
    voice, facts = vocals(rng, config, job["split"], frames / RATE)
    if voice is not None:
        rest = loud_db(sum(stems.values()))
        stems["vocals"] = voice[:frames] * db(rest - 5 + rng.normal(0, 3) - loud_db(voice))
    gain = PEAK / loudest(sum(stems.values())).max()
    info = {
        "artist": artist,
        "licence": " AND ".join(sorted({licence, *filter(None, [facts.get("voice_licence")])})),
        "credit": "; ".join([f"LMMS demo project {job['tune']}: {artist} ({licence})", *filter(None, [facts.get("voice_credit")])]),
        "tune": job["tune"],
        "split": job["split"],
        "seed": config.seed,
        **{k: v for k, v in facts.items() if k in ("voice", "voice_kind")},
    }
    write_song(config.out, "lmms", job["id"], {k: a * np.float32(gain) for k, a in stems.items()}, info)

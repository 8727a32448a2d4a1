"""Source "modules": tracker music of free games, each instrument rendered alone.

In modules, the names of instruments are often greetings, so an instrument's class is derived from what it
plays and how it sounds: drums strike few notes often and die away or are noise; a bass plays many notes
below 200 Hz. An instrument that is neither, and plays too few notes to be accompaniment, is left out. A song is
kept only when the instruments alone sum to the module."""

from pathlib import Path

import numpy as np

from common import PEAK, Skip, activity, db, loud_db, loudest, mono_of, rms_db, rng_for, share_of, write_song
from dsp import lowpass
from openmpt import Module
from voices import vocals

# Package folder: licence, authors (Debian copyright files)
FOLDERS = {
    "/usr/share/games/pingus/data/music": ("GPL-2.0-or-later", "Pingus music, see its AUTHORS file"),
    "/usr/share/games/tecnoballz/musics": ("GPL-3.0-or-later", "TLK Games"),
    "/usr/share/games/heroes/mod": ("GPL-2.0-or-later", "Heroes sound tracks, Daniel Burrows"),
}
SUFFIXES = (".mod", ".xm", ".s3m", ".it")
SECONDS = 76.0
# The sum of the instruments may differ from the module by this much (rounding in the player, shared channels)
WORST_SUM_DB = -25.0


def jobs(config):
    out = []
    for folder in FOLDERS:
        for path in sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES):
            # All in train: a game's tunes share instruments, and games share composers.
            out.append({"source": "modules", "id": f"{Path(folder).parts[4]}-{path.stem}", "tune": str(path), "folder": folder, "split": "train"})
    return out


def stem_of(notes, audio):
    """Stem class of an instrument from its notes and its sound; None where they do not show it."""
    mono = mono_of(audio)
    total = float(np.mean(mono**2)) + 1e-12
    low = float(np.mean(mono_of(lowpass(audio, 200, 4)) ** 2)) / total
    spectrum = np.abs(np.fft.rfft(mono)) ** 2 + 1e-12
    bands = spectrum[: len(spectrum) // 512 * 512].reshape(-1, 512).mean(axis=1)
    flatness = float(np.exp(np.mean(np.log(bands))) / np.mean(bands))
    kinds, hits = len(notes), sum(notes.values())
    if kinds <= 2 and hits >= 8 and (low > 0.6 or flatness > 0.03):
        return "drums"
    if low > 0.65 and kinds >= 4:
        return "bass"
    if kinds >= 4 and low < 0.5:
        return "other"
    return None


def build(job, config):
    rng = rng_for("modules", job["id"], config.seed)
    licence, who = FOLDERS[job["folder"]]
    module = Module(Path(job["tune"]))
    if module.seconds < 25:
        raise Skip(f"{module.seconds:.0f} s long")
    seconds = min(SECONDS, module.seconds - 1)
    start = float(rng.uniform(0, max(0.0, module.seconds - 1 - seconds)))
    separation = float(rng.uniform(30, 100))
    classes = {}
    for instrument, notes in enumerate(module.notes):
        if not notes:
            continue
        alone = module.render(start, seconds, {instrument}, separation)
        if loudest(alone).max() < 1e-4:
            continue
        classes.setdefault(stem_of(notes, alone), set()).add(instrument)
    kept = {stem: members for stem, members in classes.items() if stem}
    if "drums" not in kept or "bass" not in kept:
        raise Skip(f"only {sorted(kept)}")
    stems = {stem: module.render(start, seconds, members, separation) for stem, members in kept.items()}
    whole = module.render(start, seconds, set().union(*kept.values()), separation)
    error = rms_db(whole - sum(stems.values())) - rms_db(whole)
    if error > WORST_SUM_DB:
        raise Skip(f"the sum of its instruments differs from the module by {error:.0f} dB")
    stems = {stem: audio for stem, audio in stems.items() if activity(audio) > 0}
    if "drums" not in stems or "bass" not in stems:
        raise Skip("too soft")
    voice, facts = vocals(rng, config, job["split"], seconds)
    if voice is not None:
        rest = loud_db(sum(stems.values()))
        stems["vocals"] = voice[: len(whole)] * db(rest - 5 + rng.normal(0, 3) - loud_db(voice))
    gain = np.float32(PEAK / loudest(sum(stems.values())).max())
    info = {
        "artist": who,
        "licence": " AND ".join(sorted({licence, *filter(None, [facts.get("voice_licence")])})),
        "credit": "; ".join([f"{Path(job['tune']).name}: {who} ({licence})", *filter(None, [facts.get("voice_credit")])]),
        "tune": Path(job["tune"]).name,
        "split": job["split"],
        "seed": config.seed,
        **{k: v for k, v in facts.items() if k in ("voice", "voice_kind")},
    }
    write_song(config.out, "modules", job["id"], {k: a * gain for k, a in stems.items()}, info)

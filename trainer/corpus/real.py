"""Sources "real" and "voice": openly licensed recordings from a local folder.

The folder (`--shared-data`) holds `train/<song>/{vocals,drums,bass,other}.ogg` and
`voices/<source>/{vocals,speech}.ogg`, each with a `song.json` that states origin
and licence. Nothing else in it is read, in particular not `validation`.
"""

import json
from pathlib import Path

import numpy as np

from common import STEMS, load_audio, write_song

DEMO = "everythingisremixed-7-francium"
CALIB_VOICES = (
    "strudel-producer-space-samples-dvs1",
    "strudel-producer-space-samples-dvs2",
    "berklee_femalevoice",
    "berklee_femalevoices",
    "solfege_chengu",
)
TEST_VOICES = (
    "mirdata-vocadito-1",
    "basic-pitch-vocadito-10-14",
    "sms-tools-materials-sms-sounds",
    "libsoni-dcs-quarteta",
)
# The second licensed test set: singers whom no song of the first one has, so that the first stays as it is.
SECOND_TEST_VOICES = ("scratch_vocals", "opera_anechoic", "oddvoices")
# Under terms of their own, not a licence that the model's permits.
UNUSED_VOICES = ("dorodoro", "hitsuboku_kumi")
# Speakers who are used speaking only; the others are made to sing by `sung.py` as well.
SPEECH_ONLY = ("strudel-producer-space-samples-hollywood", "strudel-producer-space-samples-sq", "test-pjs-speech")


def voice_split(name):
    """Split of a voice: a singer is in one split only."""
    if name in CALIB_VOICES:
        return "calib"
    return "test" if name in (*TEST_VOICES, *SECOND_TEST_VOICES) else "train"


def folders(root):
    found = sorted(p.parent for p in Path(root).glob("*/song.json"))
    return [folder for folder in found if folder.name not in UNUSED_VOICES]


def real_jobs(config):
    if not config.shared_data:
        return []
    root = Path(config.shared_data) / "train"
    return [{"source": "real", "id": p.name, "path": str(p)} for p in folders(root)]


def voice_jobs(config):
    if not config.shared_data:
        return []
    root = Path(config.shared_data) / "voices"
    return [{"source": "voice", "id": p.name, "path": str(p)} for p in folders(root)]


def credit_of(song):
    return f"{song['origin']}: {'; '.join(filter(None, (song.get('credit'), song['licence_note'])))}"


def build_real(job, config):
    folder = Path(job["path"])
    song = json.loads((folder / "song.json").read_text())
    stems = {s: load_audio(folder / f"{s}.ogg") for s in STEMS if (folder / f"{s}.ogg").exists()}
    info = {
        "artist": song["origin"].split("/")[0],
        "licence": song["licence"],
        "credit": credit_of(song),
        "voice": folder.name if "vocals" in stems else None,
        "split": "demo" if folder.name == DEMO else "train",
    }
    write_song(config.out, "real", job["id"], stems, info)


def build_voice(job, config):
    folder = Path(job["path"])
    song = json.loads((folder / "song.json").read_text())
    name = "vocals" if (folder / "vocals.ogg").exists() else "speech"
    audio = load_audio(folder / f"{name}.ogg")
    if np.abs(audio).max() < 1e-4:
        raise ValueError("silent")
    info = {
        "artist": song["origin"],
        "licence": song["licence"],
        "credit": credit_of(song),
        "voice": folder.name,
        "kind": "speech" if "speech" in song["kind"] else "singing",
        "split": voice_split(folder.name),
    }
    write_song(config.out, "voice", job["id"], {"vocals": audio}, info)

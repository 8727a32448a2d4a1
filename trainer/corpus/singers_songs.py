"""Source "singers": a second licensed test set, with recorded singers whom no other song has.

The accompaniment is made as that of the test songs of `beats` and `mma`: with the kits, soundfonts and groove files of
the split `test`. All songs have vocals."""

import re

import beats_songs
import mma_songs
from common import rng_for
from real import SECOND_TEST_VOICES

SONGS = 24
# A groove file without a bass
UNUSED = ("kara/happyshuffle",)


def jobs(config):
    if not config.shared_data:
        return []
    styles = list(beats_songs.LATER_STYLES)
    grooves = [n for n in mma_songs.groove_files() if mma_songs.split_of(n, config.seed) == "test" and mma_songs.PREFERRED.search(n.lower()) and n not in UNUSED]
    rng = rng_for("singers-order", config.seed)
    rng.shuffle(styles)
    rng.shuffle(grooves)
    out = []
    for i in range(SONGS):
        job = {"source": "singers", "split": "test", "vocals": True, "voice": SECOND_TEST_VOICES[i // 2 % len(SECOND_TEST_VOICES)]}
        if i % 2 == 0:
            style = styles[i // 2 % len(styles)]
            job |= {"id": f"singers-{i + 1:02d}-{style}", "tune": f"singers-{i + 1:02d}", "style": style}
        else:
            groove = grooves[i // 2 % len(grooves)]
            job |= {"id": f"singers-{i + 1:02d}-{re.sub(r'[^a-z0-9]+', '-', groove.lower())}", "tune": groove}
        out.append(job)
    return out


def build(job, config):
    (beats_songs if "style" in job else mma_songs).build(job, config)

"""Source "midi": tunes of free games, each rendered several times with other sounds."""

from pathlib import Path

from common import Skip, rng_for, share_of
from notes import passage, read_midi, stretch, wad_music
from produce import make_song

WADS = ("/usr/share/games/doom/freedoom1.wad", "/usr/share/games/doom/freedoom2.wad")
FOLDERS = {
    "openttd-openmsx": "/usr/share/games/openttd/baseset/openmsx",
    "simutrans-data": "/usr/share/games/simutrans/music",
    "planetblupi-music-midi": "/usr/share/planetblupi/music",
}
RENDERINGS = {"train": 3, "calib": 2, "test": 2}


def tunes():
    """{tune id: (package, bytes)}; identical files appear once."""
    found, seen = {}, set()
    for wad in WADS:
        for name, data in wad_music(wad):
            found[f"{Path(wad).stem}-{name}"] = ("freedoom", data)
    for package, folder in FOLDERS.items():
        for path in sorted(Path(folder).glob("*.mid")):
            found[f"{package.split('-')[0]}-{path.stem.lower()}"] = (package, path.read_bytes())
    for name in list(found):
        data = found[name][1]
        if data in seen:
            del found[name]
        seen.add(data)
    return found


def split_of(tune, seed):
    share = share_of("midi", tune, seed)
    return "calib" if share < 0.11 else "test" if share < 0.21 else "train"


def jobs(config):
    out = []
    for rendering in range(max(RENDERINGS.values())):
        for name in tunes():
            split = split_of(name, config.seed)
            if rendering < RENDERINGS[split]:
                out.append({"source": "midi", "id": f"{name}-{rendering + 1}", "tune": name, "split": split, "rendering": rendering})
    return out


def build(job, config):
    package, data = tunes()[job["tune"]]
    rng = rng_for("midi", job["id"], config.seed)
    job["seed"] = config.seed
    tune = read_midi(data)
    if not tune.stem("drums") and not tune.stem("bass"):
        raise Skip("neither drums nor bass")
    tune = passage(tune, rng.uniform(50, 72), rng)
    tune = stretch(tune, rng.uniform(0.9, 1.1), int(rng.integers(-3, 4)))
    seconds = min(max(tune.seconds, 20.0), 78.0)
    style = "rock" if package == "freedoom" else "any"
    if any(n.program in (29, 30) for n in tune.notes) and package == "freedoom" and rng.random() < 0.6:
        style = "metal"
    make_song(config, job, tune, seconds, rng, style, package, package)

#!/usr/bin/env python3
"""Builds the training corpus: songs as aligned stems, made from free packages.

    python3 trainer/corpus/build.py --install
    python3 trainer/corpus/build.py --out CORPUS --shared-data DATA --jobs 2

README.md says what is made and from what. The same seed gives the same songs. A stopped
run can be resumed: songs that exist are skipped.
"""

import argparse
import os
import sys
import time
import traceback
from multiprocessing import get_context
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import packages  # noqa: E402  (standard library only; the others need numpy)


def sources():
    """Maps the name of each source to its (job list, builder), in the order of building."""
    import real

    import sung

    table = {
        "sung": (sung.jobs, sung.build),
        "real": (real.real_jobs, real.build_real),
        "voice": (real.voice_jobs, real.build_voice),
    }
    for name in ("midi", "beats", "loops", "mma", "singers", "lmms", "modules"):
        try:
            module = __import__(f"{name}_songs")
        except ImportError as error:
            if f"{name}_songs" not in str(error):
                raise
            continue
        table[name] = (module.jobs, module.build)
    return table


def run(task):
    """One song in a worker process; returns an error text or None."""
    job, config = task
    import common

    if common.song_dir(config.out, job["source"], job["id"]).exists():
        return None
    try:
        sources()[job["source"]][1](job, config)
    except common.Skip as reason:
        return f"skipped {job['source']}/{job['id']}: {reason}"
    except Exception:  # one broken tune must not stop the rest
        return f"failed {job['source']}/{job['id']}\n{traceback.format_exc()}"
    return None


def interleave(lists):
    """Merges job lists in proportion to their lengths, so that songs of every source are made early."""
    marked = [((i + 0.5) / len(jobs), n, job) for n, jobs in enumerate(lists) for i, job in enumerate(jobs)]
    return [job for _, _, job in sorted(marked, key=lambda m: m[:2])]


def progress(config, total, done, started):
    import common

    songs = common.write_index(config.out)
    rate = (time.time() - started) / max(done, 1)
    made = sum(s["source"] not in ("real", "voice") for s in songs)
    line = (
        f"{time.strftime('%H:%M:%S')} {done}/{total} of this run, {made} generated songs in total, "
        f"{rate:.1f} s per song, {rate * (total - done) / 60:.0f} min left"
    )
    print(line, flush=True)
    (Path(config.out) / "PROGRESS.txt").write_text(line + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for the songs")
    parser.add_argument("--sources", default="sung,real,voice,midi,beats,loops,mma,singers,modules", help="comma-separated")
    parser.add_argument("--songs", type=int, default=0, help="at most this many songs per source (0: all)")
    parser.add_argument("--split", choices=packages.SPLITS, help="only the generated songs of this split")
    parser.add_argument("--only", help="only the songs in this list, one SOURCE/SONG per line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--shared-data", help="folder with train/, voices/, kits/ and loops/; without it, no recorded songs, singers and instruments")
    parser.add_argument("--install", action="store_true", help="install the Debian and PyPI packages, as root")
    config = parser.parse_args()
    if config.install:
        packages.install()
    if not config.out:
        if not config.install:
            parser.error("--out is needed")
        return
    if not config.shared_data:
        print("No --shared-data: no recorded songs, singers, instruments and loops; vocals in the training split only.")
    Path(config.out).mkdir(parents=True, exist_ok=True)
    import common

    table = sources()
    listed = Path(config.only).read_text().split() if config.only else None
    lists = []
    for name in config.sources.split(","):
        jobs = table[name][0](config)
        jobs = [j for j in jobs if not config.split or j.get("split") == config.split]
        jobs = [j for j in jobs if listed is None or f"{j['source']}/{j['id']}" in listed]
        lists.append(jobs[: config.songs] if config.songs else jobs)
    jobs = [j for j in interleave(lists) if not common.song_dir(config.out, j["source"], j["id"]).exists()]
    # Singers first: they are made once and used in all songs
    stages = [[j for j in jobs if j["source"] == "sung"], [j for j in jobs if j["source"] != "sung"]]
    started, done = time.time(), 0
    log = open(Path(config.out) / "errors.log", "a")
    for stage in stages:
        with get_context("fork").Pool(config.jobs) as pool:
            for error in pool.imap_unordered(run, [(j, config) for j in stage]):
                done += 1
                if error:
                    print(error.splitlines()[0], error.splitlines()[-1], flush=True)
                    print(error, file=log, flush=True)
                if done % 4 == 0 or done == len(jobs):
                    progress(config, len(jobs), done, started)
    common.write_index(config.out)


if __name__ == "__main__":
    main()

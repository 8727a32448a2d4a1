"""What the corpus is made from: Debian and PyPI packages, banks, kits, licences."""

import subprocess
import sys

DEBIAN = (
    "fluidsynth", "libfluidsynth3", "mma",
    "freedoom", "openttd-openmsx", "simutrans-data", "planetblupi-music-midi",
    "fluid-soundfont-gm", "musescore-general-soundfont-lossless", "timgm6mb-soundfont",
    "opl3-soundfont", "csound-soundfont", "avldrums.lv2-soundfont",
    "hydrogen-drumkits", "hydrogen-data",
)  # fmt: skip
PYPI = ("numpy", "scipy", "soundfile", "soxr", "mido")


def install():
    """Installs everything; needs root and a Debian with these packages (bookworm)."""
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *DEBIAN], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", *PYPI], check=True)

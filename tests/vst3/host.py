"""Checks the VST3 in a real host: pedalboard, which is JUCE underneath.

    python host.py CHECK MixingBuddy.vst3 [FOLDER]

CHECK is audio, state, lives, advice, resets or window; FOLDER is where pictures go. Fails with what was expected.
"""

import ctypes
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pedalboard
from pedalboard.io import AudioFile

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"
# The programs of the virtual screen. Python warns of those that it forgets while they run.
SCREEN = []


def check(condition, message):
    """An assertion that also works with `python -O`."""
    if not condition:
        sys.exit(f"expected: {message}")


def noise(channels, frames, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (channels, frames)).astype(np.float32)


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))


def threads():
    return {task: Path(f"/proc/self/task/{task}/comm").read_text().strip() for task in os.listdir("/proc/self/task")}


def session(plugin):
    """The state that the plugin saved. JUCE wraps it in base64 with its own alphabet, least significant bits first."""
    text = plugin.raw_state.decode("latin-1")
    found = re.search(r"<IComponent>(\d+)\.([^<]*)</IComponent>", text)
    check(found, "a component state in the host's saved state")
    size, digits = int(found[1]), found[2]
    alphabet = ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
    values = np.array([alphabet.index(digit) for digit in digits], np.uint8)
    bits = np.unpackbits(values[:, None], axis=1, bitorder="little")[:, :6].reshape(-1)
    data = np.packbits(bits, bitorder="little").tobytes()[:size]
    whole = json.loads(data[data.index(b"{"):])
    return json.loads(whole["fields"]["session"])


def rounded(value):
    """Numbers with six digits: JUCE reads a double as text and loses its last bit."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return value


def demo():
    """The mix of the demo with its gain error."""
    injected = json.loads((DEMO / "demo.json").read_text())["injected"]
    mix = None
    for stem in ("vocals", "drums", "bass", "other"):
        with AudioFile(str(DEMO / f"{stem}.ogg")) as file:
            rate, sound = int(file.samplerate), file.read(file.frames)
        sound = np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound
        if stem == injected["stem"]:
            sound = sound * np.float32(10 ** (injected["gain_db"] / 20))
        length = sound.shape[1] if mix is None else min(sound.shape[1], mix.shape[1])
        mix = sound[:, :length] if mix is None else mix[:, :length] + sound[:, :length]
    return np.ascontiguousarray(mix, np.float32), rate


def play_demo(plugin, resets=False):
    """Plays the demo and a little silence, and waits for the advice on all of it. `resets`: a reset before each piece."""
    mix, rate = demo()
    silence = np.zeros((2, rate // 2), np.float32)
    first = True
    for sound in (mix, silence):
        # In pieces, so that the worker has time to read.
        for start in range(0, sound.shape[1], rate):
            plugin.process(np.ascontiguousarray(sound[:, start:start + rate]), rate, buffer_size=512, reset=first or resets)
            first = False
            time.sleep(0.05)
    start = time.monotonic()
    while time.monotonic() - start < 120:
        state = session(plugin)
        if state["song"] and state["song"]["windows"] == 3 and len(state["history"]) == 3:
            return state
        time.sleep(0.1)
    sys.exit(f"expected: advice on three windows within two minutes, got {len(state['history'])}")


def audio(path):
    plugin = pedalboard.load_plugin(path)
    check(plugin.name == "MixingBuddy", f"the name MixingBuddy, not {plugin.name}")
    check(plugin.is_effect and not plugin.is_instrument, "an effect")
    check(plugin.reported_latency_samples == 0, "no latency")
    for rate in (44100, 48000, 96000, 192000):
        for block in (1, 63, 64, 512, 8192):
            for channels in (1, 2):
                sound = noise(channels, min(block * 200, 40000), rate + block)
                output = plugin.process(sound, rate, buffer_size=block)
                check(same_bits(sound, output), f"{channels} channels unchanged at {rate} Hz in blocks of {block}")
    odd = noise(2, 4096)
    odd[0, ::7] = np.nan
    odd[1, ::5] = np.inf
    odd[0, 1::7] = 1e-40
    check(same_bits(odd, plugin.process(odd, 48000, buffer_size=256)), "samples that are not finite unchanged")
    check(plugin.reported_latency_samples == 0, "no latency after playing")
    names = {name.lower() for name in plugin.parameters}
    for wanted in ("bypass", "threshold", "hop"):
        check(any(wanted in name for name in names), f"a parameter {wanted} among {sorted(names)}")


def state(path):
    plugin = pedalboard.load_plugin(path)
    name = next(name for name in plugin.parameters if "threshold" in name.lower())
    before = plugin.parameters[name].raw_value
    plugin.parameters[name].raw_value = 0.9
    # The host passes parameters on with the next block.
    plugin.process(noise(2, 512), 48000)
    saved = plugin.raw_state
    other = pedalboard.load_plugin(path)
    check(abs(other.parameters[name].raw_value - before) < 1e-6, "another instance with its own values")
    other.raw_state = saved
    check(abs(other.parameters[name].raw_value - 0.9) < 1e-6, "the saved value restored")
    for garbage in (b"", b"garbage", bytes(range(256)) * 40, saved[: len(saved) // 2], os.urandom(100_000)):
        try:
            other.raw_state = garbage
        except Exception as error:  # The host may refuse; the plugin must survive.
            print(f"the host refused {len(garbage)} bytes: {error}")
        sound = noise(2, 4096)
        check(same_bits(sound, other.process(sound, 48000)), "sound passing after garbage")
    other.raw_state = saved
    check(abs(other.parameters[name].raw_value - 0.9) < 1e-6, "the saved value restored after garbage")


def lives(path):
    sound = noise(2, 2048)
    plugin = pedalboard.load_plugin(path)
    plugin.process(sound, 48000)
    del plugin
    gc.collect()
    time.sleep(1)
    before = threads()
    for life in range(100):
        plugin = pedalboard.load_plugin(path)
        if life % 3:
            check(same_bits(sound, plugin.process(sound, 48000)), f"sound passing in life {life}")
        del plugin
        # The host's objects refer to each other: without this, instances go when Python next cleans up.
        gc.collect()
    time.sleep(1)
    left = [name for task, name in threads().items() if task not in before]
    check(not any("mixing" in name for name in left), f"no thread left behind, but there are {left}")
    several = [pedalboard.load_plugin(path) for _ in range(8)]
    for plugin in several:
        check(same_bits(sound, plugin.process(sound, 44100)), "sound passing in one of eight")


def advice(path):
    plugin = pedalboard.load_plugin(path)
    said = play_demo(plugin)
    best = said["song"]["advice"]["best"]
    check(best["stem"] == "drums" and best["gain_db"] < -3, f"the drums too loud, not {best}")
    other = pedalboard.load_plugin(path)
    other.raw_state = plugin.raw_state
    time.sleep(0.5)
    check(rounded(session(other)["history"]) == rounded(said["history"]), "the history restored with the project")


def resets(path):
    """Resets are no break in the song: JUCE stops, deactivates, activates and starts the plugin."""
    plugin = pedalboard.load_plugin(path)
    starts = [mark["start_s"] for mark in play_demo(plugin, resets=True)["history"]]
    check(np.allclose(starts, [0, 5, 10], atol=0.05), f"windows at 0, 5 and 10 s, not {starts}")


def end_with_parent():
    """The process gets a signal when the one that started it ends (`prctl(PR_SET_PDEATHSIG)`)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def start_screen(size="1400x1000"):
    """Starts a virtual screen with a window manager and desktop settings, and returns its name.

    They end after this process, never before: drivers and JUCE keep connections to the screen, and Xlib ends a program whose
    screen is gone with an error."""
    for program in ("Xvfb", "openbox", "xsettingsd"):
        if not shutil.which(program):
            print(f"skipped: {program} is not installed")
            sys.exit(0)
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    SCREEN.append(subprocess.Popen(command, pass_fds=[write], preexec_fn=end_with_parent, **quiet))
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    check(number, "a screen from Xvfb")
    os.environ["DISPLAY"] = f":{number}"
    for program in (["openbox"], ["xsettingsd", "-c", "/dev/null"]):
        SCREEN.append(subprocess.Popen(program, preexec_fn=end_with_parent, **quiet))
    time.sleep(1)
    return f":{number}"


def window(path, folder):
    from PIL import ImageGrab

    display = start_screen()
    plugin = pedalboard.load_plugin(path)
    play_demo(plugin)
    Path(folder).mkdir(parents=True, exist_ok=True)
    pictures = []

    def open_and_photograph(name):
        close, shown = threading.Event(), []

        def photograph():
            # Mesa's software driver compiles its shaders first.
            start = time.monotonic()
            while time.monotonic() - start < 60:
                time.sleep(1)
                picture = ImageGrab.grab(xdisplay=display)
                if colours(picture) > 100:
                    time.sleep(2)
                    picture = ImageGrab.grab(xdisplay=display)
                    break
            picture.save(Path(folder) / f"vst3-{name}.png")
            shown.append(picture)
            close.set()

        photographer = threading.Thread(target=photograph)
        photographer.start()
        plugin.show_editor(close)
        photographer.join()
        pictures.append(shown[0])

    open_and_photograph("window")
    open_and_photograph("window-again")
    for picture in pictures:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        check(colours(picture) > 100, f"a picture with text and colours, not {colours(picture)} colours")
        _, counts = np.unique(pixels, axis=0, return_counts=True)
        check(counts.max() < 0.95 * len(pixels), "a window that is not one flat colour")
    sound = noise(2, 4096)
    check(same_bits(sound, plugin.process(sound, 48000)), "sound passing after the window was closed")
    del plugin


def colours(picture):
    return len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0))


if __name__ == "__main__":
    checks = {function.__name__: function for function in (audio, state, lives, advice, resets, window)}
    checks[sys.argv[1]](*sys.argv[2:])

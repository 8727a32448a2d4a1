"""Checks the editor, and what needs a host of our own: the VST3 in com.py, the CLAP in clap.py, on a virtual screen.

    python editor.py CHECK MixingBuddy.vst3
    python editor.py CHECK MixingBuddy.clap

CHECK is a function of this file. Those for the CLAP are track, indications, scale and hundred. Fails with what was expected.
"""

import ctypes
import gc
import os
import re
import sys
import tempfile
import time

import clap
import com
import numpy as np
from com import CAN_AUTOMATE, HIDDEN, OFFLINE, READ_ONLY, REALTIME, Plugin
from host import demo, noise, same_bits, start_screen
from x11 import Display

QUESTION = "how is my vocal"
# Virtual keys of the VST3 SDK.
ESCAPE, SPACE, END = 6, 7, 9
# Names of keys in X.
TAB, RETURN = 0xFF09, 0xFF0D
BLOCK = 512


def check(condition, message):
    """An assertion. It prints at once: Xlib ends the program if the screen goes."""
    if not condition:
        print(f"expected: {message}", file=sys.stderr, flush=True)
        sys.exit(1)


def picture(display):
    from PIL import ImageGrab

    return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))


def instance(path, screen):
    """An instance in the host of its format."""
    host = clap if path.endswith(".clap") else com
    return host.Plugin(path, Display(screen))


def shown(plugin, screen):
    """The picture of the plugin's window."""
    (x, y), (width, height) = plugin.display.place(), plugin.size()
    return picture(screen)[y:y + height, x:x + width]


def await_drawing(plugin, screen):
    """Waits until the editor has drawn itself."""
    start = time.monotonic()
    # Mesa's software driver compiles its shaders first.
    while time.monotonic() - start < 60:
        plugin.pump(0.5)
        if len(np.unique(shown(plugin, screen).reshape(-1, 3), axis=0)) > 100:
            break
    plugin.pump(1)


def await_size(plugin, wanted, when):
    """Waits until the editor has a size."""
    start = time.monotonic()
    while plugin.size() != wanted and time.monotonic() - start < 20:
        plugin.pump(0.1)
    check(plugin.size() == wanted, f"{wanted} pixels {when}, not {plugin.size()}")


def opened(path, screen):
    """An instance with an open editor that has drawn itself."""
    plugin = Plugin(path, Display(screen))
    size = plugin.open()
    start = time.monotonic()
    # Mesa's software driver compiles its shaders first.
    while time.monotonic() - start < 60:
        plugin.pump(1)
        if len(np.unique(picture(screen).reshape(-1, 3), axis=0)) > 100:
            break
    plugin.pump(2)
    return plugin, size


def press_button(plugin, number, width, height):
    """Presses a button by Tab and Enter. The order: Report, Look, Bypass, Keys, Choose model, Hear it. "Copy" cannot be pressed
    before there is advice."""
    # A click beside all buttons gives the window the keyboard.
    plugin.display.click(width // 3, height * 98 // 100)
    plugin.pump(0.3)
    for symbol in [TAB] * number + [RETURN]:
        plugin.display.press(symbol)
        plugin.pump(0.2)


def focus_field(plugin, size):
    """Opens the box for the path of a report, whose text field gets the focus."""
    press_button(plugin, 1, *size)
    plugin.pump(0.5)
    check(plugin.key(code=END) == [True, True], "a text field that takes keys from the host")


def type_by_host(plugin):
    for character in QUESTION:
        taken = plugin.key(character, SPACE if character == " " else 0)
        check(taken == [True, True], f"the text field takes {character!r}, not {taken}")


def type_by_window(plugin):
    for character in QUESTION:
        plugin.display.press(ord(character))
        plugin.pump(0.06)


def type_both_ways(plugin):
    for character in QUESTION:
        plugin.display.press(ord(character))
        plugin.key(character, SPACE if character == " " else 0)


def keys(path):
    """Keys as REAPER sends them reach a text field, once, and belong to the host before and after."""
    screen = start_screen()
    pictures = []
    for typing in (type_by_host, type_by_window, type_both_ways):
        plugin, size = opened(path, screen)
        for character, code in (("h", 0), (" ", SPACE)):
            taken = plugin.key(character, code)
            check(taken == [False, False], f"{character!r} belongs to the host while no field has the focus")
        focus_field(plugin, size)
        plugin.pump(0.5)
        empty = picture(screen)
        typing(plugin)
        plugin.pump(0.5)
        plugin.key(code=ESCAPE)
        plugin.pump(1)
        for character, code in (("h", 0), (" ", SPACE)):
            taken = plugin.key(character, code)
            check(taken == [False, False], f"{character!r} belongs to the host again")
        plugin.pump(0.5)
        typed = picture(screen)
        check((typed != empty).sum() > 500, f"text on the screen after {typing.__name__}")
        pictures.append(typed)
        plugin.close()
        plugin.end()
    for other in pictures[1:]:
        check(np.array_equal(pictures[0], other), "the same text on the screen, whoever delivers the keys")


def modified(path):
    """A changed choice marks the project as modified; opening the editor does not."""
    screen = start_screen()
    plugin, (width, height) = opened(path, screen)
    check(plugin.dirty == 0, "a project that is not modified")
    # Downwards through the choices of the right column, below the buttons that open dialogs.
    for y in range(height * 57 // 100, height * 3 // 4, 8):
        plugin.display.click(width * 78 // 100, y)
        plugin.pump(0.5)
        if plugin.dirty:
            break
    check(plugin.dirty >= 1, "a project that is modified after a choice")
    plugin.close()
    plugin.end()


def play(plugin, sound, is_playing=True):
    """Plays in blocks at about the speed of the song; returns the output."""
    output = []
    for start in range(0, sound.shape[1] - BLOCK + 1, BLOCK):
        output.append(plugin.play(sound[:, start:start + BLOCK], is_playing))
        if start // BLOCK % 8 == 0:
            plugin.pump(0.02)
    return np.concatenate(output, axis=1)


def listen(plugin, seconds):
    """Whether something sounds within some seconds while the song stands."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if plugin.play(np.zeros((2, BLOCK), np.float32), is_playing=False).any():
            return True
        plugin.pump(0.01)
    return False


def audition(path):
    """An audition sounds while the song stands, ends when the editor closes, and never sounds in a render."""
    mix, rate = demo()
    music = mix[:, : 5 * rate]
    silence = np.zeros((2, 2 * rate), np.float32)
    screen = start_screen()
    for mode in (REALTIME, OFFLINE):
        plugin, size = opened(path, screen)
        plugin.activate(rate, mode, BLOCK)
        check(same_bits(play(plugin, music), music[:, : music.shape[1] // BLOCK * BLOCK]), "the mix, bit for bit")
        play(plugin, silence[:, :BLOCK], is_playing=False)
        press_button(plugin, 6, *size)
        is_heard = listen(plugin, seconds=3 if mode == OFFLINE else 30)
        if mode == OFFLINE:
            check(not is_heard, "silence in a render, whatever is pressed")
        else:
            check(is_heard, "the last seconds again, while the song stands")
        plugin.close()
        after = play(plugin, silence, is_playing=False)
        check(not after[:, rate // 10:].any(), "silence once the editor is closed")
        sound = noise(2, BLOCK)
        check(same_bits(plugin.play(sound), sound), "the mix again, bit for bit")
        plugin.deactivate()
        plugin.end()


def readouts(path):
    """A host reads the advice as parameters. It neither writes nor records them, and the project is not modified."""
    mix, rate = demo()
    plugin = Plugin(path, None)
    before = plugin.parameters()
    readings = [one for one in before if one.flags & READ_ONLY]
    names = [one.name for one in readings]
    check(names[:4] == ["Verdict", "Advised stem", "Advised gain", "Confidence"], f"the advice first, not {names}")
    check(len(readings) == 12, f"twelve readings, not {names}")
    for one in readings:
        check(not one.flags & (CAN_AUTOMATE | HIDDEN), f"{one.name} shown and not automated")
    check(readings[0].text == "No advice yet", f"no advice yet, not {readings[0].text}")

    # The host sets them, while it plays and while it stands.
    plugin.activate(rate, OFFLINE, BLOCK)
    for value in (1.0, 0.25):
        plugin.play(np.zeros((2, BLOCK), np.float32), is_playing=False, sets={one.id: value for one in readings})
        for one in readings:
            com.call(plugin.controller, 15, com.c.c_uint32(one.id), com.c.c_double(value))
    unchanged = [one.value for one in plugin.parameters()] == [one.value for one in before]
    check(unchanged, "readings that the host cannot write")
    threshold = next(one for one in before if one.name == "Confidence threshold")
    plugin.play(np.zeros((2, BLOCK), np.float32), is_playing=False, sets={threshold.id: 0.25})
    now = next(one.value for one in plugin.parameters() if one.id == threshold.id)
    check(abs(now - 0.25) < 1e-6, "a threshold that the host can write")

    plugin.told.clear()
    silence = np.zeros((2, rate // 2), np.float32)
    play(plugin, mix)
    play(plugin, silence)
    # A render is judged once the host rests.
    start = time.monotonic()
    read = {}
    while time.monotonic() - start < 120 and read.get("Advised stem") != "Drums":
        time.sleep(0.1)
        read = {one.name: one.text for one in plugin.parameters()}
    check(read["Advised stem"] == "Drums" and read["Verdict"].lower().endswith("too loud"), f"the drums too loud, not {read}")
    check(float(read["Advised gain"].removesuffix(" dB")) < -3, f"a gain below -3 dB, not {read}")
    check(float(read["Drums level"].removesuffix(" LU")) > -60, f"a level of the drums, not {read}")
    check(read["Integrated loudness"].endswith(" LUFS"), f"a loudness, not {read}")
    plugin.play(silence[:, :BLOCK], is_playing=False)
    told = {one.name for one in readings if one.id in plugin.told}
    check({"Verdict", "Advised stem", "Advised gain", "Integrated loudness"} <= told, f"changes told in blocks, not {told}")
    check(set(plugin.told) <= {one.id for one in readings}, "nothing else told")
    now = {one.id: one.value for one in plugin.parameters()}
    check(all(abs(now[which] - value) < 1e-6 for which, value in plugin.told.items()), "the values that were told")
    check(plugin.edits == 0, "nothing for the host to record")
    check(plugin.dirty == 0, "a project that is not modified")
    plugin.deactivate()
    plugin.end()


def track(path):
    """The track's name and colour are shown, whether the host tells them before or after the editor opens."""
    colour = np.array([0xE0, 0x10, 0xC0])
    screen = start_screen()
    for is_early in (True, False):
        plugin = instance(path, screen)
        if is_early:
            plugin.name_track("Mix Bus", 0xFFE010C0)
        plugin.open()
        await_drawing(plugin, screen)
        if not is_early:
            before = shown(plugin, screen)
            check(not (before == colour).all(axis=2).any(), "no colour of a track")
            plugin.name_track("Mix Bus", 0xFFE010C0)
            plugin.pump(1)
        with_track = shown(plugin, screen)
        found = np.argwhere((with_track == colour).all(axis=2))
        check(len(found) >= 25, f"the track's colour on the screen, not {len(found)} pixels")
        check(found[:, 0].max() < 60, "the colour in the bar at the top")
        plugin.name_track("", 0xFFE010C0)
        plugin.pump(1)
        check(not (shown(plugin, screen) == colour).all(axis=2).any(), "nothing where the track has no name")
        plugin.close()
        plugin.end()


def indications(path):
    """What the host does with a parameter is shown, whether it says so before or after the editor opens, until it ends."""
    screen = start_screen()
    for is_early in (True, False):
        plugin = instance(path, screen)
        indicate = [
            lambda: plugin.map("Confidence threshold", "Knob 3"),
            lambda: plugin.automate("Confidence threshold", 2),
            lambda: plugin.automate("Hop", 3),
        ]
        if is_early:
            indicate.pop(0)()
        plugin.open()
        await_drawing(plugin, screen)
        seen = [shown(plugin, screen)]
        for one in indicate:
            one()
            plugin.pump(1)
            seen.append(shown(plugin, screen))
        for before, after in zip(seen, seen[1:]):
            check((before != after).any(), "each indication changes the panel")
        plugin.map("Confidence threshold", None)
        plugin.automate("Confidence threshold", 0)
        plugin.automate("Hop", 0)
        plugin.pump(1)
        if not is_early:
            check((shown(plugin, screen) == seen[0]).all(), "nothing is left of what has ended")
        # An unknown parameter, and one that is not in the panel.
        plugin.automate("Bypass", 2)
        plugin.close()
        plugin.end()


def scale(path):
    """The editor has the scale of the host or of the desktop: its window grows with it, and draws the same, larger."""
    from PIL import Image

    screen = start_screen("2000x1400")
    plain = None
    for by_desktop in (False, True):
        for scale in (1.0, 1.5, 2.0):
            plugin = instance(path, screen)
            if by_desktop:
                plugin.display.set_dpi(round(96 * scale))
            plugin.open(None if by_desktop else scale)
            await_drawing(plugin, screen)
            wanted = (round(820 * scale), round(600 * scale))
            who = "the desktop" if by_desktop else "the host"
            await_size(plugin, wanted, f"at {scale} from {who}")
            drawn = Image.fromarray(shown(plugin, screen))
            check(drawn.size == wanted, f"a window of {wanted} on the screen, not {drawn.size}")
            small = np.asarray(drawn.resize((820, 600), Image.Resampling.BOX), np.float32)
            plain = small if plain is None else plain
            apart = np.abs(small - plain).mean()
            # Text is hinted and rounded differently: 1.7 levels at 2. A panel that is not scaled is 14.5 apart.
            check(apart < 5, f"the same panel at {scale} from {who}: {apart:.1f} levels apart")
            if not by_desktop:
                # Opened again it has the same size, and another scale while it is open counts too.
                plugin.close()
                plugin.open(scale)
                await_size(plugin, wanted, "again")
                plugin.suggest(1.25)
                await_size(plugin, (1025, 750), "at 1.25")
            plugin.close()
            plugin.display.set_dpi(None)
            plugin.end()


def resources(plugin):
    """Files, threads and windows of this process, and the memory in MB that is in use: allocated and not freed.

    Resident memory says nothing here: the C library keeps what was freed, up to 25 MB in each of its sixteen arenas."""
    gc.collect()
    counts = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), plugin.display.count()
    with tempfile.NamedTemporaryFile("r") as written:
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        stream = ctypes.c_void_p(libc.fopen(written.name.encode(), b"w"))
        libc.malloc_info(0, stream)
        libc.fclose(stream)
        # The sums over all arenas stand after the last of them.
        sums = written.read().rpartition("</heap>")[2]
    total = {kind: int(size) for kind, size in re.findall(r'<total type="(\w+)" count="\d+" size="(\d+)"', sums)}
    system = int(re.search(r'<system type="current" size="(\d+)"', sums)[1])
    return counts, (system - total["fast"] - total["rest"] + total["mmap"]) / 1e6


def hundred(path):
    """The editor is opened and closed a hundred times, and leaves nothing behind."""
    screen = start_screen()
    plugin = instance(path, screen)
    memory = []
    for life in range(101):
        plugin.open()
        if life == 0:
            await_drawing(plugin, screen)
        plugin.pump(0.1)
        plugin.close()
        plugin.pump(0.02)
        # The driver keeps what it has compiled.
        if life in (20, 60, 100):
            counts, megabytes = resources(plugin)
            if life == 20:
                first = counts
            check(counts == first, f"{first} files, threads and windows, not {counts}, after {life} lives")
            memory.append(megabytes)
    print(f"memory in use after 20, 60 and 100 lives: {memory} MB")
    # A keymap for each life would be 3.4 MB.
    check(memory[2] - memory[1] < 1.5, f"less than 0.04 MB more for each of the last 40 lives, not {memory} MB")
    plugin.open()
    await_drawing(plugin, screen)
    drawn = len(np.unique(shown(plugin, screen).reshape(-1, 3), axis=0))
    check(drawn > 100, f"a panel after a hundred lives, not {drawn} colours")
    plugin.close()
    plugin.end()


if __name__ == "__main__":
    checks = {
        function.__name__: function for function in (keys, modified, audition, readouts, track, indications, scale, hundred)
    }
    checks[sys.argv[1]](*sys.argv[2:])

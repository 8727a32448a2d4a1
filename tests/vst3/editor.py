"""Checks the editor of the VST3 in a host of our own (com.py), on a virtual screen.

    python editor.py CHECK MixingBuddy.vst3

CHECK is keys, modified or audition. Fails with what was expected.
"""

import sys
import time

import numpy as np
from com import OFFLINE, REALTIME, Display, Plugin
from host import Screen, demo, noise, same_bits

QUESTION = "how is my vocal"
# Virtual keys of the VST3 SDK.
ESCAPE, SPACE, END = 6, 7, 9
# Names of keys in X.
TAB, RETURN = 0xFF09, 0xFF0D
BLOCK = 512


def check(condition, message):
    """An assertion. It prints at once: Xlib ends the program when the screen goes."""
    if not condition:
        print(f"expected: {message}", file=sys.stderr, flush=True)
        sys.exit(1)


def picture(display):
    from PIL import ImageGrab

    return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))


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
    """Presses a button by Tab and Enter. The order: Report, Look, Bypass, Choose model, Hear it. "Copy" cannot be pressed
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
    with Screen() as screen:
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
    with Screen() as screen:
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
    with Screen() as screen:
        for mode in (REALTIME, OFFLINE):
            plugin, size = opened(path, screen)
            plugin.activate(rate, mode, BLOCK)
            check(same_bits(play(plugin, music), music[:, : music.shape[1] // BLOCK * BLOCK]), "the mix, bit for bit")
            play(plugin, silence[:, :BLOCK], is_playing=False)
            press_button(plugin, 5, *size)
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


if __name__ == "__main__":
    checks = {function.__name__: function for function in (keys, modified, audition)}
    checks[sys.argv[1]](*sys.argv[2:])

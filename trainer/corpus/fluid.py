"""Soundfont rendering in this process, through libfluidsynth."""

import ctypes
import ctypes.util
import struct
from functools import lru_cache

import numpy as np

from common import RATE

_lib = None


def lib():
    global _lib
    if _lib is None:
        name = ctypes.util.find_library("fluidsynth") or "libfluidsynth.so.3"
        _lib = ctypes.CDLL(name)
        for function in ("new_fluid_settings", "new_fluid_synth"):
            getattr(_lib, function).restype = ctypes.c_void_p
        _lib.fluid_set_log_function(0, None, None)
        for level in range(5):
            _lib.fluid_set_log_function(level, None, None)
    return _lib


class Synth:
    """One bank. A synth that is kept holds its samples in memory; each rendering has a synth of its own, because one that
    has played before begins with the rest of its last block and with voices that are not as new."""

    def __init__(self, bank):
        self.bank = bank
        self.kept = self._open()

    def _open(self):
        """A new synth with the bank: (settings, synth, number of the font)."""
        f = lib()
        settings = ctypes.c_void_p(f.new_fluid_settings())
        f.fluid_settings_setnum(settings, b"synth.sample-rate", ctypes.c_double(RATE))
        f.fluid_settings_setnum(settings, b"synth.gain", ctypes.c_double(0.5))
        f.fluid_settings_setint(settings, b"synth.reverb.active", 0)
        f.fluid_settings_setint(settings, b"synth.chorus.active", 0)
        f.fluid_settings_setint(settings, b"synth.polyphony", 96)
        synth = ctypes.c_void_p(f.new_fluid_synth(settings))
        font = f.fluid_synth_sfload(synth, str(self.bank).encode(), 1)
        if font < 0:
            raise OSError(f"cannot load {self.bank}")
        return settings, synth, font

    def render(self, notes, controls, seconds, programs=None, kit=None, width=1.0):
        """Plays the notes dry to float32 (frames, 2).

        `programs` maps a note's program to the one to play; with `kit`, a
        (bank, program) pair, channel 10 plays that preset. `width` scales pans."""
        f = lib()
        settings, synth, font = self._open()
        f.fluid_synth_system_reset(synth)
        programs = programs or {}
        events = []
        for t, channel, kind, a, b in controls:
            if kind == "cc" and a == 10:
                b = int(64 + (b - 64) * width)
            events.append((t, 0, channel, kind, a, b))
        for n in notes:
            preset = kit if n.channel == 9 and kit else (0, programs.get(n.program, n.program))
            events.append((n.start, 2, n.channel, "on", (n.pitch, n.velocity), preset))
            events.append((n.end, 1, n.channel, "off", n.pitch, 0))
        events.sort(key=lambda e: e[:2])
        frames = int(seconds * RATE)
        left, right = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
        chosen, at = {}, 0
        for t, _, channel, kind, a, b in events:
            until = min(int(t * RATE), frames)
            if until > at:
                self._write(synth, left, right, at, until - at)
                at = until
            if kind == "on":
                if chosen.get(channel) != b:
                    chosen[channel] = b
                    f.fluid_synth_program_select(synth, channel, font, b[0], b[1])
                f.fluid_synth_noteon(synth, channel, a[0], a[1])
            elif kind == "off":
                f.fluid_synth_noteoff(synth, channel, a)
            elif kind == "cc":
                f.fluid_synth_cc(synth, channel, a, b)
            else:
                f.fluid_synth_pitch_bend(synth, channel, a)
        if at < frames:
            self._write(synth, left, right, at, frames - at)
        f.delete_fluid_synth(synth)
        f.delete_fluid_settings(settings)
        return np.stack([left, right], axis=1)

    @staticmethod
    def _write(synth, left, right, at, count):
        lib().fluid_synth_write_float(
            synth, count, left.ctypes.data_as(ctypes.c_void_p), at, 1,
            right.ctypes.data_as(ctypes.c_void_p), at, 1,
        )  # fmt: skip


@lru_cache(maxsize=None)
def synth_for(bank):
    return Synth(bank)


@lru_cache(maxsize=None)
def presets(bank):
    """(bank number, program, name) of every preset in an SF2 file."""
    data = open(bank, "rb").read()
    at = data.rfind(b"phdr")
    size = struct.unpack("<I", data[at + 4 : at + 8])[0]
    found = []
    for i in range(size // 38 - 1):
        name, program, number = struct.unpack("<20sHH", data[at + 8 + 38 * i : at + 32 + 38 * i])
        found.append((number, program, name.split(b"\0")[0].decode("latin-1").strip()))
    return sorted(found)

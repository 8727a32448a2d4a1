"""Tracker modules through libopenmpt: what each instrument plays, and the sound of each instrument alone."""

import ctypes
from collections import Counter

import numpy as np

from common import RATE

BLOCK = 4096
MUTE_INSTRUMENT = 12  # place of `set_instrument_mute_status` in the "interactive" interface of libopenmpt 0.3 and later
NOTE, INSTRUMENT = 0, 1  # columns of a pattern's row
STEREO_SEPARATION, INTERPOLATION = 2, 3  # render parameters


def _library():
    lib = ctypes.CDLL("libopenmpt.so.0")
    lib.openmpt_module_ext_create_from_memory.restype = ctypes.c_void_p
    lib.openmpt_module_ext_create_from_memory.argtypes = [ctypes.c_char_p, ctypes.c_size_t] + [ctypes.c_void_p] * 7
    lib.openmpt_module_ext_get_module.restype = ctypes.c_void_p
    lib.openmpt_module_ext_get_module.argtypes = [ctypes.c_void_p]
    lib.openmpt_module_ext_destroy.argtypes = [ctypes.c_void_p]
    lib.openmpt_module_ext_get_interface.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]
    for name in ("instruments", "samples", "patterns", "channels"):
        getattr(lib, f"openmpt_module_get_num_{name}").argtypes = [ctypes.c_void_p]
    lib.openmpt_module_get_pattern_num_rows.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    lib.openmpt_module_get_pattern_row_channel_command.argtypes = [ctypes.c_void_p] + [ctypes.c_int32] * 4
    lib.openmpt_module_get_pattern_row_channel_command.restype = ctypes.c_uint8
    lib.openmpt_module_set_render_param.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int32]
    lib.openmpt_module_set_position_seconds.argtypes = [ctypes.c_void_p, ctypes.c_double]
    lib.openmpt_module_set_position_seconds.restype = ctypes.c_double
    lib.openmpt_module_get_duration_seconds.argtypes = [ctypes.c_void_p]
    lib.openmpt_module_get_duration_seconds.restype = ctypes.c_double
    lib.openmpt_module_read_interleaved_float_stereo.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t, ctypes.c_void_p]
    lib.openmpt_module_read_interleaved_float_stereo.restype = ctypes.c_size_t
    return lib


class Module:
    """One module file. Every render starts from a new copy, because modules keep state."""

    def __init__(self, path):
        self.lib, self.data = _library(), path.read_bytes()
        handle, module = self._open()
        count = self.lib.openmpt_module_get_num_instruments(module)
        self.instruments = count or self.lib.openmpt_module_get_num_samples(module)
        self.seconds = self.lib.openmpt_module_get_duration_seconds(module)
        self.notes = self._notes(module)
        self.lib.openmpt_module_ext_destroy(handle)

    def _open(self):
        handle = self.lib.openmpt_module_ext_create_from_memory(self.data, len(self.data), *[None] * 7)
        if not handle:
            raise ValueError("not a module that libopenmpt can read")
        return handle, self.lib.openmpt_module_ext_get_module(handle)

    def _notes(self, module):
        """For each instrument (from 0) the notes written for it and how often."""
        command = self.lib.openmpt_module_get_pattern_row_channel_command
        notes = [Counter() for _ in range(self.instruments)]
        for pattern in range(self.lib.openmpt_module_get_num_patterns(module)):
            for row in range(self.lib.openmpt_module_get_pattern_num_rows(module, pattern)):
                for channel in range(self.lib.openmpt_module_get_num_channels(module)):
                    note = command(module, pattern, row, channel, NOTE)
                    instrument = command(module, pattern, row, channel, INSTRUMENT) - 1
                    if 0 < note <= 120 and 0 <= instrument < self.instruments:
                        notes[instrument][note] += 1
        return notes

    def render(self, start, seconds, only=None, separation=100):
        """The module, or only the instruments of `only`, as float32 (frames, 2)."""
        handle, module = self._open()
        try:
            table = (ctypes.c_void_p * 16)()
            if not self.lib.openmpt_module_ext_get_interface(handle, b"interactive", table, ctypes.sizeof(table)):
                raise ValueError("this libopenmpt cannot mute instruments")
            mute = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int)(table[MUTE_INSTRUMENT])
            if only is not None:
                for instrument in range(self.instruments):
                    mute(handle, instrument, int(instrument not in only))
            self.lib.openmpt_module_set_render_param(module, STEREO_SEPARATION, int(separation))
            self.lib.openmpt_module_set_render_param(module, INTERPOLATION, 8)
            self.lib.openmpt_module_set_position_seconds(module, float(start))
            out = np.zeros((int(seconds * RATE), 2), np.float32)
            block = np.zeros((BLOCK, 2), np.float32)
            at = 0
            while at < len(out):
                wanted = min(BLOCK, len(out) - at)
                got = self.lib.openmpt_module_read_interleaved_float_stereo(module, RATE, wanted, block.ctypes.data)
                if not got:
                    break
                out[at : at + got] = block[:got]
                at += got
            return out
        finally:
            self.lib.openmpt_module_ext_destroy(handle)

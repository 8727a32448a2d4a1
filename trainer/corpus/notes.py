"""MIDI files as plain notes: reading, choosing a passage, humanising.

A tune is a list of `Note` (seconds, with channel and program resolved) and a list
of control events (time, channel, kind, a, b) with kind "cc" or "bend"."""

import io
import struct
from dataclasses import dataclass, field, replace

import mido
import numpy as np


class _AnyKey(dict):
    """Some tunes have a broken key signature, for which mido would refuse them."""

    def __missing__(self, key):
        return "C"


mido.midifiles.meta._key_signature_decode = _AnyKey(mido.midifiles.meta._key_signature_decode)

DRUM_CHANNEL = 9
KEPT_CONTROLS = (1, 7, 10, 11, 64)


@dataclass
class Note:
    start: float
    end: float
    pitch: int
    velocity: int
    channel: int
    program: int

    @property
    def stem(self):
        if self.channel == DRUM_CHANNEL:
            return "drums"
        return "bass" if 32 <= self.program <= 39 else "other"


@dataclass
class Tune:
    notes: list
    controls: list = field(default_factory=list)

    @property
    def seconds(self):
        return max((n.end for n in self.notes), default=0.0)

    def stem(self, name):
        return [n for n in self.notes if n.stem == name]


def read_midi(data):
    """Bytes of a standard MIDI file to a Tune."""
    midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
    now, programs, open_notes, notes, controls = 0.0, [0] * 16, {}, [], []
    for message in midi:
        now += message.time
        kind = message.type
        if kind == "program_change":
            programs[message.channel] = message.program
        elif kind == "note_on" and message.velocity > 0:
            key = (message.channel, message.note)
            if key in open_notes:
                notes.append(_close(open_notes.pop(key), now))
            open_notes[key] = (now, message.note, message.velocity, message.channel, programs[message.channel])
        elif kind in ("note_off", "note_on"):
            key = (message.channel, message.note)
            if key in open_notes:
                notes.append(_close(open_notes.pop(key), now))
        elif kind == "control_change" and message.control in KEPT_CONTROLS:
            controls.append((now, message.channel, "cc", message.control, message.value))
        elif kind == "pitchwheel":
            controls.append((now, message.channel, "bend", message.pitch + 8192, 0))
    notes += [_close(note, min(now, note[0] + 2)) for note in open_notes.values()]
    notes.sort(key=lambda n: n.start)
    return Tune(notes, controls)


def _close(opened, end):
    start, pitch, velocity, channel, program = opened
    return Note(start, max(end, start + 0.03), pitch, velocity, channel, program)


def wad_music(path):
    """(name, bytes) of the MIDI music lumps of a Doom WAD."""
    data = open(path, "rb").read()
    count, offset = struct.unpack("<ii", data[4:12])
    for i in range(count):
        at, size, name = struct.unpack("<ii8s", data[offset + 16 * i : offset + 16 * i + 16])
        name = name.rstrip(b"\0").decode("ascii", "replace")
        if name.startswith("D_") and data[at : at + 4] == b"MThd":
            yield name[2:].lower(), data[at : at + size]


def passage(tune, length, rng):
    """A passage of about `length` seconds in which drums and bass play, from time 0."""
    seconds = int(tune.seconds) + 1
    marks = {stem: np.zeros(seconds + 1) for stem in ("drums", "bass", "other")}
    for note in tune.notes:
        marks[note.stem][int(note.start) : min(int(note.end), int(note.start) + 4) + 1] = 1
    score = marks["drums"] * marks["bass"] + 0.3 * (marks["drums"] + marks["bass"] + marks["other"])
    span = int(min(length, seconds))
    sums = np.convolve(score, np.ones(span), "valid")
    good = np.flatnonzero(sums >= 0.95 * sums.max())
    begin = float(rng.choice(good))
    return cut(tune, begin, begin + span)


def cut(tune, begin, end):
    notes = [
        replace(n, start=max(0.0, n.start - begin), end=min(n.end, end) - begin)
        for n in tune.notes
        if n.start < end - 0.05 and n.end > begin + 0.1 and (n.start >= begin or n.channel != DRUM_CHANNEL)
    ]
    state = {}
    for event in tune.controls:
        if event[0] <= begin:
            state[(event[1], event[2], event[3] if event[2] == "cc" else 0)] = event
    controls = [(0.0, *event[1:]) for event in state.values()]
    controls += [(e[0] - begin, *e[1:]) for e in tune.controls if begin < e[0] < end]
    return Tune(notes, controls)


def stretch(tune, speed, transpose):
    """Faster by `speed`; everything but the drums moved by `transpose` semitones."""
    notes = [
        replace(
            n,
            start=n.start / speed,
            end=n.end / speed,
            pitch=n.pitch if n.channel == DRUM_CHANNEL else int(np.clip(n.pitch + transpose, 1, 126)),
        )
        for n in tune.notes
    ]
    return Tune(notes, [(e[0] / speed, *e[1:]) for e in tune.controls])


def humanise(notes, rng, timing, velocity):
    """Copies with jittered start (seconds) and velocity, the end moves with the start."""
    out = []
    for n in notes:
        shift = float(np.clip(rng.normal(0, timing), -3 * timing, 3 * timing))
        start = max(0.0, n.start + shift)
        level = int(np.clip(n.velocity + rng.normal(0, velocity), 8, 127))
        out.append(replace(n, start=start, end=max(start + 0.03, n.end + shift), velocity=level))
    return sorted(out, key=lambda n: n.start)

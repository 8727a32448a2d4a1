"""Synthesised instruments in numpy: electronic basses and leads, plucked strings."""

from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from common import RATE, load_audio
from dsp import lowpass, repitch


def hertz(pitch):
    return 440.0 * 2 ** ((np.asarray(pitch, float) - 69) / 12)


def _saw(phase, hz):
    """Band-limited sawtooth (polynomial step correction)."""
    p, dt = phase % 1.0, hz / RATE
    x = 2 * p - 1
    low, high = p < dt, p > 1 - dt
    u = p[low] / dt
    x[low] -= u + u - u * u - 1
    u = (p[high] - 1) / dt
    x[high] -= u * u + u + u + 1
    return x


def oscillator(shape, hz, n, detune=0.0, start=0.0):
    """One tone of `n` frames. Shapes: sine, saw, square, triangle, fm, sub (808-like)."""
    hz = hz * 2 ** (detune / 1200)
    phase = start + np.arange(n) * hz / RATE
    if shape == "saw":
        return _saw(phase, hz)
    if shape == "square":
        return 0.5 * (_saw(phase, hz) - _saw(phase + 0.5, hz))
    if shape == "triangle":
        return 4 * np.abs((phase % 1) - 0.5) - 1
    if shape == "fm":
        fall = np.exp(-np.arange(n) / RATE / 0.25)
        return np.sin(2 * np.pi * phase + (0.3 + 2.5 * fall) * np.sin(2 * np.pi * phase))
    return np.sin(2 * np.pi * phase)


def swept_lowpass(x, start, end, decay):
    """Low-pass whose cutoff falls from `start` to `end` Hz: a blend of three fixed ones."""
    x = x[:, None].astype(np.float32)
    middle = np.sqrt(start * end)
    parts = [lowpass(x, hz, 2)[:, 0] for hz in (start, middle, end)]
    position = 2 * (1 - np.exp(-np.arange(len(x)) / RATE / decay))
    first = np.clip(1 - position, 0, 1)
    last = np.clip(position - 1, 0, 1)
    return parts[0] * first + parts[1] * (1 - first - last) + parts[2] * last


class SynthPatch:
    """A random patch; renders each (pitch, length) once and reuses it."""

    def __init__(self, rng, kind):
        shapes = {"bass": ("saw", "square", "triangle", "fm", "saw"), "sub": ("sine",), "lead": ("saw", "square", "fm"), "pad": ("saw", "square")}
        self.rng, self.kind, self.cache = rng, kind, {}
        self.shape = str(rng.choice(shapes[kind]))
        self.voices = {"bass": int(rng.integers(1, 3)), "sub": 1, "lead": int(rng.integers(1, 4)), "pad": int(rng.integers(3, 6))}[kind]
        self.detune = rng.uniform(4, 18)
        self.bright = rng.uniform(1200, 7000) if kind != "sub" else 800
        self.dark = rng.uniform(200, 900) if kind in ("bass", "sub") else rng.uniform(800, 3000)
        self.decay = rng.uniform(0.05, 0.5)
        self.attack = rng.uniform(0.1, 0.5) if kind == "pad" else rng.uniform(0.001, 0.01)
        self.release = rng.uniform(0.3, 0.8) if kind == "pad" else rng.uniform(0.02, 0.15)
        self.hold = rng.uniform(0.3, 1.0)
        self.subtone = rng.uniform(0, 0.8) if kind == "bass" else 0
        self.drive = rng.uniform(0.7, 4) if kind == "sub" else rng.uniform(0.5, 2)
        self.glide = rng.random() < 0.4

    def tone(self, pitch, seconds):
        key = (pitch, round(seconds, 2))
        if key in self.cache:
            return self.cache[key]
        n = int((seconds + 3 * self.release) * RATE)
        hz = float(hertz(pitch))
        t = np.arange(n) / RATE
        if self.kind == "sub":
            sweep = hz * (1 + 1.5 * np.exp(-t / 0.012))
            x = np.tanh(self.drive * np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.exp(-t / (0.4 + 2 * self.hold)))
            sides = [x, x]
        else:
            sides = [np.zeros(n), np.zeros(n)]
            for voice in range(self.voices):
                off = self.detune * (voice - (self.voices - 1) / 2)
                x = oscillator(self.shape, hz, n, off, self.rng.random())
                spread = 0.5 if self.kind == "bass" else 0.5 + 0.5 * (voice % 2) * (1 if voice % 4 < 2 else -1)
                sides[0] = sides[0] + x * spread
                sides[1] = sides[1] + x * (1 - spread)
            if self.subtone:
                low = np.sin(2 * np.pi * hz * t) * self.subtone
                sides = [s + low for s in sides]
            sides = [swept_lowpass(s, max(self.bright, 3 * hz), max(self.dark, 1.5 * hz), self.decay) for s in sides]
            sides = [np.tanh(s * self.drive) for s in sides]
        level = np.minimum(1, t / self.attack) * (self.hold + (1 - self.hold) * np.exp(-t / 0.25))
        level = level * np.where(t < seconds, 1, np.exp(-(t - seconds) / self.release))
        level[-64:] *= np.linspace(1, 0, 64)
        self.cache[key] = (np.stack(sides, axis=1) * level[:, None]).astype(np.float32)
        return self.cache[key]

    def play(self, notes, seconds):
        return place(notes, seconds, lambda n: self.tone(n.pitch, min(max(n.end - n.start, 0.05), 6)))


class GrowlPatch:
    """Several detuned saws beating against each other, over a sine, behind a filter that wobbles in time: the
    basses of dubstep, drum and bass and synth-pop, whose middle moves as drums do."""

    def __init__(self, rng):
        self.rng = rng
        self.shape = str(rng.choice(["saw", "saw", "square"]))
        self.detunes = rng.normal(0, rng.uniform(6, 35), int(rng.integers(2, 7)))
        self.low, self.high = rng.uniform(120, 400), rng.uniform(800, 6000)
        # Cycles of the filter per second; none for a steady tone
        self.wobble = float(rng.choice([0.0, 1.2, 2.3, 3.5, 4.7, 7.0])) * rng.uniform(0.9, 1.1)
        self.sine = rng.uniform(0.2, 1.5)
        self.drive = rng.uniform(1, 8)
        self.spread = rng.uniform(0, 0.8)
        self.release = rng.uniform(0.01, 0.1)

    def tone(self, pitch, seconds):
        n = int((seconds + 4 * self.release) * RATE)
        hz, t = float(hertz(pitch)), np.arange(n) / RATE
        sides = np.zeros((n, 2))
        for i, detune in enumerate(self.detunes):
            side = self.spread * (1 if i % 2 else -1)
            tone = oscillator(self.shape, hz, n, detune, self.rng.random())
            sides += tone[:, None] * np.array([1 - side, 1 + side]) / len(self.detunes)
        dark, bright = lowpass(sides, max(self.low, hz), 2), lowpass(sides, max(self.high, 3 * hz), 2)
        open_ = 0.5 - 0.5 * np.cos(2 * np.pi * self.wobble * t) if self.wobble else np.exp(-t / 0.4)
        moving = np.tanh((dark + (bright - dark) * open_[:, None]) * self.drive)
        sub = np.sin(2 * np.pi * hz * t) * self.sine
        level = np.minimum(1, t / 0.004) * np.where(t < seconds, 1, np.exp(-(t - seconds) / self.release))
        level[-64:] *= np.linspace(1, 0, 64)
        return ((moving + sub[:, None]) * level[:, None]).astype(np.float32)

    def play(self, notes, seconds):
        return place(notes, seconds, lambda n: self.tone(n.pitch, min(max(n.end - n.start, 0.05), 6)))


class StringPatch:
    """Plucked string (Karplus-Strong with pick position, damping and body): bass or guitar."""

    def __init__(self, rng, kind):
        self.rng, self.cache = rng, {}
        self.pick = rng.uniform(0.08, 0.35)
        self.bright = rng.uniform(0.25, 0.9)
        self.sustain = rng.uniform(1.0, 5.0) if kind == "bass" else rng.uniform(1.5, 6.0)
        self.click = rng.uniform(0, 0.4)
        self.mute = rng.uniform(0.03, 0.12)
        self.palm = rng.uniform(0.12, 0.3) if rng.random() < 0.25 else None

    def tone(self, pitch, take):
        key = (pitch, take)
        if key in self.cache:
            return self.cache[key]
        hz = float(hertz(pitch))
        n = int(4.0 * RATE)
        period = RATE / hz
        whole = int(period - 0.5)
        frac = period - 0.5 - whole
        burst = self.rng.uniform(-1, 1, whole)
        smooth = 1 - self.bright
        burst = lfilter([1 - smooth], [1, -smooth], burst)
        shift = max(1, int(self.pick * whole))
        burst = burst - np.roll(burst, shift)
        loss = 10 ** (-3 / (hz * (self.palm or self.sustain)))
        # one period at a time: each sample is the damped mean of those a (fractional) period ago
        y = np.zeros(n + whole + 2)
        y[2 : 2 + whole] = burst
        weights = loss * np.array([0.5 * frac, 0.5, 0.5 * (1 - frac)])
        for at in range(2 + whole, len(y), whole):
            end = min(at + whole, len(y))
            past = y[at - whole - 2 : end - whole]
            y[at:end] = np.convolve(past, weights[::-1], "valid")
        y = y[2 : 2 + n]
        y[: int(0.01 * RATE)] += self.click * self.rng.standard_normal(int(0.01 * RATE)) * np.exp(-np.arange(int(0.01 * RATE)) / 60) * np.abs(burst).max()
        y = y / (np.abs(y).max() + 1e-9)
        self.cache[key] = y.astype(np.float32)
        return self.cache[key]

    def play(self, notes, seconds):
        def sound(note):
            y = self.tone(note.pitch, int(self.rng.integers(3)))
            length = max(0.06, note.end - note.start)
            n = min(len(y), int((length + 4 * self.mute) * RATE))
            t = np.arange(n) / RATE
            y = y[:n] * np.where(t < length, 1, np.exp(-(t - length) / self.mute))
            y[-64:] *= np.linspace(1, 0, 64)
            return np.stack([y, y], axis=1).astype(np.float32)

        return place(notes, seconds, sound)


SONIC_PI, LMMS = Path("/usr/share/sonic-pi/samples"), Path("/usr/share/lmms/samples")
# Bass notes of the packages sonic-pi-samples and lmms-common, by the kit that credits them
BASS_NOTES = {
    "sonic-pi": [SONIC_PI / f"bass_{name}.flac" for name in ("dnb_f", "drop_c", "hard_c", "hit_c", "thick_c", "trance_c", "voxy_c", "woodsy_c")],
    "lmms-drums": [LMMS / name for name in ("basses/bass_hard01.ogg", "basses/bass_hard02.ogg", "basses/matrix1000_pluck01.ogg", "instruments/bassslap02.ogg", "instruments/cello01.ogg")],
}  # fmt: skip


def pitch_of(mono):
    """Pitch (MIDI number, not rounded) of a note, by the autocorrelation of its loudest half second."""
    loud = int(np.argmax(np.abs(mono)))
    part = lowpass(np.stack([mono[loud : loud + RATE // 2]] * 2, axis=1), 600)[:, 0]
    spectrum = np.fft.rfft(part, 2 * len(part))
    lags = np.fft.irfft(np.abs(spectrum) ** 2)[: len(part)]
    shortest, longest = RATE // 400, min(RATE // 28, len(part) - 1)
    lag = shortest + int(np.argmax(lags[shortest:longest]))
    return 69 + 12 * np.log2(RATE / lag / 440)


class SamplePatch:
    """One recorded bass note, repitched."""

    def __init__(self, rng):
        pool = [(kit, path) for kit, paths in BASS_NOTES.items() for path in paths if path.exists()]
        self.kit, path = pool[int(rng.integers(len(pool)))]
        audio = load_audio(path)
        self.mono = (audio[:, 0] + audio[:, 1]) * np.float32(0.5)
        self.root = pitch_of(self.mono)
        self.release, self.notes = rng.uniform(0.02, 0.15), {}

    def play(self, notes, seconds):
        def sound(note):
            if note.pitch not in self.notes:
                self.notes[note.pitch] = repitch(self.mono, float(np.clip(note.pitch - self.root, -24, 24)))
            y = self.notes[note.pitch]
            length = max(0.06, note.end - note.start)
            n = min(len(y), int((length + 4 * self.release) * RATE))
            t = np.arange(n) / RATE
            y = y[:n] * np.where(t < length, 1, np.exp(-(t - length) / self.release)).astype(np.float32)
            y[-64:] *= np.linspace(1, 0, len(y[-64:]), dtype=np.float32)
            return np.stack([y, y], axis=1)

        return place(notes, seconds, sound)


def place(notes, seconds, sound):
    """Adds each note's sound at its time, scaled by velocity."""
    frames = int(seconds * RATE)
    out = np.zeros((frames, 2), np.float32)
    for note in notes:
        at = int(note.start * RATE)
        if at < frames:
            part = sound(note)[: frames - at]
            out[at : at + len(part)] += part * (note.velocity / 127) ** 1.4
    return out

"""Effects on float32 (frames, 2) audio: EQ, dynamics, drive, space, pitch."""

import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt

from common import RATE, db, loudest, mono_of, rms_db


def filtered(audio, *sections):
    """One pass through any number of second-order sections (rows b0 b1 b2 1 a1 a2)."""
    return sosfilt(np.array(sections), audio, axis=0).astype(np.float32, copy=False)


def _row(b, a):
    return [x / a[0] for x in (*b, *a)]


def bell_row(hz, gain_db, q=0.9):
    amp, w = 10 ** (gain_db / 40), 2 * np.pi * min(hz, 0.45 * RATE) / RATE
    alpha, c = np.sin(w) / (2 * q), np.cos(w)
    return _row([1 + alpha * amp, -2 * c, 1 - alpha * amp], [1 + alpha / amp, -2 * c, 1 - alpha / amp])


def shelf_row(hz, gain_db, high):
    amp, w = 10 ** (gain_db / 40), 2 * np.pi * min(hz, 0.45 * RATE) / RATE
    c, s = np.cos(w), 1 if high else -1
    beta = np.sin(w) * np.sqrt(2) * np.sqrt(amp)
    b = [
        amp * ((amp + 1) + s * (amp - 1) * c + beta),
        -2 * s * amp * ((amp - 1) + s * (amp + 1) * c),
        amp * ((amp + 1) + s * (amp - 1) * c - beta),
    ]
    a = [
        (amp + 1) - s * (amp - 1) * c + beta,
        2 * s * ((amp - 1) - s * (amp + 1) * c),
        (amp + 1) - s * (amp - 1) * c - beta,
    ]
    return _row(b, a)


def peak(audio, hz, gain_db, q=0.9):
    """Bell filter."""
    return filtered(audio, bell_row(hz, gain_db, q))


def highpass(audio, hz, order=2):
    sos = butter(order, hz, "highpass", fs=RATE, output="sos")
    return sosfilt(sos, audio, axis=0).astype(np.float32)


def lowpass(audio, hz, order=2):
    if hz >= 0.48 * RATE:
        return audio
    sos = butter(order, hz, "lowpass", fs=RATE, output="sos")
    return sosfilt(sos, audio, axis=0).astype(np.float32)


def random_eq(audio, rng, amount=3.0):
    """Two shelves and two bells of up to about `amount` dB each."""
    rows = [
        shelf_row(rng.uniform(80, 300), rng.normal(0, amount * 0.6), high=False),
        shelf_row(rng.uniform(3000, 8000), rng.normal(0, amount * 0.8), high=True),
    ]
    for _ in range(2):
        hz = np.exp(rng.uniform(np.log(200), np.log(6000)))
        rows.append(bell_row(hz, rng.normal(0, amount * 0.7), rng.uniform(0.6, 2)))
    return filtered(audio, *rows)


def envelope_db(audio, hop=64):
    """Approximate peak level of the louder channel in dB, per block of `hop` frames."""
    n = len(audio) // hop + 1
    power = np.zeros(n * hop, np.float32)
    power[: len(audio)] = loudest(audio) ** 2
    return 10 * np.log10(power.reshape(n, hop).mean(axis=1) + 1e-12)


def smooth_gain(target_db, attack, release, hop=64):
    """Follows a gain curve (dB per block), down with `attack` and up with `release` seconds."""
    down, up = np.exp(-hop / RATE / attack), np.exp(-hop / RATE / release)
    out, state = np.empty_like(target_db), 0.0
    for i, value in enumerate(target_db.tolist()):
        k = down if value < state else up
        state = value + k * (state - value)
        out[i] = state
    return out


def spread(blocks, frames, hop=64):
    """Values per block to values per frame, (frames, 1) float32, by linear interpolation."""
    at = np.arange(frames, dtype=np.float32) / hop
    return np.interp(at, np.arange(len(blocks)), blocks).astype(np.float32)[:, None]


def gain_curve(audio, threshold_db, ratio, attack=0.005, release=0.12, hop=64):
    """Linear gain per frame of a compressor that follows `audio`."""
    over = np.maximum(envelope_db(audio, hop) - threshold_db, 0)
    gains = smooth_gain(-over * (1 - 1 / ratio), attack, release, hop)
    return spread(db(gains), len(audio), hop)


def compress(audio, above_db, ratio, attack=0.005, release=0.12, mix=1.0):
    """Compressor with its threshold `above_db` below the loudest tenth; level is kept."""
    levels = envelope_db(audio)
    threshold = np.percentile(levels, 95) - above_db
    wet = audio * gain_curve(audio, threshold, ratio, attack, release)
    return audio * (1 - mix) + wet * (db(rms_db(audio) - rms_db(wet)) * mix)


def transient(audio, gain_db):
    """Lifts (or softens) attacks: gain by the fast envelope's lead over the slow one."""
    level = envelope_db(audio)
    fast, slow = smooth_gain(level, 0.001, 0.02), smooth_gain(level, 0.03, 0.03)
    lead = np.clip((fast - slow) / 12, -0.3, 1) * gain_db
    return audio * spread(db(lead), len(audio))


def drive(audio, gain_db, bias=0.0):
    """Soft clipping after `gain_db` over unit RMS; RMS is kept."""
    level = rms_db(audio)
    hot = np.tanh(audio * db(gain_db - level - 10) + np.float32(bias)) - np.float32(np.tanh(bias))
    return hot * db(level - rms_db(hot))


def cabinet(audio, rng):
    """Guitar or bass loudspeaker: band limits, a dip and a presence peak, a short comb."""
    audio = highpass(audio, rng.uniform(70, 130))
    audio = lowpass(audio, rng.uniform(3800, 6500), 4)
    audio = peak(audio, rng.uniform(2000, 3800), rng.uniform(1, 6), 1.2)
    audio = peak(audio, rng.uniform(350, 700), rng.uniform(-5, 1), 1.0)
    lag = int(rng.uniform(0.0002, 0.0012) * RATE)
    comb = audio.copy()
    comb[lag:] += rng.uniform(0.1, 0.4) * audio[:-lag]
    return comb


def distort(audio, rng, heavy):
    """Guitar amplifier: tight low end, two gain stages, cabinet."""
    audio = highpass(audio, rng.uniform(90, 180))
    audio = peak(audio, rng.uniform(700, 1200), rng.uniform(2, 6), 0.7)
    audio = drive(audio, rng.uniform(22, 34) if heavy else rng.uniform(8, 20), rng.uniform(0, 0.3))
    audio = drive(audio, rng.uniform(6, 14) if heavy else rng.uniform(0, 6))
    return cabinet(audio, rng)


def reverb_ir(rng, seconds, damping_hz, predelay):
    """Stereo impulse response: early reflections and a decaying, darkening noise tail."""
    n = int(seconds * 1.2 * RATE)
    t = np.arange(n) / RATE
    tail = rng.standard_normal((n, 2)).astype(np.float32)
    bright = lowpass(tail, damping_hz)
    dark = lowpass(tail, damping_hz * 0.35)
    decay = np.exp(-6.9 * t / seconds)[:, None]
    ir = (bright * decay**1.6 + dark * decay) * 0.7
    for _ in range(8):
        at = int(rng.uniform(0.003, 0.04) * RATE)
        if at < n:
            ir[at] += rng.uniform(-1, 1, 2) * 6
    ir = np.pad(ir, ((int(predelay * RATE), 0), (0, 0)))
    return (ir / np.sqrt(np.sum(ir**2) / 2)).astype(np.float32)


def reverb(audio, rng, seconds, wet_db, damping_hz=6000, predelay=0.0):
    """Adds a random room of the given length, `wet_db` relative to the dry sound."""
    ir = reverb_ir(rng, seconds, damping_hz, predelay)
    send = highpass(audio, 120)
    wet = [oaconvolve(np.ascontiguousarray(send[:, c]), ir[:, c].copy())[: len(audio)] for c in (0, 1)]
    wet = np.stack(wet, axis=1).astype(np.float32, copy=False)
    scale = db(rms_db(audio) - rms_db(wet) + wet_db)
    return audio + wet * scale


def delay(audio, rng, seconds, wet_db):
    """Ping-pong echoes."""
    out, echo = audio.copy(), lowpass(audio, rng.uniform(2500, 6000))
    lag, level, feedback = int(seconds * RATE), db(wet_db), rng.uniform(0.2, 0.5)
    for i in range(1, 4):
        if lag * i >= len(audio):
            break
        side = echo[:, ::-1] if i % 2 else echo
        weights = np.array([1.0, 0.5] if i % 2 else [0.5, 1.0], np.float32)
        out[lag * i :] += side[: -lag * i] * weights * level
        level *= feedback
    return out


def widen(audio, rng, seconds=None):
    """Chorus-like width: a slowly moving short delay of the mid goes to the side."""
    base, depth, speed = rng.uniform(0.007, 0.018), rng.uniform(0.0005, 0.003), rng.uniform(0.1, 0.9)
    n = np.arange(len(audio))
    mid = mono_of(audio)
    at = n - RATE * (base + depth * np.sin(2 * np.pi * speed * n / RATE))
    moved = np.interp(at, n, mid, left=0).astype(np.float32) * rng.uniform(0.3, 0.8)
    return audio + np.stack([moved, -moved], axis=1)


def pan(audio, position):
    """Balance, -1 (left) to 1 (right), equal power."""
    angle = (position + 1) * np.pi / 4
    return audio * (np.array([np.cos(angle) * 2**0.5, np.sin(angle) * 2**0.5], np.float32))


def width(audio, amount):
    """Scales the side signal."""
    mid, side = mono_of(audio), (audio[:, 0] - audio[:, 1]) * 0.5 * amount
    return np.stack([mid + side, mid - side], axis=1)


def repitch(mono, semitones):
    """Pitch and formants together, by resampling; the duration changes too."""
    import soxr

    if abs(semitones) < 0.01:
        return mono
    return soxr.resample(mono, RATE * 2 ** (semitones / 12), RATE, quality="MQ").astype(np.float32)

#!/usr/bin/env python3
"""Spleeter's vocal network in plain numpy: the figures that the separator's tests compare with.

    pip install numpy    (and ffmpeg)
    python3 trainer/frontends/reference_spleeter.py VOCALS_I8.safetensors VOCALS_F32.safetensors assets/demo OUT.json

The two files come from convert_spleeter.py (`--dtype i8` and `--dtype f32`). Written independently of the Rust
code: it follows the layers one by one, and does without blocks, fused steps and split columns.

    network  cells of the output for a made input, kernels of 8 bits
    demo     level of the vocals against the rest in dB, whole kernels, for each 512 frames of the demo's vocals and
             drums (of which all decoders make the same samples)
"""

import json
import subprocess
import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from safetensors_file import read_safetensors

FRAMES, BINS, FFT, HOP, RATE = 512, 1024, 4096, 1024, 44100
SMALL_FRAMES = 64


def read_weights(path):
    """Our names, kernels in 8 bits as numbers."""
    tensors = read_safetensors(path)
    for name in [name for name in tensors if name.endswith(".weight")]:
        scale = tensors.get(f"{name}_scale")
        if scale is not None:
            shape = (1, -1, 1, 1) if name.startswith("up") else (-1, 1, 1, 1)
            tensors[name] = tensors[name].astype(np.float32) * scale.reshape(shape)
    return tensors


def norm(x, w, layer):
    return x * w[f"{layer}.norm_scale"][:, None, None] + w[f"{layer}.norm_offset"][:, None, None]


def down(x, w, n):
    """5x5, stride 2, padding 1 before and 2 after; the skip is taken before the normalisation."""
    v = sliding_window_view(np.pad(x, ((0, 0), (1, 2), (1, 2))), (5, 5), axis=(1, 2))[:, ::2, ::2]
    channels, rows, columns = v.shape[:3]
    kernel = w[f"down{n}.weight"]
    y = kernel.reshape(kernel.shape[0], -1) @ v.transpose(0, 3, 4, 1, 2).reshape(channels * 25, rows * columns)
    y = y.reshape(-1, rows, columns) + w[f"down{n}.bias"][:, None, None]
    a = norm(y, w, f"down{n}")
    return y, np.where(a > 0, a, 0.2 * a)


def up(x, w, n):
    """5x5 transposed, stride 2, cut by 1 before and 2 after; the rectifier, then the normalisation."""
    kernel = w[f"up{n}.weight"]
    channels, rows, columns = x.shape
    out = np.zeros((kernel.shape[1], 2 * rows + 3, 2 * columns + 3), np.float32)
    flat = x.reshape(channels, -1)
    for i in range(5):
        for j in range(5):
            out[:, i : i + 2 * rows : 2, j : j + 2 * columns : 2] += (kernel[:, :, i, j].T @ flat).reshape(-1, rows, columns)
    return norm(np.maximum(out[:, 1:-2, 1:-2] + w[f"up{n}.bias"][:, None, None], 0), w, f"up{n}")


def shares(x, w):
    skips, a = [], x
    for n in range(1, 7):
        y, a = down(a, w, n)
        skips.append(y)
    u = up(skips[5], w, 1)
    for n in range(2, 7):
        u = up(np.concatenate([skips[6 - n], u]), w, n)
    kernel, padded = w["mask.weight"], np.pad(u[0], 3)
    rows, columns = u.shape[1:]
    y = sum(
        kernel[:, 0, i, j][:, None, None] * padded[2 * i : 2 * i + rows, 2 * j : 2 * j + columns]
        for i in range(4)
        for j in range(4)
    )
    return 1 / (1 + np.exp(-(y + w["mask.bias"][:, None, None]).astype(np.float64)))


def made_input(frames):
    c, t, f = np.meshgrid(np.arange(2), np.arange(frames), np.arange(BINS), indexing="ij")
    return (np.abs(np.sin(0.37 * t + 0.011 * f * (c + 1))) * 20 * np.exp(-f / 200)).astype(np.float32)


def magnitudes(sound):
    padded = np.pad(sound, ((FFT // 2, FFT // 2), (0, 0)))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    frames = sliding_window_view(padded, FFT, axis=0)[::HOP][:FRAMES] * hann.astype(np.float32)
    m = np.abs(np.fft.rfft(frames, axis=-1)[..., :BINS]).astype(np.float32).transpose(1, 0, 2)
    return np.pad(m, ((0, 0), (0, FRAMES - m.shape[1]), (0, 0)))


def decode(path):
    """Samples [frames, 2]."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-ar", str(RATE), "-ac", "2", "-f", "f32le", "-"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return np.frombuffer(done.stdout, np.float32).reshape(-1, 2)


def main():
    small, whole, demo, out = sys.argv[1:5]
    w8, w32 = read_weights(small), read_weights(whole)
    y = shares(made_input(SMALL_FRAMES), w8)
    cells = [[int(c), int(t), int(f)] for c in (0, 1) for t in (0, 1, 17, 63) for f in (0, 1, 40, 511, 1023)]
    network = {"frames": SMALL_FRAMES, "mean": float(y.mean()), "cells": [[*cell, float(y[tuple(cell)])] for cell in cells]}
    stems = []
    for stem in ("vocals", "drums"):
        stems.append(decode(f"{demo}/{stem}.ogg"))
    length = max(map(len, stems))
    mix = sum(np.pad(sound, ((0, length - len(sound)), (0, 0))) for sound in stems)
    levels, size = [], (FRAMES - 1) * HOP
    for start in range(0, length - size + 1, size):
        m = magnitudes(mix[start : start + size])
        v = m * shares(m, w32)
        levels.append(float(10 * np.log10((v**2).sum() / (m**2 - v**2).sum())))
    with open(out, "w") as file:
        json.dump({"network": network, "demo": {"frames": FRAMES, "level_db": levels}}, file, indent=1)
        file.write("\n")
    print(levels)


if __name__ == "__main__":
    main()

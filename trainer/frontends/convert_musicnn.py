#!/usr/bin/env python3
"""Writes musicnn's weights as a safetensors file, for the ablation of front ends.

    pip download musicnn --no-deps --dest DIR
    python3 trainer/frontends/convert_musicnn.py DIR/musicnn-0.1.0-py3-none-any.whl OUT.safetensors [--model MSD_musicnn]

musicnn (Pons and Serra 2019, ISC licence) tags music: its layers between the spectrogram and
the tags are a general music encoder. The wheel holds TensorFlow checkpoints; they are read here
without TensorFlow, and the normalisation of each layer is folded into a scale and an offset.
"""

import argparse
import zipfile

import numpy as np

from safetensors_file import write_safetensors

EPSILON = 1e-3  # of tf.layers.batch_normalization


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def block(index, offset, size):
    """Keys and values of a table's block; a key leaves out the start that it shares with the key before it."""
    if index[offset + size] != 0:
        raise ValueError("the checkpoint's index is compressed")
    data = index[offset : offset + size]
    end = size - 4 - 4 * int.from_bytes(data[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = varint(data, at)
        fresh, at = varint(data, at)
        length, at = varint(data, at)
        key = key[:shared] + data[at : at + fresh]
        yield key, data[at + fresh : at + fresh + length]
        at += fresh + length


def fields(message):
    """Numbers and bytes of a protocol buffer, by field."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind == 2:
            length, at = varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            width = {1: 8, 5: 4}[kind]
            value, at = message[at : at + width], at + width
        yield tag >> 3, value


def checkpoint(index, data):
    """Tensors of a TensorFlow checkpoint by name."""
    footer = index[-48:]
    _, at = varint(footer, 0)
    _, at = varint(footer, at)
    offset, at = varint(footer, at)
    size, at = varint(footer, at)
    tensors = {}
    for _, handle in block(index, offset, size):
        start, at = varint(handle, 0)
        length, _ = varint(handle, at)
        for key, entry in block(index, start, length):
            entry = dict(fields(entry))
            if not key or entry.get(1) != 1:  # skips the header and what is not a float
                continue
            shape = [dict(fields(dim)).get(1, 0) for number, dim in fields(entry.get(2, b"")) if number == 2]
            start = entry.get(4, 0)
            values = np.frombuffer(data[start : start + entry[5]], "<f4")
            tensors[key.decode()] = values.reshape(shape)
    return tensors


def convert(tensors):
    """Our names: `conv{i}` and `norm{i}` in the order of the network, kernels as [out, in, height, width]."""

    def order(name, kind):
        stem = name.split("/")[-2]
        return int(stem.rsplit("_", 1)[1]) if stem != kind else 0

    out = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition("/")
        if layer.startswith("conv2d") and part in ("kernel", "bias"):
            kernel = part == "kernel"
            value = tensor.transpose(3, 2, 0, 1) if kernel else tensor
            out[f"conv{order(name, 'conv2d')}.{'weight' if kernel else 'bias'}"] = value
        if layer.startswith("batch_normalization") and part == "moving_mean":
            prefix = name[: -len("moving_mean")]
            scale = tensors[prefix + "gamma"] / np.sqrt(tensors[prefix + "moving_variance"] + EPSILON)
            number = order(name, "batch_normalization")
            out[f"norm{number}.scale"] = scale
            out[f"norm{number}.offset"] = tensors[prefix + "beta"] - tensor * scale
        if layer.startswith("dense") and part in ("kernel", "bias"):
            out[f"dense{order(name, 'dense')}.{'weight' if part == 'kernel' else 'bias'}"] = tensor.T
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("out")
    parser.add_argument("--model", default="MSD_musicnn", choices=("MSD_musicnn", "MTT_musicnn"))
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        read = lambda name: wheel.read(f"musicnn/{options.model}/{name}")  # noqa: E731
        tensors = convert(checkpoint(read(".index"), read(".data-00000-of-00001")))
    write_safetensors(options.out, tensors)
    for name, tensor in sorted(tensors.items()):
        print(name, tensor.shape)


if __name__ == "__main__":
    main()

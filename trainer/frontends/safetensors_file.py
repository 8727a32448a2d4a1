"""Safetensors files without the library: the few lines that the converters here need."""

import io
import json

import numpy as np

KINDS = {"I8": np.dtype("int8"), "F32": np.dtype("<f4")}


def write_safetensors(path, tensors, metadata=None):
    header, at, body = {} if metadata is None else {"__metadata__": metadata}, 0, io.BytesIO()
    for name, tensor in sorted(tensors.items()):
        kind = "I8" if tensor.dtype == KINDS["I8"] else "F32"
        data = np.ascontiguousarray(tensor, KINDS[kind]).tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        body.write(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + body.getvalue())


def read_safetensors(path):
    """Tensors by name."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(body[start:end], KINDS[entry["dtype"]]).reshape(entry["shape"])
    return tensors

#!/usr/bin/env python3
"""The encoder's training step in JAX, and ours next to it, one thread each, in one run.

    pip install jax optax numpy
    taskset -c 0 python3 trainer/benches/encoder_step_jax.py

Same sizes, batch, losses and optimiser as `encoder_step.rs`; prints CPU seconds per step and the ratio.
"""

import json
import os
import subprocess
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import jax
import jax.numpy as jnp
import numpy as np
import optax

ROOT = Path(__file__).resolve().parents[2]
BATCH, TOKENS, FRAMES, BANDS, STEMS = 12, 100, 5, 80, 4
HIDDEN, INNER, LAYERS, HEADS, SUMMARY, DROPOUT = 192, 512, 5, 6, 32, 0.1
CELLS, HEAD = FRAMES * BANDS * 2, HIDDEN // HEADS


def linear(key, inputs, outputs, bias=True):
    weight = jax.random.normal(key, (inputs, outputs)) * (1 / inputs) ** 0.5
    return {"w": weight, "b": jnp.zeros(outputs)} if bias else {"w": weight}


def init(key):
    keys = iter(jax.random.split(key, 80))
    layers = [
        {
            "n1": jnp.ones(HIDDEN), "n2": jnp.ones(HIDDEN),
            "q": linear(next(keys), HIDDEN, HIDDEN), "k": linear(next(keys), HIDDEN, HIDDEN),
            "v": linear(next(keys), HIDDEN, HIDDEN), "o": linear(next(keys), HIDDEN, HIDDEN, False),
            "gate": linear(next(keys), HIDDEN, INNER, False), "up": linear(next(keys), HIDDEN, INNER, False),
            "down": linear(next(keys), INNER, HIDDEN, False),
        }
        for _ in range(LAYERS)
    ]  # fmt: skip
    return {
        "embed": linear(next(keys), CELLS, HIDDEN), "layers": layers, "norm": jnp.ones(HIDDEN),
        "masks": linear(next(keys), HIDDEN, STEMS * CELLS), "summary": linear(next(keys), HIDDEN, SUMMARY),
        "head_in": linear(next(keys), SUMMARY + 3 * STEMS, 64), "head_out": linear(next(keys), 64, 3),
    }  # fmt: skip


def apply(p, x):
    y = x @ p["w"]
    return y + p["b"] if "b" in p else y


def rms(gain, x):
    return x * gain * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)


def rope(x, cos, sin):
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def drop(key, x):
    return jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)


def levels(energies):
    total = energies.sum(-1, keepdims=True)
    floor = 1e-5 * total
    return 10 / jnp.log(10.0) * (jnp.log(energies + floor) - jnp.log(total - energies + floor))


def loss(p, key, x, power, shares, weights, level, presence):
    angles = jnp.arange(TOKENS)[:, None] * 10000.0 ** (-2 * jnp.arange(HEAD // 2) / HEAD)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    h = apply(p["embed"], x)
    for layer in p["layers"]:
        key, k1, k2 = jax.random.split(key, 3)
        n = rms(layer["n1"], h)
        split = lambda y: y.reshape(BATCH, TOKENS, HEADS, HEAD).transpose(0, 2, 1, 3)
        q, k, v = (split(apply(layer[name], n)) for name in "qkv")
        scores = jax.nn.softmax(rope(q, cos, sin) @ rope(k, cos, sin).transpose(0, 1, 3, 2) / HEAD**0.5, -1)
        h = h + drop(k1, apply(layer["o"], (scores @ v).transpose(0, 2, 1, 3).reshape(BATCH, TOKENS, HIDDEN)))
        n = rms(layer["n2"], h)
        h = h + drop(k2, apply(layer["down"], jax.nn.silu(apply(layer["gate"], n)) * apply(layer["up"], n)))
    h = rms(p["norm"], h)
    logits = apply(p["masks"], h).reshape(BATCH, TOKENS, STEMS, CELLS)
    log = jax.nn.log_softmax(logits, 2)
    mask = -((shares * log).sum(2) * weights).sum() / weights.sum()
    energies = (jnp.exp(log) * power[:, :, None]).sum(-1)
    mask_level = levels(energies.sum(1))
    part = jax.lax.stop_gradient(energies)
    pooled = jnp.einsum("bts,bth->bsh", part / (part.sum(1, keepdims=True) + 1e-6), h)
    summary = apply(p["summary"], pooled)
    held = jax.lax.stop_gradient(mask_level) / 10
    eye = jnp.broadcast_to(jnp.eye(STEMS), (BATCH, STEMS, STEMS))
    every = jnp.broadcast_to(held[:, None], (BATCH, STEMS, STEMS))
    inputs = jnp.concatenate([summary, every, held[:, :, None] * eye, eye], -1)
    head = apply(p["head_out"], jax.nn.silu(apply(p["head_in"], inputs)))
    there = jnp.maximum(presence.sum(), 1)
    mean = lambda v: (v * presence).sum() / there
    spread = jnp.clip(head[..., 1], -2, 3)
    error = jnp.abs(10 * held + head[..., 0] - level)
    logit = head[..., 2]
    present = (jax.nn.relu(logit) + jnp.log1p(jnp.exp(-jnp.abs(logit))) - logit * presence).mean()
    return mask + 0.05 * mean(jnp.abs(mask_level - level)) + 0.05 * mean(error / jnp.exp(spread) + spread) + 0.1 * present


def jax_seconds(steps=12):
    rng = np.random.default_rng(1)
    own = (np.arange(CELLS) % BANDS * STEMS // BANDS)[None, :] == np.arange(STEMS)[:, None]
    parts = rng.uniform(0.01, 1, (BATCH, TOKENS, STEMS, CELLS)) * np.where(own, 1, 0.05)
    mix = parts.sum(2)
    x = (np.log10(mix / mix.mean()) + 2) / 1.5
    energies = parts.sum((1, 3))
    level = 10 * np.log10(energies / (energies.sum(1, keepdims=True) - energies))
    data = [jnp.asarray(a, jnp.float32) for a in (x, mix, parts / mix[:, :, None], np.sqrt(mix), level, np.ones((BATCH, STEMS)))]
    params = init(jax.random.PRNGKey(0))
    count = sum(p.size for p in jax.tree_util.tree_leaves(params))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-4, 0.9, 0.98, weight_decay=0.05))
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, key):
        value, grads = jax.value_and_grad(loss)(params, key, *data)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    times = []
    for i in range(steps + 2):
        before = time.process_time()
        params, state, value = step(params, state, jax.random.PRNGKey(i))
        value.block_until_ready()
        times.append(time.process_time() - before)
    return float(np.median(times[2:])), count


def our_seconds():
    command = ["cargo", "bench", "--workspace", "--bench", "encoder_step"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "RAYON_NUM_THREADS": "1", "CANDLE_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    estimates = ROOT / "target/criterion/encoder/training step/new/estimates.json"
    return json.loads(estimates.read_text())["median"]["point_estimate"] / 1e9


if __name__ == "__main__":
    theirs, count = jax_seconds()
    ours = our_seconds()
    print(f"{count} weights, {BATCH} windows: JAX {theirs:.3f} s, ours {ours:.3f} s per step; ours runs at {theirs / ours:.2f} of JAX's speed")

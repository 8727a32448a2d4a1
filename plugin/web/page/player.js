// Plays a window round and round, as it is or with the advice applied. Both versions run together, so that a change between
// them is heard at the same place, and neither is louder.

import * as api from "./api.js";

const FADE_S = 0.01;

export class Player {
  #context = null;
  #playing = null;
  #loading = null;

  /** Loads and plays. `of` is "window" or "song": whose advice is the other version. False if it was stopped meanwhile. */
  async play(id, window, of, altered, hasAdvice) {
    this.stop();
    // Made now, while the browser sees a click.
    this.#context ??= new AudioContext();
    await this.#context.resume();
    const loading = new AbortController();
    this.#loading = loading;
    const load = async (version) =>
      this.#context.decodeAudioData(await api.sound(id, window, version, of, loading.signal));
    let buffers;
    try {
      const original = await load("original");
      buffers = [original, hasAdvice ? await load("advice") : original];
    } catch (error) {
      if (loading.signal.aborted) return false;
      throw error;
    }
    if (loading.signal.aborted) return false;
    const start = this.#context.currentTime + 0.05;
    const tracks = buffers.map((buffer) => {
      const source = new AudioBufferSourceNode(this.#context, { buffer, loop: true });
      const gain = new GainNode(this.#context, { gain: 0 });
      source.connect(gain).connect(this.#context.destination);
      source.start(start);
      return { source, gain: gain.gain };
    });
    this.#playing = { window, of, tracks };
    this.#fade(altered);
    return true;
  }

  /** Whether this window sounds, with the versions of `of`. */
  plays(window, of) {
    return this.#playing?.window === window && (of === undefined || this.#playing.of === of);
  }

  get isPlaying() {
    return this.#playing !== null;
  }

  /** Fades to a version. */
  choose(altered) {
    if (this.#playing) this.#fade(altered);
  }

  #fade(altered) {
    const now = this.#context.currentTime;
    this.#playing.tracks.forEach(({ gain }, at) => gain.setTargetAtTime(at === Number(altered) ? 1 : 0, now, FADE_S / 3));
  }

  stop() {
    this.#loading?.abort();
    this.#loading = null;
    if (!this.#playing) return;
    const now = this.#context.currentTime;
    for (const { source, gain } of this.#playing.tracks) {
      gain.setTargetAtTime(0, now, FADE_S / 3);
      source.stop(now + 5 * FADE_S);
    }
    this.#playing = null;
  }
}

// The page: from a song to its verdict.

import * as api from "./api.js";
import * as levels from "./levels.js";
import * as timeline from "./timeline.js";
import { Player } from "./player.js";
import { element, evidence, signed, span, stage, sure } from "./words.js";

const at = (id) => document.getElementById(id);
const show = (id, visible) => (at(id).hidden = !visible);
const SECTIONS = ["start", "progress", "verdict", "levels", "song-time", "asking"];
const player = new Player();

let info = null;
/** The song that is shown: its name at the server, its state, its windows, its verdict, the chosen window. */
let song = null;
/** Ends the upload or the following of a song. */
let leave = () => {};

function reset() {
  leave();
  leave = () => {};
  player.stop();
  song = null;
  SECTIONS.forEach((id) => show(id, false));
  show("again", false);
  show("window", false);
  timeline.clear();
  at("answers").replaceChildren();
  document.title = "MixingBuddy";
}

function begin() {
  reset();
  history.replaceState(null, "", location.pathname);
  at("start").reset();
  show("start", true);
}

/** Goes back to the start, and has the server forget the song. */
function discard() {
  const id = song?.id;
  begin();
  at("song").focus();
  if (id) api.remove(id).catch(() => {});
}

/** Says what went wrong, and goes back to the start if there is nothing else to show. */
function complain(error, goBack = true) {
  if (error.name === "AbortError") return;
  if (goBack) begin();
  at("problem").textContent = error.message;
  show("problem", true);
}

const forgive = () => show("problem", false);

// --- Upload and progress ---

function showProgress(text, share) {
  at("stage").textContent = text;
  if (share === null) at("bar").removeAttribute("value");
  else at("bar").value = share;
}

/** For who does not see: only when something new begins. */
function speak(text) {
  if (at("spoken").textContent !== text) at("spoken").textContent = text;
}

async function send(event) {
  event.preventDefault();
  forgive();
  const form = new FormData(at("start"));
  for (const name of ["song", "reference"]) {
    const file = form.get(name);
    if (file.size === 0) form.delete(name);
    if (file.size > info.most_upload_bytes) {
      complain(new Error(`${file.name} is larger than ${info.most_upload_bytes >> 20} MB, which is the most that this server takes.`), false);
      return;
    }
  }
  reset();
  show("progress", true);
  at("progress-title").focus();
  speak("Sending your song.");
  const upload = api.upload(form, (share) => showProgress(`Sending your song: ${Math.round(100 * share)} %.`, share));
  leave = upload.abort;
  showProgress("Sending your song.", 0);
  try {
    open(await upload.sent);
  } catch (error) {
    complain(error);
  }
}

/** Follows a song that the server has. */
function open(state) {
  song = { id: state.id, state, windows: [], verdict: null, chosen: null };
  history.replaceState(null, "", `#${state.id}`);
  show("progress", true);
  leave = api.follow(state.id, { window: onWindow, song: onSong, state: onState, lost: onLost });
  // Of a song that is judged already, the windows and the verdict are told before the state.
  if (state.state !== "done") onState(state);
}

function onLost() {
  complain(new Error("The server no longer has the song."));
}

function onState(state) {
  song.state = state;
  if (state.state === "failed") {
    complain(new Error(state.error));
    return;
  }
  if (state.state === "done") {
    show("progress", false);
    showVerdict();
    return;
  }
  const share = state.state === "listening" && state.length_s ? Math.min(state.heard_s / state.length_s, 1) : null;
  showProgress(stage(state), share);
  speak(state.state === "waiting" ? stage(state) : state.part === "reference" ? "Listening to the reference." : "Listening to your song.");
}

function onWindow(number, line) {
  song.windows[number] = line;
  timeline.put(number, line);
  show("song-time", true);
  if (!song.verdict && song.chosen === null) {
    levels.show(line, info, song.state);
    show("levels", true);
  }
}

function onSong(line) {
  song.verdict = line;
}

// --- The verdict ---

function showVerdict() {
  const { verdict, state } = song;
  at("song-name").textContent = state.reference ? `${state.file}, next to ${state.reference}` : state.file;
  at("headline").textContent = verdict.text;
  at("evidence").textContent = evidence(verdict, info, state);
  const { stem, gain_db: gain } = verdict;
  show("figure", Boolean(stem));
  if (stem) {
    at("gain").textContent = `${signed(gain, Number.isInteger(gain) ? 0 : 1)} dB`;
    at("gain").className = `of-${stem}`;
    const spread = verdict.gain_db_sd ? ` · ± ${verdict.gain_db_sd.toFixed(1)}` : "";
    at("gain-words").textContent = `${gain < 0 ? "lower" : "raise"} ${stem}${spread}`;
  }
  at("warnings").replaceChildren(...state.warnings.map((warning) => element("li", {}, warning)));
  show("warnings", state.warnings.length > 0);
  at("report").href = api.path(song.id, "/report");
  at("lines").href = api.path(song.id, "/result");
  levels.show(verdict, info, state);
  ["verdict", "levels", "song-time", "asking", "again"].forEach((id) => show(id, true));
  document.title = `${verdict.text} – MixingBuddy`;
  speak("");
  if (song.chosen !== null) chooseWindow(song.chosen);
  at("headline").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

// --- A window ---

const version = () => document.querySelector("input[name=version]:checked").value;
/** Whose advice the original is compared with. */
let source = "window";

function hasAdvice(of) {
  const line = of === "song" ? song.verdict : song.windows[song.chosen];
  return Boolean(line && line.best.stem && line.best.gain_db);
}

function chooseWindow(number) {
  const line = song.windows[number];
  const again = song.chosen === number;
  song.chosen = number;
  timeline.mark(number);
  at("window-text").textContent = [span(line), line.text, sure(line)].filter(Boolean).join(" · ");
  for (const of of ["window", "song"]) {
    const input = document.querySelector(`input[name=version][value=${of}]`);
    input.disabled = !hasAdvice(of);
    if (input.disabled && input.checked) document.querySelector("input[name=version][value=original]").checked = true;
  }
  if (!hasAdvice(source)) source = hasAdvice("window") ? "window" : "song";
  const about = at("about").querySelector("[value=window]");
  about.disabled = false;
  about.textContent = `window ${span(line)}`;
  show("window", true);
  levels.show(line, info, song.state);
  if (!again && player.isPlaying) play();
}

function showPlaying(text = "") {
  at("play").textContent = player.isPlaying ? "Stop" : "Play";
  at("play").setAttribute("aria-pressed", String(player.isPlaying));
  at("play-text").textContent = text;
}

async function play() {
  const chosen = song.chosen;
  at("play-text").textContent = "Preparing the sound …";
  try {
    const of = hasAdvice(source) ? source : "window";
    if (await player.play(song.id, chosen, of, version() !== "original", hasAdvice(of))) {
      showPlaying("All versions are equally loud. The stems are estimated from the mix, so what you hear is an estimate too.");
    }
  } catch (error) {
    player.stop();
    showPlaying(error.message);
  }
}

function onPlay() {
  if (!player.isPlaying) {
    play();
    return;
  }
  player.stop();
  showPlaying();
}

function onVersion() {
  const chosen = version();
  if (chosen !== "original" && chosen !== source) {
    source = chosen;
    if (player.isPlaying) play();
    return;
  }
  player.choose(chosen !== "original");
}

// --- Questions ---

async function ask(event) {
  event.preventDefault();
  forgive();
  const question = at("question").value.trim();
  if (!question) return;
  const aboutWindow = at("about").value === "window" && song.chosen !== null;
  try {
    const line = await api.question(song.id, question, aboutWindow ? song.chosen : null);
    const asked = aboutWindow ? `${question} (${span(line)})` : question;
    at("answers").append(element("dl", {}, element("dt", {}, asked), element("dd", {}, line.text)));
    at("question").value = "";
  } catch (error) {
    complain(error, false);
  }
}

// --- Start ---

function listenToDrops() {
  for (const box of document.querySelectorAll(".drop")) {
    const input = at(box.dataset.for);
    const over = (is) => (event) => {
      event.preventDefault();
      box.classList.toggle("over", is);
    };
    box.addEventListener("dragover", over(true));
    box.addEventListener("dragleave", over(false));
    box.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer.files.length > 0) input.files = event.dataTransfer.files;
    });
  }
  // A song that is dropped beside the boxes must not take the place of the page.
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
}

async function start() {
  listenToDrops();
  at("start").addEventListener("submit", send);
  at("again").addEventListener("click", discard);
  at("cancel").addEventListener("click", discard);
  at("play").addEventListener("click", onPlay);
  at("ask").addEventListener("submit", ask);
  document.querySelectorAll("input[name=version]").forEach((input) => input.addEventListener("change", onVersion));
  timeline.onChoose(chooseWindow);
  try {
    info = await api.info();
  } catch (error) {
    complain(error);
    return;
  }
  at("limits").textContent = `WAV, FLAC, MP3, Ogg or M4A, up to ${info.most_upload_bytes >> 20} MB and ${Math.round(info.most_song_s / 60)} minutes.`;
  const minutes = Math.round(info.keep_s / 60);
  at("keeping").textContent = `The song goes to this page's server and nowhere else. It is removed with “Another song”, or ${minutes} ${minutes === 1 ? "minute" : "minutes"} after you have left.`;
  at("about-server").textContent = `MixingBuddy ${info.version} · model ${info.model}`;
  const id = location.hash.slice(1);
  if (!id) {
    begin();
    return;
  }
  try {
    open(await api.state(id));
  } catch {
    begin();
  }
}

start();

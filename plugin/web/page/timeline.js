// The windows of the song, each a button; arrow keys go from one to the next.

import { clock, element, shape, span, sure } from "./words.js";

const LANES = ["vocals", "drums", "bass"];
const LANE_PX = 32;
const list = document.getElementById("windows");
let choose = () => {};

/** Calls `chosen` with the number of the window that the user chooses. */
export function onChoose(chosen) {
  choose = chosen;
}

/** What a window says, in one shape per lane. */
function picture(line) {
  const svg = shape("svg", { "aria-hidden": "true", viewBox: "0 0 16 96" });
  LANES.forEach((stem, lane) => {
    const y = lane * LANE_PX + LANE_PX / 2;
    const { verdict, stem: off } = line.best;
    const faint = line.verdict === "abstain" ? " faint" : "";
    if (line.best.verdict === "silence") return;
    if (off === stem) {
      const up = verdict.endsWith("loud");
      const size = verdict.startsWith("very") ? 10 : 7;
      const tip = up ? -size : size;
      svg.append(shape("path", { class: `of-${stem}${faint}`, fill: "currentcolor", d: `M8 ${y + tip}L15 ${y - tip / 2}H1Z` }));
    } else if (line.verdict === "no_error") {
      svg.append(shape("circle", { class: "good", cx: 8, cy: y, r: 3.5, fill: "var(--good)" }));
    } else if (line.verdict === "abstain" && !off) {
      svg.append(shape("circle", { cx: 8, cy: y, r: 3, fill: "none", stroke: "var(--dim)", "stroke-width": 1.5 }));
    }
  });
  return svg;
}

function label(line) {
  return [`${clock(line.start_s)} to ${clock(line.end_s)}: ${line.text}`, sure(line)].filter(Boolean).join(" ");
}

/** Adds a window, or replaces it. */
export function put(number, line) {
  const button = element("button", { type: "button", "aria-pressed": "false", "aria-label": label(line), title: `${span(line)}: ${line.text}`, tabindex: number === 0 ? "0" : "-1" });
  button.append(picture(line));
  if (number % 6 === 0) button.append(element("span", { class: "time", "aria-hidden": "true" }, clock(line.start_s)));
  button.addEventListener("click", () => choose(number));
  const old = list.children[number];
  if (old) old.replaceWith(button);
  else list.append(button);
}

/** Shows which window is chosen; none for null. */
export function mark(number) {
  [...list.children].forEach((button, at) => {
    button.setAttribute("aria-pressed", String(at === number));
    button.tabIndex = at === (number ?? 0) ? 0 : -1;
  });
}

/** Forgets all windows. */
export function clear() {
  list.replaceChildren();
}

list.addEventListener("keydown", (event) => {
  const buttons = [...list.children];
  const now = buttons.indexOf(document.activeElement);
  const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (now < 0 || to === undefined || !buttons[to]) return;
  event.preventDefault();
  buttons[now].tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus();
});

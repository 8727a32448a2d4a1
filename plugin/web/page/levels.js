// The levels of the four stems next to what is usual, or to the reference.

import { STEMS, element, shape, signed, title } from "./words.js";

const LOW = -24;
const HIGH = 12;
const at = (lu) => (100 * (Math.min(Math.max(lu, LOW), HIGH) - LOW)) / (HIGH - LOW);

const box = (name, left, right, y, height) =>
  shape("rect", { class: name, x: `${left}%`, width: `${Math.max(right - left, 0)}%`, y, height, rx: 2 });
const mark = (name, lu, y, height) => shape("rect", { class: name, x: `${at(lu)}%`, width: 3, y, height });

function picture(stem, level, usual, aim) {
  const svg = shape("svg", { class: `of-${stem}`, "aria-hidden": "true" });
  svg.append(box("track", 0, 100, 10, 6), box("band", at(usual[0]), at(usual[1]), 4, 18), shape("rect", { class: "zero", x: `${at(0)}%`, width: 1, y: 0, height: 26 }));
  if (typeof level === "number") svg.append(box("bar", 0, at(level), 10, 6), mark("tip", level, 5, 16));
  if (typeof aim === "number") svg.append(mark("aim", aim, 2, 22));
  return svg;
}

/** Shows the levels of a line. */
export function show(line, info, state) {
  const aims = state.reference_lu;
  document.getElementById("levels-caption").textContent = aims
    ? "LU against the rest of the mix. White line: the reference. Wide band: usual."
    : "LU against the rest of the mix. Wide band: usual.";
  document.getElementById("aim-head").textContent = aims ? "Reference" : "Usual";
  const rows = STEMS.map((stem) => {
    const level = line.levels_lu[stem];
    const [low, high] = info.usual_lu[stem];
    const aim = aims ? aims[stem] : null;
    const goal = aims ? (typeof aim === "number" ? signed(aim) : "absent") : `${signed(low)} to ${signed(high)}`;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, title(stem)),
      element("td", { class: "chart" }, picture(stem, level, [low, high], aim)),
      element("td", {}, typeof level === "number" ? signed(level) : "absent"),
      element("td", { class: "dim" }, goal),
    );
  });
  document.getElementById("level-rows").replaceChildren(...rows);
}

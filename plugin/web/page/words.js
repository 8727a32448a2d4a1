// Numbers, times and short texts as people read them.

export const STEMS = ["vocals", "drums", "bass", "other"];

/** "Vocals" */
export const title = (stem) => stem.charAt(0).toUpperCase() + stem.slice(1);

/** A signed number with a true minus sign: "−4.0". */
export function signed(value, digits = 1) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "−" : "+") + text;
}

/** "1:20"; seconds round down, as in a transport. */
export function clock(seconds) {
  const whole = Math.floor(Math.round(seconds * 1000) / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** "1:20–1:30" */
export const span = (line) => `${clock(line.start_s)}–${clock(line.end_s)}`;

/** "82 % sure"; nothing for silence. */
export const sure = (line) => (line.verdict === "silence" ? "" : `${Math.round(100 * line.confidence)} % sure`);

/** What is measured of the stem that the advice names, or would name. */
export function evidence(line, info, state) {
  const parts = [sure(line)];
  const stem = line.best.stem;
  const level = stem && line.levels_lu[stem];
  if (typeof level === "number") {
    const aim = state.reference_lu && state.reference_lu[stem];
    const [low, high] = info.usual_lu[stem];
    parts.push(
      typeof aim === "number"
        ? `${stem} at ${signed(level)} LU, in the reference ${signed(aim)}`
        : `${stem} at ${signed(level)} LU, usual ${signed(low)} to ${signed(high)}`,
    );
  }
  if (state.anchor) parts.push(`the ${state.anchor} taken as right`);
  return parts.filter(Boolean).join(" · ");
}

/** How far a song has come, as a sentence. */
export function stage(state) {
  if (state.state === "waiting") {
    return state.place === null ? "Its turn has come." : `Place ${state.place} of ${state.waiting} in the queue.`;
  }
  if (state.state !== "listening") return "";
  const what = state.part === "reference" ? `Listening to ${state.reference}` : "Listening to your song";
  return state.length_s ? `${what}: ${clock(state.heard_s)} of ${clock(state.length_s)}.` : `${what}: ${clock(state.heard_s)}.`;
}

/** Makes an element. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Makes an element of a picture. */
export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

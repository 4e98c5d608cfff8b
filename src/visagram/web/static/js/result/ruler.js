// The time axis above the lanes, with the event windows and the in and out marks on it.
import { moment } from "./words.js";

const STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const FONT = "500 11px Inter, system-ui, sans-serif";
const APART = 84;
const BESIDE = 8;
export const WINDOW_HEIGHT = 20;
const TICKS_HEIGHT = 24;

/** Height of the ruler in pixels. */
export const rulerHeight = (windows) => TICKS_HEIGHT + (windows.length ? WINDOW_HEIGHT : 0);

/** The distance between ticks in seconds, and the digits their labels need. */
export function ticks(perPixel) {
  const step = STEPS.find((candidate) => candidate / perPixel >= APART) ?? STEPS.at(-1);
  return { step, digits: step < 0.1 ? 2 : step < 1 ? 1 : 0 };
}

/** Paints ticks, windows `[{name, start, end}]` and marks `{start, end}` of `view`. */
export function paintRuler(canvas, width, { view, windows, marks, paint }) {
  const ratio = devicePixelRatio || 1;
  const height = rulerHeight(windows);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const perPixel = (view[1] - view[0]) / width;
  const x = (time) => (time - view[0]) / perPixel;
  context.font = FONT;
  context.textBaseline = "middle";
  windows.forEach((window) => bracket(context, x(window.start), x(window.end), window.name, paint, width));
  if (marks.start !== null || marks.end !== null) {
    const left = x(marks.start ?? view[0]);
    const right = x(marks.end ?? view[1]);
    context.globalAlpha = 0.22;
    context.fillStyle = paint.accent;
    context.fillRect(left, height - TICKS_HEIGHT, right - left, TICKS_HEIGHT);
    context.globalAlpha = 1;
    for (const at of [marks.start, marks.end]) if (at !== null) context.fillRect(x(at) - 1, height - TICKS_HEIGHT, 2, TICKS_HEIGHT);
  }
  axis(context, width, height, x, view, perPixel, paint);
}

function axis(context, width, height, x, view, perPixel, paint) {
  const { step, digits } = ticks(perPixel);
  // Labels stand beside their ticks, so that the cursor's handle on a tick covers none.
  for (let k = Math.ceil(view[0] / step - 1e-9); k * step <= view[1] + 1e-9; k++) {
    const at = x(k * step);
    context.fillStyle = paint.muted;
    context.globalAlpha = 0.5;
    context.fillRect(Math.min(width - 1, Math.round(at)), height - 6, 1, 6);
    context.globalAlpha = 1;
    const text = moment(k * step, digits);
    const room = BESIDE + context.measureText(text).width;
    const before = at + room > width;
    if (before && step / perPixel < 2 * room) continue;
    context.textAlign = before ? "right" : "left";
    context.fillText(text, before ? at - BESIDE : at + BESIDE, height - 14);
  }
  context.fillStyle = paint.line;
  context.fillRect(0, height - 1, width, 1);
}

function bracket(context, left, right, name, paint, width) {
  if (right < 0 || left > width) return;
  const from = Math.max(0, left);
  const to = Math.max(from + 3, Math.min(width, right));
  context.fillStyle = paint.track;
  context.fillRect(from, 2, to - from, WINDOW_HEIGHT - 4);
  context.fillStyle = paint.ink;
  context.fillRect(from, 2, 2, WINDOW_HEIGHT - 4);
  context.fillRect(to - 2, 2, 2, WINDOW_HEIGHT - 4);
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from - 4, WINDOW_HEIGHT);
  context.clip();
  context.textAlign = "left";
  context.fillText(name, from + 8, WINDOW_HEIGHT / 2);
  context.restore();
}

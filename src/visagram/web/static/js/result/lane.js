// One person's lane on a canvas: stacked areas of the mean posterior, gaps, and what was unsure.
import { EXPRESSIONS } from "../palette.js";
import { ABSENT, MEASURED, SEEN, UNSURE, best } from "./tiles.js";

const LABELS = 18;
const FONT = "500 11px Inter, system-ui, sans-serif";
const LEAST_MEASURED = MEASURED;

/** Paints `bins` of `view` (seconds) over the canvas. `labels` leaves room above for the names of long stretches.
 * While `moving` the areas are plain: patterns are what costs. */
export function paintLane(canvas, width, height, { bins, view, paint, isShown, labels, moving }) {
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  paint.use(context, ratio);
  const top = labels ? LABELS : 4;
  const floor = height - 5;
  const scale = width / (view[1] - view[0]);
  const fills = moving ? paint.plain : paint.fills;
  const shape = { context, paint, fills, bins, top, floor, x: (time) => (time - view[0]) * scale };
  context.fillStyle = paint.line;
  context.fillRect(0, floor, width, 1);
  if (!bins) return;
  const shown = EXPRESSIONS.map((name, k) => (isShown(name) ? k : -1)).filter((k) => k >= 0);
  for (const [first, after] of runs(bins, (state) => state >= LEAST_MEASURED)) area(shape, first, after, shown);
  for (const [first, after] of runs(bins, (state) => state === UNSURE)) cover(shape, first, after);
  for (const [first, after] of runs(bins, (state) => state === SEEN)) dots(shape, first, after);
  if (labels) names(shape, width, isShown);
}

/** [first, after] of each run of bins whose state `holds`. */
export function runs(bins, holds) {
  const found = [];
  let first = -1;
  for (let i = 0; i <= bins.count; i++) {
    const inside = i < bins.count && holds(bins.state(i) ?? ABSENT);
    if (inside && first < 0) first = i;
    if (!inside && first >= 0) {
      found.push([first, i]);
      first = -1;
    }
  }
  return found;
}

const edge = (bins, i) => Math.min(bins.from + i * bins.bin, bins.end);

function area({ context, fills, bins, top, floor, x }, first, after, shown) {
  const number = after - first;
  const xs = new Float64Array(number + 2);
  // Values belong to the middle of their bin; the first and last reach out to the edge of the measured time.
  xs[0] = x(edge(bins, first));
  for (let i = 0; i < number; i++) xs[i + 1] = x((edge(bins, first + i) + edge(bins, first + i + 1)) / 2);
  xs[number + 1] = x(edge(bins, after));
  let lower = new Float64Array(number);
  for (const k of shown) {
    const upper = new Float64Array(number);
    let tall = false;
    for (let i = 0; i < number; i++) {
      const value = bins.posterior(first + i, k);
      upper[i] = Math.min(1, lower[i] + value);
      tall ||= value > 0.004;
    }
    if (tall) outline(context, xs, upper, lower, (value) => floor - value * (floor - top));
    context.fillStyle = fills[k];
    if (tall) context.fill();
    lower = upper;
  }
}

function outline(context, xs, upper, lower, y) {
  const last = upper.length - 1;
  context.beginPath();
  context.moveTo(xs[0], y(upper[0]));
  for (let i = 0; i <= last; i++) context.lineTo(xs[i + 1], y(upper[i]));
  context.lineTo(xs[last + 2], y(upper[last]));
  context.lineTo(xs[last + 2], y(lower[last]));
  for (let i = last; i >= 0; i--) context.lineTo(xs[i + 1], y(lower[i]));
  context.lineTo(xs[0], y(lower[0]));
  context.closePath();
}

function cover({ context, paint, bins, top, floor, x }, first, after) {
  const left = x(edge(bins, first));
  const width = Math.max(1.5, x(edge(bins, after)) - left);
  context.fillStyle = paint.unsure;
  context.fillRect(left, top, width, floor - top);
}

function dots({ context, paint, bins, floor, x }, first, after) {
  const left = x(edge(bins, first));
  const right = Math.max(left + 3, x(edge(bins, after)));
  context.fillStyle = paint.muted;
  for (let at = left; at < right - 1; at += 6) context.fillRect(at, floor - 3, 3, 3);
}

function names({ context, paint, bins, x }, width, isShown) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "center";
  context.fillStyle = paint.muted;
  const tops = new Int8Array(bins.count);
  for (let i = 0; i < bins.count; i++) tops[i] = (bins.state(i) ?? ABSENT) >= LEAST_MEASURED ? best(bins, i) : -1;
  let first = 0;
  for (let i = 1; i <= bins.count; i++) {
    if (i < bins.count && tops[i] === tops[first]) continue;
    const name = EXPRESSIONS[tops[first]];
    const left = Math.max(0, x(edge(bins, first)));
    const right = Math.min(width, x(edge(bins, i)));
    if (name && isShown(name) && right - left > context.measureText(name).width + 14)
      context.fillText(name, (left + right) / 2, LABELS / 2);
    first = i;
  }
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { EXPRESSIONS } from "visagram/palette.js";
import { paintLane, runs } from "visagram/result/lane.js";
import { ABSENT, MEASURED, SEEN, UNSURE } from "visagram/result/tiles.js";

/** Bins of one second from `from` on, each of one expression at full strength: [state, expression]. */
function bins(cells, from = 0) {
  const posterior = (i, k) => (cells[i][0] >= MEASURED && EXPRESSIONS[k] === cells[i][1] ? 1 : 0);
  return { bin: 1, from, end: from + cells.length, count: cells.length, posterior, state: (i) => cells[i][0] };
}

/** What was painted on a canvas of 100 x 60: filled shapes and rectangles with their colour and extent, and texts. */
function painted(shown, view, { isShown = () => true, labels = true } = {}) {
  const found = { areas: [], boxes: [], texts: [] };
  let points = [];
  const context = {
    setTransform() {}, clearRect() {}, closePath() {},
    beginPath: () => (points = []),
    moveTo: (x, y) => points.push([x, y]),
    lineTo: (x, y) => points.push([x, y]),
    fill() {
      const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
      found.areas.push([this.fillStyle, Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]);
    },
    fillRect(x, y, w, h) { found.boxes.push([this.fillStyle, x, y, w, h]); },
    measureText: (text) => ({ width: 5 * text.length }),
    fillText: (text, x) => found.texts.push([text, x]),
  };
  const canvas = { width: 0, height: 0, getContext: () => context };
  const paint = { use() {}, fills: EXPRESSIONS, plain: EXPRESSIONS.map((name) => `plain ${name}`), unsure: "unsure", muted: "muted", line: "line" };
  globalThis.devicePixelRatio = 1;
  paintLane(canvas, 100, 60, { bins: shown, view, paint, isShown, labels, moving: false });
  return found;
}

test("runs are stretches of bins whose state holds, the last one included", () => {
  const states = [MEASURED, UNSURE, ABSENT, SEEN, MEASURED];
  const some = { count: states.length, state: (i) => states[i] };
  assert.deepEqual(runs(some, (state) => state >= MEASURED), [[0, 2], [4, 5]]);
  assert.deepEqual(runs(some, (state) => state === ABSENT), [[2, 3]]);
  assert.deepEqual(runs({ count: 0, state: () => MEASURED }, () => true), []);
});

test("each expression's area is where and in what it was measured, in its own colour", () => {
  const { areas } = painted(bins([[MEASURED, "happy"], [MEASURED, "happy"], [ABSENT], [MEASURED, "sad"]]), [0, 4]);
  assert.deepEqual(areas, [
    ["happy", 0, 50, 18, 55],
    ["sad", 75, 100, 18, 55],
  ]);
});

test("what was not measured stays empty: dots where somebody was, nothing where nobody was", () => {
  const { areas, boxes } = painted(bins([[SEEN], [ABSENT], [ABSENT], [ABSENT]]), [0, 4]);
  assert.deepEqual(areas, []);
  const dots = boxes.filter(([colour]) => colour === "muted").map(([, x]) => x);
  assert.ok(dots.length > 2 && Math.min(...dots) === 0 && Math.max(...dots) < 25);
});

test("what was unsure is covered over the lane's whole height", () => {
  const { areas, boxes } = painted(bins([[MEASURED, "happy"], [UNSURE, "happy"], [MEASURED, "happy"], [ABSENT]]), [0, 4]);
  assert.deepEqual(areas, [["happy", 0, 75, 18, 55]]);
  assert.deepEqual(boxes.filter(([colour]) => colour === "unsure"), [["unsure", 25, 18, 25, 37]]);
});

test("an expression that the legend hides leaves its place to the others", () => {
  const { areas, texts } = painted(bins([[MEASURED, "happy"], [MEASURED, "sad"]]), [0, 2], { isShown: (name) => name === "sad" });
  assert.deepEqual(areas.map(([name]) => name), ["sad"]);
  assert.deepEqual(texts.map(([name]) => name), ["sad"]);
});

test("names stand over the middle of stretches that are wide enough for them", () => {
  const cells = [...Array(6).fill([MEASURED, "happy"]), [MEASURED, "sad"], ...Array(3).fill([ABSENT])];
  assert.deepEqual(painted(bins(cells), [0, 10]).texts, [["happy", 30]]);
  assert.deepEqual(painted(bins(cells), [0, 10], { labels: false }).texts, []);
});

test("the lane shows the stretch on view", () => {
  const { areas } = painted(bins([[MEASURED, "happy"], [MEASURED, "happy"]], 5), [4, 8]);
  assert.deepEqual(areas, [["happy", 25, 75, 18, 55]]);
});

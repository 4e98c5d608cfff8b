import assert from "node:assert/strict";
import { test } from "node:test";
import { thumbnail } from "visagram/result/strip.js";

// Two sheets of 10 x 3 cells, a thumbnail every two seconds.
const strip = { width: 160, height: 90, columns: 10, rows: 3, interval: 2, count: 45 };
const place = (time) => Object.values(thumbnail(strip, time));

test("the first thumbnail stands for the first interval and no longer", () => {
  assert.deepEqual(place(0), [0, 0, 0]);
  assert.deepEqual(place(1.999), [0, 0, 0]);
  assert.deepEqual(place(2), [0, 160, 0]);
});

test("cells are filled row by row, then sheet by sheet", () => {
  assert.deepEqual(place(19), [0, 9 * 160, 0]);
  assert.deepEqual(place(20), [0, 0, 90]);
  assert.deepEqual(place(59), [0, 9 * 160, 180]);
  assert.deepEqual(place(60), [1, 0, 0]);
  assert.deepEqual(place(85), [1, 2 * 160, 90]);
});

test("a time outside the video has its first or last thumbnail", () => {
  assert.deepEqual(place(-1), [0, 0, 0]);
  assert.deepEqual(place(88), [1, 4 * 160, 90]);
  assert.deepEqual(place(90), [1, 4 * 160, 90]);
  assert.deepEqual(place(1e6), [1, 4 * 160, 90]);
});

test("every thumbnail has a cell of its own", () => {
  const cells = Array.from({ length: strip.count }, (_, k) => place((k + 0.5) * strip.interval).join());
  assert.equal(new Set(cells).size, strip.count);
});

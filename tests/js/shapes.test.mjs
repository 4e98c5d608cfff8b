import assert from "node:assert/strict";
import { test } from "node:test";
import { canvasOf, isOtherStream, placeOf, shapeAt } from "visagram/result/shapes.js";

const plain = { width: 640, height: 360, shapes: [] };
const turned = { width: 640, height: 360, shapes: [{ time: 0, width: 640, height: 360 }, { time: 2, width: 360, height: 640 }] };
const size = ({ width, height }) => [width, height];

test("a picture that never changes has its one shape at any time", () => {
  assert.deepEqual([0, 5].map((time) => size(shapeAt(plain, time))), [[640, 360], [640, 360]]);
  assert.deepEqual(size(shapeAt({ width: 64, height: 48 }, 1)), [64, 48]);
  assert.deepEqual(size(canvasOf(plain)), [640, 360]);
});

test("a shape holds from its first frame on, also where a browser rounds that frame's time down", () => {
  assert.deepEqual([0, 1.99, 2 - 1e-6, 2, 9].map((time) => shapeAt(turned, time).width), [640, 640, 360, 360, 360]);
});

test("the canvas holds every shape", () => {
  assert.deepEqual(size(canvasOf(turned)), [640, 640]);
});

test("a picture of one shape fills the stage as far as it fits", () => {
  const place = placeOf(plain, 0, { width: 1280, height: 800 }, { width: 320, height: 180 });
  assert.deepEqual(place, { x: 0, y: 40, w: 1280, h: 720, sx: 2, sy: 2 });
  assert.deepEqual(placeOf(plain, 0, { width: 1280, height: 800 }, null), place);
});

test("a copy for playback has each shape in the middle of the canvas, at the same scale", () => {
  const stage = { width: 320, height: 320 };
  const copy = { width: 640, height: 640 };
  assert.deepEqual(placeOf(turned, 0, stage, copy), { x: 0, y: 70, w: 320, h: 180, sx: 0.5, sy: 0.5 });
  assert.deepEqual(placeOf(turned, 2, stage, copy), { x: 70, y: 0, w: 180, h: 320, sx: 0.5, sy: 0.5 });
});

test("a single frame from the server is the picture alone", () => {
  const stage = { width: 640, height: 640 };
  assert.deepEqual(placeOf(turned, 0, stage, null), { x: 0, y: 140, w: 640, h: 360, sx: 1, sy: 1 });
  assert.deepEqual(placeOf(turned, 3, stage, null), { x: 140, y: 0, w: 360, h: 640, sx: 1, sy: 1 });
});

test("the player may show another video of the file than the one that was analysed", () => {
  assert.equal(isOtherStream({ stream: 1 }, { stream: 0 }), true);
  assert.equal(isOtherStream({ stream: 0 }, { stream: 0 }), false);
  // What an older version did not say is not held against it.
  for (const unknown of [null, undefined, {}, { stream: null }]) assert.equal(isOtherStream({ stream: 1 }, unknown), false);
});

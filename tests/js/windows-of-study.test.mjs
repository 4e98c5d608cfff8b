import assert from "node:assert/strict";
import { test } from "node:test";
import { withInterval } from "visagram/study/window-statistics.js";

const NBSP = "\u00a0";

test("a share in a window has its interval where there is one", () => {
  assert.equal(withInterval("happy", { value: 0.6, low: 0.4, high: 0.75 }), `happy 60${NBSP}% (40–75${NBSP}%)`);
  assert.equal(withInterval("happy", { value: 1, low: null, high: null }), `happy 100${NBSP}%`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Recent } from "visagram/result/cache.js";

test("what was used least recently goes first", () => {
  const kept = new Recent(2);
  kept.put("a", 1);
  kept.put("b", 2);
  assert.equal(kept.get("a"), 1);
  kept.put("c", 3);
  assert.deepEqual([kept.get("a"), kept.get("b"), kept.get("c")], [1, undefined, 3]);
});

test("putting something again makes it the most recent and takes no more room", () => {
  const kept = new Recent(2);
  kept.put("a", 1);
  kept.put("b", 2);
  kept.put("a", 4);
  kept.put("c", 3);
  assert.deepEqual([kept.get("a"), kept.get("b"), kept.get("c")], [4, undefined, 3]);
});

test("dropped and cleared things are gone", () => {
  const kept = new Recent(3);
  kept.put("a", 1);
  kept.put("b", 2);
  kept.drop("a");
  assert.deepEqual([kept.get("a"), kept.get("b")], [undefined, 2]);
  kept.clear();
  assert.equal(kept.get("b"), undefined);
});

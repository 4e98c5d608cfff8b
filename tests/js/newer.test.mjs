import assert from "node:assert/strict";
import { test } from "node:test";
import { successor } from "visagram/result/newer.js";

const report = (sha256, emotion = "visagram") => ({
  settings: { emotion },
  models: [{ task: "detection", sha256: "d" }, { task: "expression", name: "visagram-emotion", version: "0.1.0", sha256 }],
});
const offered = [
  { setting: "detector", choice: "visagram", sha256: "d2" },
  { setting: "emotion", choice: "visagram", name: "visagram-committee", sha256: "b" },
  { setting: "emotion", choice: "deepface", name: "deepface", sha256: "" },
];

test("a model that another has followed under its name has a successor", () => {
  const found = successor(report("a"), offered);
  assert.equal(found.was.version, "0.1.0");
  assert.equal(found.now.name, "visagram-committee");
});

test("the same model, one that is not here and one that nobody offers have none", () => {
  assert.equal(successor(report("b"), offered), null);
  assert.equal(successor(report("a", "deepface"), offered), null);
  assert.equal(successor(report("a", "onnx:own.onnx"), offered), null);
  assert.equal(successor({ settings: {}, models: [] }, offered), null);
});

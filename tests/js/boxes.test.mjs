import assert from "node:assert/strict";
import { test } from "node:test";
import { Boxes } from "visagram/result/boxes.js";
import { serve, settled } from "./server.mjs";

/** Rows [time, span, person] as the API gives them: as columns, those shown in the window it was asked for. */
function server(rows) {
  return (address) => {
    const query = new URL(address, "http://x").searchParams;
    const [start, end] = [Number(query.get("start")), Number(query.get("end"))];
    const shown = rows.filter(([time, span]) => time < end && time + span > start);
    return {
      start,
      end,
      time: shown.map(([time]) => time),
      span: shown.map(([, span]) => span),
      person: shown.map(([, , person]) => person),
      box: shown.map(([time, , person]) => [Math.round(time * 100), person, 10, 20]),
      posterior: shown.map(([time]) => (time < 1 ? null : [0, 0, 0, 255, 0, 0, 0])),
    };
  };
}

function made(rows, people = 2, answers = server(rows)) {
  const asked = serve(answers);
  let loads = 0;
  const boxes = new Boxes("/analyses/a", { people, onLoad: () => (loads += 1) });
  return { boxes, asked, loads: () => loads };
}

const steady = Array.from({ length: 750 }, (_, k) => [k / 25, 0.04, 1 + (k % 2)]);
const both = Array.from({ length: 50 }, (_, k) => [[k / 25, 0.04, 2], [k / 25, 0.04, 1]]).flat();
const shown = (boxes, time) => boxes.at(time).map(({ person, time: from }) => [person, from]);

test("the rows of a moment are those that are shown then, by person", async () => {
  const { boxes } = made(both);
  boxes.want(0.5);
  await settled();
  assert.deepEqual(shown(boxes, 0.5), [[1, 0.48], [2, 0.48]]);
  assert.deepEqual(boxes.at(0.5)[0], { person: 1, box: [48, 1, 10, 20], posterior: null, time: 0.48, span: 0.04 });
  assert.deepEqual(boxes.at(1.5)[1].posterior, [0, 0, 0, 255, 0, 0, 0]);
});

test("a row ends when its span is over, although no other follows", async () => {
  const { boxes } = made([[1, 0.04, 1], [3, 0.04, 1]]);
  boxes.want(1);
  await settled();
  assert.deepEqual(shown(boxes, 1.03), [[1, 1]]);
  assert.deepEqual(shown(boxes, 1.05), []);
  assert.deepEqual(shown(boxes, 0.99), []);
});

test("a time that the browser rounded down by a microsecond is still that of its frame", async () => {
  const { boxes } = made([[1, 0.04, 1], [1.04, 0.04, 1]]);
  boxes.want(1);
  await settled();
  assert.deepEqual(shown(boxes, 1.04 - 1e-6), [[1, 1.04]]);
});

test("a row that stands for long is found from far behind", async () => {
  const { boxes } = made([[0, 30, 1], [30, 30, 1]], 20);
  assert.equal(boxes.window, 2);
  boxes.want(0);
  await settled();
  boxes.want(25);
  await settled();
  assert.deepEqual(shown(boxes, 25), [[1, 0]]);
});

test("the more people there are the shorter a window is, within bounds", () => {
  const window = (people) => made([], people).boxes.window;
  assert.deepEqual([0, 1, 2, 4, 20, 500].map(window), [20, 20, 20, 10, 2, 2]);
});

test("what comes next is fetched ahead, more of it the faster the video runs", async () => {
  const { boxes, asked } = made(steady, 8); // windows of 5 s
  const starts = () => asked.splice(0).map((address) => Number(new URL(address, "http://x").searchParams.get("start")));
  boxes.want(12);
  await settled();
  assert.deepEqual(starts(), [10]);
  boxes.want(13.6);
  await settled();
  assert.deepEqual(starts(), [15]);
  boxes.want(14, 3);
  await settled();
  assert.deepEqual(starts(), [20, 25]);
  boxes.want(10.5);
  await settled();
  assert.deepEqual(starts(), [5], "a row from before may still be shown");
});

test("each window is asked for once, and its arrival is told", async () => {
  const { boxes, asked, loads } = made(steady);
  assert.equal(boxes.ready(3), false);
  boxes.want(3);
  boxes.want(3);
  await settled();
  boxes.want(3);
  assert.deepEqual([asked.length, loads(), boxes.ready(3)], [1, 1, true]);
});

test("the row beside a moment is the next or the one before", async () => {
  const { boxes } = made(both);
  boxes.want(0.5);
  await settled();
  assert.equal(boxes.beside(0.5, 1), 0.52);
  assert.equal(boxes.beside(0.5, -1), 0.44);
  assert.equal(boxes.beside(0, -1), null);
  assert.equal(boxes.beside(1.96, 1), null);
  assert.equal(boxes.beside(25, 1), null);
});

test("rows of one frame whose times differ by rounding are one step", async () => {
  const { boxes } = made([[1, 0.04, 1], [1.04, 0.04, 1], [1.04 + 4e-7, 0.04, 2], [1.08, 0.04, 1]]);
  boxes.want(1);
  await settled();
  assert.equal(boxes.beside(1.05, -1), 1);
  assert.equal(boxes.beside(1.05, 1), 1.08);
});

test("after people were changed nothing of before is shown, also what comes late", async () => {
  let late;
  const held = new Promise((resolve) => (late = resolve));
  const { boxes, loads } = made([], 2, () => held);
  boxes.want(0.5);
  await settled();
  boxes.reset();
  late(server(both)("http://x/?start=0&end=20"));
  await settled();
  assert.deepEqual([boxes.at(0.5), loads(), boxes.ready(0.5)], [[], 0, false]);
});

test("a window that failed is asked for again after a while", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let broken = true;
  const { boxes, asked } = made(both, 2, (address) => (broken ? { status: 503 } : server(both)(address)));
  boxes.want(0.5);
  await settled();
  boxes.want(0.5);
  await settled();
  assert.equal(asked.length, 1, "not at once");
  broken = false;
  context.mock.timers.tick(2000);
  await settled();
  assert.deepEqual([asked.length, shown(boxes, 0.5).length], [2, 2]);
});

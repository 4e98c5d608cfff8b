import assert from "node:assert/strict";
import { test } from "node:test";
import { EXPRESSIONS } from "visagram/palette.js";
import { ABSENT, MEASURED, SEEN, Tiles, UNSURE, best } from "visagram/result/tiles.js";
import { serve, settled } from "./server.mjs";

const K = EXPRESSIONS.length;
const PER = 4;
// Level 0: 0.1 s a bin, 3 tiles; level 1: 0.4 s, 1 tile. The video goes from 10 to 11 s.
const INDEX = {
  levels: [
    { bin: 0.1, tiles: 3 },
    { bin: 0.4, tiles: 1 },
  ],
  bins_per_tile: PER,
  start: 10,
  end: 11,
  people: [7, 3],
  version: "v1",
};

/** A tile's body: for each person's lane posteriors, then states. What a bin holds tells level, tile, lane and bin. */
function body(level, tile, state = () => MEASURED) {
  const bytes = [];
  for (let lane = 0; lane < INDEX.people.length; lane++) {
    for (let bin = 0; bin < PER; bin++) {
      for (let k = 0; k < K; k++) bytes.push(k === 0 ? 100 * level + 10 * (tile * PER + bin) + lane : k);
    }
    for (let bin = 0; bin < PER; bin++) bytes.push(state(tile * PER + bin, lane));
  }
  return new Uint8Array(bytes);
}

const numbers = (address) => address.match(/tiles\/(\d)\/(\d)/).slice(1).map(Number);
const answers = (address) => (address.endsWith("/tiles") ? INDEX : body(...numbers(address)));
const value = (bins, i) => Math.round(bins.posterior(i, 0) * 255);
const nearly = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

async function opened(answer = answers) {
  const asked = serve(answer);
  let loads = 0;
  const tiles = new Tiles("/analyses/a", () => (loads += 1));
  await tiles.open();
  return { tiles, asked, loads: () => loads };
}

test("each person's bins are their own and not the other's", async () => {
  const { tiles } = await opened();
  const [first, second] = [await tiles.whole(7, 10, 10.35, 0), await tiles.whole(3, 10, 10.35, 0)];
  assert.deepEqual([0, 1, 2, 3].map((i) => value(first, i)), [0, 10, 20, 30]);
  assert.deepEqual([0, 1, 2, 3].map((i) => value(second, i)), [1, 11, 21, 31]);
  assert.equal(Math.round(first.posterior(2, 5) * 255), 5);
});

test("states are each person's own", async () => {
  const state = (bin, lane) => (lane ? [SEEN, UNSURE, MEASURED, ABSENT] : [MEASURED, ABSENT, UNSURE, SEEN])[bin % PER];
  const { tiles } = await opened((address) => (address.endsWith("/tiles") ? INDEX : body(...numbers(address), state)));
  const states = (bins) => [0, 1, 2, 3].map((i) => bins.state(i));
  assert.deepEqual(states(await tiles.whole(7, 10, 10.35, 0)), [MEASURED, ABSENT, UNSURE, SEEN]);
  assert.deepEqual(states(await tiles.whole(3, 10, 10.35, 0)), [SEEN, UNSURE, MEASURED, ABSENT]);
});

test("a stretch has the bins that it touches, one more at each end, at their own times", async () => {
  const { tiles } = await opened();
  const bins = await tiles.whole(7, 10.32, 10.68, 0);
  nearly(bins.bin, 0.1);
  nearly(bins.from, 10.2);
  assert.equal(bins.end, 11);
  assert.deepEqual(Array.from({ length: bins.count }, (_, i) => value(bins, i)), [20, 30, 40, 50, 60, 70]);
});

test("bins run from tile to tile and end where the video does", async () => {
  const { tiles } = await opened();
  const bins = await tiles.whole(7, 10, 11, 0);
  nearly(bins.from, 10);
  assert.deepEqual(Array.from({ length: bins.count }, (_, i) => value(bins, i)), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
});

test("only the tiles of the stretch are asked for, each once, with the version of the result", async () => {
  const { tiles, asked } = await opened();
  asked.length = 0;
  await tiles.whole(7, 10.45, 10.7, 0);
  await tiles.whole(3, 10.45, 10.7, 0);
  assert.deepEqual(asked, ["/api/v1/analyses/a/tiles/0/1?v=v1"]);
});

test("a coarser level stands in while tiles are on their way", async () => {
  const { tiles, asked, loads } = await opened();
  assert.equal(tiles.bins(7, 10, 11, 0), null);
  await settled();
  assert.deepEqual(asked.slice(1).map(numbers), [[0, 0], [0, 1], [0, 2], [1, 0]]);
  assert.equal(loads(), 4);
  assert.equal(value(tiles.bins(7, 10, 11, 0), 3), 30);
  tiles.tiles.drop("0/1");
  const coarse = tiles.bins(7, 10, 11, 0);
  nearly(coarse.bin, 0.4);
  assert.deepEqual([0, 1, 2].map((i) => value(coarse, i)), [100, 110, 120]);
});

test("nobody has bins who is not in the result", async () => {
  const { tiles, asked } = await opened();
  asked.length = 0;
  assert.equal(tiles.bins(99, 10, 11, 0), null);
  assert.deepEqual(asked, []);
});

test("the level drawn is the coarsest whose bins are not wider than a pixel and a half", async () => {
  const { tiles } = await opened();
  assert.deepEqual([0.001, 0.1, 0.249, 0.251, 5].map((perPixel) => tiles.level(perPixel)), [0, 0, 0, 1, 1]);
});

test("after people were changed nothing of before is shown", async () => {
  let people = [7, 3];
  const { tiles } = await opened((address) => (address.endsWith("/tiles") ? { ...INDEX, people } : body(...numbers(address))));
  assert.equal(value(await tiles.whole(7, 10, 10.1, 0), 0), 0);
  people = [3, 7];
  await tiles.open();
  assert.equal(value(await tiles.whole(7, 10, 10.1, 0), 0), 1);
});

test("a tile of before that comes late is not kept", async () => {
  let late;
  const held = new Promise((resolve) => (late = resolve));
  let hold = true;
  const { tiles, loads } = await opened((address) => (address.endsWith("/tiles") ? INDEX : hold ? held : body(...numbers(address))));
  tiles.bins(7, 10, 10.1, 1);
  hold = false;
  await tiles.open();
  late(body(0, 0));
  await settled();
  assert.equal(loads(), 0);
  assert.equal(value(await tiles.whole(7, 10, 10.1, 1), 0), 100);
});

test("a tile that failed is asked for again after a while", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let broken = true;
  const { tiles, asked } = await opened((address) => (address.endsWith("/tiles") ? INDEX : broken ? { status: 503 } : body(...numbers(address))));
  asked.length = 0;
  tiles.bins(7, 10, 10.1, 1);
  await settled();
  tiles.bins(7, 10, 10.1, 1);
  await settled();
  assert.equal(asked.length, 1, "not at once");
  broken = false;
  context.mock.timers.tick(2000);
  tiles.bins(7, 10, 10.1, 1);
  await settled();
  assert.equal(asked.length, 2);
  assert.equal(value(tiles.bins(7, 10, 10.1, 1), 0), 100);
});

test("the best expression of a bin is its largest, the first of equals", () => {
  const rows = [
    [0.1, 0.2, 0.4, 0.1, 0.1, 0.05, 0.05],
    [0.3, 0.3, 0.1, 0.1, 0.1, 0.05, 0.05],
    [0, 0, 0, 0, 0, 0, 1],
  ];
  const bins = { posterior: (i, k) => rows[i][k] };
  assert.deepEqual([0, 1, 2].map((i) => best(bins, i)), [2, 0, 6]);
});

// The timeline's data as a pyramid of tiles: mean posterior and state per person and bin of time.
import { api, headers, offline, problemFrom } from "../api.js";
import { EXPRESSIONS } from "../palette.js";
import { Recent } from "./cache.js";

const K = EXPRESSIONS.length;
const KEPT = 96;
const AGAIN = 2000;
export const ABSENT = 0;
export const SEEN = 1;
export const MEASURED = 2;
export const UNSURE = 3;

/** The pyramid of one analysis. `onLoad` is called whenever a tile has come. */
export class Tiles {
  constructor(path, onLoad) {
    this.path = path;
    this.onLoad = onLoad;
    this.index = null;
    this.version = "";
    this.tiles = new Recent(KEPT);
    this.rows = new Map();
  }

  /** Reads the index, anew after people were changed. */
  async open() {
    const index = await api.get(`${this.path}/tiles`);
    this.version = index.version ?? "";
    this.tiles.clear();
    this.index = index;
    this.rows = new Map(index.people.map((person, row) => [person, row]));
  }

  /** The level whose bins are drawn about a pixel wide where `perPixel` seconds are a pixel. */
  level(perPixel) {
    const levels = this.index.levels;
    let best = 0;
    while (best + 1 < levels.length && levels[best + 1].bin <= perPixel * 1.6) best += 1;
    return best;
  }

  /**
   * One person's bins that touch `start`..`end` (seconds): `{bin, first, from, count, posterior(i, k), state(i)}`, i from
   * 0; `from` is the first bin's start. Where tiles are still on their way a coarser level stands in; null when none does.
   */
  bins(person, start, end, level) {
    const row = this.rows.get(person);
    if (row === undefined) return null;
    this._want(level, start, end);
    for (let l = level; l < this.index.levels.length; l++) {
      const bins = this._collect(l, row, start, end);
      if (bins) return bins;
    }
    this._want(this.index.levels.length - 1, start, end);
    return null;
  }

  /** `bins` once every tile has come. */
  async whole(person, start, end, level) {
    const [first, last] = this._range(level, start, end);
    const wanted = [];
    for (let k = first; k <= last; k++) wanted.push(this._load(level, k));
    await Promise.all(wanted);
    return this._collect(level, this.rows.get(person), start, end);
  }

  _range(level, start, end) {
    const { levels, bins_per_tile: per } = this.index;
    const width = levels[level].bin * per;
    const clamp = (k) => Math.max(0, Math.min(levels[level].tiles - 1, k));
    return [clamp(Math.floor((start - this.index.start) / width)), clamp(Math.floor((end - this.index.start) / width))];
  }

  _want(level, start, end) {
    const [first, last] = this._range(level, start, end);
    for (let k = first; k <= last; k++) this._load(level, k).catch(expected);
  }

  _collect(level, row, start, end) {
    const { levels, bins_per_tile: per, start: origin, end: finish } = this.index;
    const bin = levels[level].bin;
    const [first, last] = this._range(level, start, end);
    const parts = [];
    for (let k = first; k <= last; k++) {
      const tile = this.tiles.get(`${level}/${k}`);
      if (!(tile instanceof Uint8Array)) return null;
      parts.push(tile.subarray(row * per * (K + 1), (row + 1) * per * (K + 1)));
    }
    const offset = Math.max(0, Math.floor((start - origin) / bin) - 1 - first * per);
    const stop = Math.min(
      parts.length * per,
      Math.ceil((end - origin) / bin) + 1 - first * per,
      Math.ceil((finish - origin) / bin - 1e-6) - first * per,
    );
    return {
      bin,
      from: origin + (first * per + offset) * bin,
      end: finish,
      count: Math.max(0, stop - offset),
      posterior: (i, k) => parts[Math.floor((offset + i) / per)][((offset + i) % per) * K + k] / 255,
      state: (i) => parts[Math.floor((offset + i) / per)][per * K + ((offset + i) % per)],
    };
  }

  _load(level, k) {
    const key = `${level}/${k}`;
    const known = this.tiles.get(key);
    if (known) return Promise.resolve(known);
    const { index } = this;
    const loading = fetchTile(api.url(`${this.path}/tiles/${level}/${k}`, { v: this.version })).then(
      (tile) => {
        if (index === this.index) {
          this.tiles.put(key, tile);
          this.onLoad();
        }
        return tile;
      },
      (error) => {
        setTimeout(() => {
          if (index !== this.index) return;
          this.tiles.drop(key);
          this.onLoad();
        }, AGAIN);
        throw error;
      },
    );
    this.tiles.put(key, loading);
    return loading;
  }
}

async function fetchTile(address) {
  const response = await fetch(address, { headers: headers(), credentials: "same-origin" }).catch(() => {
    throw offline();
  });
  if (!response.ok) throw problemFrom(response.status, await response.text());
  return new Uint8Array(await response.arrayBuffer());
}

/** Index of the best expression of a bin. */
export function best(bins, i) {
  let top = 0;
  for (let k = 1; k < K; k++) if (bins.posterior(i, k) > bins.posterior(i, top)) top = k;
  return top;
}

/** A tile that did not come is asked for again by itself. */
function expected(error) {
  if (error.name !== "Problem") throw error;
}

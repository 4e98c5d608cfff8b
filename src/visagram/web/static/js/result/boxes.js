// Where the faces are at a moment: the API's rows in windows of time, fetched ahead and kept for a while.
import { api } from "../api.js";
import { online } from "../ui.js";
import { Recent } from "./cache.js";

// The browser's time of a frame is rounded to microseconds, and a row's time may lie beside it.
const HOLD = 1e-3;
const KEPT = 40;
const AGAIN = 2000;

/** Rows by time. `onLoad` is called when rows have come that were asked for. */
export class Boxes {
  constructor(path, { people, onLoad }) {
    this.path = path;
    this.onLoad = onLoad;
    this.window = Math.min(20, Math.max(2, 40 / Math.max(1, people)));
    this.longest = 1;
    this.windows = new Recent(KEPT);
    this.version = 0;
  }

  /** Forgets everything: names and people have changed. */
  reset() {
    this.version += 1;
    this.windows.clear();
  }

  /** Loads what is needed at `time`, and ahead of it at `rate` times real speed. */
  want(time, rate = 0) {
    const here = this._index(time);
    this._load(here);
    if (this._index(time - this.longest) < here) this._load(here - 1);
    const ahead = this._index(time + Math.max(0.3 * this.window, 4 * rate));
    for (let k = here + 1; k <= Math.min(ahead, here + 4); k++) this._load(k);
  }

  /** Whether the rows at `time` are here. */
  ready(time) {
    return Boolean(this.windows.get(this._index(time))?.time);
  }

  /** The rows shown at `time`: `[{person, box: [x, y, w, h], posterior: number[]|null, time, span}]`. */
  at(time) {
    const found = new Map();
    const last = this._index(time);
    for (let k = last; k >= Math.max(0, this._index(time - this.longest)); k--) {
      const rows = this.windows.get(k);
      if (rows?.time) collect(rows, time, this.longest, found);
    }
    return [...found.values()].sort((a, b) => a.person - b.person);
  }

  /** The nearest row's time after (`step` 1) or before (-1) the frame shown at `time`, null where none is loaded. */
  beside(time, step) {
    const rows = this.windows.get(this._index(time));
    if (!rows?.time?.length) return null;
    const k = upper(rows.time, time + HOLD);
    if (step > 0) return rows.time[k] ?? null;
    const shown = rows.time[k - 1];
    let before = k - 1;
    while (before >= 0 && rows.time[before] >= shown - HOLD) before -= 1;
    return rows.time[before] ?? null;
  }

  _index(time) {
    return Math.max(0, Math.floor((time + HOLD) / this.window));
  }

  async _load(k) {
    if (this.windows.get(k)) return;
    const version = this.version;
    this.windows.put(k, {});
    try {
      const rows = await api.get(`${this.path}/boxes`, { start: k * this.window, end: (k + 1) * this.window });
      if (version !== this.version) return;
      this.windows.put(k, rows);
      // Where few frames were analysed a row stands for long.
      this.longest = rows.span.reduce((most, span) => Math.max(most, span), this.longest);
      online.lost(false);
      this.onLoad();
    } catch (error) {
      if (error.name !== "Problem") throw error;
      if (error.code === "offline") online.lost(true);
      setTimeout(() => {
        if (version !== this.version) return;
        this.windows.drop(k);
        this._load(k);
      }, AGAIN);
    }
  }
}

function collect(rows, time, longest, found) {
  for (let k = upper(rows.time, time + HOLD) - 1; k >= 0 && rows.time[k] > time - longest; k--) {
    const person = rows.person[k];
    if (found.has(person) || rows.time[k] + rows.span[k] <= time + HOLD) continue;
    found.set(person, { person, box: rows.box[k], posterior: rows.posterior[k], time: rows.time[k], span: rows.span[k] });
  }
}

/** Index of the first of sorted `values` above `limit`. */
function upper(values, limit) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

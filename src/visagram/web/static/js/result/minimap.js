// The whole video under the lanes while a part of it is shown: drag the frame to move along.
import { EXPRESSIONS } from "../palette.js";
import { h } from "../ui.js";
import { MEASURED, best } from "./tiles.js";

const HEIGHT = 36;
const MOST_ROWS = 6;

export class Minimap {
  constructor(store, tiles, paint, root) {
    Object.assign(this, { store, tiles, paint, root });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.frame = h("div", { class: "minimap-view" });
    root.append(this.canvas, this.frame);
    root.addEventListener("pointerdown", (event) => {
      root.setPointerCapture(event.pointerId);
      this._drag(event);
    });
    root.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this._drag(event);
    });
  }

  _drag(event) {
    const { left, width } = this.root.getBoundingClientRect();
    const { range, view } = this.store;
    const centre = range[0] + ((event.clientX - left) / width) * (range[1] - range[0]);
    const half = (view[1] - view[0]) / 2;
    this.store.zoom(centre - half, centre + half);
  }

  draw() {
    const { store, root } = this;
    root.hidden = !store.zoomed;
    if (root.hidden) return;
    const width = root.clientWidth;
    const [start, end] = store.range;
    const scale = width / (end - start);
    this.frame.style.left = `${(store.view[0] - start) * scale}px`;
    this.frame.style.width = `${Math.max(6, (store.view[1] - store.view[0]) * scale)}px`;
    const key = [width, this.tiles.version, this.paint.ratio, this.paint.surface, this.complete].join();
    if (key === this.key && this.complete) return;
    this._paint(width, start, end, scale);
    this.key = [width, this.tiles.version, this.paint.ratio, this.paint.surface, this.complete].join();
  }

  _paint(width, start, end, scale) {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(HEIGHT * ratio);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const people = this.store.people.slice(0, MOST_ROWS);
    const row = HEIGHT / Math.max(1, people.length);
    const level = Math.min(this.tiles.level((end - start) / width) + 1, this.tiles.index.levels.length - 1);
    this.complete = true;
    people.forEach((person, line) => {
      const bins = this.tiles.bins(person.id, start, end, level);
      if (!bins) this.complete = false;
      for (let i = 0; bins && i < bins.count; i++) {
        if (bins.state(i) < MEASURED) continue;
        context.fillStyle = this.paint.colour(EXPRESSIONS[best(bins, i)]);
        context.fillRect((bins.from + i * bins.bin - start) * scale, line * row + 1, Math.max(1, bins.bin * scale + 0.5), row - 2);
      }
    });
  }
}

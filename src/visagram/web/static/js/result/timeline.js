// The lanes, one per person, under one time axis with one cursor. Draws only what can be seen and has changed.
import { h } from "../ui.js";
import { gestures } from "./gestures.js";
import { paintLane } from "./lane.js";
import { Minimap } from "./minimap.js";
import { readout } from "./readout.js";
import { paintRuler, rulerHeight } from "./ruler.js";
import { moment } from "./words.js";

const COMPACT_FROM = 9;
const REST = 120;

export class Timeline {
  constructor(store, player, tiles, paint, { root, onTable }) {
    Object.assign(this, { store, player, tiles, paint, root, lanes: [], dirty: false, scheduled: false });
    this.onTable = onTable;
    this._build(root);
    this.minimap = new Minimap(store, tiles, paint, this.mini);
    this.sight = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) target.lane.visible = isIntersecting || !this.compact;
        this.redraw();
      },
      { rootMargin: "120px" },
    );
    new ResizeObserver(() => this.redraw()).observe(this.plots);
    for (const change of ["shown", "windows", "marks"]) store.on(change, () => this.redraw());
    store.on("view", () => this._moved());
    store.on("people", () => this.rebuild());
    store.on("person", () => this._heads());
    store.on("time", () => this._cursor(true));
    document.addEventListener("visagram:theme", () => {
      paint.reset();
      this.redraw();
    });
    this.rebuild();
  }

  _build(root) {
    this.ruler = h("canvas", { class: "ruler", "aria-hidden": "true" });
    this.rail = h("ol", { class: "rail", "aria-label": "People, one lane each" });
    this.plots = h("div", {
      class: "plots",
      tabindex: "0",
      role: "slider",
      "aria-label": "Position in the lanes",
      "aria-describedby": "lanes-keys",
      "aria-valuemin": "0",
      "aria-orientation": "horizontal",
    });
    this.cursor = h("div", { class: "cursor" });
    this.selection = h("div", { class: "selection", hidden: true });
    this.hoverLine = h("div", { class: "hover-line", hidden: true });
    this.tip = h("div", { class: "readout", hidden: true, "aria-hidden": "true" });
    this.over = h("div", { class: "over", "aria-hidden": "true" }, this.selection, this.hoverLine, this.cursor);
    this.rulerRow = h("div", { class: "ruler-row" }, h("div", { class: "rail-head" }), this.ruler);
    this.inner = h("div", { class: "timeline-inner" }, this.rulerRow, this.rail, this.plots, this.over);
    this.mini = h("div", { class: "minimap", hidden: true, "aria-hidden": "true" });
    root.append(
      h("div", { class: "timeline-scroll" }, this.inner),
      this.mini,
      this.tip,
      h(
        "p",
        { class: "hint", id: "lanes-keys" },
        "Click to go there, drag to zoom in, double-click to see everything. Keys: arrows step frames, with Shift seconds, + and − zoom, Home and End.",
      ),
    );
    const options = { timeAt: (x) => this.timeAt(x), view: () => this.store.view, act: this._actions() };
    gestures(this.plots, options);
    gestures(this.ruler, options);
  }

  _actions() {
    const { store, player } = this;
    return {
      seek: (time, event) => {
        player.seek(time);
        const lane = this.lanes.find(({ canvas }) => contains(canvas, event));
        if (lane && store.person !== lane.person.id && event.type === "pointerup") store.set("person", lane.person.id);
      },
      select: (from, to) => this._select(from, to),
      zoom: (start, end) => store.zoom(start, end),
      pan: (seconds) => store.zoom(store.view[0] + seconds, store.view[1] + seconds),
      reset: () => store.zoom(...store.range),
      hover: (event) => this._hover(event),
    };
  }

  timeAt(clientX) {
    const { left, width } = this.plots.getBoundingClientRect();
    const [start, end] = this.store.view;
    return start + Math.max(0, Math.min(1, (clientX - left) / width)) * (end - start);
  }

  /** Makes the lanes anew for the people there are now. */
  rebuild() {
    this.sight.disconnect();
    const { people } = this.store;
    this.compact = people.length >= COMPACT_FROM;
    this.root.classList.toggle("compact", this.compact);
    this.lanes = people.map((person) => {
      const canvas = h("canvas", { class: "lane" });
      const lane = { person, canvas, visible: !this.compact, head: this._head(person) };
      canvas.lane = lane;
      return lane;
    });
    this.plots.replaceChildren(...this.lanes.map(({ canvas }) => canvas));
    this.rail.replaceChildren(...this.lanes.map(({ head }) => head));
    for (const { canvas } of this.lanes) this.sight.observe(canvas);
    this._heads();
    this.redraw();
  }

  _head(person) {
    const face = person.thumbnail_url
      ? h("img", { class: "face", src: person.thumbnail_url, alt: "", loading: "lazy", width: "44", height: "44" })
      : h("span", { class: "face" });
    const table = h(
      "button",
      { class: "link", type: "button", "aria-label": `Table of ${person.name}'s lane`, onclick: () => this.onTable(person.id) },
      "Table",
    );
    return h(
      "li",
      { data: { person: person.id } },
      face,
      h("span", { class: "rail-name" }, h("bdi", { title: person.name }, person.name), table),
    );
  }

  _heads() {
    for (const { head, person } of this.lanes) head.classList.toggle("chosen", this.store.person === person.id);
  }

  /** Draws plainly while the view moves, and in full once it rests. */
  _moved() {
    this.moving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.moving = false;
      this.redraw();
    }, REST);
    this.redraw();
  }

  redraw() {
    this.dirty = true;
    this._schedule();
  }

  _schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      if (this.dirty) this._draw();
      this.dirty = false;
    });
  }

  _draw() {
    const { store, tiles, paint } = this;
    const { view, windows, marks } = store;
    const width = (this.width = this.plots.clientWidth);
    if (!width || !tiles.index) return;
    paintRuler(this.ruler, width, { view, windows, marks, paint });
    this.rulerRow.style.height = `${rulerHeight(windows)}px`;
    const level = tiles.level((view[1] - view[0]) / width);
    const height = this.lanes[0]?.canvas.clientHeight ?? 0;
    for (const { canvas, person, visible } of this.lanes) {
      if (!visible) {
        canvas.width = canvas.height = 0;
        continue;
      }
      paintLane(canvas, width, height, {
        bins: tiles.bins(person.id, ...view, level),
        view,
        paint,
        isShown: (name) => store.isShown(name),
        labels: !this.compact,
        moving: this.moving,
      });
    }
    this.minimap.draw();
    this._cursor(false);
  }

  _cursor(follow) {
    const { view, time, duration, range } = this.store;
    const width = view[1] - view[0];
    if (follow && this.player.playing && time > view[1] && time < range[1]) this.store.zoom(time - width * 0.05, time + width * 0.95);
    const share = (time - this.store.view[0]) / width;
    this.cursor.hidden = share < -1e-6 || share > 1 + 1e-6;
    this.cursor.style.transform = `translateX(${share * (this.width ?? 0)}px)`;
    this.plots.setAttribute("aria-valuemax", duration.toFixed(3));
    this.plots.setAttribute("aria-valuenow", (time - range[0]).toFixed(3));
    this.plots.setAttribute("aria-valuetext", moment(time));
  }

  _select(from, to) {
    this.selection.hidden = from === null;
    if (from === null) return;
    const scale = this.plots.clientWidth / (this.store.view[1] - this.store.view[0]);
    this.selection.style.left = `${(Math.min(from, to) - this.store.view[0]) * scale}px`;
    this.selection.style.width = `${Math.abs(to - from) * scale}px`;
  }

  _hover(event) {
    const lane = event && this.lanes.find(({ canvas }) => contains(canvas, event));
    this.tip.hidden = this.hoverLine.hidden = !lane;
    if (!lane) return;
    const time = this.timeAt(event.clientX);
    const box = this.plots.getBoundingClientRect();
    const level = this.tiles.level((this.store.view[1] - this.store.view[0]) / this.plots.clientWidth);
    this.hoverLine.style.transform = `translateX(${event.clientX - box.left}px)`;
    this.tip.replaceChildren(...readout(lane.person, time, this.tiles.bins(lane.person.id, time, time, level)));
    const frame = this.root.getBoundingClientRect();
    const x = event.clientX - frame.left;
    this.tip.style.left = `${x + (x + 16 + this.tip.offsetWidth < frame.width ? 16 : -16 - this.tip.offsetWidth)}px`;
    this.tip.style.top = `${lane.canvas.getBoundingClientRect().top - frame.top + 4}px`;
  }
}

function contains(element, { clientX, clientY }) {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY < bottom;
}

// The page's state in one place; views listen to the parts that they show.

import { unsureBelow } from "./words.js";

/** A small event hub with the page's data. `on(name, listener)` returns a function that stops listening. */
export class Store {
  constructor(analysisId, videoId) {
    this.analysisId = analysisId;
    this.videoId = videoId;
    this.video = null;
    this.analysis = null;
    this.report = null;
    this.people = [];
    this.windows = [];
    this.time = 0;
    this.view = [0, 1];
    this.range = [0, 1];
    this.marks = { start: null, end: null };
    this.person = null;
    this.shown = null;
    this.layers = { boxes: true, names: true, bars: true };
    this.listeners = new Map();
  }

  get unsureBelow() {
    return unsureBelow(this.report.models);
  }

  on(name, listener) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(listener);
    return () => this.listeners.get(name).delete(listener);
  }

  emit(name, detail) {
    for (const listener of this.listeners.get(name) ?? []) listener(detail);
  }

  set(name, value) {
    this[name] = value;
    this.emit(name, value);
  }

  get path() {
    return `/analyses/${encodeURIComponent(this.analysisId)}`;
  }

  get duration() {
    return this.range[1] - this.range[0];
  }

  /** What is known of the video as it was analysed. */
  get facts() {
    return this.report.video;
  }

  personById(id) {
    return this.people.find((person) => person.id === id);
  }

  nameOf(id) {
    return this.personById(id)?.name ?? `Person ${id}`;
  }

  /** Whether an expression is drawn: all are until some are chosen in the legend. */
  isShown(expression) {
    return !this.shown || this.shown.has(expression);
  }

  /** Shows `start`..`end` seconds, kept inside the video and not finer than `least` seconds. */
  zoom(start, end, least = 0.5) {
    const [from, to] = this.range;
    const width = Math.min(to - from, Math.max(least, end - start));
    const first = Math.max(from, Math.min(to - width, (start + end) / 2 - width / 2));
    this.set("view", [first, first + width]);
  }

  /** Zooms around the cursor where it can be seen, else around the middle. */
  zoomBy(factor) {
    const { view, time } = this;
    const centre = time >= view[0] && time <= view[1] ? time : (view[0] + view[1]) / 2;
    this.zoom(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
  }

  get zoomed() {
    return this.view[1] - this.view[0] < this.duration - 1e-6;
  }
}

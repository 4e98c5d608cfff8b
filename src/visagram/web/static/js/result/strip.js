// The seek bar: the whole video as a strip of thumbnails, with a larger one where the pointer is.
import { api } from "../api.js";
import { h } from "../ui.js";
import { moment } from "./words.js";

const HEIGHT = 40;

/** Where the thumbnail of `time` (seconds from the video's start) is: the number of its sheet, and its corner there in pixels. */
export function thumbnail(strip, time) {
  const k = Math.max(0, Math.min(strip.count - 1, Math.floor(time / strip.interval)));
  const per = strip.columns * strip.rows;
  return { sheet: Math.floor(k / per), x: ((k % per) % strip.columns) * strip.width, y: Math.floor((k % per) / strip.columns) * strip.height };
}

export class SeekBar {
  constructor(store, player, root, controls) {
    Object.assign(this, { store, player, root, sheets: new Map(), dragging: false });
    this.film = h("canvas", { class: "film", "aria-hidden": "true" });
    this.head = h("div", { class: "playhead" });
    this.input = h("input", {
      class: "visually-hidden",
      type: "range",
      min: "0",
      max: "1000",
      step: "any",
      "aria-label": "Position in the video",
    });
    this.picture = h("canvas", { class: "preview-picture" });
    this.caption = h("span", { class: "preview-time" });
    this.preview = h("div", { class: "preview", hidden: true, "aria-hidden": "true" }, this.picture, this.caption);
    root.append(this.film, this.head, this.input, this.preview);
    root.addEventListener("pointerdown", (event) => this._press(event));
    root.addEventListener("pointermove", (event) => this._move(event));
    for (const end of ["pointerup", "pointercancel"])
      root.addEventListener(end, () => {
        this.dragging = false;
      });
    root.addEventListener("pointerleave", () => {
      if (!this.dragging) this.preview.hidden = true;
    });
    this.input.addEventListener("keydown", (event) => this._key(event, controls));
    this.input.addEventListener("input", () => player.seek(this._timeOf(Number(this.input.value) / 1000)));
    store.on("time", () => this._time());
    new ResizeObserver(() => this.draw()).observe(root);
    this._time();
  }

  _timeOf(share) {
    const [start, end] = this.store.range;
    return start + Math.max(0, Math.min(1, share)) * (end - start);
  }

  _at(event) {
    const { left, width } = this.root.getBoundingClientRect();
    return (event.clientX - left) / width;
  }

  _press(event) {
    if (event.button !== 0) return;
    this.dragging = true;
    this.root.setPointerCapture(event.pointerId);
    this.input.focus({ preventScroll: true, focusVisible: false });
    this.player.seek(this._timeOf(this._at(event)));
    event.preventDefault();
  }

  _move(event) {
    const share = Math.max(0, Math.min(1, this._at(event)));
    if (this.dragging) this.player.seek(this._timeOf(share));
    if (event.pointerType !== "touch" || this.dragging) this._show(share);
  }

  _key(event, controls) {
    const [start, end] = this.store.range;
    const jump = { PageUp: 10, PageDown: -10 }[event.key];
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (step && event.shiftKey) this.player.seek(this.store.time + step);
    else if (step) controls.step(step);
    else if (jump) this.player.seek(this.store.time + jump);
    else if (event.key === "Home") this.player.seek(start);
    else if (event.key === "End") this.player.seek(end);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  _time() {
    const { time, range, facts } = this.store;
    const share = (time - range[0]) / (range[1] - range[0]);
    this.head.style.transform = `translateX(${share * this.root.clientWidth}px)`;
    this.input.value = String(share * 1000);
    this.input.setAttribute("aria-valuetext", `${moment(time)} of ${moment(facts.duration)}`);
  }

  _show(share) {
    const { strip } = this.store.video;
    const time = this._timeOf(share);
    this.caption.textContent = moment(time);
    this.preview.hidden = false;
    if (strip) {
      this.picture.width = strip.width;
      this.picture.height = strip.height;
      this._sprite(this.picture.getContext("2d"), time, 0, 0, strip.width, strip.height, () => {});
    } else this.picture.hidden = true;
    const half = this.preview.offsetWidth / 2;
    const x = Math.max(half, Math.min(this.root.clientWidth - half, share * this.root.clientWidth));
    this.preview.style.transform = `translateX(${x - half}px)`;
  }

  /** Draws the strip's thumbnails side by side over the width. */
  draw() {
    this._time();
    const { strip } = this.store.video;
    const ratio = devicePixelRatio || 1;
    const width = this.root.clientWidth;
    this.film.width = Math.round(width * ratio);
    this.film.height = Math.round(HEIGHT * ratio);
    if (!strip || !width) return;
    const context = this.film.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const wide = (strip.width / strip.height) * HEIGHT;
    const number = Math.max(1, Math.round(width / wide));
    for (let k = 0; k < number; k++) {
      const x = (k * width) / number;
      this._sprite(context, this._timeOf((k + 0.5) / number), x, 0, width / number, HEIGHT, () => this.draw());
    }
  }

  _sprite(context, time, x, y, w, h_, later) {
    const { strip } = this.store.video;
    const place = thumbnail(strip, time);
    const sheet = this._sheet(place.sheet, later);
    if (!sheet) return;
    // Cut rather than squeezed where the place is narrower than the thumbnail.
    const cut = Math.min(strip.width, (w / h_) * strip.height);
    context.drawImage(sheet, place.x + (strip.width - cut) / 2, place.y, cut, strip.height, x, y, w, h_);
  }

  _sheet(k, later) {
    const known = this.sheets.get(k);
    if (known) {
      if (!known.complete) known.addEventListener("load", later, { once: true });
      return known.complete && known.naturalWidth ? known : null;
    }
    const address = this.store.video.strip.urls[k];
    if (!address) return null;
    const image = new Image();
    image.addEventListener("load", later, { once: true });
    image.fetchPriority = "low";
    image.src = api.url(address);
    this.sheets.set(k, image);
    return null;
  }
}

// Boxes, names and expression bars over the picture, for the very frame that is shown.
import { EXPRESSIONS, PALETTE } from "../palette.js";
import { isOtherStream, placeOf } from "./shapes.js";

const FONT = "600 12px Inter, system-ui, sans-serif";
const SMALL = "500 11px Inter, system-ui, sans-serif";
const INK = "#ffffff";
const BACK = "rgba(13, 16, 20, .78)";
const ROW = 15;
const PANEL = 116;
const NEUTRAL = "#c3c8cf";
const LEAST = 0.02;
const MOST_PANELS = 4;

const colour = (name) => (name === "neutral" ? NEUTRAL : PALETTE[name]);

export class Overlay {
  constructor(store, player, boxes, canvas) {
    Object.assign(this, { store, player, boxes, canvas, rows: [], scheduled: false });
    this.context = canvas.getContext("2d");
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    store.on("frame", () => this._follow());
    for (const change of ["layers", "people", "person"]) store.on(change, () => this.schedule());
  }

  /** The rows drawn: `[{person, box}]`, boxes in pixels of the displayed picture. */
  get shown() {
    return this.store.layers.boxes ? this.rows.map(({ person, box }) => ({ person, box: [...box] })) : [];
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }

  _follow() {
    this.boxes.want(this.player.frameTime, this.player.playing ? this.player.rate : 0);
    // Drawn at once and not in the next animation frame, so that the box belongs to the picture under it.
    this.draw();
  }

  /** Where the picture lies in the stage (CSS pixels) and how many of them are a pixel of the displayed picture. */
  place() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    const { player, store } = this;
    // Copies for playback hold every shape in one canvas; a single frame from the server is the picture alone.
    return placeOf(store.facts, player.frameTime ?? 0, { width, height }, player.mode === "video" ? player.size : null);
  }

  draw() {
    const { canvas, context, player } = this;
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas.parentElement;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (player.frameTime === null || isOtherStream(this.store.facts, this.store.video.facts)) return;
    this.rows = this.boxes.at(player.frameTime);
    const place = this.place();
    const compact = place.w < 460 || this.rows.length > MOST_PANELS;
    for (const row of this.rows) this._person(row, place, compact);
    // Names last: they stay readable where people stand close together.
    if (this.store.layers.names) for (const row of this.rows) this._name(this._on(row.box, place), this.store.nameOf(row.person), place);
  }

  _person({ person, box, posterior }, place, compact) {
    const { layers } = this.store;
    const at = this._on(box, place);
    const values = posterior?.map((value) => value / 255);
    const top = values ? values.indexOf(Math.max(...values)) : -1;
    const unsure = values && values[top] < this.store.unsureBelow[top];
    if (layers.boxes) this._box(at, top < 0 ? INK : colour(EXPRESSIONS[top]), top < 0 ? [2, 4] : unsure ? [7, 4] : [], person);
    const panel = layers.bars && values && !compact ? this._panel(at, values, place) : null;
    const free = panel && !this.rows.some((other) => other.person !== person && overlaps(panel, this._on(other.box, place)));
    if (free) this._bars(panel, values);
    if (layers.bars && values && !free)
      this._tag(at.x, at.y + at.h + 6, `${EXPRESSIONS[top]} ${Math.round(values[top] * 100)}\u00a0%`, colour(EXPRESSIONS[top]), place);
  }

  _box({ x, y, w, h }, paint, dash, person) {
    const { context } = this;
    const chosen = this.store.person === person;
    const radius = Math.min(8, w / 6, h / 6);
    context.beginPath();
    context.roundRect(x, y, w, h, radius);
    context.setLineDash([]);
    context.strokeStyle = "rgba(0, 0, 0, .55)";
    context.lineWidth = chosen ? 6 : 4;
    context.stroke();
    context.setLineDash(dash);
    context.strokeStyle = paint;
    context.lineWidth = chosen ? 3.5 : 2;
    context.stroke();
    context.setLineDash([]);
  }

  _name(at, name, place) {
    const { context } = this;
    context.font = FONT;
    const room = Math.max(80, at.w * 1.6);
    let text = name;
    while (text.length > 3 && context.measureText(text).width > room) text = `${text.slice(0, -2).trimEnd()}…`;
    const width = context.measureText(text).width + 14;
    const x = Math.max(place.x, Math.min(place.x + place.w - width, at.x));
    const above = at.y - 26;
    this._plate(x, above >= place.y ? above : at.y + 4, width, 20, text);
  }

  _tag(x, y, text, paint, place) {
    const { context } = this;
    context.font = SMALL;
    const width = context.measureText(text).width + 26;
    const left = Math.max(place.x, Math.min(place.x + place.w - width, x));
    const top = Math.min(y, place.y + place.h - 20);
    this._plate(left, top, width, 18, text, 19);
    context.fillStyle = paint;
    context.fillRect(left + 6, top + 5, 8, 8);
  }

  _plate(x, y, width, height, text, indent = 7) {
    const { context } = this;
    context.beginPath();
    context.roundRect(x, y, width, height, 5);
    context.fillStyle = BACK;
    context.fill();
    context.fillStyle = INK;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(text, x + indent, y + height / 2 + 0.5);
  }

  /** A box of the displayed picture in CSS pixels of the stage. */
  _on([x, y, w, h], place) {
    return { x: place.x + x * place.sx, y: place.y + y * place.sy, w: w * place.sx, h: h * place.sy };
  }

  /** Where the bars of a face go: beside it, or under it where there is no room. */
  _panel(at, values, place) {
    const order = values
      .map((_, k) => k)
      .sort((a, b) => values[b] - values[a])
      .filter((k, rank) => rank === 0 || (rank < 3 && values[k] >= LEAST));
    const h = order.length * ROW + 8;
    const right = at.x + at.w + 8;
    const left = at.x - PANEL - 8;
    const x = right + PANEL <= place.x + place.w ? right : left >= place.x ? left : Math.max(place.x, at.x + at.w - PANEL);
    const y = Math.max(place.y, Math.min(place.y + place.h - h, x === right || x === left ? at.y : at.y + at.h + 6));
    return { x, y, w: PANEL, h, order };
  }

  _bars({ x, y, w, h, order }, values) {
    const { context } = this;
    context.beginPath();
    context.roundRect(x, y, w, h, 6);
    context.fillStyle = BACK;
    context.fill();
    context.font = SMALL;
    context.textBaseline = "middle";
    order.forEach((k, line) => {
      const middle = y + 4 + ROW * (line + 0.5);
      context.textAlign = "left";
      context.fillStyle = INK;
      context.fillText(EXPRESSIONS[k], x + 7, middle + 0.5);
      context.fillStyle = "rgba(255, 255, 255, .22)";
      context.fillRect(x + 61, middle - 3, 48, 6);
      context.fillStyle = colour(EXPRESSIONS[k]);
      context.fillRect(x + 61, middle - 3, 48 * values[k], 6);
    });
  }
}

function overlaps(a, b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

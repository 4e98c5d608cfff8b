// What the lanes are painted with: colours and patterns of the current theme.
import { EXPRESSIONS, PALETTE, PATTERNS } from "../palette.js";

const SIDE = 8;

/** Fills per expression, the hatch of the unsure, and the theme's greys; `reset` after the theme has changed. */
export class Paint {
  constructor() {
    this.reset();
  }

  reset() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    this.surface = read("--surface");
    this.ink = read("--ink");
    this.muted = read("--muted");
    this.line = read("--line");
    this.track = read("--track");
    this.accent = read("--accent");
    this.hatch = read("--hatch");
    this.neutral = read("--neutral");
    this.fills = null;
    this.plain = EXPRESSIONS.map((name) => this.colour(name));
  }

  colour(expression) {
    return expression === "neutral" ? this.neutral : PALETTE[expression];
  }

  /** Fill styles in the order of the expressions; patterns keep their size at any pixel ratio. */
  use(context, ratio) {
    if (this.fills && this.ratio === ratio) return this;
    this.ratio = ratio;
    this.fills = EXPRESSIONS.map((name) =>
      this._pattern(context, (tile) => {
        tile.fillStyle = this.colour(name);
        tile.fillRect(0, 0, SIDE, SIDE);
        tile.strokeStyle = tile.fillStyle = this.hatch;
        draw(tile, PATTERNS[name]);
      }),
    );
    this.unsure = this._pattern(context, (tile) => {
      tile.globalAlpha = 0.45;
      tile.fillStyle = this.surface;
      tile.fillRect(0, 0, SIDE, SIDE);
      tile.globalAlpha = 0.9;
      tile.strokeStyle = this.surface;
      tile.lineWidth = 2.6;
      diagonal(tile, -1);
    });
    return this;
  }

  _pattern(context, drawTile) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE * this.ratio;
    const tile = canvas.getContext("2d");
    tile.scale(this.ratio, this.ratio);
    tile.lineWidth = 1.2;
    drawTile(tile);
    const pattern = context.createPattern(canvas, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / this.ratio));
    return pattern;
  }
}

// The shapes of visagram.plots.PATTERNS, which are plotly's.
function draw(tile, shape) {
  if (shape === "/" || shape === "x") diagonal(tile, -1);
  if (shape === "\\" || shape === "x") diagonal(tile, 1);
  if (shape === "-") line(tile, 0, SIDE / 2, SIDE, SIDE / 2);
  if (shape === "|") line(tile, SIDE / 2, 0, SIDE / 2, SIDE);
  if (shape === ".") {
    for (const [x, y] of [
      [2, 2],
      [6, 6],
    ]) {
      tile.beginPath();
      tile.arc(x, y, 1.15, 0, 2 * Math.PI);
      tile.fill();
    }
  }
}

function diagonal(tile, slope) {
  for (const shift of [-SIDE, 0, SIDE]) {
    if (slope > 0) line(tile, shift, 0, shift + SIDE, SIDE);
    else line(tile, shift, SIDE, shift + SIDE, 0);
  }
}

function line(tile, x1, y1, x2, y2) {
  tile.beginPath();
  tile.moveTo(x1, y1);
  tile.lineTo(x2, y2);
  tile.stroke();
}

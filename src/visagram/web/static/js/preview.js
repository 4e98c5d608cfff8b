// The newest analysed picture with a box and the most probable expression on each face.

import { PALETTE } from "./palette.js";
import { percent } from "./ui.js";

/**
 * Returns `show({time, width, height, faces: [{box, emotion, probability}], url})`; boxes are x, y, w, h in pixels of a
 * picture of that size. Of several calls while a picture loads the last one wins.
 */
export function preview({ screen, picture, canvas, waiting }) {
  let shown = null;
  let next = null;
  let loading = false;

  function show(seen) {
    next = seen;
    if (!loading) load();
  }

  async function load() {
    const seen = next;
    next = null;
    loading = true;
    const image = new Image();
    image.src = `${seen.url}${seen.url.includes("?") ? "&" : "?"}t=${seen.time}`;
    try {
      await image.decode();
      picture.src = image.src;
      picture.alt = describe(seen);
      picture.hidden = canvas.hidden = false;
      waiting.hidden = true;
      screen.classList.add("shown");
      shown = { ...seen, width: seen.width ?? image.naturalWidth, height: seen.height ?? image.naturalHeight };
      draw();
    } catch {
      // the picture was replaced or the run ended between the event and the request: the next one comes
    }
    loading = false;
    if (next) load();
  }

  function draw() {
    if (!shown) return;
    const { clientWidth: width, clientHeight: height } = screen;
    const density = devicePixelRatio || 1;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    const scale = Math.min(width / shown.width, height / shown.height);
    const paper = canvas.getContext("2d");
    paper.scale(density, density);
    paper.translate((width - shown.width * scale) / 2, (height - shown.height * scale) / 2);
    for (const face of shown.faces) drawFace(paper, face, scale, shown.width * scale);
  }

  new ResizeObserver(draw).observe(screen);
  return show;
}

function describe({ faces }) {
  if (!faces.length) return "A picture of the video; no face was found in it.";
  const looks = faces.map((face) => (face.emotion ? `${face.emotion} ${percent(face.probability)}` : "not measured"));
  return `A picture of the video with ${faces.length === 1 ? "one face" : `${faces.length} faces`}: ${looks.join(", ")}.`;
}

function drawFace(paper, { box, emotion, probability }, scale, right) {
  const [x, y, w, h] = box.map((value) => value * scale);
  const colour = PALETTE[emotion] ?? "#ffffff";
  const radius = Math.min(8, w / 6);
  for (const [width, stroke] of [[4.5, "rgba(10, 12, 14, .65)"], [2.5, colour]]) {
    paper.lineWidth = width;
    paper.strokeStyle = stroke;
    paper.beginPath();
    paper.roundRect(x, y, w, h, radius);
    paper.stroke();
  }
  const words = emotion ? `${emotion} ${percent(probability)}` : "not measured";
  paper.font = "600 12px Inter, system-ui, sans-serif";
  const width = paper.measureText(words).width + 26;
  const top = y >= 28 ? y - 26 : y + h + 4;
  const left = Math.max(0, Math.min(x, right - width));
  paper.fillStyle = "rgba(15, 18, 21, .86)";
  paper.beginPath();
  paper.roundRect(left, top, width, 22, 6);
  paper.fill();
  paper.fillStyle = colour;
  paper.beginPath();
  paper.roundRect(left + 7, top + 6.5, 9, 9, 2.5);
  paper.fill();
  paper.fillStyle = "#f4f5f6";
  paper.textBaseline = "middle";
  paper.fillText(words, left + 21, top + 11.5);
}

// The frame around the picture: screen, overlay, message, seek bar and controls; what goes to full screen.
import { h } from "../ui.js";
import { canvasOf } from "./shapes.js";

/** Builds the monitor in `root`; `{frame, screen, canvas, note, seek, controls}`. */
export function buildStage(store, root) {
  const { facts, video } = store;
  const canvas = h("canvas", { class: "overlay", "aria-hidden": "true" });
  const note = h("div", { class: "stage-note", hidden: true });
  const label = facts.still ? `Picture ${video.name}` : `Video ${video.name}: space plays and pauses`;
  const screen = h("div", { class: "screen", tabindex: facts.still ? null : "0", role: "group", "aria-label": label }, canvas);
  const whole = canvasOf(facts);
  screen.style.setProperty("--ratio", String(whole.width / whole.height));
  const seek = h("div", { class: "seek" });
  const controls = h("div", { class: "controls-row" });
  root.replaceChildren(screen, note, seek, controls);
  return { frame: root, screen, canvas, note, seek, controls };
}

// The buttons over the lanes: what part is on view, marks for a window, and zooming.
import { h } from "../ui.js";
import { moment } from "./words.js";

export function zoomBar(store, root, { onMark }) {
  const button = (label, title, act, kind = "") =>
    h("button", { class: `button small ${kind}`, type: "button", title, onclick: act }, label);
  const extent = h("span", { class: "muted small" });
  const out = button("−", "Zoom out", () => store.zoomBy(2), "sign");
  const closer = button("+", "Zoom in", () => store.zoomBy(0.5), "sign");
  out.setAttribute("aria-label", "Zoom out");
  closer.setAttribute("aria-label", "Zoom in");
  const all = button("See everything", "Show the whole video", () => {
    store.zoom(...store.range);
    closer.focus();
  });
  const marks = h(
    "span",
    { class: "marks" },
    button("Mark in", "A window starts at the cursor (I)", () => onMark("start")),
    button("Mark out", "A window ends at the cursor (O)", () => onMark("end")),
  );
  root.setAttribute("aria-label", "Zoom and marks");
  root.append(extent, marks, all, out, closer);
  const update = () => {
    extent.textContent = store.zoomed ? `${moment(store.view[0])} – ${moment(store.view[1])}` : "";
    all.hidden = !store.zoomed;
  };
  store.on("view", update);
  update();
}

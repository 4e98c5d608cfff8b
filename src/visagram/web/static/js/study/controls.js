// Small controls that several sections share.
import { h } from "../ui.js";
import { known, scope, setScope } from "./store.js";

/** A field that limits the results to one tag; null where there are no tags. All of them show the same choice. */
export function scopeField(id) {
  const tags = known("tags");
  if (!tags.length) return null;
  return choose(id, "Videos", [["", "All videos"], ...tags.map((tag) => [tag, `Tagged “${tag}”`])], scope.tag, setScope);
}

/** A labelled choice. `options`: [[value, label], …]. */
export function choose(id, label, options, chosen, onChoose) {
  const field = h("select", { id, onchange: () => onChoose(field.value) }, options.map(([value, text]) => h("option", { value }, text)));
  field.value = chosen;
  return h("div", { class: "field" }, h("label", { for: id }, label), field);
}

/** A row of buttons of which one is pressed. `options`: [[value, label], …]. */
export function segments(label, options, chosen, onChoose) {
  const buttons = options.map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: (event) => press(value, event.currentTarget) }, text));
  const press = (value, button) => {
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    onChoose(value);
  };
  return h("div", { class: "field" }, h("span", { class: "label", "aria-hidden": "true" }, label), h("div", { class: "segments", role: "group", "aria-label": label }, buttons));
}

/** Replaces what a place shows; the keyboard stays on the control that has the same id. */
export function refill(place, ...nodes) {
  const id = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.replaceChildren(...nodes.filter(Boolean));
  if (id) document.getElementById(id)?.focus();
}

/** The words for a request that failed, with a button that tries again. */
export function problemNotice(text, again) {
  return h("div", { class: "notice danger study-problem", role: "alert" }, h("p", {}, text), h("button", { class: "button", type: "button", onclick: again }, "Try again"));
}

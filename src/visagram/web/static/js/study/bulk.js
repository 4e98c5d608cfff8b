// What can be done to the selected videos at once.
import { count, h, icon, toast } from "../ui.js";
import { fromText, nextParticipant, saveAll } from "./store.js";

const form = document.getElementById("bulk");
const parts = {};
let chosen = [];
let clear = () => {};

function build() {
  const field = (name, label, list) => {
    parts[name] = h("input", { type: "text", id: `bulk-${name}`, list, autocomplete: "off", maxlength: "200", placeholder: "unchanged" });
    return h("div", { class: "field" }, h("label", { for: `bulk-${name}` }, label), parts[name]);
  };
  parts.count = h("h3", { class: "study-bulk-count" });
  parts.next = h("button", { class: "button small quiet", type: "button", onclick: () => { parts.participant.value = nextParticipant(); parts.participant.focus(); } });
  parts.how = h("select", { id: "bulk-how", "aria-label": "What to do with the tags" },
    [["add", "Add tags"], ["remove", "Remove tags"], ["replace", "Replace tags"]].map(([value, label]) => h("option", { value }, label)));
  parts.tags = h("input", { type: "text", id: "bulk-tags", "aria-label": "Tags, separated by commas", list: "known-tags", autocomplete: "off", placeholder: "unchanged" });
  const participant = field("participant", "Participant", "known-participants");
  participant.append(parts.next);
  form.append(
    h("div", { class: "study-bulk-head" }, parts.count,
      h("button", { class: "button icon small quiet", type: "button", "aria-label": "Clear the selection", onclick: () => clear() }, icon("close"))),
    participant, field("condition", "Condition", "known-conditions"),
    h("div", { class: "field" }, h("span", { class: "label" }, "Tags"), h("div", { class: "study-bulk-tags" }, parts.how, parts.tags)),
    h("button", { class: "button primary", type: "submit" }, "Apply"),
  );
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
  form.addEventListener("keydown", (event) => event.key === "Escape" && clear());
}

/** Shows the bar for these videos; hides it for none. */
export function showBulk(some, onClear) {
  if (!parts.count) build();
  chosen = some;
  clear = onClear;
  form.hidden = !some.length;
  parts.count.textContent = `${count(some.length, "video")} selected`;
  parts.next.textContent = `Next: ${nextParticipant()}`;
  document.documentElement.classList.toggle("study-selecting", some.length > 0);
}

async function apply() {
  const changes = ["participant", "condition"].filter((name) => parts[name].value.trim())
    .flatMap((name) => chosen.map((video) => ({ video, field: name, value: parts[name].value.trim() })));
  const tags = fromText("tags", parts.tags.value);
  if (tags.length) changes.push(...chosen.map((video) => ({ video, field: "tags", value: changed(video.tags, tags) })));
  if (!changes.length) {
    toast("Nothing to change: type a participant, a condition or tags first.");
    parts.participant.focus();
    return;
  }
  const many = chosen.length;
  const undo = await saveAll(changes);
  for (const name of ["participant", "condition", "tags"]) parts[name].value = "";
  clear();
  toast(`${count(many, "video")} changed.`, { action: "Undo", onAction: () => saveAll(undo), focus: true });
}

function changed(before, tags) {
  if (parts.how.value === "replace") return tags;
  if (parts.how.value === "remove") return before.filter((tag) => !tags.includes(tag));
  return [...new Set([...before, ...tags])];
}

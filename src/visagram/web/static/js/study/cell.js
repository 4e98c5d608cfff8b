// A cell that is typed into and saves itself.
import { h, icon } from "../ui.js";
import { asText, fromText, known, nextParticipant, putBack, save, study, unsavedState, videos } from "./store.js";

const LABELS = { participant: "Participant", condition: "Condition", tags: "Tags" };
const LISTS = { participant: "known-participants", condition: "known-conditions", tags: "known-tags" };
const SAVED_FOR = 2500;
const cells = new Map();

/** The `<td>` of a video's field. */
export function editableCell(video, field) {
  const id = `${field}-${video.id}`;
  const input = h("input", {
    type: "text", id, value: asText(field, video[field]), list: LISTS[field], autocomplete: "off", spellcheck: "false",
    maxlength: field === "tags" ? "800" : "200", placeholder: field === "tags" ? "add, tags" : "add",
    "aria-label": `${LABELS[field]} of ${video.name}`, data: { field, video: video.id },
  });
  const mark = h("span", { class: "cell-mark", "aria-hidden": "true" });
  const trouble = h("div", { class: "cell-trouble", id: `${id}-trouble`, hidden: true });
  const node = h("td", { role: "cell", class: "word cell", data: { label: LABELS[field] } }, h("div", { class: "cell-box" }, input, mark), trouble);
  const cell = { video, field, node, input, mark, trouble, timer: 0, shown: input.value };
  cells.set(id, cell);
  input.addEventListener("focus", () => suggest(field, input));
  if (field === "tags") input.addEventListener("input", () => suggest(field, input));
  input.addEventListener("change", () => input.value !== asText(field, video[field]) && commit(cell));
  input.addEventListener("keydown", (event) => onKey(event, cell));
  showState(cell, unsavedState(video, field)?.state);
  return node;
}

function commit({ video, field, input }) {
  const value = fromText(field, input.value);
  input.value = asText(field, value);
  save(video, field, value);
}

function onKey(event, cell) {
  const { video, field, input } = cell;
  if (event.key === "Escape" && input.value !== asText(field, video[field])) {
    event.preventDefault();
    input.value = asText(field, video[field]);
  } else if (event.key === "Escape" && unsavedState(video, field)?.state === "failed") {
    putBack(video, field);
  } else if (event.key === "Enter") {
    event.preventDefault();
    commit(cell);
    const next = neighbour(input, event.shiftKey ? -1 : 1);
    next?.focus();
    next?.select();
  }
}

function neighbour(input, step) {
  const column = [...input.closest("table").querySelectorAll(`input[data-field="${input.dataset.field}"]`)];
  return column[column.indexOf(input) + step];
}

function suggest(field, input) {
  const list = document.getElementById(LISTS[field]);
  if (field === "tags") {
    const given = input.value.split(",").slice(0, -1).map((tag) => tag.trim());
    const prefix = given.length ? `${given.join(", ")}, ` : "";
    list.replaceChildren(...known("tags").filter((tag) => !given.includes(tag)).map((tag) => h("option", { value: prefix + tag })));
    return;
  }
  const options = known(field).map((value) => h("option", { value }));
  if (field === "participant") options.unshift(h("option", { value: nextParticipant() }, "next number"));
  list.replaceChildren(...options);
}

function showState(cell, state) {
  const { video, field, node, input, mark, trouble } = cell;
  clearTimeout(cell.timer);
  node.dataset.state = state ?? "";
  input.toggleAttribute("aria-invalid", false);
  mark.replaceChildren();
  trouble.hidden = state !== "failed";
  input.removeAttribute("aria-describedby");
  if (state === "saved") {
    mark.append(icon("check"));
    cell.timer = setTimeout(() => showState(cell), SAVED_FOR);
  } else if (state === "failed") {
    mark.append(icon("alert"));
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", trouble.id);
    const button = (label, onclick) => h("button", { class: "button small", type: "button", onclick }, label);
    trouble.replaceChildren(
      h("p", {}, `Not saved. ${unsavedState(video, field).error.detail}`),
      button("Try again", () => (input.focus(), save(video, field, fromText(field, input.value)))),
      button("Put back", () => (input.focus(), putBack(video, field))),
    );
  }
}

study.addEventListener("saving", ({ detail: { video, field, state } }) => {
  const cell = cells.get(`${field}-${video.id}`);
  if (cell) showState(cell, state === "back" ? undefined : state);
});

// A value may change elsewhere (import, paste, several at once); what is being typed stays.
study.addEventListener("videos", () => {
  for (const [id, cell] of cells) {
    const video = videos.get(cell.video.id);
    if (!video) cells.delete(id);
    else if (document.activeElement !== cell.input || cell.input.value === cell.shown) {
      cell.shown = asText(cell.field, video[cell.field]);
      cell.input.value = cell.shown;
    }
  }
});

// Participants, conditions, tags or event windows out of a CSV: tried first, then imported.
import { api, Problem } from "../api.js";
import { count, h, icon, openDialog, toast } from "../ui.js";
import { loadVideos, videos } from "./store.js";
import { parseBlock } from "./paste.js";

const SHOWN = 8;
const COLUMNS = ["video", "participant", "condition", "tags", "window", "start", "end"];
const cell = (text) => (/[",\n\r;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const line = (cells) => `${cells.map((each) => cell(String(each ?? ""))).join(",")}\r\n`;

/** Opens the dialog; a file is tried without changing anything before it can be imported. */
export function openImport() {
  const picker = h("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv", class: "visually-hidden", id: "import-file" });
  const drop = h("label", { class: "study-drop", for: "import-file" }, icon("upload"), h("span", {}, h("strong", {}, "Choose a CSV file"), " or drop it here"));
  const pasted = h("textarea", { id: "import-text", rows: "4", spellcheck: "false", placeholder: "video\tparticipant\tcondition\ttags" });
  const preview = h("div", { class: "study-preview", role: "status" });
  const body = h("div", { class: "stack" },
    h("p", {}, "The first line names the columns. A video is named by its file name, with or without the ending. Several tags are separated by semicolons."),
    h("div", { class: "study-templates" },
      template("Participants and conditions", "video, participant, condition, tags", "study.csv", participantsTemplate),
      template("Event windows", "video, window, start, end (seconds)", "windows.csv", windowsTemplate)),
    h("div", {}, picker, drop),
    h("details", { class: "fold" }, h("summary", {}, "Or paste from a spreadsheet"),
      h("div", { class: "field" }, h("label", { for: "import-text" }, "Cells with their first line"), pasted,
        h("div", {}, h("button", { class: "button", type: "button", onclick: () => tryText() }, "Check these cells")))),
    preview);
  const go = h("button", { class: "button primary", type: "button", disabled: true }, "Import");
  const cancel = h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: "Import from CSV", body, actions: [cancel, go], kind: "large" });
  const state = { file: null, preview, go };
  const tryFile = (file) => file && attempt(state, file);
  const tryText = () => pasted.value.trim() && tryFile(new File([parseBlock(pasted.value).map(line).join("")], "pasted cells", { type: "text/csv" }));
  picker.addEventListener("change", () => { tryFile(picker.files[0]); picker.value = ""; });
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); tryFile(event.dataTransfer.files[0]); });
  go.addEventListener("click", () => finish(state, dialog));
}

function template(title, columns, name, make) {
  const save = () => {
    const url = URL.createObjectURL(new Blob(["\ufeff", make()], { type: "text/csv" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return h("div", {}, h("h3", {}, title), h("p", { class: "muted small" }, h("code", {}, columns)),
    h("button", { class: "button small", type: "button", onclick: save }, icon("download"), "Template with your videos"));
}

// A name that two videos share names neither: then the id does.
function called({ id, name }) {
  return [...videos.values()].filter((each) => each.name === name).length > 1 ? id : name;
}

function participantsTemplate() {
  const rows = [...videos.values()].map((video) => [called(video), video.participant, video.condition, video.tags.join("; ")]);
  return [["video", "participant", "condition", "tags"], ...rows].map(line).join("");
}

function windowsTemplate() {
  const rows = [...videos.values()].map((video) => [called(video), "stimulus", "0", Math.min(10, Math.floor(video.facts?.duration ?? 10))]);
  return [["video", "window", "start", "end"], ...rows].map(line).join("");
}

function send(file, dry) {
  const form = new FormData();
  form.append("file", file, file.name);
  return api.post(`/study/import${dry ? "?dry_run=1" : ""}`, form);
}

async function attempt(state, file) {
  const { preview, go } = state;
  Object.assign(state, { file: null });
  go.disabled = true;
  go.textContent = "Import";
  preview.replaceChildren(h("p", { class: "muted" }, `Checking ${file.name}…`));
  try {
    const result = await send(file, true);
    const matched = result.matched.length;
    preview.replaceChildren(h("h3", {}, file.name), ...describe(result));
    if (!matched) return;
    state.file = file;
    go.disabled = false;
    go.textContent = `Import ${count(matched, "row")}`;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    preview.replaceChildren(trouble(`${file.name} cannot be imported. ${error.detail}`));
  }
}

const trouble = (text) => h("p", { class: "notice danger" }, text);

function describe({ matched, unmatched, errors }) {
  const good = matched.length;
  const parts = [h("ul", { class: "study-verdict" },
    verdict("check", good ? "good" : "none", `${count(good, "row")} ${good === 1 ? "matches" : "match"} a video`),
    unmatched.length > 0 && verdict("alert", "unsure", `${count(unmatched.length, "row")} without a video of that name`),
    errors.length > 0 && verdict("alert", "bad", `${count(errors.length, "row")} with a mistake`))];
  if (good) parts.push(sample(matched));
  if (unmatched.length) parts.push(lines("No video of this name; these rows are left out", unmatched, (row) => row.video));
  if (errors.length) parts.push(lines("Mistakes; these rows are left out", errors, (row) => row.detail));
  if (!good) parts.push(trouble("Nothing can be imported from this file. Compare its names with those in the library; the template above has them."));
  return parts;
}

const verdict = (symbol, kind, text) => h("li", { class: kind }, icon(symbol), text);

function sample(rows) {
  const columns = COLUMNS.filter((name) => name in rows[0]);
  const text = (value) => (Array.isArray(value) ? value.join(", ") : value ?? "");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows that match" }, h("table", { class: "table" },
    h("caption", {}, rows.length > SHOWN ? `The first ${SHOWN} of ${count(rows.length, "row")}` : "Rows that match"),
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col", class: "word" }, name)))),
    h("tbody", {}, rows.slice(0, SHOWN).map((row) => h("tr", {}, columns.map((name) => h("td", { class: "word" }, text(row[name]))))))));
}

function lines(title, rows, words) {
  const item = (row) => `Line ${row.line}: ${words(row)}`;
  const list = h("ul", {}, rows.slice(0, 50).map((row) => h("li", {}, item(row))), rows.length > 50 && h("li", {}, `and ${rows.length - 50} more`));
  return h("details", { class: "fold study-lines", open: true }, h("summary", {}, title), list);
}

async function finish(state, dialog) {
  state.go.disabled = true;
  try {
    const { matched, errors } = await send(state.file, false);
    dialog.close();
    await loadVideos();
    const refused = errors.length ? ` ${count(errors.length, "row")} had a mistake: ${errors[0].detail}` : "";
    toast(`${count(matched.length, "row")} imported.${refused}`, { kind: "done", seconds: refused ? 12 : 6 });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    state.preview.append(trouble(`The import stopped. ${error.detail}`));
    state.go.disabled = false;
  }
}

// From chosen files to uploads: what cannot work is said at once, then presets, settings and who is in them.

import { settingsForm } from "./form.js";
import { remembered } from "./memory.js";
import { bytes, clock, count, h, icon, openDialog, toastProblem } from "./ui.js";

const NEVER = /^(audio|text|font)\/|^application\/(pdf|zip|json|msword|vnd\.|x-(7z|rar|tar|msdownload|sh))/;

/** Why a file cannot be analysed, as far as the browser can tell; empty where it may well be. */
export function refusal(file, maxBytes) {
  if (file.size === 0) return "The file is empty. If it is still being copied, wait until that is done.";
  if (maxBytes && file.size > maxBytes) {
    return `It has ${bytes(file.size)}; this Visagram takes up to ${bytes(maxBytes)}. Export it smaller, or cut it into parts.`;
  }
  if (NEVER.test(file.type)) return `This is no video (${file.type}). Choose a video such as MP4, MOV, MKV, AVI or WebM.`;
  return "";
}

/** Splits "a, b" into distinct tags. */
export const splitTags = (text) => [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];

/** Input fields for what a video is about: `{element, read()}` with participant, condition and tags (a list). */
export function describeFields({ participant = "", condition = "", tags = [] } = {}) {
  const field = (label, value, help) => {
    const id = `about-${label.toLowerCase()}`;
    const input = h("input", { id, type: "text", value, maxlength: 200, autocomplete: "off", "aria-describedby": `${id}-help` });
    return { input, element: h("div", { class: "field" }, h("label", { for: id }, label), input, h("p", { class: "help", id: `${id}-help` }, help)) };
  };
  const who = field("Participant", participant ?? "", "A code rather than a name, such as P07.");
  const what = field("Condition", condition ?? "", "Such as control or treatment.");
  const marks = field("Tags", tags.join(", "), "Separated by commas.");
  return {
    element: h("div", { class: "grid narrow about-video" }, who.element, what.element, marks.element),
    read: () => ({ participant: who.input.value.trim(), condition: what.input.value.trim(), tags: splitTags(marks.input.value) }),
  };
}

/**
 * Asks how to analyse `files` and calls `accept(file, meta)` for each that can be, where `meta` are the texts for
 * tus.js. `limits`: `{max_bytes, max_duration}`, null where there is none. Files that were interrupted go on without
 * being asked about again.
 */
export async function askAbout(files, limits, accept) {
  const refused = files.map((file) => [file, refusal(file, limits.max_bytes)]).filter(([, why]) => why);
  const good = files.filter((file) => !refused.some(([bad]) => bad === file));
  const known = good.filter((file) => remembered(file));
  const fresh = good.filter((file) => !known.includes(file));
  for (const file of known) accept(file, {});
  if (!fresh.length && !refused.length) return;

  let form = null;
  if (fresh.length) {
    try {
      form = await settingsForm();
    } catch (problem) {
      return toastProblem(problem);
    }
  }
  const about = describeFields();
  const body = h("div", { class: "stack upload-form" }, fileList(fresh, refused),
    form && limits.max_duration ? h("p", { class: "muted small" }, `Videos may be up to ${length(limits.max_duration)} long${limits.max_bytes ? ` and ${bytes(limits.max_bytes)} large` : ""}.`) : null,
    form?.element, form ? aboutFold(about, fresh.length) : null);
  const cancel = h("button", { class: "button", type: "button", onclick: () => dialog.close() }, form ? "Cancel" : "Close");
  const go = form && h("button", { class: "button primary", type: "button", onclick: submit }, `Upload and analyse${fresh.length > 1 ? ` ${fresh.length} videos` : ""}`);
  const title = form ? "Analyse" : refused.length === 1 ? "This file cannot be analysed" : "These files cannot be analysed";
  const dialog = openDialog({ title: form ? `Analyse ${count(fresh.length, "video")}` : title, body, actions: [cancel, go].filter(Boolean), kind: "large" });
  go?.focus();

  function submit() {
    const settings = form.read();
    if (!settings) return;
    const { participant, condition, tags } = about.read();
    const meta = { settings: JSON.stringify(settings), participant, condition, tags: tags.join(",") };
    dialog.close();
    for (const file of fresh) accept(file, { ...meta, filetype: file.type });
  }
}

const length = (seconds) => (seconds % 3600 === 0 ? count(seconds / 3600, "hour") : clock(seconds));

function fileList(fresh, refused) {
  const row = (file, why) =>
    h("li", { class: why ? "refused" : "" }, icon(why ? "alert" : "film"), h("div", {}, h("bdi", { class: "name" }, file.name), why && h("p", { class: "why" }, why)),
      h("span", { class: "muted small" }, bytes(file.size)));
  return h("ul", { class: "file-list" }, fresh.map((file) => row(file, "")), refused.map(([file, why]) => row(file, why)));
}

function aboutFold(about, number) {
  return h("details", { class: "fold" },
    h("summary", {}, "Participant, condition and tags", h("span", { class: "muted small" }, number > 1 ? "for all of them, optional" : "optional")), about.element);
}

// The videos of the study and what is being saved about them.
import { api, Problem } from "../api.js";
import { debounce } from "../ui.js";

const PAGE = 200;
const TOO_MANY = 429;
export const FIELDS = ["participant", "condition", "tags"];

/**
 * Events: `videos` (the list or a value changed), `results` (what is computed from them changed), `saving` (detail:
 * {video, field, state}), `scope` (the tag chosen), `windows` (the names of event windows became known), `compared` (what
 * is compared), `planned` (another plan is in force).
 */
export const study = new EventTarget();
export const videos = new Map();
export const scope = { tag: "" };
export const compared = {};
export const windowNames = [];
const unsaved = new Map();

const tell = (name, detail) => study.dispatchEvent(new CustomEvent(name, { detail }));

/** Says once that many things changed. */
const tellAll = debounce(() => {
  tell("videos");
  tell("results");
}, 50);

export async function loadVideos() {
  const found = [];
  for (let total = 1; found.length < total; ) {
    const page = await api.get("/videos", { limit: PAGE, offset: found.length });
    found.push(...page.items);
    total = page.items.length ? page.total : 0;
  }
  const known = new Map([...videos]);
  videos.clear();
  for (const fresh of found) videos.set(fresh.id, Object.assign(known.get(fresh.id) ?? {}, fresh));
  for (const [, { video, field, value }] of unsaved) video[field] = value;
  tell("videos");
  tell("results");
}

/** The windows of a video changed. */
export function windowsChanged(video, number) {
  video.windows = number;
  tellAll();
}

export function setWindowNames(names) {
  if (names.join("\n") === windowNames.join("\n")) return;
  windowNames.splice(0, windowNames.length, ...names);
  tell("windows");
}

export function setScope(tag) {
  if (scope.tag === tag) return;
  scope.tag = tag;
  tell("scope");
}

/** Says what is compared, as the comparison asks for it; the methods paragraph speaks of it. */
export function setCompared({ by, window, least, smallest }) {
  const now = { by, window, least, ...(smallest === undefined ? {} : { smallest }) };
  if (JSON.stringify(compared) === JSON.stringify(now)) return;
  for (const name of Object.keys(compared)) delete compared[name];
  Object.assign(compared, now);
  tell("compared");
}

/** Takes over the analysis that an event brought; true where its video belongs to the study. */
export function takeAnalysis(analysis) {
  const video = videos.get(analysis.video_id);
  if (!video) return false;
  const before = video.latest;
  if (before && before.id !== analysis.id && before.created > analysis.created) return true;
  video.latest = analysis;
  tell("videos");
  if (before?.state !== analysis.state) tell("results");
  return true;
}

/** The values in use of a field, sorted as people count: P2 before P10. */
export function known(field) {
  const all = [...videos.values()].flatMap((video) => video[field] || []);
  return [...new Set(all)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** The participant after the last: "P08" → "P09"; "P01" in an empty study. */
export function nextParticipant() {
  const numbered = known("participant").map((name) => /^(.*?)(\d+)$/.exec(name)).filter(Boolean);
  if (!numbered.length) return "P01";
  const [, prefix, last] = numbered.at(-1);
  const highest = Math.max(...numbered.filter(([, start]) => start === prefix).map(([, , digits]) => Number(digits)));
  return prefix + String(highest + 1).padStart(last.length, "0");
}

export const asText = (field, value) => (field === "tags" ? (value ?? []).join(", ") : value ?? "");

export function fromText(field, text) {
  if (field !== "tags") return text.trim();
  return [...new Set(text.split(/[,;]/).map((tag) => tag.trim()).filter(Boolean))];
}

const key = (video, field) => `${video.id} ${field}`;
const same = (field, a, b) => asText(field, a) === asText(field, b);

/** {state: "saving"|"failed", error} of a value that the server does not have yet, else undefined. */
export const unsavedState = (video, field) => unsaved.get(key(video, field));
export const unsavedAll = () => [...unsaved.values()];

/** Saves a value; of several in a row the last one wins. Never rejects: failures are events and can be tried again. */
export async function save(video, field, value) {
  const id = key(video, field);
  const entry = unsaved.get(id);
  if (same(field, video[field], value) && entry?.state !== "failed") return;
  if (entry?.state === "saving") {
    Object.assign(entry, { value });
    video[field] = value;
    return;
  }
  const before = entry ? entry.before : video[field];
  const next = { video, field, value, before, state: "saving", error: null };
  unsaved.set(id, next);
  video[field] = value;
  tell("saving", { video, field, state: "saving" });
  await send(id, next);
  tellAll();
}

async function send(id, entry) {
  const { video, field } = entry;
  for (let sent; sent === undefined || !same(field, sent, entry.value); ) {
    sent = entry.value;
    try {
      await api.patch(`/videos/${encodeURIComponent(video.id)}`, { [field]: sent ?? "" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === TOO_MANY) {
        await new Promise((wake) => setTimeout(wake, 1000 * Math.min(60, error.retryAfter ?? 5)));
        sent = undefined;
        continue;
      }
      Object.assign(entry, { state: "failed", error });
      tell("saving", { video, field, state: "failed" });
      return;
    }
    entry.before = sent;
  }
  unsaved.delete(id);
  tell("saving", { video, field, state: "saved" });
}

export function saveAgain() {
  return saveAll(unsavedAll().filter(({ state }) => state === "failed"));
}

/** Gives up a value that could not be saved. */
export function putBack(video, field) {
  const entry = unsaved.get(key(video, field));
  if (entry?.state !== "failed") return;
  unsaved.delete(key(video, field));
  video[field] = entry.before;
  tell("saving", { video, field, state: "back" });
  tell("videos");
}

/** Saves many values, four at a time; resolves to the changes that undo them. */
export async function saveAll(changes) {
  const undo = changes.map(({ video, field }) => ({ video, field, value: video[field] }));
  const waiting = [...changes];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await save(next.video, next.field, next.value);
  };
  await Promise.all([work(), work(), work(), work()]);
  return undo;
}

addEventListener("online", saveAgain);
addEventListener("beforeunload", (event) => {
  if (unsaved.size) event.preventDefault();
});

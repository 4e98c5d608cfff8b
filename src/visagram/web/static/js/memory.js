// Which uploads are on their way, kept in the browser so that they can go on after a reload or a crash.

const MEMORY = "visagram-uploads";
/** An upload that no tab has noted for this long is nobody's. */
const SILENT = 10000;

/** What tells one file from another without reading it. */
export const keyOf = (file) => `${file.name}|${file.size}|${file.lastModified}`;

function all() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY)) ?? {};
  } catch {
    return {};
  }
}

/** Keeps `{url, name, size, sent, meta, at}` under a key; null forgets it. `at` is the time of the last sign of life. */
export function remember(key, entry) {
  const entries = all();
  if (entry) entries[key] = entry;
  else delete entries[key];
  try {
    localStorage.setItem(MEMORY, JSON.stringify(entries));
  } catch {
    // storage is switched off or full: this upload cannot be taken up after a reload
  }
}

/** What is remembered of an upload of this file, or null. */
export const remembered = (file) => all()[keyOf(file)] ?? null;

/** Uploads that no tab is sending, each with its `key`. */
export function interrupted() {
  return Object.entries(all())
    .filter(([, entry]) => Date.now() - entry.at > SILENT)
    .map(([key, entry]) => ({ key, ...entry }));
}

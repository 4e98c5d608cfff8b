// A block of cells from a spreadsheet, pasted into the table of videos.
import { count, toast } from "../ui.js";
import { FIELDS, fromText, saveAll } from "./store.js";

/** Text as spreadsheets copy it (tabs between cells, lines between rows, quotes around what holds either) as rows of cells. */
export function parseBlock(text) {
  const rows = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    const row = rows.at(-1);
    if (quoted && letter === '"' && text[at + 1] === '"') row[row.length - 1] += text[(at += 1)];
    else if (quoted && letter === '"') quoted = false;
    else if (!quoted && letter === '"' && row.at(-1) === "") quoted = true;
    else if (!quoted && letter === "\t") row.push("");
    else if (!quoted && letter === "\n") rows.push([""]);
    else if (quoted || letter !== "\r") row[row.length - 1] += letter;
  }
  if (rows.length > 1 && rows.at(-1).join("") === "") rows.pop();
  return rows;
}

/** Fills the cells from the focused one on, down and to the right; one cell alone pastes as ever. */
export async function pasteBlock(event, shown) {
  const { field, video } = event.target.dataset;
  const block = parseBlock(event.clipboardData.getData("text/plain"));
  if (!field || (block.length === 1 && block[0].length === 1)) return;
  event.preventDefault();
  const top = shown.findIndex(({ id }) => id === video);
  const fields = FIELDS.slice(FIELDS.indexOf(field));
  const changes = block.flatMap((cells, down) =>
    cells.slice(0, fields.length).map((text, right) => ({ video: shown[top + down], field: fields[right], value: fromText(fields[right], text) })),
  ).filter((change) => change.video);
  const undo = await saveAll(changes);
  const left = Math.max(0, block.length - (shown.length - top));
  const rest = left ? ` ${count(left, "row")} below the last video ${left === 1 ? "was" : "were"} left out.` : "";
  toast(`${count(changes.length, "cell")} filled.${rest}`, { action: "Undo", onAction: () => saveAll(undo) });
}

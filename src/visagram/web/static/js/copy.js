// A text to the clipboard.
import { toast } from "./ui.js";

/** Copies `text`, which `words` shows. Browsers keep the clipboard for https and localhost; elsewhere it is selected. */
export async function copyText(text, words) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    toast("The paragraph is copied.", { kind: "done" });
    return;
  }
  words.tabIndex = -1;
  getSelection().selectAllChildren(words);
  words.focus();
  toast("The paragraph is selected: press Ctrl+C (⌘C on a Mac) to copy it.");
}

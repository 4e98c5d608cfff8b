// What every page may have to say by itself: lawful use on the first visit, and that the connection is gone.

import { online } from "./ui.js";

const KEY = "visagram-lawful-use";
const YEAR = 365 * 24 * 3600;

function acknowledged() {
  if (document.cookie.split("; ").includes(`${KEY}=1`)) return true;
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

function remember() {
  document.cookie = `${KEY}=1; path=/; max-age=${YEAR}; SameSite=Lax`;
  try {
    localStorage.setItem(KEY, new Date().toISOString());
  } catch {
    // storage is switched off: the cookie remembers
  }
}

function ask(dialog) {
  let agreed = false;
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
  dialog.addEventListener("submit", () => {
    agreed = true;
    remember();
  });
  // Some browsers close a dialog on a second Escape whatever `cancel` says.
  dialog.addEventListener("close", () => agreed || dialog.showModal());
  dialog.showModal();
}

const dialog = document.getElementById("lawful-use");
// Who wants to read more before agreeing finds the same text, and more, on that page.
if (dialog && !acknowledged() && document.body.dataset.page !== "about") ask(dialog);
online();

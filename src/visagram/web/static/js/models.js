// A model's card: its hash can be copied where the browser allows it.

import { toast } from "./ui.js";

const button = document.getElementById("copy");
if (button && navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById("hash").textContent);
      toast("The hash is copied.", { kind: "done" });
    } catch {
      toast("The browser did not allow copying. Select the hash and copy it by hand.", { kind: "error" });
    }
  });
}

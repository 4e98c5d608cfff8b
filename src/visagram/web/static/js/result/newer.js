// Where the model that read a result has been followed by another one under its name: says so, and offers to analyse again.
import { api } from "../api.js";
import { analyseAgain } from "../form.js";
import { h, icon, toastProblem } from "../ui.js";

/**
 * What `GET /models` lists as today's model for expressions of a result's setting, where it is another one than the
 * report names; else null.
 */
export function successor({ settings, models }, offered) {
  const was = models.find(({ task }) => task === "expression");
  const now = offered.find(({ setting, choice }) => setting === "emotion" && choice === settings.emotion);
  return was?.sha256 && now?.sha256 && now.sha256 !== was.sha256 ? { was, now } : null;
}

/** Adds the notice to `root`, where there is one to give. A list of models that does not come is no reason to complain. */
export async function newer(store, root) {
  let offered;
  try {
    offered = (await api.get("/models")).items;
  } catch (error) {
    if (error.name !== "Problem") throw error;
    return;
  }
  const found = successor(store.report, offered);
  if (!found) return;
  const again = () => analyseAgain({ id: store.videoId, name: store.video.name, settings: store.analysis.settings }).catch(toastProblem);
  const named = ({ name, version }) => [h("bdi", {}, name), version ? ` ${version}` : ""];
  root.append(
    h(
      "div",
      { class: "notice", id: "newer-model" },
      h("p", {}, "Expressions were read by ", named(found.was), ". Visagram now reads them with another model, ", named(found.now), ": results of both should not be compared."),
      h("div", { class: "row" }, h("button", { class: "button", type: "button", onclick: again }, icon("retry"), "Analyse again…")),
    ),
  );
}

// Which models measured, where they are not those that come with Visagram: the twin of `other_models` in Python's words.

import { h } from "../ui.js";

const USUAL = "visagram";
const SETTINGS = [["detector", "detection", "faces found by"], ["emotion", "expression", "expressions read by"]];

/** A phrase for each such model, as parts of an element: its name leads to its card. */
export function otherModels({ settings, models }) {
  return SETTINGS.filter(([setting]) => (settings[setting] ?? USUAL) !== USUAL).map(([, task, words]) => {
    const { name, version } = models.find((model) => model.task === task) ?? {};
    return [`${words} `, h("a", { href: `/models/${encodeURIComponent(name)}` }, name), version ? ` ${version}` : ""];
  });
}

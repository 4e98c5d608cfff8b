// Lets tests import the pages' scripts as they are: "visagram/result/tiles.js" is static/js/result/tiles.js.
//
// VISAGRAM_JS: the folder of the scripts. VISAGRAM_PALETTE: the file with palette.js, which the server makes.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const scripts = pathToFileURL(`${process.env.VISAGRAM_JS}/`).href;
const palette = pathToFileURL(process.env.VISAGRAM_PALETTE).href;

registerHooks({
  resolve(specifier, context, next) {
    const named = specifier.startsWith("visagram/");
    if (!named && !context.parentURL?.startsWith(scripts)) return next(specifier, context);
    const found = named ? new URL(specifier.slice("visagram/".length), scripts) : new URL(specifier, context.parentURL);
    const made = found.href === new URL("palette.js", scripts).href;
    return { url: made ? palette : found.href, format: "module", shortCircuit: true };
  },
});

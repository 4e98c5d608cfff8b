// A server for tests: answers what a test lets it know, and remembers what it was asked for.

/** Answers `fetch` by `answers(url)`: `{status, body}`, a `Uint8Array`, JSON, or a promise of one. `asked` are the URLs. */
export function serve(answers) {
  const asked = [];
  globalThis.document ??= { querySelector: () => null };
  globalThis.fetch = async (address) => {
    asked.push(address);
    const answer = await answers(address);
    if (answer instanceof Uint8Array) return new Response(answer);
    if (answer && "status" in answer) return new Response(answer.body ?? "", { status: answer.status });
    return new Response(JSON.stringify(answer));
  };
  return asked;
}

/** Lets everything that is ready run. */
export async function settled() {
  for (let k = 0; k < 20; k++) await new Promise((resolve) => setImmediate(resolve));
}

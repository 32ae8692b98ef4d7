// Asking the exchange. What names its own id is asked again when an answer is lost.
const TRIES = 3;
const WAIT_MS = 1000;

async function fetched(method, path, body) {
  for (let left = TRIES - 1; ; left -= 1) {
    try {
      const answer = await fetch(path, {
        method,
        headers: {
          "Content-Type": "application/json",
          "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content,
        },
        body: body && JSON.stringify(body),
        cache: "no-store",
      });
      if (answer.status !== 503 || !left) return answer;
    } catch (error) {
      if (!left) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
}

async function good(answer) {
  if (answer.ok) return answer;
  const told = await answer.json();
  throw new Error(`${told.detail} ${told.hint} (${told.code})`);
}

export const json = async (method, path, body) =>
  (await good(await fetched(method, path, body))).json();

export const bytes = async (path) =>
  new Uint8Array(await (await good(await fetched("GET", path))).arrayBuffer());

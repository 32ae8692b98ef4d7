// Handing a contract on in the browser: draft, check here, show, sign with the key of this browser.
import { base64, hex, sha256, unbase64 } from "./der.js";
import * as ask from "./ask.js";
import { NotSound } from "./consent.js";
import { usable } from "./mine.js";

const page = document.getElementById("assigning");
const told = document.getElementById("told");
const { deal, party } = page.dataset;
const here = `/v1/deals/${deal}`;
const pick = (text) => (document.documentElement.lang.startsWith("zh") ? text.zh : text.en);
// What a contract that was handed on may say otherwise than the one before.
const OWN = new Set([
  "contract", "deal", "supersedes", "frozen_at", "evidence", "parties", "parameters", "clauses", "assignment",
]);
const WORDS = ["assignor_zh", "assignor_en", "assignor_key", "assigned_contract"];

function say(name, tone, more = "") {
  told.hidden = false;
  told.className = `note ${tone}`;
  told.textContent = `${page.dataset[`say${name}`]} ${more}`.trim();
}

const put = (id, text) => {
  document.getElementById(id).textContent = text;
};
const failed = (error) =>
  error instanceof NotSound ? say("Tampered", "bad", `(${error.check})`) : say("Failed", "bad", error.message);

function need(holds, check) {
  if (!holds) throw new NotSound(check);
}

// JSON with its members in order: equal values give equal text.
const plain = (value) =>
  JSON.stringify(value, (_, one) =>
    one && typeof one === "object" && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
const read = (raw) => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));

// The draft is this contract with the licensee that was chosen and our key, and nothing else is new.
function check(after, before, { id, assignee, key, sha }) {
  need(after.deal === id, "deal");
  need(after.supersedes?.terms_sha256 === sha, "supersedes");
  const sides = (terms, role) => terms.parties.filter((side) => (side.role === "licensee") === role);
  need(plain(sides(after, false)) === plain(sides(before, false)), "parties");
  need(sides(after, true).length === 1 && sides(after, true)[0].party === assignee, "licensee");
  need(after.assignment?.key === key && after.assignment.assignor?.party === party, "assignor");
  const names = new Set([...Object.keys(before), ...Object.keys(after)].filter((name) => !OWN.has(name)));
  for (const name of names) need(plain(after[name]) === plain(before[name]), name);
  for (const name of Object.keys(after.parameters)) {
    need(WORDS.includes(name) || after.parameters[name] === before.parameters[name], "parameters");
  }
  const others = (terms) => terms.clauses.filter((clause) => clause.ref !== "contract-assigned");
  need(plain(others(after)) === plain(others(before)), "clauses");
}

function show(terms, sha, key) {
  const named = Object.fromEntries(terms.parties.map((side) => [side.role, pick(side.legal_name)]));
  put("contract", terms.contract);
  put("licensor", named.licensor);
  put("licensee", named.licensee);
  put("terms-sha256", sha);
  put("key-sha256", key);
  put("all-terms", JSON.stringify(terms, null, 2));
  document.getElementById("drafted").hidden = false;
}

async function draft(key, assignee) {
  const id = crypto.randomUUID();
  const path = `${here}/assignments/${id}`;
  const [made, base] = await Promise.all([
    ask.json("PUT", path, { assignee_id: assignee, key_id: key.id }), ask.bytes(`${here}/terms`),
  ]);
  const raw = unbase64(made.terms_b64);
  const sha = hex(await sha256(raw));
  need(sha === made.terms_sha256, "terms");
  const terms = read(raw);
  check(terms, read(base), { id, assignee, key: key.sha256, sha: hex(await sha256(base)) });
  show(terms, sha, key.sha256);
  return { path, raw, id };
}

async function sign(key, { path, raw, id }) {
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, raw);
  await ask.json("PUT", `${path}/signature`, { signature_b64: base64(new Uint8Array(signature)) });
  location.assign(`/deals/${id}`);
}

function wired(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      failed(error);
      button.disabled = false;
    }
  });
}

async function start() {
  if (!globalThis.crypto?.subtle) return say("Insecure", "bad");
  const choose = document.getElementById("choose");
  let key;
  try {
    key = await usable((await ask.json("GET", `/v1/parties/${party}/signing-keys`)).items, party);
  } catch (error) {
    return failed(error);
  }
  if (!key) {
    document.getElementById("no-key").hidden = false;
    return undefined;
  }
  let drafted;
  wired(choose, async () => {
    drafted = await draft(key, document.getElementById("assignee").value);
    choose.hidden = true;
  });
  wired(document.getElementById("sign"), async () => {
    say("Working", "");
    await sign(key, drafted);
  });
  choose.querySelector("button").disabled = false;
  return undefined;
}

start();

// Signing a contract in the browser: fetch, check here, show, sign with the key of this browser.
import { hex, sha256, base64 } from "./der.js";
import * as ask from "./ask.js";
import { check, NotSound } from "./consent.js";
import { usable } from "./mine.js";

const page = document.getElementById("signing");
const told = document.getElementById("told");
// What is signed: a deal, or an agreement with the exchange.
const { noun, signed, party } = page.dataset;
const here = `/v1/${noun}s/${signed}`;
const zh = document.documentElement.lang.startsWith("zh");
const pick = (text) => (zh ? text.zh : text.en) ?? text.zh ?? text.en;

function say(name, tone, more = "") {
  told.hidden = false;
  told.className = `note ${tone}`;
  told.textContent = `${page.dataset[`say${name}`]} ${more}`.trim();
}

function put(id, text) {
  document.getElementById(id).textContent = text;
}

function show(terms, raw) {
  const named = Object.fromEntries(terms.parties.map((side) => [side.role, pick(side.legal_name)]));
  const price = terms.consideration;
  put("contract", terms.contract ?? terms.agreement);
  for (const [role, name] of Object.entries(named)) {
    if (document.getElementById(role)) put(role, name);
  }
  put("amount", price ? `${price.currency} ${price.amount} · ${price.in_words}` : "");
  put("terms-sha256", raw);
  put("all-terms", JSON.stringify(terms, null, 2));
  const list = document.getElementById("rights");
  for (const [place, work] of (terms.works ?? []).entries()) {
    const item = document.createElement("li");
    item.textContent = `${pick(work.title)} · ${price.currency} ${price.lines[place].amount}`;
    list.append(item);
  }
  for (const reason of terms.forfeits ?? []) {
    const item = document.createElement("li");
    item.textContent = pick(reason);
    list.append(item);
  }
  for (const worded of terms.wording ?? []) {
    const item = document.createElement("li");
    item.textContent = pick(worded).sentence;
    list.append(item);
  }
}

async function load() {
  const [about, terms, latest, keys] = await Promise.all([
    ask.json("GET", here), ask.bytes(`${here}/terms`), ask.bytes(`${here}/contract.pdf`),
    ask.json("GET", `/v1/parties/${party}/signing-keys`),
  ]);
  const raw = hex(await sha256(terms));
  if (raw !== about.terms_sha256) throw new NotSound("terms");
  const said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(terms));
  if (said[noun] !== signed) throw new NotSound("terms");
  show(said, raw);
  put("pdf-sha256", hex(await sha256(latest)));
  return { terms, latest, key: await usable(keys.items, party) };
}

async function sign({ terms, latest, key }) {
  const path = `${here}/signing-sessions/${crypto.randomUUID()}`;
  const session = await ask.json("PUT", path, { key_id: key.id });
  const prepared = await ask.bytes(`${path}/contract.pdf`);
  const tbs = await check(session, { terms, latest, prepared, certificate: key.certificate });
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, tbs);
  await ask.json("PUT", `${path}/signature`, { signature_b64: base64(new Uint8Array(signature)) });
}

const failed = (error) =>
  error instanceof NotSound ? say("Tampered", "bad", `(${error.check})`) : say("Failed", "bad", error.message);

async function start() {
  if (!globalThis.crypto?.subtle) return say("Insecure", "bad");
  const form = document.getElementById("sign");
  let found;
  try {
    found = await load();
  } catch (error) {
    return failed(error);
  }
  if (!found.key) {
    document.getElementById("no-key").hidden = false;
    return undefined;
  }
  put("key-sha256", found.key.sha256);
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    say("Working", "");
    try {
      await sign(found);
      form.hidden = true;
      say("Done", "good");
    } catch (error) {
      failed(error);
      button.disabled = false;
    }
  });
  return undefined;
}

start();

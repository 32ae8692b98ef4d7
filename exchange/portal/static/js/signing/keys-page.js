// The page of signing keys: makes a key here, or takes one from a file, and registers its public half.
import { request } from "./der.js";
import * as ask from "./ask.js";
import * as pkcs12 from "./pkcs12.js";
import * as store from "./store.js";

const page = document.getElementById("signing-keys");
const told = document.getElementById("told");

function say(name, tone, more = "") {
  told.hidden = false;
  told.className = `note ${tone}`;
  told.textContent = `${page.dataset[`say${name}`]} ${more}`.trim();
}

async function mark() {
  for (const row of page.querySelectorAll("tr[data-sha256]")) {
    const mine = await store.find(row.dataset.sha256);
    row.querySelector(".here").hidden = !(mine && mine.party === page.dataset.party);
  }
}

// A key in force that this browser keeps vouches for the next one; see contracts/parties/endorsing.py.
async function endorsement(key) {
  for (const row of page.querySelectorAll("tr[data-state=active][data-signs=contracts]")) {
    const mine = await store.find(row.dataset.sha256);
    if (!mine || mine.party !== page.dataset.party || mine.sha256 === key.sha256) continue;
    const said = `{"party":"${page.dataset.party}","previous_sha256":"${mine.sha256}","spki_sha256":"${key.sha256}","v":"uhdx/key/v1"}`;
    const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, mine.privateKey, new TextEncoder().encode(said));
    return { key_id: row.dataset.key, signature_b64: btoa(String.fromCharCode(...new Uint8Array(raw))) };
  }
  return null;
}

async function register(key) {
  const csr = await request(key.privateKey, key.spki, page.dataset.name.slice(0, 64));
  const body = { csr_pem: csr, endorsement: await endorsement(key) };
  await ask.json("PUT", `/v1/parties/${page.dataset.party}/signing-keys/${key.id}`, body);
  location.assign("/signing-keys?made=1");
}

async function work(button, make) {
  if (!globalThis.crypto?.subtle) return say("Insecure", "bad");
  button.disabled = true;
  try {
    await register(await make());
  } catch (error) {
    if (error instanceof pkcs12.WrongPassword) say("Password", "bad");
    else if (error instanceof pkcs12.Unreadable) say("Unreadable", "bad");
    else say("Failed", "bad", error.message);
    button.disabled = false;
  }
  return undefined;
}

document.getElementById("make")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const waiting = async () => {
    const registered = new Set([...page.querySelectorAll("tr[data-sha256]")].map((row) => row.dataset.sha256));
    const left = (await store.all(page.dataset.party)).find((one) => !registered.has(one.sha256));
    return left ?? store.generate(page.dataset.party); // one whose answer was lost comes first
  };
  work(event.target.querySelector("button"), waiting);
});

document.getElementById("import")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const [file, password] = [event.target.querySelector("#p12"), event.target.querySelector("#password")];
  work(event.target.querySelector("button"), async () => {
    const raw = new Uint8Array(await file.files[0].arrayBuffer());
    const found = await pkcs12.open(raw, password.value);
    password.value = "";
    const key = await store.keep(found, page.dataset.party);
    const known = page.querySelector(`tr[data-sha256="${key.sha256}"]`);
    return known ? { ...key, id: known.dataset.key } : key;
  });
});

// Until here a click would have reloaded the page and nothing more.
for (const button of document.querySelectorAll("#make button, #import button")) button.disabled = false;
mark();

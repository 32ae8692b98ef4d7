// Keys of this browser: IndexedDB keeps the key object, whose bytes no script can read.
import { hex, sha256 } from "./der.js";

const ECDSA = { name: "ECDSA", namedCurve: "P-256" };

const done = (asked) =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });

async function keys(mode) {
  const opening = indexedDB.open("uhdx-signing", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("keys", { keyPath: "sha256" });
  return (await done(opening)).transaction("keys", mode).objectStore("keys");
}

export async function keep({ privateKey, spki }, party) {
  const made = { sha256: hex(await sha256(spki)), id: crypto.randomUUID(), party, privateKey, spki };
  const known = await find(made.sha256);
  if (known) return known;
  await done((await keys("readwrite")).add(made));
  await navigator.storage?.persist?.();
  return made;
}

export async function generate(party) {
  const pair = await crypto.subtle.generateKey(ECDSA, false, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  return keep({ privateKey: pair.privateKey, spki }, party);
}

export const find = async (sha256Hex) => done((await keys("readonly")).get(sha256Hex));

export const all = async (party) =>
  (await done((await keys("readonly")).getAll())).filter((one) => one.party === party);

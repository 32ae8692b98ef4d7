// PKCS#12 (RFC 7292) with PBES2, AES and SHA-256, as OpenSSL 3 and Java write it by default. Older
// files (3DES, RC2, SHA-1) are refused: browsers have no such ciphers.
// The private key is unwrapped by WebCrypto itself: no script ever holds its bytes.
import { joined, OID, only, parts, read, same, spkiOf, hex } from "./der.js";

const ECDSA = { name: "ECDSA", namedCurve: "P-256" };
const BAGS = { key: "2a864886f70d010c0a0102", certificate: "2a864886f70d010c0a0103" };
const PBES2 = "2a864886f70d01050d";
const PBKDF2 = "2a864886f70d01050c";
const HASHES = { "2a864886f70d0209": "SHA-256", "2a864886f70d020b": "SHA-512" };
const CIPHERS = { "60864801650304012a": 256, "608648016503040102": 128 };
const MOST_ROUNDS = 1_000_000;

export class Unreadable extends Error {} // not such a file, or one with old ciphers
export class WrongPassword extends Error {}

const number = (node) => node.body.reduce((value, byte) => value * 256 + byte, 0);
const idOf = (node) => hex(node.body);

function rounds(node) {
  const value = number(node);
  if (!(value > 0 && value <= MOST_ROUNDS)) throw new Unreadable();
  return value;
}

async function cipher(algorithm, password) {
  const [scheme, settings] = parts(algorithm);
  if (idOf(scheme) !== PBES2) throw new Unreadable();
  const [derivation, encryption] = parts(settings).map(parts);
  const length = CIPHERS[idOf(encryption[0])];
  const [salt, count, ...rest] = parts(derivation[1]);
  const prf = rest.find((node) => node.tag === 0x30);
  const hash = prf && HASHES[idOf(parts(prf)[0])];
  if (idOf(derivation[0]) !== PBKDF2 || !length || !hash) throw new Unreadable();
  const base = await crypto.subtle.importKey(
    "raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveKey"],
  );
  const key = await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash, salt: salt.body, iterations: rounds(count) },
    base, { name: "AES-CBC", length }, false, ["decrypt", "unwrapKey"],
  );
  return { key, how: { name: "AES-CBC", iv: encryption[1].body } };
}

function filled(raw) {
  const whole = new Uint8Array(64 * Math.ceil(raw.length / 64));
  for (let at = 0; at < whole.length; at += 1) whole[at] = raw[at % raw.length];
  return whole;
}

// RFC 7292 appendix B.2 with SHA-256 and one block of output: the key of the file's own MAC.
async function macKey(password, salt, count) {
  const text = new Uint8Array(2 * password.length + 2);
  for (let at = 0; at < password.length; at += 1) {
    new DataView(text.buffer).setUint16(2 * at, password.charCodeAt(at));
  }
  let block = joined(new Uint8Array(64).fill(3), filled(salt), filled(text));
  for (let round = 0; round < count; round += 1) {
    block = new Uint8Array(await crypto.subtle.digest("SHA-256", block));
  }
  return block;
}

async function checkMac(mac, content, password) {
  if (!mac) throw new Unreadable();
  const [digest, salt, count] = parts(mac);
  const [algorithm, value] = parts(digest);
  if (idOf(parts(algorithm)[0]) !== OID.sha256) throw new Unreadable();
  const raw = await macKey(password, salt.body, count ? rounds(count) : 1);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const made = new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
  if (!same(made, value.body)) throw new WrongPassword();
}

async function contents(info, password) {
  const [kind, holder] = parts(info);
  const inner = read(holder.body);
  if (idOf(kind) === OID.data) return inner.body;
  if (idOf(kind) !== OID.encryptedData) throw new Unreadable();
  const [, algorithm, sealed] = parts(parts(inner)[1]);
  const { key, how } = await cipher(algorithm, password);
  return new Uint8Array(await crypto.subtle.decrypt(how, key, sealed.body));
}

async function bags(safe, password) {
  const found = { keys: [], certificates: [] };
  for (const info of parts(only(safe, 0x30))) {
    for (const bag of parts(only(await contents(info, password), 0x30))) {
      const [kind, holder] = parts(bag);
      const value = read(holder.body);
      if (idOf(kind) === BAGS.key) found.keys.push(value);
      if (idOf(kind) === BAGS.certificate) {
        found.certificates.push(read(parts(value)[1].body).body);
      }
    }
  }
  return found;
}

async function belongs(privateKey, spki) {
  try {
    const how = { name: "ECDSA", hash: "SHA-256" };
    const probe = crypto.getRandomValues(new Uint8Array(32));
    const publicKey = await crypto.subtle.importKey("spki", spki, ECDSA, false, ["verify"]);
    const signed = await crypto.subtle.sign(how, privateKey, probe);
    return await crypto.subtle.verify(how, publicKey, signed, probe);
  } catch {
    return false; // the certificate is of another kind of key
  }
}

// The P-256 key of a file, not extractable, and its SubjectPublicKeyInfo from the certificate.
export async function open(raw, password) {
  try {
    const [, safe, mac] = parts(only(raw, 0x30));
    const content = read(parts(safe)[1].body).body;
    await checkMac(mac, content, password);
    const { keys, certificates } = await bags(content, password);
    for (const sealed of keys) {
      const [algorithm, wrapped] = parts(sealed);
      const { key, how } = await cipher(algorithm, password);
      const privateKey = await crypto.subtle.unwrapKey(
        "pkcs8", wrapped.body, key, how, ECDSA, false, ["sign"],
      );
      for (const certificate of certificates) {
        const spki = spkiOf(certificate).slice();
        if (await belongs(privateKey, spki)) return { privateKey, spki };
      }
    }
  } catch (error) {
    if (error instanceof WrongPassword) throw error;
    throw new Unreadable();
  }
  throw new Unreadable();
}

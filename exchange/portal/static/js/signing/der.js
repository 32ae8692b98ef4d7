// DER, as much as signing needs (X.690): written, and read strictly. Lengths are definite.

export const joined = (...parts) => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
export const hex = (raw) => Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const same = (one, other) =>
  one.length === other.length && one.every((byte, place) => byte === other[place]);
export const sha256 = async (raw) => new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
export const base64 = (raw) => btoa(Array.from(raw, (byte) => String.fromCharCode(byte)).join(""));
export const unbase64 = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
// The first block of the text: a certificate comes before those that it leads to.
export const unpem = (text) => unbase64(text.match(/-----BEGIN [^-]+-----([^-]+)-----END/)[1].replace(/\s/g, ""));
export const pem = (label, der) =>
  `-----BEGIN ${label}-----\n${base64(der).match(/.{1,64}/g).join("\n")}\n-----END ${label}-----\n`;

// Identifiers, as the bytes that DER writes for them.
export const OID = {
  commonName: "550403",
  ecdsaSha256: "2a8648ce3d040302",
  data: "2a864886f70d010701",
  encryptedData: "2a864886f70d010706",
  contentType: "2a864886f70d010903",
  messageDigest: "2a864886f70d010904",
  signingCertificateV2: "2a864886f70d010910022f",
  algorithmProtection: "2a864886f70d010934",
  sha256: "608648016503040201",
};

function length(size) {
  if (size < 128) return [size];
  const bytes = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [128 + bytes.length, ...bytes];
}

export function tlv(tag, ...parts) {
  const body = joined(...parts);
  return joined(new Uint8Array([tag, ...length(body.length)]), body);
}

export const seq = (...parts) => tlv(0x30, ...parts);
export const oid = (id) => tlv(0x06, unhex(id));

export function integer(raw) {
  let from = 0;
  while (from < raw.length - 1 && raw[from] === 0) from += 1;
  const body = raw.subarray(from);
  return tlv(0x02, body[0] & 0x80 ? joined(new Uint8Array(1), body) : body);
}

// One element at a place: its tag, its body, and where the next one begins.
export function read(raw, at = 0) {
  const tag = raw[at];
  let size = raw[at + 1];
  let body = at + 2;
  if (tag === undefined || size === undefined || (tag & 31) === 31) throw new Error("no DER");
  if (size >= 128) {
    const more = size - 128;
    if (more < 1 || more > 3) throw new Error("no DER");
    size = 0;
    for (let place = 0; place < more; place += 1) size = size * 256 + raw[body + place];
    body += more;
  }
  const end = body + size;
  if (!(end <= raw.length)) throw new Error("no DER");
  return { tag, body: raw.subarray(body, end), raw: raw.subarray(at, end), end };
}

export function only(raw, tag) {
  const found = read(raw);
  if (found.end !== raw.length || found.tag !== tag) throw new Error("no DER");
  return found;
}

export function parts(node) {
  const found = [];
  for (let at = 0; at < node.body.length; at = found.at(-1).end) found.push(read(node.body, at));
  return found;
}

// The SubjectPublicKeyInfo of a certificate: after version, serial, algorithm, issuer, dates, subject.
export function spkiOf(certificate) {
  const fields = parts(parts(only(certificate, 0x30))[0]);
  return fields[fields[0].tag === 0xa0 ? 6 : 5].raw;
}

export function derSignature(raw) {
  return seq(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
}

// A certificate request (PKCS#10, RFC 2986) that proves to hold a P-256 key.
export async function request(privateKey, spki, name) {
  const subject = seq(tlv(0x31, seq(oid(OID.commonName), tlv(0x0c, new TextEncoder().encode(name)))));
  const info = seq(tlv(0x02, new Uint8Array(1)), subject, spki, tlv(0xa0));
  const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, info);
  const signature = joined(new Uint8Array(1), derSignature(new Uint8Array(signed)));
  const whole = seq(info, seq(oid(OID.ecdsaSha256)), tlv(0x03, signature));
  return pem("CERTIFICATE REQUEST", whole);
}

// What a party checks before its key signs; the same as contracts/deals/consent.py.
import { hex, OID, only, parts, same, sha256, unbase64 } from "./der.js";

export class NotSound extends Error {
  constructor(check) {
    super(check);
    this.check = check;
  }
}

function need(holds, check) {
  if (!holds) throw new NotSound(check);
}

const startsWith = (whole, start) => same(whole.subarray(0, start.length), start);

// Where the gap of the one new signature lies; everything else of the file is signed.
function gap(prepared, after) {
  const text = new TextDecoder("latin1").decode(prepared.subarray(after));
  const found = [...text.matchAll(/\/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]/g)];
  need(found.length === 1, "gap");
  const [first, start, end, rest] = found[0].slice(1).map(Number);
  need(first === 0 && after < start && start < end && end + rest === prepared.length, "gap");
  const open = new TextDecoder("latin1").decode(prepared.subarray(start, end));
  need(/^<0+>$/.test(open), "gap");
  return [start, end];
}

// The one value of each signed attribute; another attribute could mean anything.
function attributes(tbs) {
  const values = {};
  const wanted = [
    OID.contentType, OID.messageDigest, OID.signingCertificateV2, OID.algorithmProtection,
  ];
  try {
    const listed = parts(only(tbs, 0x31));
    for (const one of listed) {
      const [kind, set] = parts(one);
      const inside = parts(set);
      need(inside.length === 1, "attributes");
      values[hex(kind.body)] = inside[0];
    }
    const known = wanted.every((id) => id in values) && listed.length === wanted.length;
    need(known && hex(values[OID.contentType].body) === OID.data, "attributes");
    const [digest, signs, ...more] = parts(values[OID.algorithmProtection]);
    need(more.length === 0, "attributes");
    need(hex(parts(digest)[0].body) === OID.sha256, "attributes");
    need(signs.tag === 0xa1 && hex(parts(signs)[0].body) === OID.ecdsaSha256, "attributes");
  } catch {
    throw new NotSound("attributes");
  }
  return values;
}

// The hash in ESSCertIDv2; its algorithm is SHA-256 when none is said (RFC 5035 §4).
function certificateHash(value) {
  try {
    const listed = parts(parts(value)[0]);
    const fields = parts(listed[0]);
    const algorithm = fields[0].tag === 0x30 ? hex(parts(fields[0])[0].body) : OID.sha256;
    need(listed.length === 1 && algorithm === OID.sha256, "certificate");
    return fields.find((node) => node.tag === 0x04).body;
  } catch {
    throw new NotSound("certificate");
  }
}

export async function check(session, { terms, latest, prepared, certificate }) {
  need(hex(await sha256(terms)) === session.terms_sha256, "terms");
  need(hex(await sha256(latest)) === session.pdf_sha256, "contract");
  need(startsWith(prepared, latest), "revision");
  const [start, end] = gap(prepared, latest.length);
  const tbs = unbase64(session.tbs_der_b64);
  const found = attributes(tbs);
  const signed = new Uint8Array(start + prepared.length - end);
  signed.set(prepared.subarray(0, start));
  signed.set(prepared.subarray(end), start);
  need(same(found[OID.messageDigest].body, await sha256(signed)), "digest");
  const named = certificateHash(found[OID.signingCertificateV2]);
  need(same(named, await sha256(certificate)), "certificate");
  return tbs;
}

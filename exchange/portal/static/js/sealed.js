// Seals a bid in the browser: what leaves holds no amount, and what opens it stays with the bidder.
// The same construction as listings/sealed/envelope.py: ECDH P-256, HKDF-SHA-256, AES-256-GCM.
"use strict";

(() => {
  const TEXT = new TextEncoder();
  const BID = TEXT.encode("uhdx/bid-seal/v1\0");
  const COMMITMENT = TEXT.encode("uhdx/bid-commitment/v1\0");
  const CURVE = { name: "ECDH", namedCurve: "P-256" };

  const joined = (...parts) => {
    const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };
  const prefixed = (part) => {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, part.length);
    return joined(size, part);
  };
  const hex = (raw) => Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  const base64 = (raw) => {
    let text = "";
    for (const byte of raw) text += String.fromCharCode(byte);
    return btoa(text);
  };
  const uuid = (text) => unhex(text.replaceAll("-", ""));

  // RFC 8785 for what bids hold: objects, lists, texts in NFC, whole numbers.
  function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value !== null && typeof value === "object") {
      const names = Object.keys(value).sort();
      return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
    }
    if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("no whole number");
    return JSON.stringify(typeof value === "string" ? value.normalize("NFC") : value);
  }

  async function seal(key, listing, paddle, content) {
    const nonce = crypto.getRandomValues(new Uint8Array(32));
    const number = TEXT.encode(String(paddle));
    const said = TEXT.encode(canonical(content));
    const promised = joined(
      COMMITMENT, ...[uuid(key.auction), uuid(listing), number, said, nonce].map(prefixed),
    );
    const commitment = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", promised)));
    const inside = prefixed(TEXT.encode(canonical({ content, nonce: hex(nonce) })));
    if (inside.length > key.plain_bytes) throw new Error("too long");
    const plain = new Uint8Array(key.plain_bytes);
    plain.set(inside);
    const about = joined(
      BID, ...[uuid(key.auction), number, TEXT.encode(commitment)].map(prefixed),
    );
    const receiver = unhex(key.public);
    const theirs = await crypto.subtle.importKey("raw", receiver, CURVE, false, []);
    const once = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
    const sender = new Uint8Array(await crypto.subtle.exportKey("raw", once.publicKey));
    const shared = await crypto.subtle.deriveBits(
      { name: "ECDH", public: theirs }, once.privateKey, 256,
    );
    const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
    const derived = await crypto.subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: joined(BID, sender, receiver) },
      material, { name: "AES-GCM", length: 256 }, false, ["encrypt"],
    );
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const hidden = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: about }, derived, plain,
    );
    const sealed = base64(joined(new Uint8Array([1]), sender, iv, new Uint8Array(hidden)));
    return { sent: { commitment, sealed }, nonce: hex(nonce) };
  }

  // "1234567.89" with two places is 123456789 minor units; anything else is no amount.
  function minor(text, places) {
    const found = /^([0-9]{1,13})(?:[.]([0-9]+))?$/.exec(text.trim());
    if (!found || (found[2] ?? "").length > places) return null;
    const whole = Number(found[1] + (found[2] ?? "").padEnd(places, "0"));
    return Number.isSafeInteger(whole) && whole > 0 ? whole : null;
  }

  function content(form) {
    const { currency, places } = form.dataset;
    const amount = minor(form.querySelector("#amount").value, Number(places));
    if (amount === null) return null;
    const made = { amount_minor: amount, currency };
    const values = form.querySelectorAll("input[data-criterion]");
    if (values.length) {
      made.values = {};
      for (const one of values) {
        const number = Number(one.value);
        if (one.value === "" || !Number.isSafeInteger(number) || number < 0) return null;
        made.values[one.dataset.criterion] = number;
      }
    }
    return made;
  }

  async function ask(method, path, body) {
    const answer = await fetch(path, {
      method,
      headers: {
        "Content-Type": "application/json",
        "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content,
      },
      body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(`${told.detail} ${told.hint} (${told.code})`);
    return told;
  }

  function keep(file) {
    const link = document.getElementById("kept");
    const text = JSON.stringify(file, null, 1) + "\n";
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `bid-${file.bid}.json`;
    link.hidden = false;
    link.click();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const told = document.getElementById("told");
    const say = (form, name, more) => {
      told.hidden = false;
      told.className = name === "Done" ? "note good" : "note bad";
      told.textContent = form.dataset[`say${name}`] + (more ? ` ${more}` : "");
    };

    const bid = document.getElementById("seal");
    bid?.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!globalThis.crypto?.subtle) return say(bid, "Insecure");
      const said = content(bid);
      if (said === null) return say(bid, "Wrong");
      const button = bid.querySelector("button");
      button.disabled = true;
      try {
        const { auction, listing, paddle, bid: id } = bid.dataset;
        const key = JSON.parse(bid.dataset.key);
        const made = await seal(key, listing, Number(paddle), said);
        keep({ auction, bid: id, paddle: Number(paddle), content: said, ...made });
        await ask("PUT", `/v1/auctions/${auction}/bids/${id}`, made.sent);
        bid.querySelectorAll("input").forEach((one) => (one.value = ""));
        say(bid, "Done", id);
      } catch (error) {
        say(bid, "Failed", error.message);
        button.disabled = false;
      }
      return undefined;
    });

    const open = document.getElementById("open");
    open?.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const file = JSON.parse(await open.querySelector("#file").files[0].text());
        const said = { content: file.content, nonce: file.nonce };
        await ask("PUT", `/v1/auctions/${open.dataset.auction}/bids/${file.bid}/opening`, said);
        say(open, "Done");
      } catch (error) {
        say(open, "Failed", error.message);
      }
    });
  });
})();

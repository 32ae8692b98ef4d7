// The key of this browser that the exchange has certified for a party.
import { same, spkiOf, unpem } from "./der.js";
import * as store from "./store.js";

export async function usable(listed, party) {
  for (const one of listed) {
    if (one.state !== "active" || one.signs !== "contracts") continue;
    const mine = await store.find(one.spki_sha256);
    const certificate = unpem(one.certificate_pem);
    if (mine && mine.party === party && same(spkiOf(certificate), mine.spki)) {
      return { ...mine, id: one.id, certificate };
    }
  }
  return null;
}

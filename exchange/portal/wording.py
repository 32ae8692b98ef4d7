"""The words of the trade: codes that the API uses, in the words that people read."""

from collections.abc import Mapping

from exchange.portal.language import mark

WORDS: Mapping[str, str] = {
    # parties and people
    "rights_holder": mark("Rights holder"),
    "broadcaster": mark("Broadcaster"),
    "exchange": mark("The exchange"),
    "registered": mark("Registered"),
    "verified": mark("Verified"),
    "holder": mark("Rights holder"),
    "operator": mark("Operator"),
    "approver": mark("Approver"),
    "auditor": mark("Auditor"),
    # works
    "film": mark("Film"),
    "series": mark("Series"),
    "episode": mark("Episode"),
    "documentary": mark("Documentary"),
    "sports": mark("Sports"),
    "variety": mark("Variety show"),
    "animation": mark("Animation"),
    "other": mark("Other"),
    # masters
    "uploading": mark("Uploading"),
    "received": mark("Received"),
    "examining": mark("Being examined"),
    "ready": mark("Ready"),
    "refused": mark("Refused"),
    # listings and auctions
    "draft": mark("Draft"),
    "published": mark("Listed"),
    "sold": mark("Sold"),
    "unsold": mark("Not sold"),
    "withdrawn": mark("Withdrawn"),
    "open": mark("Open"),
    "closed": mark("Closed"),
    "english": mark("Ascending auction"),
    "exclusive": mark("Exclusive"),
    "sole": mark("Sole"),
    "non-exclusive": mark("Non-exclusive"),
    # deals
    "drafted": mark("Being drawn up"),
    "certified": mark("Waiting for the licensor's signature"),
    "licensor_signed": mark("Waiting for the licensee's signature"),
    "executed": mark("Signed by both"),
    "voided": mark("Void"),
    "pending": mark("Not yet in effect"),
    "effective": mark("In effect"),
    "paid": mark("Paid"),
    "licensor": mark("Licensor"),
    "licensee": mark("Licensee"),
    # money
    "awaiting_payment": mark("Waiting for payment"),
    "funded": mark("Money arrived"),
    "paying": mark("Being paid out"),
    "paid_out": mark("Paid out"),
    "commission": mark("Commission"),
    "share": mark("Share"),
    "transfer_pending": mark("Not sent yet"),
    "transfer_sending": mark("On its way"),
    "transfer_made": mark("Made"),
    "prepared": mark("Waiting for approval"),
    "approved": mark("Approved"),
    "requested": mark("Requested"),
    "succeeded": mark("Succeeded"),
    "failed": mark("Failed"),
    "issued": mark("Issued"),
    "active": mark("Active"),
    "revoked": mark("Revoked"),
}

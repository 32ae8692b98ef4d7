"""What a complaint about a delivery came to, in words, and as the exit status of a command."""

from collections.abc import Mapping

from listings.deliveries.judging import Verdict

# 0: everything as promised; 3: not as promised; 4: nothing follows.
STATUS: Mapping[str, int] = {Verdict.REJECTED: 0, Verdict.UPHELD: 3, Verdict.INVALID: 4}
SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "upheld": "UPHELD: the licensor did not deliver what it promised here.",
        "rejected": "REJECTED: here the licensor delivered what it promised.",
        "invalid": "INVALID: nothing follows from this complaint.",
        "does-not-open": "the ciphertext does not open under the key committed to",
        "other-content": "it opens, and is not what is listed there",
        "as-promised": "it opens, and is what is listed there",
        "other-key": "the key is not the one that the manifest commits to",
        "no-such-segment": "the delivery has no such segment",
        "segment-not-anchored": "the segment is not part of the ciphertext promised",
        "chunk-not-anchored": "the chunk's hash is not part of the listed master",
    },
    "zh": {
        "upheld": "投诉成立：许可方此处未按承诺交付。",
        "rejected": "投诉不成立：许可方此处已按承诺交付。",
        "invalid": "投诉无效：由此不能得出任何结论。",
        "does-not-open": "密文无法以所承诺的密钥打开",
        "other-content": "可以打开，但内容与挂牌母版该处不符",
        "as-promised": "可以打开，内容与挂牌母版该处一致",
        "other-key": "密钥不是清单所承诺的密钥",
        "no-such-segment": "交付中没有这一段",
        "segment-not-anchored": "该段不属于所承诺的密文",
        "chunk-not-anchored": "该散列不属于挂牌的母版",
    },
}

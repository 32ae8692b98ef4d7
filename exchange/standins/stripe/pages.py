"""The stand-in's own pages: where a person does what Stripe's pages ask of them (中英对照)."""

import html
from collections.abc import Mapping

from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:38em;margin:3em auto;padding:0 1em}"
    "button{font:inherit;padding:.5em 1.2em;margin:.5em 1em .5em 0}"
    ".notice{border-left:4px solid #b45309;padding-left:1em}"
)
NOTICE = (
    "这是支付渠道的本地替身，不是 Stripe；不发生真实付款。",
    "A local stand-in of the payment provider, not Stripe. No real money moves.",
)


def page(
    title: str, said: tuple[str, ...], buttons: Mapping[str, str], *, status: int = 200
) -> HTMLResponse:
    """Show paragraphs, and one button for each answer; `buttons` maps an answer to its words."""
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in said)
    notice = "<br>".join(NOTICE)
    pressed = "".join(
        f'<button name="answer" value="{html.escape(value)}">{html.escape(words)}</button>'
        for value, words in buttons.items()
    )
    form = f'<form method="post">{pressed}</form>' if pressed else ""
    return HTMLResponse(
        "<!doctype html><html lang=zh><meta charset=utf-8>"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f'<h1>{html.escape(title)}</h1><p class="notice">{notice}</p>{lines}{form}',
        status,
        headers={"X-Standin": "not Stripe", "Cache-Control": "no-store"},
    )

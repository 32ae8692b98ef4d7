// The feed says that an auction moved; the page then asks the server how it stands.
// Countdowns run by the server's clock: each fragment carries the instant it was made.
"use strict";

document.addEventListener("htmx:sse:after:message", () => {
  const live = document.getElementById("live");
  if (live) htmx.trigger(live, "moved");
});

const offsets = new WeakMap();

function left(clock) {
  const made = clock.dataset.now;
  const known = offsets.get(clock);
  if (!known || known.made !== made) {
    offsets.set(clock, { made, offset: Date.parse(made) - Date.now() });
  }
  const now = Date.now() + offsets.get(clock).offset;
  return Math.max(0, Math.floor((Date.parse(clock.dataset.until) - now) / 1000));
}

function written(seconds) {
  const two = (part) => String(part).padStart(2, "0");
  const days = Math.floor(seconds / 86400);
  const rest = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (!days) return rest;
  return document.documentElement.lang === "en" ? `${days} d ${rest}` : `${days} 天 ${rest}`;
}

function tick() {
  for (const clock of document.querySelectorAll("time[data-until]")) {
    const seconds = left(clock);
    clock.textContent = written(seconds);
    const live = document.getElementById("live");
    if (seconds === 0 && live && !clock.dataset.over) {
      clock.dataset.over = "yes";
      htmx.trigger(live, "moved");
    }
  }
}

document.addEventListener("DOMContentLoaded", tick);
document.addEventListener("htmx:after:swap", tick);
setInterval(tick, 1000);

// An auction, live: its events say that something moved, the server says how it stands.
// The browser resumes by itself after the last number it saw. Countdowns run by the server's clock,
// which comes with every event: a delay makes it look late, never early, so the latest one counts.
"use strict";

const SAMPLES = 12; // a minute of the server's clock
const RETRY_MS = 2000; // when the server answers, but not with events
const offsets = []; // the server's time minus our steady clock, in milliseconds
let source = null;
let last = null; // the number of the last event seen

function learn(serverTime) {
  offsets.push(Date.parse(serverTime) - performance.now());
  if (offsets.length > SAMPLES) offsets.shift();
}

const now = () => performance.now() + Math.max(...offsets);

function moved() {
  const live = document.getElementById("live");
  if (live) htmx.trigger(live, "moved");
}

function show(isCut) {
  const said = document.getElementById("cut");
  if (said) said.hidden = !isCut;
}

function hear(event) {
  learn(JSON.parse(event.data).server_time);
  if (event.lastEventId) last = event.lastEventId;
  if (event.type !== "clock") moved();
}

function follow() {
  const live = document.getElementById("live");
  if (!live || !live.dataset.events) return;
  const mine = new EventSource(`${live.dataset.events}?after=${last ?? live.dataset.after}`);
  source = mine;
  for (const kind of ["clock", ...live.dataset.kinds.split(" ")]) mine.addEventListener(kind, hear);
  mine.addEventListener("open", () => {
    if (document.getElementById("cut")?.hidden === false) moved();
    show(false);
  });
  mine.addEventListener("error", () => {
    show(true);
    if (mine.readyState === EventSource.CLOSED && source === mine) setTimeout(follow, RETRY_MS);
  });
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
    if (!offsets.length) learn(clock.dataset.now); // until the first event comes
    const seconds = Math.max(0, Math.floor((Date.parse(clock.dataset.until) - now()) / 1000));
    clock.textContent = written(seconds);
    if (seconds === 0 && clock.dataset.over !== clock.dataset.until) {
      clock.dataset.over = clock.dataset.until;
      moved();
    }
  }
}

document.addEventListener("DOMContentLoaded", () => { tick(); follow(); });
document.addEventListener("htmx:after:swap", tick);
addEventListener("pagehide", () => { source?.close(); source = null; });
addEventListener("pageshow", (event) => { if (event.persisted) { moved(); follow(); } });
setInterval(tick, 250);

// The examination of a master, live: the stream says how far it is, the server draws it anew.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const part = () => document.getElementById("examination");
  const where = part() && part().dataset.progress;
  if (!where) return;
  const source = new EventSource(where);
  source.addEventListener("progress", (event) => {
    const seen = JSON.parse(event.data);
    htmx.trigger(part(), "moved");
    if (seen.state === "ready" || seen.state === "refused") source.close();
  });
});

// Papers stay on the applicant's machine: the form sends their SHA-256 alone.
"use strict";
document.addEventListener("change", async (event) => {
  const into = event.target.dataset && event.target.dataset.hashInto;
  if (!into) return;
  const form = event.target.form;
  const shown = form.querySelector(`[data-hash-of="${into}"]`);
  const file = event.target.files[0];
  form.elements[into].value = "";
  shown.textContent = "";
  if (!file) return;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  form.elements[into].value = hex;
  shown.textContent = hex;
});

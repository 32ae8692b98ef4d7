// Uploads a master with the tus protocol: resumes after a lost connection and after a reload.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("upload");
  const part = (id) => document.getElementById(id);
  const say = (name, more) => {
    part("said").textContent = form.dataset[`say${name}`] + (more ? ` ${more}` : "");
  };
  const lang = document.documentElement.lang;
  const size = (bytes) => {
    const [unit, whole] = bytes >= 2 ** 30 ? ["GiB", 2 ** 30] : ["MiB", 2 ** 20];
    return `${new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(bytes / whole)} ${unit}`;
  };
  let upload = null;
  let began = null;

  function progress(sent, total) {
    began ??= { at: performance.now(), sent };
    part("sent").value = total ? sent / total : 0;
    part("bytes").textContent = `${size(sent)} / ${size(total)}`;
    const seconds = (performance.now() - began.at) / 1000;
    if (seconds > 0.5) part("speed").textContent = `${size((sent - began.sent) / seconds)}/s`;
  }

  function refused(error) {
    const body = error.originalResponse?.getBody() ?? "";
    let why = "";
    try {
      const problem = JSON.parse(body);
      why = `${problem.detail} ${problem.hint} (${problem.code})`;
    } catch {
      why = String(error.message ?? error);
    }
    say("Failed", why);
    part("start").disabled = false;
    part("pause").hidden = true;
  }

  function make(file) {
    return new tus.Upload(file, {
      endpoint: form.dataset.endpoint,
      chunkSize: 8 * 1024 * 1024,
      retryDelays: [0, 500, 1000, 2000, 4000, 8000, 15000],
      headers: { "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content },
      metadata: {
        filename: file.name,
        filetype: file.type || "application/octet-stream",
        master_id: form.dataset.master,
        work_id: part("work").value,
        purpose: form.dataset.purpose ?? "master",
      },
      onProgress: progress,
      onError: refused,
      onShouldRetry: (error) => {
        const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
        if (!status || status >= 500 || status === 409 || status === 423) {
          say("Waiting");
          return true;
        }
        return false;
      },
      onSuccess: () => {
        say("Done");
        if (form.dataset.purpose === "asset") {
          part("file_id").value = upload.url.split("/").pop();
          part("file").disabled = true; // its bytes are there already
          form.submit();
          return;
        }
        window.location.href = `/masters/${upload.url.split("/").pop()}`;
      },
      removeFingerprintOnSuccess: true,
    });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = part("file").files[0];
    if (!file) return;
    part("start").disabled = true;
    part("pause").hidden = false;
    part("bar").hidden = false;
    began = null;
    upload = make(file);
    const earlier = await upload.findPreviousUploads();
    if (earlier.length) {
      upload.resumeFromPreviousUpload(earlier[0]);
      say("Resumed");
    }
    upload.start();
  });

  part("pause").addEventListener("click", async () => {
    await upload.abort();
    say("Paused");
    part("pause").hidden = true;
    part("start").disabled = false;
    part("start").focus();
  });
});

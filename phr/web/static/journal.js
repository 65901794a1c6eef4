// The journal's export: fetched in the background, with its progress, then saved. Without this script, a plain link.
"use strict";

const told = document.getElementById("progress");
const bar = told.querySelector("progress");
const say = (text) => { told.querySelector("[role=status]").textContent = text; };

const lines = (chunk) => chunk.reduce((found, byte) => found + (byte === 10 ? 1 : 0), 0);

const read = async (answer) => {
  const total = Number(answer.headers.get("Content-Length")), csv = answer.headers.get("Content-Type").startsWith("text/csv");
  const chunks = [], reader = answer.body.getReader();
  let size = 0, entries = -1; // The first line names the columns.
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks, { type: answer.headers.get("Content-Type") });
    chunks.push(value);
    size += value.length;
    if (total) { bar.max = total; bar.value = size; }
    if (csv) {
      entries += lines(value);
      say(told.dataset.counted.replace("{n}", Math.max(entries, 0)));
    }
  }
};

const save = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

const prepare = async (address) => {
  told.hidden = false;
  bar.hidden = false;
  bar.removeAttribute("value");
  say(told.dataset.preparing);
  try {
    const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) throw new Error("refused");
    const named = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"));
    save(await read(answer), named[1]);
    say(told.dataset.ready);
  } catch {
    say(told.dataset.failed);
  }
  bar.hidden = true;
};

for (const link of document.querySelectorAll("[data-export]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (bar.dataset.busy) return;
    bar.dataset.busy = "yes";
    prepare(link.href).finally(() => { delete bar.dataset.busy; });
  });
}

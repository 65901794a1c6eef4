// The code of a prescription: out of a link's fragment, by way of the sign-in if need be; or read by the camera, whose
// pictures go to this page's own server and nowhere else.
"use strict";

const KEPT = "carnet-prescription";
const CODE = /^#([0-9A-Za-z-]{20,24})$/;
const EVERY = 250, LONGEST = 90000, CAMERA = 640, FILE = 1024;

const take = () => {
  const found = CODE.exec(location.hash);
  if (found) sessionStorage.setItem(KEPT, found[1]);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  const code = sessionStorage.getItem(KEPT), field = document.querySelector("[data-code]");
  for (const part of document.querySelectorAll("[data-with]")) part.hidden = !code;
  for (const part of document.querySelectorAll("[data-without]")) part.hidden = Boolean(code);
  if (field && code) {
    field.value = code;
    field.form.querySelector("button").focus();
    field.form.addEventListener("submit", () => sessionStorage.removeItem(KEPT));
  }
};

window.addEventListener("hashchange", take);
take();

// A picture in shades of grey, no wider than `most`, as a PNG.
const drawn = async (picture, width, height, most) => {
  const scale = Math.min(1, most / Math.max(width, height)), canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.filter = "grayscale(1)";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
};

const scanner = (area) => {
  const part = (name) => area.querySelector(`[data-${name}]`);
  const [camera, stop, video, told] = ["camera", "stop", "picture", "told"].map(part);
  const field = document.getElementById("code"), file = document.getElementById("picture");
  const say = (name) => { told.textContent = name ? area.dataset[name] : ""; };
  let stream = null;

  const read = async (picture) => {
    const headers = { "Content-Type": "image/png", [area.dataset.token]: area.dataset.csrf };
    const answer = await fetch(area.dataset.scan, { method: "POST", body: picture, headers, redirect: "error" });
    if (!answer.ok) throw new Error("refused");
    return answer.status === 200 ? (await answer.json()).code : null;
  };

  const found = (code) => {
    field.value = code;
    say("found");
    field.form.requestSubmit();
  };

  const end = () => {
    if (stream) for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    video.hidden = stop.hidden = true;
    camera.hidden = false;
  };

  const look = async () => {
    const mine = stream, since = Date.now();
    while (stream === mine) {
      const code = await read(await drawn(video, video.videoWidth, video.videoHeight, CAMERA));
      if (stream !== mine) return;
      if (code) { end(); found(code); return; }
      if (Date.now() - since > LONGEST) { end(); say("stopped"); return; }
      await new Promise((done) => { setTimeout(done, EVERY); });
    }
  };

  area.hidden = false;
  camera.hidden = !navigator.mediaDevices?.getUserMedia;
  camera.addEventListener("click", async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment" } });
    } catch {
      say("refused");
      return;
    }
    video.srcObject = stream;
    video.hidden = stop.hidden = false;
    camera.hidden = true;
    stop.focus();
    say("looking");
    try {
      await video.play();
      await look();
    } catch {
      end();
      say("failed");
    }
  });
  stop.addEventListener("click", () => { end(); say(""); camera.focus(); });
  window.addEventListener("pagehide", end);
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    say("looking");
    try {
      const picture = await createImageBitmap(file.files[0]);
      const code = await read(await drawn(picture, picture.width, picture.height, FILE));
      if (code) found(code); else say("nothing");
    } catch {
      say("failed");
    }
  });
};

for (const area of document.querySelectorAll("[data-scan]")) scanner(area);

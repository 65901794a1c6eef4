// This browser, told when something happens: the person asks, the browser agrees, and its subscription goes to our server.
"use strict";

const KEY = "carnet-device-";
const asking = document.querySelector("[data-device]");
const supported = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

const bytes = (text) => {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
};

const worker = async () => {
  const registration = await navigator.serviceWorker.register("/static/push.js");
  const starting = registration.installing || registration.waiting;
  if (!registration.active) {
    await new Promise((done) => {
      starting.addEventListener("statechange", () => { if (starting.state === "activated") done(); });
    });
  }
  return registration;
};

const give = async (subscription) => {
  const { endpoint, keys } = subscription.toJSON();
  const body = new URLSearchParams({ csrf: asking.elements.csrf.value, endpoint, ...keys });
  const answer = await fetch(asking.action, { method: "POST", body, credentials: "same-origin" });
  if (!answer.ok) throw new Error("not registered");
  localStorage.setItem(KEY + asking.dataset.device, (await answer.json()).device);
};

const told = (name) => {
  for (const one of asking.querySelectorAll("[data-told]")) one.hidden = one.dataset.told !== name;
};

const turnOn = async () => {
  if (await Notification.requestPermission() !== "granted") return told("refused");
  try {
    const registration = await worker();
    const applicationServerKey = bytes(asking.dataset.key);
    await give(await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }));
    location.assign(asking.dataset.turned);
  } catch {
    told("failed");
  }
};

// A browser that is notified already says so, and is registered again, so that it is not forgotten for being silent.
const goOn = async (line) => {
  line.querySelector("[data-here]").hidden = false;
  asking.querySelector("button").hidden = true;
  const registration = await navigator.serviceWorker.getRegistration("/static/");
  const subscription = registration && await registration.pushManager.getSubscription();
  if (subscription) await give(subscription);
};

if (asking && supported) {
  const button = asking.querySelector("button");
  button.hidden = false;
  told("");
  asking.addEventListener("submit", (event) => {
    event.preventDefault();
    turnOn();
  });
  const known = localStorage.getItem(KEY + asking.dataset.device);
  const line = known && document.querySelector(`[data-known="${CSS.escape(known)}"]`);
  if (line) goOn(line).catch(() => {});
}

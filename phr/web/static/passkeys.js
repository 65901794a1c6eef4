// Passkeys: asks the authenticator what the server wants asked, puts its answer into the form, and sends the form.
"use strict";

const bytes = (text) => {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
};

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const named = (credentials) => (credentials || []).map((one) => ({ ...one, id: bytes(one.id) }));

const asked = async (what, options) => {
  const challenge = bytes(options.challenge);
  if (what === "get") {
    const allowCredentials = named(options.allowCredentials);
    return navigator.credentials.get({ publicKey: { ...options, challenge, allowCredentials } });
  }
  const user = { ...options.user, id: bytes(options.user.id) };
  const excludeCredentials = named(options.excludeCredentials);
  return navigator.credentials.create({ publicKey: { ...options, challenge, user, excludeCredentials } });
};

const told = (credential) => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response };
};

const prove = async (form) => {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value });
  const answer = await fetch(form.dataset.options, { method: "POST", body, credentials: "same-origin" });
  if (!answer.ok) throw new Error("no challenge");
  const { ticket, options } = await answer.json();
  const credential = told(await asked(form.dataset.passkey, options));
  form.elements.answer.value = JSON.stringify({ ticket, credential });
  form.submit();
};

// Web Authentication needs a host name: on a bare address there is nothing to offer.
if (window.PublicKeyCredential && !/^[\d.]+$|^\[/.test(location.hostname)) {
  for (const unable of document.querySelectorAll("[data-unable]")) unable.hidden = true;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const failed = form.querySelector("[data-failed]");
    const button = form.querySelector("button");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failed.hidden = true;
      button.disabled = true;
      try {
        await prove(form);
      } catch {
        failed.hidden = false;
        failed.focus();
      } finally {
        button.disabled = false;
      }
    });
  }
}

// The code of a link is in its fragment: it goes from there to the form, by way of the sign-in if nobody is signed in.
"use strict";

const KEPT = "carnet-code";
const CODE = /^#([0-9A-Za-z]{4}-?[0-9A-Za-z]{4})$/;

const take = () => {
  const found = CODE.exec(location.hash);
  if (found) sessionStorage.setItem(KEPT, found[1]);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  const code = sessionStorage.getItem(KEPT);
  const field = document.getElementById("code");
  const waiting = document.querySelector("[data-kept]");
  if (waiting) waiting.hidden = !code;
  if (field && code) {
    field.value = code;
    sessionStorage.removeItem(KEPT);
    field.form.querySelector("button").focus();
  }
};

window.addEventListener("hashchange", take);
take();

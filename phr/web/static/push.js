// The service worker: shows that something happened. What is pushed says no more; its id lets it be shown once.
"use strict";

self.addEventListener("push", (event) => {
  const { id, text } = event.data.json();
  event.waitUntil(self.registration.showNotification("Carnet", { body: text, tag: id, icon: "/static/carnet.svg" }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/me/notifications"));
});

// Waits until a lab can be opened, and opens it. Whatever is busy or away is asked again; without a script the page reloads.
"use strict";
(() => {
  const box = document.getElementById("opening"), away = document.getElementById("away");
  const FIRST_MS = 1000, LONGEST_MS = 8000;
  let pause_ms = FIRST_MS;

  const now = () => box.querySelector("[data-stage]");
  // A class does not ask in step.
  const later = () => setTimeout(look, pause_ms * (0.75 + Math.random() / 2));

  async function look() {
    try {
      const answer = await fetch(now().dataset.part);
      // Signed out: the page itself finds the way to the login and back.
      if (answer.redirected) { location.replace(now().dataset.open); return; }
      // A refusal stands on the page itself; what is busy or away is waited for.
      if ([400, 403, 404].includes(answer.status)) { location.replace(now().dataset.open); return; }
      if (!answer.ok && answer.status !== 409) throw new Error(String(answer.status));
      const before = now().dataset.stage;
      const html = await answer.text();
      const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-stage]");
      if (!fresh) throw new Error("no part of ours");
      // What has not changed is not read out again.
      if (fresh.dataset.stage !== before || fresh.innerHTML !== now().innerHTML) box.replaceChildren(fresh);
      else { now().dataset.part = fresh.dataset.part; now().dataset.open = fresh.dataset.open; }
      away.hidden = true;
      pause_ms = Math.min(pause_ms * 1.2, 3000);
    } catch {
      away.hidden = false;
      pause_ms = Math.min(pause_ms * 2, LONGEST_MS);
    }
    if (now().dataset.stage === "ready") location.replace(now().dataset.open);
    else if (now().dataset.stage !== "failed") later();
  }

  if (box && now().dataset.stage !== "failed") later();
})();

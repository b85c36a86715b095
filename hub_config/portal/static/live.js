// Shows how a run goes, by events and where none come by asking, and the new results when it has ended.
"use strict";
(() => {
  const box = document.getElementById("run");
  const isRunning = () => box && box.querySelector('[data-state="running"]') !== null;
  if (!isRunning()) return;

  const ASK_MS = 2000, FIRST_MS = 5000, SILENCE_MS = 30000;

  async function finish() {
    try {
      const page = await fetch(location.href);
      const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("results");
      const old = document.getElementById("results");
      if (fresh && old) old.replaceWith(fresh);
    } catch { /* the reader has gone on to another page; the link to the results stays */ }
  }

  async function ask() {
    try {
      const answer = await fetch(box.dataset.part);
      // Signed out, or the role is gone: the page itself says what to do.
      if (answer.redirected || answer.status === 403) return location.reload();
      if (answer.ok) box.innerHTML = await answer.text();
    } catch { /* the portal is away for a moment */ }
    if (isRunning()) setTimeout(ask, ASK_MS);
    else finish();
  }

  function listen() {
    const source = new EventSource(box.dataset.events);
    let silence = setTimeout(giveUp, FIRST_MS);
    function giveUp() {
      clearTimeout(silence);
      source.close();
      ask();
    }
    function heard() {
      clearTimeout(silence);
      silence = setTimeout(giveUp, SILENCE_MS);
    }
    source.addEventListener("beat", heard);
    source.addEventListener("part", (event) => {
      heard();
      box.innerHTML = JSON.parse(event.data);
    });
    source.addEventListener("end", (event) => {
      clearTimeout(silence);
      source.close();
      box.innerHTML = JSON.parse(event.data);
      finish();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) giveUp();
    });
  }

  if (window.EventSource) listen();
  else ask();
})();

// What the Hub's own pages do by themselves; each block asks whether its part is on the page.
"use strict";
(() => {
  const { api, xsrf } = document.body.dataset;
  const LOOK_MS = 3000, LONG_MS = 30_000, AWAY = [502, 503, 504];
  const at = (id) => document.getElementById(id);
  const on = (selector, act) => document.querySelectorAll(selector).forEach((e) => e.addEventListener("click", () => act(e)));

  async function call(method, path, body) {
    at("failed").hidden = true;
    try {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${api}${path}?_xsrf=${xsrf}`, { method, headers, body: body && JSON.stringify(body) });
      if (!answer.ok) throw new Error(String(answer.status));
      return answer;
    } catch {
      at("failed").hidden = false;
      return null;
    }
  }

  // The page itself says how it goes on; while the Hub is away there is none.
  async function again() {
    try {
      const answer = await fetch(location.href, { redirect: "manual" });
      if (!AWAY.includes(answer.status)) { location.reload(); return; }
    } catch { /* no connection: as when the Hub is away */ }
    at("away").hidden = false;
    setTimeout(again, LOOK_MS);
  }

  const pending = at("pending");
  if (pending) {
    const events = new EventSource(pending.dataset.progress);
    events.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      if (told.progress !== undefined) at("progress").value = told.progress;
      if (told.ready || told.failed) { events.close(); again(); }
    };
    // Answered with an error, a browser does not ask again by itself.
    events.onerror = () => { if (events.readyState === EventSource.CLOSED) setTimeout(again, LOOK_MS); };
    setTimeout(() => { at("long").hidden = false; }, LONG_MS);
  }
  if (at("stopping")) setTimeout(again, LOOK_MS);

  // The place in a notebook that somebody wanted to go to does not reach the server.
  if (at("start")) at("start").href += location.hash;

  if (at("insecure")) at("insecure").hidden = window.isSecureContext;
  if (at("reveal")) {
    at("reveal").hidden = false;
    on("#reveal", (button) => {
      const shown = at("password_input").type === "text";
      at("password_input").type = shown ? "password" : "text";
      button.setAttribute("aria-pressed", String(!shown));
    });
  }

  // What failed can be pressed again.
  async function end(button, path, then) {
    button.disabled = true;
    if (await call("DELETE", path)) then();
    else button.disabled = false;
  }

  on("[data-stop]", (button) => end(button, button.dataset.stop, () => location.reload()));
  on("[data-revoke]", (button) => end(button, button.dataset.revoke, () => button.closest("tr").remove()));

  at("make")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const scopes = at("scopes").value.split(/[\s,]+/).filter(Boolean);
    const wanted = { note: at("note").value, expires_in: Number(at("expires").value), ...(scopes.length && { scopes }) };
    const answer = await call("POST", event.target.dataset.path, wanted);
    if (!answer) return;
    at("token").textContent = (await answer.json()).token;
    at("made").hidden = false;
  });

  for (const time of document.querySelectorAll("time"))
    time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
})();

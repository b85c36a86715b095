// Says in JupyterLab that the server is about to be put away, with a way to keep it; and tells the server that somebody is here.
// Written by hand as what a build would make of it, a container of one module: there is nothing to build.
"use strict";
(() => {
  const ASK_MS = 20000, TELL_MS = 60000;
  const KEEP = "practicum:keep-server";

  function activate(app) {
    const { baseUrl, token } = app.serviceManager.serverSettings;
    let shown = null, toldAt = 0;

    function call(method) {
      const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie);
      const headers = { ...(token && { Authorization: `token ${token}` }), ...(xsrf && { "X-XSRFToken": xsrf[1] }) };
      return fetch(`${baseUrl}practicum/idle`, { method, headers, cache: "no-store" });
    }

    async function tell() {
      toldAt = Date.now();
      try { await call("POST"); } catch { /* the next ask says how it stands */ }
    }

    async function ask() {
      try {
        const answer = await call("GET");
        if (!answer.ok) return;
        const { ends_at, warning, keep } = await answer.json();
        if (shown && shown.ends_at !== ends_at) {
          app.commands.execute("apputils:dismiss-notification", { id: shown.id });
          shown = null;
        }
        if (ends_at && !shown) {
          const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
          const message = warning.replace("{when}", new Date(ends_at).toLocaleTimeString("en", clock));
          const options = { autoClose: false, actions: [{ label: keep, commandId: KEEP, displayType: "accent" }] };
          shown = { ends_at, id: await app.commands.execute("apputils:notify", { message, type: "warning", options }) };
        }
      } catch { /* a server that is away says so by itself */ }
    }

    app.commands.addCommand(KEEP, { label: KEEP, execute: async () => { await tell(); await ask(); } });
    for (const kind of ["keydown", "pointerdown", "wheel"]) {
      document.addEventListener(kind, () => {
        if (shown || Date.now() - toldAt > TELL_MS) tell();
      }, { capture: true, passive: true });
    }
    app.restored.then(() => { ask(); setInterval(ask, ASK_MS); });
  }

  const plugin = { id: "practicum-idle:plugin", description: "Warns before the server is put away.", autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["practicum-idle"] = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();

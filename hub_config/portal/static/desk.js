// The review desk's keyboard, and care that nothing typed is lost. The page works without it, by its buttons and links.
"use strict";
(() => {
  const forms = () => [...document.querySelectorAll("form.judge")];
  const edits = new WeakMap();
  const sent = new WeakMap();
  let leaving = null;

  const isJudge = (element) => element instanceof HTMLFormElement && element.matches(".judge");
  const isDirty = (form) => (edits.get(form) || 0) !== (sent.get(form) || 0);
  const isBusy = (form) => form.classList.contains("htmx-request");
  const current = () => document.activeElement?.closest("form.judge")
    || forms().find((form) => form.classList.contains("current")) || forms()[0];

  function mark(form) {
    forms().forEach((one) => one.classList.toggle("current", one === form));
  }

  function choose(form, place) {
    const radio = form?.querySelectorAll("input[name=level]:not([value=''])")[place - 1];
    if (!radio || radio.value === "other") return;
    radio.focus();
    mark(form);
    if (!radio.checked) radio.click();
  }

  // Going on waits until what was typed is saved; what could not be saved keeps the page.
  function go(href) {
    document.activeElement?.blur();
    const open = forms().filter((form) => isDirty(form) || isBusy(form));
    if (!open.length) { location.assign(href); return; }
    leaving = href;
    open.filter((form) => !isBusy(form)).forEach((form) => form.requestSubmit());
  }

  function press(event) {
    const at = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      current()?.requestSubmit();
      return;
    }
    const types = at.matches?.("textarea, select, input:not([type=radio])");
    if (types && event.key === "Escape") { mark(at.closest("form.judge")); at.blur(); return; }
    if (types || event.ctrlKey || event.metaKey || event.altKey) return;
    const link = { j: "a[rel=next]", k: "a[rel=prev]" }[event.key];
    if (link) {
      const found = document.querySelector(link);
      if (found) go(found.href);
    } else if (event.key >= "1" && event.key <= "9") {
      choose(current(), Number(event.key));
    } else if (event.key === "n") {
      const all = forms();
      const next = all[(all.indexOf(current()) + (document.activeElement?.closest("form.judge") ? 1 : 0)) % all.length];
      next?.querySelector("input:checked, input[name=other]")?.focus();
    } else if (event.key === "c") {
      current()?.querySelector("textarea")?.focus();
    } else if (event.key === "p") {
      const clip = document.querySelector("video");
      if (clip) clip.paused ? clip.play() : clip.pause();
    } else if (event.key === "?") {
      const keys = document.getElementById("keys");
      keys.open = !keys.open;
      if (keys.open) keys.scrollIntoView({ block: "nearest" });
    } else {
      return;
    }
    event.preventDefault();
  }

  document.addEventListener("keydown", press);
  document.addEventListener("focusin", (event) => {
    const form = event.target.closest?.("form.judge");
    if (form) mark(form);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.matches("[hx-get]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (forms().some((form) => isDirty(form) || isBusy(form))) { event.preventDefault(); go(link.href); }
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("form.judge");
    if (!form) return;
    edits.set(form, (edits.get(form) || 0) + 1);
    const other = form.querySelector("input[name=level][value=other]");
    const points = form.querySelector("input[name=other]");
    // A level and other points never contradict each other.
    if (other && event.target === points && points.value) other.checked = true;
    if (other && event.target.name === "level" && event.target !== other) points.value = "";
    if (other && event.target === other) points.focus();
  }, true);

  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.detail.elt;
    if (!isJudge(form)) return;
    // Where somebody else was faster the grader decides; a save by itself would only take the buttons away.
    const asked = event.detail.requestConfig.triggeringEvent?.type === "submit";
    if (!asked && form.querySelector("[name=over]")) event.preventDefault();
    else form.dataset.sending = String(edits.get(form) || 0);
  });
  // The page is not loaded anew over what was typed; saving that says what is to be done.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Refresh") && forms().some(isDirty)) event.preventDefault();
  });
  // What a save was refused with is shown like any other answer.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if ([409, 422].includes(event.detail.xhr.status)) event.detail.shouldSwap = true;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (!isJudge(form)) return;
    const status = event.detail.xhr.status;
    form.querySelector(".failed").hidden = event.detail.successful || status === 409 || status === 422;
    // Where the login has ended, a page with what was typed takes this one's place: nothing is saved, and nobody goes on.
    if (event.detail.successful && !event.detail.xhr.getResponseHeader("HX-Retarget")) sent.set(form, Number(form.dataset.sending));
    else leaving = null;
    if (leaving && !forms().some((one) => isDirty(one) || (one !== form && isBusy(one)))) location.assign(leaving);
  });
  // Somebody who types at the end of a form sees that another was faster.
  document.addEventListener("htmx:afterSettle", () => {
    document.querySelectorAll(".judge .notice[role=alert]:not([hidden], .told)").forEach((notice) => {
      notice.classList.add("told");
      notice.scrollIntoView({ block: "nearest" });
    });
  });
  document.addEventListener("htmx:validation:halted", (event) => {
    leaving = null;
    if (isJudge(event.detail.elt)) event.detail.elt.reportValidity();
  });
  addEventListener("beforeunload", (event) => {
    if (forms().some(isDirty)) event.preventDefault();
  });
})();

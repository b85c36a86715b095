// Names the file that was chosen; without a script the page says that one is.
"use strict";
document.addEventListener("change", ({ target }) => {
  const named = target.closest(".choose")?.querySelector(".some");
  if (named && target.files.length) named.textContent = target.files[0].name;
});

// Before anything is drawn: the theme the reader chose, else the system's.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("modelwright-theme"); } catch { /* storage is off */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();

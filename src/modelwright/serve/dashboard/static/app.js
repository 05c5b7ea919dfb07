// What pages do beyond standing there: times that pass, parts that live, tips on charts, the form that answers.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Times in the reader's own zone, and how long ago they are.
  const units = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const ago = (moment) => {
    const passed = (Date.now() - moment) / 1000;
    if (passed < 5) return "just now";
    for (const [length, unit] of units) {
      const number = Math.floor(passed / length);
      if (number) return `${number} ${unit}${number > 1 ? "s" : ""} ago`;
    }
    return "just now";
  };
  const tell = (within = document) => {
    for (const time of all("time[datetime]", within)) {
      const moment = Date.parse(time.dateTime);
      if (Number.isNaN(moment)) continue;
      time.title = new Date(moment).toLocaleString();
      const words = "ago" in time.dataset ? ago(moment) : null;
      if (words !== null && time.textContent !== words) time.textContent = words;
    }
  };
  tell();
  setInterval(() => { if (!document.hidden) tell(); }, 1000);

  // On a phone the pages stand in a row that scrolls: the one that is open is in sight.
  const here = document.querySelector(".side nav [aria-current=page]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;

  // Parts that the server sends anew.
  const pulse = document.getElementById("pulse");
  const beat = (state, words) => {
    if (!pulse) return;
    pulse.dataset.state = state;
    const shown = pulse.querySelector("span");
    if (shown.textContent !== words) shown.textContent = words;
  };
  const put = (part, html) => {
    const open = all("details", part).map((each) => each.open);
    const checked = new Set(all("input:checked", part).map((each) => each.value));
    part.innerHTML = html; // rendered and escaped by this server, and scripts in it would not run
    all("details", part).forEach((each, place) => { if (open[place]) each.open = true; });
    for (const box of all("input[type=checkbox]", part)) box.checked = checked.has(box.value);
    tell(part);
  };
  let source = null;
  const follow = () => {
    const address = document.body.dataset.live;
    if (!address || source) return;
    source = new EventSource(address);
    source.addEventListener("open", () => beat("live", "live"));
    source.addEventListener("error", () => beat("away", "reconnecting"));
    source.addEventListener("parts", (event) => {
      beat("live", "live");
      for (const [name, html] of Object.entries(JSON.parse(event.data))) {
        const part = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
        if (part && !part.contains(document.activeElement)) put(part, html);
      }
    });
  };
  const leave = () => { if (source) { source.close(); source = null; beat("away", "paused"); } };
  follow();
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
  addEventListener("pagehide", leave);

  // Tips on charts.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const told = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    tip.hidden = !told;
    if (!told) return;
    if (tip.textContent !== told.dataset.tip) tip.textContent = told.dataset.tip;
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const y = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
    tip.animate([{ transform: `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)` }], { duration: 0, fill: "forwards" });
  });
  document.addEventListener("pointerleave", () => { tip.hidden = true; });

  // The theme: as the system has it, light, dark.
  const theme = document.getElementById("theme");
  if (theme) {
    const order = ["auto", "light", "dark"];
    const show = () => { theme.querySelector("span").textContent = document.documentElement.dataset.theme || "auto"; };
    theme.hidden = false;
    show();
    theme.addEventListener("click", () => {
      const now = document.documentElement.dataset.theme || "auto";
      const next = order[(order.indexOf(now) + 1) % order.length];
      if (next === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = next;
      try { localStorage.setItem("modelwright-theme", next); } catch { /* storage is off */ }
      show();
    });
  }

  // Fragments: the form that answers in place, and what is fetched on demand.
  const failed = (where, error) => {
    where.replaceChildren(Object.assign(document.createElement("p"), { className: "problem", role: "alert", textContent: `The server did not answer: ${error.message}` }));
  };
  const fetched = async (where, address, options = {}) => {
    where.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(address, { ...options, headers: { "X-Part": "answer" } });
      if (response.redirected && response.url.includes("/-/sign-in")) { location.reload(); return; }
      put(where, await response.text());
    } catch (error) {
      failed(where, error);
    } finally {
      where.removeAttribute("aria-busy");
    }
  };
  const form = document.getElementById("try");
  if (form) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button:not([type=button])");
      button.disabled = true;
      await fetched(document.getElementById("answer"), form.action, { method: "POST", body: new FormData(form) });
      button.disabled = false;
    });
    // The chosen picture, before it is sent. What is too large is not sent at all.
    for (const input of all("input[type=file]", form)) {
      const preview = input.parentElement.querySelector(".preview");
      const image = preview.querySelector("img");
      const words = preview.querySelector("p");
      let last = null;
      const show = () => {
        const file = input.files[0];
        const large = file && file.size > Number(input.dataset.most);
        const size = file ? (file.size >= 1048576 ? `${(file.size / 1048576).toFixed(1)} MiB` : `${Math.ceil(file.size / 1024)} KiB`) : "";
        const told = large ? `${file.name} has ${size}, more than a picture may have.` : "";
        input.setCustomValidity(told);
        preview.hidden = !file;
        image.hidden = true;
        words.textContent = file ? told || `${file.name}, ${size}` : "";
        last = file;
        if (!file || large) return;
        const reader = new FileReader();
        reader.onload = () => { if (last === file) image.src = reader.result; };
        reader.readAsDataURL(file);
      };
      image.addEventListener("load", () => {
        image.hidden = false;
        words.textContent += `, ${image.naturalWidth} × ${image.naturalHeight}`;
      });
      image.addEventListener("error", () => { words.textContent += ": no preview; the server says whether it can be read."; });
      input.addEventListener("change", show);
      preview.querySelector("button").addEventListener("click", () => { input.value = ""; show(); input.focus(); });
      show(); // a page that comes back keeps its files
    }
    const find = document.getElementById("find");
    if (find) {
      find.addEventListener("input", () => {
        const wanted = find.value.trim().toLowerCase();
        for (const field of all(".field", form)) field.hidden = !field.dataset.name.includes(wanted);
      });
    }
  }
  // They come disabled: pressed before this script runs, they would do nothing.
  for (const button of all("button[data-load]")) button.disabled = false;
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button) return;
    if (button.dataset.load) {
      button.disabled = true;
      await fetched(button.parentElement.querySelector("[data-into]"), button.dataset.load);
      button.hidden = true;
    } else if (button.classList.contains("copy")) {
      try {
        await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }
  });
  // Two versions are compared, not three: a third choice takes the first one's place.
  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "compare" && event.target.checked) {
      const chosen = all("input[name=compare]:checked");
      if (chosen.length > 2) chosen.find((each) => each !== event.target).checked = false;
    }
  });
})();

"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const cards = all("main .card");
  const texts = new Map();
  const ranks = { none: 0, info: 1, warning: 2, error: 3, unknown: 3 };
  const find = one("find"), severity = one("severity"), changed = one("changed"), count = one("count");
  let at = -1;

  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };
  const visible = () => cards.filter((card) => !card.hidden);

  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const least = severity.value === "all" ? 0 : ranks[severity.value];
    for (const card of cards) {
      card.hidden = ranks[card.dataset.severity] < least
        || Boolean(changed && changed.checked && card.dataset.changed !== "yes")
        || !words.every((word) => textOf(card).includes(word));
    }
    count.textContent = `${visible().length} of ${cards.length}`;
  };

  const fold = (open) => {
    for (const card of visible()) if (card.tagName === "DETAILS") card.open = open;
  };

  const go = (by) => {
    const shown = visible();
    if (!shown.length) return;
    cards[at]?.classList.remove("at");
    const now = shown.indexOf(cards[at]);
    const next = shown[now < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(now + by, 0), shown.length - 1)];
    at = cards.indexOf(next);
    next.classList.add("at");
    next.querySelector("summary")?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  };

  const theme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("premortem-theme", root.dataset.theme); } catch { /* a page from a file may have none */ }
  };

  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  for (const code of all(".code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(button, code.querySelector("pre")));
    code.append(button);
  }

  const keys = {
    "/": () => find.focus(),
    j: () => go(1),
    k: () => go(-1),
    o: () => { if (at >= 0 && cards[at].tagName === "DETAILS") cards[at].open = !cards[at].open; },
    e: () => fold(true),
    c: () => fold(false),
    n: () => { if (changed) { changed.checked = !changed.checked; filter(); } },
    d: theme,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof Element && event.target.matches("input:not([type=checkbox]), select, textarea");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("main details:not([open]):not(.as-text)");
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of opened) part.open = false; });

  try {
    const kept = localStorage.getItem("premortem-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch { /* as above */ }
  for (const control of [find, severity, changed]) control?.addEventListener("input", filter);
  one("controls").addEventListener("submit", (event) => event.preventDefault());
  one("open").addEventListener("click", () => fold(true));
  one("close").addEventListener("click", () => fold(false));
  one("theme").addEventListener("click", theme);
  one("controls").hidden = false;
  filter();
})();

"use strict";
(() => {
  const list = document.getElementById("list");
  const form = document.getElementById("filter");
  if (!list || !form) return;
  const at = (id) => document.getElementById(id);
  const text = at("by-text");
  const order = at("order");
  const shown = at("shown");
  const picks = ["level", "status", "source", "rule"];
  const words = (item, part) => (item.querySelector(part)?.textContent ?? "").trim();
  const entries = Array.from(list.children, (item, place) => ({ item, place }));
  const keys = {
    level: (entry) => entry.place,
    since: (entry) => entry.item.querySelector("time")?.dateTime ?? "",
    name: (entry) => words(entry.item, "h3"),
    owner: (entry) => words(entry.item, ".owner"),
  };
  const compare = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;

  function pick() {
    const wanted = text.value.trim().toLowerCase();
    const chosen = picks.map((name) => [name, at("by-" + name).value]).filter(([, value]) => value !== "");
    let count = 0;
    for (const entry of entries) {
      if (wanted !== "") entry.text ??= entry.item.textContent.toLowerCase();
      const fits =
        chosen.every(([name, value]) => entry.item.dataset[name] === value) &&
        (wanted === "" || entry.text.includes(wanted));
      entry.item.hidden = !fits;
      if (fits) count += 1;
    }
    const number = new Intl.NumberFormat(document.documentElement.lang);
    shown.textContent = shown.dataset.text
      .replace("{shown}", number.format(count))
      .replace("{all}", number.format(entries.length));
  }

  function sort() {
    const key = keys[order.value] ?? keys.level;
    const keyed = entries.map((entry) => [key(entry), entry]);
    keyed.sort(([one, a], [other, b]) =>
      (typeof one === "number" ? one - other : compare(one, other)) || a.place - b.place,
    );
    list.append(...keyed.map(([, entry]) => entry.item));
  }

  let waiting;
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(pick, 150);
  });
  for (const name of picks) at("by-" + name).addEventListener("change", pick);
  order.addEventListener("change", sort);
  at("clear").addEventListener("click", () => {
    text.value = "";
    for (const name of picks) at("by-" + name).value = "";
    pick();
    text.focus();
  });
  // A link to a finding that is not shown shows all.
  window.addEventListener("hashchange", () => {
    const aim = document.getElementById(location.hash.slice(1));
    if (aim?.hidden) {
      at("clear").click();
      aim.scrollIntoView();
    }
  });
  form.hidden = false;
  pick();
})();

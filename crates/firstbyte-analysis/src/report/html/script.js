
"use strict";
// The page says everything without this. Here: sorting, hiding arms, following a call, and quicker tips.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // A column that is sorted has numbers first, then texts, then what is unknown.
  const key = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text);
    if (text === "" || text === "-") return [2, ""];
    return Number.isNaN(number) || !/^[+-]?[\d.]+( %)?$/.test(text) ? [1, text] : [0, number];
  };
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  for (const table of all("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => {
          const kind = a[0] - b[0];
          return kind || (down ? order(b[1], a[1]) : order(a[1], b[1]));
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  for (const item of all(".legend.arms li")) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "hide or show";
    button.setAttribute("aria-pressed", "true");
    button.append(...item.childNodes);
    item.append(button);
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      for (const part of all(`[data-arm="${item.dataset.arm}"]`)) {
        if (part !== item) part.classList.toggle("off", !shown);
      }
    });
  }

  const choose = () => {
    const found = /^#call-(\d+)$/.exec(location.hash);
    for (const part of all("[data-call]")) {
      part.classList.toggle("chosen", found !== null && part.dataset.call === found[1]);
    }
  };
  addEventListener("hashchange", choose);
  choose();

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const told = (target) => {
    for (let at = target; at instanceof SVGElement; at = at.parentNode) {
      const title = at.querySelector(":scope > title");
      // The browser's own tip would lie above ours.
      if (title) {
        at.dataset.tip = title.textContent;
        title.remove();
      }
      if (at.dataset.tip) return at.dataset.tip;
    }
    return "";
  };
  document.addEventListener("pointermove", (event) => {
    const text = told(event.target);
    tip.hidden = text === "";
    tip.textContent = text;
    const left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4);
    const below = event.clientY + 16 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${below ? event.clientY + 16 : event.clientY - tip.offsetHeight - 8}px`;
  });
  document.addEventListener("pointerleave", () => { tip.hidden = true; });
})();

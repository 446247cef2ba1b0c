"use strict";
(() => {
  // Tables that sort by a press on a column's head.
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  };
  const compared = (x, y) =>
    typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].sort((a, b) => compared(value(a, column), value(b, column)));
        table.tBodies[0].append(...(down ? rows.reverse() : rows));
      });
    });
  }

  // Examples by what is chosen, ten at a time.
  const form = document.getElementById("filters");
  if (!form) return;
  const choices = [...form.querySelectorAll("select")];
  const lists = [...document.querySelectorAll(".examples")]
    .filter(element => element.querySelector(".more"))
    .map(element => ({ element, limit: 10 }));
  const show = () => {
    for (const list of lists) {
      const cards = [...list.element.querySelectorAll("article")];
      const fitting = cards.filter(card => choices.every(one => !one.value || card.dataset[one.name] === one.value));
      for (const card of cards) card.hidden = true;
      for (const card of fitting.slice(0, list.limit)) card.hidden = false;
      list.element.querySelector(".count").textContent =
        `${Math.min(fitting.length, list.limit)} of ${fitting.length} shown`;
      list.element.querySelector(".more").hidden = fitting.length <= list.limit;
    }
  };
  for (const list of lists) {
    list.element.querySelector(".more").addEventListener("click", () => {
      list.limit += 10;
      show();
    });
  }
  form.addEventListener("input", () => {
    for (const list of lists) list.limit = 10;
    show();
  });
  form.hidden = false;
  show();
})();

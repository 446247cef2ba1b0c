"use strict";

// Texts of documents and queries enter the page as text nodes, and by no other way.

const fragment = new URLSearchParams(location.hash.slice(1));
const token = fragment.get("token") ?? "";
const GRADES = ["no", "partly", "answers it"];

let person = fragment.get("name") ?? "";
let view = null; // as the server last sent it
let at = 0; // the candidate in the frame
let busy = false; // a press is on its way to the disk: what comes meanwhile was not meant for the next passage
let timer = 0;

const byId = (id) => document.getElementById(id);
const searchDialog = byId("search");
const disagreementsDialog = byId("disagreements");

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== "" && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function say(message) {
  byId("status").textContent = message;
}

// Requests

async function ask(path, body) {
  const response = await fetch(`api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ person, ...body }),
  });
  return [response.status, await response.json()];
}

async function update(path, body) {
  if (busy) return;
  busy = true;
  try {
    const [status, reply] = await ask(path, body);
    say(reply.message ?? "");
    if (reply.phase) show(reply);
    else if (status === 401) showNoToken(reply.message);
  } catch {
    say("The server does not answer. All that you judged is on disk: start `fieldtune judge` again, and this page goes on.");
    later(1000);
  } finally {
    busy = false;
  }
}

const refresh = () => update("view", {});

function later(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(refresh, milliseconds);
}

const press = (action, more = {}) => update("press", { action, query: view?.query?.key ?? "", ...more });

// What is shown

function show(next) {
  const sameQuery = view?.phase === next.phase && view?.query?.key === next.query?.key;
  view = next;
  clearTimeout(timer);
  showCounts();
  byId("actions").hidden = next.phase !== "judging" && next.phase !== "done";
  for (const button of byId("actions").children) {
    button.hidden = next.phase === "done" && button.dataset.action !== "undo";
  }
  ({ typing: showTyping, waiting: showWaiting, judging: showCandidates, done: showDone })[next.phase](sameQuery);
  if (disagreementsDialog.open) fillDisagreements();
}

function showCounts() {
  const { counts, number, of, disagreements } = view;
  const parts = number ? [`Query ${number} of ${of}`] : [];
  parts.push(`${counts.answered} answered`, `${counts.partly} partly`, `${counts.unanswered} without an answer`);
  if (counts.skipped) parts.push(`${counts.skipped} skipped`);
  if (person !== "me") parts.push(`you are ${person}`);
  byId("progress").textContent = parts.join(" · ");
  byId("enough").textContent = view.enough;
  const open = byId("open-disagreements");
  open.hidden = !disagreements.length;
  open.textContent = `${disagreements.length} to settle`;
}

function showTyping() {
  const input = make("input", { id: "typed", type: "text", maxlength: "2000", autocomplete: "off" });
  const form = make("form", {
    submit: (event) => {
      event.preventDefault();
      const text = input.value.trim();
      update("queries", { queries: text ? [text] : [], start: !text });
    },
  },
    make("div", { class: "line" }, make("label", { for: "typed" }, "Query"), input, make("button", { type: "submit" }, "Add")));
  const start = make("button", { type: "button", class: "main", click: () => update("queries", { queries: [], start: true }) },
    "Start judging");
  if (!view.typed.length) start.disabled = true;
  byId("main").replaceChildren(
    make("h1", {}, "What do your users type?"),
    make("p", {}, "Type queries as they would, one at a time. Each is saved at once. You cannot add more after the first results: "
      + "results would influence the wording."),
    form,
    make("ol", {}, ...view.typed.map((query) => make("li", { dir: "auto" }, query))),
    start,
  );
  input.focus();
}

function heading() {
  return make("h1", { dir: view.query.dir, id: "query" }, view.query.text);
}

function showWaiting() {
  byId("main").replaceChildren(
    heading(),
    make("p", {}, view.loaded ? "Ranking the documents …" : "Loading the models: passages appear as soon as they are ranked …"),
  );
  later(view.loaded ? 100 : 300);
}

function showCandidates(sameQuery) {
  const candidates = view.candidates;
  const open = candidates.findIndex((candidate) => candidate.relevance === null);
  if (!sameQuery) at = Math.max(0, open);
  else if (candidates[at]?.relevance !== null && advancing) {
    const next = candidates.findIndex((candidate, number) => number > at && candidate.relevance === null);
    at = next >= 0 ? next : open >= 0 ? open : Math.min(at, candidates.length - 1);
  }
  advancing = false;
  const items = candidates.map((candidate, number) => make("li", {}, article(candidate, number)));
  const parts = [heading(), make("ol", { class: "candidates", "aria-labelledby": "query" }, ...items)];
  if (open < 0) {
    const best = Math.max(-1, ...candidates.map((candidate) => candidate.relevance));
    if (best < 1) parts.push(make("p", {}, "None of these answers it. Search the documents (/), or say that they have no answer (n)."));
    else if (best < 2) parts.push(make("p", {}, "Only a part of the answer is here. Search for the whole (/), or go to the next query (Enter)."));
  }
  byId("main").replaceChildren(...parts);
  const main = byId("actions").querySelector('[data-action="finish"]');
  main.classList.toggle("main", candidates.some((candidate) => candidate.relevance));
  frame(at);
  if (!sameQuery) scrollTo(0, 0);
}

let advancing = false; // the last press judged the candidate in the frame

function article(candidate, number) {
  const judged = candidate.relevance !== null;
  const name = `passage-${number}`;
  return make("article", {
    class: judged ? "judged" : "", tabindex: "-1", "aria-labelledby": name,
    click: (event) => { if (!event.target.closest("button")) frame(number, false); },
  },
    ...described(candidate, name, "h2"),
    grades(candidate.relevance, [0, 1, 2], (relevance) => judge(number, relevance)));
}

function described(candidate, name, level) {
  const { lang, dir } = candidate.passages[0];
  return [
    make(level, { id: name, lang, dir: "auto" }, candidate.title),
    make("p", { class: "path", lang }, ...candidate.path.flatMap((part, number) =>
      [...(number ? [" › "] : []), make("bdi", {}, part)])),
    make("div", { class: "passages" }, ...candidate.passages.map((passage) =>
      make("p", { class: "passage", lang: passage.lang, dir: passage.dir }, ...passage.text.map(([text, isMarked]) =>
        isMarked ? make("mark", {}, text) : text)))),
  ];
}

function grades(relevance, offered, choose) {
  return make("div", { class: "grades", role: "group", "aria-label": "Does it answer the query?" },
    ...offered.map((grade) => make("button", {
      type: "button", class: `grade-${grade}`, "aria-pressed": String(relevance === grade), click: () => choose(grade),
    }, make("kbd", {}, String(grade)), ` ${GRADES[grade]}`)));
}

function frame(number, scroll = true) {
  const articles = [...byId("main").querySelectorAll("article")];
  if (!articles.length) return;
  at = Math.min(Math.max(number, 0), articles.length - 1);
  articles.forEach((each, place) => each.classList.toggle("current", place === at));
  articles[at].focus({ preventScroll: true });
  if (scroll) articles[at].scrollIntoView({ block: "nearest" });
}

function judge(number, relevance) {
  if (busy || view?.phase !== "judging") return;
  at = number;
  advancing = true;
  press("judge", { passage_id: view.candidates[number].id, relevance });
}

function showDone() {
  const { counts } = view;
  const parts = [
    make("h1", {}, "All queries are judged"),
    make("p", {}, `You judged ${counts.own}. End \`fieldtune judge\` with Ctrl-C in its terminal: it says what comes next.`),
  ];
  if (counts.skipped) {
    parts.push(make("button", { type: "button", class: "main", click: () => press("resume") },
      `Judge the ${counts.skipped} skipped`));
  }
  byId("main").replaceChildren(...parts);
  later(5000);
}

function showNoToken(message) {
  byId("actions").hidden = true;
  byId("main").replaceChildren(make("h1", {}, "This link is not complete"), make("p", {}, message));
}

function showNames() {
  const input = make("input", { id: "name", type: "text", maxlength: "40", autocomplete: "off", required: "required" });
  byId("main").replaceChildren(
    make("h1", {}, "Who judges?"),
    make("form", {
      submit: (event) => {
        event.preventDefault();
        person = input.value.trim();
        if (!person) return;
        fragment.set("name", person);
        history.replaceState(null, "", `#${fragment}`);
        refresh();
      },
    },
      make("div", { class: "line" }, make("label", { for: "name" }, "Your name"), input,
        make("button", { type: "submit", class: "main" }, "Start"))));
  input.focus();
}

// Search

function openSearch() {
  if (view?.phase !== "judging" || searchDialog.open) return;
  searchDialog.querySelector(".sought").textContent = `For: ${view.query.text}`;
  byId("search-text").value = view.query.text;
  byId("search-status").textContent = "";
  byId("hits").replaceChildren();
  searchDialog.showModal();
  byId("search-text").select();
}

async function search(event) {
  event.preventDefault();
  const text = byId("search-text").value.trim();
  if (!text) return;
  const by = new FormData(byId("search-form")).get("by");
  try {
    const [, reply] = await ask("search", { text, by, query: view.query.key });
    const hits = reply.hits ?? [];
    byId("search-status").textContent = reply.message
      ?? (hits.length ? `${hits.length} sections: press 1 or 2 on the one that answers` : "No section has these words");
    byId("hits").replaceChildren(...hits.map((hit, number) => make("li", {}, hitArticle(hit, number))));
    frameHit(byId("hits").querySelector("article"));
  } catch {
    byId("search-status").textContent = "The server does not answer: search again in a moment";
  }
}

function hitArticle(hit, number) {
  const pick = async (relevance) => {
    if (busy) return;
    searchDialog.close();
    await press("judge", { passage_id: hit.id, relevance });
  };
  const element = make("article", { tabindex: "-1", "aria-labelledby": `hit-${number}`, click: () => frameHit(element) },
    ...described(hit, `hit-${number}`, "h3"), grades(null, [1, 2], pick));
  element.pick = pick;
  return element;
}

function frameHit(element) {
  if (!element) return;
  for (const each of byId("hits").querySelectorAll("article")) each.classList.toggle("current", each === element);
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
}

function searchKey(event, key) {
  const articles = [...byId("hits").querySelectorAll("article")];
  const current = byId("hits").querySelector("article.current");
  const number = articles.indexOf(current);
  const inInput = event.target.id === "search-text";
  if (key === "ArrowDown") frameHit(inInput ? articles[0] : articles[number + 1]);
  else if (key === "ArrowUp" && !inInput) number > 0 ? frameHit(articles[number - 1]) : byId("search-text").focus();
  else if (inInput) return;
  else if (key === "/") byId("search-text").select();
  else if ((key === "1" || key === "2") && current) current.pick(Number(key));
  else return;
  event.preventDefault();
}

// Disagreements

function fillDisagreements() {
  byId("open").replaceChildren(...view.disagreements.map(({ query, candidate, relevance }, number) => make("li", {},
    make("article", { "aria-labelledby": `open-${number}` },
      make("p", { dir: query.dir }, make("strong", {}, query.text)),
      ...described(candidate, `open-${number}`, "h3"),
      make("p", {}, Object.entries(relevance).map(([name, grade]) =>
        `${name}: ${grade === null ? "did not judge it" : GRADES[grade]}`).join(" · ")),
      grades(null, [0, 1, 2], (grade) =>
        update("press", { action: "settle", query: query.key, passage_id: candidate.id, relevance: grade }))))));
  if (!view.disagreements.length) disagreementsDialog.close();
}

// Keys, mouse and touch

const ACTIONS = {
  finish: () => press("finish"),
  unanswered: () => press("unanswered"),
  search: openSearch,
  skip: () => press("skip"),
  undo: () => press("undo"),
};

function keyOf(event) {
  // Digits of a French keyboard, letters of a Russian one: by their place
  const digit = /^(?:Digit|Numpad)([0-2])$/.exec(event.code);
  if (digit) return digit[1];
  const letter = /^Key([A-Z])$/.exec(event.code);
  return letter && !/^[\x20-\x7e]$/.test(event.key) ? letter[1].toLowerCase() : event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !view) return;
  const key = keyOf(event);
  if (event.repeat && !key.startsWith("Arrow")) return;
  if (searchDialog.open) return searchKey(event, key);
  if (disagreementsDialog.open || event.target.matches("input, textarea")) return;
  if ((key === "Enter" || key === " ") && event.target.closest("button, summary")) return;
  if (view.phase !== "judging" && key !== "u") return;
  if (/^[012]$/.test(key)) judge(at, Number(key));
  else if (key === "ArrowDown" || key === "j") frame(at + 1);
  else if (key === "ArrowUp" || key === "k") frame(at - 1);
  else if (key === "Enter") ACTIONS.finish();
  else if (key === "n") ACTIONS.unanswered();
  else if (key === "/") ACTIONS.search();
  else if (key === "s") ACTIONS.skip();
  else if (key === "u" && view.phase !== "typing") ACTIONS.undo();
  else return;
  event.preventDefault();
});

byId("actions").addEventListener("click", (event) => {
  const action = event.target.closest("button")?.dataset.action;
  if (action) ACTIONS[action]();
});
byId("search-form").addEventListener("submit", search);
byId("open-disagreements").addEventListener("click", () => {
  fillDisagreements();
  disagreementsDialog.showModal();
});
for (const dialog of [searchDialog, disagreementsDialog]) {
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => frame(at));
}

if (!token) showNoToken("Open the whole link that `fieldtune judge` printed: it ends in a token.");
else if (!person) showNames();
else refresh();

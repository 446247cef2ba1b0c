"use strict";
// The search page: one query, every system of the export. Texts of documents reach the page as text nodes only.

// Control characters except tab and line feed, Unicode's line ends and directions, lone surrogates.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;
const LONG = 400; // letters of a passage that are shown at first, about six lines
const TOP = 10;

const $ = (id) => document.getElementById(id);
const box = $("query");
let key = ""; // kept in memory alone
let running = null; // the AbortController of the request that the page waits for
let examples = [];
let shown = 0; // examples

const clean = (text) => text.replace(CONTROLS, "");

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function say(text) {
  $("status").textContent = text;
}

function note(text) {
  $("note").textContent = text;
  $("note").hidden = !text;
}

class Refused extends Error {}

async function ask(options) {
  const headers = { Accept: "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  const reply = await fetch("v1/compare", { ...options, headers, cache: "no-store", credentials: "same-origin" });
  const body = await reply.json();
  if (reply.status === 401) {
    $("key").hidden = false;
    $("key-value").focus();
  }
  if (!reply.ok) throw new Refused(body.error.message);
  $("key").hidden = true;
  return body;
}

// What stands on the page if an answer does not come.
function failed(error) {
  if (error.name === "AbortError") return;
  say(error instanceof Refused ? error.message : "The service does not answer: is `fieldtune serve` still running?");
}

async function start() {
  try {
    const about = await ask({});
    examples = about.examples;
    $("example").hidden = examples.length === 0;
    $("search").hidden = about.systems.length === 0;
    if (about.systems.length === 0) {
      note("There is nothing to search in: this export has no vectors/ and search/. Run `dvc repro export`, then start `fieldtune serve` again.");
    } else if (!about.texts) {
      note("This export has no texts, so only the places of results are shown. To see titles and passages, set `texts: true` below `export:` in params.yaml, run `dvc repro export`, and start `fieldtune serve` again.");
    }
    say("");
    const query = new URLSearchParams(location.hash.slice(1)).get("q");
    if (query && about.systems.length > 0) {
      box.value = query;
      search();
    } else if (!$("search").hidden) {
      box.focus();
    }
  } catch (error) {
    failed(error);
  }
}

async function search() {
  const query = box.value.trim();
  if (!query) return;
  running?.abort();
  running = new AbortController();
  // In the fragment, which no server and no log sees.
  history.replaceState(null, "", `#${new URLSearchParams({ q: query })}`);
  say("Searching …");
  const began = performance.now();
  try {
    const body = JSON.stringify({ query, top_k: TOP });
    const found = await ask({ method: "POST", body, signal: running.signal });
    show(found);
    const cut = found.truncated ? " The query is longer than the model reads, and was cut." : "";
    const systems = found.systems.length === 1 ? "1 system" : `${found.systems.length} systems`;
    say(`${systems} in ${Math.round(performance.now() - began)} ms.${cut}`);
  } catch (error) {
    if (error.name !== "AbortError") $("systems").replaceChildren();
    failed(error);
  }
}

function show(found) {
  const answers = new Map(found.answers.map((answer) => [answer.section, answer.grade]));
  $("answers").hidden = !found.judged;
  const whole = found.answers.filter((answer) => answer.grade >= 1);
  $("answers").replaceChildren(
    `This query is judged. Its ${whole.length === 1 ? "answer" : "answers"}: `,
    ...whole.flatMap((answer, number) => [number ? ", " : "", element("bdi", {}, clean(answer.section))]),
  );
  $("systems").replaceChildren(...found.systems.map((system) => column(system, answers, found.judged)));
  $("jump").hidden = found.systems.length < 2;
  $("jump").replaceChildren(...found.systems.map((system) => {
    const button = element("button", { type: "button" }, system.label);
    button.addEventListener("click", () => $(`system-${system.system}`).focus());
    return button;
  }));
}

function column(system, answers, judged) {
  const heading = element("h2", { id: `system-${system.system}`, tabIndex: -1 }, system.label);
  const made = element("section", {}, heading);
  made.setAttribute("aria-labelledby", heading.id);
  const facts = system.recommended ? ["recommended"] : [];
  if (judged) facts.push(system.answer_rank ? `first answer at ${system.answer_rank}` : "no answer among the first 100");
  made.append(element("p", { className: "rank" }, facts.join(" · ") || "\u00a0"));
  if (system.data.length === 0) made.append(element("p", {}, "Nothing found."));
  else made.append(element("ol", {}, ...system.data.map((hit, at) => result(hit, at + 1, answers.get(hit.section)))));
  return made;
}

function result(hit, rank, grade) {
  const place = element("bdi", { className: "place" }, clean(hit.section));
  const score = element("span", { className: "rank score" }, `${rank} · ${hit.score.toFixed(3)}`);
  const made = element("li", { className: grade >= 1 ? "answer" : grade > 0 ? "partly" : "" });
  const top = element("div", { className: "top" });
  if (hit.title) top.append(worded("h3", {}, hit.title, hit.language));
  top.append(score);
  made.append(top);
  if (grade) made.append(element("p", { className: "mark" }, grade >= 1 ? "✓ answers it" : "◐ answers it partly"));
  made.append(element("p", {}, place));
  if (typeof hit.text === "string") {
    const text = worded("p", { className: hit.text.length > LONG ? "text cut" : "text" }, hit.text, hit.language);
    made.append(text);
    if (hit.text.length > LONG) made.append(more(text));
  }
  return made;
}

// A document's own words, in its language and direction.
function worded(name, properties, text, language) {
  const made = element(name, { dir: "auto", ...properties }, clean(text));
  if (language) made.lang = language;
  return made;
}

function more(text) {
  const button = element("button", { type: "button", className: "more" }, "Whole passage");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const cut = text.classList.toggle("cut");
    button.setAttribute("aria-expanded", String(!cut));
    button.textContent = cut ? "Whole passage" : "Less";
  });
  return button;
}

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
$("example").addEventListener("click", () => {
  box.value = examples[shown % examples.length];
  shown += 1;
  search();
});
$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key-value").value.trim();
  start();
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});
start();

// Keeps an open page up to date. One rule: what comes is put in as text, never as markup.
"use strict";

const body = document.body;
const news = document.getElementById("news");

function say(text) {
  if (news) news.textContent = text;
}

function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function connection(trouble) {
  const link = document.getElementById("link");
  if (!link) return;
  const lost = link.dataset.lost || "";
  if (lost === trouble) return;
  link.dataset.lost = trouble;
  link.classList.toggle("lost", trouble !== "");
  let mark = link.querySelector("[data-trouble]");
  if (!mark) {
    mark = document.createElement("span");
    mark.dataset.trouble = "";
    link.append(mark);
  }
  mark.textContent = trouble ? ` – not live: ${trouble}` : "";
  if (trouble) say(`Not live: ${trouble}`);
}

function doors(said) {
  if (said.trouble) {
    connection(said.trouble);
    return;
  }
  connection("");
  for (const [key, text] of Object.entries(said.controller)) {
    put(document.querySelector(`[data-controller="${key}"]`), text);
  }
  for (const [id, floors] of Object.entries(said.elevators)) {
    for (const [floor, text] of Object.entries(floors)) {
      put(document.querySelector(`[data-elevator="${id}"] [data-floor="${floor}"]`), text);
    }
  }
  const head = document.querySelector("[data-down]");
  head.dataset.down = Object.values(said.doors).some((door) => door.mode === "locked_down") ? "yes" : "no";
  const shown = document.querySelectorAll("[data-door]");
  const ids = Object.keys(said.doors);
  if (shown.length !== ids.length || [...shown].some((card) => !(card.dataset.door in said.doors))) {
    location.reload();
    return;
  }
  for (const card of shown) {
    const door = said.doors[card.dataset.door];
    for (const [key, text] of Object.entries(door.says)) put(card.querySelector(`[data-says="${key}"]`), text);
    if (door.tone !== card.dataset.tone && door.tone === "alarm") {
      say(`${card.querySelector("h2").textContent}: ${door.says.headline}`);
    }
    card.dataset.tone = door.tone;
    card.dataset.mode = door.mode;
  }
}

function records(said) {
  if (said.trouble) {
    connection(said.trouble);
    return;
  }
  connection("");
  if (said.reload) {
    location.reload();
    return;
  }
  const list = document.getElementById("records");
  for (const row of said.rows) {
    const item = document.getElementById("row").content.firstElementChild.cloneNode(true);
    item.dataset.tone = row.tone;
    item.classList.add("new");
    for (const key of ["time", "badge", "message", "doubt", "type"]) put(item.querySelector(`[data-row="${key}"]`), row[key]);
    item.querySelector("time").dateTime = row.iso;
    item.querySelector("a").href = `/events/${row.sequence}`;
    list.prepend(item);
  }
  while (list.children.length > 500) list.lastElementChild.remove();
  if (said.rows.length) {
    const none = document.getElementById("none");
    if (none) none.remove();
    say(said.rows.length === 1 ? said.rows[0].message : `${said.rows.length} new events`);
  }
}

if (body.dataset.live) {
  const stream = new EventSource(body.dataset.live);
  stream.addEventListener("doors", (event) => doors(JSON.parse(event.data)));
  stream.addEventListener("records", (event) => records(JSON.parse(event.data)));
  stream.addEventListener("over", () => {
    stream.close();
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  });
  stream.addEventListener("open", () => connection(""));
  stream.addEventListener("error", () => connection("no connection to the controller"));
  // a page that is left must not hold one of the few connections that a browser has
  window.addEventListener("pagehide", () => stream.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

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

if (body.dataset.live) {
  const stream = new EventSource(body.dataset.live);
  stream.addEventListener("doors", (event) => doors(JSON.parse(event.data)));
  stream.addEventListener("records", (event) => window.dispatchEvent(new CustomEvent("records", { detail: JSON.parse(event.data) })));
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

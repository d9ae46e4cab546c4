// Keeps an open page up to date. One rule: what comes is put in as text, never as markup.
"use strict";

const body = document.body;
const news = document.getElementById("news");
const FIRST_MS = 2_000;
const LONGEST_MS = 60_000;
const GRACE_MS = 8_000; // as long as the controller may need to start again without anybody being told
const ALONE = "/alerts/live"; // the stream of pages that have no other
const SILENT_MS = 11_000; // two beats of the stream (edge/web/pages/live.py), and one second on the way
let typed = false;
let latest = "";
let late = 0;
document.addEventListener("input", () => { typed = true; });

function say(text) {
  if (news) news.textContent = text;
}

function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// What is over within a moment is not told.
function connection(trouble) {
  latest = trouble;
  if (!trouble || body.classList.contains("stale")) {
    clearTimeout(late);
    late = 0;
    lost(trouble);
  } else if (!late) {
    late = setTimeout(() => lost(latest), GRACE_MS);
  }
}

function lost(trouble) {
  const link = document.getElementById("link") || document.getElementById("heard");
  if ((link.dataset.lost || "") === trouble) return;
  link.dataset.lost = trouble;
  link.classList.toggle("lost", trouble !== "");
  let mark = link.querySelector("[data-trouble]");
  if (!mark) {
    mark = document.createElement("span");
    mark.dataset.trouble = "";
    link.append(mark);
  }
  const time = link.querySelector("[data-controller=time]");
  const since = time ? ` (last heard at ${time.textContent.split(" ").at(-1)})` : "";
  const dash = link.id === "link" ? " – not" : "Not";
  mark.textContent = trouble ? `${dash} live: ${trouble}${since}` : "";
  body.classList.toggle("stale", trouble !== "");
  say(trouble ? `Not live: ${trouble}` : "Live again");
  if (!trouble) setTimeout(() => { if (news && news.textContent === "Live again") say(""); }, GRACE_MS);
}

// A page that somebody is filling in is not taken away.
function anew() {
  if (typed || document.querySelector("main form:focus-within")) {
    connection("there is more than fits, reload this page");
  } else {
    location.reload();
  }
}

// What has the focus stays where it is and the others move around it: an element that is moved loses the focus.
function sort(cards) {
  const list = cards[0].parentElement;
  if (cards.every((card, place) => card === list.children[place])) return;
  const place = Math.max(0, cards.findIndex((card) => card.contains(document.activeElement)));
  cards[place].before(...cards.slice(0, place));
  cards[place].after(...cards.slice(place + 1));
}

// The same as `shown` in edge/web/pages/tiles.py.
function filter() {
  const zones = document.querySelector(".zones");
  if (!zones) return; // the page of one door
  const kind = zones.dataset.show;
  const text = document.querySelector(".counts [name=text]").value.toLowerCase();
  for (const card of zones.querySelectorAll("[data-door]")) {
    const right = !kind || card.dataset.kinds.split(" ").includes(kind);
    card.hidden = !right || !card.querySelector(".door-name").textContent.toLowerCase().includes(text);
  }
}

// What cannot be done in the state that a door is in is not offered; who was about to do it is at the next button.
function offer(card, door) {
  const held = document.activeElement;
  for (const one of card.querySelectorAll("[data-primary]")) one.hidden = one.dataset.primary !== door.primary;
  for (const one of card.querySelectorAll("[data-offer]")) one.hidden = !door.offers.includes(one.dataset.offer);
  if (card.contains(held) && held.closest("[hidden]")) card.querySelector("a.button:not([hidden])")?.focus();
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
  if (head) head.dataset.down = Object.values(said.doors).some((door) => door.mode === "locked_down") ? "yes" : "no";
  for (const [kind, text] of Object.entries(said.counts)) put(document.querySelector(`[data-count="${kind}"]`), text);
  const shown = document.querySelectorAll("[data-door]");
  const ids = Object.keys(said.doors);
  if (shown.length !== ids.length || [...shown].some((card) => !(card.dataset.door in said.doors))) {
    anew();
    return;
  }
  for (const card of shown) {
    const door = said.doors[card.dataset.door];
    for (const [key, text] of Object.entries(door.says)) put(card.querySelector(`[data-says="${key}"]`), text);
    if (door.tone !== card.dataset.tone && door.tone === "alarm") {
      say(`${card.querySelector(".door-name").textContent}: ${door.says.headline}`);
    }
    for (const key of ["tone", "mode", "kinds"]) card.dataset[key] = door[key];
    offer(card, door);
    const glyph = card.querySelector(".glyph");
    glyph.dataset.glyph = door.glyph;
    glyph.firstElementChild.setAttribute("href", `#${door.glyph}`);
  }
  filter();
  const cards = new Map([...shown].map((card) => [card.dataset.door, card]));
  const ordered = said.order.map((id) => cards.get(id));
  const zones = [...new Set(ordered.map((card) => card.closest("[data-zone]")))];
  if (ordered.some((card) => said.doors[card.dataset.door].zone !== card.closest("[data-zone]").dataset.zone)) {
    anew();
    return;
  }
  if (!document.querySelector(".zones")) return;
  for (const zone of zones) sort(ordered.filter((card) => zone.contains(card)));
  if (zones.length) sort(zones);
}

const find = document.querySelector(".counts [name=text]");
if (find) find.addEventListener("input", filter);

// A passage that is shown takes up its new records where it stands; another one goes where its first record belongs.
function passage(list, row) {
  let item = list.querySelector(`[data-passage="${row.id}"]`);
  if (!item) {
    item = document.getElementById("passage").content.firstElementChild.cloneNode(true);
    item.dataset.passage = row.id;
    const later = [...list.querySelectorAll("[data-passage]")].filter((one) => Number(one.dataset.passage) > row.id).at(-1);
    const heading = list.querySelector(`[data-date="${row.date}"]`);
    if (later) {
      later.after(item);
    } else if (heading) {
      heading.after(item);
    } else {
      const day = document.getElementById("day").content.firstElementChild.cloneNode(true);
      day.dataset.date = row.date;
      put(day.firstElementChild, row.day);
      list.prepend(day, item);
    }
  }
  item.dataset.tone = row.tone;
  item.classList.add("new");
  for (const key of ["time", "title", "rest", "detail", "doubt", "tag"]) put(item.querySelector(`[data-row="${key}"]`), row[key]);
  put(item.querySelector("[data-row=mark]"), row.mark); // none where a picture is
  item.querySelector("[data-row=tag]").dataset.tone = row.tone;
  item.querySelector("time").dateTime = row.iso;
  item.querySelector("a").href = `/events/${row.sequence}`;
}

function record(list, row) {
  const item = document.getElementById("row").content.firstElementChild.cloneNode(true);
  item.dataset.tone = row.tone;
  item.classList.add("new");
  for (const key of ["time", "badge", "message", "doubt", "type"]) put(item.querySelector(`[data-row="${key}"]`), row[key]);
  item.querySelector("time").dateTime = row.iso;
  item.querySelector("a").href = `/events/${row.sequence}`;
  list.prepend(item);
}

function records(said) {
  if (said.trouble) {
    connection(said.trouble);
    return;
  }
  connection("");
  if (said.reload) {
    anew();
    return;
  }
  const list = document.getElementById("records");
  const show = document.getElementById("passage") ? passage : record;
  for (const row of said.rows) show(list, row);
  while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
  if (said.rows.length) {
    const none = document.getElementById("none");
    if (none) none.remove();
    const [row] = said.rows;
    say(said.rows.length === 1 ? row.message || [row.title, row.rest, row.tag].join(" ") : `${said.rows.length} new events`);
  }
}

// A command is confirmed where its button stands; without this a page asks.
const ask = document.getElementById("ask");
let address = "";

function question(kind, target, door, minutes) {
  const said = JSON.parse(ask.dataset.words)[kind];
  const name = door ? door.querySelector(".door-name").textContent : "every door";
  address = target;
  const [yes, no] = ask.querySelectorAll("button");
  put(document.getElementById("question"), said.question.replace("{door}", name).replace("{minutes}", minutes));
  put(document.getElementById("means"), said.means);
  put(yes, said.button);
  put(no, "No, go back");
  yes.classList.toggle("danger", said.danger);
  answer([], false);
  ask.showModal();
  yes.focus();
}

// What came of it: a refusal stays in the question, the rest stands on top of the page.
function answer(says, done) {
  const [yes, no] = ask.querySelectorAll("button");
  const problem = ask.querySelector(".problem");
  yes.hidden = says.length > 0;
  yes.disabled = false;
  problem.hidden = done || !says.length;
  put(problem, done ? "" : says.join(" "));
  if (!says.length) return;
  if (!done) {
    put(no, "Close");
    no.focus();
    return;
  }
  ask.close();
  let notice = document.getElementById("done");
  if (!notice) {
    notice = document.createElement("p");
    notice.className = "notice";
    notice.id = "done";
    document.getElementById("main").prepend(notice);
  }
  put(notice, says.join(" "));
  say(says.join(" "));
}

async function give() {
  const csrf = document.querySelector("[name=csrf]").value;
  ask.querySelector("button").disabled = true;
  try {
    const given = await fetch(address, {
      method: "POST", body: new URLSearchParams({ csrf }), headers: { Accept: "application/json" },
      credentials: "same-origin",
    });
    if (given.status === 401) {
      location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    const json = (given.headers.get("Content-Type") || "").startsWith("application/json");
    const said = json ? await given.json() : { done: false, says: [`Refused (${given.status}). Reload this page.`] };
    answer(said.says, said.done);
  } catch {
    answer(["No connection to the controller: look at the door's state before you try again."], false);
  }
}

if (ask) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-ask]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    question(link.dataset.ask, link.href, link.closest("[data-door]"), "");
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-ask]");
    if (!form) return;
    event.preventDefault();
    const fields = new FormData(form);
    const target = `${form.action}?${new URLSearchParams(fields)}`;
    question(form.dataset.ask, target, form.closest("[data-door]"), fields.get("minutes"));
  });
  ask.addEventListener("submit", (event) => {
    if (event.submitter.value !== "yes") return;
    event.preventDefault();
    give();
  });
}

let stream = null;
let again = 0;
let silent = 0;
let pause_ms = FIRST_MS;
let through = "";
let others = null;

// A connection may be dead without anybody telling the browser: a phone that changed its network, a proxy that keeps what comes.
function heard() {
  clearTimeout(silent);
  silent = setTimeout(() => {
    stream.close();
    connection(`nothing was heard for ${SILENT_MS / 1_000} seconds`);
    later();
  }, SILENT_MS);
}

// A browser has six connections to one address: of the pages that show alerts only, one is connected and tells the others.
function share() {
  others = new BroadcastChannel("doorward-alerts");
  others.addEventListener("message", (event) => {
    clearTimeout(silent);
    silent = setTimeout(() => connection("nothing was heard"), SILENT_MS);
    if (event.data) alerts(event.data);
  });
  navigator.locks.request("doorward-alerts", () => {
    connect();
    return new Promise(() => {}); // until this page is left
  });
}

function later() {
  clearTimeout(again);
  again = setTimeout(connect, pause_ms);
  pause_ms = Math.min(2 * pause_ms, LONGEST_MS);
}

function connect() {
  heard();
  const address = new URL(body.dataset.live, location.href);
  if (through) address.searchParams.set("after", through);
  stream = new EventSource(address);
  for (const [name, show] of Object.entries({ alerts, doors, records })) {
    stream.addEventListener(name, (event) => {
      heard();
      pause_ms = FIRST_MS;
      through = event.lastEventId || through;
      const said = JSON.parse(event.data);
      if (others) others.postMessage(said);
      show(said);
    });
  }
  stream.addEventListener("alive", () => {
    heard();
    if (others) others.postMessage(null);
  });
  stream.addEventListener("over", () => {
    clearTimeout(silent);
    stream.close();
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  });
  stream.addEventListener("error", () => {
    connection("no connection to the controller");
    if (stream.readyState !== EventSource.CLOSED) return; // the browser itself tries again
    clearTimeout(silent);
    later();
  });
}

if (body.dataset.live) {
  if (body.dataset.live === ALONE && navigator.locks) share();
  else connect();
  // a page that is left must not hold one of the few connections that a browser has
  window.addEventListener("pagehide", () => {
    clearTimeout(again);
    clearTimeout(silent);
    if (stream) stream.close();
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// A page that waits for a card is loaded anew when a reader has seen one.
async function wait() {
  try {
    const answer = await fetch(body.dataset.wait, { credentials: "same-origin" });
    const seen = (await answer.json()).seen;
    if (seen !== body.dataset.seen) {
      location.reload();
      return;
    }
  } catch {
    // no connection for a moment: the next try says more
  }
  setTimeout(wait, 1_000);
}

if (body.dataset.wait) setTimeout(wait, 1_000);

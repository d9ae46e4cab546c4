// The open alerts on every page, and what calls somebody: the title, the icon, a notification, a sound.
// One rule: what comes is put in as text, never as markup; what somebody switched on is kept in this browser only.
"use strict";

const bars = document.getElementById("alerts");
const called = document.getElementById("called");
const plain_title = document.title.replace(/^\(\d+\) /, "");
let newest = Number(bars.dataset.newest);
let speaker = null;

function switched(name) {
  try {
    return localStorage.getItem(`doorward-${name}`) === "on";
  } catch {
    return false; // a browser that keeps nothing
  }
}

function count(number) {
  document.title = number ? `(${number}) ${plain_title}` : plain_title;
  document.getElementById("icon").href = number ? "/static/icon-alert.svg" : "/static/icon.svg";
  for (const badge of document.querySelectorAll("[data-alert-count]")) {
    put(badge.firstElementChild, String(number));
    badge.hidden = !number;
  }
}

function fill(bar, one) {
  bar.dataset.tone = one.tone;
  for (const [key, text] of Object.entries(one.says)) put(bar.querySelector(`[data-alert-says="${key}"]`), text);
  const event = bar.querySelector("a.button");
  if (event) {
    event.href = `/events/${one.sequence}`;
    event.setAttribute("aria-label", `Event: ${one.says.what}`);
  }
  const take = bar.querySelector("form");
  if (take) {
    take.elements.alert.value = one.id;
    take.querySelector("button").setAttribute("aria-label", `I take it: ${one.says.what}`);
  }
  let picture = bar.querySelector("img");
  if (one.picture && !picture) {
    picture = document.createElement("img");
    picture.alt = "The first picture of it";
    bar.prepend(picture);
  }
  if (picture && one.picture && picture.getAttribute("src") !== one.picture) picture.src = one.picture;
}

function remove(bar) {
  const focused = bar.contains(document.activeElement);
  bar.remove();
  if (focused) (bars.querySelector("button") || document.getElementById("main")).focus({ preventScroll: true });
}

function alerts(said) {
  if (body.dataset.live.startsWith("/alerts/")) connection(said.trouble || ""); // other streams say themselves how they are
  if (said.trouble) return;
  const list = bars.querySelector("ul");
  const focused = document.activeElement;
  const gone = new Map([...list.children].map((bar) => [bar.dataset.alert, bar]));
  for (const [place, one] of said.bars.entries()) {
    const bar = gone.get(one.id) || document.getElementById("alert").content.firstElementChild.cloneNode(true);
    gone.delete(one.id);
    bar.dataset.alert = one.id;
    fill(bar, one);
    if (list.children[place] !== bar) list.insertBefore(bar, list.children[place] || null);
  }
  if (bars.contains(focused)) focused.focus({ preventScroll: true }); // what is moved loses it
  for (const bar of gone.values()) remove(bar);
  put(bars.querySelector(".more-alerts a"), said.more);
  bars.hidden = !said.count && !bars.dataset.all;
  count(said.count);
  const fresh = said.bars.filter((one) => one.sequence > newest);
  newest = Math.max(newest, said.newest);
  if (fresh.length) call(fresh);
}

function call(fresh) {
  put(called, fresh.map((one) => `${one.says.badge} ${one.says.what}`.trim()).join("; "));
  if (switched("notify") && window.Notification && Notification.permission === "granted") fresh.forEach(notify);
  if (switched("sound")) ring();
}

function notify(one) {
  try {
    const shown = new Notification(one.says.what, { body: one.says.about, tag: one.id, icon: "/static/icon-alert.svg" });
    shown.addEventListener("click", () => { window.focus(); shown.close(); });
  } catch {
    // some phones show notifications only of installed pages
  }
}

// A browser lets a page make a sound only after somebody has clicked into it.
function listen() {
  speaker = speaker || new AudioContext();
  const hint = document.getElementById("mute");
  const heard = () => { hint.hidden = speaker.state === "running"; };
  speaker.addEventListener("statechange", heard);
  speaker.resume().catch(() => {});
  heard();
}

// Two tones, three times; of several open pages one is heard.
async function tones() {
  const end_s = speaker.currentTime + 2.4;
  for (let at_s = speaker.currentTime; at_s < end_s; at_s += 0.8) {
    for (const [tone_hz, after_s] of [[880, 0], [660, 0.3]]) {
      const tone = new OscillatorNode(speaker, { frequency: tone_hz });
      const volume = new GainNode(speaker, { gain: 0.3 });
      tone.connect(volume).connect(speaker.destination);
      tone.start(at_s + after_s);
      tone.stop(at_s + after_s + 0.25);
    }
  }
  await new Promise((resolve) => { setTimeout(resolve, 2_400); });
}

function ring() {
  listen();
  if (speaker.state !== "running") return;
  if (navigator.locks) navigator.locks.request("doorward-sound", { ifAvailable: true }, (lock) => lock && tones());
  else tones();
}

if (switched("sound")) {
  listen();
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => speaker.resume().catch(() => {}));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".alert form")) return;
  event.preventDefault();
  const bar = form.closest(".alert");
  if (bar.dataset.busy) return; // not disabled: that would take the focus away
  bar.dataset.busy = "yes";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json" },
    });
    if (answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    put(called, (await answer.json()).said);
    remove(bar);
  } catch {
    delete bar.dataset.busy;
    put(bar.querySelector("[data-alert-says=trouble]"), "That did not work. Try again.");
    put(called, "That did not work. Try again.");
  }
});

const switches = document.getElementById("switches");
if (switches) {
  switches.hidden = false;
  for (const box of switches.querySelectorAll("input")) {
    box.checked = switched(box.name);
    box.addEventListener("change", async () => {
      const allowed = box.name !== "notify" || (window.Notification && (await Notification.requestPermission()) === "granted");
      put(switches.querySelector("[role=status]"), allowed ? "" : "This browser does not let the page show notifications.");
      box.checked = box.checked && Boolean(allowed);
      localStorage.setItem(`doorward-${box.name}`, box.checked ? "on" : "off");
      if (box.checked && box.name === "sound") ring();
    });
  }
}

// What the pages do beyond links and forms: live parts are fetched again while work goes on, texts are copied.
// Everything here is a convenience; without it the pages reload by themselves, and texts are selected by hand.
"use strict";

const pause = Number(document.body.dataset.refresh || 0);
const known = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part.id, part.outerHTML]));
let tag = null;
let failures = 0;

function unchanged(part, fresh) {
  return known.get(part.id) === fresh.outerHTML;
}

function replaceLive(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || unchanged(part, fresh) || part.contains(document.activeElement)) continue;
    known.set(part.id, fresh.outerHTML);
    const next = document.importNode(fresh, true);
    const open = [...part.querySelectorAll("details")].map((each) => each.open);
    next.querySelectorAll("details").forEach((each, place) => { each.open = Boolean(open[place]); });
    const checked = new Set([...part.querySelectorAll("input:checked")].map((each) => each.value));
    next.querySelectorAll("input[type=checkbox]").forEach((each) => { each.checked = checked.has(each.value); });
    const left = part.parentElement.scrollLeft;
    part.replaceWith(next);
    next.parentElement.scrollLeft = left;
  }
  offerCopies(document);
}

function say(text) {
  const place = document.getElementById("connection");
  if (place.textContent !== text) place.textContent = text;
}

async function refresh() {
  const headers = tag ? { "If-None-Match": tag, Accept: "text/html" } : { Accept: "text/html" };
  const answer = await fetch(location.href, { headers, cache: "no-store" });
  if (answer.redirected) return location.reload();
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error(answer.statusText);
  tag = answer.headers.get("ETag");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // What the ended job offers stands outside the live parts.
  if (!page.body.dataset.refresh) return location.reload();
  replaceLive(page);
}

async function follow() {
  if (!document.hidden) {
    try {
      await refresh();
      failures = 0;
      say("");
    } catch {
      failures += 1;
      say("The service does not answer. Trying again; what is shown is from before.");
    }
  }
  setTimeout(follow, pause * Math.min(8, 2 ** failures));
}

function offerCopies(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.onclick = async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    };
  }
}

offerCopies(document);
if (pause) setTimeout(follow, pause);

/* The worklist in a browser: asks for changes, shows them, and is led by the keyboard. Text from exams only ever becomes
   text (textContent), never a part of the page. */
"use strict";

const ASK_MS = 2000; // how often the list is asked for; unchanged costs a 304 without a body
const LOST_MS = 15000; // after so long without an answer the list on the screen is called old
const RANK_WORDS = { found: "Found", look: "Look", pending: "Waiting", nothing: "Nothing found" };
const STATE_WORDS = {
  receiving: "Receiving", queued: "Waiting", reading: "Being read", answered: "Answered, on its way",
  done: "Done", set_aside: "Set aside", deleted: "Deleted",
};
const STATUS_WORDS = { found: "Found", not_found: "Not found", could_not_look: "Could not look" };
const PRIORITY_WORDS = { 1: "sent as urgent", 2: "sent as low priority" };

const byId = (id) => document.getElementById(id);
const list = { exams: [], etag: "", offset: 0, answeredAt: Date.now(), chosen: null, open: null, known: null };
const rows = new Map(); // id -> {row, shown}: a row is made anew only when what it shows has changed

/* An element with text and children; null and "" are left out. */
function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === "") continue;
    if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child));
  return element;
}

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(share > 0.995 || share < 0.01 ? 1 : 0)} %`);
const millilitres = (ml) => (ml === null ? "–" : ml < 10 ? ml.toFixed(1) : ml.toFixed(0));
const clock = (seconds) => new Date(1000 * seconds).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });

function span(seconds) {
  const minutes = Math.floor(Math.max(seconds, 0) / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(minutes / 1440)} days`;
}

/* The node's clock: the browser's may be wrong. */
const nowAtNode = () => Date.now() / 1000 + list.offset;

function birthDate(text) {
  return /^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : "";
}

function patientLines(exam) {
  const patient = exam.patient;
  const name = patient.patient_name || `Study …${exam.study_uid.slice(-12)}`;
  const facts = [patient.patient_id, birthDate(patient.birth_date), patient.sex].filter(Boolean).join(" · ");
  return [name, facts, [patient.study_description, patient.accession_number].filter(Boolean).join(" · ")];
}

function findingWords(exam) {
  if (exam.rank === "found") return exam.finding;
  if (exam.rank === "look") return exam.state === "set_aside" ? "Could not be read" : "Could not look";
  return exam.rank === "nothing" ? "Nothing found" : "";
}

function stateCell(exam) {
  const cell = make("td", {}, STATE_WORDS[exam.state] || exam.state);
  if (exam.place) cell.append(make("span", { class: "small", text: `number ${exam.place} in the queue` }));
  if (exam.state === "receiving") cell.append(make("span", { class: "small", text: `${exam.images} images` }));
  if (exam.state === "reading") {
    cell.append(make("span", { class: "small", text: exam.stage || "" }));
    cell.append(make("progress", { max: 1, value: exam.fraction ?? 0, "aria-label": "Progress of the reading" }));
  }
  if (exam.rank === "pending" && exam.tries) cell.append(warning(`${exam.tries} failed tries`));
  if (exam.given_up) cell.append(warning(`${results(exam.given_up)} not delivered`));
  else if (exam.waiting) cell.append(make("span", { class: "small", text: `${results(exam.waiting)} to deliver` }));
  return cell;
}

const results = (count) => (count === 1 ? "1 result" : `${count} results`);
const warning = (text) => make("span", { class: "warning", text });

const imageAddress = (exam, number) => `/api/exams/${exam.id}/key_images/${number}`;

function makeRow(exam) {
  const [name, facts, study] = patientLines(exam);
  const row = make("tr", { class: exam.rank, id: `exam-${exam.id}`, role: "row", tabindex: "-1", "aria-selected": "false" });
  const urgent = [PRIORITY_WORDS[exam.dicom_priority]];
  if (exam.rank === "pending" && exam.urgency > 0.5) urgent.push(`first look ${percent(exam.urgency)}`);
  const lines = (...texts) => texts.filter(Boolean).map((text) => make("span", { class: "small", text }));
  const picture = exam.key_images
    ? make("img", { src: imageAddress(exam, 1), alt: `Key image: ${exam.finding}`, loading: "lazy" }) : null;
  row.append(
    make("td", {}, make("span", { class: "rank", text: RANK_WORDS[exam.rank] }), ...lines(...urgent)),
    make("td", { class: "patient" }, name, ...lines(facts, study)),
    make("td", {}, make("span", { class: "finding", text: findingWords(exam) }),
      ...lines(exam.rank === "look" || exam.rank === "pending" ? exam.reason : "")),
    make("td", { class: "figure", text: percent(exam.probability) }),
    make("td", { class: "figure", text: millilitres(exam.volume_ml) }),
    make("td", { class: "figure age" }),
    stateCell(exam),
    make("td", { class: "picture" }, picture),
  );
  row.addEventListener("click", () => { choose(exam.id); openExam(exam.id); });
  return row;
}

/* Everything of an exam but what only time changes. */
function shownOf(exam) {
  const { age_s, wait_s, ...rest } = exam;
  return JSON.stringify(rest);
}

function rowOf(exam) {
  const shown = shownOf(exam);
  const known = rows.get(exam.id);
  if (known && known.shown === shown) return known.row;
  const row = makeRow(exam);
  rows.set(exam.id, { row, shown });
  return row;
}

function filtered() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const textOf = (exam) => [...patientLines(exam), findingWords(exam), RANK_WORDS[exam.rank], STATE_WORDS[exam.state],
    exam.study_uid].join(" ").toLowerCase();
  return list.exams.filter((exam) => { const text = textOf(exam); return words.every((word) => text.includes(word)); });
}

function showList() {
  const exams = filtered();
  const body = byId("exams");
  const hadFocus = body.contains(document.activeElement);
  body.replaceChildren(...exams.map(rowOf));
  for (const id of rows.keys()) if (!list.exams.some((exam) => exam.id === id)) rows.delete(id);
  byId("empty").hidden = exams.length > 0;
  if (!exams.some((exam) => exam.id === list.chosen)) list.chosen = exams.length ? exams[0].id : null;
  mark(hadFocus);
  showCounts();
  showAges();
}

function showCounts() {
  const count = (rank) => list.exams.filter((exam) => exam.rank === rank).length;
  byId("counts").replaceChildren(...Object.entries(RANK_WORDS).map(([rank, words]) =>
    make("li", {}, make("b", { text: count(rank) }), ` ${words.toLowerCase()}`)));
}

function showAges() {
  for (const exam of list.exams) {
    const known = rows.get(exam.id);
    if (known) known.row.querySelector(".age").textContent = span(nowAtNode() - exam.opened_at);
  }
}

/* The chosen row is marked, and is where the tabulator key comes in. */
function mark(focus) {
  for (const [id, { row }] of rows) {
    row.setAttribute("aria-selected", String(id === list.chosen));
    row.tabIndex = id === list.chosen ? 0 : -1;
  }
  if (focus && list.chosen !== null) rows.get(list.chosen).row.focus();
}

function choose(id) {
  list.chosen = id;
  mark(true);
  if (id !== null) rows.get(id).row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const ids = filtered().map((exam) => exam.id);
  if (!ids.length) return;
  const place = ids.indexOf(list.chosen);
  choose(ids[Math.min(Math.max(place + by, 0), ids.length - 1)]);
  if (list.open !== null) openExam(list.chosen);
}

/* Say what is newly found, for screen readers and in the window's title. */
function tellNews() {
  const found = list.exams.filter((exam) => exam.rank === "found");
  if (list.known !== null) {
    const fresh = found.filter((exam) => !list.known.has(exam.id));
    if (fresh.length) byId("news").textContent = `New: ${fresh.map((exam) => exam.finding).join("; ")}`;
  }
  list.known = new Set(found.map((exam) => exam.id));
  document.title = found.length ? `(${found.length}) NeuroTriage worklist` : "NeuroTriage worklist";
}

async function ask() {
  try {
    const address = `/api/worklist?hours=${byId("hours").value}`;
    const answer = await fetch(address, { headers: list.etag ? { "If-None-Match": list.etag } : {}, cache: "no-store" });
    if (answer.status === 401) { location.assign("/login"); return; }
    if (!answer.ok && answer.status !== 304) throw new Error(String(answer.status));
    if (answer.status === 200) {
      const content = await answer.json();
      list.etag = answer.headers.get("etag") || "";
      list.offset = content.now - Date.now() / 1000;
      list.exams = content.exams;
      showList();
      tellNews();
      if (list.open !== null) openExam(list.open);
    }
    list.answeredAt = Date.now();
    byId("trouble").hidden = true;
  } catch {
    if (Date.now() - list.answeredAt > LOST_MS) {
      byId("trouble").textContent = `The node does not answer. The list is of ${clock(list.answeredAt / 1000)}.`;
      byId("trouble").hidden = false;
    }
  }
  setTimeout(ask, ASK_MS);
}

function tableOf(heads, lines) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col", text })));
  const body = lines.map((cells) => make("tr", {}, ...cells.map((text) => make("td", { text: String(text ?? "–") }))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

function examParts(exam) {
  const [name, facts, study] = patientLines(exam);
  const close = make("button", { type: "button" }, "Close ", make("kbd", { text: "Esc" }));
  close.addEventListener("click", closeExam);
  const actions = make("p", { class: "actions" });
  if (exam.has_result) {
    const report = make("a", { href: `/api/exams/${exam.id}/report`, target: "_blank", rel: "noopener" });
    report.append("Report ", make("kbd", { text: "o" }));
    actions.append(report);
  }
  actions.append(close);
  const parts = [make("h2", { text: name }), ...[facts, study].filter(Boolean).map((text) => make("span", { class: "small", text })),
    actions, make("p", { class: "finding", text: findingWords(exam) })];
  if (exam.reason) parts.push(make("p", { class: "problem", text: exam.reason }));
  if (exam.findings.length) {
    parts.push(make("h3", { text: "Findings" }), tableOf(["Finding", "Answer", "Probability", "mL"],
      exam.findings.map((item) => [item.name, STATUS_WORDS[item.status], percent(item.probability), millilitres(item.volume_ml)])));
  }
  for (let number = 1; number <= exam.key_images; number += 1) {
    parts.push(make("img", { src: imageAddress(exam, number), alt: `Key image ${number}` }));
  }
  const sent = [...exam.deliveries.map((item) => ({ ...item, to: item.destination })),
    ...exam.notices.map((item) => ({ ...item, to: `${item.listener} (notice)` }))];
  if (sent.length) {
    parts.push(make("h3", { text: "Results sent" }), tableOf(["To", "State", "Tries", "Reason"],
      sent.map((item) => [item.to, item.state.replace("_", " "), item.tries, item.reason])));
  }
  parts.push(make("h3", { text: "History" }), tableOf(["When", "What", ""],
    exam.audit.map((item) => [clock(item.at), item.event, item.detail])));
  return parts;
}

async function openExam(id) {
  list.open = id;
  try {
    const answer = await fetch(`/api/exams/${id}`, { cache: "no-store" });
    if (!answer.ok || list.open !== id) return;
    const exam = await answer.json();
    const shown = shownOf({ ...exam, now: 0 });
    const pane = byId("exam");
    if (pane.dataset.shown !== shown) {
      pane.dataset.shown = shown;
      pane.replaceChildren(...examParts(exam));
    }
    pane.hidden = false;
    document.body.classList.add("open");
  } catch {
    closeExam(); // the list says that the node does not answer
  }
}

function closeExam() {
  list.open = null;
  byId("exam").hidden = true;
  document.body.classList.remove("open");
  delete byId("exam").dataset.shown;
  if (list.chosen !== null) choose(list.chosen);
}

function openReport() {
  const exam = list.exams.find((item) => item.id === list.chosen);
  if (exam && exam.has_result) window.open(`/api/exams/${exam.id}/report`, "_blank", "noopener");
}

function toggleKeys() {
  const keys = byId("keys");
  keys.hidden = !keys.hidden;
  byId("keys-button").setAttribute("aria-expanded", String(!keys.hidden));
}

const KEYS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  g: () => step(-Infinity), Home: () => step(-Infinity), G: () => step(Infinity), End: () => step(Infinity),
  Enter: () => list.chosen !== null && openExam(list.chosen), o: openReport, Escape: closeExam,
  "/": () => byId("filter").focus(), "?": toggleKeys,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const target = event.target;
  if (target === byId("filter")) {
    if (event.key === "Escape") { target.value = ""; showList(); }
    if (event.key === "Escape" || event.key === "Enter") { target.blur(); choose(list.chosen); event.preventDefault(); }
    return;
  }
  if (target.closest("select, input, button, a, form") && event.key !== "Escape") return;
  const action = KEYS[event.key];
  if (action) { event.preventDefault(); action(); }
});
byId("filter").addEventListener("input", showList);
byId("hours").addEventListener("change", () => { list.etag = ""; list.known = null; });
byId("keys-button").addEventListener("click", toggleKeys);
setInterval(showAges, 10000);
ask();

// The operator's page: asks the API beside it every few seconds and shows what it says.
// Whatever comes from there is set as text, never as markup: account ids and statements are others' words.
"use strict";

const EVERY = 10_000;
const SCOPE = {401: "This token does not hold.", 403: "This token has not the scope for that."};
const DOES = {approve: "Approve", reject: "Reject", undo: "Undo", accepted: "Accept", declined: "Decline"};
const ABOUT = {wrong: "The account is an ordinary one", "lost-device": "A lost device", cannot: "None of the methods can be used", other: "Something else"};
const shown = new Map(); // what a part shows now, so that it is left alone while it stays the same
const limits = {campaigns: 25, decisions: 25, appeals: 25};
let timer = 0;

const $ = id => document.getElementById(id);
const number = value => value.toLocaleString("en");
const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const moment = text => text ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : "never";

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick" || key === "ontoggle") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null));
  return made;
}

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, body) {
  const headers = {authorization: `Bearer ${sessionStorage.getItem("token")}`};
  const options = body ? {method: "POST", headers: {...headers, "content-type": "application/json"}, body: JSON.stringify(body)} : {headers};
  let answer;
  try {
    answer = await fetch(path, {...options, cache: "no-store", credentials: "omit"});
  } catch {
    throw new Refused(0, "The service does not answer.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const {message, remedy} = told.error ?? {message: `It answered ${answer.status}.`, remedy: ""};
    throw new Refused(answer.status, SCOPE[answer.status] ?? `${message}. ${remedy}`);
  }
  return told;
}

// Fills a part of the page anew if what it is made of has changed; the keyboard stays where it was.
function fill(id, data, build) {
  const text = JSON.stringify(data);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  const place = $(id);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = new Set([...place.querySelectorAll("details[open]")].map(each => each.dataset.key));
  place.replaceChildren(...build(data));
  for (const each of place.querySelectorAll("details")) each.open = open.has(each.dataset.key);
  if (focused) [...place.querySelectorAll("[data-key]")].find(each => each.dataset.key === focused)?.focus();
}

function headline(status) {
  const {campaign, watch, accounts, exchanges} = status.campaigns;
  $("headline").textContent = campaign
    ? `${counted(campaign, "campaign")}, ${number(watch)} to watch`
    : watch ? `No campaign, ${number(watch)} to watch` : "No campaign is called";
  const acting = Object.entries(status.decisions?.in_force ?? {}).filter(([action, each]) => action !== "observe" && each.accounts);
  const does = acting.map(([action, each]) => `${action} for ${counted(each.accounts, "account")}`).join(", ");
  const dry = status.decisions?.dry_run_accounts ? " Some of it is a dry run, which asks nothing of gateways." : "";
  $("lede").textContent =
    (campaign ? `${counted(accounts, "account")} made ${counted(exchanges, "exchange")} in campaigns. ` : "") +
    (status.decisions === null ? "What is decided cannot be read now." : does ? `In force: ${does}.${dry}` : "Nothing is asked of anybody.");
}

function* figures(status) {
  const waiting = status.decisions?.by_status.pending ?? 0;
  const received = status.traffic.received;
  const told = [
    ["Exchanges judged", status.judge ? number(status.judge.seen) : "none", status.judge ? `up to ${moment(status.judge.until)}` : "nothing was judged yet"],
    ["Received since the start", received ? number(received.exchanges) : "–", received ? `${number(received.rejected)} could not be read` : "not by this process"],
    ["Wait for a person", number(waiting), waiting ? "approve or reject them below" : "nothing to approve"],
    ["Gates acted", number(status.gates.outcomes.reduce((sum, each) => sum + each.times, 0)), status.gates.last_at ? `last ${moment(status.gates.last_at)}` : "no gate has told anything"],
  ];
  for (const [name, value, small] of told) {
    yield make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, small)));
  }
}

function* traffic(hours) {
  if (!hours.length) { yield make("p", {class: "none"}, "Nothing has come in yet."); return; }
  const most = Math.max(...hours.map(each => each.exchanges), 1);
  const name = "http://www.w3.org/2000/svg";
  const chart = document.createElementNS(name, "svg");
  const total = hours.reduce((sum, each) => sum + each.exchanges, 0);
  const words = `${counted(total, "exchange")} in ${hours.length} hours, at most ${number(most)} in one.`;
  for (const [key, value] of [["class", "bars"], ["viewBox", `0 0 ${hours.length} 100`], ["preserveAspectRatio", "none"], ["role", "img"], ["aria-label", words]]) chart.setAttribute(key, value);
  hours.forEach((each, place) => {
    const bar = document.createElementNS(name, "rect");
    const height = 96 * each.exchanges / most;
    for (const [key, value] of [["x", place + .08], ["width", .84], ["y", 100 - height], ["height", height]]) bar.setAttribute(key, value);
    const title = document.createElementNS(name, "title");
    title.textContent = `${moment(each.hour)}: ${number(each.exchanges)}`;
    bar.append(title);
    chart.append(bar);
  });
  yield make("p", {class: "aside"}, words);
  yield chart;
  yield make("p", {class: "ends"}, make("span", {}, moment(hours[0].hour)), make("span", {}, moment(hours.at(-1).hour)));
}

function reasons(found) {
  const list = found.reasons.map(each => make("li", {},
    make("span", {class: "weight"}, `${each.llr > 0 ? "+" : "−"}${Math.abs(each.llr).toFixed(1)}`),
    make("p", {}, each.statement)));
  return make("div", {class: "reasons"}, list.length ? make("ul", {}, ...list) : make("p", {class: "none"}, "The judge wrote none down."));
}

function unfolding(key, words, load) {
  const inside = make("div", {});
  const made = make("details", {"data-key": key}, make("summary", {}, words), inside);
  made.ontoggle = async () => {
    if (!made.open || inside.hasChildNodes()) return;
    try { inside.replaceChildren(await load()); } catch (error) { inside.replaceChildren(make("p", {class: "refused"}, error.message)); }
  };
  return made;
}

function campaign(each) {
  const called = each.verdict === "campaign";
  return make("article", {class: "entry"},
    make("h3", {}, make("bdi", {}, each.summary), make("span", {class: `tag ${called ? "called" : "suspected"}`}, called ? "campaign" : "watch")),
    make("p", {class: "line"},
      make("code", {}, each.campaign_id),
      make("span", {}, make("b", {}, number(each.accounts)), " accounts"),
      make("span", {}, make("b", {}, number(each.exchanges)), " exchanges"),
      make("span", {}, "q ", make("b", {}, each.q_value.toPrecision(2))),
      make("span", {}, `last seen ${moment(each.last_seen)}`)),
    unfolding(`why-${each.campaign_id}`, "Why", async () => reasons(await ask(`v1/campaigns/${encodeURIComponent(each.campaign_id)}`))));
}

function decision(each) {
  const {id, status} = each;
  const may = status === "pending" ? ["approve", "reject"] : status === "in-force" ? ["undo"] : ["undone", "rejected"].includes(status) ? ["approve"] : [];
  const terms = [
    each.budget_per_hour ? `${number(each.budget_per_hour)} requests an hour together` : "",
    each.max_tokens ? `at most ${number(each.max_tokens)} tokens an answer` : "",
    each.verify_url ? `at ${each.verify_url}` : "",
  ].filter(Boolean).join(", ");
  const tag = {"in-force": "in-force", pending: "pending"}[status] ?? "ended";
  const by = each.ended_by ? `by ${each.ended_by}` : each.approved_by && status === "in-force" ? `approved by ${each.approved_by}` : "";
  return make("article", {class: "entry"},
    make("h3", {}, `${each.action[0].toUpperCase()}${each.action.slice(1)} ${counted(each.accounts, "account")}`,
      make("span", {class: `tag ${tag}`}, status.replace("-", " ")),
      each.dry_run ? make("span", {class: "tag ended"}, "dry run") : null),
    make("p", {class: "line"},
      make("code", {}, id), make("code", {}, each.campaign_id),
      make("bdi", {}, `rule ${each.rule}`),
      each.expires_at && status === "in-force" ? make("span", {}, `until ${moment(each.expires_at)}`) : null,
      by ? make("bdi", {}, by) : null),
    terms ? make("p", {class: "what"}, terms) : null,
    each.reason_codes.length ? make("p", {class: "what aside"}, `Because of ${each.reason_codes.join(", ")}`) : null,
    each.why ? make("p", {class: "what aside"}, make("bdi", {}, each.why)) : null,
    make("p", {class: "buttons"}, ...may.map(what => make("button", {
      type: "button", "data-key": `${what}-${id}`, "aria-label": `${DOES[what]} ${id}`, onclick: () => begin(what, each),
    }, DOES[what]))));
}

function listed(kind, build, none) {
  return function* ({items, total}) {
    if (!items.length) { yield make("p", {class: "none"}, none); return; }
    yield* items.map(build);
    if (total > items.length) {
      const grow = () => { limits[kind] = Math.min(limits[kind] * 4, 1000); refresh(); };
      yield make("button", {type: "button", class: "more", "data-key": `more-${kind}`, onclick: grow}, `Show more of ${number(total)}`);
    }
  };
}

function appeal(each) {
  const evidence = async () => {
    const {reasons: whole, account_reasons: own} = await ask(`v1/appeals/${encodeURIComponent(each.number)}`);
    return reasons({reasons: [...own, ...whole]});
  };
  return make("article", {class: "entry"},
    make("h3", {}, ABOUT[each.kind], make("span", {class: "tag pending"}, each.status)),
    make("p", {class: "line"},
      make("code", {}, each.number), make("bdi", {}, make("b", {}, each.account_id)),
      each.decision_id ? make("code", {}, each.decision_id) : null,
      make("span", {}, `sent ${moment(each.made_at)}, in ${each.language}`)),
    make("p", {class: "what"}, make("bdi", {}, each.text)),
    unfolding(`evidence-${each.number}`, "The evidence", evidence),
    make("p", {class: "buttons"}, ...["accepted", "declined"].map(what => make("button", {
      type: "button", "data-key": `${what}-${each.number}`, "aria-label": `${DOES[what]} ${each.number}`, onclick: () => beginAnswer(what, each),
    }, DOES[what]))));
}

// Appeals are for who may answer them: with another token there is nothing to show.
async function appeals() {
  try {
    const found = await ask(`v1/appeals?limit=${limits.appeals}`);
    fill("appeals", {items: found.appeals, total: found.total}, data => [...listed("appeals", appeal, "None is open.")(data)]);
    $("appealed").hidden = false;
  } catch (error) {
    if (error.status !== 403) throw error;
    $("appealed").hidden = true;
  }
}

function ledger(title, rows) {
  return make("div", {}, make("h3", {}, title),
    make("dl", {class: "ledger"}, ...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))));
}

function* health(status) {
  const {judge, sealing, gates, traffic: {received}} = status;
  yield ledger("Judge", judge ? [
    ["Last tick", moment(judge.at)], ["It took", `${judge.seconds.toFixed(1)} s`], ["Last judgement", moment(judge.judged_at)],
    ["Judgements", number(judge.judgements)], ["Policy", judge.policy_version ?? "none"],
  ] : [["Last tick", "never"]]);
  yield ledger("Receiving", [
    ...(received ? [["Waits to be sealed", `${number(Math.ceil(received.inbox_bytes / 1024))} KiB`], ["Account records", number(received.accounts)],
      ["Refused requests", number(Object.values(received.refused).reduce((sum, each) => sum + each, 0))]] : []),
    ...(sealing ? [["Sealed", number(sealing.exchanges)], ["Damaged files", number(sealing.set_aside)]] : []),
    ...(received || sealing ? [] : [["In this process", "no"]]),
  ]);
  yield ledger("What gates did", gates.outcomes.length
    ? gates.outcomes.map(each => [`${each.action}, ${each.outcome}`, number(each.times)]) : [["Outcomes", "none"]]);
  const past = gates.going_past;
  yield ledger("Past the gate", past
    ? [["Looked at until", moment(past.until)], ["Requests under a decision", number(past.logged)], ["Served without a ruling", number(past.unruled)]]
    : [["Looked at", "not yet"]]);
}

async function refresh() {
  clearTimeout(timer);
  try {
    const which = $("which").value ? `&status=${$("which").value}` : "";
    const status = await ask("v1/status");
    show(true);
    $("refused").textContent = "";
    $("version").textContent = status.version;
    $("refreshed").textContent = `as of ${moment(status.now)}`;
    headline(status);
    fill("troubles", status.troubles, told => told.map(each => make("p", {class: "trouble"}, make("b", {}, `${each.part}: `), make("bdi", {}, each.message))));
    fill("figures", {...status, now: 0, sealing: 0}, () => [...figures(status)]);
    fill("traffic", status.traffic.hours, hours => [...traffic(hours)]);
    fill("health", {...status, now: 0, troubles: 0}, () => [...health(status)]);
    const found = await ask(`v1/campaigns?limit=${limits.campaigns}`);
    fill("campaigns", {items: found.campaigns, total: found.total}, data => [...listed("campaigns", campaign, "None is called.")(data)]);
    const decided = await ask(`v1/decisions?limit=${limits.decisions}${which}`);
    fill("decisions", {items: decided.decisions, total: decided.total}, data => [...listed("decisions", decision, "None stand.")(data)]);
    await appeals();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401 || error.status === 403) { leave(error.message); return; }
    fill("troubles", error.message, message => [make("p", {class: "trouble"}, message)]);
  }
  if (sessionStorage.getItem("token") && !document.hidden) timer = setTimeout(refresh, EVERY);
}

function show(inside) {
  $("entry").hidden = inside;
  $("told").hidden = !inside;
  $("leave").hidden = !inside;
}

function leave(message = "") {
  clearTimeout(timer);
  sessionStorage.removeItem("token");
  shown.clear();
  for (const id of ["troubles", "figures", "traffic", "campaigns", "decisions", "appeals", "health"]) $(id).replaceChildren();
  show(false);
  $("refused").textContent = message;
  $("token").value = "";
  $("token").focus();
}

function begin(what, each) {
  $("say-title").textContent = `${DOES[what]} this decision?`;
  $("say-what").textContent = `${each.id}: ${each.action} for ${counted(each.accounts, "account")} of ${each.campaign_id}. ` +
    (what === "approve" ? "It comes into force at gateways within two seconds." : "The same is not decided again for 30 days.");
  $("one").hidden = what !== "undo";
  $("note-label").textContent = "Why, for who reads the audit log";
  open(what, `v1/decisions/${encodeURIComponent(each.id)}/${what}`);
}

function beginAnswer(what, each) {
  $("say-title").textContent = `${DOES[what]} this appeal?`;
  $("say-what").textContent = `${each.number}: ` +
    (what === "accepted" ? "undo the decision for the account as well; this answers its person and changes nothing else." : "its person reads the answer; what was decided stays.");
  $("one").hidden = true;
  $("note-label").textContent = "The answer, which its person reads";
  open(what, `v1/appeals/${encodeURIComponent(each.number)}/answer`);
}

function open(what, path) {
  $("say").dataset.what = what;
  $("say").dataset.path = path;
  $("account").value = $("note").value = $("unsaid").textContent = "";
  $("by").value = sessionStorage.getItem("by") ?? "";
  $("do").textContent = DOES[what];
  $("say").showModal();
}

$("saying").addEventListener("submit", async event => {
  event.preventDefault();
  const {what, path} = $("say").dataset;
  const account = what === "undo" && $("account").value.trim() ? {account: $("account").value.trim()} : {};
  $("do").disabled = true;
  try {
    const said = path.endsWith("/answer") ? {status: what, answer: $("note").value} : {note: $("note").value, ...account};
    await ask(path, {by: $("by").value, ...said});
    sessionStorage.setItem("by", $("by").value);
    $("say").close();
    await refresh();
  } catch (error) {
    $("unsaid").textContent = error.message;
  } finally {
    $("do").disabled = false;
  }
});
$("dismiss").addEventListener("click", () => $("say").close());
$("enter").addEventListener("submit", event => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value.trim());
  refresh();
});
$("leave").addEventListener("click", () => leave());
$("which").addEventListener("change", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden && sessionStorage.getItem("token")) refresh(); });
if (sessionStorage.getItem("token")) refresh();
else show(false);

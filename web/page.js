// The sale page: a countdown by the server's clock, one button, and the order's way to its end.

const THROTTLE_MS = 300;
const REST_MAX_MS = 15000;
const WAIT_MS = 10000;
const TICK_MS = 50;
const REFRESH_MS = 10000;
const PAGES_MAX = 20;
const DAY_MS = 86400000;

const at = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

let sale = null;
let clock = { offsetMs: 0, errorMs: Infinity };
let busy = false;
let restsUntilMs = 0;
const tokens = new Map();

const serverNow = () => Date.now() + clock.offsetMs;

/** A refusal of the server: a problem object, see docs/protocol.md. */
class Refusal extends Error {
  constructor(problem) {
    super(problem.title);
    this.code = problem.code;
    this.retryAfterMs = problem.retry_after_ms ?? 0;
  }
}

class NoAnswer extends Error {}

async function ask(url, options = {}) {
  let response;
  let body;
  try {
    response = await fetch(url, { cache: "no-store", ...options });
    body = await response.json();
  } catch {
    throw new NoAnswer("The server does not answer.");
  }
  if (!response.ok) throw new Refusal(body);
  return { status: response.status, headers: response.headers, body };
}

function post(url, body, headers = {}) {
  return ask(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

function money(minor, currency) {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(minor / 10 ** digits);
}

function duration(ms) {
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const seconds = Math.floor(ms / 1000) % 60;
  const minutes = Math.floor(ms / 60000) % 60;
  const hours = Math.floor(ms / 3600000) % 24;
  const days = Math.floor(ms / DAY_MS);
  const time = `${pad(hours)}:${pad(minutes)}:${pad(seconds)}`;
  return days > 0 ? `${days} d ${time}` : `${time}.${pad(Math.floor(ms % 1000), 3)}`;
}

function say(text, mood = "") {
  at("answer").textContent = text;
  at("answer").className = mood;
}

// The offset is taken from the middle of the round trip, so that it is off by half of it at most;
// of several readings the most exact counts. A clock that was set meanwhile makes the earlier void.
function setClock(serverMs, askedMs, answeredMs) {
  const reading = {
    offsetMs: serverMs - (askedMs + answeredMs) / 2,
    errorMs: (answeredMs - askedMs) / 2,
  };
  const apart = Math.abs(reading.offsetMs - clock.offsetMs);
  if (reading.errorMs <= clock.errorMs || apart > reading.errorMs + clock.errorMs) clock = reading;
}

// Sales, and what time it is where they come from.
async function askSales(url) {
  const asked = Date.now();
  const { headers, body } = await ask(url);
  setClock(Number(headers.get("Server-Time-Ms")), asked, Date.now());
  return body;
}

// The newest sale that is open; if none is, the newest one.
async function offered() {
  let newest;
  let cursor = "";
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const body = await askSales(`/v1/sales${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
    newest ??= body.sales[0];
    const open = body.sales.find((one) => one.phase === "open");
    if (open) return open;
    cursor = body.next_cursor;
    if (!cursor) break;
  }
  return newest;
}

async function load() {
  const wanted = new URLSearchParams(location.search).get("sale") ?? sale?.sale_id;
  const next = wanted ? await askSales(`/v1/sales/${encodeURIComponent(wanted)}`) : await offered();
  if (!next) throw new Error("There is no sale at the moment.");
  sale = next;
  document.title = sale.title;
  at("title").textContent = sale.title;
  at("description").textContent = sale.description;
  at("price").textContent = money(sale.unit_price_minor, sale.currency);
  at("quantity").max = sale.limit_per_order;
  at("quantity-field").hidden = sale.limit_per_order === 1;
  tick();
}

function tick() {
  if (!sale) return;
  const now = serverNow();
  const started = sale.starts_at_ms <= now;
  const leftMs = (started ? sale.ends_at_ms : sale.starts_at_ms) - now;
  const held = sale.phase === "paused" || sale.phase === "closed";
  const running = started && leftMs > 0 && !held;
  at("clock-label").textContent =
    held ? `The sale is ${sale.phase}.` :
      !started ? "Starts in" : running ? "Ends in" : "The sale is over.";
  at("clock").textContent = !held && leftMs > 0 ? duration(leftMs) : "";
  at("buy").disabled = busy || !running || Date.now() < restsUntilMs;
  at("buy").textContent = busy ? "One moment…" : "Buy";
}

async function headersOf(user) {
  if (!tokens.has(user)) {
    try {
      const { body } = await post("/demo/token", { user });
      tokens.set(user, body.token);
    } catch (error) {
      if (error.code !== "not_found") throw error;
      throw new Error("Buying from this page needs a demonstration server; a shop signs you in.");
    }
  }
  return { Authorization: `Bearer ${tokens.get(user)}` };
}

function show(order) {
  at("order").hidden = false;
  at("order-id").textContent = order.order_id;
  at("order-status").textContent = order.status + (order.reason ? ` (${order.reason})` : "");
  at("order-status").className = order.status;
  at("order-quantity").textContent = order.quantity;
  at("order-amount").textContent = money(order.quantity * sale.unit_price_minor, sale.currency);
  at("pay-by-label").hidden = at("order-pay-by").hidden = !order.pay_by;
  at("order-pay-by").textContent = order.pay_by ? new Date(order.pay_by).toLocaleString() : "";
}

/**
 * Asks until the order is decided; a question that fails is asked again. An order that must be paid
 * is asked for once at least: only then is it told until when.
 */
async function decided(order, headers) {
  const url = `/v1/sales/${sale.sale_id}/orders/${order.order_id}?wait=${WAIT_MS}`;
  let untold = sale.pay_within_ms > 0;
  while (order.status === "queued" || untold) {
    if (order.status === "queued") {
      say("Queued: your units are held, the order is being written.");
    }
    try {
      order = (await ask(url, { headers })).body;
      untold = false;
    } catch (error) {
      if (!(error instanceof NoAnswer) && !error.retryAfterMs) throw error;
      await sleep(error.retryAfterMs || 1000);
    }
    show(order);
  }
  return order;
}

async function buy() {
  const user = at("user").value;
  const headers = await headersOf(user);
  const url = `/v1/sales/${sale.sale_id}/orders`;
  const { status, body } = await post(url, { quantity: at("quantity").valueAsNumber }, headers)
    .catch((error) => {
      if (error.code === "expired_token") tokens.delete(user);
      throw error;
    });
  show(body);
  const order = await decided(body, headers);
  if (order.status !== "confirmed" && order.status !== "paid") {
    say(`The order was ${order.status === "expired" ? "not paid in time" : order.status}.`, "no");
  } else if (status === 200) {
    say("You have this order already; nothing more was bought.", "yes");
  } else {
    say(order.pay_by ? "It is held for you until it has to be paid." : "It is yours.", "yes");
  }
}

/** Tells what went wrong, and keeps the button from asking before the server wants to be asked. */
function explain(error) {
  if (error instanceof NoAnswer) {
    return say("The server does not answer. Press again: nothing is bought twice.", "no");
  }
  // The sale has changed since this page last looked.
  if (error.code?.startsWith("sale_")) load().catch(() => {});
  if (!error.retryAfterMs) return say(error.message, "no");
  restsUntilMs = Date.now() + Math.min(error.retryAfterMs, REST_MAX_MS);
  say(`${error.message} (in ${Math.ceil(error.retryAfterMs / 1000)} s)`, "no");
}

at("purchase").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (at("buy").disabled) return;
  busy = true;
  tick();
  localStorage.setItem("user", at("user").value);
  const pressed = performance.now();
  try {
    await buy();
  } catch (error) {
    explain(error);
  }
  // The button rests for the throttle even when the answer came at once.
  await sleep(Math.max(0, pressed + THROTTLE_MS - performance.now()));
  busy = false;
  tick();
});

async function keepFresh() {
  for (;;) {
    try {
      await load();
    } catch (error) {
      // Once there is a sale to show, a failed refresh is no news.
      if (!sale) say(error.message, "no");
    }
    // Spread, so that pages opened together do not ask together.
    await sleep(sale ? REFRESH_MS * (0.75 + Math.random() / 2) : 1000 + Math.random() * 1000);
    if (sale && document.hidden) await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
    });
    if (!sale) say("");
  }
}

at("user").value =
  localStorage.getItem("user") ?? `guest-${Math.random().toString(36).slice(2, 8)}`;
setInterval(tick, TICK_MS);
keepFresh();

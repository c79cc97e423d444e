// The sale page: a countdown by the server's clock, one button, and the order's way to its end.

const THROTTLE_MS = 300;
const WAIT_MS = 10000;
const TICK_MS = 50;

const at = (id) => document.getElementById(id);

let sale = null;
let clockOffsetMs = 0;
let lastPressMs = 0;
let busy = false;
const tokens = new Map();

const serverNow = () => Date.now() + clockOffsetMs;

function money(minor, currency) {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(minor / 10 ** digits);
}

function duration(ms) {
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const seconds = Math.floor(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  return `${pad(hours)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}` +
    `.${pad(Math.floor(ms % 1000), 3)}`;
}

function say(text, isNo = false) {
  at("answer").textContent = text;
  at("answer").classList.toggle("no", isNo);
}

// The offset is taken from the middle of the round trip, so that it is off by half of it at most.
async function load() {
  const wanted = new URLSearchParams(location.search).get("sale");
  const asked = Date.now();
  const response = await fetch(wanted ? `/v1/sales/${encodeURIComponent(wanted)}` : "/v1/sales");
  const answered = Date.now();
  const body = await response.json();
  if (!response.ok) throw new Error(body.title);
  clockOffsetMs = body.server_time_ms - (asked + answered) / 2;
  sale = wanted ? body : body.sales.find((one) => one.phase === "open") ?? body.sales[0];
  if (!sale) throw new Error("There is no sale at the moment.");
  at("title").textContent = sale.title;
  at("description").textContent = sale.description;
  at("price").textContent = money(sale.unit_price_minor, sale.currency);
  at("quantity").max = sale.limit_per_order;
}

function tick() {
  if (!sale) return;
  const now = serverNow();
  const left = sale.starts_at_ms > now ? sale.starts_at_ms - now : sale.ends_at_ms - now;
  const started = sale.starts_at_ms <= now;
  const held = sale.phase === "paused" || sale.phase === "closed";
  const running = started && left > 0 && !held;
  at("clock-label").textContent =
    held ? `The sale is ${sale.phase}.` :
      !started ? "Starts in" : running ? "Ends in" : "The sale is over.";
  at("clock").textContent = !held && left > 0 ? duration(left) : "";
  at("buy").disabled = busy || !running;
}

async function tokenOf(user) {
  if (!tokens.has(user)) {
    const response = await fetch("/demo/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user }),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(body.title);
    tokens.set(user, body.token);
  }
  return tokens.get(user);
}

function show(order) {
  at("order").hidden = false;
  at("order-id").textContent = order.order_id;
  at("order-status").textContent = order.status + (order.reason ? ` (${order.reason})` : "");
  at("order-amount").textContent = money(order.quantity * sale.unit_price_minor, sale.currency);
}

async function follow(order, headers) {
  const url = `/v1/sales/${sale.sale_id}/orders/${order.order_id}?wait=${WAIT_MS}`;
  while (order.status === "queued") {
    say("Queued: your units are held, the order is being written.");
    const response = await fetch(url, { headers });
    const body = await response.json();
    if (!response.ok) throw new Error(body.title);
    order = body;
    show(order);
  }
  const sold = order.status === "confirmed" || order.status === "paid";
  say(sold ? "It is yours." : "The order was rejected.", !sold);
}

async function buy() {
  const headers = { Authorization: `Bearer ${await tokenOf(at("user").value)}` };
  const response = await fetch(`/v1/sales/${sale.sale_id}/orders`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({ quantity: at("quantity").valueAsNumber }),
  });
  const body = await response.json();
  if (!response.ok) return say(body.title, true);
  if (response.status === 200) say("You have an order already.");
  show(body);
  await follow(body, headers);
}

at("purchase").addEventListener("submit", async (event) => {
  event.preventDefault();
  const now = performance.now();
  if (busy || now - lastPressMs < THROTTLE_MS) return;
  lastPressMs = now;
  busy = true;
  tick();
  try {
    await buy();
  } catch (error) {
    say(error.message, true);
  }
  // The button rests for the throttle even when the answer came at once.
  setTimeout(() => { busy = false; tick(); }, THROTTLE_MS);
});

at("user").value = `guest-${Math.random().toString(36).slice(2, 8)}`;
load().catch((error) => say(error.message, true));
setInterval(tick, TICK_MS);

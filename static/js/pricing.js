// The calculator, live: the same integers and the same rounding as on the server.
const form = document.getElementById("workload");
const fields = ["input", "cached", "output", "requests"].map((name) => form.elements[name]);
const sort = document.getElementById("sort-by-cost");

function read() {
  if (fields.some((field) => !/^\d+$/.test(field.value.trim()) || !field.checkValidity())) return null;
  const [input, percent, output, requests] = fields.map((field) => BigInt(field.value.trim()));
  return { input, cached: (input * percent) / 100n, output, requests };
}

function charge({ input, cached, output }, [inputPrice, cachedPrice, outputPrice]) {
  const sum = (input - cached) * inputPrice + cached * cachedPrice + output * outputPrice;
  return (sum + 999n) / 1000n; // nano-dollars, rounded up once
}

// As the server writes amounts: two decimals from a dollar on, four below, all of them below a cent.
function format(nanos) {
  const whole = nanos / 1000000000n;
  const digits = (nanos % 1000000000n).toString().padStart(9, "0");
  if (nanos && nanos < 10000000n) return `$${whole}.${digits}`.replace(/0+$/, "");
  const places = nanos >= 1000000000n || !nanos ? 2 : 4;
  const unit = 10n ** BigInt(9 - places);
  let rounded = nanos / unit;
  const rest = (nanos % unit) * 2n;
  if (rest > unit || (rest === unit && rounded % 2n)) rounded += 1n;
  const text = rounded.toString().padStart(places + 1, "0");
  const dollars = text.slice(0, -places).replace(/\B(?=(\d{3})+$)/g, ",");
  return `$${dollars}.${text.slice(-places)}`;
}

function show() {
  const workload = read();
  for (const row of document.querySelectorAll("[data-prices]")) {
    const request = workload && charge(workload, row.dataset.prices.split(" ").map(BigInt));
    const sums = workload && { request, day: request * workload.requests, month: request * workload.requests * 30n };
    for (const cell of row.querySelectorAll("[data-sum]")) {
      (cell.querySelector("b") ?? cell).textContent = sums ? format(sums[cell.dataset.sum]) : "–";
    }
  }
  if (!workload) return;
  const address = new URLSearchParams(new FormData(form));
  history.replaceState(null, "", `?${address}`);
  const isSorted = address.get("sort") === "cost";
  address[isSorted ? "delete" : "set"]("sort", "cost");
  sort.href = `?${address}`;
}

form.addEventListener("input", show);

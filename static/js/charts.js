// Draws each data-chart as stacked bars, in the colours of the tokens; again when the theme or the width changes.
const drawn = new Map();

function resolve(box, number) {
  return getComputedStyle(box.closest(".chart").querySelector(`.series-${number}`)).fill;
}

// Sums from the last series up: each bar is drawn over the one that holds it.
function stack({ labels, series }) {
  const sums = [];
  let below = labels.map(() => 0);
  for (const { values } of series) {
    below = values.map((value, place) => value + below[place]);
    sums.unshift(below);
  }
  return sums;
}

function dollars(nanos, places) {
  const amount = nanos / 1e9;
  if (places === undefined) places = amount && amount < 0.01 ? 6 : amount < 1 ? 4 : 2;
  return "$" + amount.toFixed(places);
}

// As many as tell the marks of an axis apart without rounding: its step may be $0.00025.
function placesOf(step) {
  let places = step % 1e9 ? 2 : 0;
  while (places < 9 && Math.round(step) % 10 ** (9 - places)) places += 1;
  return places;
}

function words(measure, value, step) {
  if (measure !== "usd") return value.toLocaleString("en");
  return dollars(value, step && placesOf(step));
}

// What the marks of the axis of amounts take, so that none is cut; uPlot asks before it knows them, too.
function widthOf(plot, marks, index) {
  plot.ctx.font = plot.axes[index].font[0];
  const widths = (marks ?? []).map((mark) => plot.ctx.measureText(mark).width / devicePixelRatio);
  return Math.ceil(Math.max(62, ...widths.map((width) => width + 10)));
}

function describe({ measure, labels, series }, place) {
  const parts = series.filter(({ values }) => values[place]);
  const sum = parts.reduce((total, { values }) => total + values[place], 0);
  const named = parts.map(({ name, values }) => `${name} ${words(measure, values[place])}`);
  return `${labels[place]}: ${words(measure, sum)}${named.length > 1 ? ` (${named.join(", ")})` : ""}`;
}

function options(box, chart) {
  const style = getComputedStyle(box);
  const [ink, line, font] = [style.color, style.borderTopColor, `${style.fontSize} ${style.fontFamily}`];
  const readout = box.parentElement.querySelector(".readout");
  const axis = { stroke: ink, font, ticks: { show: false } };
  const every = Math.max(1, Math.ceil((chart.labels.length * 64) / Math.max(box.clientWidth - 60, 64)));
  const fill = (number) => () => resolve(box, number);
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [8, 4, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.6, chart.labels.length - 0.4] },
      y: { range: (plot, least, most) => [0, (most || 1) * 1.08] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        gap: 8,
        grid: { show: false },
        splits: () => chart.labels.map((label, place) => place).filter((place) => place % every === 0),
        values: (plot, places) => places.map((place) => chart.labels[place]),
      },
      {
        ...axis,
        size: widthOf,
        grid: { stroke: line, width: 1 },
        incrs: chart.measure === "usd" ? undefined : [1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e5, 1e6],
        values: (plot, values, index, space, step) => values.map((value) => words(chart.measure, value, step)),
      },
    ],
    series: [
      {},
      ...[...chart.series].reverse().map(({ name, number }) => ({
        label: name,
        fill: fill(number),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.72, 36] }),
      })),
    ],
    hooks: {
      setCursor: [({ cursor: { idx } }) => (readout.textContent = idx == null ? "" : describe(chart, idx))],
    },
  };
}

function draw(box) {
  drawn.get(box)?.destroy();
  const chart = JSON.parse(box.dataset.chart);
  if (!chart.series.length || !box.clientWidth) return;
  drawn.set(box, new uPlot(options(box, chart), [chart.labels.map((label, place) => place), ...stack(chart)], box));
}

function drawAll() {
  for (const box of document.querySelectorAll("[data-chart]")) draw(box);
}

const watch = new ResizeObserver((entries) => {
  for (const { target } of entries) if (drawn.get(target)?.width !== target.clientWidth) draw(target);
});

// Charts that were swapped out of the page go with what watches them.
function begin() {
  for (const [box, plot] of drawn) {
    if (box.isConnected) continue;
    plot.destroy();
    watch.unobserve(box);
    drawn.delete(box);
  }
  for (const box of document.querySelectorAll("[data-chart]")) watch.observe(box);
}

begin();
document.addEventListener("htmx:afterSwap", begin);
document.addEventListener("themechange", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

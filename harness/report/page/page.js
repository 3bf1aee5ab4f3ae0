"use strict";
const panels = JSON.parse(document.getElementById("panels").textContent);
const tip = document.getElementById("tip");

// ---- Tables: a click on a heading sorts; blanks stay last either way. ----
for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll("th").forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (row) => {
        const cell = row.cells[column];
        if (cell.classList.contains("text")) return cell.textContent.toLowerCase();
        return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
        return descending ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}

// ---- R-D chart: one panel at a time, drawn as SVG. ----
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 760, HEIGHT = 470, LEFT = 64, RIGHT = 14, TOP = 14, BOTTOM = 50;
const DASH = "7 4";

function element(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function polygon(sides, radius, turn = 0) {
  const corners = [...Array(sides).keys()].map((k) => {
    const angle = turn + (2 * Math.PI * k) / sides - Math.PI / 2;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return `M${corners.map((c) => c.map((v) => v.toFixed(2)).join(" ")).join("L")}Z`;
}

function plus(radius) {
  const a = radius / 3;
  return `M${-a} ${-radius}H${a}V${-a}H${radius}V${a}H${a}V${radius}H${-a}V${a}H${-radius}V${-a}H${-a}Z`;
}

function star(radius) {
  const corners = [...Array(10).keys()].map((k) => {
    const r = k % 2 ? radius * 0.42 : radius;
    const angle = (Math.PI * k) / 5 - Math.PI / 2;
    return `${(r * Math.cos(angle)).toFixed(2)} ${(r * Math.sin(angle)).toFixed(2)}`;
  });
  return `M${corners.join("L")}Z`;
}

const MARKERS = {
  o: (r) => `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`,
  s: (r) => polygon(4, r * 1.25, Math.PI / 4),
  D: (r) => polygon(4, r * 1.25),
  "^": (r) => polygon(3, r * 1.3),
  v: (r) => polygon(3, r * 1.3, Math.PI),
  "<": (r) => polygon(3, r * 1.3, -Math.PI / 2),
  ">": (r) => polygon(3, r * 1.3, Math.PI / 2),
  p: (r) => polygon(5, r * 1.15),
  h: (r) => polygon(6, r * 1.15),
  P: (r) => plus(r * 1.2),
  X: (r) => plus(r * 1.2),
  "*": (r) => star(r * 1.4),
};

function marker(line, radius, parent) {
  return element("path", {
    d: MARKERS[line.marker](radius),
    fill: line.classical ? "#fff" : line.color,
    stroke: line.classical ? line.color : "#fff",
    "stroke-width": line.classical ? 1.6 : 0.7,
    transform: line.marker === "X" ? "rotate(45)" : "",
  }, parent);
}

const scales = {
  linear: { to: (v) => v, from: (t) => t, ticks: linearTicks },
  log: { to: Math.log10, from: (t) => 10 ** t, ticks: logTicks },
  // MS-SSIM is spaced as its decibels where it nears 1, as in the figures.
  decibel: {
    to: (v) => -Math.log10(Math.max(1 - v, 1e-6)),
    from: (t) => 1 - 10 ** -t,
    ticks: (low, high) => [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999]
      .filter((v) => v >= low && v <= high),
  },
};

function linearTicks(low, high) {
  const rough = (high - low) / 6 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) {
    for (const m of [1, 2, 5]) ticks.push(Number((m * 10 ** e).toPrecision(6)));
  }
  return ticks.filter((v) => v >= low && v <= high);
}

function axis(values, scale, start, end) {
  const ends = [Math.min(...values), Math.max(...values)].map(scale.to);
  const margin = (ends[1] - ends[0] || 1) * 0.05;
  const low = ends[0] - margin, high = ends[1] + margin;
  const place = (v) => start + ((scale.to(v) - low) / (high - low)) * (end - start);
  return { place, ticks: scale.ticks(scale.from(low), scale.from(high)) };
}

function draw(panel, hidden, isLog, plot) {
  plot.replaceChildren();
  const shown = panel.lines.filter((line) => !hidden.has(line.codec));
  const points = (shown.length ? shown : panel.lines).flatMap((line) => line.points);
  const x = axis(points.map((p) => p.bpp), isLog ? scales.log : scales.linear, LEFT, WIDTH - RIGHT);
  const y = axis(points.map((p) => p.quality), scales[panel.scale], HEIGHT - BOTTOM, TOP);
  for (const tick of x.ticks) {
    element("line", { class: "grid", x1: x.place(tick), x2: x.place(tick), y1: TOP, y2: HEIGHT - BOTTOM }, plot);
    element("text", { x: x.place(tick), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, plot, tick);
  }
  for (const tick of y.ticks) {
    element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y.place(tick), y2: y.place(tick) }, plot);
    element("text", { x: LEFT - 8, y: y.place(tick) + 4, "text-anchor": "end" }, plot, tick);
  }
  element("path", { class: "axis", fill: "none", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }, plot);
  element("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 10, "text-anchor": "middle" }, plot, "Bitrate (bpp)");
  element("text", { transform: `translate(16 ${(HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, plot, panel.label);
  for (const line of [...shown].reverse()) {
    const path = line.points.map((p) => `${x.place(p.bpp).toFixed(1)} ${y.place(p.quality).toFixed(1)}`).join("L");
    element("path", { d: `M${path}`, fill: "none", stroke: line.color, "stroke-width": 2,
      "stroke-dasharray": line.classical ? DASH : "none" }, plot);
    for (const point of line.points) {
      const group = element("g", { transform: `translate(${x.place(point.bpp)} ${y.place(point.quality)})` }, plot);
      marker(line, 4.2, group);
      const target = element("circle", { r: 11, fill: "transparent" }, group);
      target.addEventListener("pointerenter", (event) => showTip(event, panel, line, point));
      target.addEventListener("pointerleave", () => { tip.hidden = true; });
    }
  }
}

function showTip(event, panel, line, point) {
  tip.textContent = `${line.title}, ${point.rate}\n${point.bpp.toFixed(4)} bpp\n${panel.title} ${point.quality.toFixed(panel.decimals)}`;
  tip.hidden = false;
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(8, event.clientY - tip.offsetHeight - 10)}px`;
}

function legend(panel, hidden, list, redraw) {
  list.replaceChildren();
  for (const line of panel.lines) {
    const button = document.createElement("button");
    button.type = "button";
    const key = element("svg", { width: 38, height: 16, viewBox: "-19 -8 38 16" }, button);
    element("line", { x1: -18, x2: 18, stroke: line.color, "stroke-width": 2,
      "stroke-dasharray": line.classical ? DASH : "none" }, key);
    marker(line, 4.2, key);
    button.append(line.title);
    button.setAttribute("aria-pressed", String(!hidden.has(line.codec)));
    button.addEventListener("click", () => {
      if (!hidden.delete(line.codec)) hidden.add(line.codec);
      redraw();
    });
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
  }
}

const chart = document.getElementById("chart");
if (chart) {
  const choose = chart.querySelector("select");
  const log = chart.querySelector("input");
  const plot = chart.querySelector("svg");
  const list = chart.querySelector("ul");
  const notes = chart.querySelector(".remarks");
  const hidden = new Set();
  panels.forEach((panel, k) => choose.add(new Option(panel.name, k)));
  const redraw = () => {
    const panel = panels[choose.value];
    draw(panel, hidden, log.checked, plot);
    legend(panel, hidden, list, redraw);
    notes.textContent = panel.notes.join("; ");
  };
  choose.addEventListener("change", () => { log.checked = panels[choose.value].log; redraw(); });
  log.addEventListener("change", redraw);
  log.checked = panels[0].log;
  redraw();
}

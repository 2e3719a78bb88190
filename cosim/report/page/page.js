"use strict";
(() => {
const COLOURS = ["#3b82d0", "#d9742b", "#2f9e55", "#c94a4a", "#8e63c7", "#9a6b4f", "#cf5fa8",
  "#7f8790", "#a3a021", "#1f9fb0"];
const FIRST_SHOWN = 12, MOST_LISTED = 200, PANEL_HEIGHT = 230, NO_VALUE = 65535;
const REST_MILLISECOND = 150;
const PREFIXES = ["y", "z", "a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P"];
const kept = new Map();  // by run: what a viewer has chosen, for a live page's next state
let runs = [];

const make = (tag, parent, text, attributes) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  if (parent) parent.append(node);
  return node;
};
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function engineering(value, unit, digits) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  if (value === 0) return "0 " + unit;
  const power = Math.max(-8, Math.min(5, Math.floor(Math.log10(Math.abs(value)) / 3)));
  const scaled = value / Math.pow(1000, power);
  return +scaled.toPrecision(digits || 5) + " " + PREFIXES[power + 8] + unit;
}

function digits(splits) {  // as many as tell neighbouring ticks apart
  const step = Math.abs(splits[1] - splits[0]), most = Math.max(...splits.map(Math.abs));
  return step > 0 ? Math.min(Math.max(Math.ceil(Math.log10(most / step)) + 2, 4), 15) : 4;
}

// -- waveforms as they are packed (cosim.report.page.packing) --------------------------------------

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function unpack(signal, kind) {
  const buffer = await inflated(signal.data);
  if (kind === "f4") return Float32Array.from(new Float32Array(buffer));
  const bytes = new Uint8Array(buffer), count = bytes.length / 2, values = new Float64Array(count);
  const step = (signal.high - signal.low || 1) / (NO_VALUE - 1);
  for (let i = 0, sum = 0; i < count; i++) {
    sum = (sum + bytes[i] + (bytes[count + i] << 8)) & 0xffff;
    values[i] = sum === NO_VALUE ? NaN : signal.low + sum * step;
  }
  return values;
}

// A level has the lowest and the highest value of each group of `size` points, in their order.
function level(values, size) {
  const groups = Math.ceil(values.length / size), out = new Array(2 * groups);
  for (let g = 0; g < groups; g++) {
    let low = null, high = null, lowAt = 0, highAt = 0;
    for (let i = g * size, end = Math.min(i + size, values.length); i < end; i++) {
      const value = values[i];
      if (value !== value) continue;
      if (low === null || value < low) { low = value; lowAt = i; }
      if (high === null || value > high) { high = value; highAt = i; }
    }
    out[2 * g] = lowAt <= highAt ? low : high;
    out[2 * g + 1] = lowAt <= highAt ? high : low;
  }
  return out;
}
const gaps = values => Array.from(values, value => (value === value ? value : null));

class Table {  // signals on one time base
  constructor(packed) {
    Object.assign(this, {title: packed.title, kind: packed.kind, bin: packed.bin,
      band: packed.band || false});  // whose first two signals are the borders of a band
    this.points = packed.points;
    this.packedTimes = packed.times;
    this.signals = packed.signals;
    this.cache = new Map();
  }
  async load(names) {
    if (!this.times) this.times = new Float64Array(await inflated(this.packedTimes));
    await Promise.all(names.map(async index => {
      const signal = this.signals[index];
      if (!signal.values) signal.values = await unpack(signal, this.kind);
    }));
  }
  at(size) {  // times of a level
    return this.cached("t" + size, () => {
      if (size === 1) return Array.from(this.times);
      const groups = Math.ceil(this.times.length / size), out = new Array(2 * groups);
      for (let g = 0; g < groups; g++) {
        out[2 * g] = this.times[g * size];
        out[2 * g + 1] = this.times[Math.min(g * size + (size >> 1), this.times.length - 1)];
      }
      return out;
    });
  }
  values(index, size) {
    const values = this.signals[index].values;
    return this.cached(index + "/" + size, () => (size === 1 ? gaps(values) : level(values, size)));
  }
  cached(key, compute) {
    if (!this.cache.has(key)) this.cache.set(key, compute());
    return this.cache.get(key);
  }
  index(second) {  // of the first point not before
    let low = 0, high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < second) low = middle + 1; else high = middle;
    }
    return low;
  }
  reading(index, second) {  // interpolated
    const values = this.signals[index].values;
    if (second === null || !values) return null;
    const i = Math.min(Math.max(this.index(second), 1), this.times.length - 1);
    const t0 = this.times[i - 1], t1 = this.times[i];
    if (i < 1 || t1 === undefined) return values[0];
    const part = t1 > t0 ? Math.min(Math.max((second - t0) / (t1 - t0), 0), 1) : 1;
    return values[i - 1] + part * (values[i] - values[i - 1]);
  }
}

// -- one run ---------------------------------------------------------------------------------------

class Run {
  constructor(section, data, number) {
    this.section = section;
    this.data = data;
    this.panelsNode = section.querySelector(".panels");
    this.side = section.querySelector(".signals");
    this.key = number + ":" + data.title;
    this.state = kept.get(this.key) || {member: 0, chosen: null, range: null, a: null, b: null,
      filter: ""};
    kept.set(this.key, this.state);
    this.panels = [];
    this.pointer = null;
    if (this.panelsNode) this.waves();
    this.diagram();
    if (data.cloud) cloud(section.querySelector(".cloud"), data.cloud);
  }
  async waves() {
    const all = this.data.waves, state = this.state;
    state.member = Math.min(state.member, all.length - 1);
    this.tables = all[state.member].tables.map(packed => new Table(packed));
    this.list = this.tables.flatMap((table, t) => table.signals.map((signal, index) => ({
      id: table.title + "/" + signal.name, table, index, name: signal.name, unit: signal.unit,
      about: signal.about, label: table.title ? table.title + ": " + signal.name : signal.name,
    })));
    const places = new Map();  // in its panel, so that neighbours differ
    for (const one of this.list) {
      const key = one.table.title + "/" + one.unit;
      one.place = places.get(key) || 0;
      places.set(key, one.place + 1);
    }
    if (!state.chosen) state.chosen = new Set(this.first());
    this.buildSide();
    this.buildKeys();
    await this.show();
  }
  first() {  // a dozen of each unit, of the first table
    const counts = new Map(), found = [];
    for (const one of this.list) {
      const count = counts.get(one.unit) || 0;
      if (one.table.band) { found.push(one.id); continue; }
      if (one.table.title || count >= FIRST_SHOWN || counts.size > 6) continue;
      counts.set(one.unit, count + 1);
      found.push(one.id);
    }
    return found;
  }
  async show() {
    const token = this.token = {};
    const shown = this.list.filter(one => this.state.chosen.has(one.id));
    for (const table of this.tables)
      await table.load(shown.filter(one => one.table === table).map(one => one.index));
    if (token !== this.token) return;  // another choice came in between
    const groups = new Map();
    shown.forEach(one => {
      const key = one.table.title + "/" + one.unit;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(one);
    });
    let first = Infinity, last = -Infinity;
    for (const one of shown) {
      const times = one.table.times;
      if (times.length) { first = Math.min(first, times[0]);
        last = Math.max(last, times[times.length - 1]); }
    }
    if (!(last > first)) { const t = isFinite(first) ? first : 0; first = t - 1e-9; last = t + 1e-9; }
    this.full = [first, last];
    this.panels.forEach(panel => panel.plot.destroy());
    this.panelsNode.replaceChildren();
    if (!shown.length) make("p", this.panelsNode, "No signals are chosen, or there are none.");
    this.panels = [...groups.values()].map((signals, i) => this.panel(signals, i === groups.size - 1));
    this.note = make("p", this.panelsNode, "", {class: "note"});
    this.setRange(this.state.range || this.full, !this.state.range);
    this.listRows();
    document.documentElement.dataset.painted = "yes";
  }
  panel(signals, isLast) {
    const node = make("div", this.panelsNode, undefined, {class: "panel"});
    const unit = signals[0].unit, table = signals[0].table;
    const axis = {stroke: () => colour("--soft"), grid: {stroke: () => colour("--line"), width: 1},
      ticks: {stroke: () => colour("--line")}};
    const plot = new uPlot({
      width: Math.max(this.panelsNode.clientWidth, 200), height: PANEL_HEIGHT,
      legend: {show: false},
      title: table.band ? table.title : undefined,
      bands: table.band && signals.length > 1 && signals[1].index === 1
        ? [{series: [2, 1], fill: COLOURS[2] + "40"}] : [],
      cursor: {sync: {key: this.key}, drag: {x: true, y: false, setScale: false},
        points: {show: signals.length < 20}},
      scales: {x: {time: false, auto: false, range: () => this.state.range || this.full}},
      axes: [{...axis, show: true, size: isLast ? 42 : 26, label: isLast ? "time" : undefined,
        labelSize: 16, values: (u, splits) => splits.map(t => engineering(t, "s", 6))},
        {...axis, size: 86, values: (u, splits) => splits.map(
          v => engineering(v, unit, digits(splits)))}],
      series: [{}, ...signals.map(one => ({label: one.name, stroke: this.colourOf(one), width: 1,
        points: {show: false}, spanGaps: false}))],
      hooks: {
        setSelect: [u => {
          if (u.select.width > 3) {
            this.setRange([u.posToVal(u.select.left, "x"),
              u.posToVal(u.select.left + u.select.width, "x")]);
          }
          u.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
        }],
        setCursor: [u => { if (u.cursor.left >= 0) this.pointer = u.posToVal(u.cursor.left, "x"); }],
        draw: [u => this.cursors(u)],
      },
    }, [[0, 1], ...signals.map(() => [null, null])], node);
    this.listen(plot);
    return {plot, signals, table};
  }
  listen(plot) {
    const over = plot.over;
    let from = null, moved = false;
    over.addEventListener("mousedown", event => {
      moved = false;
      from = {x: event.clientX, range: this.range(), pan: event.shiftKey};
      if (event.shiftKey) event.stopImmediatePropagation();
    }, true);
    over.addEventListener("mousemove", event => {
      if (!from || !event.buttons) return;
      moved = moved || Math.abs(event.clientX - from.x) > 3;
      if (!from.pan) return;
      const span = from.range[1] - from.range[0];
      const by = (from.x - event.clientX) / over.clientWidth * span;
      this.setRange([from.range[0] + by, from.range[1] + by]);
    });
    over.addEventListener("click", event => {
      if (moved || event.shiftKey) return;
      this.setCursor(event.altKey ? "b" : "a",
        plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x"));
    });
    over.addEventListener("dblclick", () => this.setRange(this.full, true));
    over.addEventListener("wheel", event => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.pan((event.deltaX || event.deltaY) / over.clientWidth);
      } else {
        const at = plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
        this.zoom(Math.exp(event.deltaY * 0.002), at);
      }
    }, {passive: false});
  }
  range() { return this.state.range || this.full; }
  setRange(range, isFull) {
    const least = (this.full[1] - this.full[0]) * 1e-9;
    if (!(range[1] - range[0] > least)) return;
    this.state.range = isFull ? null : range;
    this.width = 1;  // half as many points while it moves, all when it rests
    clearTimeout(this.rest);
    this.rest = setTimeout(() => { this.width = 2; this.draw(); }, REST_MILLISECOND);
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }
  pan(part) {
    const [first, last] = this.range(), by = part * (last - first);
    this.setRange([first + by, last + by]);
  }
  zoom(factor, at) {
    const [first, last] = this.range();
    this.setRange([at - (at - first) * factor, at + (last - at) * factor]);
  }
  draw() {
    const [first, last] = this.range();
    let coarsest = 1;
    for (const {plot, signals, table} of this.panels) {
      let low = Math.max(table.index(first) - 2, 0);
      let high = Math.min(table.index(last) + 2, table.times.length), size = 1;
      while ((high - low) / size > this.width * plot.over.clientWidth) size *= 2;
      if (size > 1) size *= 2;
      coarsest = Math.max(coarsest, table.bin > 1 ? table.bin * Math.max(size / 2, 1) : size);
      const per = size === 1 ? 1 : 2 / size;
      low = Math.floor(low * per);
      high = Math.ceil(high * per);
      const part = values => values.slice(low, high + 1);
      plot.batch(() => {
        plot.setData([part(table.at(size)), ...signals.map(one => part(table.values(one.index, size)))],
          false);
        plot.setScale("x", {min: first, max: last});
      });
    }
    const thin = this.tables.find(table => table.bin > 1);
    this.note.textContent = (coarsest > 1 ? "Lowest and highest of each " + coarsest +
      " points. " : "Every point. ") + (thin ? "Of " + thin.points + " points the page has lowest " +
      "and highest of each " + thin.bin + "; the trace has all." : "");
    document.documentElement.dataset.frames = (+document.documentElement.dataset.frames || 0) + 1;
  }
  cursors(plot) {
    const context = plot.ctx, {left, top, width, height} = plot.bbox;
    for (const [name, dash] of [["a", []], ["b", [6, 4]]]) {
      const second = this.state[name];
      if (second === null) continue;
      const x = plot.valToPos(second, "x", true);
      if (x < left || x > left + width) continue;
      context.save();
      context.strokeStyle = context.fillStyle = colour("--fg");
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(x, top);
      context.lineTo(x, top + height);
      context.stroke();
      context.fillText(name.toUpperCase(), x + 4, top + 12 * devicePixelRatio);
      context.restore();
    }
  }
  setCursor(name, second) {
    this.state[name] = second;
    this.panels.forEach(panel => panel.plot.redraw(false));
    this.listRows();
  }
  colourOf(one) {
    return COLOURS[one.place % COLOURS.length];
  }
  buildSide() {
    this.side.replaceChildren();
    if (this.data.waves.length > 1) {
      const choice = make("select", make("label", this.side, "member "));
      this.data.waves.forEach((wave, i) => make("option", choice,
        wave.label + (i ? "" : " (worst)"), {value: i}));
      choice.value = this.state.member;
      choice.addEventListener("change", () => {
        this.state.member = +choice.value;
        this.state.range = null;
        this.waves();
      });
    }
    this.filter = make("input", this.side, undefined, {type: "search", "aria-label":
      "filter signals", placeholder: "filter " + this.list.length + " signals (/)"});
    this.filter.value = this.state.filter;
    this.filter.addEventListener("input", () => this.setFilter(this.filter.value));
    const reset = make("button", this.side, "first ones", {type: "button"});
    reset.addEventListener("click", () => {
      this.state.chosen = new Set(this.first());
      this.setFilter("");
      this.show();
    });
    this.readings = make("div", this.side, undefined, {class: "rows"});
  }
  setFilter(text) {
    this.state.filter = this.filter.value = text;
    this.listRows();
  }
  listRows() {
    const {a, b, chosen, filter} = this.state, needle = filter.toLowerCase();
    const fits = this.list.filter(one => (needle ? one.label.toLowerCase().includes(needle)
      : true));
    fits.sort((x, y) => chosen.has(y.id) - chosen.has(x.id));
    const table = make("table"), head = make("tr", make("thead", table));
    for (const title of ["shown", "signal", "A", "B", "B − A"]) make("th", head, title, {scope: "col"});
    const body = make("tbody", table), row = make("tr", body);
    make("td", row);
    make("td", row, "time");
    for (const second of [a, b]) make("td", row, second === null ? "–" : engineering(second, "s", 7));
    const apart = a === null || b === null ? null : b - a;
    make("td", row, apart === null ? "–" : engineering(apart, "s", 6) +
      (apart ? " (" + engineering(1 / Math.abs(apart), "Hz", 4) + ")" : ""));
    for (const one of fits.slice(0, MOST_LISTED)) {
      const line = make("tr", body), cell = make("td", line), label = make("label", cell);
      const box = make("input", label, undefined, {type: "checkbox", "aria-label": one.label});
      box.checked = chosen.has(one.id);
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(one.id); else chosen.delete(one.id);
        this.show();
      });
      const swatch = make("span", label, undefined, {class: "swatch"});
      if (box.checked) swatch.style.background = this.colourOf(one);
      make("td", line, one.label, {title: one.about || one.label});
      const read = second => (chosen.has(one.id) ? one.table.reading(one.index, second) : null);
      const at = [read(a), read(b)];
      for (const value of at) make("td", line, value === null ? "" : engineering(value, one.unit));
      make("td", line, at.includes(null) ? "" : engineering(at[1] - at[0], one.unit));
    }
    this.readings.replaceChildren(table);
    if (fits.length > MOST_LISTED)
      make("p", this.readings, "and " + (fits.length - MOST_LISTED) + " more: filter", {class: "note"});
  }
  buildKeys() {
    if (this.keyed) return;
    this.keyed = true;
    const middle = () => (this.pointer === null ? (this.range()[0] + this.range()[1]) / 2
      : this.pointer);
    const keys = {
      ArrowLeft: () => this.pan(-0.1), ArrowRight: () => this.pan(0.1),
      "+": () => this.zoom(0.7, middle()), "=": () => this.zoom(0.7, middle()),
      "-": () => this.zoom(1 / 0.7, middle()), "0": () => this.setRange(this.full, true),
      Home: () => this.setRange(this.full, true), "/": () => this.filter.focus(),
      a: () => this.setCursor("a", middle()), b: () => this.setCursor("b", middle()),
      Escape: () => { this.setCursor("a", null); this.setCursor("b", null); },
    };
    this.panelsNode.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }
  diagram() {
    for (const block of this.section.querySelectorAll(".block")) {
      const choose = () => {
        if (!this.list) return;
        const name = block.dataset.block.toLowerCase();
        const own = this.list.filter(one => {
          const signal = one.name.toLowerCase();
          return [name, "x" + name].some(path => signal.startsWith(path + ".") ||
            signal === "i(" + path + ")" || signal.startsWith("i(" + path + "."));
        });
        this.section.querySelectorAll(".block").forEach(one =>
          one.classList.toggle("chosen", one === block));
        this.setFilter(name + ".");
        if (own.length) {
          this.state.chosen = new Set(own.slice(0, 40).map(one => one.id));
          this.show();
        }
      };
      block.addEventListener("click", choose);
      block.addEventListener("keydown", event => { if (event.key === "Enter") choose(); });
    }
  }
  redraw() { this.panels.forEach(panel => panel.plot.redraw(false, true)); }
  resize() {
    const width = Math.max(this.panelsNode ? this.panelsNode.clientWidth : 0, 200);
    this.panels.forEach(panel => panel.plot.setSize({width, height: PANEL_HEIGHT}));
  }
}

// -- an ensemble's members over time ---------------------------------------------------------------

async function cloud(node, of) {
  const places = new Float32Array(await inflated(of.data)), size = 420, margin = 46;
  const canvas = make("canvas", node, undefined, {width: size, height: size, role: "img",
    "aria-label": "members over time"});
  const slider = make("input", node, undefined, {type: "range", min: 0,
    max: of.instants.length - 1, value: of.instants.length - 1, "aria-label": "time"});
  const said = make("p", node, "", {class: "note"});
  const ends = [0, 1].map(axis => {
    let low = Infinity, high = -Infinity;
    for (let i = axis; i < places.length; i += 2) {
      if (!isFinite(places[i])) continue;
      low = Math.min(low, places[i]);
      high = Math.max(high, places[i]);
    }
    if (!(high >= low)) low = high = 0;
    const spare = 0.05 * (high - low || 1);
    return [low - spare, high + spare];
  });
  const draw = () => {
    const context = canvas.getContext("2d"), at = +slider.value, inside = size - 2 * margin;
    context.fillStyle = colour("--bg");
    context.fillRect(0, 0, size, size);
    context.strokeStyle = colour("--line");
    context.strokeRect(margin, margin, inside, inside);
    context.fillStyle = colour("--soft");
    context.font = "11px system-ui, sans-serif";
    context.fillText(of.names[0], size / 2, size - 10);
    context.fillText(of.names[1], 4, margin - 12);
    ends.forEach(([low, high], axis) => {
      const texts = [low, high].map(value => engineering(value, of.unit, 3));
      if (axis) { context.fillText(texts[0], 2, size - margin); context.fillText(texts[1], 2, margin + 8); }
      else { context.fillText(texts[0], margin, size - 26); context.fillText(texts[1], size - margin - 30, size - 26); }
    });
    context.fillStyle = colour("--link");
    for (let member = 0; member < of.members; member++) {
      const [x, y] = [0, 1].map(axis => {
        const value = places[2 * (at * of.members + member) + axis];
        return (value - ends[axis][0]) / (ends[axis][1] - ends[axis][0]);
      });
      context.fillRect(margin + x * inside - 1.5, size - margin - y * inside - 1.5, 3, 3);
    }
    said.textContent = of.members + " members at " + engineering(of.instants[at], "s", 4) +
      (of.divergence ? "; KL to the true distribution " + of.divergence[at].toFixed(3) + " nats" : "");
  };
  slider.addEventListener("input", draw);
  redraws.push(draw);
  draw();
}
let redraws = [];

// -- the page --------------------------------------------------------------------------------------

function theme(name) {
  document.documentElement.dataset.theme = name;
  runs.forEach(run => run.redraw());
  redraws.forEach(draw => draw());
}
function start() {
  redraws = [];
  runs.forEach(run => run.panels.forEach(panel => panel.plot.destroy()));
  const data = JSON.parse(document.getElementById("data").textContent);
  runs = [...document.querySelectorAll("section.run")].map(
    section => new Run(section, data[+section.dataset.run], +section.dataset.run));
}
const dark = matchMedia("(prefers-color-scheme: dark)");
const usual = () => (dark.matches ? "dark" : "light");
theme(usual());
dark.addEventListener("change", () => theme(usual()));
const toggle = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
document.getElementById("theme").addEventListener("click", toggle);
document.addEventListener("keydown", event => {
  if (event.key === "t" && !(event.target instanceof HTMLInputElement)) toggle();
});
let before = null;
addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; theme("light"); });
addEventListener("afterprint", () => theme(before || usual()));
let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => runs.forEach(run => run.resize()), 100);
});
start();

if (document.body.dataset.live === "yes") {
  const said = document.getElementById("live");
  const opened = () => [...document.querySelectorAll("main details")];
  let known = "";
  setInterval(async () => {
    if (document.activeElement instanceof HTMLInputElement) return;  // somebody types or slides
    let answer;
    try {
      answer = await fetch(location.href, {headers: {"If-None-Match": known}});
    } catch {
      said.textContent = "cosim watch has ended; this is its last page";
      return;
    }
    said.textContent = "live";
    if (!answer.ok || answer.status === 304) return;
    known = answer.headers.get("ETag") || "";
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = opened().map(one => one.open);
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    document.querySelector(".verdicts").replaceWith(fresh.querySelector(".verdicts"));
    if (opened().length === open.length) opened().forEach((one, i) => { one.open = open[i]; });
    start();
  }, 1000);
}
})();

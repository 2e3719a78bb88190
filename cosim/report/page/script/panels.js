// The waveforms of a run: a panel for each unit, with one range of time and two cursors for all.

const COLOURS = ["#3b82d0", "#d9742b", "#2f9e55", "#c94a4a", "#8e63c7", "#9a6b4f", "#cf5fa8",
  "#7f8790", "#a3a021", "#1f9fb0"];
const PANEL_HEIGHT = 230, REST_MILLISECOND = 150;
const colourOf = one => COLOURS[one.place % COLOURS.length];

class Panels {
  constructor(node, key, state, told) {  // `told` is called when a cursor has moved
    Object.assign(this, {node, key, state, told, panels: [], tables: [], pointer: null});
  }
  // Groups of signals, each in a panel; the range is that of all their times.
  show(groups, tables) {
    this.tables = tables;
    let first = Infinity, last = -Infinity;
    for (const one of groups.flat()) {
      const times = one.table.times;
      if (times.length) { first = Math.min(first, times[0]);
        last = Math.max(last, times[times.length - 1]); }
    }
    if (!(last > first)) { const t = isFinite(first) ? first : 0; first = t - 1e-9; last = t + 1e-9; }
    this.full = [first, last];
    this.destroy();
    this.node.replaceChildren();
    if (!groups.length) make("p", this.node, "No signals are chosen, or there are none.");
    this.panels = groups.map((signals, i) => this.panel(signals, i === groups.length - 1));
    this.note = make("p", this.node, "", {class: "note"});
    this.setRange(this.state.range || this.full, !this.state.range);
  }
  destroy() { this.panels.forEach(panel => panel.plot.destroy()); }
  panel(signals, isLast) {
    const node = make("div", this.node, undefined, {class: "panel"});
    const unit = signals[0].unit, table = signals[0].table;
    const axis = {stroke: () => colour("--soft"), grid: {stroke: () => colour("--line"), width: 1},
      ticks: {stroke: () => colour("--line")}};
    const plot = new uPlot({
      width: Math.max(this.node.clientWidth, 200), height: PANEL_HEIGHT,
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
      series: [{}, ...signals.map(one => ({label: one.name, stroke: colourOf(one), width: 1,
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
    this.told();
  }
  listenToKeys(toFilter) {
    const middle = () => (this.pointer === null ? (this.range()[0] + this.range()[1]) / 2
      : this.pointer);
    const keys = {
      ArrowLeft: () => this.pan(-0.1), ArrowRight: () => this.pan(0.1),
      "+": () => this.zoom(0.7, middle()), "=": () => this.zoom(0.7, middle()),
      "-": () => this.zoom(1 / 0.7, middle()), "0": () => this.setRange(this.full, true),
      Home: () => this.setRange(this.full, true), "/": () => toFilter(),
      a: () => this.setCursor("a", middle()), b: () => this.setCursor("b", middle()),
      Escape: () => { this.setCursor("a", null); this.setCursor("b", null); },
    };
    this.node.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }
  redraw() { this.panels.forEach(panel => panel.plot.redraw(false, true)); }
  resize() {
    const width = Math.max(this.node.clientWidth, 200);
    this.panels.forEach(panel => panel.plot.setSize({width, height: PANEL_HEIGHT}));
  }
}

// One run: what is chosen of it, the list of its signals, its diagram.

const FIRST_SHOWN = 12, MOST_LISTED = 200;
const kept = new Map();  // by run: what a viewer has chosen, for a live page's next state

class Run {
  constructor(section, data, number) {
    this.section = section;
    this.data = data;
    this.side = section.querySelector(".signals");
    this.key = number + ":" + data.title;
    this.state = kept.get(this.key) || {member: 0, chosen: null, range: null, a: null, b: null,
      filter: ""};
    kept.set(this.key, this.state);
    const node = section.querySelector(".panels");
    if (node) {
      this.panels = new Panels(node, this.key, this.state, () => this.listRows());
      this.panels.listenToKeys(() => this.filter.focus());
      this.waves();
    }
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
    this.panels.show([...groups.values()], this.tables);
    this.listRows();
    document.documentElement.dataset.painted = "yes";
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
      if (box.checked) swatch.style.background = colourOf(one);
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
  redraw() { if (this.panels) this.panels.redraw(); }
  resize() { if (this.panels) this.panels.resize(); }
  destroy() { if (this.panels) this.panels.destroy(); }
}

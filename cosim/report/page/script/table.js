// Waveforms as they are packed (cosim.report.page.packing), and their levels of detail.

const NO_VALUE = 65535;

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

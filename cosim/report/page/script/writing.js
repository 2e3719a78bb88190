// Elements, colours and numbers as they are written.

const PREFIXES = ["y", "z", "a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P"];

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

// An ensemble's members over time.

let redraws = [];

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

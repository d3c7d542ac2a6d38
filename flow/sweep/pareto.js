// SPDX-License-Identifier: Apache-2.0
// Accuracy against the cost that is chosen, and the points that no other one beats in both.
(() => {
  const points = JSON.parse(document.getElementById("points").textContent);
  const plot = document.getElementById("plot"), cost = document.getElementById("cost");
  const told = document.getElementById("told"), rows = document.querySelectorAll("#all tr");
  const [left, right, top, bottom] = [70, 880, 20, 410];

  const add = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    plot.append(made);
    return made;
  };

  // [low, high, step] of round numbers around the values
  const scale = (values) => {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 10, high + (Math.abs(high) || 1) / 10];
    const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((each) => each * unit >= rough);
    return [Math.floor(low / step) * step, Math.ceil(high / step) * step, step];
  };

  // no other point costs at most as much and is at least as accurate, one of both strictly
  const best = (shown, key) => shown.filter((a) => !shown.some((b) =>
    b[key] <= a[key] && b.accuracy >= a.accuracy && (b[key] < a[key] || b.accuracy > a.accuracy)));

  const draw = () => {
    const key = cost.value, shown = points.filter((each) => each[key] !== null);
    const front = best(shown, key).sort((a, b) => a[key] - b[key]);
    const [x0, x1, dx] = scale(shown.map((each) => each[key]));
    const [y0, y1, dy] = scale(shown.map((each) => 100 * each.accuracy));
    const x = (value) => left + (right - left) * (value - x0) / (x1 - x0);
    const y = (value) => bottom - (bottom - top) * (value - y0) / (y1 - y0);
    const round = (value) => Number(value.toPrecision(6)).toLocaleString("en");
    plot.replaceChildren();
    for (let value = x0; value <= x1 + dx / 2; value += dx) {
      add("line", { x1: x(value), x2: x(value), y1: top, y2: bottom, stroke: "#e4e7eb" });
      add("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, round(value));
    }
    for (let value = y0; value <= y1 + dy / 2; value += dy) {
      add("line", { x1: left, x2: right, y1: y(value), y2: y(value), stroke: "#e4e7eb" });
      add("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, round(value));
    }
    add("text", { x: (left + right) / 2, y: bottom + 40, "text-anchor": "middle" }, cost.selectedOptions[0].text);
    add("text", { x: 16, y: (top + bottom) / 2, "text-anchor": "middle",
      transform: `rotate(-90 16 ${(top + bottom) / 2})` }, "right on the test set, %");
    add("polyline", { points: front.map((each) => `${x(each[key])},${y(100 * each.accuracy)}`).join(" "),
      fill: "none", stroke: "#2a9d5c", "stroke-width": 1.5 });
    for (const each of shown) {
      const good = front.includes(each);
      const what = `${each.told}: ${(100 * each.accuracy).toFixed(2)} % right, ${round(each[key])} ${cost.selectedOptions[0].text}`;
      const dot = add("circle", { cx: x(each[key]), cy: y(100 * each.accuracy), r: good ? 6 : 4.5, tabindex: 0,
        fill: good ? "#2a9d5c" : "#9aa5b1", stroke: "white" });
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = what;
      dot.append(title);
      for (const event of ["click", "focus", "mouseenter"]) dot.addEventListener(event, () => { told.textContent = what; });
    }
    points.forEach((each, number) => rows[number + 1].classList.toggle("best", front.includes(each)));
  };

  cost.addEventListener("change", draw);
  draw();
})();

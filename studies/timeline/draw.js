// SPDX-License-Identifier: Apache-2.0
// Draws a timeline: rows of engines, ports and PEs over clocks. Wheel: zoom; drag: move; double click: all of it.
"use strict";
function timeline(box, data) {
  const canvas = box.querySelector("canvas"), told = box.querySelector(".told"), pick = box.querySelector("select");
  const LEFT = 150, ROW = 26, BAR = 18, pen = canvas.getContext("2d");
  const COLOURS = ["#1f6feb", "#d9730d", "#2a9d5c", "#8250df", "#c0392b", "#0e8a9c", "#b58900", "#9aa5b1"];
  const colour = {};
  data.kinds.forEach((kind, n) => (colour[kind] = COLOURS[n % COLOURS.length]));
  box.querySelectorAll("i").forEach((key) => (key.style.background = colour[key.dataset.kind]));
  // starts are kept as distances from the end before
  for (const row of data.engines)
    for (const list of [row.busy, row.waits]) {
      let at = 0;
      for (const each of list) at = (each[0] += at) + each[1];
    }
  const lanes = []; // parts that overlap stand below each other
  for (const part of data.parts) {
    let lane = lanes.findIndex((end) => end < part[1]);
    if (lane < 0) lane = lanes.push(0) - 1;
    lanes[lane] = part[2];
    part.push(lane);
    pick.add(new Option(part[0]));
  }
  const rows = [];
  lanes.forEach((_, n) => rows.push({ name: n ? "" : "parts", lane: n }));
  data.engines.forEach((engine) => rows.push({ name: engine.name, engine }));
  data.bins.forEach((bins) => rows.push({ name: bins.name, bins }));
  let from = 1, to = data.clocks + 1;

  const first = (list, clock) => {
    let low = 0, high = list.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (list[mid][0] + list[mid][1] <= clock) low = mid + 1;
      else high = mid;
    }
    return low;
  };
  function draw() {
    const scale = window.devicePixelRatio || 1, wide = box.clientWidth, high = ROW * (rows.length + 1);
    canvas.width = wide * scale;
    canvas.height = high * scale;
    canvas.style.height = high + "px";
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const per = (wide - LEFT) / (to - from), x = (clock) => LEFT + (clock - from) * per;
    rows.forEach((row, n) => {
      const y = n * ROW + (ROW - BAR) / 2;
      pen.fillStyle = "#1f2933";
      pen.fillText(row.name, 0, y + BAR / 2, LEFT - 8);
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, y, wide - LEFT, BAR);
      pen.clip();
      if (row.engine) {
        bars(row.engine.waits, () => "#f3d9b1", x, y + BAR / 3, BAR / 3);
        bars(row.engine.busy, (each) => colour[data.kinds[each[3]]], x, y, BAR);
      } else if (row.bins) heights(row.bins, x, per, y);
      else parts(row.lane, x, y);
      pen.restore();
    });
    ruler(x, wide, ROW * rows.length);
  }
  function bars(list, fill, x, y, high) {
    for (let n = first(list, from); n < list.length && list[n][0] < to; n++) {
      pen.fillStyle = fill(list[n]);
      pen.fillRect(x(list[n][0]), y, Math.max(0.3, x(list[n][0] + list[n][1]) - x(list[n][0])), high);
    }
  }
  function heights(row, x, per, y) {
    const many = Math.max(1, Math.floor(1 / (per * data.width))); // bins of a pixel
    pen.fillStyle = row.colour;
    for (let n = Math.floor((from - 1) / data.width / many) * many; n * data.width + 1 < to; n += many) {
      if (n >= row.counts.length) break;
      let sum = 0;
      for (let k = n; k < n + many; k++) sum += row.counts[k] || 0;
      const end = Math.min(n + many, row.counts.length) * data.width, clocks = Math.min(end, data.clocks) - n * data.width;
      const high = (BAR * sum) / (clocks * row.most), at = x(n * data.width + 1);
      pen.fillRect(at, y + BAR - high, x(end + 1) - at + 0.3, high);
    }
  }
  function parts(lane, x, y) {
    for (const [name, begin, end, mine] of data.parts) {
      if (mine !== lane || end < from || begin > to) continue;
      const wide = x(end + 1) - x(begin);
      pen.fillStyle = "#dbe7fb";
      pen.fillRect(x(begin), y, Math.max(1, wide - 1), BAR);
      pen.fillStyle = "#1f2933";
      const shown = Math.max(x(begin), LEFT);
      if (pen.measureText(name).width + 4 < x(end + 1) - shown) pen.fillText(name, shown + 3, y + BAR / 2);
    }
  }
  function ruler(x, wide, y) {
    const rough = (to - from) / Math.max(2, (wide - LEFT) / 110), power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].find((n) => n * power >= rough) * power);
    pen.fillStyle = "#52606d";
    pen.fillText("clock", 0, y + ROW / 2);
    for (let at = Math.ceil(from / step) * step; at < to; at += step) {
      pen.fillRect(x(at), y, 1, 5);
      pen.fillText(at.toLocaleString("en"), x(at) + 3, y + ROW / 2);
    }
  }
  function tell(event) {
    const per = (box.clientWidth - LEFT) / (to - from), row = rows[Math.floor(event.offsetY / ROW)];
    const clock = Math.floor(from + (event.offsetX - LEFT) / per);
    if (!row || event.offsetX < LEFT) return;
    const text = [`clock ${clock.toLocaleString("en")}`];
    const span = (each) => `${each[0].toLocaleString("en")} … ${(each[0] + each[1] - 1).toLocaleString("en")}`;
    const at = (list) => list.slice(first(list, clock), first(list, clock) + 1).find((each) => each[0] <= clock);
    if (row.engine) {
      const busy = at(row.engine.busy), waits = at(row.engine.waits);
      if (busy) text.push(`${row.name}: ${data.kinds[busy[3]]} ${data.names[busy[4]]}, clocks ${span(busy)}`);
      else if (waits) text.push(`${row.name} waits ${waits[1].toLocaleString("en")} clocks for ${data.reasons[waits[2]]}`);
      else text.push(`${row.name} has no more to do`);
    } else if (row.bins) {
      const n = Math.floor((clock - 1) / data.width), clocks = Math.min(data.width, data.clocks - n * data.width);
      text.push(`${row.name}: ${((100 * row.bins.counts[n]) / clocks / row.bins.most).toFixed(1)} % of ${clocks} clocks`);
    } else
      for (const [name, begin, end, lane] of data.parts)
        if (lane === row.lane && begin <= clock && clock <= end) text.push(`${name}: clocks ${span([begin, end - begin + 1])}`);
    told.textContent = text.join("; ");
  }
  function show(begin, end) {
    const size = Math.min(data.clocks, Math.max(20, end - begin));
    from = Math.min(Math.max(1, begin), data.clocks + 1 - size);
    to = from + size;
    requestAnimationFrame(draw);
  }
  function zoom(factor, where) {
    show(where - (where - from) * factor, where + (to - where) * factor);
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const per = (box.clientWidth - LEFT) / (to - from);
    zoom(event.deltaY > 0 ? 1.25 : 0.8, from + Math.max(0, event.offsetX - LEFT) / per);
  }, { passive: false });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) {
      const moved = (event.movementX * (to - from)) / (box.clientWidth - LEFT);
      show(from - moved, to - moved);
    }
    tell(event);
  });
  canvas.addEventListener("dblclick", () => show(1, data.clocks + 1));
  pick.addEventListener("change", () => {
    const part = data.parts[pick.selectedIndex - 1];
    if (part) show(part[1] - 0.05 * (part[2] - part[1]), part[2] + 0.05 * (part[2] - part[1]));
    else show(1, data.clocks + 1);
  });
  box.querySelectorAll("button").forEach((button) =>
    button.addEventListener("click", () => zoom(Number(button.value), (from + to) / 2)));
  window.addEventListener("resize", draw);
  draw();
}

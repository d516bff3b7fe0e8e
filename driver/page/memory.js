// The memory plan: steps from left to right, addresses from bottom to top, a rectangle for every piece of memory.

class MemoryPane {
  constructor(page) {
    this.page = page;
    this.canvas = document.getElementById("memory-canvas");
    this.view = new Viewport(this.canvas, () => this.draw(),
                             { click: (x, y) => this.click(x, y), hover: (x, y) => this.hover(x, y), two: true, margins: [70, 64, 12, 26] });
    this.view.limit = () => this.limit();
    document.getElementById("memory-fit").addEventListener("click", () => this.view.fit());
  }
  build() {
    const plan = this.page.plan, n = Math.max(1, plan.steps.length);
    this.pieces = plan.buffers.filter(p => p.place === "arena");
    this.live = new Float64Array(n + 1);
    for (const p of this.pieces) {
      this.live[p.first] += p.end - p.begin;
      if (p.last + 1 <= n) this.live[p.last + 1] -= p.end - p.begin;
    }
    for (let k = 1; k <= n; k++) this.live[k] += this.live[k - 1];
    this.peak = Math.max(...this.live.subarray(0, n));
    this.steps = n;
    this.bytes = Math.max(64, plan.arena);
    this.view.bounds = [0, -this.bytes, n, 0]; // addresses grow upwards
    const held = list => list.reduce((sum, p) => sum + p[1], 0);
    document.getElementById("memory-note").textContent =
      `arena ${bytesText(plan.arena)}, at most ${bytesText(this.peak)} of it alive (${(100 * this.peak / this.bytes).toFixed(1)} %); the caller holds ` +
      `${bytesText(held(plan.inputs))} of inputs and ${bytesText(held(plan.outputs.filter(o => o[2] < 0)))} of outputs`;
    if (this.view.width) this.view.fit();
  }
  // Not away from the plan, nor farther out than all of it.
  limit() {
    const v = this.view, [l, t, r, b] = v.margins;
    v.k = Math.max(v.k, (v.width - l - r) / this.steps);
    v.ky = Math.max(v.ky, (v.height - t - b) / this.bytes);
    v.tx = Math.min(l, Math.max(v.width - r - this.steps * v.k, v.tx));
    v.ty = Math.max(v.height - b, Math.min(t + this.bytes * v.ky, v.ty));
  }
  rect(p) {
    const v = this.view;
    return [p.first * v.k + v.tx, -p.end * v.ky + v.ty, (p.last + 1 - p.first) * v.k, (p.end - p.begin) * v.ky];
  }
  colourOf(p) {
    return p.node < 0 ? "--c-leaf" : "--c-" + (p.step ? p.step.class : "leaf");
  }
  draw() {
    if (!this.pieces || !this.view.width) return;
    const v = this.view, g = v.begin(), c = palette(), [l, t, r, b] = v.margins, r2 = this.page.related;
    const right = v.width - r, bottom = v.height - b;
    this.axes(g, c, l, t, right, bottom);
    g.save();
    g.beginPath();
    g.rect(l, t, right - l, bottom - t);
    g.clip();
    const any = r2.pieces.size > 0, lit = [];
    for (const p of this.pieces) {
      const [x, y, w, h] = this.rect(p);
      if (x > right || x + w < l || y > bottom || y + h < t) continue;
      if (r2.pieces.has(p)) {
        lit.push(p);
        continue;
      }
      g.fillStyle = c[this.colourOf(p)] || c["--c-leaf"];
      g.globalAlpha = any ? 0.22 : p === this.over ? 0.9 : 0.55;
      g.fillRect(x, y, Math.max(0.6, w - (w > 3 ? 0.7 : 0)), Math.max(0.6, h - (h > 3 ? 0.7 : 0)));
      g.globalAlpha = 1;
      if (w > 60 && h > 14) text(g, clip(this.label(p), (w - 8) / 6.4), Math.max(l, x) + 4, Math.max(t, y) + 12, `11px ${FONT}`, any ? c["--soft"] : c["--ink"]);
    }
    for (const p of lit) {
      const [x, y, w, h] = this.rect(p);
      g.fillStyle = c["--mark"];
      g.fillRect(x, y, Math.max(1.5, w - (w > 3 ? 0.7 : 0)), Math.max(1.5, h - (h > 3 ? 0.7 : 0)));
      if (w > 60 && h > 14) text(g, clip(this.label(p), (w - 8) / 6.4), Math.max(l, x) + 4, Math.max(t, y) + 12, `600 11px ${FONT}`, c["--paper"]);
    }
    if (r2.step >= 0 && this.page.graph.steps[r2.step].plan === this.page.plan) { // when it runs
      g.fillStyle = c["--accent"];
      g.globalAlpha = 0.25;
      g.fillRect(this.page.graph.steps[r2.step].index * v.k + v.tx, t, Math.max(1.5, v.k), bottom - t);
      g.globalAlpha = 1;
    }
    g.restore();
    v.end();
  }
  // Scales, and above the chart how much is alive.
  axes(g, c, l, t, right, bottom) {
    const v = this.view, soft = c["--soft"], [x0, , x1] = v.visible();
    g.strokeStyle = c["--line"];
    g.lineWidth = 1;
    g.strokeRect(l - 0.5, t - 0.5, right - l + 1, bottom - t + 1);
    const stepX = nice((x1 - x0) / Math.max(2, (right - l) / 90), 10);
    for (let s = Math.ceil(x0 / stepX) * stepX; s <= x1; s += stepX) {
      const x = s * v.k + v.tx;
      g.fillStyle = c["--line"];
      g.fillRect(x, bottom, 1, 4);
      text(g, String(Math.round(s)), x, bottom + 16, `11px ${FONT}`, soft, "center");
    }
    text(g, "step", l - 8, bottom + 16, `11px ${FONT}`, soft, "right");
    const low = (v.ty - bottom) / v.ky, high = (v.ty - t) / v.ky, stepY = nice((high - low) / Math.max(2, (bottom - t) / 46), 2);
    for (let a = Math.ceil(low / stepY) * stepY; a <= high; a += stepY) {
      const y = v.ty - a * v.ky;
      g.fillStyle = c["--line"];
      g.fillRect(l, Math.round(y), right - l, 1);
      text(g, bytesText(a), l - 8, y + 4, `11px ${FONT}`, soft, "right");
    }
    const top = 8, height = t - 18;
    g.beginPath();
    g.moveTo(l, top + height);
    for (let s = Math.max(0, Math.floor(x0)); s < Math.min(this.steps, x1); s++) {
      const y = top + height * (1 - this.live[s] / this.bytes);
      g.lineTo(Math.max(l, s * v.k + v.tx), y);
      g.lineTo(Math.min(right, (s + 1) * v.k + v.tx), y);
    }
    g.lineTo(right, top + height);
    g.fillStyle = c["--accent"];
    g.globalAlpha = 0.3;
    g.fill();
    g.globalAlpha = 1;
    text(g, "alive", l - 8, top + height, `11px ${FONT}`, soft, "right");
  }
  label(p) {
    const last = this.page.graph.last;
    if (p.node < 0) return p.step ? "workspace of " + p.step.label : "unused";
    return `%${last.local(p.node)} ${last.typeName(p.node)}`;
  }
  at(x, y) {
    const hits = this.pieces.filter(p => x >= p.first && x < p.last + 1 && -y >= p.begin && -y < p.end);
    return hits[0] || null;
  }
  click(x, y) {
    const p = this.at(x, y);
    this.page.select(p ? { kind: "piece", plan: p.plan.index, piece: p.id } : null, "memory");
  }
  hover(x, y) {
    const p = x === null ? null : this.at(x, y);
    if (p !== this.over) {
      this.over = p;
      this.draw();
    }
    this.canvas.style.cursor = p ? "pointer" : "grab";
    return p ? this.describe(p) : "";
  }
  describe(p) {
    const steps = p.plan.steps, writers = new Set(p.writes.map(w => w.step)).size;
    return `<b>${escape(this.label(p))}</b><br>${p.step ? escape(p.step.label) + " " + escape(place(p.step.span)) + "<br>" : ""}` +
           `${bytesText(p.end - p.begin)} at ${p.begin}, steps ${p.first} to ${p.last}` +
           (writers > 1 ? `<br>written by ${writers} steps in turn` : "") +
           (steps[p.last] ? `<br>last read by ${escape(steps[p.last].label)}` : "");
  }
  show(origin) {
    const lit = this.pieces.filter(p => this.page.related.pieces.has(p));
    if (origin !== "memory" && lit.length && this.view.width) {
      const [x0, y0, x1, y1] = this.view.visible();
      if (!lit.some(p => p.first < x1 && p.last + 1 > x0 && -p.end < y1 && -p.begin > y0))
        this.view.centre((lit[0].first + lit[0].last + 1) / 2, -(lit[0].begin + lit[0].end) / 2);
      this.limit();
    }
    this.draw();
  }
  screen(p) {
    const [x, y, w, h] = this.rect(p);
    return [x + w / 2, y + h / 2];
  }
}

// A round distance of marks, at least x.
function nice(x, base) {
  if (base === 2) return 2 ** Math.max(6, Math.ceil(Math.log2(Math.max(1, x))));
  const power = 10 ** Math.floor(Math.log10(Math.max(1, x)));
  return Math.max(1, [1, 2, 5, 10].find(m => m * power >= x) * power);
}

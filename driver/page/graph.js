// The graph after fusion: a box for every step of the plan, which opens to show the operations in it.

const FONT = "system-ui, sans-serif";

class GraphPane {
  constructor(page) {
    this.page = page;
    this.canvas = document.getElementById("graph-canvas");
    this.map = document.getElementById("graph-map");
    this.opened = new Set();
    this.view = new Viewport(this.canvas, () => this.draw(), { click: (x, y, e) => this.click(x, y, e),
                                                              hover: (x, y) => this.hover(x, y), margins: [0, 0, 100, 0] });
    this.canvas.addEventListener("keydown", e => this.key(e));
    this.map.addEventListener("pointerdown", e => {
      this.map.setPointerCapture(e.pointerId);
      this.jump(e);
    });
    this.map.addEventListener("pointermove", e => e.buttons && this.jump(e));
    document.getElementById("graph-fit").addEventListener("click", () => this.fit());
    document.getElementById("graph-open").addEventListener("click", () => this.openAll());
  }
  // What there is to draw of the plan that is shown.
  build() {
    const g = this.page.graph, last = g.last, plan = this.page.plan;
    this.vertices = [];
    this.vertexOfStep = new Map();
    const block = last.blocks[plan.block];
    const inputs = [];
    for (let v = block.first; v < block.first + block.count; v++) if (last.opName(v) === "input") inputs.push(v);
    this.inputVertex = new Map();
    if (inputs.length <= 24) // more are written into the boxes that read them
      for (const v of inputs)
        if (last.users[v].length) {
          this.inputVertex.set(v, this.vertices.length);
          this.vertices.push({ kind: "input", node: v, label: this.inputName(v), sub: last.typeName(v) });
        }
    const steps = plan.steps.filter(s => s.node >= 0).sort((a, b) => a.node - b.node);
    for (const step of steps) {
      this.vertexOfStep.set(step.id, this.vertices.length);
      this.vertices.push({ kind: "step", step, node: step.node, label: step.label, sub: place(step.span), reads: [],
                           gives: [], grad: step.part === 2 });
    }
    const edges = new Map();
    const join = (value, to) => {
      const from = this.sources(value, new Set());
      for (const s of from) {
        if (s.input !== undefined) {
          const at = this.inputVertex.get(s.input);
          if (at === undefined) this.vertices[to].reads.push(s.input);
          else push(edges, at + ":" + to, s.input);
        } else push(edges, s.vertex + ":" + to, s.value);
      }
    };
    for (const step of steps)
      for (const value of new Set(last.operands(step.node))) join(value, this.vertexOfStep.get(step.id));
    block.values.forEach((value, k) => {
      for (const s of this.sources(block.first + value, new Set()))
        if (s.vertex !== undefined) this.vertices[s.vertex].gives.push(block.results[k].replace(/ = %.*/, ""));
    });
    this.edges = [...edges].map(([key, values]) => {
      const [a, b] = key.split(":").map(Number);
      return { a, b, values: [...new Set(values)] };
    });
    for (const v of this.vertices) v.edges = [];
    this.edges.forEach((e, k) => {
      this.vertices[e.a].edges.push(k);
      this.vertices[e.b].edges.push(k);
    });
    this.opened.clear();
    this.place();
    this.framed = false;
    document.getElementById("graph-note").textContent =
      `${steps.length} steps` + (inputs.length > 24 ? ", inputs named in the boxes that read them" : "");
  }
  inputName(v) {
    const last = this.page.graph.last, k = +strings[last.tail[v]].match(/#(\d+)/)[1];
    return last.block[v] ? strings[last.tail[v]].replace(/^.*"(.*)"$/, "$1") : this.page.graph.inputNames[k];
  }
  // Who computes a value: steps and inputs behind views and results of groups.
  sources(value, seen) {
    const g = this.page.graph, last = g.last;
    if (seen.has(value)) return [];
    seen.add(value);
    if (last.opName(value) === "input") return [{ input: value }];
    const step = g.stepOfNode.get(last.opName(value) === "get" ? last.operands(value)[0] : value);
    const vertex = step === undefined ? undefined : this.vertexOfStep.get(step);
    if (vertex !== undefined) return [{ vertex, value }];
    return Array.from(last.operands(value)).flatMap(x => this.sources(x, seen));
  }
  // The operations of a group as a drawing of its own.
  inside(vertex) {
    const last = this.page.graph.last, b = last.bodyOf.get(vertex.node);
    if (b === undefined) return null;
    const block = last.blocks[b], nodes = [], at = new Map();
    for (let v = block.first; v < block.first + block.count; v++) {
      if (last.opName(v) === "const") continue;
      at.set(v, nodes.length);
      nodes.push(v);
    }
    const label = v => {
      if (last.opName(v) === "input") return "x" + strings[last.tail[v]].match(/#(\d+)/)[1];
      const consts = Array.from(last.operands(v)).filter(x => last.opName(x) === "const").map(x => strings[last.tail[x]].trim());
      return last.opName(v) + (consts.length ? " " + consts.join(" ") : "");
    };
    const labels = nodes.map(label), edges = [];
    nodes.forEach((v, k) => {
      for (const x of new Set(last.operands(v))) if (at.has(x)) edges.push([at.get(x), k]);
    });
    const sizes = labels.map(l => ({ w: 16 + l.length * 6.6, h: 20 }));
    const drawn = layOut(sizes, edges, { gapX: 10, gapY: 16, far: 8, most: 560, isInput: k => last.opName(nodes[k]) === "input" });
    return { nodes, labels, sizes, edges, ...drawn };
  }
  place() {
    for (const v of this.vertices) {
      if (v.kind === "input") {
        v.w = Math.max(60, 20 + 6.6 * Math.min(30, v.label.length));
        v.h = 24;
        continue;
      }
      v.inner = this.opened.has(v.step.id) ? this.inside(v) : null;
      const notes = (v.reads.length ? 1 : 0) + (v.gives.length ? 1 : 0);
      v.head = 38;
      v.w = v.inner ? Math.max(190, v.inner.width + 24) : 190;
      v.h = v.head + 15 * notes + (notes ? 4 : 0) + (v.inner ? v.inner.height + 20 : 0);
    }
    const drawn = layOut(this.vertices, this.edges.map(e => [e.a, e.b]), { isInput: k => this.vertices[k].kind === "input" });
    drawn.place.forEach(([x, y], k) => Object.assign(this.vertices[k], { x, y }));
    drawn.route.forEach((route, k) => (this.edges[k].route = route));
    this.width = drawn.width;
    this.height = drawn.height;
    this.view.bounds = [0, 0, this.width, this.height];
    this.mapDrawn = false;
  }
  toggle(step) {
    const k = this.vertexOfStep.get(step), v = this.vertices[k], y = v.y, x = v.x + v.w / 2;
    if (this.opened.has(step)) this.opened.delete(step);
    else this.opened.add(step);
    this.place();
    this.view.ty += (y - v.y) * this.view.k; // the box stays where it is
    this.view.tx += (x - v.x - v.w / 2) * this.view.k;
    this.draw();
  }
  openAll() {
    const steps = this.vertices.filter(v => v.kind === "step" && this.page.graph.last.bodyOf.has(v.node));
    if (this.opened.size) this.opened.clear();
    else for (const v of steps.slice(0, 200)) this.opened.add(v.step.id);
    this.place();
    this.draw();
  }
  fit() {
    this.view.fit(0.02, 1.2);
  }
  // The first look: the beginning, large enough to be read.
  frame() {
    if (this.framed || !this.view.width) return;
    this.framed = true;
    this.view.fit(0.75, 1);
    const first = this.vertices[0];
    if (first && this.height * this.view.k > this.view.height) this.view.tx = (this.view.width - 100) / 2 - (first.x + first.w / 2) * this.view.k;
    if (this.page.selection) this.show();
  }
  draw() {
    if (!this.vertices || !this.view.width) return;
    this.frame();
    const g = this.view.begin(), box = this.view.visible(), k = this.view.k;
    this.colours = palette();
    const r = this.page.related;
    const lit = v => (v.kind === "step" ? r.steps.has(v.step.id) : r.nodes.has(v.node));
    g.lineWidth = Math.max(1, 0.8 / k);
    const strong = [];
    for (const e of this.edges) {
      const a = this.vertices[e.a], b = this.vertices[e.b];
      if (this.hot === e || a === this.over || b === this.over || (lit(a) && r.steps.size < 40) || (lit(b) && r.steps.size < 40)) strong.push(e);
      if (!e.route) {
        if (k > 0.3) this.stubs(g, a, b, box);
        continue;
      }
      if (Math.min(a.x, b.x) - 300 > box[2] || Math.max(a.x + a.w, b.x + b.w) + 300 < box[0] || a.y > box[3] || b.y + b.h < box[1]) continue;
      g.strokeStyle = this.colours["--edge"];
      this.curve(g, a, b, e.route);
    }
    g.lineWidth = Math.max(1.6, 1.4 / k);
    for (const e of strong) {
      g.strokeStyle = this.colours["--accent"];
      g.globalAlpha = e.route ? 1 : 0.45;
      this.curve(g, this.vertices[e.a], this.vertices[e.b], e.route || []);
      g.globalAlpha = 1;
    }
    for (const v of this.vertices) {
      if (v.x > box[2] || v.x + v.w < box[0] || v.y > box[3] || v.y + v.h < box[1]) continue;
      this.box(g, v, lit(v), k);
    }
    this.view.end();
    this.drawMap();
  }
  curve(g, a, b, route) {
    const points = [[a.x + a.w / 2, a.y + a.h], ...route, [b.x + b.w / 2, b.y]];
    g.beginPath();
    g.moveTo(...points[0]);
    for (let k = 1; k < points.length; k++) {
      const [x0, y0] = points[k - 1], [x1, y1] = points[k], m = (y0 + y1) / 2;
      g.bezierCurveTo(x0, m, x1, m, x1, y1);
    }
    g.stroke();
  }
  // An edge that is too long to draw: where it leaves and where it arrives.
  stubs(g, a, b, box) {
    g.strokeStyle = this.colours["--edge"];
    g.setLineDash([2, 3]);
    for (const [v, y, dy] of [[a, a.y + a.h, 9], [b, b.y, -9]]) {
      if (y < box[1] - 20 || y > box[3] + 20) continue;
      const x = v.x + v.w / 2 + 7;
      g.beginPath();
      g.moveTo(x, y);
      g.lineTo(x, y + dy);
      g.stroke();
    }
    g.setLineDash([]);
  }
  box(g, v, lit, k) {
    const c = this.colours;
    const main = v.kind === "step" && this.page.related.step === v.step.id;
    if (v.kind === "input") {
      g.fillStyle = lit ? c["--hit"] : c["--tint"];
      g.strokeStyle = lit ? c["--accent"] : c["--line"];
      rounded(g, v.x, v.y, v.w, v.h, 12);
      g.fill();
      g.stroke();
      if (k > 0.3) text(g, clip(v.label, 30), v.x + v.w / 2, v.y + 16, `11px ${FONT}`, c["--soft"], "center");
      return;
    }
    const colour = c["--c-" + v.step.class];
    g.fillStyle = lit ? c["--hit"] : c["--paper"];
    g.strokeStyle = main ? c["--accent"] : lit ? c["--mark"] : v === this.over ? c["--soft"] : c["--line"];
    g.lineWidth = Math.max(main ? 2.5 : lit ? 1.8 : 1, 0.8 / k);
    rounded(g, v.x, v.y, v.w, v.h, 5);
    g.fill();
    g.stroke();
    g.fillStyle = colour;
    if (k < 0.22) { // far off: colour alone
      g.globalAlpha = lit ? 1 : 0.65;
      g.fillRect(v.x, v.y, v.w, v.h);
      g.globalAlpha = 1;
      return;
    }
    g.fillRect(v.x, v.y + 4, 4, v.h - 8);
    const small = `11px ${FONT}`, bold = `600 12px ${FONT}`, room = v.w - 20;
    text(g, fitted(g, v.label, room - (v.grad ? 32 : 16), bold), v.x + 12, v.y + 16, bold, c["--ink"]);
    text(g, fitted(g, v.sub, room, small), v.x + 12, v.y + 31, small, c["--soft"]);
    if (v.grad) text(g, "∂", v.x + v.w - 26, v.y + 16, `italic 12px ${FONT}`, c["--soft"]);
    if (this.page.graph.last.bodyOf.has(v.node)) text(g, v.inner ? "▾" : "▸", v.x + v.w - 14, v.y + 16, `11px ${FONT}`, c["--soft"]);
    let y = v.y + v.h - 8;
    if (v.gives.length) {
      text(g, fitted(g, "→ " + summary(v.gives), room, small), v.x + 12, y, small, c["--accent"]);
      y -= 15;
    }
    if (v.reads.length)
      text(g, fitted(g, "← " + summary(v.reads.map(n => this.inputName(n))), room, small), v.x + 12, y, small, c["--soft"]);
    if (v.inner) this.drawInside(g, v, k);
  }
  drawInside(g, v, k) {
    const c = this.colours, inner = v.inner, last = this.page.graph.last;
    const ox = v.x + (v.w - inner.width) / 2, oy = v.y + v.head + 4, s = this.page.selection;
    const single = s && (s.kind === "line" || s.kind === "node"); // else all of the box is meant
    g.lineWidth = 1;
    g.strokeStyle = c["--edge"];
    inner.edges.forEach(([a, b], e) => {
      const [ax, ay] = inner.place[a], [bx, by] = inner.place[b];
      this.curve(g, { x: ox + ax, y: oy + ay, w: inner.sizes[a].w, h: 20 }, { x: ox + bx, y: oy + by, w: inner.sizes[b].w, h: 20 },
                 (inner.route[e] || []).map(([x, y]) => [x + ox, y + oy]));
    });
    inner.nodes.forEach((n, i) => {
      const [x, y] = inner.place[i], w = inner.sizes[i].w, cls = last.opClass(n);
      const lit = single && this.page.related.lastNodes.has(n), leaf = last.opName(n) === "input";
      g.fillStyle = lit ? c["--hit"] : leaf ? c["--paper"] : c["--tint"];
      g.strokeStyle = lit ? c["--accent"] : leaf ? c["--line"] : c["--c-" + cls] || c["--line"];
      rounded(g, ox + x, oy + y, w, 20, leaf ? 10 : 4);
      g.fill();
      g.stroke();
      if (k > 0.35) text(g, inner.labels[i], ox + x + w / 2, oy + y + 14, `11px ${FONT}`, leaf ? c["--soft"] : c["--ink"], "center");
    });
  }
  drawMap() {
    const ratio = devicePixelRatio || 1, c = this.map, w = 84, h = this.view.height - 16;
    const [x0, y0, x1, y1] = this.view.visible();
    c.hidden = x0 <= 0 && y0 <= 0 && x1 >= this.width && y1 >= this.height; // all of it is in sight
    if (c.hidden) return;
    const scale = Math.min((w - 4) / Math.max(1, this.width), (h - 4) / Math.max(1, this.height));
    const sx = Math.max(scale, Math.min((w - 4) / Math.max(1, this.width), scale * 8)); // a tall graph is stretched
    this.mapScale = [sx, scale];
    c.width = w * ratio;
    c.height = h * ratio;
    const g = c.getContext("2d");
    g.scale(ratio, ratio);
    g.translate(2, 2);
    for (const v of this.vertices) {
      const lit = v.kind === "step" && this.page.related.steps.has(v.step.id);
      g.fillStyle = v.kind === "input" ? this.colours["--line"] : this.colours[lit ? "--mark" : "--c-" + v.step.class];
      g.globalAlpha = lit ? 1 : 0.5;
      g.fillRect(v.x * sx, v.y * scale, Math.max(1, v.w * sx), Math.max(lit ? 2 : 1, v.h * scale));
    }
    g.globalAlpha = 1;
    g.strokeStyle = this.colours["--accent"];
    g.strokeRect(Math.max(0, x0 * sx), Math.max(0, y0 * scale), Math.min(w - 4, (x1 - Math.max(0, x0)) * sx), (y1 - y0) * scale);
  }
  jump(e) {
    this.view.centre((e.offsetX - 2) / this.mapScale[0], (e.offsetY - 2) / this.mapScale[1]);
  }
  at(x, y) {
    for (const v of this.vertices) if (x >= v.x && x <= v.x + v.w && y >= v.y && y <= v.y + v.h) return v;
    return null;
  }
  // The node in an open box under a point.
  innerAt(v, x, y) {
    if (!v.inner) return -1;
    const ox = v.x + (v.w - v.inner.width) / 2, oy = v.y + v.head + 4;
    const i = v.inner.place.findIndex(([nx, ny], k) => x >= ox + nx && x <= ox + nx + v.inner.sizes[k].w && y >= oy + ny && y <= oy + ny + 20);
    return i < 0 ? -1 : v.inner.nodes[i];
  }
  click(x, y, e) {
    const v = this.at(x, y);
    if (!v) {
      const edge = this.edgeAt(x, y);
      if (edge) this.page.select({ kind: "node", version: this.page.graph.last.index, node: edge.values[0] }, "graph");
      else this.page.select(null);
      return;
    }
    if (v.kind === "input") return this.page.select({ kind: "node", version: this.page.graph.last.index, node: v.node }, "graph");
    const opens = this.page.graph.last.bodyOf.has(v.node);
    if (opens && (e.detail === 2 || (x > v.x + v.w - 22 && y < v.y + 24))) return this.toggle(v.step.id);
    const inner = this.innerAt(v, x, y);
    if (inner >= 0) this.page.select({ kind: "node", version: this.page.graph.last.index, node: inner }, "graph");
    else this.page.select({ kind: "step", step: v.step.id }, "graph");
  }
  edgeAt(x, y) {
    const near = 5 / this.view.k;
    for (const e of this.edges) {
      if (!e.route) continue;
      const a = this.vertices[e.a], b = this.vertices[e.b];
      if (y < a.y + a.h || y > b.y) continue;
      const points = [[a.x + a.w / 2, a.y + a.h], ...e.route, [b.x + b.w / 2, b.y]];
      for (let k = 1; k < points.length; k++) {
        const [x0, y0] = points[k - 1], [x1, y1] = points[k];
        if (y < y0 || y > y1) continue;
        const t = (y - y0) / (y1 - y0), s = t * t * (3 - 2 * t); // the curve is nearly this
        if (Math.abs(x0 + (x1 - x0) * s - x) < near + Math.abs(x1 - x0) * 0.04) return e;
      }
    }
    return null;
  }
  hover(x, y) {
    const v = x === null ? null : this.at(x, y), e = x === null || v ? null : this.edgeAt(x, y);
    if (v !== this.over || e !== this.hot) {
      this.over = v;
      this.hot = e;
      this.draw();
    }
    this.canvas.style.cursor = v || e ? "pointer" : "grab";
    if (v && v.kind === "step")
      return `<b>${escape(v.label)}</b><br>${escape(v.sub)} · ${count(v.step.flops)}FLOP · ${bytesText(v.step.bytes)}` +
             (v.reads.length ? `<br>reads ${escape(clip(v.reads.map(n => this.inputName(n)).join(", "), 120))}` : "") +
             (v.gives.length ? `<br>gives ${escape(clip(v.gives.join(", "), 120))}` : "");
    if (v) return `<b>${escape(v.label)}</b><br>${escape(v.sub)}`;
    if (e) return this.edgeText(e);
    return "";
  }
  edgeText(e) {
    const last = this.page.graph.last;
    const values = e.values.map(n => `<code>%${last.local(n)}: ${escape(last.typeName(n))}</code>`).join("<br>");
    const a = this.vertices[e.a].step, b = this.vertices[e.b].step, apart = a && b ? this.page.apart(a.id, b.id) : [];
    const list = apart.flatMap(x => [...x.reasons(), x.again(), x.advice()]).filter(Boolean);
    return values + (list.length ? "<br><b>Why these are two kernels</b>" + list.map(t => `<br>${escape(t)}`).join("") : "");
  }
  show(origin) {
    const r = this.page.related;
    if (origin !== "graph" && r.steps.size) {
      const ids = r.step >= 0 ? [r.step] : [...r.steps];
      const hits = ids.map(id => this.vertices[this.vertexOfStep.get(id)]).filter(Boolean);
      const box = this.view.visible();
      const inside = v => v.x + v.w / 2 > box[0] && v.x + v.w / 2 < box[2] && v.y > box[1] && v.y + v.h < box[3];
      if (hits.length && !hits.some(inside)) this.view.centre(hits[0].x + hits[0].w / 2, hits[0].y + hits[0].h / 2);
    }
    this.draw();
  }
  key(e) {
    const r = this.page.related, step = r.step;
    if (e.key === "Enter" && step >= 0 && this.vertexOfStep.has(step)) this.toggle(step);
    else if (e.shiftKey && e.key.startsWith("Arrow")) this.walk(e.key);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
  // From the selected step to the one before, behind, or beside it.
  walk(key) {
    const at = this.vertices[this.vertexOfStep.get(this.page.related.step)] || this.vertices.find(v => v.kind === "step");
    if (!at) return;
    const me = this.vertices.indexOf(at), step = v => v && v.kind === "step";
    let next = [];
    if (key === "ArrowUp") next = at.edges.map(k => this.edges[k]).filter(e => e.b === me).map(e => this.vertices[e.a]);
    else if (key === "ArrowDown") next = at.edges.map(k => this.edges[k]).filter(e => e.a === me).map(e => this.vertices[e.b]);
    else {
      const side = key === "ArrowLeft" ? -1 : 1;
      next = this.vertices.filter(v => Math.abs(v.y - at.y) < 60 && (v.x - at.x) * side > 1)
                          .sort((a, b) => (a.x - b.x) * side);
    }
    next = next.filter(step);
    if (next.length) this.page.select({ kind: "step", step: next[0].step.id });
  }
  // Where a step's box is in the canvas, for those who click.
  screen(step) {
    const v = this.vertices[this.vertexOfStep.get(step)];
    return [(v.x + v.w / 2) * this.view.k + this.view.tx, (v.y + 12) * this.view.k + this.view.ty];
  }
}

// Text that is at most `width` wide, with an ellipsis where it was cut.
const cut = new Map();
function fitted(g, s, width, font) {
  const key = font + width.toFixed(0) + s;
  if (cut.has(key)) return cut.get(key);
  g.font = font;
  let n = s.length;
  const full = g.measureText(s).width;
  if (full > width) for (n = Math.floor((n * width) / full); n > 1 && g.measureText(s.slice(0, n) + "…").width > width; n--);
  const out = n < s.length ? s.slice(0, n) + "…" : s;
  cut.set(key, out);
  return out;
}

const clip = (s, n) => (s.length > n ? s.slice(0, Math.max(1, Math.floor(n) - 1)) + "…" : s);
const summary = list => (list.length > 1 ? `${list[0]} and ${list.length - 1} more` : list[0]);

function rounded(g, x, y, w, h, r) {
  g.beginPath();
  g.roundRect(x, y, w, h, r);
}

function text(g, s, x, y, font, colour, align = "left") {
  g.font = font;
  g.fillStyle = colour;
  g.textAlign = align;
  g.fillText(s, x, y);
}

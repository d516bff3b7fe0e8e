// The page: what is selected, what belongs to it, and who shows it.

const nothing = () => ({ lines: new Set(), softLines: new Set(), line: -1, nodes: new Set(), softNodes: new Set(), node: -1,
                         lastNodes: new Set(), steps: new Set(), step: -1, kernels: new Set(), pieces: new Set() });

// What belongs to a selection, seen from version `shown`.
function relate(graph, shown, s) {
  const r = nothing(), last = graph.last;
  if (!s) return r;
  const linesOf = (version, nodes, to) => {
    for (const n of nodes) if (version.span[n] >= 0) to.add(spanKey(version.span[n]));
  };
  const enclosing = n => { // the step that computes a node of the last version
    for (let v = n; ; v = last.blocks[last.block[v]].owner) {
      const step = graph.stepOfNode.get(v);
      if (step !== undefined) return step;
      if (last.opName(v) === "get") return enclosing(last.operands(v)[0]);
      if (!last.block[v]) return -1;
    }
  };
  let soft = false;
  if (s.kind === "line") {
    r.line = lineKey(s.source, s.line);
    r.lines.add(r.line);
    let keys = [r.line];
    const known = key => graph.versions.some((_, k) => graph.version(k).byLine.has(key));
    if (!known(r.line)) { // a call: what the graphs that it names consist of
      soft = true;
      keys = [];
      for (const span of called(s.source, s.line)) {
        const [source, from, , to] = data.spans[span];
        for (let line = from; line <= to; line++) keys.push(lineKey(source, line));
      }
      for (const key of keys) if (known(key)) r.softLines.add(key);
    }
    const nodes = soft ? r.softNodes : r.nodes;
    for (const key of keys) {
      for (const n of shown.byLine.get(key) || []) nodes.add(n);
      for (const n of last.byLine.get(key) || []) if (last.opName(n) !== "input") r.lastNodes.add(n);
    }
    for (const n of graph.carry(nodes, shown.index, last.index)) if (last.opName(n) !== "input") r.lastNodes.add(n);
  } else if (s.kind === "node") {
    const v = graph.version(s.version), all = new Set(v.within(s.node));
    r.lastNodes = graph.carry(all, v.index, last.index);
    r.nodes = graph.carry(all, v.index, shown.index);
    if (v === shown) r.node = s.node;
    else if (r.nodes.size) r.node = Math.min(...r.nodes);
    if (v.span[s.node] >= 0) {
      r.line = spanKey(v.span[s.node]);
      r.lines.add(r.line);
    }
    linesOf(v, all, r.lines);
  } else if (s.kind === "step" || s.kind === "kernel") {
    const ids = s.kind === "step" ? [s.step] : graph.kernelSteps.get(s.kernel) || [];
    if (s.kind === "step") r.step = s.step;
    else r.kernels.add(s.kernel);
    for (const id of ids) {
      r.steps.add(id);
      if (graph.steps[id].node >= 0) for (const n of last.within(graph.steps[id].node)) r.lastNodes.add(n);
    }
    if (ids.length === 1 && graph.steps[ids[0]].span >= 0) r.line = spanKey(graph.steps[ids[0]].span);
    linesOf(last, r.lastNodes, r.lines);
    r.nodes = graph.carry(r.lastNodes, last.index, shown.index);
  } else {
    const piece = graph.plans[s.plan].buffers[s.piece];
    for (const w of piece.writes) {
      r.steps.add(w.step.id);
      if (w.node >= 0) r.lastNodes.add(w.node);
    }
    if (piece.step) r.step = piece.step.id;
    linesOf(last, r.lastNodes, r.lines);
    r.nodes = graph.carry(r.lastNodes, last.index, shown.index);
    r.pieces.add(piece);
  }
  if (s.kind === "line" || s.kind === "node")
    for (const n of r.lastNodes) {
      const step = enclosing(n);
      if (step >= 0) r.steps.add(step);
      else if (s.kind === "node") for (const u of last.users[n]) if (enclosing(u) >= 0) r.steps.add(enclosing(u)); // inputs: who reads them
    }
  if (r.steps.size === 1 && r.step < 0) r.step = [...r.steps][0];
  if (s.kind !== "kernel") for (const id of r.steps) for (const k of graph.steps[id].kernels) r.kernels.add(k);
  if (s.kind !== "piece")
    for (const plan of graph.plans)
      for (const p of plan.buffers) if (p.writes.some(w => r.steps.has(w.step.id))) r.pieces.add(p);
  return r;
}

class Page {
  constructor() {
    this.selection = null;
    this.related = nothing();
    this.tab = "ir";
    this.source = new SourcePane(this);
    this.ir = new IrPane(this);
    this.kernels = new KernelsPane(this);
    this.planPane = new PlanPane(this);
    this.graphPane = new GraphPane(this);
    this.memory = new MemoryPane(this);
    this.search = new Search(this);
    this.drawn = { ir: this.ir, graph: this.graphPane, plan: this.planPane, memory: this.memory };
    document.title = data.title + " – Tercet";
    document.getElementById("title").textContent = data.title;
    this.controls();
    this.read(location.hash);
    addEventListener("popstate", () => this.read(location.hash));
  }
  controls() {
    const graphs = document.getElementById("graphs");
    graphs.hidden = data.graphs.length < 2;
    graphs.innerHTML = data.graphs.map((g, i) => `<option value="${i}">${escape(graphTitle(g))}</option>`).join("");
    graphs.addEventListener("change", () => this.setGraph(+graphs.value));
    for (const b of document.querySelectorAll("#tabs button")) b.addEventListener("click", () => this.setTab(b.dataset.tab));
    for (const select of document.querySelectorAll(".which-plan"))
      select.addEventListener("change", () => this.setPlan(+select.value));
    document.getElementById("theme").addEventListener("click", () => {
      const dark = matchMedia("(prefers-color-scheme: dark)").matches, now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
      this.setTheme(now === "dark" ? "light" : "dark");
    });
    document.getElementById("help-button").addEventListener("click", () => document.getElementById("help").showModal());
    document.getElementById("inspector").addEventListener("click", e => {
      const b = e.target.closest("[data-go]");
      if (b) this.select(fromText(b.dataset.go));
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    addEventListener("keydown", e => this.key(e));
    for (const s of document.querySelectorAll(".split")) splitter(s);
  }
  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    this.recolour();
  }
  recolour() {
    forgetColours();
    this.show();
  }
  setGraph(index) {
    this.graph = this.graphs[index] = this.graphs[index] || new Graph(data.graphs[index], index);
    document.getElementById("graphs").value = index;
    this.selection = null;
    this.related = nothing();
    this.stage = this.graph.stages.length - 1;
    this.version = this.graph.last;
    this.plan = this.graph.plans[0];
    for (const select of document.querySelectorAll(".which-plan")) {
      select.hidden = this.graph.plans.length < 2;
      select.innerHTML = this.graph.plans.map((p, i) =>
        `<option value="${i}">${i ? `scan of step ${p.parent.index}, ${p.trips} times` : "the graph"}</option>`).join("");
    }
    this.kernels.build();
    this.planPane.build();
    this.stale = { graph: true, memory: true };
    this.source.weigh();
    this.ir.drawStrip();
    this.ir.build();
    this.facts();
    this.openFirst();
    this.setTab(this.tab);
  }
  get graphs() {
    return (this.graphList = this.graphList || []);
  }
  // The user's own file, where the graph begins in it.
  openFirst() {
    this.source.open(data.main);
    const lines = [...this.graph.version(0).byLine.keys()].map(lineOfKey).filter(at => at.source === data.main).map(at => at.line);
    if (lines.length) this.source.list.reveal(Math.min(...lines) - 1, true);
    const v = this.version; // past the inputs
    for (let n = 0; n < v.n; n++)
      if (v.opName(n) !== "input" && v.opName(n) !== "const") {
        this.ir.list.reveal(this.ir.rowOf[n] - 1, true);
        break;
      }
  }
  facts() {
    const g = this.graph, p = g.plans[0];
    document.getElementById("facts").textContent =
      `${g.version(0).n} → ${g.last.blocks[0].count} nodes · ${g.steps.length} steps · ${g.kernelSteps.size} kernels · ` +
      `${count(g.flops)}FLOP · ${bytesText(p.arena)} arena · ${data.isa}`;
  }
  setPlan(index) {
    this.plan = this.graph.plans[index];
    for (const select of document.querySelectorAll(".which-plan")) select.value = index;
    this.stale = { graph: true, memory: true };
    this.setTab(this.tab);
  }
  setStage(index) {
    this.stage = Math.max(0, Math.min(this.graph.stages.length - 1, index));
    this.version = this.graph.version(this.graph.stages[this.stage].version);
    this.related = relate(this.graph, this.version, this.selection);
    this.source.weigh();
    this.ir.drawStrip();
    this.ir.build();
    this.show();
    this.remember(true);
  }
  setTab(tab) {
    this.tab = tab;
    for (const b of document.querySelectorAll("#tabs button")) b.setAttribute("aria-selected", b.dataset.tab === tab);
    for (const name of Object.keys(this.drawn)) document.getElementById("tab-" + name).hidden = name !== tab;
    if (this.stale[tab]) {
      this.stale[tab] = false;
      this.drawn[tab].build();
    }
    this.drawn[tab].show();
    this.remember(true);
  }
  // Selects what `s` says; `origin` is the pane that was clicked, which stays where it is.
  select(s, origin) {
    this.selection = s;
    this.related = relate(this.graph, this.version, s);
    const step = this.related.step;
    if (step >= 0 && this.graph.steps[step].plan !== this.plan && (this.tab === "graph" || this.tab === "memory"))
      this.setPlan(this.graph.steps[step].plan.index);
    this.show(origin);
    this.remember(false);
  }
  show(origin) {
    this.source.show(origin);
    this.drawn[this.tab].show(origin);
    this.kernels.show(origin);
    document.getElementById("inspector").innerHTML = inspect(this);
  }
  // Why two steps are not one.
  apart(a, b) {
    return this.plan.apart.filter(e => e.from === a && e.to === b);
  }
  // The address says what is shown, so that going back works and a view can be handed on.
  remember(replace) {
    const parts = [`g=${this.graph.index}`, `s=${this.stage}`, `tab=${this.tab}`];
    if (this.selection) parts.push("sel=" + toText(this.selection));
    if (document.documentElement.dataset.theme) parts.push("theme=" + document.documentElement.dataset.theme);
    const hash = "#" + parts.join("&");
    if (hash === location.hash) return;
    history[replace ? "replaceState" : "pushState"](null, "", hash);
  }
  read(hash) {
    const q = new URLSearchParams(hash.slice(1)), g = Math.min(data.graphs.length - 1, +q.get("g") || 0);
    if (q.get("theme")) document.documentElement.dataset.theme = q.get("theme") === "dark" ? "dark" : "light";
    if (this.drawn[q.get("tab")]) this.tab = q.get("tab");
    const s = fromText(q.get("sel") || "");
    if (!this.graph || this.graph.index !== g) this.setGraph(g);
    else this.setTab(this.tab);
    if (q.has("s") && +q.get("s") !== this.stage) this.setStage(+q.get("s"));
    this.selection = s && valid(this.graph, s) ? s : null;
    this.related = relate(this.graph, this.version, this.selection);
    this.show();
  }
  key(e) {
    const typing = e.target.closest("input, select, textarea, dialog");
    if (e.ctrlKey || e.metaKey || e.altKey || typing) return;
    const tabs = ["ir", "graph", "plan", "memory"];
    if (e.key === "/") this.search.box.focus();
    else if (e.key === "?") document.getElementById("help").showModal();
    else if (e.key === "Escape") this.select(null);
    else if (e.key === "[" || e.key === "]") this.setStage(this.stage + (e.key === "]" ? 1 : -1));
    else if (e.key === "n" || e.key === "p") this.ir.step(e.key === "n" ? 1 : -1);
    else if (e.key === "d") this.ir.setDiff(!this.ir.diff);
    else if (e.key === "t") document.getElementById("theme").click();
    else if (tabs[+e.key - 1]) this.setTab(tabs[+e.key - 1]);
    else return;
    e.preventDefault();
  }
}

const graphTitle = g => `${g.name}: ${g.versions[0].graph.op.length} nodes${g.about ? `, ${g.about}` : ""}`;

const toText = s => ({ line: () => `line.${s.source}.${s.line}`, node: () => `node.${s.version}.${s.node}`, step: () => `step.${s.step}`,
                       kernel: () => `kernel.${s.kernel}`, piece: () => `piece.${s.plan}.${s.piece}` })[s.kind]();

function fromText(text) {
  const [kind, a, b] = text.split(".");
  const make = { line: () => ({ kind, source: +a, line: +b }), node: () => ({ kind, version: +a, node: +b }), step: () => ({ kind, step: +a }),
                 kernel: () => ({ kind, kernel: +a }), piece: () => ({ kind, plan: +a, piece: +b }) }[kind];
  return make ? make() : null;
}

const valid = (graph, s) => ({
  line: () => data.sources[s.source] && s.line >= 1 && s.line <= data.sources[s.source].lines.length,
  node: () => graph.versions.length > s.version && s.version >= 0 && s.node >= 0 && s.node < graph.version(s.version).n,
  step: () => graph.steps[s.step],
  kernel: () => graph.kernelSteps.has(s.kernel),
  piece: () => graph.plans[s.plan] && graph.plans[s.plan].buffers[s.piece],
})[s.kind]();

// The line at the bottom: what is selected, and the way to what belongs to it.
function inspect(page) {
  const s = page.selection, g = page.graph, r = page.related;
  const go = (target, label, title = "") => `<button data-go="${toText(target)}" title="${escape(title)}">${label}</button>`;
  const stepChip = id => go({ kind: "step", step: id }, `<span class="dot c-${g.steps[id].class}"></span>step ${g.steps[id].index} ${escape(clip(g.steps[id].label, 26))}`, g.steps[id].text);
  const few = (set, chip, what, most = 6) => {
    const list = [...set], more = list.length - most;
    return list.slice(0, most).map(chip).join("") + (more > 0 ? `<span>and ${more} more ${what}</span>` : "");
  };
  const lineChip = key => {
    const at = lineOfKey(key);
    return go({ kind: "line", source: at.source, line: at.line }, escape(data.sources[at.source].name + ":" + at.line),
              data.sources[at.source].lines[at.line - 1].trim());
  };
  const kernelChip = k => go({ kind: "kernel", kernel: k }, escape(data.kernels[k].symbol.replace(/_([0-9a-f]{6})[0-9a-f]{10}$/, "_$1")));
  const pieceChip = p => go({ kind: "piece", plan: p.plan.index, piece: p.id }, bytesText(p.end - p.begin) + (p.place === "arena" ? "" : " " + p.place), page.memory.label(p));
  if (!s) return `<span class="comment">Click a line, a node, a kernel, a box or a rectangle. <kbd>/</kbd> searches, <kbd>?</kbd> explains.</span>`;
  let what = "", more = "";
  const costs = ids => {
    const steps = [...ids].map(id => g.steps[id]), flops = steps.reduce((t, x) => t + x.flops * x.plan.trips, 0), bytes = steps.reduce((t, x) => t + x.bytes * x.plan.trips, 0);
    return steps.length ? `<span>${count(flops)}FLOP (${(100 * flops / Math.max(1, g.flops)).toPrecision(2)} %), ${bytesText(bytes)}</span>` : "";
  };
  if (s.kind === "line") {
    what = `<code>${escape(data.sources[s.source].name)}:${s.line}</code> <code>${escape(clip(data.sources[s.source].lines[s.line - 1].trim(), 90))}</code>`;
    const n = r.nodes.size || r.softNodes.size;
    more = n ? `<span>${n} node${n === 1 ? "" : "s"}${r.nodes.size ? "" : " of the graphs it calls"}</span>` : "<span>nothing of this graph comes from it</span>";
    more += costs(r.steps) + few(r.steps, stepChip, "steps");
  } else if (s.kind === "node") {
    const v = g.version(s.version);
    what = `<code>${escape(clip(v.text(s.node), 140))}</code>`;
    more = (v.passName(s.node) ? `<span>made by <b>${escape(v.passName(s.node))}</b></span>` : "<span>as it is written</span>") +
           `<span>${v.users[s.node].length} user${v.users[s.node].length === 1 ? "" : "s"}</span>` + few(r.lines, lineChip, "lines") + few(r.steps, stepChip, "steps");
  } else if (s.kind === "step") {
    const step = g.steps[s.step];
    what = `<code>${escape(clip(step.text.trim(), 200))}</code>`;
    more = costs([s.step]) + `<span>bound by ${step.bound}</span>` + apartText(step, stepChip) + few(r.lines, lineChip, "lines", 3) + few(r.kernels, kernelChip, "kernels", 2) + few(r.pieces, pieceChip, "pieces of memory", 2);
  } else if (s.kind === "kernel") {
    what = `<code>${escape(data.kernels[s.kernel].symbol)}</code>`;
    more = `<span>run by ${r.steps.size} step${r.steps.size === 1 ? "" : "s"}</span>` + costs(r.steps) + few(r.lines, lineChip, "lines") + few(r.steps, stepChip, "steps");
  } else {
    const p = g.plans[s.plan].buffers[s.piece];
    what = `<code>${escape(page.memory.label(p))}</code><span>${bytesText(p.end - p.begin)} ${p.place === "arena" ? "at " + p.begin : "of " + p.place + " " + p.index}, steps ${p.first} to ${p.last}</span>`;
    more = "<span>written by</span>" + few(new Set(p.writes.map(w => w.step.id)), stepChip, "steps") +
           (p.reads.length ? "<span>read by</span>" + few(new Set(p.reads.map(w => w.step.id)), stepChip, "steps") : "");
  }
  return `<div class="what">${what}</div><div class="more">${more}</div>`;
}

// Neighbours of a step that did not become one kernel with it, and why.
function apartText(step, chip) {
  const edges = step.plan.apart.filter(e => e.from === step.id || e.to === step.id);
  const one = e => chip(e.from === step.id ? e.to : e.from) + `<span class="why" title="${escape(whole(e))}">${escape(clip(e.reasons()[0], 60))}</span>`;
  return edges.length ? "<span>apart from</span>" + edges.slice(0, 2).map(one).join("") + (edges.length > 2 ? `<span>and ${edges.length - 2} more</span>` : "") : "";
}

// All that is known about an edge between two steps.
const whole = e => [...e.reasons(), e.again(), e.advice()].filter(Boolean).join(". ");

// A bar between two panes that is moved by pointer or arrow keys.
function splitter(bar) {
  const left = bar.previousElementSibling, right = bar.nextElementSibling;
  const shift = dx => {
    const a = left.offsetWidth + dx, b = right.offsetWidth - dx;
    if (a < 140 || b < 140) return;
    const total = parseFloat(getComputedStyle(left).flexGrow) + parseFloat(getComputedStyle(right).flexGrow);
    left.style.flexGrow = total * a / (a + b);
    right.style.flexGrow = total * b / (a + b);
  };
  bar.addEventListener("pointerdown", e => bar.setPointerCapture(e.pointerId));
  bar.addEventListener("pointermove", e => e.buttons && shift(e.movementX));
  bar.addEventListener("dblclick", () => (left.style.flexGrow = right.style.flexGrow = ""));
  bar.addEventListener("keydown", e => {
    if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
    shift(e.key === "ArrowLeft" ? -40 : 40);
    e.preventDefault();
    e.stopPropagation();
  });
}

const page = new Page();

// What a page is held to in a browser: each function returns what is wrong, or "".
const settled = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
const middle = element => {
  const r = element.getBoundingClientRect();
  return [r.x + Math.min(r.width / 2, 200), r.y + r.height / 2];
};
const listRow = (list, i) => document.querySelector(`#${list} .row[data-i="${i}"]`);
const shownMarks = list => document.querySelectorAll(`#${list} .row.hit`).length;

const checks = {
  // Every selection that there is, from every version, without an exception and with neighbours that exist.
  everySelection(most) {
    const g = page.graph, wrong = [];
    const look = (s, version) => {
      const r = relate(g, version, s);
      for (const id of r.steps) if (!g.steps[id]) wrong.push(`step ${id} of ${toText(s)}`);
      for (const k of r.kernels) if (!data.kernels[k]) wrong.push(`kernel ${k} of ${toText(s)}`);
      for (const n of r.nodes) if (!(n < version.n)) wrong.push(`node ${n} of ${toText(s)}`);
      for (const n of r.lastNodes) if (!(n < g.last.n)) wrong.push(`last node ${n} of ${toText(s)}`);
      for (const key of r.lines) {
        const at = lineOfKey(key);
        if (!(at.line <= data.sources[at.source].lines.length)) wrong.push(`line of ${toText(s)}`);
      }
      if (!valid(g, fromText(toText(s)))) wrong.push(`${toText(s)} isn't its own text`);
      return r;
    };
    for (const step of g.steps) {
      const r = look({ kind: "step", step: step.id }, g.last);
      if (step.node >= 0 && !r.nodes.size) wrong.push(`step ${step.id} has no nodes`);
      if (step.node >= 0 && !r.lines.size) wrong.push(`step ${step.id} has no lines`);
    }
    for (const k of g.kernelSteps.keys()) look({ kind: "kernel", kernel: k }, g.version(0));
    for (const plan of g.plans) for (const p of plan.buffers) look({ kind: "piece", plan: plan.index, piece: p.id }, g.last);
    for (let v = 0; v < g.versions.length; v++) {
      const version = g.version(v), every = Math.max(1, Math.floor(version.n / most));
      for (let n = 0; n < version.n; n += every) {
        const r = look({ kind: "node", version: v, node: n }, version);
        if (!r.nodes.has(n)) wrong.push(`node ${v}.${n} isn't among its own nodes`);
      }
    }
    data.sources.forEach((s, f) => s.lines.forEach((_, i) => look({ kind: "line", source: f, line: i + 1 }, g.last)));
    return wrong.slice(0, 5).join("; ");
  },
  // The memory plan: nothing lies where something else lies at the same time.
  memoryIsDisjoint() {
    for (const plan of page.graph.plans) {
      const pieces = plan.buffers.filter(p => p.place === "arena");
      for (const p of pieces) {
        if (p.begin < 0 || p.end > plan.arena || p.first > p.last) return `piece ${p.id} is outside`;
        if (!p.writes.length) return `nobody writes piece ${p.id}`;
        for (const q of pieces)
          if (p.id < q.id && p.first <= q.last && q.first <= p.last && p.begin < q.end && q.begin < p.end)
            return `pieces ${p.id} and ${q.id} overlap`;
      }
    }
    return "";
  },
  everyPass() {
    for (let k = 0; k < page.graph.stages.length; k++) {
      page.setStage(k);
      page.ir.setDiff(true);
      page.ir.setDiff(false);
      const rows = page.ir.kinds.length;
      if (rows < page.version.n) return `${rows} rows for ${page.version.n} nodes after ${page.graph.stages[k].name}`;
      for (let i = 0; i < rows; i++) page.ir.row(i);
    }
    return "";
  },
  // Of a kernel that several steps share, the lines are those of the step that is selected.
  sharedKernels() {
    const g = page.graph, k = page.kernels;
    let renamed = 0;
    for (const [kernel, ids] of g.kernelSteps) {
      if (!hasLoops(kernel)) continue;
      if (k.base(kernel) < 0) return `nobody has the lines of ${data.kernels[kernel].symbol}`;
      for (const id of ids) {
        const lines = k.stepLines(kernel, id), own = new Set(g.last.within(g.steps[id].node < 0 ? 0 : g.steps[id].node).map(n => spanKey(g.last.span[n])));
        if (g.steps[id].node >= 0 && lines.some(key => !own.has(key))) return `step ${id} has lines in ${data.kernels[kernel].symbol} that aren't its own`;
        renamed += k.renamed(kernel, id) !== null;
      }
    }
    return renamed ? "" : "no kernel is shared";
  },
  // Passes that keep most of a graph are seen to: most of it has a partner in the version before.
  passesKeepNodes() {
    const g = page.graph;
    for (let k = 1; k < g.versions.length; k++) {
      const v = g.version(k), { mark, gone } = changesOf(g, k), kept = mark.filter(m => m !== "+").length;
      if (v.name !== "grad" && kept < 0.5 * v.n) return `${v.name} kept ${kept} of ${v.n} nodes`;
      if (v.name === "fuse" && gone.length) return `fusion lost ${gone.map(n => g.version(k - 1).text(n)).slice(0, 3)}`;
      if (v.name === "fold" && mark.some((m, n) => m === "+" && v.opName(n) !== "const")) return "fold made more than numbers";
      if (v.name === "dce" && mark.some(m => m === "+")) return "dce made nodes";
    }
    return "";
  },
  everyTab() {
    for (const tab of ["ir", "graph", "plan", "memory"]) {
      page.setTab(tab);
      const shown = [...document.querySelectorAll(".tab:not([hidden])")].map(t => t.id).join();
      if (shown !== "tab-" + tab) return `${shown} instead of ${tab}`;
    }
    return "";
  },
  drawn(id) {
    const c = document.getElementById(id), { data: d } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
    const colours = new Set();
    for (let k = 0; k < d.length; k += 4) if (d[k + 3]) colours.add((d[k] << 16) | (d[k + 1] << 8) | d[k + 2]);
    return colours.size > 3 ? "" : `${id} has ${colours.size} colours`;
  },
  // The selection is `kind`, and every pane shows some of it.
  async marked(kind, panes) {
    await settled();
    const s = page.selection;
    if (!s || s.kind !== kind) return `selected is ${s ? toText(s) : "nothing"}, not a ${kind}`;
    for (const pane of panes) if (!shownMarks(pane)) return `${pane} shows nothing of ${toText(s)}`;
    return document.querySelector("#inspector .what") ? "" : "the inspector says nothing";
  },
  theme(name) {
    page.setTheme(name);
    const probe = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return probe[0] < 128 === (name === "dark") ? "" : `the page is ${probe} in ${name}`;
  },
  async fewRows() {
    await settled();
    const rows = document.querySelectorAll(".row").length, all = document.getElementsByTagName("*").length;
    return rows < 400 && all < 8000 ? "" : `${rows} rows, ${all} elements`;
  },
};
""

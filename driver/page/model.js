"use strict";
// What the page shows, and what belongs to what. Numbers are indices: of sources, of spans, of nodes among all
// nodes of a version (those of bodies behind those of the graph), of steps among all steps of a graph's plans,
// of kernels.

const data = JSON.parse(document.getElementById("data").textContent);
const strings = data.strings;
const baseName = path => path.slice(path.lastIndexOf("/") + 1);
for (const source of data.sources) {
  source.lines = source.text.split("\n");
  if (source.lines[source.lines.length - 1] === "") source.lines.pop();
  source.name = baseName(source.path).replace(/\.tct$/, "");
}

// A line of a source as one number.
const lineKey = (source, line) => source * 1048576 + line;
const lineOfKey = key => ({ source: Math.floor(key / 1048576), line: key % 1048576 });
const spanKey = span => (span < 0 ? -1 : lineKey(data.spans[span][0], data.spans[span][1]));

function push(map, key, value) {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

// One version of a graph, ready to be walked.
class Version {
  constructor(raw, index) {
    this.name = raw.name;
    this.doc = raw.doc;
    this.seconds = raw.seconds;
    this.index = index;
    const g = raw.graph;
    this.head = g.head;
    this.n = g.op.length;
    Object.assign(this, { op: g.op, type: g.type, tail: g.tail, pass: g.pass, span: g.span });
    this.from = g.from || null;   // by node: the node of the version before that it is, or -1
    this.blocks = [];
    this.block = new Int32Array(this.n);
    this.bodyOf = new Map();      // node: number of its body's block
    let first = 0;
    for (let b = 0; b < g.size.length; b++) {
      const results = g.results[b].replace(/^return ?/, "").match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) || [];
      this.blocks.push({ owner: g.owner[b], first, count: g.size[b], results: results.map(r => r.trim()),
                         values: g.values[b] });
      this.block.fill(b, first, first + g.size[b]);
      if (b > 0) this.bodyOf.set(g.owner[b], b);
      first += g.size[b];
    }
    this.inStart = new Int32Array(this.n + 1);
    this.ins = new Int32Array(g.in.length - this.n);
    for (let v = 0, at = 0, out = 0; v < this.n; v++) {
      const count = g.in[at++];
      for (let k = 0; k < count; k++) this.ins[out++] = v - g.in[at++];
      this.inStart[v + 1] = out;
    }
    this.bySpan = new Map();
    this.byLine = new Map();
    for (let v = 0; v < this.n; v++) {
      push(this.bySpan, this.span[v], v);
      if (this.span[v] >= 0) push(this.byLine, spanKey(this.span[v]), v);
    }
  }
  operands(v) { return this.ins.subarray(this.inStart[v], this.inStart[v + 1]); }
  local(v) { return v - this.blocks[this.block[v]].first; }
  opName(v) { return strings[this.op[v]]; }
  opClass(v) {
    const name = this.opName(v);
    return name === "get" || name === "fused" ? "leaf" : data.ops[name];
  }
  typeName(v) { return strings[this.type[v]]; }
  passName(v) { return this.pass[v] < 0 ? "" : strings[this.pass[v]]; }
  // The node of the graph itself whose body v is in, or v.
  top(v) {
    while (this.block[v]) v = this.blocks[this.block[v]].owner;
    return v;
  }
  // v and everything in its body.
  within(v, out = []) {
    out.push(v);
    const b = this.bodyOf.get(v);
    if (b === undefined) return out;
    const block = this.blocks[b];
    for (let k = 0; k < block.count; k++) this.within(block.first + k, out);
    return out;
  }
  text(v) {
    const ins = Array.from(this.operands(v), x => "%" + this.local(x)).join(", ");
    return `%${this.local(v)}: ${this.typeName(v)} = ${this.opName(v)}${ins ? " " + ins : ""}${strings[this.tail[v]]}`;
  }
  get users() {
    if (!this.userLists) {
      this.userLists = Array.from({ length: this.n }, () => []);
      for (let v = 0; v < this.n; v++)
        for (const x of new Set(this.operands(v))) this.userLists[x].push(v);
    }
    return this.userLists;
  }
  // Nodes of the next version that node v became; by number.
  get became() {
    if (!this.becameLists) this.becameLists = new Map();
    return this.becameLists;
  }
}

class Graph {
  constructor(raw, index) {
    this.raw = raw;
    this.index = index;
    this.name = raw.name;
    this.inputNames = raw.inputs;
    this.versions = [];            // those that differ from the one before
    this.stages = raw.versions.map(v => {
      const made = v.graph !== undefined;
      if (made) this.versions.push(null);
      return { name: v.name, doc: v.doc, seconds: v.seconds, version: this.versions.length - 1, same: !made,
               count: made ? v.graph.op.length : 0, raw: v };
    });
    this.readPlan();
  }
  version(k) {
    if (!this.versions[k]) {
      this.versions[k] = new Version(this.stages.find(s => s.version === k && !s.same).raw, k);
      const v = this.versions[k];
      if (v.from && k > 0) {
        const before = this.version(k - 1);
        for (let n = 0; n < v.n; n++) if (v.from[n] >= 0) push(before.became, v.from[n], n);
      }
    }
    return this.versions[k];
  }
  get last() { return this.version(this.versions.length - 1); }

  readPlan() {
    this.plans = [];
    this.steps = [];
    this.stepOfNode = new Map();   // node of the last version: step
    this.kernelSteps = new Map();
    const last = this.last;
    const walk = (raw, block, parent) => {
      const plan = { index: this.plans.length, raw, block, parent, first: this.steps.length, arena: raw.arena, apart: [],
                     trips: raw.trips || 1, outputs: raw.outputs, inputs: raw.inputs };
      this.plans.push(plan);
      const first = last.blocks[block].first;
      plan.steps = raw.steps.map((s, index) => {
        const step = { id: this.steps.length, plan, index, kind: s.kind, label: s.label, kernels: s.kernels,
                       operands: s.operands, tasks: s.tasks, flops: s.flops, bytes: s.bytes, span: s.span,
                       text: s.text, part: s.part, bound: s.bound, node: s.node < 0 ? -1 : first + s.node, scan: s.scan };
        this.steps.push(step);
        if (step.node >= 0) this.stepOfNode.set(step.node, step.id);
        for (const k of step.kernels) push(this.kernelSteps, k, step.id);
        return step;
      });
      for (const step of plan.steps)
        if (step.scan >= 0) step.body = walk(raw.scans[step.scan], last.bodyOf.get(step.node), step);
      plan.buffers = readBuffers(this, plan);
      for (const [a, b, reasons, again, advice] of raw.apart) {
        const from = this.steps[this.stepOfNode.get(first + a)], to = this.steps[this.stepOfNode.get(first + b)];
        const say = n => strings[n].replace(/\{a\}/g, "step " + from.index).replace(/\{b\}/g, "step " + to.index);
        plan.apart.push({ from: from.id, to: to.id, reasons: () => reasons.map(say), again: () => (again < 0 ? "" : say(again)),
                          advice: () => (advice < 0 ? "" : say(advice)) });
      }
      return plan;
    };
    walk(this.raw.plan, 0, null);
    for (const step of this.steps) step.class = stepClass(last, step);
    this.flops = this.plans[0].steps.reduce((sum, s) => sum + s.flops, 0);
    this.bytes = this.plans[0].steps.reduce((sum, s) => sum + s.bytes, 0);
  }

  // Nodes of version `to` that are those of `set` in version `from`.
  carry(set, from, to) {
    while (from !== to && set.size) {
      const here = this.version(from), up = to > from, there = this.version(up ? from + 1 : from - 1);
      const out = new Set();
      for (const v of set) {
        const same = up ? here.became.get(v) : here.from && here.from[v] >= 0 ? [here.from[v]] : null;
        if (same) for (const w of same) out.add(w);
      }
      // What became of none: the nodes of the same place, if any.
      if (!out.size)
        for (const v of set)
          if (here.span[v] >= 0) for (const w of there.bySpan.get(here.span[v]) || []) out.add(w);
      set = out;
      from = there.index;
    }
    return set;
  }
}

function stepClass(last, step) {
  if (step.node < 0) return "movement";
  if (step.kind !== "loop") return step.kind;
  let reduces = false, moves = false;
  for (const v of last.within(step.node)) {
    reduces = reduces || last.opClass(v) === "reduction";
    moves = moves || last.opName(v) === "scatter_add" || last.opName(v) === "put";
  }
  return moves ? "movement" : reduces ? "reduction" : "elementwise";
}

// Which operands of a step are results, and the node whose value each is: [operand, node].
function resultsOf(graph, step) {
  const last = graph.last;
  if (step.node < 0) return [[1, -1]];
  const n = last.operands(step.node).length, out = [];
  if (last.opName(step.node) === "dot") return [[0, step.node]];
  const body = last.blocks[last.bodyOf.get(step.node)], first = step.kind === "product" ? 3 + n : n;
  const gets = [];
  for (const u of last.users[step.node])
    if (last.opName(u) === "get") gets[+strings[last.tail[u]].replace(/\D+/g, "")] = u;
  body.values.forEach((value, k) => out.push([first + k, gets[k] === undefined ? body.first + value : gets[k]]));
  if (step.kind === "product" && step.operands.length > first + body.values.length - 1)
    out.push([0, last.within(step.node).find(v => last.opName(v) === "dot")]);
  if (step.kind === "scan") out.push([step.operands.length - 1, -1]);
  return out;
}

const PLACES = ["arena", "input", "output", "constant"];

// The plan's memory: buffers that are one piece of memory at the same time together, and who writes and reads it.
function readBuffers(graph, plan) {
  const pieces = new Map(), list = [];
  plan.pieceOf = plan.raw.buffers.map(([place, index, offset, bytes, first, last]) => {
    const key = [place, index, offset + bytes, first, last].join(":");
    let piece = pieces.get(key);
    if (!piece) {
      piece = { plan, id: list.length, place: PLACES[place], index, begin: offset, end: offset + bytes, first, last,
                writes: [], reads: [] };
      pieces.set(key, piece);
      list.push(piece);
    }
    piece.begin = Math.min(piece.begin, offset);
    return piece;
  });
  for (const step of plan.steps) {
    const results = new Map(resultsOf(graph, step));
    step.operands.forEach((buffer, k) => {
      const piece = plan.pieceOf[buffer];
      if (results.has(k)) piece.writes.push({ step, node: results.get(k) });
      else piece.reads.push({ step });
    });
  }
  for (const piece of list) {
    const at = piece.writes.find(w => w.node >= 0 && graph.last.block[w.node] === plan.block) ||
               piece.writes.find(w => w.node >= 0) || piece.writes[0];
    piece.step = at ? at.step : null;
    piece.node = at ? at.node : -1;
  }
  return list;
}

// --- Numbers for people ---

function count(x) {
  if (x < 1e3) return String(Math.round(x));
  const units = ["", " k", " M", " G", " T", " P"];
  const k = Math.min(5, Math.floor(Math.log10(x) / 3));
  return (x / 10 ** (3 * k)).toPrecision(3) + units[k];
}

function bytesText(x) {
  if (x < 1024) return x + " B";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const k = Math.min(4, Math.floor(Math.log2(x) / 10));
  return (x / 1024 ** k).toPrecision(3) + " " + units[k];
}

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = text => text.replace(/[&<>"]/g, c => escapes[c]);
const place = span => {
  if (span < 0) return "";
  const [source, line] = data.spans[span];
  return data.sources[source].name + ":" + line;
};

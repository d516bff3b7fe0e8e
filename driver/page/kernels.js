// The kernels pane: which there are, and the text of one of them.

class KernelsPane {
  constructor(page) {
    this.page = page;
    this.form = "loop";
    this.quiet = true; // assembly without directives
    this.current = 0;
    this.known = new Map(); // lines of texts that were opened
    this.names = null; // of source lines, where the text has those of another step than the one at hand
    this.order = [];
    this.index = new List(document.getElementById("kernel-list"), "Kernels", {
      count: () => this.order.length,
      columns: () => 30,
      row: i => this.nameRow(this.order[i]),
      kind: i => (page.related.kernels.has(this.order[i]) ? "hit" : "") + (this.order[i] === this.current ? " open" : ""),
      pick: i => page.select({ kind: "kernel", kernel: this.order[i] }, "kernels"),
      marks: () => [...page.related.kernels].map(k => [this.order.indexOf(k), "--mark"]).filter(m => m[0] >= 0),
    });
    this.lines = [];
    this.text = new List(document.getElementById("kernel-text"), "Kernel", {
      count: () => this.lines.length,
      columns: () => 20 + longest(this.lines, l => l.text),
      row: i => this.textRow(i),
      kind: i => this.lineKind(i),
      pick: i => this.pick(i),
      marks: () => this.lines.map((_, i) => [i, this.lineKind(i) === "soft" ? "--soft-mark" : "--mark"]).filter(([i]) => this.lineKind(i)),
    });
    this.tabs = document.getElementById("forms");
    this.tabs.addEventListener("click", e => {
      const b = e.target.closest("button");
      if (b && b.dataset.form) this.setForm(b.dataset.form);
      else if (b) this.setQuiet(!this.quiet);
    });
  }
  setForm(form) {
    this.form = form;
    this.open(this.current);
    this.show();
  }
  setQuiet(on) {
    this.quiet = on;
    document.getElementById("quiet").setAttribute("aria-pressed", !on);
    this.open(this.current);
  }
  // The kernels of the graph, the dearest first.
  build() {
    const g = this.page.graph;
    this.cost = new Map();
    this.renames = new Map();
    this.bases = new Map();
    for (const [k, ids] of g.kernelSteps) {
      const steps = ids.map(id => g.steps[id]);
      this.cost.set(k, { times: ids.length, flops: steps.reduce((sum, s) => sum + s.flops * s.plan.trips, 0),
                         bytes: steps.reduce((sum, s) => sum + s.bytes * s.plan.trips, 0), label: steps[0].label,
                         class: steps[0].class });
    }
    // A product's kernels share its cost; what is a loop shows its own.
    this.order = [...this.cost.keys()].sort((a, b) => this.cost.get(b).bytes - this.cost.get(a).bytes || a - b);
    this.most = Math.max(1, ...[...this.cost.values()].map(c => c.bytes));
    this.index.reset();
    this.open(this.order.find(k => hasLoops(k)) ?? this.order[0] ?? -1);
  }
  nameRow(k) {
    const c = this.cost.get(k), symbol = data.kernels[k].symbol, loop = /^(loop|tile)_/.test(symbol);
    const short = loop ? symbol.replace(/_([0-9a-f]{6})[0-9a-f]*/, "_$1") : symbol;
    return `<span class="dot c-${c.class}"></span><span class="bar" title="${bytesText(c.bytes)} moved"><span style="width:` +
           `${(100 * c.bytes / this.most).toFixed(1)}%"></span></span><span class="times">${c.times}×</span> ` +
           (loop ? `${escape(c.label)} <i class="comment">${escape(short)}</i>` : escape(short));
  }
  open(k) {
    this.current = k;
    const title = document.getElementById("kernel-name");
    if (k < 0) {
      this.lines = [];
      title.textContent = "none";
      this.text.reset();
      return;
    }
    const kernel = data.kernels[k];
    title.textContent = kernel.symbol;
    // A product's inner kernels are made without loops of our own.
    const loops = hasLoops(k), form = this.form === "loop" && !loops ? "asm" : this.form;
    for (const b of this.tabs.querySelectorAll("[data-form]")) {
      b.setAttribute("aria-selected", b.dataset.form === form);
      b.disabled = b.dataset.form === "loop" && !loops;
    }
    document.getElementById("quiet").hidden = form !== "asm";
    this.shown = form;
    const key = [k, form, this.quiet].join();
    if (!this.known.has(key)) this.known.set(key, linesOf(kernel[form], form, this.quiet));
    this.lines = this.known.get(key);
    this.rename();
    this.text.reset();
    this.index.draw();
  }
  // Takes the lines of the step at hand.
  rename() {
    if (this.current < 0) return;
    const id = this.stepOf(this.current), uses = this.cost.get(this.current).times, base = this.base(this.current);
    this.names = this.renamed(this.current, id);
    const of = this.names || base === id ? `of step ${this.page.graph.steps[id].index}` : base < 0 ? "of its first use" : `of step ${this.page.graph.steps[base].index}`;
    document.getElementById("uses").textContent = uses > 1 ? `${uses} uses, lines ${of}` : "";
  }
  // The text has the lines of one step; of another step that runs the same kernel they are those of its nodes in
  // the same places. By line of the text: the lines of step `id`; null: as they are.
  renamed(k, id) {
    const memo = k + ":" + id, g = this.page.graph, last = g.last;
    if (this.renames.has(memo)) return this.renames.get(memo);
    let out = null;
    const base = this.base(k), mine = g.steps[id];
    if (base >= 0 && base !== id && (mine.node < 0 || g.steps[base].node < 0)) { // one of them was added by the plan
      out = new Map(textLines(k).map(from => [from, mine.span < 0 ? [] : [spanKey(mine.span)]]));
    } else if (base >= 0 && base !== id) {
      const inner = !hasLoops(k); // of a product, whatever is fused to it
      const nodes = step => last.within(step.node).filter(n => last.span[n] >= 0 && (!inner || last.opName(n) === "dot"));
      const a = nodes(g.steps[base]), b = nodes(mine);
      if (a.length === b.length && a.every((n, i) => last.opName(n) === last.opName(b[i]))) {
        out = new Map();
        a.forEach((n, i) => {
          const from = spanKey(last.span[n]), to = spanKey(last.span[b[i]]);
          if (!out.has(from)) out.set(from, []);
          if (!out.get(from).includes(to)) out.get(from).push(to);
        });
      }
    }
    this.renames.set(memo, out);
    return out;
  }
  // The step whose lines a kernel's text has, -1 where that is a step of another graph.
  base(k) {
    if (this.bases.has(k)) return this.bases.get(k);
    const g = this.page.graph, last = g.last, wanted = textLines(k);
    const has = id => {
      const step = g.steps[id], own = new Set((step.node < 0 ? [step.span] : last.within(step.node).map(n => last.span[n])).map(spanKey));
      return wanted.every(key => own.has(key));
    };
    this.bases.set(k, g.kernelSteps.get(k).find(has) ?? -1);
    return this.bases.get(k);
  }
  // The lines of step `id` in kernel k.
  stepLines(k, id) {
    const names = this.renamed(k, id);
    return names ? textLines(k).flatMap(key => names.get(key) || []) : this.base(k) < 0 || this.base(k) === id ? textLines(k) : [];
  }
  // The step whose lines are shown: the selected one, or the first that is marked and has a marked line.
  stepOf(k) {
    const r = this.page.related, ids = this.page.graph.kernelSteps.get(k);
    if (ids.includes(r.step)) return r.step;
    const some = ids.filter(id => r.steps.has(id));
    return some.find(id => this.stepLines(k, id).some(key => r.lines.has(key))) ?? some[0] ?? ids[0];
  }
  // Whether some of a kernel's text is for a line of the selection.
  holds(k) {
    const { lines } = this.page.related;
    return this.stepLines(k, this.stepOf(k)).some(key => lines.has(key));
  }
  keysOf(i) {
    const { key } = this.lines[i];
    if (key < 0) return [];
    return this.names ? this.names.get(key) || [] : [key];
  }
  textRow(i) {
    const [key] = this.keysOf(i), again = i > 0 && i !== this.text.first && this.keysOf(i - 1)[0] === key;
    const at = key === undefined || again ? "" : lineOfKey(key);
    return `<span class="gutter kernel"><span class="where">${at && escape(data.sources[at.source].name + ":" + at.line)}</span></span>${colourKernel(this.lines[i].text, this.shown)}`;
  }
  lineKind(i) {
    const r = this.page.related, keys = this.keysOf(i);
    if (!keys.length || !r.kernels.has(this.current)) return "";
    // All of a selected kernel is its own; marks would tell nothing.
    if (this.page.selection && (this.page.selection.kind === "kernel" || this.page.selection.kind === "step")) return "";
    return keys.includes(r.line) ? "hit main" : keys.some(k => r.lines.has(k)) ? "hit" : keys.some(k => r.softLines.has(k)) ? "soft" : "";
  }
  pick(i) {
    const [key] = this.keysOf(i);
    if (key !== undefined) this.page.select({ kind: "line", ...lineOfKey(key) }, "kernel-text");
  }
  show(origin) {
    const kernels = this.page.related.kernels;
    if (kernels.size && !(kernels.has(this.current) && this.holds(this.current))) {
      const first = k => this.page.graph.kernelSteps.get(k)[0];
      const some = [...kernels].filter(k => this.cost.has(k)).sort((a, b) => first(a) - first(b));
      this.open(some.find(k => hasLoops(k) && this.holds(k)) ?? some.find(hasLoops) ?? some[0] ?? this.current);
    }
    if (origin === "kernels" && this.page.selection.kind === "kernel") this.open(this.page.selection.kernel);
    else {
      this.rename();
      this.index.reveal(this.order.indexOf(this.current), true);
    }
    this.index.draw();
    if (origin !== "kernel-text") {
      const first = this.lines.findIndex((_, i) => this.lineKind(i));
      if (first >= 0) this.text.reveal(first, true);
    }
    this.text.draw();
  }
}

const hasLoops = k => data.kernels[k].loop.text.trim() !== data.kernels[k].symbol;

// The source lines that a kernel's text is for, as it has them.
const textLines = (() => {
  const known = new Map();
  return k => {
    if (!known.has(k)) {
      const { at } = data.kernels[k][hasLoops(k) ? "loop" : "asm"], keys = new Set();
      for (let i = 0; i < at.length; i += 3) if (at[i + 1] >= 0) keys.add(lineKey(at[i + 1], at[i + 2]));
      known.set(k, [...keys]);
    }
    return known.get(k);
  };
})();

// The lines of a kernel's text with the source lines that they are for (-1: none). Of assembly, with `quiet`, only
// code and its labels.
function linesOf({ text, at }, form, quiet) {
  const lines = text.split("\n").map(line => ({ text: line.replace(/^\t/, "    ").replace(/\t/g, " "), key: -1 }));
  for (let k = 0, line = 0; k < at.length; k += 3)
    for (const end = line + at[k]; line < end; line++) if (at[k + 1] >= 0) lines[line].key = lineKey(at[k + 1], at[k + 2]);
  while (lines.length && !lines[lines.length - 1].text) lines.pop();
  return form === "asm" && quiet ? lines.filter(l => /^(?!\.LCPI)\S+:|^\s+[a-z]/.test(l.text)) : lines;
}

const kernelWords = {
  loop: /(%\d+|[bi]\d+\b)|\b(loop|tile|for|reduce|by|lanes|passes|buffers|keep|from|pass|at|if)\b|\b(f32|f64|bf16|i32|i64|bool)\b|(-?\b0x[\d.a-fp+-]+|\b\d+\b)/g,
  llvm: /([%@][\w.$"-]+)|\b(define|declare|load|store|br|phi|call|ret|getelementptr|icmp|fcmp|select|add|sub|mul|sdiv|udiv|srem|fadd|fsub|fmul|fdiv|fneg|shl|lshr|ashr|and|or|xor|zext|sext|trunc|fpext|fptrunc|sitofp|fptosi|bitcast|insertelement|extractelement|shufflevector|switch|label|contract|reassoc|tail|fast)\b|(<\d+ x \w+>|\b(?:float|double|bfloat|ptr|void|i\d+|half)\b)|(-?\b0x[\dA-Fa-f]+|-?\b\d[\d.e+-]*\b)/g,
  asm: /(%?\b[xyz]mm\d+\b|%?\bk[0-7]\b)|(^\s+[a-z][\w.]*)|(%?\b[re]?(?:ax|bx|cx|dx|si|di|sp|bp)\b|%?\br\d+[dwb]?\b)|(\$?-?\b0x[\da-f]+\b|\$-?\d+|\b\d+\b)/g,
};
const kernelKinds = { loop: ["value", "keyword", "type", "number"], llvm: ["value", "keyword", "type", "number"],
                      asm: ["vector", "keyword", "register", "number"] };

function colourKernel(line, form) {
  const comment = form === "loop" ? -1 : line.indexOf(form === "asm" ? "#" : ";");
  const code = comment < 0 ? line : line.slice(0, comment);
  let out = "", at = 0;
  for (const m of code.matchAll(kernelWords[form])) {
    const kind = kernelKinds[form][m.slice(1).findIndex(x => x !== undefined)];
    out += escape(code.slice(at, m.index)) + `<i class="${kind}">${escape(m[0])}</i>`;
    at = m.index + m[0].length;
  }
  out += escape(code.slice(at));
  return comment < 0 ? out : out + `<i class="comment">${escape(line.slice(comment))}</i>`;
}

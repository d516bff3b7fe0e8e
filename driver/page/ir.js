// The graph after a pass, as text; with what the pass changed marked.

const HEAD = 0, NODE = 1, RETURN = 2, RESULT = 3, CLOSE = 4, GONE = 5, FOLD = 6;

// What a pass did: by node of the new version " " (as before), "~" (changed) or "+" (made by it), and the nodes of
// the version before that are gone.
function changesOf(graph, index) {
  const now = graph.version(index);
  if (now.changes) return now.changes;
  const mark = new Array(now.n).fill(" "), gone = [];
  if (index === 0 || !now.from) return (now.changes = { mark, gone, added: 0, changed: 0 });
  const before = graph.version(index - 1), image = new Int32Array(now.n).fill(-2), kept = new Uint8Array(before.n);
  // The old node whose value v is: its own, or through inputs of bodies and results of groups.
  const imageOf = v => {
    if (image[v] !== -2) return image[v];
    image[v] = -1;
    let from = now.from[v];
    if (from < 0 && now.opName(v) === "input" && now.block[v]) {
      const owner = now.blocks[now.block[v]].owner, k = +strings[now.tail[v]].match(/#(\d+)/)[1];
      from = imageOf(now.operands(owner)[k]);
    } else if (from < 0 && now.opName(v) === "get") {
      const owner = now.operands(v)[0], b = now.bodyOf.get(owner), k = +strings[now.tail[v]].match(/#(\d+)/)[1];
      if (b !== undefined && now.opName(owner) === "fused") from = imageOf(now.blocks[b].first + now.blocks[b].values[k]);
    }
    return (image[v] = from);
  };
  let added = 0, changed = 0;
  for (let v = 0; v < now.n; v++) {
    const from = now.from[v];
    if (from < 0) {
      if (imageOf(v) >= 0) continue; // an old value that enters or leaves a group
      mark[v] = "+";
      added++;
      continue;
    }
    if (now.op[v] !== before.op[from]) { // something else in its place
      mark[v] = "+";
      added++;
      continue;
    }
    kept[from] = 1;
    const a = now.operands(v), b = before.operands(from);
    let same = now.type[v] === before.type[from] && now.tail[v] === before.tail[from] && a.length === b.length;
    for (let k = 0; same && k < a.length; k++) same = imageOf(a[k]) === b[k];
    if (!same) {
      mark[v] = "~";
      changed++;
    }
  }
  for (let v = 0; v < before.n; v++) if (!kept[v]) gone.push(v);
  return (now.changes = { mark, gone, added, changed });
}

class IrPane {
  constructor(page) {
    this.page = page;
    this.diff = false;
    this.strip = document.getElementById("passes");
    this.note = document.getElementById("pass-note");
    this.list = new List(document.getElementById("ir-list"), "Intermediate representation", {
      count: () => this.kinds.length,
      columns: () => this.columns,
      row: i => this.row(i),
      kind: i => this.kind(i),
      pick: (i, e) => this.pick(i, e),
      marks: () => this.marks(),
    });
    this.kinds = [];
    this.columns = 80;
    this.strip.addEventListener("click", e => {
      const b = e.target.closest("button");
      if (b) page.setStage(+b.dataset.stage);
    });
    document.getElementById("diff").addEventListener("click", () => this.setDiff(!this.diff));
  }
  setDiff(on) {
    this.diff = on;
    document.getElementById("diff").setAttribute("aria-pressed", on);
    this.build();
    this.show();
  }
  drawStrip() {
    const g = this.page.graph;
    let before = 0;
    this.strip.innerHTML = g.stages.map((s, i) => {
      const n = g.version(s.version).n, delta = i === 0 || s.same ? 0 : n - before;
      before = n;
      const text = i === 0 ? n : s.same ? "" : delta > 0 ? "+" + delta : delta < 0 ? "−" + -delta : "~";
      return `<button role="tab" data-stage="${i}" aria-selected="${i === this.page.stage}" class="${s.same ? "idle" : ""}"` +
             ` title="${escape(s.doc)}${s.same ? " (nothing here)" : ""}">${escape(s.name)}<small>${text}</small></button>`;
    }).join("");
    const chosen = this.strip.querySelector("[aria-selected=true]");
    if (chosen) chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
    const s = g.stages[this.page.stage], v = this.page.version;
    const c = s.same || s.version === 0 ? null : changesOf(g, s.version);
    const time = s.seconds > 0 ? `, ${(s.seconds * 1e3).toPrecision(2)} ms` : "";
    this.note.innerHTML = (s.same ? "changed nothing" : c && v.from ? `<b class="plus">+${c.added}</b> <b class="tilde">~${c.changed}</b> ` +
      `<b class="minus">−${c.gone.length}</b> of ${v.n} nodes` : `${v.n} nodes`) + `${time} · ${escape(s.doc)}`;
    this.note.title = s.doc;
  }
  // The rows of the version that is shown.
  build() {
    const page = this.page, v = page.version, stage = page.graph.stages[page.stage];
    const kinds = [], refs = [], depths = [];
    const add = (kind, ref, depth) => {
      kinds.push(kind);
      refs.push(ref);
      depths.push(depth);
    };
    this.rowOf = new Int32Array(v.n).fill(-1);
    this.changes = changesOf(page.graph, v.index);
    const showDiff = this.diff && v.index > 0 && v.from && !stage.same;
    this.before = showDiff ? page.graph.version(v.index - 1) : null;
    const goneAfter = showDiff ? this.placeGone(v) : new Map();
    const goneAt = key => {
      for (const w of goneAfter.get(key) || []) add(GONE, w, 1);
    };
    const block = (b, depth) => {
      const { first, count, results } = v.blocks[b];
      for (let n = first; n < first + count; n++) {
        this.rowOf[n] = kinds.length;
        add(NODE, n, depth);
        const body = v.bodyOf.get(n);
        if (body !== undefined) {
          block(body, depth + 1);
          add(CLOSE, n, depth);
        }
        goneAt(n);
      }
      if (b && results.length === 1) add(RETURN, b, depth);
      else {
        add(RETURN, b, depth);
        for (let k = 0; k < results.length; k++) add(RESULT, b * 65536 + k, depth + 1);
      }
    };
    v.head.forEach((_, i) => add(HEAD, i, 0));
    goneAt(-1);
    block(0, 1);
    add(CLOSE, -1, 0);
    Object.assign(this, { kinds, refs, depths });
    if (showDiff) this.fold();
    this.columns = 40;
    for (let i = 0; i < this.kinds.length; i++) {
      const n = this.refs[i], from = this.kinds[i] === NODE ? v : this.kinds[i] === GONE ? this.before : null;
      const tail = from ? strings[from.tail[n]].length + strings[from.type[n]].length + 6 * from.operands(n).length : 0;
      this.columns = Math.max(this.columns, 56 + tail + 2 * this.depths[i]);
    }
    this.list.reset();
  }
  // After which node of v the nodes that are gone are shown: that of the nearest one before them that is left.
  placeGone(v) {
    const after = new Map(), before = this.before, gone = new Set(this.changes.gone);
    let last = -1;
    for (let w = 0; w < before.n; w++) {
      if (before.block[w]) break;
      if (gone.has(w)) {
        push(after, last, w);
        continue;
      }
      const became = before.became.get(w);
      if (became) last = v.block[became[0]] ? v.top(became[0]) : became[0];
    }
    return after;
  }
  // Leaves of unchanged rows only those next to a change.
  fold() {
    const near = 2, n = this.kinds.length, keep = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const kind = this.kinds[i];
      if (kind !== GONE && !(kind === NODE && this.changes.mark[this.refs[i]] !== " ")) continue;
      keep.fill(1, Math.max(0, i - near), Math.min(n, i + near + 1));
    }
    const kinds = [], refs = [], depths = [];
    this.rowOf.fill(-1);
    for (let i = 0; i < n;) {
      if (!keep[i]) {
        let j = i;
        while (j < n && !keep[j]) j++;
        kinds.push(FOLD);
        refs.push(j - i);
        depths.push(0);
        i = j;
        continue;
      }
      if (this.kinds[i] === NODE) this.rowOf[this.refs[i]] = kinds.length;
      kinds.push(this.kinds[i]);
      refs.push(this.refs[i]);
      depths.push(this.depths[i]);
      i++;
    }
    Object.assign(this, { kinds, refs, depths });
  }
  markOf(i) {
    if (this.kinds[i] === GONE) return "−";
    if (this.kinds[i] !== NODE || this.page.graph.stages[this.page.stage].same) return " ";
    return this.changes.mark[this.refs[i]];
  }
  kind(i) {
    const mark = this.markOf(i), r = this.page.related;
    let out = this.diff ? { "+": "plus", "~": "tilde", "−": "minus" }[mark] || "" : "";
    if (this.kinds[i] === NODE) {
      const n = this.refs[i];
      out += r.node === n ? " hit main" : r.nodes.has(n) ? " hit" : r.softNodes.has(n) ? " soft" : "";
    } else if (this.kinds[i] === FOLD) out += " fold";
    return out;
  }
  row(i) {
    const v = this.page.version, ref = this.refs[i], pad = "  ".repeat(this.depths[i]);
    const gutter = (mark, where, pass) =>
      `<span class="gutter ir"><span class="sign">${mark}</span><span class="where">${where}</span>` +
      `<span class="by">${pass}</span></span>${pad}`;
    const blank = gutter(" ", "", "");
    switch (this.kinds[i]) {
      case HEAD: return blank + `<i class="comment">${escape(v.head[ref])}</i>`;
      case NODE: return this.nodeRow(v, ref, i, gutter);
      case GONE: return this.nodeRow(this.before, ref, i, gutter);
      case FOLD: return `<span class="gutter ir"></span>⋯ ${ref} unchanged lines`;
      case CLOSE: return blank + "}";
      case RETURN: {
        const block = v.blocks[ref];
        return blank + `<i class="keyword">return</i> ` + (ref && block.results.length === 1 ? this.result(v, ref, 0) : "");
      }
      default: return blank + this.result(v, Math.floor(ref / 65536), ref % 65536);
    }
  }
  result(v, b, k) {
    const block = v.blocks[b], text = block.results[k], at = text.lastIndexOf("%");
    const behind = text.slice(at + 1).replace(/^\d+/, "");
    return escape(text.slice(0, at)) + `<a data-n="${block.first + block.values[k]}">%${block.values[k]}</a>` + escape(behind);
  }
  nodeRow(v, n, i, gutter) {
    const above = i > 0 && this.kinds[i - 1] === this.kinds[i] ? this.refs[i - 1] : -1;
    const where = place(v.span[n]), pass = v.passName(n);
    const sameWhere = above >= 0 && v.span[above] >= 0 && place(v.span[above]) === where && i !== this.list.first;
    const samePass = above >= 0 && v.pass[above] === v.pass[n] && i !== this.list.first;
    const links = this.kinds[i] === NODE;
    const ref = w => (links ? `<a data-n="${w}">%${v.local(w)}</a>` : `%${v.local(w)}`);
    const ins = Array.from(v.operands(n), ref).join(", ");
    const open = v.bodyOf.has(n) ? " {" : "";
    return gutter(this.markOf(i), sameWhere ? "" : escape(where), samePass ? "" : escape(pass)) +
           `<b class="def">%${v.local(n)}</b>: <i class="type">${escape(v.typeName(n))}</i> = ` +
           `<b class="op c-${v.opClass(n)}">${escape(v.opName(n))}</b>${ins ? " " + ins : ""}${escape(strings[v.tail[n]])}${open}`;
  }
  pick(i, e) {
    const link = e.target.closest && e.target.closest("a[data-n]");
    const v = this.page.version;
    if (link) this.page.select({ kind: "node", version: v.index, node: +link.dataset.n });
    else if (this.kinds[i] === NODE) this.page.select({ kind: "node", version: v.index, node: this.refs[i] }, "ir");
    else if (this.kinds[i] === GONE) this.page.select({ kind: "node", version: this.before.index, node: this.refs[i] }, "ir");
    else if (this.kinds[i] === CLOSE && this.refs[i] >= 0)
      this.page.select({ kind: "node", version: v.index, node: this.refs[i] }, "ir");
    else if (this.kinds[i] === FOLD) this.setDiff(false);
  }
  marks() {
    const out = [], r = this.page.related;
    if (this.diff)
      for (let i = 0; i < this.kinds.length; i++) {
        const mark = this.markOf(i);
        if (mark !== " ") out.push([i, { "+": "--plus", "~": "--tilde", "−": "--minus" }[mark]]);
      }
    for (const [set, colour] of [[r.softNodes, "--soft-mark"], [r.nodes, "--mark"]])
      for (const n of set) if (this.rowOf[n] >= 0) out.push([this.rowOf[n], colour]);
    return out;
  }
  // Rows of the selection, in order.
  hits() {
    return [...this.page.related.nodes].map(n => this.rowOf[n]).filter(i => i >= 0).sort((a, b) => a - b);
  }
  show(origin) {
    const hits = this.hits(), main = this.page.related.node;
    if (origin !== "ir" && hits.length) {
      const at = main >= 0 && this.rowOf[main] >= 0 ? this.rowOf[main] : hits[0];
      this.list.cursor = at;
      this.list.reveal(at, true);
    }
    this.list.draw();
    document.getElementById("hits").textContent = hits.length > 1 ? `${hits.length} nodes` : "";
  }
  // To the next row of the selection, or the one before.
  step(by) {
    const hits = this.diff && !this.hits().length
      ? this.kinds.map((k, i) => i).filter(i => this.markOf(i) !== " ") : this.hits();
    if (!hits.length) return;
    const at = by > 0 ? hits.find(i => i > this.list.cursor) ?? hits[0]
             : hits.filter(i => i < this.list.cursor).pop() ?? hits[hits.length - 1];
    this.list.cursor = at;
    this.list.reveal(at, true);
  }
}

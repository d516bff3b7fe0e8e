// The source pane: one file at a time, with the lines that the selection comes from.

const words = /(\/\/.*$)|("(?:[^"\\]|\\.)*")|\b(use|graph|model|pipeline|stage|config|optimizer|extern|fn|let|var|for|in|while|if|else|return|yield|assert|break|continue|scan|minimize|with|inout|and|or|not|div|true|false|axis|param|part|state|clip|as|from|reverse|gradient)\b|\b(f32|f64|bf16|i32|i64|bool|int|float|string|path)\b|\b(\d[\d_.]*(?:e[-+]?\d+)?)\b/g;
const wordKinds = ["comment", "string", "keyword", "type", "number"];

function colourSource(line) {
  let out = "", at = 0;
  for (const m of line.matchAll(words)) {
    const kind = wordKinds[m.slice(1).findIndex(x => x !== undefined)];
    out += escape(line.slice(at, m.index)) + `<i class="${kind}">${escape(m[0])}</i>`;
    at = m.index + m[0].length;
  }
  return out + escape(line.slice(at));
}

// The graphs that a line calls by name.
const called = (() => {
  let byName;
  return (source, line) => {
    byName = byName || new Map(data.items.map(([name, span]) => [name, span]));
    const text = data.sources[source].lines[line - 1].replace(/\/\/.*/, "").replace(/\bgraph\s+\w+\(/, "");
    const spans = [];
    for (const m of text.matchAll(/\b(\w+)\s*\(/g)) if (byName.has(m[1])) spans.push(byName.get(m[1]));
    return spans;
  };
})();

class SourcePane {
  constructor(page) {
    this.page = page;
    this.file = data.main;
    this.tabs = document.getElementById("files");
    this.list = new List(document.getElementById("source-list"), "Source", {
      count: () => data.sources[this.file].lines.length,
      columns: () => 8 + longest(data.sources[this.file].lines, l => l),
      row: i => this.row(i),
      kind: i => this.kind(lineKey(this.file, i + 1)),
      pick: i => page.select({ kind: "line", source: this.file, line: i + 1 }, "source"),
      marks: () => this.marks(),
    });
    this.tabs.addEventListener("click", e => {
      const tab = e.target.closest("button");
      if (tab) this.open(+tab.dataset.file);
    });
  }
  // How many nodes of the shown version come from each line.
  weigh() {
    this.weight = new Map();
    const v = this.page.version;
    for (const [key, nodes] of v.byLine) this.weight.set(key, nodes.length);
    this.most = Math.max(1, ...this.weight.values());
  }
  row(i) {
    const n = this.weight.get(lineKey(this.file, i + 1));
    const heat = n ? Math.max(0.12, Math.log(n + 1) / Math.log(this.most + 1)) : 0;
    return `<span class="gutter"><span class="heat" style="opacity:${heat.toFixed(2)}" title="${n || 0} nodes"></span>` +
           `<span class="number">${i + 1}</span></span>${colourSource(data.sources[this.file].lines[i])}`;
  }
  kind(key) {
    const r = this.page.related;
    return r.line === key ? "hit main" : r.lines.has(key) ? "hit" : r.softLines.has(key) ? "soft" : "";
  }
  marks() {
    const r = this.page.related, out = [];
    for (const [set, colour] of [[r.softLines, "--soft-mark"], [r.lines, "--mark"]])
      for (const key of set) if (lineOfKey(key).source === this.file) out.push([lineOfKey(key).line - 1, colour]);
    return out;
  }
  open(file) {
    const other = file !== this.file;
    this.file = file;
    this.drawTabs();
    this.list.reset(!other);
  }
  drawTabs() {
    const r = this.page.related, hits = new Set();
    for (const key of r.lines) hits.add(lineOfKey(key).source);
    this.tabs.innerHTML = data.sources.map((s, i) =>
      `<button role="tab" aria-selected="${i === this.file}" data-file="${i}" title="${escape(s.path)}"` +
      ` class="${hits.has(i) ? "has" : ""}">${escape(baseName(s.path))}</button>`).join("");
  }
  // After a new selection: shows the first of its lines, if none is in sight.
  show(origin) {
    const keys = [...this.page.related.lines];
    if (origin !== "source" && keys.length) {
      const key = this.page.related.line >= 0 ? this.page.related.line
                : keys.find(k => lineOfKey(k).source === this.file) ?? keys[0];
      const at = lineOfKey(key);
      if (at.source !== this.file) this.open(at.source);
      this.list.cursor = at.line - 1;
      this.list.reveal(at.line - 1, true);
    }
    this.drawTabs();
    this.list.draw();
  }
}

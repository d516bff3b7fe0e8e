// Search over sources, the shown version, steps and kernels.

class Search {
  constructor(page) {
    this.page = page;
    this.box = document.getElementById("search");
    this.panel = document.getElementById("found");
    this.results = [];
    this.list = new List(document.getElementById("found-list"), "Search results", {
      count: () => this.results.length,
      columns: () => 60,
      row: i => `<span class="what">${this.results[i].what}</span>${this.results[i].html}`,
      kind: () => "",
      pick: i => this.go(i),
      marks: () => [],
    });
    this.box.addEventListener("input", () => this.find());
    this.box.addEventListener("focus", () => this.find());
    this.box.addEventListener("keydown", e => {
      if (e.key === "Escape") {
        this.close();
        this.box.blur();
      } else if (e.key === "Enter") this.go(this.list.cursor);
      else if (e.key === "ArrowDown" || e.key === "ArrowUp") this.list.key(e);
      else return;
      e.preventDefault();
      e.stopPropagation();
    });
    document.addEventListener("pointerdown", e => {
      if (!this.panel.contains(e.target) && e.target !== this.box) this.close();
    });
  }
  close() {
    this.panel.hidden = true;
  }
  find() {
    const wanted = this.box.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.panel.hidden = !wanted.length;
    this.results = [];
    if (!wanted.length) return;
    const page = this.page, v = page.version, found = { line: 0, value: 0, step: 0, kernel: 0 };
    const add = (what, string, target, more = "") => {
      const low = (string + " " + more).toLowerCase();
      if (!wanted.every(w => low.includes(w))) return;
      found[what]++;
      if (found[what] <= 500) this.results.push({ what, target, html: mark(string, wanted) + (more ? ` <i class="comment">${escape(more)}</i>` : "") });
    };
    data.kernels.forEach((k, i) => page.graph.kernelSteps.has(i) && add("kernel", k.symbol, { kind: "kernel", kernel: i }, page.kernels.cost.get(i).label));
    data.sources.forEach((s, f) => s.lines.forEach((l, i) => add("line", l.trim(), { kind: "line", source: f, line: i + 1 }, s.name + ":" + (i + 1))));
    for (const s of page.graph.steps) add("step", s.label, { kind: "step", step: s.id }, `${s.index} ${place(s.span)}`);
    for (let n = 0; n < v.n; n++) add("value", v.text(n), { kind: "node", version: v.index, node: n }, v.passName(n));
    document.getElementById("found-note").textContent =
      ["line", "value", "step", "kernel"].map(w => `${found[w]} ${w}${found[w] === 1 ? "" : "s"}`).join(" · ");
    this.list.reset();
  }
  go(i) {
    if (!this.results[i]) return;
    this.close();
    this.page.select(this.results[i].target);
  }
}

function mark(string, wanted) {
  const low = string.toLowerCase(), spots = [];
  for (const w of wanted) {
    const at = low.indexOf(w);
    if (at >= 0) spots.push([at, at + w.length]);
  }
  spots.sort((a, b) => a[0] - b[0]);
  let out = "", at = 0;
  for (const [from, to] of spots) {
    if (from < at) continue;
    out += escape(string.slice(at, from)) + `<mark>${escape(string.slice(from, to))}</mark>`;
    at = to;
  }
  return out + escape(string.slice(at));
}

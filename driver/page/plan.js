// The plan: steps in the order in which they run.

class PlanPane {
  constructor(page) {
    this.page = page;
    this.rows = [];
    this.list = new List(document.getElementById("plan-list"), "Plan", {
      count: () => this.rows.length,
      columns: () => 90,
      row: i => this.row(this.rows[i]),
      kind: i => {
        const r = page.related, id = this.rows[i].id;
        return r.step === id ? "hit main" : r.steps.has(id) ? "hit" : "";
      },
      pick: i => page.select({ kind: "step", step: this.rows[i].id }, "plan"),
      marks: () => this.rows.map((s, i) => [i, "--mark"]).filter(([i]) => page.related.steps.has(this.rows[i].id)),
    });
  }
  build() {
    const rows = [];
    const walk = plan => {
      for (const step of plan.steps) {
        rows.push(step);
        if (step.body) walk(step.body);
      }
    };
    walk(this.page.graph.plans[0]);
    this.rows = rows;
    this.rowOf = new Map(rows.map((s, i) => [s.id, i]));
    this.mostFlops = Math.max(1, ...rows.map(s => s.flops));
    this.mostBytes = Math.max(1, ...rows.map(s => s.bytes));
    const p = this.page.graph.plans[0];
    document.getElementById("plan-note").textContent =
      `${p.steps.length} steps, ${count(this.page.graph.flops)}FLOP, ${bytesText(this.page.graph.bytes)} through memory; ` +
      "bars: operations and bytes of a step against the dearest";
    this.list.reset();
  }
  row(s) {
    const depth = s.plan.parent ? "  ".repeat(1) + "↳ " : "";
    const bar = (x, most, name) =>
      `<span class="bar ${name}"><span style="width:${(100 * x / most).toFixed(1)}%"></span></span>`;
    const intensity = s.bytes > 0 ? (s.flops / s.bytes).toPrecision(2) : "–";
    return `<span class="gutter"><span class="number">${s.index}</span></span><span class="dot c-${s.class}"></span>` +
           `${bar(s.flops, this.mostFlops, "flops")}<span class="figure">${count(s.flops)}</span>` +
           `${bar(s.bytes, this.mostBytes, "bytes")}<span class="figure">${bytesText(s.bytes)}</span>` +
           `<span class="figure" title="FLOP per byte">${intensity}</span>${depth}${escape(s.label)} ` +
           `<i class="comment">${escape(place(s.span))}</i>`;
  }
  show(origin) {
    const r = this.page.related, first = r.step >= 0 ? r.step : Math.min(...r.steps);
    if (origin !== "plan" && this.rowOf.has(first)) {
      this.list.cursor = this.rowOf.get(first);
      this.list.reveal(this.list.cursor, true);
    }
    this.list.draw();
  }
}

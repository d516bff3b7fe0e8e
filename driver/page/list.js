// A list of which only the visible rows are in the document, with a ruler that shows where its marks are.

const ROW = 19;
const charWidth = (() => {
  let width = 0;
  return () => {
    if (width) return width;
    const probe = document.body.appendChild(document.createElement("span"));
    probe.className = "probe code";
    probe.textContent = "0".repeat(100);
    width = probe.getBoundingClientRect().width / 100;
    probe.remove();
    return width;
  };
})();

class List {
  // `source`: count(), row(i) → HTML of one row, kind(i) → its classes, pick(i, event), columns() → the longest row
  // in characters, marks() → [[row, CSS colour variable], …] for the ruler.
  constructor(host, name, source) {
    this.source = source;
    this.cursor = 0;
    this.id = host.id;
    host.classList.add("list");
    this.view = host.appendChild(document.createElement("div"));
    this.view.className = "view code";
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "listbox");
    this.view.setAttribute("aria-label", name);
    this.sizer = this.view.appendChild(document.createElement("div"));
    this.sizer.className = "sizer";
    this.rows = this.sizer.appendChild(document.createElement("div"));
    this.rows.className = "rows";
    this.ruler = host.appendChild(document.createElement("canvas"));
    this.ruler.className = "ruler";
    this.view.addEventListener("scroll", () => this.later(), { passive: true });
    this.view.addEventListener("keydown", e => this.key(e));
    this.rows.addEventListener("click", e => {
      const row = e.target.closest(".row");
      if (!row || String(getSelection())) return;
      this.cursor = +row.dataset.i;
      this.source.pick(this.cursor, e);
      this.draw();
    });
    this.ruler.addEventListener("click", e => {
      const share = e.offsetY / this.ruler.clientHeight;
      this.reveal(Math.floor(share * this.source.count()), true);
    });
    new ResizeObserver(() => this.draw()).observe(this.view);
  }
  // The rows changed.
  reset(keep) {
    const n = this.source.count();
    this.sizer.style.height = n * ROW + "px";
    this.sizer.style.minWidth = Math.ceil(this.source.columns() * charWidth()) + 24 + "px";
    if (!keep) {
      this.cursor = 0;
      this.view.scrollTop = this.view.scrollLeft = 0;
    }
    this.cursor = Math.min(this.cursor, Math.max(0, n - 1));
    this.draw();
  }
  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw(true);
    });
  }
  draw(scrolled) {
    const n = this.source.count(), height = this.view.clientHeight;
    if (!height) return;
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW) - 8);
    const last = Math.min(n, Math.ceil((this.view.scrollTop + height) / ROW) + 8);
    if (scrolled && first === this.first && last === this.last) return;
    this.first = first;
    this.last = last;
    let html = "";
    for (let i = first; i < last; i++)
      html += `<div class="row ${this.source.kind(i)}${i === this.cursor ? " cursor" : ""}" role="option" id="${this.id}-${i}"` +
              ` aria-posinset="${i + 1}" aria-setsize="${n}" data-i="${i}">${this.source.row(i)}</div>`;
    this.rows.style.transform = `translateY(${first * ROW}px)`;
    this.rows.innerHTML = html;
    this.view.setAttribute("aria-activedescendant", `${this.id}-${this.cursor}`);
    if (!scrolled) this.drawRuler(n, height);
  }
  drawRuler(n, height) {
    const ratio = devicePixelRatio || 1, c = this.ruler, g = c.getContext("2d");
    c.width = 8 * ratio;
    c.height = height * ratio;
    g.scale(ratio, ratio);
    const scale = Math.min(ROW, height / Math.max(1, n));
    for (const [row, colour] of this.source.marks()) {
      g.fillStyle = ink(colour);
      g.fillRect(1, row * scale, 6, Math.max(2, scale - 1));
    }
  }
  reveal(i, centre) {
    if (i < 0) return;
    const top = i * ROW, height = this.view.clientHeight, at = this.view.scrollTop;
    if (centre ? top < at + ROW || top > at + height - 2 * ROW : top < at || top > at + height - ROW)
      this.view.scrollTop = centre ? top - height / 2.5 : top < at ? top : top - height + ROW + 2;
    this.draw();
  }
  key(e) {
    const page = Math.max(1, Math.floor(this.view.clientHeight / ROW) - 1), n = this.source.count();
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -n, End: n, j: 1, k: -1 };
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Enter" || e.key === " ") this.source.pick(this.cursor, e);
    else if (moves[e.key]) this.cursor = Math.max(0, Math.min(n - 1, this.cursor + moves[e.key]));
    else return;
    e.preventDefault();
    this.reveal(this.cursor);
  }
}

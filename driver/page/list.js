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

const longest = (lines, text) => lines.reduce((most, l) => Math.max(most, text(l).length), 0);

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
    this.top = this.height = 0; // kept here: asking the document for them would make it lay out in between
    this.view.addEventListener("scroll", () => {
      this.top = this.view.scrollTop;
      this.later();
    }, { passive: true });
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
    new ResizeObserver(([entry]) => {
      this.height = entry.contentRect.height;
      this.draw();
    }).observe(this.view);
  }
  // The rows changed.
  reset(keep) {
    const n = this.source.count();
    this.resized = true;
    if (!keep) {
      this.cursor = 0;
      this.top = 0;
      this.moved = true;
    }
    this.cursor = Math.min(this.cursor, Math.max(0, n - 1));
    this.draw();
  }
  // Draws all again, with the next frame.
  draw() {
    this.stale = true;
    this.later();
  }
  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }
  paint() {
    const n = this.source.count();
    if (!this.height) return;
    if (this.resized) {
      this.sizer.style.height = n * ROW + "px";
      this.sizer.style.minWidth = Math.ceil(this.source.columns() * charWidth()) + 24 + "px";
    }
    if (this.moved) {
      this.top = Math.max(0, Math.min(this.top, n * ROW - this.height + 16));
      this.view.scrollTop = this.top;
    }
    const first = Math.max(0, Math.floor(this.top / ROW) - 8);
    const last = Math.min(n, Math.ceil((this.top + this.height) / ROW) + 8);
    const same = !this.stale && first === this.first && last === this.last;
    const ruled = this.stale;
    this.resized = this.moved = this.stale = false;
    if (same) return;
    this.first = first;
    this.last = last;
    let html = "";
    for (let i = first; i < last; i++)
      html += `<div class="row ${this.source.kind(i)}${i === this.cursor ? " cursor" : ""}" role="option" id="${this.id}-${i}"` +
              ` aria-posinset="${i + 1}" aria-setsize="${n}" data-i="${i}">${this.source.row(i)}</div>`;
    this.rows.style.transform = `translateY(${first * ROW}px)`;
    this.rows.innerHTML = html;
    this.view.setAttribute("aria-activedescendant", `${this.id}-${this.cursor}`);
    if (ruled) this.drawRuler(n, this.height);
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
    const top = i * ROW, height = this.height || 400, at = this.top;
    if (centre ? top < at + ROW || top > at + height - 2 * ROW : top < at || top > at + height - ROW) {
      this.top = Math.max(0, centre ? top - height / 2.5 : top < at ? top : top - height + ROW + 2);
      this.moved = true;
    }
    this.draw();
  }
  key(e) {
    const page = Math.max(1, Math.floor(this.height / ROW) - 1), n = this.source.count();
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -n, End: n, j: 1, k: -1 };
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Enter" || e.key === " ") this.source.pick(this.cursor, e);
    else if (moves[e.key]) this.cursor = Math.max(0, Math.min(n - 1, this.cursor + moves[e.key]));
    else return;
    e.preventDefault();
    this.reveal(this.cursor);
  }
}

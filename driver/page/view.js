// What drawings have in common: colours of the theme, zooming and panning, what is said of the thing under the pointer.

const NAMES = ["--paper", "--tint", "--ink", "--soft", "--line", "--edge", "--accent", "--hit", "--mark", "--soft-mark", "--plus",
               "--tilde", "--minus", "--c-elementwise", "--c-reduction", "--c-product", "--c-movement", "--c-scan", "--c-foreign",
               "--c-leaf", "--c-constant"];
let colours = null;

// The theme's colours as a canvas takes them.
function palette() {
  if (colours) return colours;
  const probe = document.body.appendChild(document.createElement("span"));
  colours = {};
  for (const name of NAMES) {
    probe.style.color = `var(${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  colours["--c-loop"] = colours["--c-elementwise"];
  probe.remove();
  return colours;
}
const ink = name => palette()[name];
const forgetColours = () => (colours = null);

const tip = {
  show(html, x, y) {
    const t = document.getElementById("tip");
    t.innerHTML = html;
    t.hidden = !html;
    if (!html) return;
    const w = t.offsetWidth, h = t.offsetHeight;
    t.style.left = Math.max(4, Math.min(innerWidth - w - 8, x + 14)) + "px";
    t.style.top = (y + h + 24 > innerHeight ? y - h - 10 : y + 18) + "px";
  },
};

// A canvas onto a plane: x on the screen = plane x * k + tx. With `two`, y has a scale of its own.
class Viewport {
  constructor(canvas, draw, { click, hover, two = false, margins = [0, 0, 0, 0] }) {
    Object.assign(this, { canvas, redraw: draw, click, hover, two, margins, k: 1, ky: 1, tx: 0, ty: 0, width: 0, height: 0 });
    canvas.tabIndex = 0;
    canvas.addEventListener("wheel", e => this.wheel(e), { passive: false });
    canvas.addEventListener("pointerdown", e => {
      this.from = [e.offsetX, e.offsetY];
      this.moved = false;
      canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener("pointermove", e => this.move(e));
    canvas.addEventListener("pointerup", () => (this.from = null));
    canvas.addEventListener("pointerleave", () => {
      this.hover(null, null);
      tip.show("");
    });
    canvas.addEventListener("click", e => {
      if (!this.moved) this.click(...this.plane(e.offsetX, e.offsetY), e);
    });
    canvas.addEventListener("keydown", e => this.key(e));
    new ResizeObserver(() => this.resize()).observe(canvas);
  }
  resize() {
    const ratio = devicePixelRatio || 1, w = this.canvas.clientWidth, h = this.canvas.clientHeight;
    if (!w || !h) return;
    const first = !this.width;
    this.width = w;
    this.height = h;
    this.canvas.width = w * ratio;
    this.canvas.height = h * ratio;
    if (this.two && (first || this.fitted)) this.fit();
    else this.redraw();
  }
  plane(x, y) {
    return [(x - this.tx) / this.k, (y - this.ty) / (this.two ? this.ky : this.k)];
  }
  visible() {
    const [l, t, r, b] = this.two ? this.margins : [0, 0, 0, 0];
    return [...this.plane(l, t), ...this.plane(this.width - r, this.height - b)];
  }
  begin() {
    const ratio = devicePixelRatio || 1, g = this.canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    if (!this.two) g.transform(this.k, 0, 0, this.k, this.tx, this.ty);
    return g;
  }
  end() {
    const ratio = devicePixelRatio || 1;
    this.canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
  }
  // Everything within the canvas, no smaller than `least` and no larger than `most`.
  fit(least = 0, most = Infinity) {
    const [x0, y0, x1, y1] = this.bounds, [l, t, r, b] = this.margins, edge = this.two ? 0 : 16;
    const kx = (this.width - l - r - 2 * edge) / Math.max(1e-9, x1 - x0), ky = (this.height - t - b - 2 * edge) / Math.max(1e-9, y1 - y0);
    if (this.two) {
      this.k = kx;
      this.ky = ky;
      this.fitted = true;
      this.tx = l - x0 * kx;
      this.ty = t - y0 * ky;
    } else {
      this.k = Math.max(least, Math.min(most, kx, ky));
      this.tx = (this.width + l - r - (x0 + x1) * this.k) / 2;
      this.ty = (y1 - y0) * this.k > this.height ? edge - y0 * this.k : (this.height - (y0 + y1) * this.k) / 2;
    }
    this.redraw();
  }
  centre(x, y) {
    this.tx = this.width / 2 - x * this.k;
    this.ty = this.height / 2 - y * (this.two ? this.ky : this.k);
    this.redraw();
  }
  zoom(factor, x = this.width / 2, y = this.height / 2, axis = "both") {
    const [px, py] = this.plane(x, y);
    if (axis !== "y") this.k = Math.max(0.01, Math.min(this.two ? 1e6 : 4, this.k * factor));
    if (this.two && axis !== "x") this.ky *= factor;
    this.tx = x - px * this.k;
    this.ty = y - py * (this.two ? this.ky : this.k);
    this.fitted = false;
    if (this.limit) this.limit();
    this.redraw();
  }
  pan(dx, dy) {
    this.tx += dx;
    this.ty += dy;
    this.fitted = false;
    if (this.limit) this.limit();
    this.redraw();
  }
  wheel(e) {
    e.preventDefault();
    const step = e.deltaMode ? 30 : 1;
    if (!this.two && !e.ctrlKey && !e.metaKey && e.deltaMode === 0 && (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)))
      return this.pan(-(e.deltaX || e.deltaY), 0);
    this.zoom(Math.exp(-e.deltaY * step * 0.0015), e.offsetX, e.offsetY, this.two && e.shiftKey ? "x" : this.two && e.altKey ? "y" : "both");
  }
  move(e) {
    if (this.from && e.buttons) {
      const dx = e.offsetX - this.from[0], dy = e.offsetY - this.from[1];
      if (!this.moved && Math.abs(dx) + Math.abs(dy) < 4) return;
      this.moved = true;
      this.from = [e.offsetX, e.offsetY];
      tip.show("");
      return this.pan(dx, dy);
    }
    tip.show(this.hover(...this.plane(e.offsetX, e.offsetY)), e.clientX, e.clientY);
  }
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey && e.key !== "+") return;
    const pans = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80],
                   PageUp: [0, this.height * 0.8], PageDown: [0, -this.height * 0.8] };
    if (pans[e.key]) this.pan(...pans[e.key]);
    else if (e.key === "+" || e.key === "=") this.zoom(1.3);
    else if (e.key === "-") this.zoom(1 / 1.3);
    else if (e.key === "0") this.fit(0.02, 1.2);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}

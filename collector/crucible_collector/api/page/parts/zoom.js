// Zooming a drawing along x: dragging over it, turning the wheel with Ctrl (or pinching), and by keys.

const STEP = 0.8; // of the width, a key or a notch
const REST_MS = 150; // after the last movement what is zoomed is told

export class Zoom {
  // `changed(from, to)` is told what is shown, once it rests; nulls: all.
  constructor(box, label, changed) {
    this.box = box;
    this.changed = changed;
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.ariaLabel = `${label}; plus and minus zoom, arrows move, 0 shows all`;
    box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  follow(plot) {
    this.plot = plot;
    this.isZoomed = false;
    plot.hooks.setScale = [...(plot.hooks.setScale ?? []), (_, key) => key === "x" && this.#moved()];
  }

  close() {
    clearTimeout(this.due);
  }

  // What is done by `redraw` to the numbers leaves what is shown of them, unless all is shown.
  keep(redraw) {
    const { min, max } = this.plot.scales.x;
    this.isKeeping = true;
    redraw();
    const [first, last] = this.#ends();
    this.plot.setScale("x", this.isZoomed ? { min, max } : { min: first, max: last });
    this.isKeeping = false;
  }

  #ends() {
    const xs = this.plot.data[0];
    if (xs.length === 0) return [null, null];
    const [first, last] = [xs[0], xs.at(-1)];
    return first === last ? [first - 1, last + 1] : [first, last]; // one point stands in the middle
  }

  // uPlot itself shows all after a double click.
  #moved() {
    if (this.isKeeping) return;
    const { min, max } = this.plot.scales.x;
    const [first, last] = this.#ends();
    this.isZoomed = min > first || max < last;
    clearTimeout(this.due);
    this.due = setTimeout(() => (this.isZoomed ? this.changed(min, max) : this.changed(null, null)), REST_MS);
  }

  #wheel(event) {
    if (!event.ctrlKey || !this.plot) return;
    event.preventDefault();
    const { left, width } = this.plot.over.getBoundingClientRect();
    this.#scale(event.deltaY < 0 ? STEP : 1 / STEP, (event.clientX - left) / width);
  }

  #key(event) {
    if (!this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const done = {
      "+": () => this.#scale(STEP, 0.5),
      "-": () => this.#scale(1 / STEP, 0.5),
      0: () => this.#show(...this.#ends()),
      ArrowLeft: () => this.#move(STEP - 1),
      ArrowRight: () => this.#move(1 - STEP),
    }[event.key];
    if (!done) return;
    event.preventDefault();
    done();
  }

  // By a factor, with the place at this share of the width where it is.
  #scale(factor, share) {
    const { min, max } = this.plot.scales.x;
    const at = min + share * (max - min);
    this.#show(at - factor * (at - min), at + factor * (max - at));
  }

  #move(share) {
    const { min, max } = this.plot.scales.x;
    const [first, last] = this.#ends();
    const by = Math.max(first - min, Math.min(last - max, share * (max - min)));
    this.#show(min + by, max + by);
  }

  #show(min, max) {
    const [first, last] = this.#ends();
    if (first === null) return;
    this.plot.setScale("x", { min: Math.max(first, min), max: Math.min(last, max) });
  }
}

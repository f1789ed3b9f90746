// What is stored, as it is stored: one stream, taken up again where it broke off, given to the view in portions of one
// drawn frame. Browsers open six connections to a host: a page that nobody looks at keeps none.

const KINDS = ["run", "event", "points", "anomaly"];
const AGAIN_MS = 5000;
// A view that cannot keep up is told to ask anew instead of being given ever more.
const WAITING_MAX = 20_000;

export class Live {
  // `heard(messages)`: a list of {kind, data}; null where something was missed and all is to be asked anew.
  // `changed(isOpen)`: the stream has begun or broken off.
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.waiting = [];
    this.place = null;
    this.isOpen = false;
  }

  // `wish` is the query of /live, as {kinds, run}; null: nothing.
  follow(wish) {
    this.wish = wish;
    this.place = null;
    this.open();
  }

  open() {
    this.close();
    if (!this.wish) return;
    const wish = this.place === null ? this.wish : { ...this.wish, after: this.place };
    this.source = new EventSource(`/api/v1/live?${new URLSearchParams(wish)}`);
    this.source.addEventListener("open", () => this.#tell(true));
    this.source.addEventListener("error", () => this.#failed());
    this.source.addEventListener("message", (event) => this.#at(event));
    this.source.addEventListener("reset", (event) => {
      this.#at(event);
      this.place = null;
      this.heard(null);
    });
    for (const kind of KINDS) this.source.addEventListener(kind, (event) => this.#take(kind, event));
  }

  close() {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
    this.waiting = [];
    this.#tell(false);
  }

  #tell(isOpen) {
    if (this.isOpen === isOpen) return;
    this.isOpen = isOpen;
    this.changed(isOpen);
  }

  // A browser tries again by itself, with the place in Last-Event-ID, but not where it was refused.
  #failed() {
    this.#tell(false);
    if (this.source?.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.again);
    this.again = setTimeout(() => this.open(), AGAIN_MS);
  }

  #at(event) {
    if (event.lastEventId) this.place = event.lastEventId;
  }

  #take(kind, event) {
    this.#at(event);
    if (this.waiting.length === 0) requestAnimationFrame(() => this.#give());
    if (this.waiting.length <= WAITING_MAX) this.waiting.push({ kind, data: JSON.parse(event.data) });
  }

  #give() {
    const taken = this.waiting;
    this.waiting = [];
    if (taken.length > 0) this.heard(taken.length > WAITING_MAX ? null : taken);
  }
}

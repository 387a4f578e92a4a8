// The screen of AnnotationApp: one canvas, some buttons, no library.
//
// The browser decides nothing. A click or a key is sent to Python as the name of a method of the
// app; what has changed comes back in the widget's traits, and is drawn. Only a decision is drawn
// before the answer, which takes a tenth of a second: until then the screen says "Saving", and
// without an answer the decision goes again. The browser owns only where one looks (place, zoom,
// opacities), and leaves it in the trait `look`, so that it outlives a reload.
//
// An answer may come while a hand is on the screen, and it must not change under the hand what that
// is about to do. So every request says what the person saw when the key or the button went down
// (`now`), and Python refuses what is no longer so. What has the focus or is pressed is changed in
// place, never replaced, disabled or hidden, and the focus is moved by the person alone.

const DRAWN = "#56B4E9"; // sky blue
const ERASED = "#D55E00"; // vermilion
const ERASING = [7, 3, 2, 3]; // dashes
const MASK = [0xf0, 0xe4, 0x42]; // yellow
const HINTS = [["removed", "#CC79A7"], ["added", "#009E73"]]; // as rejected and accepted branches
const DECISIONS = { accept: 1, reject: -1 };
const KEPT = ["undo", "redo", "finish"]; // what else is written into the journal
const REACH = 10; // how far from a branch a click may be, in pixels of the screen
const PATIENCE = 5000; // milliseconds without an answer before the person is told
const DOUBLE = 400; // milliseconds within which a second click belongs to the first one
const FAR = 0.3; // how strong the open branches are that do not lie near the one that is asked about
const NEAR = 70; // how near that is, in pixels of the screen
const PAGE = 2 ** 20; // how many requests a page may send: two pages must not share numbers
const DOING = { decide: "Deciding", draw: "Drawing", erase: "Erasing" };

// Every command: its keys, its name in the help, what it does, and whether it is about the cross:
// such a key counts on the picture only, where a person sees the cross.
const COMMANDS = [
  [["a"], "accept the branch", (d) => d.decide("accept")],
  [["r"], "reject the branch", (d) => d.decide("reject")],
  [["n"], "later: next in the queue", (d) => d.go("next")],
  [["p"], "back to the one before", (d) => d.go("previous")],
  [["z", "Ctrl+z"], "undo", (d) => d.send("undo")],
  [["y", "Ctrl+y", "Ctrl+Z"], "redo", (d) => d.send("redo")],
  [["l"], "learn from the decisions", (d) => d.send("learn")],
  [["d"], "draw a line", (d) => d.send("take", { tool: "draw" })],
  [["e"], "erase along a line", (d) => d.send("take", { tool: "erase" })],
  [["Escape"], "give the line up, back to deciding", (d) => d.send("cancel")],
  [["Enter"], "finish the line (deciding: click at the cross)", (d) => d.enter(), true],
  [["Backspace"], "take the last point back", (d) => d.send("drop")],
  [["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], "move the cross", null],
  [["Alt+arrow"], "move the cross by one pixel", null],
  [["Shift+arrow"], "move the picture", null],
  [[" "], "click at the cross", (d) => d.clickAtCross(false), true],
  [["x"], "reject at the cross", (d) => d.clickAtCross(true), true],
  [["+", "="], "nearer", (d) => d.zoom(1.4)],
  [["-"], "farther", (d) => d.zoom(1 / 1.4)],
  [["0"], "the whole image", (d) => d.fit()],
  [["c"], "to the branch that is asked about", (d) => d.visit(true)],
  [["h"], "hide all that lies over the image, while held", (d) => d.hide(true)],
  [["m"], "mask on and off", (d) => d.toggle("mask", 0.7)],
  [["b"], "branches on and off", (d) => d.toggle("lines", 1)],
  [["?"], "show these keys", (d) => (d.help.open = !d.help.open)],
];
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const KEY_NAMES = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

// --- Small helpers ------------------------------------------------------------------------------

/** Make an element: a tag with classes, its attributes and its children. */
function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Read the bytes of a trait as an array of numbers, whatever their place in memory. */
function numbers(view, Kind) {
  const start = view.byteOffset;
  return new Kind(view.buffer.slice(start, start + view.byteLength));
}

/** Lead a path through flat indices; straight stretches become one line. */
function pathOf(flat, width, first = 0, end = flat.length) {
  const path = new Path2D();
  const at = (k) => [(flat[k] % width) + 0.5, Math.floor(flat[k] / width) + 0.5];
  const [x, y] = at(first);
  if (end - first === 1) {
    path.arc(x, y, 1.2, 0, 2 * Math.PI);
    return path;
  }
  path.moveTo(x, y);
  for (let k = first + 1; k < end; k++) {
    const straight = k + 1 < end && flat[k + 1] - flat[k] === flat[k] - flat[k - 1];
    if (!straight) path.lineTo(...at(k));
  }
  return path;
}

/** Return stripes (what goes) or dots (what comes) of a colour, twice as large as they are shown. */
function patternOf(context, name, colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 12;
  const paint = tile.getContext("2d");
  paint.fillStyle = paint.strokeStyle = colour;
  paint.lineWidth = 5;
  if (name === "removed")
    for (const shift of [-12, 0, 12]) {
      paint.moveTo(shift - 2, 14);
      paint.lineTo(shift + 14, -2);
    }
  else paint.arc(6, 6, 3.5, 0, 2 * Math.PI);
  if (name === "removed") paint.stroke();
  else paint.fill();
  return context.createPattern(tile, "repeat");
}

/** Lead one path over pixels and another one around them. */
function areaOf(flat, width) {
  const has = new Set(flat);
  const [fill, edge] = [new Path2D(), new Path2D()];
  for (const pixel of flat) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    fill.rect(x, y, 1, 1);
    for (const [inside, x0, y0, x1, y1] of [
      [x > 0 && has.has(pixel - 1), x, y, x, y + 1],
      [x + 1 < width && has.has(pixel + 1), x + 1, y, x + 1, y + 1],
      [has.has(pixel - width), x, y, x + 1, y],
      [has.has(pixel + width), x, y + 1, x + 1, y + 1],
    ]) {
      if (inside) continue;
      edge.moveTo(x0, y0);
      edge.lineTo(x1, y1);
    }
  }
  return { fill, edge };
}

/** Write words into an element, if they are other ones: a screen reader speaks what is written. */
function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Say whether a button can be pressed. It can be focused either way: the keys must not get lost. */
function enable(button, can) {
  button.setAttribute("aria-disabled", String(!can));
}

const percent = (p) => `${Math.round(100 * p)} %`;

// --- The desk -----------------------------------------------------------------------------------

class Desk {
  constructor(model, el) {
    this.model = model;
    [this.height, this.width] = model.get("shape");
    this.kinds = model.get("kinds");
    this.readBranches();
    this.look = { x: 0, y: 0, scale: 0, mask: 0.7, lines: 1, contrast: 1, follow: true };
    Object.assign(this.look, model.get("look"));
    this.cross = null; // [column, row] in pixels; null until a key moves it
    this.hovered = -1; // the branch that a click would mean
    this.pointed = null; // where that is: column and row
    this.hidden = false;
    this.asked = new Map(); // requests without an answer: number -> moment
    this.page = Math.floor(Math.random() * 2 ** 30) * PAGE;
    this.last = this.page; // the number of the last request
    this.down = {}; // what the person saw when a key or a pointer went down last
    this.items = new Map(); // the buttons of the queue: branch -> button
    this.words = null; // what is told until the person has gone on: { text, after, since }
    this.notes = {}; // for measuring
    this.picture = this.plain = null;
    this.maskCanvas = document.createElement("canvas");
    // The lines as they stand on the screen: what is open, and what is decided.
    this.layers = { open: document.createElement("canvas"), decided: document.createElement("canvas") };
    this.maskTurn = 0;
    this.hints = {}; // what either answer about the chosen branch would change in the mask
    this.read();
    this.build(el);
    this.listen();
    this.start();
  }

  /** Prepare what never changes: a path, a box and the places of each branch. */
  readBranches() {
    const flat = numbers(this.model.get("paths"), Int32Array);
    const sizes = numbers(this.model.get("sizes"), Int32Array);
    this.places = flat;
    this.owner = new Int32Array(flat.length);
    this.branches = [];
    let first = 0;
    for (const [k, size] of sizes.entries()) {
      const end = first + size;
      this.owner.fill(k, first, end);
      let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = first; i < end; i++) {
        const x = flat[i] % this.width;
        const y = Math.floor(flat[i] / this.width);
        x0 = Math.min(x0, x);
        x1 = Math.max(x1, x + 1);
        y0 = Math.min(y0, y);
        y1 = Math.max(y1, y + 1);
      }
      const middle = flat[first + (size >> 1)];
      this.branches.push({
        path: pathOf(flat, this.width, first, end),
        box: [x0, y0, x1, y1],
        middle: [(middle % this.width) + 0.5, Math.floor(middle / this.width) + 0.5],
        ends: [flat[first], flat[end - 1]],
        size,
      });
      first = end;
    }
  }

  // --- What stands on the desk ------------------------------------------------------------------

  build(el) {
    const button = (label, key, title, act, more = {}) => {
      const onclick = (event) => {
        if (event.currentTarget.getAttribute("aria-disabled") === "true") return;
        this.event = event;
        act(this.seenBy(event));
      };
      return make(
        "button",
        { type: "button", title, onclick, ...more },
        label,
        ...(key ? [make("kbd", { "aria-hidden": "true" }, key)] : []),
      );
    };
    const send = (name, about) => (seen) => this.send(name, about, seen);
    this.tools = {};
    for (const [tool, label, key, title] of [
      ["decide", "Decide", "Esc", "click a branch: accept it; again, or right button: reject it"],
      ["draw", "Draw", "D", "click points; the line follows the ridges between them"],
      ["erase", "Erase", "E", "click points; straight lines between them leave the mask"],
    ])
      this.tools[tool] = button(label, key, title, send("take", { tool }));
    this.undo = button("Undo", "Z", "take the last action back", send("undo"));
    this.redo = button("Redo", "Y", "do again what was undone", send("redo"));
    this.learn = button("Learn", "L", "fit the model to the decisions so far", send("learn"));
    this.export = button("Export", "", "write mask and lines beside the journal", send("export"));
    this.radius = make("input", {
      type: "number", min: 0, max: 50, step: 0.5,
      onchange: () => this.widen(),
    });
    this.finish = button("Finish the line", "Enter", "draw or erase it", send("finish"));
    this.lineTools = make(
      "div.line.off", {}, make("label", {}, "Half width ", this.radius), this.finish,
    );
    const bar = make(
      "div.row", { role: "toolbar", "aria-label": "Tools" },
      make("span.group", {}, ...Object.values(this.tools)),
      make("span.group", {}, this.undo, this.redo),
      make("span.group", {}, this.learn, this.export),
      make("span.grow"),
      make(
        "span.group", {},
        button("−", "", "farther (key -)", () => this.zoom(1 / 1.4), { "aria-label": "Zoom out" }),
        button("+", "", "nearer (key +)", () => this.zoom(1.4), { "aria-label": "Zoom in" }),
        button("Whole image", "0", "zoom to the whole image", () => this.fit()),
      ),
    );

    this.canvas = make("canvas", {
      tabindex: 0, role: "application",
      "aria-label": "The image with its branches. Arrow keys move a cross, Space clicks there.",
    });
    this.tip = make("div.tip", { hidden: "", "aria-live": "polite" }); // tells where the cross is
    // Over the picture, not above it: what comes and goes must not move it under the pointer.
    this.alert = make("div", { role: "alert" });
    this.stage = make("div.stage", {}, this.lineTools, this.canvas, this.tip, this.alert);

    this.title = make("h4", {}, "");
    this.about = make("div", {}, "");
    this.bare = make("canvas", { width: 232, height: 232, "aria-hidden": "true" });
    this.map = make("canvas", { width: 232, height: 232, "aria-hidden": "true" });
    this.map.addEventListener("pointerdown", (event) => this.jump(event));
    this.yes = button("Accept", "A", "it is real", (seen) => this.decide("accept", seen));
    this.yes.classList.add("yes");
    this.no = button("Reject", "R", "it is not", (seen) => this.decide("reject", seen));
    this.no.classList.add("no");
    this.later = button("Later", "N", "ask about it again at the end", (seen) => this.go("next", seen));
    const card = make(
      "section.card", { "aria-label": "The branch that is asked about" },
      this.title, this.about,
      make(
        "div.pair", {},
        make("figure", {}, this.bare, make("figcaption", {}, "the image alone")),
        make("figure", {}, this.map, make("figcaption", {}, "where you are")),
      ),
      make("div.answer", {}, this.yes, this.no, this.later),
    );
    this.bar = { yes: make("span.yes"), no: make("span.no") };
    this.counts = make("div", {}, "");
    this.order = make(
      "select", { onchange: () => this.send("sort", { order: this.order.value }) },
      make("option", { value: "uncertainty" }, "most uncertain first"),
      make("option", { value: "doubt" }, "most doubtful mask first"),
      make("option", { value: "gain" }, "largest expected gain first"),
    );
    this.allDone = make("span", { hidden: "" }, "All branches are decided.");
    this.queue = make("div.queue");
    const progress = make(
      "section", { "aria-label": "Progress" },
      this.counts,
      make("div.bar", { "aria-hidden": "true" }, this.bar.yes, this.bar.no),
    );
    const queue = make(
      "section", {}, make("h5", {}, make("label", {}, "Queue: ", this.order)), this.queue,
      this.allDone,
    );
    this.sliders = {};
    const sliders = make("div.sliders");
    for (const [name, label, low, high] of [
      ["mask", "Mask", 0, 1],
      ["lines", "Branches", 0, 1],
      ["contrast", "Contrast", 0.5, 4],
    ]) {
      const oninput = () => {
        this.look[name] = Number(this.sliders[name].value);
        if (name === "contrast") this.develop();
        this.draw();
        this.remember();
      };
      this.sliders[name] = make("input", {
        type: "range", min: low, max: high, step: 0.05, oninput,
      });
      this.sliders[name].value = this.look[name];
      sliders.append(make("label", {}, make("span", {}, label), this.sliders[name]));
    }
    this.follow = make("input", {
      type: "checkbox",
      onchange: () => {
        this.look.follow = this.follow.checked;
        this.remember();
      },
    });
    this.follow.checked = this.look.follow;
    const view = make(
      "section.view", { "aria-label": "View" }, make("h5", {}, "Opacity and contrast"), sliders,
      make("label", {}, this.follow, " turn to each branch"),
    );
    const side = make("aside.side", {}, card, make("div.lists", {}, progress, queue));

    this.status = make("p", { role: "status", "aria-live": "polite" });
    this.saved = make("span.saved");
    const keys = COMMANDS.map(([names, label]) =>
      make("li", {}, ...names.slice(0, 4).map((n) => make("kbd", {}, KEY_NAMES[n] ?? n)), ` ${label}`),
    );
    this.help = make(
      "details", {}, make("summary", {}, "Keys (?)"), make("ul.keys", {}, ...keys),
    );
    this.root = make(
      "div.toposeg-desk", {},
      bar, this.stage, side, make("div.row.foot", {}, this.status, this.saved), this.legend(),
      view, this.help,
    );
    el.append(make("div.toposeg-desk-place", {}, this.root)); // by whose width it is laid out
  }

  legend() {
    const sign = (draw) => {
      const space = "http://www.w3.org/2000/svg";
      const svg = document.createElementNS(space, "svg");
      svg.setAttribute("viewBox", "0 0 40 14");
      svg.setAttribute("aria-hidden", "true");
      svg.innerHTML = draw;
      return svg;
    };
    const line = (colour, width, dash, edge, more = "") =>
      sign(
        `<path d="M3 7H37" stroke="${edge}" stroke-width="${width + 2}"/>` +
          `<path d="M3 7H37" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dash}"/>${more}`,
      );
    const area = (colour, inside) =>
      sign(
        `<g fill="white" stroke="${colour}" stroke-width="3"><rect x="3" y="1" width="34" height="12" ` +
          `stroke="black"/><rect x="3" y="1" width="34" height="12" stroke-width="1.5"/>${inside}</g>`,
      );
    const cross = (colour) =>
      `<path d="M16 3l8 8m0-8l-8 8" stroke="black" stroke-width="4"/>` +
      `<path d="M16 3l8 8m0-8l-8 8" stroke="${colour}" stroke-width="2"/>`;
    const signs = [...this.kinds].reverse().map((kind) => [
      kind.name,
      line(
        kind.colour, kind.width, kind.dash.join(" "), kind.decision > 0 ? "white" : "black",
        kind.decision < 0 ? cross(kind.colour) : "",
      ),
    ]);
    signs.push(
      ["asked now", sign('<path d="M3 7H37" stroke="black" stroke-width="12"/><path d="M4 7H36" stroke="white" stroke-width="9"/><path d="M4 7H36" stroke="black" stroke-width="3"/>')],
      ["would come", area(HINTS[1][1], '<path d="M9 5h.1m11 0h.1m11 0h.1M14 10h.1m11 0h.1" stroke-linecap="round"/>')],
      ["would go", area(HINTS[0][1], '<path d="M5 12L15 2M15 12L25 2M25 12L35 2"/>')],
      ["drawn", line(DRAWN, 3, "", "black")],
      ["erased", line(ERASED, 3, "7 3 2 3", "black")],
    );
    const items = signs.map(([name, drawn]) => make("li", {}, drawn, name));
    return make("ul.legend", { "aria-label": "Signs" }, ...items);
  }

  // --- Events -----------------------------------------------------------------------------------

  listen() {
    this.gone = new AbortController();
    const on = (target, name, f, options = {}) =>
      target.addEventListener(name, f, { signal: this.gone.signal, ...options });
    // Before anything else: a click counts for what was to be seen when it began.
    on(this.root, "pointerdown", () => this.begin("pointer"), { capture: true });
    on(this.root, "keydown", (event) => event.repeat || this.begin("key"), { capture: true });
    on(this.root, "keyup", () => setTimeout(() => delete this.down.key)); // after its click
    on(this.root, "keydown", (event) => this.key(event));
    on(this.root, "keyup", (event) => event.key.toLowerCase() === "h" && this.hide(false));
    on(this.root, "focusin", () => this.forgetCross());
    on(this.root, "focusout", () => setTimeout(() => this.arrange())); // when the focus has arrived
    on(this.queue, "pointerdown", () => (this.queueHeld = true));
    for (const name of ["pointerup", "pointercancel", "blur"])
      on(window, name, () => this.queueHeld && setTimeout(() => this.letQueueGo()));
    on(this.canvas, "blur", () => {
      this.forgetCross();
      this.hide(false);
    });
    on(this.canvas, "pointerdown", (event) => this.press(event));
    on(this.canvas, "pointermove", (event) => this.move(event));
    on(this.canvas, "pointerup", (event) => this.release(event));
    on(this.canvas, "pointercancel", () => this.letGo());
    on(this.canvas, "pointerleave", () => this.cross || this.hover(null));
    on(this.canvas, "dblclick", () => this.tool !== "decide" && this.send("finish"));
    on(this.canvas, "contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation(); // JupyterLab has a menu of its own
    });
    on(this.canvas, "wheel", (event) => this.wheel(event), { passive: false });
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.stage);
    this.clock = setInterval(() => this.askPatience(), 1000);
    this.changed = () => this.update();
    for (const name of ["state", "decisions", "mask", "added", "removed", "strokes", "preview", "probability", "done"])
      this.model.on(`change:${name}`, this.changed);
  }

  close() {
    clearInterval(this.clock);
    this.gone.abort();
    this.watcher.disconnect();
    this.model.off(null, this.changed);
  }

  async start() {
    const blob = new Blob([this.model.get("picture")], { type: "image/png" });
    this.picture = await createImageBitmap(blob);
    this.develop();
    this.update();
  }

  /** Return what is to be seen now: the tool, the branch that is asked about, what is known of it. */
  now() {
    const branch = this.state.chosen;
    const turn = this.state.turn + this.asked.size;
    return { tool: this.tool, branch, decision: this.known[branch] ?? null, turn };
  }

  /** A hand goes down: keep what it sees, and let go what was told it long enough ago. */
  begin(kind) {
    this.down[kind] = this.now();
    if (!this.words || performance.now() - this.words.since < 1000) return;
    this.words = null;
    this.tell();
  }

  /** Return what the person saw when the click began that an event ends. */
  seenBy(click) {
    return this.down[click.detail ? "pointer" : "key"] ?? this.now();
  }

  /** Ask Python to do something; every request gets a number, and is answered with it. */
  send(name, about = {}, seen = this.now(), expected = null) {
    const id = ++this.last;
    const since = performance.now();
    const begun = this.event?.timeStamp ?? since;
    this.asked.set(id, { name, since, begun, expected });
    this.model.send({ do: name, id, seen, ...about });
    this.count();
    if (expected) this.expect();
    if (expected || KEPT.includes(name)) this.tell();
    if (expected) this.draw({ shown: begun });
  }

  /** For tests: how many requests of this page were answered, and how many are not yet. */
  count() {
    const { dataset } = this.root;
    dataset.waiting = this.asked.size;
    dataset.answered = this.last - this.page - this.asked.size;
  }

  /** Take away the requests that are answered; return the last one of this answer. */
  settle() {
    const done = this.model.get("done");
    if (done <= this.page || done >= this.page + PAGE) return null; // that of another page
    const request = this.asked.get(done);
    for (const id of this.asked.keys()) if (id <= done) this.asked.delete(id);
    return request ? { done, ...request } : null;
  }

  /** Lay the decisions that have no answer yet over those that Python knows. */
  expect() {
    this.decisions = this.known.slice();
    if (this.slow) return; // who knows whether they will ever count
    for (const { expected } of this.asked.values())
      if (expected) this.decisions[expected.branch] = expected.decision;
  }

  /** Say whether a request of some kind has no answer yet. */
  isAsked(test) {
    return [...this.asked.values()].some(test);
  }

  /** Say whether something that was done is not known to be in the journal. */
  get isSaving() {
    return this.isAsked(({ name, expected }) => expected || KEPT.includes(name));
  }

  /** Tell the person something, until that has been read and the work goes on. */
  inform(text) {
    this.words = { text, after: this.last, since: performance.now() };
    this.tell();
  }

  /** Answer the question as it stood on the screen, even if Python is a question ahead. */
  decide(verb, seen = this.now()) {
    if (this.asksNothing(seen) || seen.branch === null) return;
    this.judge(verb, {}, seen, DECISIONS[verb]);
  }

  /** Go to another question. */
  go(name, seen = this.now()) {
    if (!this.asksNothing(seen)) this.send(name, {}, seen);
  }

  /** Say whether there was no question on the screen, and tell so. */
  asksNothing({ tool }) {
    if (tool === "decide") return false;
    this.inform(`${DOING[tool]}: no branch is asked about. Esc leads back to deciding.`);
    return true;
  }

  /** Send a decision, unless one about the same branch is on its way. */
  judge(name, about, seen, decision) {
    const { branch } = seen;
    if (this.isAsked(({ expected }) => expected?.branch === branch))
      this.inform(`Branch ${branch + 1} is being saved: this was not done in addition.`);
    else this.send(name, about, seen, { branch, decision });
  }

  widen() {
    const radius = this.radius.valueAsNumber;
    if (radius >= 0) this.send("widen", { radius });
    else {
      this.radius.value = this.state.radius;
      this.inform("Half the width of a line must be a number of pixels, 0 or more.");
    }
  }

  askPatience() {
    const slow = [...this.asked.values()].some((r) => performance.now() - r.since > PATIENCE);
    if (slow !== this.slow) {
      this.slow = slow;
      this.expect();
      this.tell();
      this.draw();
    }
  }

  key(event) {
    const ctrl = event.ctrlKey || event.metaKey;
    // JupyterLab has keys without Ctrl that cut, insert and delete cells: none is for it in here.
    if (!ctrl) event.stopPropagation();
    const field = event.target.closest("input, select");
    const pressed = event.target.closest("button, summary");
    if (field && (event.key.length === 1 || event.key.startsWith("Arrow") || field.type === "number"))
      return;
    if (pressed && (event.key === "Enter" || event.key === " ")) {
      if (event.repeat) event.preventDefault(); // a button that is held is pressed once
      return;
    }
    const pictured = event.target === this.canvas;
    this.event = event;
    if (ARROWS[event.key] && !ctrl) {
      if (!pictured) return;
      const [x, y] = ARROWS[event.key];
      if (event.shiftKey) this.pan((-x * this.stage.clientWidth) / 6, (-y * this.stage.clientHeight) / 6);
      else this.moveCross(x, y, event.altKey);
    } else {
      const letter = event.key.length === 1 && !ctrl ? event.key.toLowerCase() : event.key;
      const name = ctrl ? `Ctrl+${letter}` : letter;
      const command = COMMANDS.find(([names, , act]) => act && names.includes(name));
      if (!command || (command[3] && !pictured) || (event.altKey && !ctrl)) return;
      event.stopPropagation(); // Ctrl+Z, too
      // A key that is held must not decide about branches that nobody has looked at.
      if (!event.repeat || "+-=".includes(letter)) command[2](this);
    }
    event.preventDefault();
  }

  /** Return where on the image an event is: column and row, whole numbers are pixels' middles. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return [this.look.x + x / this.look.scale - 0.5, this.look.y + y / this.look.scale - 0.5];
  }

  press(event) {
    this.canvas.focus({ preventScroll: true });
    this.forgetCross();
    const { clientX: x, clientY: y, button } = event;
    const aim = this.aimAt(this.place(event));
    // After the picture has turned by itself something else lies under the pointer than was meant.
    const blind = this.unaimed && event.pointerType === "mouse";
    this.held = { x, y, button, moved: false, reject: button === 2 || event.shiftKey, aim, blind };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (event.movementX || event.movementY) {
      this.unaimed = false;
      this.forgetCross(); // the pointer has taken over
    }
    if (this.held) {
      const [dx, dy] = [event.clientX - this.held.x, event.clientY - this.held.y];
      if (!this.held.moved && Math.hypot(dx, dy) < 5) return;
      this.held = { ...this.held, moved: true, x: event.clientX, y: event.clientY };
      this.pan(dx, dy);
    } else if (this.tool === "decide") {
      this.hover(this.place(event));
    } else this.hover(null);
  }

  release(event) {
    const held = this.held;
    this.letGo();
    if (!held || held.moved || held.button === 1) return;
    this.event = event;
    if (held.blind)
      return this.inform("The picture has turned: move the pointer to what you mean, then click.");
    const { timeStamp: at } = event;
    const { clientX: x, clientY: y } = event;
    const last = this.clicked;
    this.clicked = { at, x, y };
    const again = last && at - last.at < DOUBLE && Math.hypot(x - last.x, y - last.y) < 5;
    if (again && held.aim.branch !== null)
      return this.inform("A double click counts once: click again to turn the decision round.");
    this.clickAt(held.aim, held.reject);
  }

  /** The pointer is free again: what had to wait for it is done. */
  letGo() {
    this.held = null;
    if (this.turnsLater) this.turnToAsked();
  }

  /** Return what a click at a place would be about: as `now`, but the branch is the one meant. */
  aimAt([column, row]) {
    const found = this.tool === "decide" ? this.nearest(column, row) : -1;
    const branch = found < 0 ? null : found;
    const decision = branch === null ? null : this.known[branch];
    return { ...this.now(), branch, decision, column, row, reach: REACH / this.look.scale };
  }

  clickAt({ column, row, reach, ...seen }, reject) {
    if (column <= -0.5 || row <= -0.5 || column >= this.width - 0.5 || row >= this.height - 0.5) return;
    if (seen.tool !== "decide") return this.send("put", { row, column }, seen);
    const about = { row, column, reject, reach };
    const decision = reject || seen.decision === 1 ? -1 : 1; // as AnnotationApp.click
    if (seen.branch === null) this.send("click", about, seen);
    else this.judge("click", about, seen, decision);
  }

  clickAtCross(reject) {
    if (this.cross) this.clickAt(this.aimAt(this.cross), reject);
    else this.moveCross(0, 0, true);
  }

  enter() {
    if (this.tool === "decide") this.clickAtCross(false);
    else this.send("finish");
  }

  /** Whoever comes back to the picture must see anew where a key would click. */
  forgetCross() {
    if (!this.cross) return;
    this.cross = null;
    this.hover(null);
    this.draw();
  }

  moveCross(x, y, fine) {
    if (!this.cross) {
      const chosen = this.branches[this.state.chosen];
      const middle = chosen && this.tool === "decide" ? chosen.middle : this.centre();
      this.cross = middle.map((v) => Math.floor(v));
    }
    const step = fine ? 1 : Math.max(1, Math.round(12 / this.look.scale));
    const clip = (v, n) => Math.min(Math.max(v, 0), n - 1);
    this.cross = [clip(this.cross[0] + x * step, this.width), clip(this.cross[1] + y * step, this.height)];
    const [sx, sy] = this.screen(this.cross.map((v) => v + 0.5));
    const [w, h] = [this.stage.clientWidth, this.stage.clientHeight];
    const out = (v, n) => (v < 30 ? 30 - v : v > n - 30 ? n - 30 - v : 0);
    this.pan(out(sx, w), out(sy, h));
  }

  /** Return the branch that a click means, by the rule of AnnotationSession.nearest; -1: none. */
  nearest(column, row) {
    let best = (REACH / this.look.scale) ** 2;
    let found = -1;
    for (let k = 0; k < this.places.length; k++) {
      const dx = (this.places[k] % this.width) - column;
      const dy = Math.floor(this.places[k] / this.width) - row;
      const far = dx * dx + dy * dy;
      if (far > best + 1e-9) continue;
      const owner = this.owner[k];
      const better =
        far < best - 1e-9 ||
        found < 0 ||
        (this.decisions[owner] === 0 && this.decisions[found] !== 0);
      if (better) [best, found] = [Math.min(far, best), owner];
    }
    return found;
  }

  /** Show which branch a click at a place means; it may become another one with each answer. */
  hover(place = this.pointed) {
    this.pointed = place;
    const branch = place && this.tool === "decide" ? this.nearest(...place) : -1;
    this.tip.hidden = branch < 0;
    if (branch >= 0) {
      say(this.tip, this.tipOf(branch));
      const [x, y] = this.screen(place.map((v) => v + 0.5));
      this.tip.style.left = `${Math.min(x + 14, this.stage.clientWidth - 190)}px`;
      this.tip.style.top = `${Math.min(y + 16, this.stage.clientHeight - 30)}px`;
    }
    this.canvas.style.cursor = branch >= 0 ? "pointer" : this.tool === "decide" ? "grab" : "crosshair";
    if (branch !== this.hovered) {
      this.hovered = branch;
      this.draw();
    }
  }

  tipOf(branch) {
    const kind = this.kinds.find((one) => one.decision === this.decisions[branch]);
    return `branch ${branch + 1}: ${kind.name}, ${percent(this.probability[branch])} real`;
  }

  // --- Where one looks --------------------------------------------------------------------------

  screen([x, y]) {
    return [(x - this.look.x) * this.look.scale, (y - this.look.y) * this.look.scale];
  }

  centre() {
    const { x, y, scale } = this.look;
    return [x + this.stage.clientWidth / scale / 2, y + this.stage.clientHeight / scale / 2];
  }

  whole() {
    return Math.min(this.stage.clientWidth / this.width, this.stage.clientHeight / this.height);
  }

  fit() {
    this.turn([this.width / 2, this.height / 2], this.whole());
  }

  turn([x, y], scale) {
    this.look.scale = scale = Math.min(Math.max(scale, this.whole() * 0.9), 48);
    // An image larger than the stage covers it, but for a margin; a smaller one stands in its middle.
    const inside = (middle, image, stage) => {
      const room = image - stage;
      const margin = 24 / scale;
      return room > 0 ? Math.min(Math.max(middle - stage / 2, -margin), room + margin) : room / 2;
    };
    this.look.x = inside(x, this.width, this.stage.clientWidth / scale);
    this.look.y = inside(y, this.height, this.stage.clientHeight / scale);
    const [cx, cy] = this.cross ? this.screen(this.cross.map((v) => v + 0.5)) : [-1, -1];
    const seen = cx >= 0 && cy >= 0 && cx <= this.stage.clientWidth && cy <= this.stage.clientHeight;
    if (!seen) this.cross = null; // no key may click where nobody looks
    // The mouse rests, but what lay under it has moved on.
    this.hover(this.cross);
    this.draw();
    this.remember();
  }

  /** Turn to the chosen branch because of an answer: where the hand was, there is something else. */
  turnToAsked() {
    this.turnsLater = Boolean(this.held);
    if (this.turnsLater) return;
    const { x, y, scale } = this.look;
    this.visit();
    if (x === this.look.x && y === this.look.y && scale === this.look.scale) return;
    this.unaimed = true;
    this.forgetCross();
  }

  pan(dx, dy) {
    const [x, y] = this.centre();
    const { scale } = this.look;
    this.turn([x - dx / scale, y - dy / scale], scale);
  }

  zoom(factor, at) {
    const [x, y] = this.centre();
    const [px, py] = at ?? (this.cross ? this.cross.map((v) => v + 0.5) : [x, y]);
    const before = this.look.scale;
    const scale = Math.min(Math.max(before * factor, this.whole() * 0.9), 48);
    const part = before / scale; // the pixel under the mouse stays there
    this.turn([px + (x - px) * part, py + (y - py) * part], scale);
  }

  wheel(event) {
    // Without focus the wheel scrolls the page, as it does everywhere else.
    if (document.activeElement !== this.canvas && !event.ctrlKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [column, row] = this.place(event);
    this.zoom(Math.exp(-event.deltaY / 400), [column + 0.5, row + 0.5]);
  }

  /** Turn to the chosen branch, if it cannot be seen well from here. */
  visit(always = false, anyway = this.look.follow || always) {
    const branch = this.branches[this.state.chosen];
    if (!branch || !anyway) return;
    const [x0, y0, x1, y1] = branch.box;
    const [w, h] = [this.stage.clientWidth, this.stage.clientHeight];
    const seen = this.isInView(w, h);
    const near = Math.max(this.whole(), Math.min(w, h) / 240);
    const far = Math.max(this.whole(), Math.min((0.8 * w) / (x1 - x0), (0.8 * h) / (y1 - y0)));
    if (seen && !always && this.look.scale >= Math.min(near, far)) return;
    const scale = Math.min(Math.max(this.look.scale, near), far);
    this.turn([(x0 + x1) / 2, (y0 + y1) / 2], scale);
  }

  jump(event) {
    const box = this.map.getBoundingClientRect();
    const side = Math.max(this.width, this.height) / box.width;
    const x = (event.clientX - box.left) * side - (Math.max(this.width, this.height) - this.width) / 2;
    const y = (event.clientY - box.top) * side - (Math.max(this.width, this.height) - this.height) / 2;
    this.turn([x, y], this.look.scale);
  }

  hide(hidden) {
    if (hidden === this.hidden) return;
    this.hidden = hidden;
    this.draw();
  }

  toggle(name, usual) {
    const now = this.look[name];
    this.look[name] = now ? 0 : this.look[`${name}Before`] || usual;
    this.look[`${name}Before`] = now;
    this.sliders[name].value = this.look[name];
    this.draw();
    this.remember();
  }

  /** Leave in the kernel where one looks, for the next page. */
  remember() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      this.model.set("look", { ...this.look });
      this.model.save_changes();
    }, 400);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [this.stage.clientWidth, this.stage.clientHeight];
    if (!w || !h) return;
    this.canvas.width = Math.round(w * ratio);
    this.canvas.height = Math.round(h * ratio);
    this.refit(w, h);
    this.paint(); // at once: a canvas that was resized is blank
  }

  /** Keep in a stage of another size what was in the middle, and in view what is asked about. */
  refit(w, h) {
    const { look } = this;
    const [w0, h0] = this.size ?? [w, h];
    this.size = [w, h];
    const was = Math.min(w0 / this.width, h0 / this.height); // the scale of the whole image
    if (!look.scale || Math.abs(look.scale / was - 1) < 1e-6) return this.fit();
    const seen = this.isInView(w0, h0, 0);
    this.turn([look.x + w0 / look.scale / 2, look.y + h0 / look.scale / 2], look.scale);
    if (seen && !this.isInView(w, h, 0)) this.visit(false, true);
  }

  /** Say whether the branch that is asked about lies in a stage of some size, off its margin. */
  isInView(w, h, margin = 0.06) {
    const branch = this.branches[this.state.chosen];
    if (!branch) return false;
    const [left, top] = this.screen(branch.box.slice(0, 2));
    const [right, bottom] = this.screen(branch.box.slice(2));
    const [x, y] = [margin * w, margin * h];
    return left >= x && top >= y && right <= w - x && bottom <= h - y;
  }

  // --- What Python says -------------------------------------------------------------------------

  update() {
    if (this.due || !this.picture) return;
    this.due = true; // one answer changes several traits
    queueMicrotask(async () => {
      this.due = false;
      const request = this.read();
      const first = this.visits === undefined;
      const turns = !first && this.visits !== this.state.visits;
      this.visits = this.state.visits;
      this.listenToAnswer(request, first);
      this.write();
      if (turns) this.turnToAsked();
      this.count();
      await this.readMask();
      if (request) this.askPatience();
      this.draw(request && { answered: request });
    });
  }

  /** What went wrong is told until something that the person asked for after that is answered. */
  listenToAnswer(request, first) {
    const { error } = this.state;
    const isNew = error && (request || first || error !== this.lastError);
    this.lastError = error;
    if (isNew) this.words = { text: error, after: this.last, since: performance.now() };
    else if (request && this.words && request.done > this.words.after) this.words = null;
  }

  /** Take over all that Python says, in one go with the request that it answers, if it does. */
  read() {
    this.state = this.model.get("state");
    this.tool = this.state.tool;
    this.known = numbers(this.model.get("decisions"), Int8Array);
    const request = this.settle();
    this.expect();
    this.probability = numbers(this.model.get("probability"), Float32Array);
    const path = (view) => {
      const flat = numbers(view, Int32Array);
      return flat.length ? pathOf(flat, this.width) : null;
    };
    this.strokes = this.model.get("strokes").map((one) => ({ ...one, line: path(one.path) }));
    this.preview = path(this.model.get("preview"));
    for (const name of ["removed", "added"]) {
      const view = this.model.get(name);
      if (this.hints[name]?.view !== view)
        this.hints[name] = { view, ...areaOf(numbers(view, Int32Array), this.width) };
    }
    return request;
  }

  /** Unpack the mask into a canvas of its own; an answer that comes late is dropped. */
  async readMask() {
    const packed = this.model.get("mask");
    if (packed === this.packed) return;
    this.packed = packed;
    const turn = ++this.maskTurn;
    const inflater = new DecompressionStream("deflate");
    const writer = inflater.writable.getWriter();
    writer.write(packed);
    writer.close();
    const bits = new Uint8Array(await new Response(inflater.readable).arrayBuffer());
    if (turn === this.maskTurn) this.paintMask(bits);
  }

  /** Paint the rows of the mask that have changed. */
  paintMask(bits) {
    const { width, height } = this;
    const before = this.bits ?? [];
    this.bits = bits;
    if (!before.length) [this.maskCanvas.width, this.maskCanvas.height] = [width, height];
    let [first, last] = [0, bits.length - 1];
    while (first <= last && before[first] === bits[first]) first++;
    while (last > first && before[last] === bits[last]) last--;
    if (first > last) return;
    // The rows above and below, too: which pixels are the outline depends on their neighbours.
    const top = Math.max(0, Math.floor((8 * first) / width) - 1);
    const bottom = Math.min(height, Math.floor((8 * last + 7) / width) + 2);
    const image = new ImageData(width, bottom - top);
    const pixels = new Uint32Array(image.data.buffer);
    const [edge, inner] = [255, 110].map(
      (alpha) => new Uint32Array(new Uint8Array([...MASK, alpha]).buffer)[0],
    );
    const is = (k) => bits[k >> 3] & (128 >> (k & 7)); // beyond the end: not
    const [start, end] = [top * width, bottom * width];
    for (let k = start; k < end; k++) {
      if (!(k & 7) && !bits[k >> 3]) {
        k += 7; // eight pixels without a mask
        continue;
      }
      if (!is(k)) continue;
      const within = is(k - 1) && is(k + 1) && is(k - width) && is(k + width);
      pixels[k - start] = within ? inner : edge; // the outline is seen on every image
    }
    this.maskCanvas.getContext("2d").putImageData(image, 0, top);
  }

  /** Write all that stands in words and buttons, in place: a hand may be on each of them. */
  write() {
    const { state } = this;
    const { progress } = state;
    const chosen = this.branches[state.chosen];
    const deciding = this.tool === "decide";
    for (const [tool, button] of Object.entries(this.tools))
      button.setAttribute("aria-pressed", String(tool === this.tool));
    enable(this.finish, state.points.length);
    enable(this.undo, state.undo);
    enable(this.redo, state.redo);
    enable(this.learn, state.learns);
    enable(this.export, state.keeps);
    for (const button of [this.yes, this.no]) enable(button, chosen && deciding);
    enable(this.later, progress.left && deciding);
    if (!deciding) {
      const count = state.points.length;
      say(this.title, `${DOING[this.tool]} a line`);
      say(this.about, `${count} point${count === 1 ? "" : "s"} · Esc leads back to deciding`);
    } else if (chosen) {
      const kind = this.kinds.find((one) => one.decision === this.known[state.chosen]);
      say(this.title, `Branch ${state.chosen + 1} of ${progress.branches}: ${kind.name}`);
      say(
        this.about,
        `model: ${percent(this.probability[state.chosen])} real · ` +
          `${chosen.size} pixel${chosen.size === 1 ? "" : "s"} long`,
      );
    } else {
      say(this.title, "There are no branches");
      say(this.about, "Draw what should be in the mask.");
    }
    const part = (count) => `${(100 * count) / Math.max(progress.branches, 1)}%`;
    this.bar.yes.style.width = part(progress.accepted);
    this.bar.no.style.width = part(progress.rejected);
    say(
      this.counts,
      `${progress.accepted} accepted, ${progress.rejected} rejected, ${progress.left} open` +
        (progress.drawn + progress.erased
          ? `; ${progress.drawn} drawn, ${progress.erased} erased` : ""),
    );
    // What is being typed or chosen stays, and what was and has no answer yet, too.
    const asked = (name) => this.isAsked((request) => request.name === name);
    if (document.activeElement !== this.radius && !asked("widen")) this.radius.value = state.radius;
    if (this.order.value !== state.order && !asked("sort")) this.order.value = state.order;
    this.arrange();
    this.tell();
  }

  /** Show the tools of lines while one draws, and the queue as it is. */
  arrange() {
    const { activeElement } = document;
    const needed = this.tool !== "decide" || this.lineTools.contains(activeElement);
    this.lineTools.classList.toggle("off", !needed);
    this.writeQueue(activeElement);
  }

  letQueueGo() {
    this.queueHeld = false;
    this.writeQueue(document.activeElement);
  }

  /** Bring the buttons of the queue into line with it, around the one that has the focus. */
  writeQueue(active) {
    if (this.queueHeld) return; // none may move away under the pointer that presses it
    const wanted = this.state.queue;
    for (const [k, item] of this.items) {
      if (wanted.includes(k) || item === active) continue;
      item.remove();
      this.items.delete(k);
    }
    for (const k of wanted) if (!this.items.has(k)) this.items.set(k, this.queueItem(k));
    for (const [k, item] of this.items) this.writeItem(k, item);
    const items = wanted.map((k) => this.items.get(k));
    const there = [...this.queue.children];
    const rest = there.indexOf(active);
    const middle = items.includes(active) ? items.indexOf(active) : rest;
    const order = rest < 0 ? items : items.filter((item) => item !== active).toSpliced(middle, 0, active);
    if (order.some((item, k) => item !== there[k])) {
      const pivot = rest < 0 ? null : active; // to move it would take its focus away
      for (const item of order.slice(0, pivot ? middle : 0)) this.queue.insertBefore(item, pivot);
      for (const item of order.slice(pivot ? middle + 1 : 0)) this.queue.append(item);
    }
    this.allDone.hidden = wanted.length > 0;
  }

  queueItem(k) {
    const onclick = (event) => {
      this.event = event;
      this.send("choose", { branch: k });
    };
    const thumb = make("canvas", { width: 96, height: 96, "aria-hidden": "true" });
    const about = { type: "button", title: `turn to branch ${k + 1}`, onclick };
    const item = make("button", about, thumb, make("b", {}, String(k + 1)), make("span"));
    this.paintThumb(k, item);
    return item;
  }

  /** Paint a branch of the queue as it lies in the image. */
  paintThumb(k, item) {
    const canvas = item.querySelector("canvas");
    const context = canvas.getContext("2d");
    const branch = this.branches[k];
    const [x0, y0, x1, y1] = branch.box;
    const scale = this.paintCrop(context, branch.box, 28, 1.5);
    const size = 1 / scale;
    const shown = branch.size > 1 ? branch.path : new Path2D();
    if (branch.size === 1) shown.arc((x0 + x1) / 2, (y0 + y1) / 2, 10 * size, 0, 2 * Math.PI);
    context.lineCap = context.lineJoin = "round";
    this.stroke(context, shown, "#000000", 9 * size);
    this.stroke(context, shown, "#ffffff", 4.5 * size);
  }

  /** Paint the image alone around a box, as large as the canvas; return the scale. */
  paintCrop(context, [x0, y0, x1, y1], least, margin) {
    const side = context.canvas.width;
    const scale = side / Math.max(least, margin * (x1 - x0), margin * (y1 - y0));
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, side, side);
    const [left, top] = [(x0 + x1) / 2, (y0 + y1) / 2].map((middle) => side / 2 - middle * scale);
    context.setTransform(scale, 0, 0, scale, left, top);
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(this.plain, 0, 0);
    return scale;
  }

  writeItem(k, item) {
    const { name } = this.kinds.find((one) => one.decision === this.known[k]);
    const chance = percent(this.probability[k]);
    const label = `Branch ${k + 1}, ${this.known[k] ? name : `${chance} real`}`;
    if (item.getAttribute("aria-label") !== label) item.setAttribute("aria-label", label);
    item.setAttribute("aria-pressed", String(k === this.state.chosen));
    say(item.lastChild, this.known[k] ? name : chance);
  }

  /** Say what went wrong, what is asked, and whether the work is saved. */
  tell() {
    const { state } = this;
    this.hover();
    const silent =
      "The kernel does not answer: it is busy, or it has ended. What is shown as saved is in the " +
      "journal; if the kernel has ended, run the cell again and go on there.";
    say(this.alert, this.slow ? silent : (this.words?.text ?? ""));
    say(this.status, state.text);
    if (this.isSaving && !this.slow) {
      this.saved.classList.remove("bad");
      say(this.saved, "… Saving");
      return;
    }
    const unsaved = this.slow || state.error.startsWith("NOT saved") || !state.keeps;
    this.saved.classList.toggle("bad", Boolean(unsaved));
    const last = this.slow ? "No answer. " : state.error.startsWith("NOT saved") ? "Last action NOT saved. " : "";
    say(this.saved, `${unsaved ? "⚠" : "✓"} ${last}${state.saved}`);
  }

  // --- Drawing ----------------------------------------------------------------------------------

  /** Raise the contrast of the picture, once, not with every drawing. */
  develop() {
    if (!this.picture) return;
    this.plain ??= document.createElement("canvas");
    this.plain.width = this.width;
    this.plain.height = this.height;
    const context = this.plain.getContext("2d");
    context.filter = this.look.contrast === 1 ? "none" : `contrast(${this.look.contrast})`;
    context.drawImage(this.picture, 0, 0);
    this.thumb = document.createElement("canvas");
    const side = 232 / Math.max(this.width, this.height);
    this.thumb.width = Math.max(1, Math.round(this.width * side));
    this.thumb.height = Math.max(1, Math.round(this.height * side));
    this.thumb.getContext("2d").drawImage(this.plain, 0, 0, this.thumb.width, this.thumb.height);
    for (const [k, item] of this.items) this.paintThumb(k, item);
  }

  /** Draw with the next frame; `note` is what to write down once that is on the screen. */
  draw(note) {
    Object.assign(this.notes, note);
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
      this.root.dataset.cross = this.cross ?? ""; // for tests, as what follows
      const { shown, answered } = this.notes;
      this.notes = {};
      if (!shown && !answered) return;
      requestAnimationFrame(() => {
        // For measuring: milliseconds from the event to the frame after the one that shows the
        // decision, and to the one after that which shows Python's answer.
        const { dataset } = this.root;
        const now = performance.now();
        if (shown) dataset.shown = (now - shown).toFixed(1);
        if (!answered) return;
        dataset.latency = (now - answered.begun).toFixed(1);
        dataset.done = answered.done;
      });
    });
  }

  paint() {
    if (!this.plain || !this.look.scale) return;
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    const { x, y, scale } = this.look;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, -x * scale * ratio, -y * scale * ratio);
    context.imageSmoothingEnabled = ratio * scale < 2;
    context.drawImage(this.plain, 0, 0);
    if (!this.hidden) {
      if (this.look.mask) {
        context.globalAlpha = this.look.mask;
        context.drawImage(this.maskCanvas, 0, 0);
      }
      context.globalAlpha = this.look.lines;
      if (this.look.lines) this.paintBranches(context, 1 / scale);
      context.globalAlpha = 1;
      this.paintLine(context, 1 / scale);
      if (this.cross) this.paintCross(context, 1 / scale);
    }
    this.paintBare();
    this.paintMap();
  }

  stroke(context, path, colour, width, dash = []) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.stroke(path);
  }

  /** Paint halos, branches and strokes; `px` is one pixel of the screen in pixels of the image. */
  paintBranches(context, px) {
    context.lineJoin = context.lineCap = "round";
    const chosen = this.tool === "decide" && this.branches[this.state.chosen];
    const hovered = this.branches[this.hovered];
    if (hovered) this.stroke(context, hovered.path, "rgba(255, 255, 255, 0.75)", 10 * px);
    if (chosen) {
      this.stroke(context, chosen.path, "#000000", 13 * px);
      this.stroke(context, chosen.path, "#ffffff", 9.5 * px);
      for (const [name, colour] of HINTS) this.paintHint(context, this.hints[name], name, colour, px);
    }
    this.paintLayers(px);
    this.paintLayer(context, this.layers.open, FAR);
    if (chosen) {
      const [x0, y0, x1, y1] = chosen.box;
      const margin = NEAR * px;
      context.save();
      context.beginPath();
      context.roundRect(x0 - margin, y0 - margin, x1 - x0 + 2 * margin, y1 - y0 + 2 * margin, margin);
      context.clip();
      this.paintLayer(context, this.layers.open, 1);
      context.restore();
    }
    this.paintLayer(context, this.layers.decided, 1);
    for (const { drawn, line } of this.strokes) {
      if (!line) continue;
      this.stroke(context, line, "#000000", 4 * px);
      this.stroke(context, line, drawn ? DRAWN : ERASED, 2.2 * px, drawn ? [] : ERASING.map((d) => d * px));
    }
    if (chosen) {
      const [x0, y0, x1, y1] = chosen.box;
      if (Math.max(x1 - x0, y1 - y0) < 40 * px) {
        const ring = new Path2D(); // a short branch is hard to find
        ring.arc((x0 + x1) / 2, (y0 + y1) / 2, 28 * px, 0, 2 * Math.PI);
        this.stroke(context, ring, "#000000", 4.5 * px);
        this.stroke(context, ring, "#ffffff", 2.2 * px);
      }
    }
  }

  /** Paint a layer as it is, or fainter. */
  paintLayer(context, layer, part) {
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha *= part;
    context.drawImage(layer, 0, 0);
    context.restore();
  }

  /** Paint over which pixels an answer would take away or add: stripes or dots, and a border. */
  paintHint(context, { fill, edge }, name, colour, px) {
    this.patterns ??= {};
    const pattern = (this.patterns[name] ??= patternOf(context, name, colour));
    pattern.setTransform(new DOMMatrix().scale(px / 2)); // of the screen's size at every zoom
    context.fillStyle = pattern;
    context.fill(fill);
    this.stroke(context, edge, "#000000", 3 * px);
    this.stroke(context, edge, colour, 1.5 * px);
  }

  /**
   * Bring the layers of the lines into line with the decisions. Dashed lines by the thousand take a
   * tenth of a second, so as long as the view rests, only what is near a changed branch is redone.
   */
  paintLayers(px) {
    const { x, y, scale } = this.look;
    const { width, height } = this.canvas;
    const view = [x, y, scale, width, height].join();
    const changed = [];
    for (let k = 0; k < this.branches.length; k++)
      if (this.painted?.[k] !== this.decisions[k]) changed.push(this.branches[k].box);
    this.painted = this.decisions;
    const anew = view !== this.layerView || changed.length > 20;
    this.layerView = view;
    const ratio = window.devicePixelRatio || 1;
    for (const [name, layer] of Object.entries(this.layers)) {
      const context = layer.getContext("2d");
      const kinds = this.kinds.filter(({ decision }) => (decision === 0) === (name === "open"));
      if (anew) {
        [layer.width, layer.height] = [width, height];
        context.setTransform(ratio * scale, 0, 0, ratio * scale, -x * scale * ratio, -y * scale * ratio);
        context.lineJoin = "round";
        this.paintLines(context, px, kinds, [x, y, x + width * px, y + height * px]);
        continue;
      }
      for (const [x0, y0, x1, y1] of changed) {
        const margin = 10 * px;
        const area = [x0 - margin, y0 - margin, x1 + margin, y1 + margin];
        context.save();
        context.beginPath();
        context.rect(area[0], area[1], area[2] - area[0], area[3] - area[1]);
        context.clip();
        context.clearRect(area[0], area[1], area[2] - area[0], area[3] - area[1]);
        this.paintLines(context, px, kinds, area);
        context.restore();
      }
    }
  }

  /** Paint the branches of some kinds that meet an area of the image. */
  paintLines(context, px, kinds, [left, top, right, bottom]) {
    const meets = ({ box: [x0, y0, x1, y1] }) => x1 >= left && y1 >= top && x0 <= right && y0 <= bottom;
    // Far away, thousands of wide edges would hide the image: lines grow with the zoom.
    const size = px * Math.min(1, 0.45 + 0.2 / px);
    for (const kind of kinds) {
      const all = new Path2D();
      const specks = new Path2D(); // open, of one pixel, and far away: a small point is enough
      const crosses = new Path2D();
      const arm = 5 * size;
      for (const [k, branch] of this.branches.entries()) {
        if (this.decisions[k] !== kind.decision || !meets(branch)) continue;
        const [mx, my] = branch.middle;
        if (branch.size === 1 && kind.decision === 0 && px > 0.3) {
          specks.moveTo(mx + 1.2 * size, my);
          specks.arc(mx, my, 1.2 * size, 0, 2 * Math.PI);
          continue;
        }
        all.addPath(branch.path);
        if (kind.decision < 0)
          for (const s of [-1, 1]) {
            crosses.moveTo(mx - arm, my - s * arm);
            crosses.lineTo(mx + arm, my + s * arm);
          }
      }
      context.lineCap = "round";
      this.stroke(context, all, kind.decision > 0 ? "#ffffff" : "#000000", (kind.width + 1.8) * size);
      context.lineCap = "butt";
      this.stroke(context, all, kind.colour, kind.width * size, kind.dash.map((d) => d * size));
      context.fillStyle = "rgba(255, 255, 255, 0.55)";
      context.fill(specks);
      this.stroke(context, crosses, "#000000", 4 * size);
      this.stroke(context, crosses, kind.colour, 2 * size);
    }
  }

  /** Paint the line that is being drawn or erased: as wide as it will be, with its points. */
  paintLine(context, px) {
    if (!this.preview) return;
    const draws = this.tool === "draw";
    const colour = draws ? DRAWN : ERASED;
    context.globalAlpha = 0.45;
    this.stroke(context, this.preview, colour, 2 * this.state.radius + 1);
    context.globalAlpha = 1;
    this.stroke(context, this.preview, "#000000", 4.5 * px);
    this.stroke(context, this.preview, colour, 2.5 * px, draws ? [] : ERASING.map((d) => d * px));
    for (const [row, column] of this.state.points) {
      const dot = new Path2D();
      dot.arc(column + 0.5, row + 0.5, 4.5 * px, 0, 2 * Math.PI);
      context.fillStyle = "#ffffff";
      context.fill(dot);
      this.stroke(context, dot, "#000000", 2 * px);
    }
  }

  paintCross(context, px) {
    const [x, y] = this.cross.map((v) => v + 0.5);
    const arms = new Path2D();
    for (const [dx, dy] of Object.values(ARROWS)) {
      arms.moveTo(x + 5 * px * dx, y + 5 * px * dy);
      arms.lineTo(x + 18 * px * dx, y + 18 * px * dy);
    }
    this.stroke(context, arms, "#000000", 5 * px);
    this.stroke(context, arms, "#ffffff", 2.2 * px);
  }

  /** Paint the surroundings of the chosen branch without anything over them; rings mark its ends. */
  paintBare() {
    const context = this.bare.getContext("2d");
    const branch = this.branches[this.state.chosen];
    if (!branch) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.bare.width, this.bare.height);
      return;
    }
    const scale = this.paintCrop(context, branch.box, 48, 1.5);
    for (const end of branch.ends) {
      const ring = new Path2D();
      const [x, y] = [(end % this.width) + 0.5, Math.floor(end / this.width) + 0.5];
      ring.arc(x, y, 9 / scale, 0, 2 * Math.PI);
      this.stroke(context, ring, "#000000", 4 / scale);
      this.stroke(context, ring, "#ffffff", 2 / scale);
    }
  }

  paintMap() {
    const context = this.map.getContext("2d");
    const side = this.map.width;
    const { thumb } = this;
    const scale = side / Math.max(this.width, this.height);
    const [left, top] = [(side - thumb.width) / 2, (side - thumb.height) / 2];
    context.clearRect(0, 0, side, side);
    context.drawImage(thumb, left, top);
    const { x, y } = this.look;
    const [w, h] = [this.stage.clientWidth, this.stage.clientHeight].map((v) => (v / this.look.scale) * scale);
    const frame = new Path2D();
    const [fx, fy] = [left + x * scale, top + y * scale];
    const [x0, y0] = [Math.max(fx, 2), Math.max(fy, 2)];
    frame.rect(x0, y0, Math.min(fx + w, side - 2) - x0, Math.min(fy + h, side - 2) - y0);
    context.lineCap = "butt";
    this.stroke(context, frame, "#000000", 6);
    this.stroke(context, frame, "#ffffff", 3);
    const branch = this.branches[this.state.chosen];
    if (branch) {
      const dot = new Path2D();
      const [mx, my] = branch.middle;
      dot.arc(left + mx * scale, top + my * scale, 6, 0, 2 * Math.PI);
      context.fillStyle = "#ffffff";
      context.fill(dot);
      this.stroke(context, dot, "#000000", 3);
    }
  }
}

export default {
  render({ model, el }) {
    const desk = new Desk(model, el);
    return () => desk.close();
  },
};

// Pictures that were computed in advance, and a slider that moves through them: no kernel is asked.
//
// All that is shown stands in a bundle, which `frames.py` describes: numbers packed in `data`, and
// in `about` what they mean. The view talks to one object with get, set, on, off and save_changes:
// a widget's model in a notebook; what `mount` makes of a plain bundle on a page without a kernel.
//
// The slider, the mark and the light belong to the hand, and are drawn in the next frame. Once the
// hand rests, the model is told where; what it answers never moves a slider under the hand.

const REST = 300; // milliseconds without a move after which the model is told
const REACH = 14; // pixels of the screen within which a dot is meant
const TALLEST = 560; // pixels of a picture
const LOWEST = 320; // pixels of a chart that has a row of its own
const PATIENCE = 150; // milliseconds of computing that are not worth a word
const HOLD = 900; // milliseconds at a meeting
const PLACES = ["index", "level", "marked", "pixel"]; // of the hand, which the model is told
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const KINDS = {
  uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array, float32: Float32Array,
};

// --- Small helpers ------------------------------------------------------------------------------

/** Make an element: a tag with classes, its attributes and its children. */
function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Write a sentence, and mark the numbers that differ from the one before. */
function write(place, text, before) {
  const words = text.split(/(\s+)/);
  const old = before.split(/(\s+)/);
  const alike = words.length === old.length;
  let head = 0;
  while (head < words.length && words[head] === old[head]) head += 1;
  let tail = 0;
  while (tail < words.length - head && words.at(-1 - tail) === old.at(-1 - tail)) tail += 1;
  place.replaceChildren(
    ...words.map((word, k) => {
      const changed = alike ? word !== old[k] : k >= head && k < words.length - tail;
      if (!before || !changed || !/\d/.test(word)) return document.createTextNode(word);
      return make("mark", {}, word);
    }),
  );
}

const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const rgb = (colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));

/** Read packed numbers by their place; each array is made once. */
function reader(view) {
  const made = new Map();
  return (where) => {
    if (!where) return null;
    if (!made.has(where)) {
      const Kind = KINDS[where.type];
      const start = view.byteOffset + where.at;
      const bytes = view.buffer.slice(start, start + where.length * Kind.BYTES_PER_ELEMENT);
      const numbers = new Kind(bytes);
      const { step } = where; // differences to those before, around the end of the type
      if (step) for (let k = step; k < numbers.length; k++) numbers[k] += numbers[k - step];
      made.set(where, numbers);
    }
    return made.get(where);
  };
}

/** Return 1 for the pixels of the connected part of `mask` that holds the pixel `start`. */
function flood(mask, width, start, corners) {
  const found = new Uint8Array(mask.length);
  const height = mask.length / width;
  const value = mask[start];
  const stack = [start];
  found[start] = 1;
  while (stack.length) {
    const p = stack.pop();
    const x = p % width;
    const y = (p - x) / width;
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++) {
        if (!corners && dx && dy) continue;
        const [u, v] = [x + dx, y + dy];
        if (u < 0 || v < 0 || u >= width || v >= height) continue;
        const q = v * width + u;
        if (found[q] || mask[q] !== value) continue;
        found[q] = 1;
        stack.push(q);
      }
  }
  return found;
}

/** Number the parts around a pixel that touch it: 1, 2, ... of foreground, -1, -2, ... the others.
 *
 * `cells` are the nine values around it in reading order, `connectivity` is 1 or 2: that of the
 * foreground. The same as `components_around` of toposeg_lite.figures. */
export function partsAround(cells, connectivity) {
  const numbers = new Array(9).fill(0);
  for (const [sign, value, steps] of [[1, 1, connectivity], [-1, 0, 3 - connectivity]]) {
    const ring = cells.map((cell, k) => (k !== 4 && Number(cell) === value ? 1 : 0));
    let count = 0;
    const seen = new Set();
    for (let k = 0; k < 9; k++) {
      if (!ring[k] || seen.has(k)) continue;
      const part = flood(Uint8Array.from(ring), 3, k, steps === 2);
      let touches = false;
      for (let q = 0; q < 9; q++) {
        if (!part[q]) continue;
        seen.add(q);
        touches ||= steps === 2 || q % 2 === 1;
      }
      if (!touches) continue;
      count += 1;
      for (let q = 0; q < 9; q++) if (part[q]) numbers[q] = sign * count;
    }
  }
  return numbers;
}

/** Say whether a pixel among these cells is simple, as `verdict` of toposeg_lite.figures. */
export function verdict(cells, connectivity) {
  const numbers = partsAround(cells, connectivity);
  const [inside, outside] = [Math.max(...numbers), -Math.min(...numbers)];
  if (inside === 1 && outside === 1)
    return "Simple: 1 foreground and 1 background component touch it.";
  const removing = Boolean(cells[4]);
  let why = removing ? "parts what it joins" : "joins parts";
  if (!inside) why = removing ? "deletes a component" : "makes a component";
  else if (!outside) why = removing ? "opens a hole" : "fills a hole";
  return (
    `Not simple: ${inside} foreground and ${outside} background components touch it; ` +
    `${removing ? "removing" : "adding"} it ${why}.`
  );
}

/** Draw one sign around or at a place; hollow ones leave free what they point at. */
function sign(ctx, kind, x, y, size, colour, edge) {
  const r = size / 2;
  ctx.beginPath();
  if (kind === "dot" || kind === "ring") ctx.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === "up" || kind === "up-open") {
    ctx.moveTo(x, y - r), ctx.lineTo(x + r, y + 0.8 * r), ctx.lineTo(x - r, y + 0.8 * r);
    ctx.closePath();
  } else if (kind === "down") {
    ctx.moveTo(x, y + r), ctx.lineTo(x + r, y - 0.8 * r), ctx.lineTo(x - r, y - 0.8 * r);
    ctx.closePath();
  } else if (kind === "diamond") {
    ctx.moveTo(x, y - r), ctx.lineTo(x + r, y), ctx.lineTo(x, y + r), ctx.lineTo(x - r, y);
    ctx.closePath();
  } else if (kind === "square") ctx.rect(x - r, y - r, size, size);
  else if (kind === "cross" || kind === "aim") {
    const from = kind === "aim" ? 0.45 * r : 0;
    for (const [dx, dy] of [[-1, -1], [-1, 1], [1, -1], [1, 1]]) {
      ctx.moveTo(x + dx * from, y + dy * from);
      ctx.lineTo(x + dx * r, y + dy * r);
    }
  }
  if (["dot", "up", "down"].includes(kind)) {
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.lineWidth = 1;
    ctx.strokeStyle = edge;
  } else {
    ctx.lineWidth = ["diamond", "aim", "square"].includes(kind) ? 5 : 3.6;
    ctx.strokeStyle = edge;
    if (kind !== "up-open" && !(kind === "ring" && size < 12)) ctx.stroke();
    ctx.lineWidth = ["diamond", "aim", "square"].includes(kind) ? 2.5 : 1.8;
    ctx.strokeStyle = colour;
  }
  ctx.stroke();
}

// --- Panels -------------------------------------------------------------------------------------

/** One picture: a canvas that knows its size on the screen, a title, words about the pointer. */
class Panel {
  constructor(view) {
    this.view = view;
    this.title = make("figcaption");
    this.canvas = make("canvas");
    this.where = make("p.toposeg-where", { "aria-hidden": "true" });
    this.element = make("figure", {}, this.title, this.canvas, this.where);
    this.ctx = this.canvas.getContext("2d");
    this.canvas.toposeg = this; // for whoever measures
    for (const [name, hear] of Object.entries({
      pointermove: (event) => this.pointed(...this.at(event), event),
      pointerdown: (event) => this.pressed(...this.at(event), event),
      pointerup: (event) => this.released(...this.at(event), event),
      pointercancel: (event) => this.released(...this.at(event), event),
      pointerleave: () => this.left(),
      keydown: (event) => this.key(event),
    }))
      this.canvas.addEventListener(name, hear);
  }

  use(about) {
    this.about = about;
    say(this.title, about.title);
    set(this.element, "data-kind", about.kind);
    this.say("");
  }

  /** Name the canvas for a screen reader: a picture, or a slider through what can be marked. */
  name(label, slider) {
    set(this.canvas, "aria-label", label);
    set(this.canvas, "role", slider ? "slider" : "img");
    if (slider) set(this.canvas, "tabindex", 0);
    else this.canvas.removeAttribute("tabindex");
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.x, event.clientY - box.y];
  }

  say(words) {
    say(this.where, words || "\u00a0");
  }

  /** Take this much room, with so many pixels for each one of the page. */
  fit(room, ratio) {
    [this.width, this.height] = this.sized(room);
    const [w, h] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h)
      [this.canvas.width, this.canvas.height] = [w, h];
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.ratio = ratio;
  }

  /** As high as an image beside it would be, and lower where nothing is beside it. */
  sized(room) {
    const high = this.lone ? LOWEST : this.view.image ? TALLEST : 460;
    return [room, Math.round(Math.min(room, high))];
  }

  get stretches() {
    return false;
  }

  clear() {
    this.ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.ctx.clearRect(0, 0, this.width, this.height);
    this.ctx.font = "12px system-ui, sans-serif";
  }

  pointed() {}
  pressed() {}
  released() {}
  left() {}
  key() {}
}

/** A layer of an image: palette indices of each frame, and the palette. */
function layerOf(about, view, count) {
  const { read } = view;
  const palette = new Uint8Array(1024);
  if (about.palette === "grey")
    for (let k = 0; k < 256; k++) palette.set([k, k, k, 255], 4 * k);
  else about.palette.forEach((colour, k) => palette.set(colour, 4 * k));
  const scratch = new Uint8Array(count);
  const [indices, bits, turns] = [about.indices, about.bits, about.turns].map(read);
  const [before, after] = ["before", "after"].map((name) =>
    typeof about[name] === "number" ? new Uint8Array(count).fill(about[name]) : read(about[name]),
  );
  const size = Math.ceil(count / 8);
  const at = (k) => {
    if (about.ridges) return view.ridges.paint(scratch.fill(0), k, view.level);
    if (indices)
      return indices.length === count ? indices : indices.subarray(k * count, (k + 1) * count);
    if (bits)
      for (let p = 0; p < count; p++) scratch[p] = (bits[k * size + (p >> 3)] >> (p & 7)) & 1;
    else for (let p = 0; p < count; p++) scratch[p] = turns[p] > k ? before[p] : after[p];
    return scratch;
  };
  return { at, palette, mask: about.mask, blank: about.blank };
}

/** A picture of pixels: layers that are laid over each other, lines, signs, and what is lit. */
class ImagePanel extends Panel {
  use(about) {
    super.use(about);
    const read = this.view.read;
    [this.rows, this.columns] = about.shape;
    this.count = this.rows * this.columns;
    this.layers = about.layers.map((layer) => layerOf(layer, this.view, this.count));
    this.sheet = document.createElement("canvas");
    [this.sheet.width, this.sheet.height] = [this.columns, this.rows];
    this.paper = this.sheet.getContext("2d");
    this.pixels = this.paper.createImageData(this.columns, this.rows);
    this.veil = document.createElement("canvas");
    [this.veil.width, this.veil.height] = [this.columns, this.rows];
    this.lines = (about.lines ?? []).map((line) => ({ ...line, path: this.pathOf(read(line.xy)) }));
    this.signs = (about.signs ?? []).map((each) => ({
      ...each, starts: read(each.starts), places: read(each.places),
    }));
    this.still = [...this.lines, ...this.signs.filter((each) => !each.starts)];
    this.over = null;
    this.picks = read(about.picks);
    const { paths } = about;
    this.paths = paths && { starts: read(paths.starts), places: read(paths.places) };
    this.painted = this.masked = this.veiled = null;
    this.under = null;
    this.canvas.classList.toggle("toposeg-hand", Boolean(about.click));
    this.name(`${about.title}, ${this.rows} rows and ${this.columns} columns`, false);
    if (about.click === "pixel") {
      set(this.canvas, "role", "slider");
      set(this.canvas, "tabindex", 0);
      set(this.canvas, "aria-label", "Chosen pixel, moved by arrow keys");
      set(this.canvas, "aria-valuemin", 0);
      set(this.canvas, "aria-valuemax", this.count - 1);
    }
  }

  pathOf(xy) {
    const path = new Path2D();
    let pen = false;
    for (let k = 0; k < xy.length; k += 2) {
      if (Number.isNaN(xy[k])) pen = false;
      else if (pen) path.lineTo(xy[k] + 0.5, xy[k + 1] + 0.5);
      else {
        path.moveTo(xy[k] + 0.5, xy[k + 1] + 0.5);
        pen = true;
      }
    }
    return path;
  }

  fit(room, ratio) {
    super.fit(room, ratio);
    this.scale = this.width / this.columns;
    this.over = this.painted = null; // the theme may be another one
  }

  sized(room) {
    const wide = Math.min(room, (TALLEST * this.columns) / this.rows);
    return [Math.round(wide), Math.max(24, Math.round((wide * this.rows) / this.columns))];
  }

  paint(k) {
    const now = `${k},${this.view.level}`;
    if (this.painted === now) return;
    this.painted = now;
    const out = this.pixels.data;
    out.fill(0);
    for (const { at, palette, blank } of this.layers) {
      const indices = at(k);
      for (let p = 0, q = 0; p < this.count; p++, q += 4) {
        if (this.view.lighten && indices[p] === blank) continue; // a dark page's own colour
        const c = 4 * indices[p];
        const alpha = palette[c + 3];
        if (!alpha) continue;
        const rest = 255 - alpha;
        for (let n = 0; n < 3; n++) out[q + n] = (alpha * palette[c + n] + rest * out[q + n]) / 255;
        out[q + 3] = 255;
      }
    }
    this.paper.putImageData(this.pixels, 0, 0);
  }

  /** Return 1 for the foreground of a frame. */
  mask(k) {
    if (this.masked?.k !== k) { // only where there are features, and so no second slider
      const layer = this.layers.find((each) => each.mask);
      const mask = Uint8Array.from(layer.at(k), (index) => (layer.mask.includes(index) ? 1 : 0));
      this.masked = { k, mask };
    }
    return this.masked.mask;
  }

  /** Lay a veil of colours over regions: pairs of a region and a colour. */
  lay(regions) {
    const paper = this.veil.getContext("2d");
    const pixels = paper.createImageData(this.columns, this.rows);
    for (const [region, colour] of regions) {
      const [r, g, b] = rgb(colour);
      for (let p = 0; p < this.count; p++) if (region[p]) pixels.data.set([r, g, b, 190], 4 * p);
    }
    paper.putImageData(pixels, 0, 0);
  }

  draw(k) {
    const { ctx, view } = this;
    this.paint(k);
    this.clear();
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.sheet, 0, 0, this.width, this.height);
    const lit = view.lit;
    if (lit?.regions.length && this.about.lights) {
      if (this.veiled !== lit) this.lay(lit.regions);
      this.veiled = lit;
      ctx.drawImage(this.veil, 0, 0, this.width, this.height);
    }
    const { scale } = this;
    if (this.still.length) {
      if (!this.over) this.drawStill();
      ctx.drawImage(this.over, 0, 0, this.width, this.height);
    }
    if (view.shown > 0) this.drawShown(view.shown - 1, k);
    this.drawSigns(ctx, k, this.signs.filter((each) => each.starts));
    if (lit && this.about.lights) this.drawPair(lit);
    if (this.about.click === "pixel") this.drawChosen();
  }

  /** Draw once what is the same in every frame. */
  drawStill() {
    this.over = document.createElement("canvas");
    [this.over.width, this.over.height] = [this.canvas.width, this.canvas.height];
    const ctx = this.over.getContext("2d");
    const { ratio, scale } = this;
    ctx.setTransform(ratio * scale, 0, 0, ratio * scale, 0, 0);
    for (const line of this.lines) {
      ctx.lineWidth = line.width / scale;
      ctx.strokeStyle = line.colour;
      ctx.stroke(line.path);
    }
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawSigns(ctx, 0, this.signs.filter((each) => !each.starts));
  }

  drawSigns(ctx, k, signs) {
    for (const each of signs) {
      const { starts, places, colour } = each;
      const [from, to] = starts ? [starts[k], starts[k + 1]] : [0, places.length];
      const size = clamp(0.9 * this.scale, each.least ?? 5, 13);
      for (let i = from; i < to; i++)
        sign(ctx, each.sign, ...this.middle(places[i]), size, colour, each.edge ?? "#000");
    }
  }

  middle(p) {
    const { columns, scale } = this;
    return [((p % columns) + 0.5) * scale, (Math.floor(p / columns) + 0.5) * scale];
  }

  /** Draw the path of what is shown; of a branch its peaks and its pass, too. */
  drawShown(j, k) {
    const { ctx, view } = this;
    if (!view.ridges) {
      if (!this.paths) return;
      const { starts, places } = this.paths;
      return this.drawPath(places.subarray(starts[j], starts[j + 1]));
    }
    const { places, low, cut } = view.ridges.branch(j, k, view.level);
    this.drawPath(places, cut);
    const size = Math.max(13, 1.6 * this.scale);
    for (const p of [places[0], places.at(-1)])
      sign(ctx, "ring", ...this.middle(p), size, this.about.ends, "#fff");
    sign(ctx, "square", ...this.middle(places[low]), size, "#fff", "#000");
  }

  drawPath(places, dashed = false) {
    const { ctx } = this;
    ctx.beginPath();
    ctx.moveTo(...this.middle(places[0]));
    for (const p of places) ctx.lineTo(...this.middle(p));
    ctx.lineCap = ctx.lineJoin = "round";
    for (const [width, colour] of [[6, "#000"], [3, "#fff"]]) {
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      if (dashed && width === 3) ctx.setLineDash([1, 6]);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.lineCap = "butt";
    ctx.lineJoin = "miter";
  }

  /** Draw birth and death pixel of what is lit, and the way between them. */
  drawPair(lit) {
    const { ctx } = this;
    const size = Math.max(15, 2 * this.scale + 8);
    if (lit.death >= 0) {
      ctx.beginPath();
      ctx.moveTo(...this.middle(lit.birth));
      ctx.lineTo(...this.middle(lit.death));
      for (const [width, colour] of [[4, "#0008"], [1.5, "#fff"]]) {
        ctx.lineWidth = width;
        ctx.strokeStyle = colour;
        ctx.stroke();
      }
    }
    const colours = this.view.about.features.colours;
    sign(ctx, "diamond", ...this.middle(lit.birth), size, colours.birth, "#000");
    if (lit.death >= 0) sign(ctx, "aim", ...this.middle(lit.death), size, colours.death, "#000");
    if (lit.meeting) sign(ctx, "ring", ...this.middle(lit.death), 2.2 * size, "#fff", "#000");
  }

  drawChosen() {
    const [row, column] = this.view.pixel;
    const [x, y] = this.middle(row * this.columns + column);
    sign(this.ctx, "square", x, y, Math.max(12, this.scale + 4), "#fff", "#000");
    const text = `row ${row}, column ${column}`;
    set(this.canvas, "aria-valuenow", row * this.columns + column);
    set(this.canvas, "aria-valuetext", `${text}: ${this.view.answer().split(":")[0]}`);
  }

  pixelAt(x, y) {
    const [row, column] = [Math.floor(y / this.scale), Math.floor(x / this.scale)];
    const inside = row >= 0 && column >= 0 && row < this.rows && column < this.columns;
    return inside ? row * this.columns + column : -1;
  }

  pointed(x, y) {
    const p = this.pixelAt(x, y);
    const { view } = this;
    if (p < 0) return this.left();
    const now = `${p},${view.index},${view.level}`;
    if (now === this.under) return;
    this.under = now;
    const place = `row ${Math.floor(p / this.columns)}, column ${p % this.columns}`;
    const { ridges } = view;
    let found = 0;
    if (this.picks) found = this.picks[p];
    else if (ridges) found = this.near(p, ridges.numbers(view.index, view.level));
    else if (this.about.lights) found = view.featureAt(p) + 1;
    if (this.picks || ridges || this.about.lights) view.point(found);
    this.say(found ? `${place}: ${view.nameOf(found - 1)}` : place);
  }

  /** Return the number at a pixel, or at the nearest one that is a few pixels of the screen away. */
  near(p, numbers) {
    const reach = Math.min(Math.round(6 / this.scale), 4);
    const [row, column] = [Math.floor(p / this.columns), p % this.columns];
    let [found, least] = [numbers[p], numbers[p] ? 0 : Infinity];
    for (let y = Math.max(row - reach, 0); y <= Math.min(row + reach, this.rows - 1); y++)
      for (let x = Math.max(column - reach, 0); x <= Math.min(column + reach, this.columns - 1); x++) {
        const away = (y - row) ** 2 + (x - column) ** 2;
        if (numbers[y * this.columns + x] && away < least)
          [found, least] = [numbers[y * this.columns + x], away];
      }
    return found;
  }

  pressed(x, y) {
    const p = this.pixelAt(x, y);
    if (p < 0) return;
    if (this.about.click === "pixel")
      this.view.choose(Math.floor(p / this.columns), p % this.columns);
    this.pointed(x, y);
    if (this.view.pointing > 0) this.view.mark(this.view.pointing);
  }

  left() {
    this.under = null;
    this.say("");
    this.view.point(0);
  }

  key(event) {
    const step = ARROWS[event.key];
    if (this.about.click !== "pixel" || !step) return;
    event.preventDefault();
    const [row, column] = this.view.pixel;
    this.view.choose(
      clamp(row + step[0], 0, this.rows - 1), clamp(column + step[1], 0, this.columns - 1),
    );
  }
}

/** What charts have in common: axes, marks by keyboard, dots that hear a pointer. */
class Chart extends Panel {
  get stretches() {
    return true;
  }

  use(about) {
    super.use(about);
    this.canvas.classList.toggle("toposeg-hand", Boolean(this.marks));
    this.places = [];
    if (!this.marks) return this.name(about.title, false);
    this.name(`${this.view.about.marking.label}, in the ${about.title.split(":")[0]}`, true);
    set(this.canvas, "aria-valuemin", 0);
  }

  get marks() {
    return Boolean(this.view.about.features);
  }

  /** Say to a screen reader what is marked. */
  tellMark() {
    const { view } = this;
    if (!this.marks) return;
    const marked = Math.min(view.marked, view.last);
    set(this.canvas, "aria-valuemax", view.last);
    set(this.canvas, "aria-valuenow", marked);
    set(this.canvas, "aria-valuetext", marked ? view.nameOf(marked - 1) : "none");
  }

  /** Draw a frame with ticks; `x` and `y` are [low, high, name, ticks]. */
  axes(x, y, left = 52) {
    const { ctx } = this;
    const [top, wide, high] = [10, this.width - left - 10, this.height - 52];
    this.box = [left, top, wide, high];
    [this.x, this.y] = [x, y];
    ctx.strokeStyle = this.view.faint;
    ctx.lineWidth = 1;
    ctx.strokeRect(left + 0.5, top + 0.5, wide, high);
    ctx.fillStyle = this.view.ink;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    for (const [value, label] of x[3])
      if (inside(value, x)) ctx.fillText(label, this.atX(value), top + high + 6);
    const half = ctx.measureText(x[2]).width / 2 + 2; // of the name, which stays on the canvas
    ctx.fillText(x[2], clamp(left + wide / 2, half, this.width - half), top + high + 24);
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const [value, label] of y[3])
      if (inside(value, y)) ctx.fillText(label, left - 7, this.atY(value));
    ctx.save();
    ctx.translate(11, top + high / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.textAlign = "center";
    ctx.fillText(y[2], 0, 0);
    ctx.restore();
  }

  atX(value) {
    return this.box[0] + (this.box[2] * (value - this.x[0])) / (this.x[1] - this.x[0]);
  }

  atY(value) {
    return this.box[1] + (this.box[3] * (value - this.y[0])) / (this.y[1] - this.y[0]);
  }

  /** Draw only inside the frame. */
  inFrame(draw) {
    this.ctx.save();
    this.ctx.beginPath();
    this.ctx.rect(...this.box);
    this.ctx.clip();
    draw();
    this.ctx.restore();
  }

  dashed(...points) {
    const { ctx } = this;
    ctx.beginPath();
    points.forEach(([x, y], k) => (k ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
    ctx.setLineDash([6, 4]);
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = this.view.ink;
    ctx.stroke();
    ctx.setLineDash([]);
  }

  /** Return the number, from 1, of what stands nearest to a place, or 0. */
  found(x, y) {
    const j = nearest(this.places, x, y, REACH);
    return j === null ? 0 : j + 1;
  }

  pointed(x, y) {
    if (!this.marks) return;
    const found = this.found(x, y);
    this.say(found ? this.view.nameOf(found - 1) : "");
    this.view.point(found);
  }

  pressed(x, y) {
    const found = this.marks ? this.found(x, y) : 0;
    if (found) this.view.mark(found);
  }

  left() {
    if (!this.marks) return;
    this.say("");
    this.view.point(0);
  }

  key(event) {
    if (!this.marks) return;
    const { view } = this;
    const { last } = view;
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
    const ends = { Home: 0, End: last };
    const next = steps[event.key] ? view.marked + steps[event.key] : ends[event.key];
    if (next === undefined) return;
    event.preventDefault();
    view.mark(clamp(next, 0, last));
  }
}

const inside = (value, [low, high]) =>
  value >= Math.min(low, high) - 1e-9 && value <= Math.max(low, high) + 1e-9;

/** Return ticks of round numbers between two values. */
function ticks(low, high, count = 6) {
  const span = Math.abs(high - low) || 1;
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  const [first, last] = [Math.min(low, high) / step - 1e-9, Math.max(low, high) / step + 1e-9];
  for (let k = Math.ceil(first); k <= last; k++)
    found.push([k * step, (k * step).toFixed(digits)]);
  return found;
}

/** A chart of which a box, drawn with the pointer, is looked at closely. */
class Closer extends Chart {
  constructor(view) {
    super(view);
    this.zoom = null; // left, right, top and bottom of the box, in the units of the axes
    this.canvas.addEventListener("dblclick", () => this.look(null));
    this.back = make("button.toposeg-back", { type: "button", onclick: () => this.look(null) });
    this.back.hidden = true;
    this.element.append(this.back);
  }

  use(about) {
    super.use(about);
    this.back.textContent = `Whole ${about.title.split(":")[0].split(" ").at(-1)}`;
  }

  look(zoom) {
    if (this.back === document.activeElement) this.canvas.focus();
    this.zoom = zoom;
    this.back.hidden = !zoom;
    this.view.soon();
  }

  drawBox() {
    if (!this.drag?.moved) return;
    const { ctx } = this;
    const { a, b } = this.drag;
    ctx.lineWidth = 1;
    ctx.strokeStyle = this.view.ink;
    ctx.strokeRect(a[0], a[1], b[0] - a[0], b[1] - a[1]);
  }

  pressed(x, y, event) {
    this.drag = { a: [x, y], b: [x, y], moved: false };
    this.canvas.setPointerCapture(event.pointerId);
    super.pressed(x, y);
  }

  pointed(x, y) {
    if (!this.drag) return super.pointed(x, y);
    this.drag.b = [x, y];
    this.drag.moved ||= Math.hypot(x - this.drag.a[0], y - this.drag.a[1]) > 8;
    if (this.drag.moved) this.view.soon();
  }

  released(x, y) {
    const drag = this.drag;
    this.drag = null;
    if (!drag?.moved) return;
    const [left, top, wide, high] = this.box;
    const share = (u, start, length) => clamp((u - start) / length, 0, 1);
    const onX = (u) => this.x[0] + share(u, left, wide) * (this.x[1] - this.x[0]);
    const onY = (v) => this.y[0] + share(v, top, high) * (this.y[1] - this.y[0]);
    const xs = [drag.a[0], x].sort((a, b) => a - b).map(onX);
    const ys = [drag.a[1], y].sort((a, b) => a - b).map(onY);
    const wanted = Math.abs(xs[1] - xs[0]) > 1e-4 && Math.abs(ys[1] - ys[0]) > 1e-4;
    this.look(wanted ? [...xs, ...ys] : this.zoom);
  }
}

/** Births and deaths as dots. */
class Diagram extends Closer {
  draw(k) {
    this.clear();
    const { view, ctx } = this;
    const [x0, x1, y0, y1] = this.zoom ?? [-0.03, 1.03, 1.03, -0.03];
    this.axes([x0, x1, "birth", ticks(x0, x1)], [y0, y1, "death", ticks(y0, y1)]);
    const threshold = view.about.thresholds[k];
    const { features } = view;
    const [from, to] = features.range(k);
    this.places = [];
    this.inFrame(() => {
      ctx.fillStyle = view.wash;
      const [tx, ty] = [this.atX(threshold), this.atY(threshold)];
      ctx.fillRect(tx, ty, this.width, this.height);
      ctx.lineWidth = 1;
      ctx.strokeStyle = view.faint;
      ctx.beginPath();
      ctx.moveTo(this.atX(0), this.atY(0));
      ctx.lineTo(this.atX(1), this.atY(1));
      ctx.stroke();
      for (let i = to - 1; i >= from; i--) {
        const [x, y] = [this.atX(features.birth[i]), this.atY(features.death[i])];
        if (inside(features.birth[i], this.x) && inside(features.death[i], this.y))
          this.places.push([i - from, x, y]);
        const hole = features.dimension[i];
        const alive = features.alive(i, k);
        const kind = hole ? (alive ? "up" : "up-open") : alive ? "dot" : "ring";
        sign(ctx, kind, x, y, 9, view.tint(features.colourOf(i)), view.paper);
      }
      this.dashed([tx, this.box[1] + this.box[3]], [tx, ty], [this.box[0] + this.box[2], ty]);
      const j = view.shown - 1;
      if (j >= 0 && from + j < to) {
        const [x, y] = [this.atX(features.birth[from + j]), this.atY(features.death[from + j])];
        sign(ctx, "ring", x, y, 20, view.ink, view.paper);
      }
      this.drawBox();
    });
    this.tellMark();
  }
}

/** The barcode: what has been lived of a bar at the threshold is solid, what is to come faint. */
class Bars extends Closer {
  draw(k) {
    this.clear();
    const { view, ctx } = this;
    const { features } = view;
    const [from, to] = features.range(k);
    const count = Math.min(to - from, this.about.most);
    const [x0, x1, y0, y1] = this.zoom ?? [1.03, -0.03, 0.3, Math.max(count, 4) + 0.7];
    const rows = y1 - y0;
    const marks = ticks(Math.max(y0, 1), y1).filter(([value]) => Number.isInteger(value));
    this.axes(
      [x0, x1, "threshold, falling", ticks(x0, x1)],
      [y0, y1, "feature, longest first", [[1, "1"], ...marks.filter(([v]) => v > 1)]],
    );
    const threshold = view.about.thresholds[k];
    this.inFrame(() => {
      for (let j = 0; j < count; j++) {
        const i = from + j;
        const shown = view.shown === j + 1;
        const y = this.atY(j + 1);
        const thick = clamp((0.62 * this.box[3]) / rows, 2, 7);
        const [born, dead] = [features.birth[i], features.death[i]];
        const now = Math.max(dead, Math.min(threshold, born));
        const hole = features.dimension[i] > 0;
        const line = (a, b, strong) => {
          ctx.beginPath();
          ctx.moveTo(this.atX(a), y);
          ctx.lineTo(this.atX(b), y);
          ctx.lineWidth = strong ? (shown ? thick + 4 : thick) : Math.max(1.5, thick / 3);
          ctx.globalAlpha = strong ? 1 : 0.45;
          ctx.setLineDash(hole ? [5, 2] : []);
          ctx.strokeStyle = shown && strong ? view.ink : view.tint(features.colourOf(i));
          ctx.stroke();
          ctx.setLineDash([]);
          ctx.globalAlpha = 1;
        };
        line(born, dead, false);
        if (born > now) line(born, now, true);
        if (shown && strongEnd(features, i, threshold))
          sign(ctx, "aim", this.atX(dead), y, 13, features.colours.death, view.paper);
      }
      const x = this.atX(threshold);
      this.dashed([x, this.box[1]], [x, this.box[1] + this.box[3]]);
      this.drawBox();
    });
    this.tellMark();
  }

  found(x, y) {
    const [from, to] = this.view.features.range(this.view.index);
    const j = Math.round(this.y[0] + ((y - this.box[1]) / this.box[3]) * (this.y[1] - this.y[0]));
    const [left, top, wide, high] = this.box;
    if (x < left || x > left + wide || y < top || y > top + high) return 0;
    return j >= 1 && j <= Math.min(to - from, this.about.most) ? j : 0;
  }
}

/** Whether a bar has ended at a threshold. */
function strongEnd(features, i, threshold) {
  return features.deathAt[i] >= 0 && threshold <= features.death[i];
}

/** A line of numbers, at some of which the frames stand; a click goes to the nearest frame. */
class Curve extends Chart {
  get marks() {
    return false;
  }

  use(about) {
    super.use(about);
    this.values = this.view.read(about.values);
    this.canvas.classList.add("toposeg-hand");
  }

  draw(k) {
    this.clear();
    const { view, ctx, values } = this;
    const high = Math.max(1e-9, ...values) * 1.06;
    const last = values.length - 1;
    const whole = ticks(0, last).filter(([value]) => Number.isInteger(value));
    this.axes([-0.02 * last - 0.3, 1.02 * last + 0.3, this.about.x, whole],
              [high, 0, this.about.y, ticks(0, high)]);
    ctx.beginPath();
    values.forEach((value, step) => ctx.lineTo(this.atX(step), this.atY(value)));
    ctx.lineWidth = 2;
    ctx.strokeStyle = view.ink;
    ctx.stroke();
    const here = this.about.positions[k];
    sign(ctx, "dot", this.atX(here), this.atY(values[here]), 12, view.tint("#0072B2"), view.paper);
  }

  /** Return the frame that stands nearest to a place. */
  frameAt(x) {
    const away = this.about.positions.map((step) => Math.abs(this.atX(step) - x));
    return away.indexOf(Math.min(...away));
  }

  pointed(x) {
    const step = this.about.positions[this.frameAt(x)];
    this.say(`${this.about.x} ${step}: ${this.values[step].toPrecision(4)}`);
  }

  pressed(x) {
    this.view.go(this.frameAt(x));
  }

  left() {
    this.say("");
  }
}

/** The nine cells around the chosen pixel, with a letter or number for each part touching it. */
class Cells extends Panel {
  use(about) {
    super.use(about);
    this.name(about.title, false);
  }

  sized(room) {
    const side = Math.round(Math.min(room, 360));
    return [side, side];
  }

  draw() {
    this.clear();
    const { ctx, view, about } = this;
    const [cells, within] = view.cellsAround();
    const numbers = partsAround(cells, view.about.connectivity);
    const side = (this.width - 4) / 3;
    const at = (k) => [2 + ((k % 3) + 0.5) * side, 2 + (Math.floor(k / 3) + 0.5) * side];
    for (let k = 0; k < 9; k++) {
      const [x, y] = at(k);
      ctx.fillStyle = within[k] ? (cells[k] ? about.colours[0] : view.paper) : about.colours[1];
      ctx.fillRect(x - side / 2, y - side / 2, side, side);
      ctx.lineWidth = 1;
      ctx.strokeStyle = "#777777";
      ctx.strokeRect(x - side / 2, y - side / 2, side, side);
    }
    const colour = (number) => about.colours[number > 0 ? 2 : 3];
    for (let k = 0; k < 9; k++)
      for (let q = k + 1; q < 9; q++) {
        if (!numbers[k] || numbers[k] !== numbers[q]) continue;
        const across = Math.abs((k % 3) - (q % 3));
        const steps = [across, Math.abs(Math.floor(k / 3) - Math.floor(q / 3))];
        const most = numbers[k] > 0 ? view.about.connectivity : 3 - view.about.connectivity;
        if (Math.max(...steps) !== 1 || steps[0] + steps[1] > most) continue;
        ctx.beginPath();
        ctx.moveTo(...at(k));
        ctx.lineTo(...at(q));
        ctx.lineWidth = 5;
        ctx.strokeStyle = colour(numbers[k]);
        ctx.stroke();
      }
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let k = 0; k < 9; k++) {
      const [x, y] = at(k);
      const size = 0.42 * side;
      if (numbers[k]) {
        sign(ctx, numbers[k] > 0 ? "dot" : "up", x, y, size, colour(numbers[k]), "#fff");
        ctx.font = `bold ${Math.round(0.17 * side)}px system-ui, sans-serif`;
        ctx.fillStyle = "#fff";
        const name = numbers[k] > 0 ? "ABCD"[numbers[k] - 1] : String(-numbers[k]);
        ctx.fillText(name, x, y + (numbers[k] > 0 ? 1 : 0.05 * side));
      } else if (k === 4) {
        ctx.font = `italic ${Math.round(0.26 * side)}px system-ui, sans-serif`;
        ctx.fillStyle = cells[k] ? "#000" : view.ink;
        ctx.fillText("p", x, y);
      }
    }
    const [x, y] = at(4);
    ctx.lineWidth = 3;
    ctx.strokeStyle = view.ink;
    ctx.strokeRect(x - side / 2, y - side / 2, side, side);
    const [row, column] = view.pixel;
    const answer = view.answer();
    say(this.title, `row ${row}, column ${column}: ${answer.split(":")[0].toLowerCase()}`);
    this.say(answer);
    set(this.canvas, "aria-label", `The nine cells around row ${row}, column ${column}. ${answer}`);
  }
}

/** Number the components of a mask 1, 2, ..., its holes -1, -2, ..., each in reading order.
 *
 * The same as `numbered_parts` of toposeg_lite.figures. */
export function partsOf(mask, width, connectivity) {
  const numbers = new Int32Array(mask.length);
  const seen = new Uint8Array(mask.length);
  const counts = [0, 0]; // holes, components
  for (let p = 0; p < mask.length; p++) {
    if (seen[p]) continue;
    const part = flood(mask, width, p, connectivity === (mask[p] ? 2 : 1));
    const places = [...part.keys()].filter((q) => part[q]);
    for (const q of places) seen[q] = 1;
    const last = mask.length - width;
    const atBorder = (q) => q < width || q >= last || q % width === 0 || q % width === width - 1;
    if (!mask[p] && places.some(atBorder)) continue;
    counts[mask[p]] += 1;
    for (const q of places) numbers[q] = mask[p] ? counts[1] : -counts[0];
  }
  return { numbers, betti: [counts[1], counts[0]] };
}

/** Name a part: letters for components, numbers for holes, as `part_name`. */
function partName(number) {
  if (number <= 0) return number ? String(-number) : "";
  const letter = String.fromCharCode(65 + ((number - 1) % 26));
  return letter.repeat(1 + Math.floor((number - 1) / 26));
}

/** A small mask to paint on: a stroke is drawn at once, and told when the hand is lifted. */
class Paint extends ImagePanel {
  use(about) {
    const { view } = this;
    const mask = this.view.read(about.mask);
    // What the hand has painted since the model heard of it last stays.
    const heard = view.about.stroke >= (view.stroke ?? 0) && !this.stroke;
    if (heard || view.painted?.length !== mask.length) view.painted = Uint8Array.from(mask);
    if (heard) view.stroke = view.about.stroke;
    this.truth = view.read(about.truth);
    super.use({ ...about, click: "pixel" });
    set(this.canvas, "aria-label", "Chosen pixel: arrow keys move it, Space paints or wipes it");
    this.canvas.style.touchAction = "none";
    this.measure();
  }

  measure() {
    const { view } = this;
    Object.assign(view, partsOf(view.painted, this.columns, view.about.connectivity));
    view.wrong = view.painted.reduce((sum, value, p) => sum + (value !== this.truth[p]), 0);
    this.painted = null;
  }

  sized(room) {
    const wide = Math.min(room, 640, (460 * this.columns) / this.rows);
    return [Math.round(wide), Math.round((wide * this.rows) / this.columns)];
  }

  paint() {
    if (this.painted) return;
    this.painted = true;
    const { palette } = this.about;
    const { painted } = this.view;
    for (let p = 0; p < painted.length; p++) {
      const kind = 2 * painted[p] + this.truth[p];
      const opacity = this.view.lighten && kind === 0 ? 0 : 255; // a dark page's own colour
      this.pixels.data.set([...rgb(palette[kind]), opacity], 4 * p);
    }
    this.paper.putImageData(this.pixels, 0, 0);
  }

  drawChosen() {
    const { ctx, view, scale } = this;
    ctx.beginPath();
    for (let k = 0; k <= this.columns; k++)
      ctx.moveTo(k * scale, 0), ctx.lineTo(k * scale, this.height);
    for (let k = 0; k <= this.rows; k++)
      ctx.moveTo(0, k * scale), ctx.lineTo(this.width, k * scale);
    ctx.lineWidth = 1;
    ctx.strokeStyle = "#8884";
    ctx.stroke();
    ctx.font = `bold ${clamp(0.5 * scale, 7, 15)}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let p = 0; p < view.numbers.length; p++) {
      if (!view.numbers[p]) continue;
      const [x, y] = this.middle(p);
      ctx.fillStyle = this.about.colours[view.numbers[p] > 0 ? 0 : 1];
      ctx.fillText(partName(view.numbers[p]), x, y + 1);
    }
    const [row, column] = view.pixel;
    const p = row * this.columns + column;
    sign(ctx, "square", ...this.middle(p), Math.max(10, scale - 2), "#fff", "#000");
    set(this.canvas, "aria-valuenow", p);
    set(this.canvas, "aria-valuetext", `row ${row}, column ${column}: ${this.nameOf(p)}`);
  }

  nameOf(p) {
    const number = this.view.numbers[p];
    if (number > 0) return `component ${partName(number)}`;
    return number ? `hole ${partName(number)}` : "background that reaches the border";
  }

  put(p, value) {
    this.view.painted[p] = value;
    this.view.pixel = [Math.floor(p / this.columns), p % this.columns];
  }

  pressed(x, y, event) {
    const p = this.pixelAt(x, y);
    if (p < 0 || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    const before = this.view.painted.slice();
    this.stroke = { value: 1 - before[p], from: p, before };
    this.put(p, this.stroke.value);
    this.changed();
  }

  pointed(x, y) {
    const p = this.pixelAt(x, y);
    if (p < 0) return this.say("");
    if (this.stroke && p !== this.stroke.from) {
      for (const q of this.between(this.stroke.from, p)) this.put(q, this.stroke.value);
      this.stroke.from = p;
      this.changed();
    }
    this.say(`row ${Math.floor(p / this.columns)}, column ${p % this.columns}: ${this.nameOf(p)}`);
  }

  /** Return the pixels on the way from one to another, without the first. */
  between(from, to) {
    const { columns } = this;
    const [a, b] = [from, to].map((p) => [Math.floor(p / columns), p % columns]);
    const steps = Math.max(Math.abs(b[0] - a[0]), Math.abs(b[1] - a[1]));
    return Array.from({ length: steps }, (_, k) => {
      const share = (k + 1) / steps;
      const [row, column] = [0, 1].map((n) => Math.round(a[n] + share * (b[n] - a[n])));
      return row * columns + column;
    });
  }

  released() {
    if (!this.stroke) return;
    const { before } = this.stroke;
    this.stroke = null;
    this.view.tellPainted(before);
  }

  left() {
    this.say("");
  }

  key(event) {
    if (event.key !== " " && event.key !== "Enter") return super.key(event);
    event.preventDefault();
    if (event.repeat) return;
    const [row, column] = this.view.pixel;
    const p = row * this.columns + column;
    const before = this.view.painted.slice();
    this.put(p, 1 - before[p]);
    this.changed();
    this.view.tellPainted(before);
  }

  changed() {
    this.measure();
    this.view.soon();
  }
}

/** Differences with their intervals, below one another; a click goes to the frame of a row. */
class Forest extends Chart {
  get marks() {
    return false;
  }

  use(about) {
    super.use(about);
    this.row = -1; // the one that is pointed at
    this.canvas.classList.add("toposeg-hand");
  }

  draw(k) {
    this.clear();
    const { view, ctx, about } = this;
    const { names, low, high, difference, rings } = about;
    const all = [0, ...low, ...high, ...rings.flat().filter((value) => value !== null)];
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const spare = 0.06 * Math.max(most - least, 1e-6);
    const ends = [least - spare, most + spare];
    ctx.font = "bold 12px system-ui, sans-serif";
    const left = 16 + Math.max(...names.map((name) => ctx.measureText(name).width));
    ctx.font = "12px system-ui, sans-serif";
    this.axes([...ends, about.x, ticks(...ends, 4)], [-0.6, names.length - 0.4, "", []], left);
    const [start, top, wide, tall] = this.box;
    const zero = this.atX(0);
    const [from, to] = about.better > 0 ? [zero, start + wide] : [start, zero];
    const here = about.positions[k];
    const chosen = view.tint(about.colours[0]);
    this.places = [];
    this.inFrame(() => {
      ctx.fillStyle = about.colours[1];
      ctx.globalAlpha = 0.1;
      ctx.fillRect(from, top, to - from, tall);
      ctx.globalAlpha = 1;
      if (this.row >= 0) {
        ctx.fillStyle = view.wash;
        ctx.fillRect(start, this.atY(this.row - 0.5), wide, this.atY(1) - this.atY(0));
      }
      this.dashed([zero, top], [zero, top + tall]);
      names.forEach((_, j) => {
        const y = this.atY(j);
        const colour = j === here ? chosen : view.ink;
        ctx.strokeStyle = colour;
        ctx.lineWidth = j === here ? 5 : 3;
        ctx.beginPath();
        ctx.moveTo(this.atX(low[j]), y);
        ctx.lineTo(this.atX(high[j]), y);
        ctx.stroke();
        const holds = low[j] <= 0 && high[j] >= 0;
        ctx.lineWidth = 2;
        ctx.fillStyle = holds ? view.paper : colour;
        const x = this.atX(difference[j]);
        ctx.fillRect(x - 5, y - 5, 10, 10);
        ctx.strokeRect(x - 5, y - 5, 10, 10);
        rings[j].forEach((value, n) => {
          if (value === null) return;
          const place = [this.atX(value), this.atY(j + 0.28)];
          this.places.push([[j, n], ...place]);
          const lit = about.seeds[n] === view.seed;
          sign(ctx, lit ? "dot" : "ring", ...place, lit ? 9 : 7, colour, view.paper);
        });
      });
    });
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    names.forEach((name, j) => {
      ctx.font = `${j === here ? "bold " : ""}12px system-ui, sans-serif`;
      ctx.fillStyle = j === here ? chosen : view.ink;
      ctx.fillText(name, start - 8, this.atY(j));
    });
  }

  rowAt(y) {
    const [, top, , tall] = this.box;
    const { length } = this.about.names;
    return clamp(Math.round(((y - top) / tall) * (length + 0.2) - 0.6), 0, length - 1);
  }

  pointed(x, y) {
    const { about, view } = this;
    const j = this.rowAt(y);
    const ring = nearest(this.places, x, y, REACH / 2);
    view.pointSeed(ring ? about.seeds[ring[1]] : null);
    const [name, fine] = [about.names[j], (value) => value.toPrecision(3)];
    if (ring)
      this.say(`${about.names[ring[0]]}, seed ${about.seeds[ring[1]]}: ` +
        `difference ${fine(about.rings[ring[0]][ring[1]])}`);
    else
      this.say(`${name}: difference ${fine(about.difference[j])}, 95 % interval ` +
        `${fine(about.low[j])} to ${fine(about.high[j])}`);
    if (this.row !== j) view.soon();
    this.row = j;
  }

  pressed(x, y) {
    const frame = this.about.positions.indexOf(this.rowAt(y));
    if (frame >= 0) this.view.go(frame);
  }

  left() {
    this.row = -1;
    this.say("");
    this.view.pointSeed(null);
    this.view.soon();
  }
}

/** What stands nearest to a place, at most so far away, or null. */
function nearest(places, x, y, reach) {
  let [best, away] = [null, reach ** 2];
  for (const [what, u, v] of places) {
    const d = (u - x) ** 2 + (v - y) ** 2;
    if (d < away) [best, away] = [what, d];
  }
  return best;
}

/** Dots of two scores: on one axis that of the control, on the other that of the frame. */
class Pairs extends Chart {
  get marks() {
    return true;
  }

  draw(k) {
    this.clear();
    const { view, ctx, about } = this;
    const { x, y, kinds } = about.states[k];
    const [least, most] = [Math.min(...x, ...y), Math.max(...x, ...y)];
    const spare = 0.06 * Math.max(most - least, 1e-6);
    const ends = [least - spare, most + spare];
    const marks = ticks(...ends, 4);
    this.axes([...ends, about.x, marks],
              [ends[1], ends[0], `${about.y}, ${view.about.values[k]}`, marks]);
    this.places = x.map((value, j) => [j, this.atX(value), this.atY(y[j])]);
    this.inFrame(() => {
      ctx.strokeStyle = view.faint;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(this.atX(ends[0]), this.atY(ends[0]));
      ctx.lineTo(this.atX(ends[1]), this.atY(ends[1]));
      ctx.stroke();
      for (const [j, u, v] of this.places) {
        const kind = ["dot", "up", "diamond"][kinds[j]];
        sign(ctx, kind, u, v, 10, view.tint(about.colours[kinds[j]]), view.paper);
      }
      if (view.shown) {
        const [, u, v] = this.places[view.shown - 1];
        sign(ctx, "ring", u, v, 20, view.ink, view.paper);
      }
    });
    this.tellMark();
  }
}

/** What a weight changes, on a logarithmic scale: a line of each seed. */
class Weights extends Chart {
  get marks() {
    return false;
  }

  draw(k) {
    this.clear();
    const { view, ctx, about } = this;
    const seeds = about.states[k];
    const weights = [...new Set(seeds.flatMap((seed) => seed.x))].sort((a, b) => a - b);
    this.places = [];
    if (!weights.length) return; // none was tried
    const changes = [0, ...seeds.flatMap((seed) => seed.y)];
    const [least, most] = [Math.min(...changes), Math.max(...changes)];
    const spare = 0.08 * Math.max(most - least, 1e-6);
    const ends = [least - spare, most + spare];
    const x = [Math.log10(weights[0] / 1.6), Math.log10(weights.at(-1) * 1.6)];
    const marks = [];
    const room = 34 / Math.max(this.width - 62, 1) * (x[1] - x[0]); // of one number
    for (const weight of weights)
      if (!marks.length || Math.log10(weight) - marks.at(-1)[0] >= room)
        marks.push([Math.log10(weight), String(Number(weight.toPrecision(3)))]);
    this.axes([...x, about.x, marks], [ends[1], ends[0], about.y, ticks(...ends, 5)]);
    this.inFrame(() => {
      this.dashed([this.box[0], this.atY(0)], [this.box[0] + this.box[2], this.atY(0)]);
      for (const one of seeds) {
        const lit = one.seed === view.seed;
        const dots = one.x.map((weight, n) => [this.atX(Math.log10(weight)), this.atY(one.y[n])]);
        ctx.beginPath();
        for (const dot of dots) ctx.lineTo(...dot);
        ctx.lineWidth = lit ? 4 : 1.5;
        ctx.strokeStyle = view.ink;
        ctx.stroke();
        dots.forEach((dot, n) => {
          this.places.push([[one, n], ...dot]);
          sign(ctx, "dot", ...dot, lit ? 12 : 9, view.ink, view.paper);
          if (n === one.picked) sign(ctx, "ring", ...dot, 18, view.ink, view.paper);
        });
      }
    });
  }

  pointed(x, y) {
    const found = nearest(this.places, x, y, REACH);
    this.view.pointSeed(found ? found[0].seed : null);
    if (!found) return this.say("");
    const [{ seed, x: weights, y: changes }, n] = found;
    this.say(`seed ${seed}, weight ${weights[n]}: change ${changes[n].toPrecision(3)}`);
  }

  pressed(x, y) {
    this.pointed(x, y);
  }

  left() {
    this.say("");
    this.view.pointSeed(null);
  }
}

/** The branches as dots: what they are worth, and how high their passes are. */
class Passes extends Closer {
  get marks() {
    return true;
  }

  draw(k) {
    this.clear();
    const { view, ctx, about } = this;
    const { ridges, level } = view;
    const [x0, x1, y0, y1] = this.zoom ?? [-0.03, 1.03, 1.03, -0.03];
    this.axes(
      [x0, x1, "persistence", ticks(x0, x1)], [y0, y1, "value of the pass", ticks(y0, y1)],
    );
    const last = view.last;
    const drawn = Math.min(last, about.most);
    const whole = about.title.split(":")[0];
    say(this.title, drawn < last ? `the ${drawn} most persistent of ${last} ${whole}` : about.title);
    const [p, high] = [view.about.thresholds[k], view.about.second.numbers[level]];
    this.places = [];
    this.inFrame(() => {
      ctx.fillStyle = view.wash;
      ctx.fillRect(this.atX(p), this.box[1], this.width, this.atY(high) - this.box[1]);
      ctx.lineWidth = 1;
      ctx.strokeStyle = view.faint;
      ctx.beginPath();
      ctx.moveTo(this.atX(0), this.atY(1));
      ctx.lineTo(this.atX(1), this.atY(0));
      ctx.stroke();
      for (let j = drawn - 1; j >= 0; j--) {
        const [u, v] = [ridges.persistence[j], ridges.value[j]];
        if (!inside(u, this.x) || !inside(v, this.y)) continue;
        const [x, y] = [this.atX(u), this.atY(v)];
        this.places.push([j, x, y]);
        const loop = ridges.dimension[j];
        const kept = ridges.isKept(j, level);
        const kind = loop ? (kept ? "up" : "up-open") : kept ? "dot" : "ring";
        sign(ctx, kind, x, y, 9, view.tint(about.colours[loop]), view.paper);
      }
      this.dashed([this.atX(p), this.box[1]], [this.atX(p), this.box[1] + this.box[3]]);
      this.dashed([this.box[0], this.atY(high)], [this.box[0] + this.box[2], this.atY(high)]);
      const j = view.shown - 1;
      if (j >= 0) {
        const [x, y] = [this.atX(ridges.persistence[j]), this.atY(ridges.value[j])];
        sign(ctx, "ring", x, y, 20, view.ink, view.paper);
      }
      this.drawBox();
    });
    this.tellMark();
  }
}

/** The likelihood along the branch that is shown, and the saddle level. */
class Profile extends Chart {
  get marks() {
    return false;
  }

  draw(k) {
    this.clear();
    const { view, ctx } = this;
    const { ridges, level, shown } = view;
    const branch = shown ? ridges.branch(shown - 1, k, level) : null;
    const away = branch ? this.lengths(branch.places) : [0];
    const longest = Math.max(away.at(-1), 1);
    const x = [-0.02 * longest, 1.02 * longest];
    this.axes([...x, "pixels from the first peak", ticks(0, longest)],
              [1.03, -0.03, "likelihood", ticks(0, 1)]);
    const whole = this.about.title.replace("the marked branch", `branch ${shown}`);
    say(this.title, shown ? whole : "no branch is marked: click one");
    set(this.canvas, "aria-label", shown ? `${whole}: ${view.nameOf(shown - 1)}` : "no branch");
    const high = view.about.second.numbers[level];
    this.inFrame(() => {
      const [left, , wide] = this.box;
      this.dashed([left, this.atY(high)], [left + wide, this.atY(high)]);
      if (!branch) return;
      const at = (i) => [this.atX(away[i]), this.atY(branch.heights[i])];
      ctx.beginPath();
      away.forEach((_, i) => ctx.lineTo(...at(i)));
      ctx.lineWidth = 2;
      ctx.strokeStyle = view.ink;
      ctx.stroke();
      for (const i of [0, away.length - 1])
        sign(ctx, "ring", ...at(i), 12, view.tint(this.about.ends), view.paper);
      sign(ctx, "square", ...at(branch.low), 12, view.ink, view.paper);
    });
  }

  /** Return how far each pixel of a path is from its first one. */
  lengths(places) {
    const { columns } = this.view.image;
    let sum = 0;
    return Array.from(places, (p, i) => {
      const q = i ? places[i - 1] : p;
      sum += Math.hypot((p % columns) - (q % columns),
                        Math.floor(p / columns) - Math.floor(q / columns));
      return sum;
    });
  }
}

const [FRONT, ABOVE] = [-32, 26]; // degrees: from where a volume is seen at first
const TURN = 10; // degrees that an arrow key turns it by
const LAYERS = 8; // of depth, in which lines are drawn alike
const radians = (degrees) => (degrees * Math.PI) / 180;

/** A skeleton in space, above its shadow, and the slice that is shown: a hand turns it.
 *
 * Columns run to the right, rows to the front and slices upwards; it is always seen from above. */
class Space extends Panel {
  constructor(view) {
    super(view);
    this.back();
    this.canvas.addEventListener("dblclick", () => this.back());
  }

  back() {
    [this.around, this.above] = [FRONT, ABOVE];
    this.view.soon();
  }

  use(about) {
    super.use(about);
    this.name("Skeleton in space, turned by arrow keys", true);
    set(this.canvas, "aria-valuemin", 0);
    set(this.canvas, "aria-valuemax", 359);
    const places = (where) => {
      const xyz = this.view.read(where);
      return Array.from({ length: xyz.length / 3 }, (_, k) => xyz.slice(3 * k, 3 * k + 3));
    };
    this.peaks = places(about.peaks);
    this.path = places(about.path);
    this.steps = []; // of the paths, from voxel to voxel
    for (let k = 1; k < this.path.length; k++) {
      const [a, b] = [this.path[k - 1], this.path[k]];
      if (!Number.isNaN(a[0]) && !Number.isNaN(b[0])) this.steps.push([a, b]);
    }
    const [depth, height, width] = about.shape;
    this.middle = [(width - 1) / 2, (height - 1) / 2, (depth - 1) / 2];
    this.far = Math.hypot(width, height, depth) / 2; // of the corners, from the middle
    this.held = null;
  }

  /** Return where on the canvas a place is, and how far behind the middle: from -1 to 1. */
  seen([x, y, z]) {
    const [right, back, up] = [x - this.middle[0], this.middle[1] - y, z - this.middle[2]];
    const { sine, cosine, lift, level } = this.turned;
    const away = back * cosine - right * sine;
    const deep = (away * level - up * lift) / this.far;
    const zoom = (0.46 * Math.min(this.width, this.height)) / this.far / (1 + 0.22 * deep);
    return [
      this.width / 2 + zoom * (right * cosine + back * sine),
      this.height / 2 - zoom * (up * level + away * lift),
      deep,
    ];
  }

  turn(around, above) {
    this.around = (this.around + around + 540) % 360 - 180;
    this.above = clamp(this.above + above, 0, 90);
    this.view.soon();
  }

  draw(k) {
    this.clear();
    const { ctx, view, about } = this;
    const [around, above] = [radians(this.around), radians(this.above)];
    this.turned = {
      sine: Math.sin(around), cosine: Math.cos(around), lift: Math.sin(above),
      level: Math.cos(above),
    };
    const z = about.positions[k];
    ctx.lineCap = "round";
    this.drawBox();
    const floor = (place) => [place[0], place[1], -0.5];
    this.strokes(this.steps.map((step) => step.map(floor)), view.faint, 1.5, 0.5);
    const inside = ([a, b]) => Math.max(a[2], b[2]) > z;
    this.strokes(this.steps.filter((step) => !inside(step)), view.tint(about.colours[0]), 3);
    this.drawSlice(z);
    this.strokes(this.steps.filter(inside), view.tint(about.colours[0]), 3);
    for (const peak of this.peaks) this.dot(peak, 5);
    for (const place of this.path) if (place[2] === z) this.dot(place, 6);
    const [born, died] = about.pair;
    if (born) sign(ctx, "diamond", ...this.seen(born).slice(0, 2), 15, about.colours[1], "#000");
    if (died) sign(ctx, "aim", ...this.seen(died).slice(0, 2), 15, about.colours[2], "#000");
    set(this.canvas, "aria-valuenow", Math.round(this.around + 360) % 360);
    set(this.canvas, "aria-valuetext",
      `turned by ${Math.round(this.around)} degrees, seen from ${Math.round(this.above)} above`);
  }

  dot(place, size) {
    const [x, y] = this.seen(place);
    sign(this.ctx, "dot", x, y, size, this.view.tint(this.about.colours[0]), this.view.paper);
  }

  /** Draw lines between pairs of places, the far ones first, and these thinner and fainter. */
  strokes(pairs, colour, width, strength = 1) {
    const { ctx } = this;
    const paths = Array.from({ length: LAYERS }, () => new Path2D()); // from far to near
    for (const [a, b] of pairs) {
      const [x, y, deep] = this.seen(a);
      const path = paths[clamp(Math.floor(((1 - deep) / 2) * LAYERS), 0, LAYERS - 1)];
      path.moveTo(x, y);
      path.lineTo(...this.seen(b).slice(0, 2));
    }
    ctx.strokeStyle = colour;
    paths.forEach((path, layer) => {
      const near = (layer + 0.5) / LAYERS;
      ctx.globalAlpha = strength * (0.5 + 0.5 * near);
      ctx.lineWidth = width * (0.6 + 0.8 * near);
      ctx.stroke(path);
    });
    ctx.globalAlpha = 1;
  }

  /** Lead a path around the slice at some height. */
  lead(z) {
    const [, height, width] = this.about.shape;
    const [right, front] = [width - 0.5, height - 0.5];
    const corners = [[-0.5, -0.5, z], [right, -0.5, z], [right, front, z], [-0.5, front, z]];
    this.ctx.beginPath();
    for (const corner of corners) this.ctx.lineTo(...this.seen(corner).slice(0, 2));
    this.ctx.closePath();
    return corners;
  }

  drawSlice(z) {
    const { ctx, view } = this;
    this.lead(z);
    ctx.fillStyle = view.wash;
    ctx.fill();
    ctx.lineWidth = 2;
    ctx.strokeStyle = view.accent;
    ctx.stroke();
  }

  /** Draw the edges of the volume, and name its axes at the edges in front. */
  drawBox() {
    const { ctx, view } = this;
    const [depth, height, width] = this.about.shape;
    const top = depth - 0.5;
    ctx.lineWidth = 1;
    ctx.strokeStyle = view.faint;
    const corners = this.lead(-0.5);
    ctx.stroke();
    this.lead(top);
    ctx.stroke();
    for (const [x, y] of corners) {
      ctx.beginPath();
      ctx.moveTo(...this.seen([x, y, -0.5]).slice(0, 2));
      ctx.lineTo(...this.seen([x, y, top]).slice(0, 2));
      ctx.stroke();
    }
    const { sine, cosine } = this.turned;
    const row = cosine > 0 ? height + 2 : -3; // the edge of the floor that is nearer
    const column = sine > 0 ? width + 2 : -3;
    const side = sine > 0 ? -1 : 1; // where the slices are counted: at the left or right end
    ctx.fillStyle = view.ink;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const [x, y] = [(width - 1) / 2, (height - 1) / 2];
    ctx.fillText("column", ...this.seen([x, row, -0.5]).slice(0, 2));
    ctx.fillText("row", ...this.seen([column, y, -0.5]).slice(0, 2));
    const [u, v] = this.seen([side > 0 ? width + 1 : -2, cosine > 0 ? height : -1, top / 2]);
    ctx.fillText("slice", u, v);
  }

  /** Return the voxel of the skeleton that is nearest to a place on the canvas, or null. */
  found(x, y) {
    const places = [...this.path, ...this.peaks].filter((place) => !Number.isNaN(place[0]));
    return nearest(places.map((place) => [place, ...this.seen(place)]), x, y, REACH);
  }

  pressed(x, y, event) {
    if (event.button) return;
    this.held = { x, y, moved: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  pointed(x, y) {
    const { held } = this;
    if (held) {
      held.moved ||= Math.hypot(x - held.x, y - held.y) > 5;
      if (!held.moved) return;
      this.turn(0.5 * (held.x - x), 0.5 * (y - held.y));
      [held.x, held.y] = [x, y];
      return;
    }
    const voxel = this.found(x, y);
    this.canvas.style.cursor = voxel ? "pointer" : "grab";
    this.say(voxel ? `slice ${voxel[2]}, row ${voxel[1]}, column ${voxel[0]}` : "");
  }

  released(x, y, event) {
    const { held } = this;
    this.held = null;
    if (!held || held.moved || event.type === "pointercancel") return; // as a finger that scrolls
    const voxel = this.found(x, y);
    if (!voxel) return;
    const away = this.about.positions.map((z) => Math.abs(z - voxel[2]));
    this.view.go(away.indexOf(Math.min(...away)));
  }

  left() {
    this.say("");
  }

  key(event) {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    this.turn(TURN * step[1], -TURN * step[0]);
  }
}

const PANELS = {
  passes: Passes, profile: Profile, image: ImagePanel, diagram: Diagram, bars: Bars, curve: Curve,
  cells: Cells, paint: Paint, forest: Forest, pairs: Pairs, weights: Weights, space: Space,
};

/** Births and deaths of the features of a frame, with their pixels. */
function featuresOf(about, read) {
  const names = ["dimension", "birth", "death", "birthAt", "deathAt", "born", "died", "living"];
  const [starts, ...columns] = [about.starts, ...names.map((name) => about[name])].map(read);
  const made = Object.fromEntries(names.map((name, k) => [name, columns[k]]));
  const range = (k) => (starts ? [starts[k], starts[k + 1]] : [0, made.birth.length]);
  return {
    ...made,
    colours: about.colours,
    range,
    count: (k) => range(k)[1] - range(k)[0],
    alive: (i, k) => (made.living ? made.living[i] > 0 : made.born[i] > k && made.died[i] <= k),
    colourOf: (i) => about.colours.kinds[made.dimension[i]],
  };
}

/** The skeletons of an image at all places of two sliders, and the branches that make them.
 *
 * `k` is the place of the threshold of persistence, `m` that of the saddle level. What is done here
 * with whole numbers is what toposeg_lite.topology.morse does with thresholds, where it is told:
 * `cut` follows `_cut`, `uphill` follows `_measure`. */
class Ridges {
  constructor(about, read) {
    for (const [name, place] of Object.entries(about)) this[name] = read(place);
    this.made = new Map(); // the latest answer of each kind
  }

  /** Return an answer that is made anew only when it is another one. */
  kept(what, key, make) {
    const old = this.made.get(what);
    if (old?.key === key) return old.value;
    const value = make();
    this.made.set(what, { key, value });
    return value;
  }

  /** How many branches are more persistent than the threshold: these come first. */
  count(k) {
    let n = 0;
    while (n < this.lives.length && k < this.lives[n]) n += 1;
    return n;
  }

  isKept(j, m) {
    return m < this.stands[j];
  }

  /** Return what the thresholds leave: 1 for the positions in the tree; and in how many parts. */
  cut(k, m) {
    const { parent, reaches, peak, lower, upper, lives, stands } = this;
    const n = parent.length;
    const [ends, reasons, children] = [0, 1, 2].map(() => new Int32Array(n));
    ends[0] = reasons[0] = m < reaches[0] ? 1 : 0;
    for (let e = 0; e < peak.length; e++) {
      const [survives, joined] = [k < lives[e], m < stands[e]];
      if (peak[e] < 0) {
        if (!survives || !joined) continue;
        for (const p of [lower[e], upper[e]]) ends[p] += 1, reasons[p] += 1;
      } else if (m < reaches[peak[e]] && (survives || !joined)) {
        ends[peak[e]] += 1;
        reasons[peak[e]] += survives ? 1 : 0;
      }
    }
    const isEnd = Uint8Array.from(ends, (number) => (number ? 1 : 0));
    for (let i = n - 1; i > 0; i--) { // children come after their parents
      const j = parent[i];
      if (!ends[i] || m >= reaches[j]) continue;
      ends[j] += ends[i];
      reasons[j] += reasons[i];
      children[j] += 1;
    }
    const [allEnds, allReasons, left] = [ends.slice(), reasons.slice(), new Uint8Array(n)];
    let parts = 0;
    for (let i = 0; i < n; i++) {
      const j = parent[i];
      if (i && m < reaches[j]) [allEnds[i], allReasons[i]] = [allEnds[j], allReasons[j]];
      const between = allEnds[i] > ends[i] || isEnd[i] || children[i] > 1;
      if (!ends[i] || !allReasons[i] || !between) continue;
      left[i] = 1;
      if (!i || !left[j]) parts += 1;
    }
    return { left, parts };
  }

  /** Fill in what of the skeleton is cut, 1, and what is kept, 2. */
  paint(out, k, m) {
    const { pixel } = this;
    const whole = this.kept("whole", k, () => this.cut(k, 0)).left;
    const { left } = this.skeleton(k, m);
    for (let i = 0; i < pixel.length; i++) if (whole[i] && !left[i]) out[pixel[i]] = 1;
    for (let i = 0; i < pixel.length; i++) if (left[i]) out[pixel[i]] = 2;
    return out;
  }

  skeleton(k, m) {
    return this.kept("skeleton", `${k},${m}`, () => this.cut(k, m));
  }

  /** Return how many branches are kept, and in how many parts. */
  counts(k, m) {
    let kept = 0;
    for (let j = this.count(k) - 1; j >= 0; j--) kept += this.isKept(j, m) ? 1 : 0;
    return [kept, this.skeleton(k, m).parts];
  }

  /** Return for each position the next one on the way to a peak that survives. */
  uphill(k, m) {
    const { parent, join, reaches, peak, lives, stands } = this;
    const up = new Int32Array(parent.length);
    for (let i = 1; i < parent.length; i++) {
      const cut = k < join[i] || m >= reaches[i] || m >= reaches[parent[i]];
      up[i] = cut ? i : parent[i];
    }
    for (let e = 0; e < peak.length; e++) {
      if (peak[e] < 0 || (k >= lives[e] && m < stands[e])) continue;
      let [p, target] = [peak[e], peak[e]]; // hang the part from its highest peak
      for (;;) {
        const onward = up[p];
        up[p] = target;
        if (onward === p) break;
        [target, p] = [p, onward];
      }
    }
    return up;
  }

  /** Return the positions of a branch from peak to peak, and where among them its pass is. */
  path(j, k, m) {
    const level = this.isKept(j, m) ? m : 0; // one that is cut is shown as it was before
    const up = this.kept(level ? "up" : "up whole", `${k},${level}`, () => this.uphill(k, level));
    const ways = [this.lower[j], this.upper[j]].map((p) => {
      const way = [p];
      while (up[p] !== p) way.push((p = up[p]));
      return way;
    });
    return { way: [...ways[0].reverse(), ...ways[1]], low: ways[0].length - 1 };
  }

  branch(j, k, m) {
    const { way, low } = this.path(j, k, m);
    return {
      places: way.map((i) => this.pixel[i]), heights: way.map((i) => this.height[i]), low,
      cut: !this.isKept(j, m),
    };
  }

  /** Return for each pixel the number of the shortest branch there, kept before cut, or 0. */
  numbers(k, m) {
    return this.kept("numbers", `${k},${m}`, () => {
      const ways = Array.from({ length: this.count(k) }, (_, j) => this.path(j, k, m).way);
      const order = [...ways.keys()].sort(
        (a, b) => this.isKept(a, m) - this.isKept(b, m) || ways[b].length - ways[a].length,
      );
      const found = new Uint32Array(this.size);
      for (const j of order) for (const i of ways[j]) found[this.pixel[i]] = j + 1;
      return found;
    });
  }
}

// --- The whole ----------------------------------------------------------------------------------

/** Whether the first names of two lists are the same. */
const isLike = (names, others, first) =>
  others.slice(0, first).every((name, k) => name === names[k]);

const differing = (mask, before) => mask.reduce((sum, value, p) => sum + (value !== before[p]), 0);

/** Return what painting has done to the numbers of components and of holes. */
function changesOf(mask, before, width, connectivity) {
  const [now, then] = [mask, before].map((each) => partsOf(each, width, connectivity).betti);
  return now.map((number, k) => number - then[k]);
}

/** Count the components and holes of two masks that have no partner in the other one.
 *
 * Both get a frame of foreground. Of the components that hang together in the union one pair are
 * partners; holes are if the last pixel that both leave free is the same one. The same as
 * `betti_matching_error` of toposeg_lite.metrics. */
export function matchingError(mask, truth, width, connectivity) {
  const [w, h] = [width + 2, mask.length / width + 2];
  const framed = [mask, truth].map((each) => {
    const whole = new Uint8Array(w * h).fill(1);
    for (let y = 0; y < h - 2; y++)
      whole.set(each.subarray(y * width, (y + 1) * width), (y + 1) * w + 1);
    return whole;
  });
  const both = Uint8Array.from(framed[0], (value, p) => value | framed[1][p]);
  const union = partsOf(both, w, connectivity).numbers;
  const homes = framed.map(() => [new Map(), new Map()]); // of components, and of holes
  let error = 0;
  framed.forEach((each, k) => {
    const { numbers, betti } = partsOf(each, w, connectivity);
    error += betti[0] + betti[1];
    numbers.forEach((number, p) => {
      if (number > 0) homes[k][0].set(number, union[p]);
      if (number < 0 && !both[p]) homes[k][1].set(number, p); // the last one stays
    });
  });
  for (const kind of [0, 1]) {
    const [ours, theirs] = homes.map((each) => new Set(each[kind].values()));
    for (const home of ours) if (theirs.has(home)) error -= 2;
  }
  return error;
}

/** When challenges are met: `view` is as the hand has left it, `before` the mask before that. */
const MET = {
  weakest({ ridges, index, marked }) {
    const first = Math.min(10, ridges.count(index));
    const lowest = Math.min(...ridges.value.subarray(0, first));
    return marked > 0 && marked <= first && ridges.value[marked - 1] === lowest;
  },
  simplify({ counts: [kept, parts] }) {
    return kept >= 5 && kept <= 20 && parts === 1;
  },
  mend({ painted, panels: [{ truth, columns }], about }) {
    return matchingError(painted, truth, columns, about.connectivity) === 0;
  },
  unlike({ painted, panels: [{ truth, columns }], about }) {
    const { connectivity } = about;
    const counts = changesOf(painted, truth, columns, connectivity).every((change) => !change);
    return counts && matchingError(painted, truth, columns, connectivity) === 4;
  },
  both({ painted, panels: [{ columns }], about }, before) {
    if (differing(painted, before) !== 1) return false;
    return changesOf(painted, before, columns, about.connectivity).every((change) => change);
  },
  corners({ painted, panels: [{ columns }] }, before) {
    if (differing(painted, before) !== 1) return false;
    const [four, eight] = [1, 2].map((each) => changesOf(painted, before, columns, each));
    return four.join() !== eight.join();
  },
};

class Frames {
  constructor(model, el, alone = false) {
    this.model = model;
    this.alone = alone; // without a kernel
    this.challenges = [];
    this.el = el;
    this.told = {};
    this.pointing = 0; // what is pointed at, from 1
    this.seed = null; // the one that is pointed at
    this.before = "";
    this.moving = null; // the motion that is played
    this.busy = false; // whether the page says that something is being computed
    this.id = `toposeg-${Math.random().toString(36).slice(2)}`;
    this.buildFrame();
    this.hear();
    this.take();
  }

  // --- What stands on the page ------------------------------------------------------------------

  buildFrame() {
    this.slider = make("input", {
      type: "range", id: this.id, min: 0, step: 1,
      oninput: () => this.go(Number(this.slider.value)),
    });
    this.label = make("label", { for: this.id });
    this.value = make("span.toposeg-value", { "aria-hidden": "true" });
    this.play = make("button", { type: "button", onclick: () => this.toggle() });
    this.marker = make("input", {
      type: "range", id: `${this.id}-mark`, min: 0, step: 1,
      oninput: () => this.mark(Number(this.marker.value)),
    });
    this.markLabel = make("label", { for: `${this.id}-mark` });
    this.markValue = make("span.toposeg-value", { "aria-hidden": "true" });
    this.main = make("div.toposeg-row", {}, this.label, this.slider, this.value, this.play);
    this.second = make("div.toposeg-row", {}, this.markLabel, this.marker, this.markValue);
    this.leveller = make("input", {
      type: "range", id: `${this.id}-level`, min: 0, step: 1,
      oninput: () => this.goLevel(Number(this.leveller.value)),
    });
    this.levelLabel = make("label", { for: `${this.id}-level` });
    this.levelValue = make("span.toposeg-value", { "aria-hidden": "true" });
    this.chooser = make("select", {
      id: `${this.id}-challenge`, onchange: () => this.pose(Number(this.chooser.value)),
    });
    this.chooserLabel = make("label", { for: `${this.id}-challenge` }, "Challenge");
    this.fourth = make("div.toposeg-row", {}, this.chooserLabel, this.chooser);
    this.third = make("div.toposeg-row", {}, this.levelLabel, this.leveller, this.levelValue);
    this.standing = make("p.toposeg-story.toposeg-standing", { "aria-live": "polite" });
    this.sentence = make("p.toposeg-brief", { role: "status", "aria-live": "polite" });
    this.story = make("p.toposeg-story", { "aria-live": "polite" });
    this.tiles = make("div.toposeg-tiles", { "aria-hidden": "true" });
    const words = make("div", {}, this.sentence, this.standing, this.story);
    this.head = make("div.toposeg-head", {}, words, this.tiles);
    this.grid = make("div.toposeg-grid");
    this.legend = make("ul.toposeg-legend", { "aria-label": "Signs" });
    this.shelf = make("div.toposeg-shelf", { hidden: "" });
    this.root = make(
      "div.toposeg-frames", { "data-lm-suppress-shortcuts": "true" },
      this.shelf, this.main, this.third, this.second, this.fourth, this.head, this.grid,
      this.legend,
    );
    this.root.classList.toggle("toposeg-alone", this.alone);
    this.el.append(this.root);
  }

  hear() {
    this.ears = {
      "change:about": () => this.soonTake(),
      "change:data": () => this.soonTake(),
      "change:index": () => this.follow("index", (k) => this.stand(k)),
      "change:level": () => this.follow("level", (m) => (this.level = m)),
      "change:marked": () => this.follow("marked", (j) => (this.marked = j)),
      "change:pixel": () => this.follow("pixel", (p) => (this.pixel = p)),
      "change:busy": () => this.wait(),
      "change:story": () => say(this.story, this.model.get("story") ?? ""),
    };
    for (const [name, ear] of Object.entries(this.ears)) this.model.on(name, ear);
    this.sizes = new ResizeObserver(() => this.soon(true));
    this.sizes.observe(this.root);
    this.themes = new MutationObserver(() => this.soon(true));
    this.themes.observe(document.body, { attributes: true });
    this.themes.observe(document.documentElement, { attributes: true });
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.onDark = () => this.soon(true);
    this.dark.addEventListener("change", this.onDark);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  end() {
    for (const [name, ear] of Object.entries(this.ears)) this.model.off(name, ear);
    this.stop();
    clearTimeout(this.resting);
    clearTimeout(this.waiting);
    cancelAnimationFrame(this.asked);
    this.sizes.disconnect();
    this.themes.disconnect();
    this.dark.removeEventListener("change", this.onDark);
    this.root.remove();
  }

  /** Say that something is being computed, unless it takes but a moment. */
  wait() {
    clearTimeout(this.waiting);
    this.busy = false;
    if (this.model.get("busy")) this.waiting = setTimeout(() => this.say(), PATIENCE);
    this.soon();
  }

  say() {
    this.busy = true;
    this.soon();
  }

  /** Take what belongs together once all of it has come. */
  soonTake() {
    if (this.taking) return;
    this.taking = true;
    queueMicrotask(() => {
      this.taking = false;
      this.take();
    });
  }

  /** Show the bundle that the model holds now. */
  take() {
    this.stop();
    const before = this.about;
    const about = (this.about = this.model.get("about"));
    if (!about?.panels) return;
    this.read = reader(this.model.get("data"));
    this.features = about.features && featuresOf(about.features, this.read);
    this.ridges = about.ridges && new Ridges(about.ridges, this.read);
    const kept = before ? this.untold(before, about) : [];
    for (const name of PLACES) {
      this.told[name] = this.model.get(name);
      if (!kept.includes(name)) this[name] = this.told[name];
    }
    this.index = clamp(this.index, 0, about.frames - 1);
    this.level ??= 0;
    this.pointing = 0;
    this.seed = null;
    clearTimeout(this.resting);
    if (kept.length) this.rest();
    const panels = about.panels.filter((panel) => this.alone || !panel.alone);
    const kinds = panels.map((panel) => panel.kind).join();
    if (kinds !== this.kinds) {
      this.kinds = kinds;
      this.panels = panels.map((panel) => new PANELS[panel.kind](this));
      this.grid.replaceChildren(...this.panels.map((panel) => panel.element));
      this.root.style.setProperty("--panels", this.panels.length);
    }
    this.panels.forEach((panel, k) => panel.use(panels[k]));
    this.image = this.panels.find((panel) => panel.layers?.some((layer) => layer.mask));
    if (this.ridges) this.ridges.size = this.image.count;
    this.offer(about);
    say(this.label, about.label);
    this.slider.max = about.frames - 1;
    this.third.hidden = !about.second;
    say(this.levelLabel, about.second?.label ?? "");
    this.leveller.max = (about.second?.values.length ?? 1) - 1;
    this.markable = Boolean(about.marking);
    this.second.hidden = !this.markable;
    say(this.markLabel, about.marking?.label ?? "");
    this.main.hidden = about.frames === 1;
    this.play.hidden = !about.play;
    say(this.story, this.model.get("story") ?? "");
    this.head.classList.toggle("toposeg-told", about.play?.kind === "meeting");
    this.legend.replaceChildren(
      ...about.legend.map(([glyph, colour, text]) => {
        const charted = about.features || /pairs|passes/.test(kinds); // in colours of the theme
        const tinted = "A1".includes(glyph) || (charted && "●○▲△".includes(glyph));
        const name = tinted ? "span.toposeg-tinted" : "span";
        const style = `--sign: ${colour}`;
        return make("li", {}, make(name, { style, "aria-hidden": "true" }, glyph), text);
      }),
    );
    this.tiles.replaceChildren(
      ...about.numbers.map(() => make("div", {}, make("b"), make("span"))),
    );
    this.showPlay();
    this.soon(true);
  }

  /** Return which sliders the hand has moved, untold yet, while a film like the one before came.
   *
   * The model knows nothing of it; where it has moved by itself, its place counts. */
  untold(before, about) {
    if (before.label !== about.label || before.frames !== about.frames) return [];
    const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
    return ["index", "level"].filter(
      (name) =>
        !same(this[name], this.told[name]) && same(this.model.get(name), this.told[name]),
    );
  }

  // --- Other films ------------------------------------------------------------------------------

  /** Offer films to choose from, with a list for each of the names that every film has. */
  offerFilms({ labels, names, films }) {
    this.films = films;
    this.lists = labels.map((label, k) => {
      const id = `${this.id}-list-${k}`;
      const list = make("select", { id, onchange: () => this.chooseFilm(k) });
      this.shelf.append(make("span", {}, make("label", { for: id }, label), list));
      return list;
    });
    this.shelf.hidden = false;
    this.fillLists(names);
  }

  /** Offer in each list what there is of it with what is chosen in those before it. */
  fillLists(names) {
    this.lists.forEach((list, k) => {
      const here = this.films.filter((film) => isLike(film.names, names, k));
      const offered = [...new Set(here.map((film) => film.names[k]))];
      list.replaceChildren(...offered.map((name) => make("option", {}, name)));
      list.value = names[k];
    });
  }

  /** Show the film that has what is chosen in a list and before it, and most of the others. */
  chooseFilm(k) {
    const wanted = this.lists.map((list) => list.value);
    const alike = (film) => wanted.filter((name, n) => name === film.names[n]).length;
    const film = this.films
      .filter(({ names }) => isLike(names, wanted, k + 1))
      .reduce((best, each) => (alike(each) > alike(best) ? each : best));
    const here = this.about.values[this.index];
    this.fillLists(film.names);
    this.model.set("about", film.about);
    this.model.set("data", new DataView(bytesOf(film.data).buffer));
    this.model.set("index", Math.max(film.about.values.indexOf(here), 0));
    this.model.set("marked", k === 0 ? 0 : this.marked); // of another run there are other images
  }

  // --- Moves ------------------------------------------------------------------------------------

  /** Follow the model, unless it repeats what it was told: the hand may be elsewhere by now. */
  follow(name, act) {
    const value = this.model.get(name);
    if (this.taking || JSON.stringify(value) === JSON.stringify(this.told[name])) return;
    this.told[name] = value;
    this.stop();
    act(value);
    this.soon();
  }

  /** Go to a frame, as a hand wants it. */
  go(k) {
    this.stop();
    this.stand(k);
    this.rest();
  }

  /** Go to a place of the second slider, as a hand wants it. */
  goLevel(m) {
    this.stop();
    this.level = m;
    this.soon();
    this.rest();
  }

  stand(k) {
    this.index = clamp(k, 0, this.about.frames - 1);
    this.soon();
  }

  mark(j) {
    this.stop();
    this.marked = j;
    this.soon();
    this.rest();
  }

  /** Light what the pointer stands on, for as long as it does. */
  point(j) {
    if ((this.moving && !this.moving.done) || j === this.pointing) return;
    this.pointing = j;
    this.soon();
  }

  /** Show the seed that the pointer stands on in all charts. */
  pointSeed(seed) {
    if (seed === this.seed) return;
    this.seed = seed;
    this.soon();
  }

  choose(row, column) {
    this.pixel = [row, column];
    this.soon();
    this.rest();
  }

  /** Tell the model once the picture is there and the hand rests. */
  rest() {
    set(this.sentence, "aria-busy", "true"); // a screen reader waits for the end of a move
    clearTimeout(this.resting);
    this.restless = true;
    this.soon();
  }

  tell() {
    clearTimeout(this.resting);
    set(this.sentence, "aria-busy", "false");
    let changed = false;
    for (const name of PLACES) {
      if (JSON.stringify(this[name]) === JSON.stringify(this.told[name])) continue;
      this.told[name] = this[name];
      this.model.set(name, this[name]);
      changed = true;
    }
    if (changed) this.model.save_changes();
    if (changed) this.judge();
  }

  /** Tell the model at once what is painted, and the number of the stroke. */
  tellPainted(before) {
    this.stroke += 1;
    this.model.set("painted", [...this.painted.keys()].filter((p) => this.painted[p]));
    this.model.set("stroke", this.stroke);
    this.tell();
    this.model.save_changes();
    this.judge(before);
  }

  // --- What follows from them -------------------------------------------------------------------

  /** The number of the last thing that can be marked in this frame. */
  get last() {
    const { features, ridges, index } = this;
    return (features ?? ridges)?.count(index) ?? this.names.length;
  }

  /** What can be marked is called so in this frame, where it is no feature. */
  get names() {
    const { marking } = this.about;
    return marking?.states?.[this.index] ?? marking?.names ?? [];
  }

  /** What is lit: what is pointed at, else what is marked; from 1, 0 for nothing. */
  get shown() {
    const { last, ridges } = this;
    if (ridges && this.pointing > last) return 0; // which is simplified away
    if (ridges && !this.pointing && this.marked > last) return 0;
    return Math.min(this.pointing || this.marked, last);
  }

  /** What the page counts by itself: two numbers. */
  get counts() {
    return this.ridges ? this.ridges.counts(this.index, this.level) : this.betti;
  }

  /** Name a feature or a branch, counted from 0. */
  nameOf(j) {
    const { features, ridges } = this;
    if (ridges)
      return (
        `branch ${j + 1}, persistence ${ridges.persistence[j].toFixed(2)}, ` +
        `pass ${ridges.value[j].toFixed(2)}, ${ridges.isKept(j, this.level) ? "kept" : "cut"}`
      );
    if (!features) return this.names[j];
    const i = features.range(this.index)[0] + j;
    const kind = this.about.features.kinds[features.dimension[i]];
    const dies =
      features.deathAt[i] < 0 ? "never dies" : `dies at ${features.death[i].toFixed(2)}`;
    return `${kind} ${j + 1}, born at ${features.birth[i].toFixed(2)}, ${dies}`;
  }

  /** Return the feature, from 0, that is alive in this frame where a pixel is, or -1. */
  featureAt(p) {
    const { features, index } = this;
    const mask = this.image.mask(index);
    const corners = mask[p] ? this.about.connectivity === 2 : this.about.connectivity === 1;
    const region = flood(mask, this.image.columns, p, corners);
    const [from, to] = features.range(index);
    const at = mask[p] ? features.birthAt : features.deathAt;
    for (let i = from; i < to; i++)
      if (features.dimension[i] === 1 - mask[p] && features.alive(i, index) && region[at[i]])
        return i - from;
    return -1;
  }

  /** Return the region of a feature, by its place in the arrays, in a frame where it is alive. */
  regionOf(i, k) {
    const { features, image } = this;
    const hole = features.dimension[i];
    const start = hole ? features.deathAt[i] : features.birthAt[i];
    const corners = hole ? this.about.connectivity === 1 : this.about.connectivity === 2;
    return flood(image.mask(k), image.columns, start, corners);
  }

  /** Find what to light in a frame: regions with their colours, and two pixels. */
  light(k) {
    const { features } = this;
    if (!features || !this.shown) return null;
    const i = features.range(k)[0] + this.shown - 1;
    const regions = [];
    if (features.alive(i, k)) regions.push([this.regionOf(i, k), features.colourOf(i)]);
    const { elder, meeting } = this.moving ?? {};
    if (elder >= 0 && features.alive(elder, k) && k > meeting)
      regions.unshift([this.regionOf(elder, k), features.colours.elder]);
    const [birth, death] = [features.birthAt[i], features.deathAt[i]];
    return { regions, birth, death, meeting: Boolean(this.moving) && k === meeting };
  }

  /** Return the nine cells around the chosen pixel, and which of them lie inside. */
  cellsAround() {
    const { rows, columns } = this.image;
    const mask = this.image.mask(this.index);
    const [cells, within] = [[], []];
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++) {
        const [row, column] = [this.pixel[0] + dy, this.pixel[1] + dx];
        const has = row >= 0 && column >= 0 && row < rows && column < columns;
        within.push(has);
        cells.push(has ? mask[row * columns + column] : 0);
      }
    return [cells, within];
  }

  answer() {
    return verdict(this.cellsAround()[0], this.about.connectivity);
  }

  said() {
    const { about, index } = this;
    if (about.tail === "paint") return this.saidOfPaint();
    if (about.tail === "ridges") return this.saidOfRidges();
    let text = about.sentences[index];
    const marked = Math.min(this.marked, this.last);
    if (about.tail === "mark" && marked) {
      const i = this.features.range(index)[0] + marked - 1;
      const kind = about.features.kinds[this.features.dimension[i]];
      const length = this.features.birth[i] - this.features.death[i];
      text += `; marked: ${kind} ${marked}, persistence ${length.toFixed(2)}`;
    }
    if (about.tail === "pixel") {
      const answer = this.answer().split(":")[0].toLowerCase();
      text += `; row ${this.pixel[0]}, column ${this.pixel[1]} is ${answer}`;
    }
    return `${text}.`;
  }

  saidOfRidges() {
    const [kept, parts] = this.counts;
    const { last, marked } = this;
    const whole = `${last} ${last === 1 ? "branch" : "branches"}`;
    const said = `${kept} of ${whole} kept, in ${count(parts, "part")}`;
    if (!marked || marked > last) return `${said}.`;
    return `${said}; branch ${marked} is ${this.ridges.isKept(marked - 1, this.level) ? "kept" : "cut"}.`;
  }

  saidOfPaint() {
    const [components, holes] = this.betti;
    return (
      `Painted: ${count(components, "component")} and ${count(holes, "hole")}; ` +
      `${count(this.wrong, "pixel")} differ${this.wrong === 1 ? "s" : ""} from the truth.`
    );
  }

  // --- Drawing ----------------------------------------------------------------------------------

  /** Draw in the next frame of the screen. */
  soon(anew = false) {
    this.anew ||= anew;
    this.asked ??= requestAnimationFrame(() => this.draw());
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    this.ink = style.getPropertyValue("--ink").trim();
    this.paper = style.getPropertyValue("--paper").trim();
    this.faint = style.getPropertyValue("--faint").trim();
    this.wash = style.getPropertyValue("--wash").trim();
    this.accent = style.getPropertyValue("--mark").trim();
    this.lighten = style.getPropertyValue("--lighten").trim() === "1";
  }

  /** Make a colour strong enough for a dark page. */
  tint(colour) {
    if (!this.lighten) return colour;
    return `rgb(${rgb(colour).map((c) => Math.round(c + 0.4 * (255 - c))).join()})`;
  }

  layOut() {
    const room = this.grid.clientWidth;
    if (!room) return false;
    for (const { element } of this.panels) element.style.gridColumn = ""; // as the room was before
    const style = getComputedStyle(this.grid);
    const columns = style.gridTemplateColumns.split(" ").map(parseFloat).filter(Boolean);
    // A chart that is alone in the last of several rows takes all of it.
    const lone = columns.length > 1 && this.panels.length % columns.length === 1;
    this.panels.forEach((panel, k) => {
      panel.lone = lone && k === this.panels.length - 1 && panel.stretches;
      if (panel.lone) panel.element.style.gridColumn = "1 / -1";
      panel.fit(Math.floor(panel.lone ? room : columns[0]), devicePixelRatio || 1);
    });
    return true;
  }

  draw() {
    this.asked = undefined;
    if (!this.about?.panels) return;
    if (this.restless) this.resting = setTimeout(() => this.tell(), REST);
    this.restless = false;
    this.showWords();
    if (this.anew) {
      this.readTheme();
      if (!this.layOut()) return; // out of sight; its size will be told
      this.anew = false;
    }
    const { index } = this;
    this.lit = this.light(index);
    for (const panel of this.panels) panel.draw(index);
    this.root.dataset.frame = index;
  }

  showWords() {
    const { about, index, slider, marker } = this;
    const { busy } = this;
    this.root.classList.toggle("toposeg-busy", busy);
    if (Number(slider.value) !== index) slider.value = index;
    set(slider, "aria-valuetext", about.values[index]);
    say(this.value, about.values[index]);
    if (about.second) {
      const { leveller, level } = this;
      if (Number(leveller.value) !== level) leveller.value = level;
      set(leveller, "aria-valuetext", about.second.values[level]);
      say(this.levelValue, about.second.values[level]);
    }
    if (this.markable) {
      if (Number(marker.max) !== this.last) marker.max = this.last;
      const marked = this.ridges && this.marked > this.last ? 0 : Math.min(this.marked, this.last);
      if (Number(marker.value) !== marked) marker.value = marked;
      const name = marked ? this.nameOf(marked - 1) : "none";
      set(marker, "aria-valuetext", name);
      say(this.markValue, name);
    }
    const text = busy ? "Computing …" : this.said();
    if (text !== this.before) write(this.sentence, text, busy ? "" : this.before);
    this.before = text;
    about.numbers.forEach(({ name, one, values }, k) => {
      const [number, unit] = this.tiles.children[k].children;
      const value = values ? values[index] : String(this.counts[k]);
      say(number, value);
      say(unit, one && value === "1" ? one : name);
    });
  }

  // --- Challenges -------------------------------------------------------------------------------

  /** Offer the challenges that the page judges here; the one that is posed stays. */
  offer(about) {
    const here = about.challenges.filter((each) => this.alone || !each.alone);
    this.fourth.hidden = !here.length;
    const names = ["none", ...here.map((each) => each.name)];
    if (names.join() === this.offered) return;
    this.offered = names.join();
    this.challenges = here;
    this.chooser.replaceChildren(...names.map((name, k) => make("option", { value: k }, name)));
    this.pose(0);
  }

  /** Pose a challenge, from 1, or none. */
  pose(k) {
    this.challenge = this.challenges[k - 1] ?? null;
    this.chooser.value = k;
    [this.tries, this.solved] = [0, false];
    this.sayStanding();
  }

  /** Count what the hand has done as a try, and see whether the challenge is met. */
  judge(before) {
    const { challenge } = this;
    if (!challenge || this.solved || Boolean(before) !== Boolean(this.painted)) return;
    this.tries += 1;
    this.solved = MET[challenge.kind](this, before);
    this.sayStanding();
  }

  sayStanding() {
    const { challenge, tries } = this;
    const tried = `${tries} ${tries === 1 ? "try" : "tries"}`;
    let words = "";
    if (challenge && this.solved) words = `Solved with ${tried}! ${challenge.why}`;
    else if (challenge)
      words = `${challenge.question} ${tries ? `${tried} so far: not yet.` : "Try it."}`;
    say(this.standing, words);
  }

  // --- Motion -----------------------------------------------------------------------------------

  showPlay() {
    const words = this.moving && !this.moving.done ? "Stop" : this.about.play?.label;
    say(this.play, words ?? "");
  }

  toggle() {
    if (this.moving && !this.moving.done) return this.halt();
    this.stop();
    if (this.about.play.kind === "meeting") this.meet();
    else this.run();
  }

  halt() {
    this.stop();
    this.rest();
  }

  stop() {
    if (!this.moving) return;
    clearTimeout(this.moving.timer);
    this.moving = null;
    this.showPlay();
    this.soon();
  }

  /** Show frame after frame, from the first if the last is shown. */
  run() {
    const last = this.about.frames - 1;
    if (this.index >= last) this.stand(0);
    const step = () => {
      if (this.index >= last) return this.halt();
      this.stand(this.index + (this.about.play.stride ?? 1));
      this.moving.timer = setTimeout(step, this.about.play.interval);
    };
    this.moving = { timer: setTimeout(step, this.about.play.interval) };
    say(this.story, "");
    this.showPlay();
  }

  /** Let the threshold fall from the birth of the marked feature to its death; say what happened.
   *
   * Of a component two fronts grow, its own and that of the elder one, until they meet. */
  meet() {
    const { features } = this;
    const [from, to] = features.range(this.index);
    if (!this.marked || features.deathAt[from + this.marked - 1] < 0)
      this.marked = this.firstMortal(from, to);
    if (!this.marked) return;
    const i = from + this.marked - 1;
    const meeting = features.died[i] - 1; // the first frame of the fall in which it is dead
    const elder = features.dimension[i] ? -1 : this.elderOf(i, meeting, from, to);
    const first = Math.max(features.born[i], elder >= 0 ? features.born[elder] : 0);
    const start = clamp(Math.min(first + 2, features.born[i] + 12), 0, this.about.frames - 1);
    const end = Math.max(meeting - 3, 0);
    this.pointing = 0;
    this.moving = { elder, meeting };
    say(this.story, "");
    this.showPlay();
    const finish = () => {
      this.moving.done = true;
      this.showPlay();
      say(this.story, this.tellStory(i, elder));
      this.rest();
    };
    if (this.still.matches) {
      this.stand(Math.min(meeting + 1, this.about.frames - 1)); // both fronts, just before
      return finish();
    }
    this.stand(start);
    const pace = clamp(3500 / Math.max(1, start - end), 40, 200);
    const step = () => {
      if (this.index <= end) return finish();
      this.stand(this.index - 1);
      this.moving.timer = setTimeout(step, this.index === meeting ? HOLD : pace);
    };
    this.moving.timer = setTimeout(step, 2 * pace);
  }

  firstMortal(from, to) {
    const { deathAt, dimension } = this.features;
    for (const kind of [0, 1])
      for (let i = from; i < to; i++)
        if (deathAt[i] >= 0 && dimension[i] === kind) return i - from + 1;
    return 0;
  }

  /** Return the component that goes on where another one has met it. */
  elderOf(i, k, from, to) {
    const { features, image } = this;
    const region = flood(
      image.mask(k), image.columns, features.deathAt[i], this.about.connectivity === 2,
    );
    for (let j = from; j < to; j++)
      if (j !== i && !features.dimension[j] && features.alive(j, k) && region[features.birthAt[j]])
        return j;
    return -1;
  }

  tellStory(i, elder) {
    const { features, image } = this;
    const place = (p) => `row ${Math.floor(p / image.columns)}, column ${p % image.columns}`;
    const kind = this.about.features.kinds[features.dimension[i]];
    const from = features.range(this.index)[0];
    const [born, dead] = [features.birth[i].toFixed(2), features.death[i].toFixed(2)];
    if (features.dimension[i])
      return (
        `A ring closed at ${born} (${place(features.birthAt[i])}): a ${kind} was born. Its last ` +
        `pixel (${place(features.deathAt[i])}) was filled at ${dead}: the bar ends.`
      );
    const met = elder >= 0 ? ` ${elder - from + 1}` : "";
    return (
      `Two fronts met at ${dead} in ${place(features.deathAt[i])}. The elder ${kind}${met} lives ` +
      `on; the younger ${i - from + 1}, born at ${born}, ends there, and so does its bar.`
    );
  }
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Return the bytes that a bundle holds as text. */
async function unpacked(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new DataView(await new Response(stream).arrayBuffer());
}

/** Return an object like a widget's model, which holds a bundle and its bytes. */
function holder(bundle, data) {
  const values = { busy: false, story: "", ...bundle, data };
  const ears = new Map();
  return {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      for (const ear of ears.get(`change:${name}`) ?? []) ear();
    },
    on: (name, ear) => ears.set(name, (ears.get(name) ?? new Set()).add(ear)),
    off: (name, ear) => ears.get(name)?.delete(ear),
    save_changes() {},
  };
}

/** Show a bundle, as `Frames.bundle()` makes it, in an element of any page; no kernel is needed.
 *
 * It is there as soon as its bytes are unpacked. Returned is a function that takes it away again. */
export function mount(element, bundle) {
  let frames = null;
  let gone = false;
  const show = async () => {
    const { shelf } = bundle;
    const data = await unpacked(bundle.data);
    const films = shelf && JSON.parse(new TextDecoder().decode(await unpacked(shelf.films)));
    if (gone) return;
    frames = new Frames(holder(bundle, data), element, true);
    if (shelf) frames.offerFilms({ ...shelf, films });
  };
  show();
  return () => {
    gone = true;
    frames?.end();
  };
}

export default {
  render({ model, el }) {
    const frames = new Frames(model, el);
    return () => frames.end();
  },
};

// The words below an explorer, and what its widgets lack: names and values for a screen reader, and a
// ring of focus. Everything is text: no word becomes an element.

function paragraph(el, kind) {
  const made = document.createElement("p");
  made.className = kind;
  el.appendChild(made);
  return made;
}

// Write a sentence, and mark the numbers that differ from the one before.
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
      const mark = document.createElement("mark");
      mark.textContent = word;
      return mark;
    }),
  );
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function nameSliders(box) {
  for (const slider of box.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent.trim();
    const readout = slider.querySelector(".widget-readout");
    if (!label) continue;
    for (const handle of slider.querySelectorAll(".noUi-handle")) {
      set(handle, "aria-label", label);
      if (readout) set(handle, "aria-valuetext", readout.textContent.trim());
    }
    if (readout) {
      set(readout, "role", "textbox");
      set(readout, "aria-label", `${label}, value`);
    }
  }
}

function namePictures(box, label, said) {
  for (const plot of box.querySelectorAll(".js-plotly-plot")) {
    set(plot, "role", "img");
    set(plot, "aria-label", label);
    set(plot, "aria-describedby", said.id);
  }
}

// Whether plotly has drawn its first picture, and hears clicks. What the kernel says before that is
// lost: it comes before there is an ear, or breaks off the first picture, whose end plotly waits for.
function isDrawn(plot) {
  return plot._ev?.listenerCount("plotly_click") > 0;
}

export default {
  render({ model, el }) {
    el.classList.add("toposeg-words");
    const brief = paragraph(el, "toposeg-brief");
    set(brief, "role", "status");
    set(brief, "aria-live", "polite");
    const long = paragraph(el, "toposeg-said");
    long.id = `toposeg-said-${Math.random().toString(36).slice(2)}`;

    let before = "";
    let briefBefore = "";
    const say = () => {
      const [text, short] = [model.get("text"), model.get("brief")];
      if (!model.get("aloud")) brief.remove();
      else if (!brief.isConnected || brief.parentElement !== el) el.prepend(brief);
      if (text !== before) write(long, text, before);
      if (short !== briefBefore) write(brief, short, briefBefore);
      [before, briefBefore] = [text, short];
      long.hidden = text === short && model.get("aloud");
    };
    say();
    model.on("change:text change:brief change:aloud", say);

    let waiting = 0;
    let told = false; // the kernel knows that the picture is there
    let watcher, measure;
    const tellRoom = () => {
      const room = Math.floor(el.clientWidth);
      // A scroll bar that comes and goes with the words is no reason to lay out anew.
      if (!told || room < 200 || Math.abs(room - model.get("room")) < 24) return;
      model.set("room", room);
      model.save_changes();
    };
    const tellDrawn = (box) => {
      const plots = [...box.querySelectorAll(".js-plotly-plot")];
      if (told || !plots.length || !plots.every(isDrawn)) return;
      told = true;
      model.send({ drawn: true });
      tellRoom();
    };
    const tend = () => {
      waiting = 0;
      const box = el.parentElement;
      if (!box) return;
      tellDrawn(box);
      nameSliders(box);
      namePictures(box, model.get("label"), long);
    };
    const soon = () => {
      if (!waiting) waiting = requestAnimationFrame(tend);
    };
    const begin = () => {
      const box = el.parentElement;
      if (!box) return void (waiting = requestAnimationFrame(begin));
      waiting = 0;
      box.classList.add("toposeg-explorer");
      watcher = new MutationObserver(soon);
      watcher.observe(box, { subtree: true, childList: true, characterData: true });
      measure = new ResizeObserver(tellRoom);
      measure.observe(el);
      window.addEventListener("resize", tellRoom);
      tend();
    };
    begin();
    document.addEventListener("plotlywidget-after-render", soon);
    return () => {
      document.removeEventListener("plotlywidget-after-render", soon);
      cancelAnimationFrame(waiting);
      watcher?.disconnect();
      measure?.disconnect();
      window.removeEventListener("resize", tellRoom);
      model.off("change:text change:brief change:aloud", say);
    };
  },
};

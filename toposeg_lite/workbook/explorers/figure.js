// A figure of plotly that is soon ready. A page gives up for good on a widget whose code has not
// come after two seconds, and plotly's five megabytes may take longer. So they come by themselves,
// once for all figures of a page, packed; they are unpacked beside the page and read only when a
// figure is to be seen, after all small widgets have come. What the kernel says meanwhile it says
// again (words.js). Until it is drawn, a figure says so.

async function unpacked(model) {
  const id = model.get("_plotly").slice("IPY_MODEL_".length);
  const store = await model.widget_manager.get_model(id);
  const loaded = (globalThis.toposegPlotly ??= new Map());
  const digest = store.get("digest");
  if (!loaded.has(digest)) {
    const bytes = new Blob([store.get("packed")]).stream();
    const code = new Response(bytes.pipeThrough(new DecompressionStream("gzip")), {
      headers: { "Content-Type": "text/javascript" },
    }).blob();
    let module;
    const read = async () => {
      const address = URL.createObjectURL(await code);
      return import(/* webpackIgnore: true */ address).finally(() => URL.revokeObjectURL(address));
    };
    loaded.set(digest, () => (module ??= read()));
  }
  return loaded.get(digest);
}

function sign(el, height) {
  const said = document.createElement("p");
  said.className = "toposeg-drawing";
  said.textContent = "drawing ...";
  if (height) el.style.minHeight = `${height}px`;
  el.append(said);
  return () => {
    said.remove();
    el.style.minHeight = "";
  };
}

export default () => {
  let figure;
  let model, code;
  let drawn = false; // a word that breaks off the first picture would keep clicks from being heard
  const make = async () => {
    const attentive = {
      ...model,
      on: (name, hear) => model.on(name, (...said) => drawn && hear(...said)),
    };
    const made = (await (await code)()).default();
    made.initialize({ model: attentive });
    return made;
  };
  return {
    initialize(given) {
      model = given.model;
      code = unpacked(model);
    },
    async render(view) {
      view.el.classList.add("toposeg-figure");
      const ready = sign(view.el, model.get("_widget_layout")?.height);
      const done = ({ detail }) => {
        if (detail.element !== view.el) return;
        drawn = true;
        ready();
        document.removeEventListener("plotlywidget-after-render", done);
      };
      document.addEventListener("plotlywidget-after-render", done);
      return (await (figure ??= make())).render(view);
    },
  };
};

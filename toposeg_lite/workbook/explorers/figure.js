// A figure of plotly that is soon ready. A page gives up for good on a widget whose code has not
// come after two seconds, and plotly's five megabytes may take longer. So they come by themselves,
// once for all figures of a page, and what the kernel says meanwhile it says again (words.js).

function plotly(code) {
  const loaded = (globalThis.toposegPlotly ??= new Map());
  if (!loaded.has(code)) {
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    loaded.set(
      code,
      import(/* webpackIgnore: true */ address).finally(() => URL.revokeObjectURL(address)),
    );
  }
  return loaded.get(code);
}

export default () => {
  let figure;
  let drawn = false; // a word that breaks off the first picture would keep clicks from being heard
  return {
    initialize({ model }) {
      const attentive = {
        ...model,
        on: (name, hear) => model.on(name, (...said) => drawn && hear(...said)),
      };
      figure = plotly(model.get("_plotly")).then((module) => {
        const made = module.default();
        made.initialize({ model: attentive });
        return made;
      });
    },
    async render(view) {
      const done = ({ detail }) => {
        if (detail.element !== view.el) return;
        drawn = true;
        document.removeEventListener("plotlywidget-after-render", done);
      };
      document.addEventListener("plotlywidget-after-render", done);
      return (await figure).render(view);
    },
  };
};

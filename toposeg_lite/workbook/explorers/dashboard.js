// The usher of a dashboard: asks the kernel for the next tab when there is nothing else to do, that
// is, when all pictures that are to be seen are drawn and no hand has moved for a moment.

const REST = 500; // milliseconds without a hand
const HANDS = ["pointerdown", "pointermove", "keydown", "input", "wheel"];

function drawing(box) {
  const signs = [...box.querySelectorAll(".toposeg-drawing")];
  return signs.some((sign) => sign.checkVisibility());
}

export default {
  render({ model, el }) {
    let touched = performance.now();
    let asked = Infinity; // how many were waiting when the last one was asked for
    let timer = 0;
    const note = () => {
      touched = performance.now();
    };
    for (const kind of HANDS) document.addEventListener(kind, note, { capture: true, passive: true });
    const look = () => {
      const waiting = model.get("waiting");
      if (!waiting) return;
      timer = setTimeout(look, REST / 2);
      const box = el.closest(".toposeg-dashboard");
      if (!box || waiting >= asked || performance.now() - touched < REST || drawing(box)) return;
      asked = waiting;
      model.send({ next: true });
    };
    timer = setTimeout(look, REST);
    return () => {
      clearTimeout(timer);
      for (const kind of HANDS) document.removeEventListener(kind, note, { capture: true });
    };
  },
};

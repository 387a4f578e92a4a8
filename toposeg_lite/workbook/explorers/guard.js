// What everything that is shown needs: a notebook's shortcuts stay off the keys that are meant for
// it (Notebook 7 takes the arrow keys for itself, even while a slider has the focus), and buttons
// that take a file are called what they are.

// The widget counts files, which are taken and put away at once.
function nameUploads(box) {
  for (const button of box.querySelectorAll(".widget-upload")) {
    for (const node of button.childNodes)
      if (node.nodeType === 3 && / \(\d+\)$/.test(node.data))
        node.data = node.data.replace(/ \(\d+\)$/, "");
    const name = button.textContent.trim(); // without the sign of its font
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
  }
}

export default {
  render({ el }) {
    let watcher;
    let waiting = 0;
    const begin = () => {
      const box = el.parentElement;
      if (!box) return void (waiting = requestAnimationFrame(begin));
      box.classList.add("toposeg-shown");
      box.addEventListener("focusin", (event) =>
        event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
      const tend = () => {
        waiting = 0;
        nameUploads(box);
      };
      watcher = new MutationObserver(() => {
        waiting ||= requestAnimationFrame(tend);
      });
      watcher.observe(box, { subtree: true, childList: true, characterData: true });
      tend();
    };
    begin();
    return () => {
      cancelAnimationFrame(waiting);
      watcher?.disconnect();
    };
  },
};

// Slides: one at a time, by keyboard and by buttons. Without this script they stand below each other.
(function () {
  "use strict";
  const root = document.documentElement;
  const slides = Array.from(document.querySelectorAll(".slide"));
  const said = document.getElementById("said");
  let now = 0;

  function show(place) {
    now = Math.min(Math.max(place, 0), slides.length - 1);
    slides.forEach((slide, k) => slide.classList.toggle("now", k === now));
    history.replaceState(null, "", "#" + (now + 1));
    const title = slides[now].querySelector("h1, h2");
    said.textContent = "Slide " + (now + 1) + " of " + slides.length + ": " + title.textContent;
    slides[now].scrollTop = 0;
  }

  function fromAddress() {
    show((parseInt(location.hash.slice(1), 10) || 1) - 1);
  }

  const actions = {
    ArrowRight: () => show(now + 1), PageDown: () => show(now + 1), " ": () => show(now + 1),
    ArrowLeft: () => show(now - 1), PageUp: () => show(now - 1),
    Home: () => show(0), End: () => show(slides.length - 1),
    n: () => root.classList.toggle("with-notes"),
  };
  document.addEventListener("keydown", (event) => {
    const onControl = event.target.closest("button, a, summary, input");
    if (event.ctrlKey || event.metaKey || event.altKey || (onControl && event.key === " ")) return;
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  document.getElementById("back").addEventListener("click", actions.ArrowLeft);
  document.getElementById("on").addEventListener("click", actions.ArrowRight);
  document.getElementById("notes").addEventListener("click", actions.n);
  window.addEventListener("hashchange", fromAddress);
  root.classList.add("js");
  fromAddress();
})();

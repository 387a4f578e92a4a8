// Put each film in its place, once the reader comes near it; the picture stands there until then.

const waiting = new Map();

globalThis.toposegFilms = new Proxy({}, { get: (_, name) => waiting.get(name) });

function fetchFilm(place) {
  const name = place.dataset.film;
  const folder = new URL("films/", script.src);
  waiting.set(name, (bundle) => {
    mount(place, bundle);
    place.classList.add("toposeg-mounted");
    place.closest(".cell_output")?.classList.add("toposeg-moves");
  });
  document.head.append(make("script", { src: new URL(`${name}.js`, folder).href }));
}

const script = document.currentScript;
const eye = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      eye.unobserve(target);
      fetchFilm(target);
    }
  },
  { rootMargin: "800px" },
);
for (const place of document.querySelectorAll(".toposeg-place")) eye.observe(place);

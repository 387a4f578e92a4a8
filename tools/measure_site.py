"""Measure how long the pages of the site take on a slow phone: ``make site``, then this.

Each page is opened in Chromium with nothing in its cache, over a line of 1.6 Mbit/s whose answers
take 150 ms, on a processor slowed four times: the profile of a mobile phone that Lighthouse uses.
Texts are sent packed by gzip, as every host of static pages does.

    python tools/measure_site.py [SITE] [--pages notebooks/*.html] [--cpu 4]

For each page: the bytes that came until it stood, when its first words were painted, when its
largest part in view was, and when everything outside the view had come too. Seconds of a busy
machine are too long; bytes are not.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import sys
import tempfile
import threading
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HOUSE), str(HOUSE / "tests")]

from jupyter_browser import chromium  # noqa: E402

PACKED = {".html", ".css", ".js", ".svg", ".json"}
LINE = {"offline": False, "latency": 150, "downloadThroughput": 200e3, "uploadThroughput": 94e3}
TIMES = """() => new Promise(done => {
  new PerformanceObserver(list => {
    const largest = list.getEntries().at(-1).startTime;
    const first = performance.getEntriesByName("first-contentful-paint")[0].startTime;
    const [page] = performance.getEntriesByType("navigation");
    const all = [page, ...performance.getEntriesByType("resource")];
    done([first, largest, page.loadEventEnd, all.reduce((sum, e) => sum + e.transferSize, 0)]);
  }).observe({type: "largest-contentful-paint", buffered: true});
})"""


class Packing(http.server.SimpleHTTPRequestHandler):
    """Sends texts packed by gzip, and writes no log."""

    def do_GET(self) -> None:
        """Answer with the file, packed if it is a text."""
        file = Path(self.translate_path(self.path))
        if file.suffix not in PACKED or not file.is_file():
            return super().do_GET()
        body = gzip.compress(file.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def measure(page, address: str, cpu: float) -> tuple[float, float, float, int]:
    """Open a page as a slow phone would; return seconds of three moments and kilobytes."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Network.emulateNetworkConditions", LINE)
    session.send("Emulation.setCPUThrottlingRate", {"rate": cpu})
    page.goto(address, wait_until="load")
    first, largest, whole, size = page.evaluate(TIMES)
    session.detach()
    return first / 1000, largest / 1000, whole / 1000, round(size / 1000)


def main() -> None:
    """Open the pages one after the other and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", nargs="?", default=str(HOUSE / "site"), help="the folder built")
    parser.add_argument("--pages", nargs="*", default=["docs/*.html", "notebooks/*.html"])
    parser.add_argument("--cpu", type=float, default=4, help="how many times slower it is made")
    chosen = parser.parse_args()
    site = Path(chosen.site).resolve()
    pages = [path for pattern in chosen.pages for path in sorted(site.glob(pattern))]
    if not pages:
        parser.error(f"no pages in {site}: run `make site` first, or name its folder")
    handler = functools.partial(Packing, directory=str(site))
    print("page | kB | first words, s | largest in view, s | everything, s")
    with (
        tempfile.TemporaryDirectory() as folder,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        chromium(folder) as page,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.set_viewport_size({"width": 390, "height": 844})
        for path in pages:
            name = path.relative_to(site).as_posix()
            address = f"http://127.0.0.1:{server.server_port}/{name}"
            first, largest, whole, size = measure(page, address, chosen.cpu)
            print(f"{name} | {size} | {first:.1f} | {largest:.1f} | {whole:.1f}")
            page.goto("about:blank")
        server.shutdown()


if __name__ == "__main__":
    main()

"""A page as headless Chromium lays it out, at several widths at once.

Each width is an iframe of that width, which media queries take for the window. A script beside them measures, and posts
what it found to a server on the loopback interface. No name is resolved, so that nothing can come from elsewhere.
"""

import json
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --mute-audio"
).split()
_HARNESS = """<!doctype html><meta charset="utf-8"><body>%s<script>
const wait = ms => new Promise(done => setTimeout(done, ms));
async function look(frame) {
  const inside = frame.contentDocument, root = inside.documentElement, box = e => e.getBoundingClientRect();
  const sounds = [...inside.querySelectorAll("audio")];
  for (let i = 0; i < 100 && sounds.some(s => s.readyState < 1 && !s.error); i++) await wait(50);
  const named = e => e.tagName + "#" + e.id + "." + e.getAttribute("class") + ": " + e.textContent.trim().slice(0, 30);
  return {
    width: root.clientWidth, scroll_width: root.scrollWidth, height: root.scrollHeight,
    outside: [...inside.body.querySelectorAll("*")].filter(e => !e.closest("svg") || e.tagName == "svg")
      .filter(e => box(e).width && (box(e).right > root.clientWidth + 0.5 || box(e).left < -0.5)).map(named),
    clipped: [...inside.querySelectorAll("td, th, dd, .value, .name, .by-class > span")]
      .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(named),
    sections: Object.fromEntries([...inside.querySelectorAll("section")].map(e => [e.id, box(e).height])),
    broken_images: [...inside.images].filter(i => !i.complete || !i.naturalWidth).length,
    sounds: sounds.map(s => s.error ? s.error.message : s.duration),
    cell: Math.min(...[...inside.querySelectorAll(".matrix td:not(.sum)")].map(e => box(e).width)),
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name)
      .filter(name => !name.startsWith("data:")),
    text: inside.body.innerText,
  };
}
addEventListener("load", async () => {
  const found = [];
  for (const frame of document.querySelectorAll("iframe")) found.push(await look(frame));
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
});
</script>"""


def look(page: bytes, widths: tuple[int, ...]) -> list[dict]:
    """Lay out a page at each width; the test is skipped where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs headless Chromium (Debian package chromium), which is not here")
    frames = "".join(f'<iframe src="/page" style="border:0;width:{width}px;height:900px"></iframe>' for width in widths)
    answers = {"/": (_HARNESS % frames).encode(), "/page": page}
    found, asked, done = [], [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(answers.get(self.path, b""))

        def do_POST(self):
            found.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Not a fixture's folder: Chromium writes on while it is being stopped.
    profile = tempfile.mkdtemp()
    browser = subprocess.Popen(
        [
            *(chromium, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0"),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"http://127.0.0.1:{server.server_port}/",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert done.wait(120), "Chromium posted nothing"
    finally:
        browser.terminate()
        browser.wait(30)
        server.shutdown()
        server.server_close()
        shutil.rmtree(profile, ignore_errors=True)
    assert set(asked) <= {"/", "/page", "/favicon.ico"}
    return found

"""Take the pictures of docs/reading-the-table.md from a run's page: ``take.py RUN/report.html``."""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
SHOTS = (  # file, width, height, scheme, what to scroll to
    ("page-light.png", 1280, 900, "light", None),
    ("page-dark.png", 1280, 900, "dark", None),
    ("page-samples.png", 1280, 640, "light", "#samples-1"),
    ("page-scatter.png", 1280, 660, "light", "#scatter-1"),
    ("page-narrow.png", 400, 800, "light", None),
    ("page-wide.png", 2560, 1300, "dark", None),
)


def main(page_file: Path) -> None:
    """Write each picture with a small palette."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, width, height, scheme, target in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.resolve().as_uri())
            page.evaluate("Promise.all([...document.images].filter((i) => i.src).map((i) => i.decode()))")
            if target:
                page.evaluate("place => document.querySelector(place).scrollIntoView({behavior: 'instant'})", target)
            elif width == 1280:  # with a figure's stamp
                page.locator("#table-1 tbody.recipes tr").first.locator("td[data-tip]").first.hover()
                page.get_by_role("tooltip").wait_for()
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            if width > 1280:
                shot = shot.resize((shot.width // 2, shot.height // 2), Image.Resampling.LANCZOS)
            shot.quantize(12 if "samples" in name else 64).save(HERE / name, optimize=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

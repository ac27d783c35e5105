"""The report page in a browser: headless Chromium, without a network."""

import shutil

import pytest

from genbench.tables import page as report
from tests.records import quick, run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return report.write(run(tmp_path_factory.mktemp("run"), quick())).as_uri()


@pytest.fixture
def page(browser, address):
    """The page, which must say nothing to the console and ask for nothing but itself."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
    page.goto(address)
    yield page
    context.close()
    assert not said
    assert {url for url in asked if not url.startswith("data:")} == {address}


def labels(page, table="#table-1"):
    return page.locator(f"{table} tbody.recipes tr:visible th").all_inner_texts()


def head(page, text):
    return page.locator("#table-1 thead th").filter(has_text=text).first


def focused(page):
    return page.evaluate("document.activeElement.textContent")


def test_headings_sort_best_first_then_the_other_way_and_absent_last(page):
    speeds = ["vae", "gan", "cgan", "wgan-gp", "realnvp", "pixelcnn", "f-gan (KL)"]
    by_speed = ["gan", "wgan-gp", "cgan", "vae", "realnvp", "pixelcnn", "f-gan (KL)"]
    assert sorted(labels(page)) == sorted(speeds)
    fast = head(page, "Images/s")
    fast.get_by_role("button").click()
    assert labels(page) == by_speed  # higher is better
    assert fast.get_attribute("aria-sort") == "descending"
    fast.get_by_role("button").click()
    assert labels(page) == [*by_speed[-2::-1], "f-gan (KL)"]
    assert fast.get_attribute("aria-sort") == "ascending"
    head(page, "Bits/dim (test)").get_by_role("button").click()  # lower is better
    assert labels(page)[:2] == ["pixelcnn", "vae"]
    assert fast.get_attribute("aria-sort") is None
    assert page.locator("#table-1 tbody.anchors th").first.inner_text() == "real (test)"


def test_text_and_families_filter_rows_and_their_pictures_and_leave_anchors(page):
    captions = page.locator("#data-1 .grids").first.locator("figure:visible figcaption b")
    everything = captions.all_inner_texts()
    page.get_by_label("Filter").first.fill("GAN")
    assert sorted(labels(page)) == ["cgan", "f-gan (KL)", "gan", "wgan-gp"]
    assert page.locator("#data-1 output").inner_text() == "4 of 7 recipes"
    assert set(captions.all_inner_texts()) == {"real (test)", "gan", "wgan-gp", "cgan", "noise", "pixel-gaussian"}
    assert len(everything) > 6
    assert page.locator("#data-1 .curves .drawing:visible").count() == 4
    page.get_by_label("Filter").first.fill("gan label")
    assert labels(page) == ["cgan"]
    page.get_by_label("Filter").first.fill("")
    page.get_by_role("button", name="flow", exact=True).click()
    page.get_by_role("button", name="autoencoder", exact=True).click()
    assert sorted(labels(page)) == ["realnvp", "vae"]
    page.get_by_role("button", name="flow", exact=True).click()
    assert labels(page) == ["vae"]
    assert labels(page, "#table-2") == ["pix2pix"]
    page.get_by_role("button", name="autoencoder", exact=True).click()
    assert captions.all_inner_texts() == everything


def test_columns_are_chosen_remembered_and_as_many_as_there_is_room_for(page):
    heads = "#table-1 thead th:visible"
    assert page.evaluate("document.getElementById('table-1').offsetWidth <= innerWidth")
    some = page.locator(heads).count()
    page.locator("#data-1 .columns summary").click()
    boxes = page.locator("#data-1 .columns input")
    assert boxes.count() + 1 > some
    page.locator("#data-1 .columns").get_by_role("button", name="All").click()
    assert page.locator(heads).count() == boxes.count() + 1
    page.get_by_label("Family", exact=True).first.uncheck()
    shown = page.locator(heads).all_inner_texts()
    assert "Family" not in shown
    assert page.locator("#table-1 tbody tr").first.locator(":scope > :visible").count() == len(shown)
    page.keyboard.press("Escape")
    assert not page.locator("#data-1 .columns fieldset").is_visible()
    page.reload()
    assert page.locator(heads).all_inner_texts() == shown


def test_notes_come_and_go_with_their_columns_whose_names_have_no_letter(page):
    def letters(what):
        return set(page.locator(f"#data-1 {what} sup:visible").all_inner_texts())

    assert letters("thead") == letters(".notes")
    page.locator("#data-1 .columns summary").click()
    bits = page.get_by_label("Bits/dim (test) ↓", exact=True).first
    (mark,) = head(page, "Bits/dim (test)").locator("sup").all_inner_texts()
    assert bits.is_checked()
    bits.uncheck()
    assert mark not in letters(".notes")
    page.locator("#data-1 .columns").get_by_role("button", name="All").click()
    assert letters("thead") == letters(".notes") > {mark}


def test_a_page_that_may_remember_nothing_works_all_the_same(browser, address):
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw Error('refused'); } })")
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    page.locator("#data-1 .columns summary").click()
    page.get_by_label("Family", exact=True).first.uncheck()
    assert "Family" not in page.locator("#table-1 thead th:visible").all_inner_texts()
    assert not faults
    context.close()


def test_a_figure_shows_its_stamp_to_the_mouse_and_to_the_keyboard(page):
    tip = page.get_by_role("tooltip")
    vae = page.locator("#table-1 tbody.recipes tr").filter(has=page.get_by_text("vae", exact=True))
    figure = vae.locator("td").filter(has_text="172")
    assert not tip.is_visible()
    figure.hover()
    tip.wait_for()
    assert "vae: FID (efficientnet-lite0)" in tip.inner_text()
    assert "1,000 samples against 3,500 training images" in tip.inner_text()
    vae.locator("td").filter(has_text="≤").first.hover()
    page.get_by_text("vae: Bits/dim (test)", exact=True).wait_for()  # without arrow and letter
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.mouse.move(5, 5)
    figure.focus()
    assert "hash cccccccc" in tip.inner_text()
    assert figure.get_attribute("aria-describedby") == "tip"
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    assert figure.get_attribute("aria-describedby") is None


def test_the_keyboard_alone_reaches_skips_sorts_and_walks_the_table(page):
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the table"
    page.locator("#data-1 .columns summary").focus()
    page.keyboard.press("Tab")
    assert focused(page) == "Recipe"
    page.keyboard.press("Enter")
    assert head(page, "Recipe").get_attribute("aria-sort") == "ascending"
    assert labels(page) == sorted(labels(page))
    page.keyboard.press("ArrowDown")
    assert focused(page) == "cgan"
    page.keyboard.press("ArrowRight")
    assert focused(page) == "label"  # what it is given
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    opened = page.locator(page.evaluate("location.hash"))
    playwright.expect(opened).to_have_attribute("open", "")
    assert "genbench run quick" in opened.inner_text()
    page.locator("#table-1 a").first.focus()
    page.keyboard.press("Tab")  # one stop a table
    assert page.evaluate("document.activeElement.closest('table')") is None


def test_the_table_keeps_a_stop_of_the_tab_key_when_its_own_is_filtered_away(page):
    stop = "document.querySelector('#table-1 [tabindex=\"0\"]').offsetWidth > 0"
    page.locator("#table-1 a", has_text="pixelcnn").first.focus()
    page.get_by_label("Filter").first.fill("GAN")
    page.locator("#data-1 .columns summary").focus()
    assert page.evaluate(stop)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('table')?.id") == "table-1"


def test_a_picture_is_enlarged_and_the_arrows_go_through_its_neighbours(page):
    dialog = page.get_by_role("dialog")
    picture = page.get_by_role("button", name="Enlarge: Samples of vae")
    picture.focus()
    page.keyboard.press("Enter")
    assert dialog.is_visible()
    large = dialog.get_by_role("img")
    assert large.get_attribute("alt") == "Samples of vae"
    assert large.bounding_box()["height"] > 2 * picture.bounding_box()["height"]
    group = page.locator("#data-1 .grids").first.locator("figure:visible img")
    names = [picture.get_attribute("alt") for picture in group.all()]
    at = names.index("Samples of vae")
    assert dialog.locator("#zoom-place").inner_text() == f"{at + 1} of {len(names)}"
    page.keyboard.press("ArrowRight")
    assert large.get_attribute("alt") == names[at + 1]
    for _ in range(at + 2):
        page.keyboard.press("ArrowLeft")
    assert large.get_attribute("alt") == names[-1]
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Enlarge: {names[-1]}"
    picture.click()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


@pytest.mark.parametrize("width", [400, 1280, 2560])
def test_nothing_sticks_out_of_the_page_at_any_width(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_can_be_operated_has_a_name_and_pictures_a_text(page):
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, input, a, summary")].filter((e) => !(e.textContent.trim()
        || e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim())).length"""
    )
    assert unnamed == 0
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator(".drawing:not([role=img][aria-label])").count() == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_without_scripts_every_row_and_stamp_is_there(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#table-1 tbody.recipes tr").count() == 7
    assert not page.locator(".tools").first.is_visible()
    assert "3,500 training images" in page.locator("#table-1 td[title*='samples against']").first.get_attribute("title")
    context.close()

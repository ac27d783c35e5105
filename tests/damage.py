"""Files as a bad disk or a bad mind leaves them: what a reader must answer in one line, whatever is in them."""


def damaged(whole, noise, number):
    """Yield ``number`` copies of some bytes with a few bits flipped, mostly of the header; half are cut short too."""
    for i in range(number):
        content = bytearray(whole)
        for _ in range(noise.randint(1, 6)):
            content[noise.randrange(min(len(content), noise.choice((40, len(content)))))] ^= 1 << noise.randrange(8)
        yield bytes(content[: noise.randrange(len(content))] if i % 2 else content)


def assert_one_line(path, read):
    """Assert that ``read(path)`` gives something, or refuses the file by its path in one line."""
    said = None
    try:
        read(path)
    except ValueError as error:
        said = str(error)
    assert said is None or (said.startswith(f"{path}: ") and "\n" not in said)

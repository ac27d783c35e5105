"""Texts of strangers, made harmless where a terminal shows them."""

import pytest

from genbench.errors import made_printable, named, printable, reason, short

ESC = chr(27)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ESC + "[31mred" + ESC + "]0;title" + chr(7), "\\x1b[31mred\\x1b]0;title\\x07"),
        ("a\rb" + chr(8), "a\\rb\\x08"),
        (chr(0x9B) + "2J", "\\x9b2J"),
        ("abc" + chr(0x202E) + "gnp", "abc\\u202egnp"),
        (chr(0xD800) + chr(0x2028), "\\ud800\\u2028"),
        ("漢字 é ×10³\n\t" + chr(0x1F600), "漢字 é ×10³\n\t" + chr(0x1F600)),
    ],
)
def test_characters_that_command_a_terminal_are_shown_and_all_others_stay(text, shown):
    assert printable(text) == shown
    assert made_printable({text: [text, (text, 1.5, None)]}) == {shown: [shown, (shown, 1.5, None)]}
    for say in (reason, named, short):
        assert ESC not in say(ValueError(text)) + say(OSError(text))

"""Text measured in the cells of a terminal, where some characters take two and some none. Pure."""

from collections.abc import Iterator


def cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  # only for who writes more than ASCII

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """As much of the text as fits into `width` cells; an ellipsis says that there is more."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[: max(0, len(text) - max(1, (cells(text) - width) // 2))]
    return f"{text}…" if width > 0 else ""


def wrapped(text: str, width: int, indent: str = "") -> Iterator[str]:
    """The text in lines of at most `width` cells, broken at blanks; a longer word stays whole, so that it can be copied.
    Lines after the first begin with `indent`."""
    for paragraph in text.split("\n"):
        yield from _lines(paragraph, width, indent)


def _lines(paragraph: str, width: int, indent: str) -> Iterator[str]:
    if cells(paragraph) <= width:
        yield paragraph
        return
    lead = paragraph[: len(paragraph) - len(paragraph.lstrip())]
    line, is_empty = lead, True
    for word in paragraph.split():
        if not is_empty and cells(line) + 1 + cells(word) > width:
            yield line
            line, is_empty = lead + indent, True
        line, is_empty = (line + word if is_empty else f"{line} {word}"), False
    yield line

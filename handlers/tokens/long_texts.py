"""The first tokens of a text that is too long to be tokenized whole: read window by window, until there are enough.

What comes out are the same tokens, whatever the text. Where a text may be cut without changing them depends on the
tokenizer, so `reader_of` knows three ways:

- `BertReader`, for BERT's own normalizer and words. These look at one character at a time, so all words of a window but
  its last are final, and reading goes on where that one begins.
- `SpaceReader`, for tokenizers that split at spaces whatever stands before and after. It cuts before single spaces.
- Any other tokenizer gets the whole text at once.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from tokenizers import Encoding, Tokenizer

Reader = Callable[[str, int], list[int]]
"""Of a text and a number: the ids of its tokens without special ones, or of its first ones, of which there are more."""

# A space between two plain characters. Neither marks nor white space are near, so normalizers leave both sides alone.
_LAST_CUT = re.compile(r"(?s:.*)[!-~](?= [!-~])")

# Characters of a window where the ones before had no whole word: few calls for very many characters.
_WIDEST = 4096

# What BERT's normalizer makes spaces of, and what it makes letters and digits of that stay in one word: ideographs are
# words of their own.
_BLANKS = re.compile("[ \\t\\n\\r\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*")
_LETTERS = re.compile("[^\\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]*")

# Normalizers that look at no more than a character and the marks that follow it.
_LOCAL_NORMALIZERS = {"BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled"}
_SPLIT_AT_SPACES = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "ByteLevel", "Metaspace"}
_SPLIT_FURTHER = {"Punctuation", "Digits"}


class _AddedToken(msgspec.Struct):
    content: str
    single_word: bool = False
    rstrip: bool = False
    normalized: bool = True


class _Model(msgspec.Struct):
    type: str = ""
    max_input_chars_per_word: int = 100


class _File(msgspec.Struct):
    """What of a tokenizer's file decides where its texts may be cut."""

    model: _Model
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    added_tokens: list[_AddedToken] = []


def reader_of(tokenizer: Tokenizer, file: Path, window: int) -> Reader:
    """The way to read long texts, in windows of so many characters. `tokenizer`, of that file, must not truncate."""
    told = msgspec.json.decode(file.read_bytes(), type=_File)
    added = [token.content for token in told.added_tokens]
    longest = max(map(len, added), default=0)
    # What stands beside such tokens, and further away, decides whether they are found.
    if any(token.single_word or token.rstrip or re.search(r"\s", token.content) for token in told.added_tokens):
        return lambda text, enough: encode(tokenizer, text).ids
    if _is_bert(told):
        window = max(window, 4 * longest)
        return BertReader(tokenizer, window, frozenset(added), longest, told.model.max_input_chars_per_word)
    if _splits_at_spaces(told.pre_tokenizer) and _normalizes_locally(told.normalizer) and told.model.type:
        return SpaceReader(tokenizer, window)
    return lambda text, enough: encode(tokenizer, text).ids


def _is_bert(told: _File) -> bool:
    normalizer, words = told.normalizer or {}, told.pre_tokenizer or {}
    return (
        told.model.type == "WordPiece"
        and (normalizer.get("type"), normalizer.get("clean_text")) == ("BertNormalizer", True)
        and words.get("type") == "BertPreTokenizer"
        and not any(token.normalized for token in told.added_tokens)
    )


def _splits_at_spaces(told: dict[str, Any] | None) -> bool:
    parts = _parts(told, "pretokenizers")
    kinds = {part.get("type") for part in parts}
    plain = all(part.get("use_regex", True) and part.get("split", True) for part in parts)
    return plain and bool(kinds & _SPLIT_AT_SPACES) and kinds <= _SPLIT_AT_SPACES | _SPLIT_FURTHER


def _normalizes_locally(told: dict[str, Any] | None) -> bool:
    return all(_is_local(part) for part in _parts(told, "normalizers"))


def _is_local(part: dict[str, Any]) -> bool:
    if part.get("type") == "Strip":
        return not part.get("strip_left", True)
    if part.get("type") == "Replace":
        pattern = part.get("pattern", {})
        return pattern.get("Regex") == " {2,}" or not re.search(r"\s", pattern.get("String", " "))
    return part.get("type") in _LOCAL_NORMALIZERS


def _parts(told: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    if told is None:
        return []
    return [leaf for part in told[name] for leaf in _parts(part, name)] if told.get("type") == "Sequence" else [told]


def encode(tokenizer: Tokenizer, text: str) -> Encoding:
    """Without special tokens, and without the interpreter's lock, which `Tokenizer.encode` keeps."""
    return tokenizer.encode_batch([text], add_special_tokens=False)[0]


@dataclass(frozen=True, slots=True)
class SpaceReader:
    """Reads a text in pieces that end before a single space; it is longer than a window where there is none."""

    tokenizer: Tokenizer
    window: int

    def __call__(self, text: str, enough: int) -> list[int]:
        ids: list[int] = []
        start, size = 0, self.window
        while len(ids) <= enough and start < len(text):
            rest = start + size >= len(text)
            cut = None if rest else _LAST_CUT.match(text, start, start + size)
            if cut is None and not rest:
                size *= 2
                continue
            end = cut.end() if cut else len(text)
            ids += encode(self.tokenizer, text[start:end]).ids
            start, size = end, self.window
        return ids


@dataclass(frozen=True, slots=True)
class BertReader:
    """Reads a text word by word as BERT does.

    The end of a window may cut an `added` token, such as [SEP], so the last `longest_added` characters are not final
    either. Where no word of a window is final, what was read so far of its one word is held in its normalized form. A
    word of more than `longest_word` characters is unknown whatever follows, so that much of it is enough.
    """

    tokenizer: Tokenizer
    window: int
    added: frozenset[str]
    longest_added: int
    longest_word: int

    def __call__(self, text: str, enough: int) -> list[int]:
        ids: list[int] = []
        start, size, held = 0, self.window, ""
        while len(ids) <= enough:
            window = held + text[start : start + size]
            encoding = encode(self.tokenizer, window)
            if start + size >= len(text):
                return ids + encoding.ids
            final, goes_on = self._final(encoding, window)
            if not final:
                held = self._held(window[: len(window) - self.longest_added])
                start, size = self._behind_a_run(text, start + size - self.longest_added, held), max(size, _WIDEST)
            elif unicodedata.combining(window[goes_on]):
                size *= 2  # marks change places with those before them
            else:
                ids += encoding.ids[:final]
                start, size, held = start + goes_on - len(held), self.window, ""
        return ids

    def _final(self, encoding: Encoding, window: str) -> tuple[int, int]:
        """How many tokens stay as they are whatever follows, and where in the window the next one begins."""
        words, offsets = encoding.word_ids, encoding.offsets
        final, goes_on = len(words), len(window)
        open_word: int | None = -1
        if words and window[slice(*offsets[-1])].strip() in self.added:
            goes_on = offsets[-1][1]  # no part of a word
        elif words:
            open_word = words[-1]
        while final and (words[final - 1] == open_word or offsets[final - 1][1] > len(window) - self.longest_added):
            final -= 1
            open_word, goes_on = words[final], offsets[final][0]
        return final, goes_on

    def _behind_a_run(self, text: str, start: int, held: str) -> int:
        """Where to go on: of blanks behind blanks, and of letters of a word that is too long already, only the last."""
        if not held or held.endswith(" "):
            run = _BLANKS
        elif len(held) > self.longest_word + 1 and not any(map(str.isalnum, self.added)):
            run = _LETTERS
        else:
            return start
        found = run.match(text, start)
        assert found is not None, "this is a bug: it matches what is empty, too"
        return max(start, found.end() - self.longest_added - 1)

    def _held(self, read: str) -> str:
        """What stands for a text of one word at the most that goes on, or has ended in white space."""
        normalized: str = self.tokenizer.normalizer.normalize_str(read)
        word = normalized.strip(" ")[: self.longest_word + 1]
        # A NUL is dropped by the normalizer, and keeps what follows from becoming an added token with the word.
        return word and word + (" " if normalized.endswith(" ") else "\0")

"""Turns the placeholders of every driver into PostgreSQL's `$n`.

`?`, `@` and `%` are operators too and `:` is a slice, so what a sign means depends on what stands before it: after a
value an operator is due, after an operator or a keyword a value is.  What stays open is reported and not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from premortem.sqltext.lexer import Kind, Token


class Style(StrEnum):
    """How a driver writes a placeholder; the value is shown to people."""

    DOLLAR = "$1"
    QUESTION = "?"
    NAMED = ":name"
    NUMBERED = ":1"
    AT = "@name"
    FORMAT = "%s"
    PYFORMAT = "%(name)s"
    SQLC = "sqlc.arg(name)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a text is not taken: what is wrong, where (offset), and what to do."""

    offset: int
    says: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A statement's text with `$n`, and the names that its author gave the parameters."""

    text: str
    names: tuple[str | None, ...] = ()
    problem: Problem | None = None


#: Words after which a value is due and not an operator (PostgreSQL 18 grammar).
EXPECT_VALUE = frozenset(
    """
    all and any array as between by call case distinct else escape except exists filter for from having ilike in
    intersect is like limit not of offset on or over placing returning select set similar some symmetric then to union
    using values variadic when where with zone
    """.split()
)
#: Type names that stand right before a literal, and so before a placeholder that was one.
_LITERAL_TYPES = frozenset("interval date time timestamp timestamptz timetz".split())
#: Words that can follow a value; a `?` before one of them was no operator.
_AFTER_VALUE = frozenset(
    """
    and or then else end when as asc desc from where group order limit offset fetch for on union intersect except
    having returning is in like ilike between collate at using nulls rows row only with window join left right inner
    cross full set values do into over escape similar not first next percent
    """.split()
)
_JSON_OPERATORS = frozenset({"?", "?|", "?&", "@?", "??", "??|", "??&", "@??", "?||", "?-|", "?#", "?-"})
_ENDS_IN_AT = frozenset({"<@", "@@", "@@@", "!@"})
_NAME = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*"
_COLON = re.compile(
    rf":(?:(?P<kind>v|value|t|tuple|i|identifier|sql|raw|l|lookup|snip|sqlvec)(?P<many>\*?):(?={_NAME}))?"
    rf"(?P<spread>\.\.\.)?(?P<name>{_NAME}(?:\.{_NAME})*|[0-9]+)"
)
_AT = re.compile(rf"@(?P<name>{_NAME})")
_PERCENT = re.compile(r"%(?:\((?P<name>[^()]*)\))?[sbt](?![A-Za-z0-9_])")
_SQLC = re.compile(
    r"(?:sqlc|pggen)\s*\.\s*(?P<how>arg|narg|slice)\s*\(\s*(?P<quote>['\"]?)(?P<name>\w+)(?P=quote)\s*(?:,[^()]*)?\)",
    re.IGNORECASE,
)
_EMBED = re.compile(r"sqlc\s*\.\s*embed\s*\(\s*(?P<name>[\w.\"]+)\s*\)", re.IGNORECASE)
_MANY = frozenset({"v", "value", "t", "tuple"})


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def rewrite(
    text: str,
    code: Sequence[Token],
    variables: Collection[str] = (),
    left_out: tuple[int, int] | None = None,
) -> Rewritten:
    """Return the statement that tokens of a text make, with `$n`; `variables` are names that psql would replace."""
    writer = _Writer(text=text, code=code, variables=variables)
    if left_out:
        writer.edits.append(_Edit(*left_out, ""))
    writer.run()
    return writer.rewritten()


@dataclass(slots=True)
class _Writer:
    text: str
    code: Sequence[Token]
    variables: Collection[str]
    position: int = 0
    value_before: bool = False
    brackets: list[str] = field(default_factory=list)
    edits: list[_Edit] = field(default_factory=list)
    styles: dict[Style, int] = field(default_factory=dict)
    names: list[str | None] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    problem: Problem | None = None
    unclear: Token | None = None

    def run(self) -> None:
        while self.position < len(self.code) and self.problem is None:
            self._step(self.code[self.position])
        if self.problem is None:
            self.problem = self._mixed() or self._unclear_at()
        if self.problem is None and self._is_percent:
            self._percent_signs()

    def _step(self, token: Token) -> None:
        if token.kind is Kind.PARAM:
            self._numbered(token)
        elif token.kind is Kind.OPERATOR:
            self._operator(token.text, token.start)
        elif token.text == ":":
            self._colon(token)
        elif token.text == "$":
            self._dollar(token)
        elif token.word in ("sqlc", "pggen") and self._sqlc(token):
            return
        else:
            self._plain(token)

    def _plain(self, token: Token) -> None:
        self.position += 1
        if token.text in ("(", "["):
            self.brackets.append(token.text)
        elif token.text in (")", "]") and self.brackets:
            self.brackets.pop()
        self.value_before = _ends_value(token)

    # --- $1 ---

    def _numbered(self, token: Token) -> None:
        number = int(token.text[1:])
        if not 0 < number <= 65_535:
            self.problem = Problem(offset=token.start, says=f"there is no parameter {token.text}")
            return
        self.styles.setdefault(Style.DOLLAR, token.start)
        self.names.extend([None] * (number - len(self.names)))
        self._plain(token)
        self.value_before = True

    def _dollar(self, token: Token) -> None:
        word = re.compile(r"\$[^\s,;)]*").match(self.text, token.start)
        shown = word.group() if word else "$"
        self.problem = Problem(
            offset=token.start,
            says=f"`{shown}` is neither SQL nor a placeholder that a PostgreSQL driver sends",
            hint="write $1, :name, %s or ? instead",
        )

    # --- placeholders in general ---

    def _number(self, name: str | None) -> int:
        if name is not None and name in self.numbers:
            return self.numbers[name]
        self.names.append(name)
        if name is not None:
            self.numbers[name] = len(self.names)
        return len(self.names)

    def _place(self, style: Style, start: int, end: int, name: str | None, *, many: bool = False) -> None:
        """Put a `$n` in place of the text between two offsets, and go on behind it."""
        self.styles.setdefault(style, start)
        number = self._given_number(name) if style is Style.NUMBERED else self._number(name)
        before = self._before(start)
        self._skip_to(end)
        bare_in = before is not None and before.word == "in"
        if bare_in or many:
            self._as_array(start, end, number, bare=bare_in)
        else:
            self.edits.append(_Edit(start, end, self._spaced(start, end, f"${number}")))
        self.value_before = True

    def _spaced(self, start: int, end: int, placeholder: str) -> str:
        """Keep a `$n` from running into the word before or behind it."""
        left = " " if start and (self.text[start - 1].isalnum() or self.text[start - 1] in "_$") else ""
        right = " " if self.text[end : end + 1].isalnum() or self.text[end : end + 1] == "_" else ""
        return f"{left}{placeholder}{right}"

    def _given_number(self, name: str | None) -> int:
        number = int(name or 0)
        if not 0 < number <= 65_535:
            number = 1
        self.names.extend([None] * (number - len(self.names)))
        return number

    def _before(self, offset: int) -> Token | None:
        index = self.position
        while index >= 0 and (index >= len(self.code) or self.code[index].start >= offset):
            index -= 1
        return self.code[index] if index >= 0 else None

    def _skip_to(self, end: int) -> None:
        while self.position < len(self.code) and self.code[self.position].start < end:
            self.position += 1

    def _as_array(self, start: int, end: int, number: int, *, bare: bool) -> None:
        """Write a list that the driver expands as what it becomes: `= ANY ($n)`, or `<> ALL ($n)`."""
        index = next(i for i, t in enumerate(self.code) if t.end > start) - (1 if bare else 2)
        following = self.text[end:].lstrip()[:1]
        if index < 1 or self.code[index].word != "in" or not (bare or following == ")"):
            self.edits.append(_Edit(start, end, f"${number}"))
            return
        if _is_row(self.code[:index]):
            self.problem = Problem(offset=start, says="a list of rows in place of one placeholder cannot be planned")
            return
        negated = self.code[index - 1].word == "not"
        first = self.code[index - 1] if negated else self.code[index]
        self.edits.append(_Edit(first.start, self.code[index].end, "<> ALL" if negated else "= ANY"))
        self.edits.append(_Edit(start, end, f"(${number})" if bare else f"${number}"))

    # --- ? @ % and operators that they stick to ---

    def _operator(self, run: str, start: int) -> None:
        """Read a run of operator characters, which may end in a placeholder: `=?`, `>=@x`, `||%s`."""
        self.position += 1
        following = self.code[self.position] if self.position < len(self.code) else None
        end = start + len(run)
        touching = following is not None and following.start == end
        tail = self._tail(run, end) if touching else None
        if tail is not None and following is not None:
            self._tail_placeholder(run, end, tail)
        elif "?" in run:
            self._question_marks(run, start, following)
        else:
            self._escaped_percent(run, start)
            self.value_before = False

    def _tail(self, run: str, end: int) -> re.Match[str] | None:
        if run.endswith("%") and (len(run) - len(run.rstrip("%"))) % 2 == 1:
            return _PERCENT.match(self.text, end - 1)
        if run.endswith("@"):
            return _AT.match(self.text, end - 1)
        return None

    def _tail_placeholder(self, run: str, end: int, tail: re.Match[str]) -> None:
        if run in _ENDS_IN_AT:
            self.unclear = self.code[self.position - 1] if run == "<@" else self.unclear
            self.value_before = False
            return
        if run[:-1]:
            self._question_marks(run[:-1], end - len(run), None) if "?" in run[:-1] else None
            self._escaped_percent(run[:-1], end - len(run))
        percent = run.endswith("%")
        name = tail["name"]
        style = Style.AT if not percent else Style.FORMAT if name is None else Style.PYFORMAT
        self._place(style, tail.start(), tail.end(), name)

    def _escaped_percent(self, run: str, start: int) -> None:
        if "%%" in run:
            self.edits.append(_Edit(start, start + len(run), f"\0{run.replace('%%', '%')}\0{run}"))

    def _question_marks(self, run: str, start: int, following: Token | None) -> None:
        while run:
            if self.value_before:
                used = self._infix(run, start, following)
            elif run.startswith("?"):
                used = self._question(run, start, following)
            else:
                used = run.find("?") if "?" in run else len(run)
            run, start = run[used:], start + used

    def _infix(self, run: str, start: int, following: Token | None) -> int:
        """Read the operator that a run starts with after a value; return how many characters it took."""
        if run == "?" and not _starts_value(following):
            return self._question(run, start, following)
        self.value_before = False
        if run in _JSON_OPERATORS:
            if "??" in run:
                self.edits.append(_Edit(start, start + len(run), run.replace("??", "?")))
            return len(run)
        cut = run.find("?")
        return cut if cut > 0 else len(run)

    def _question(self, run: str, start: int, following: Token | None) -> int:
        numbered = following if run == "?" and following and following.start == start + 1 else None
        if numbered and numbered.kind is Kind.NUMBER and numbered.text.isdigit():
            self._place(Style.NUMBERED, start, numbered.end, numbered.text)
            return len(run)
        many = self.text[:start].rstrip().lower().endswith("*/") and "/*slice:" in self.text[start - 80 : start].lower()
        position = self.position
        self._place(Style.QUESTION, start, start + 1, None, many=many)
        self.position = max(position, self.position)
        return 1

    # --- :name ---

    def _colon(self, token: Token) -> None:
        following = self.code[self.position + 1] if self.position + 1 < len(self.code) else None
        before = self.code[self.position - 1] if self.position else None
        if following is None or not token.touches(following) or self._is_slice(token, before, following):
            self._plain(token)
        elif following.kind in (Kind.STRING, Kind.QUOTED):
            self._psql_variable(token, following.end)
        else:
            self._named(token)

    def _is_slice(self, token: Token, before: Token | None, following: Token) -> bool:
        """Whether the colon is one of an array slice, or of a JSON constructor's `key: value`."""
        if self.brackets[-1:] == ["["]:
            return self.value_before or (before is not None and before.text == "[" and following.kind is Kind.NUMBER)
        return before is not None and before.touches(token) and self.value_before

    def _psql_variable(self, token: Token, end: int) -> None:
        self.problem = Problem(
            offset=token.start,
            says=f"`{self.text[token.start : end]}` is a psql variable, and its value is not known here",
            hint="write a placeholder such as $1 instead",
        )

    def _named(self, token: Token) -> None:
        match = _COLON.match(self.text, token.start)
        if match is None:
            self._plain(token)
            return
        name, kind = match["name"], match["kind"]
        if name in self.variables or (kind and kind not in _MANY):
            what = "SQL text that is put in" if kind else "a psql variable"
            self.problem = Problem(
                offset=token.start, says=f"`{match.group()}` is {what}, and its value is not known here"
            )
            return
        end = match.end() + self._decoration(match.end())
        many = bool(match["spread"] or match["many"] or kind in ("t", "tuple"))
        style = Style.NUMBERED if name.isdigit() else Style.NAMED
        bare_tuple = many and self.text[end:].lstrip()[:1] != ")"
        self._place(style, token.start, end, name, many=many and not bare_tuple)

    def _decoration(self, offset: int) -> int:
        """Return the length of the `!` or `?` that PgTyped and Cornucopia put behind a name."""
        mark, behind = self.text[offset : offset + 1], self.text[offset + 1 : offset + 2]
        return 1 if mark in ("!", "?") and mark and (not behind or behind in " \t\r\n,);:") else 0

    # --- sqlc.arg(name) ---

    def _sqlc(self, token: Token) -> bool:
        match = _SQLC.match(self.text, token.start)
        if match:
            self._place(Style.SQLC, token.start, match.end(), match["name"], many=match["how"].lower() == "slice")
            return True
        embed = _EMBED.match(self.text, token.start)
        if embed:
            self.edits.append(_Edit(token.start, embed.end(), f"{embed['name']}.*"))
            self._skip_to(embed.end())
            self.value_before = True
        return embed is not None

    # --- at the end ---

    @property
    def _is_percent(self) -> bool:
        return bool(self.styles.keys() & {Style.FORMAT, Style.PYFORMAT})

    def _mixed(self) -> Problem | None:
        styles = self.styles.keys() - ({Style.SQLC} if Style.AT in self.styles else set())
        if len(styles) < 2:
            return None
        shown = " and ".join(f"`{style}`" for style in sorted(styles, key=lambda s: self.styles[s]))
        second = sorted(self.styles.values())[1]
        return Problem(
            offset=second,
            says=f"the statement mixes the placeholder styles {shown}, which no driver takes",
            hint="use one style; write @x as abs(x) and ? as jsonb_exists() where an operator is meant",
        )

    def _unclear_at(self) -> Problem | None:
        if self.unclear is None or Style.AT not in self.styles:
            return None
        return Problem(
            offset=self.unclear.start,
            says="it is not clear whether this is the operator <@, or < and a placeholder",
            hint="put a space where the operator ends",
        )

    def _percent_signs(self) -> None:
        """Do what a driver with %s does to the rest of the text: `%%` becomes `%`."""
        for token in self.code:
            if token.kind is not Kind.STRING:
                continue
            if _PERCENT.fullmatch(token.text[1:-1]):
                self.problem = Problem(
                    offset=token.start,
                    says=f"the placeholder in {token.text} stands between quotes, so it is no placeholder",
                    hint="leave the quotes out; the driver adds what is needed",
                )
                return
            if "%%" in token.text:
                self.edits.append(_Edit(token.start, token.end, token.text.replace("%%", "%")))

    def rewritten(self) -> Rewritten:
        if not self.code or self.problem:
            return Rewritten(text="", problem=self.problem)
        pieces: list[str] = []
        position = self.code[0].start
        for edit in sorted(self.edits, key=lambda e: e.start):
            pieces += [self.text[position : edit.start], self._edited(edit)]
            position = edit.end
        pieces.append(self.text[position : self.code[-1].end])
        return Rewritten(text="".join(pieces), names=tuple(self.names))

    def _edited(self, edit: _Edit) -> str:
        """Return what an edit puts; an escaped percent operator depends on the style of the whole statement."""
        if not edit.text.startswith("\0"):
            return edit.text
        _, unescaped, original = edit.text.split("\0")
        return unescaped if self._is_percent else original


def _ends_value(token: Token) -> bool:
    """Whether a value ends with this token, so that an operator is due."""
    if token.kind is Kind.WORD:
        return token.word not in EXPECT_VALUE and token.word not in _LITERAL_TYPES
    if token.kind in (Kind.QUOTED, Kind.STRING, Kind.NUMBER, Kind.PARAM):
        return True
    return token.text in (")", "]")


def _starts_value(token: Token | None) -> bool:
    """Whether a value can start with this token."""
    if token is None:
        return False
    if token.kind is Kind.WORD:
        return token.word not in _AFTER_VALUE
    return token.kind in (Kind.QUOTED, Kind.STRING, Kind.NUMBER, Kind.PARAM, Kind.OPERATOR) or token.text in ("(", ":")


def _is_row(before: Sequence[Token]) -> bool:
    """Whether the tokens end in a row such as `(a, b)`, with or without NOT behind it."""
    index = len(before) - (2 if before[-1].word == "not" else 1)
    if index < 0 or before[index].text != ")":
        return False
    depth, commas = 0, 0
    while index >= 0:
        depth += {")": 1, "(": -1}.get(before[index].text, 0)
        commas += before[index].text == "," and depth == 1
        if depth == 0:
            break
        index -= 1
    called = index > 0 and before[index - 1].kind in (Kind.WORD, Kind.QUOTED)
    called = called and before[index - 1].word not in EXPECT_VALUE and before[index - 1].word != "row"
    return commas > 0 and not called

"""From executions to queries: one for each statement that differs in more than values, with what was seen of it.

gather      takes executions one by one, in bounded memory
  Read        one text: reduced, parsed once per form, left out or a statement's
  Statement   everything with one fingerprint and the same fixed constants
  Form        one way to write it: its values' variety decides which constants become parameters
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from premortem import sqltext
from premortem.capture.executed import Executed
from premortem.capture.logs import leaving
from premortem.capture.logs.paths import SearchPaths
from premortem.capture.logs.repeating import Repeating
from premortem.capture.logs.statement import Form, Statement, readable_site
from premortem.capture.units import Units, WithoutTests
from premortem.errors import StatementError
from premortem.model import Query, Site, StatementKind, Unreadable
from premortem.sqltext import Observed, Value

_READS = frozenset({StatementKind.SELECT, StatementKind.VALUES})
_ENDS = ("begin", "commit", "rollback", "end", "abort", "start transaction", "discard")
#: Texts and forms that are remembered, so that what runs often is read once.
_MOST_TEXTS, _LONGEST_TEXT = 20_000, 4_096
_MOST_FORMS = 100_000
#: Statements with one fingerprint that differ in what may be no parameter: with more of them, one stands for all.
_MOST_VARIANTS = 20
_MOST_UNREADABLE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The queries, in the order of their texts, and how many executions were left out for which reason."""

    queries: tuple[Query | Unreadable, ...]
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """What a text says: the form that it has, or why it is left out."""

    form: Form | None
    places: tuple[tuple[Value, ...], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    arguments: tuple[Value, ...] | None = None
    reason: str | None = None
    ends: bool = False


def gather(executed: Iterable[Executed], units: Units | None = None, *, source: str = "log") -> Gathered:
    """Return the queries that were executed, each once, and what was left out; `source` names the log for their sites.

    Memory is bounded by the number of different statements, not by how many there are.
    """
    gatherer = _Gatherer(units=units or WithoutTests(), source=source)
    for item in executed:
        gatherer.take(item)
    return gatherer.done()


@dataclass(slots=True)
class _Gatherer:
    units: Units
    source: str
    texts: OrderedDict[str, tuple[_Read, ...]] = field(default_factory=OrderedDict)
    forms: dict[str, Form | str] = field(default_factory=dict)
    statements: dict[tuple[str, tuple[str, ...]], Statement] = field(default_factory=dict)
    variants: Counter[str] = field(default_factory=Counter)
    first_variants: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    crowded: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    repeating: Repeating = field(default_factory=Repeating)
    paths: SearchPaths = field(default_factory=SearchPaths)
    taken: int = 0

    def take(self, executed: Executed) -> None:
        """Count one execution."""
        self.taken += 1
        reason = leaving.at_sight(executed)
        if reason is not None:
            self.left_out[reason] += executed.calls
            return
        for read in self._read(executed):
            self._count(executed, read)

    def _count(self, executed: Executed, read: _Read) -> None:
        if read.ends:
            self.repeating.cut(executed.session)
        if read.reason is not None:
            self.left_out[read.reason] += executed.calls
        if read.form is None:
            self.paths.take(executed.session, executed.text)
            return
        unit = self.units.of(executed)
        parameters = executed.parameters
        if read.arguments:
            parameters = tuple(sqltext.value(v.text) for v in read.arguments)
        found = sqltext.call_site(read.tags) if read.tags else None
        site = Site(source=found[0], line=found[1]) if found else None
        values = read.form.take(executed, read.places, parameters, unit)
        statement = read.form.statement
        statement.take(
            executed,
            unit,
            site=readable_site(executed, unit, site, self.source, self.taken),
            is_called=site is not None,
            tags=sqltext.lasting_tags(read.tags) if read.tags else (),
            search_path=executed.search_path or self.paths.of(executed.session),
        )
        if read.form.observed.kind in _READS and not executed.nested:
            request = sqltext.unit_of_work(read.tags) if read.tags else None
            self.repeating.take(statement.key, executed, unit, request, site, values)

    # --- reading a text ---

    def _read(self, executed: Executed) -> tuple[_Read, ...]:
        text = executed.text
        known = self.texts.get(text)
        if known is not None:
            return known
        read = tuple(self._statements(text, executed))
        if len(text) <= _LONGEST_TEXT:
            self.texts[text] = read
            if len(self.texts) > _MOST_TEXTS:
                self.texts.popitem(last=False)
        return read

    def _statements(self, text: str, executed: Executed) -> Iterator[_Read]:
        prepared = sqltext.prepared(text) if text.lstrip()[:8].lower().startswith("prepare ") else None
        if prepared is not None:
            yield self._one(prepared[0], executed, prepared[1])
            return
        reduced = sqltext.reduced(text)
        if ";" not in reduced.key:  # where constants are not spelled out
            yield self._of(text, reduced, executed, None)
            return
        for one in sqltext.separated(text):
            yield self._one(one, executed, None)

    def _one(self, text: str, executed: Executed, arguments: tuple[Value, ...] | None) -> _Read:
        return self._of(text, sqltext.reduced(text), executed, arguments)

    def _of(
        self, text: str, reduced: sqltext.Reduced, executed: Executed, arguments: tuple[Value, ...] | None
    ) -> _Read:
        form = self.forms.get(reduced.key)
        if form is None:
            form = self._form(text, reduced, executed)
            if len(self.forms) < _MOST_FORMS:
                self.forms[reduced.key] = form
        tags = sqltext.tags(reduced.comments) if reduced.comments else ()
        if isinstance(form, str):
            word = reduced.text.lower()
            holds = form == leaving.UTILITY and not word.startswith("prepare")  # which is not run by itself
            inside = sqltext.inner(text) if holds else None
            if inside is not None:
                return self._one(inside, executed, arguments)
            return _Read(None, reason=form, ends=word.startswith(_ENDS))
        if not form.has_variants:
            return self._with(form, reduced, tags, arguments)
        return self._with(self._variant(form, reduced), reduced, tags, arguments)

    def _with(
        self,
        form: Form | None,
        reduced: sqltext.Reduced,
        tags: tuple[tuple[str, str], ...],
        arguments: tuple[Value, ...] | None,
    ) -> _Read:
        if form is None:
            return _Read(None, reason=_UNREADABLE)
        ends = form.observed.kind not in _READS
        return _Read(form, tuple(p.values for p in reduced.places), tags, arguments, ends=ends)

    def _form(self, text: str, reduced: sqltext.Reduced, executed: Executed) -> Form | str:
        """Return the form of a text that was not met before, or why it is left out."""
        try:
            observed = sqltext.observed(reduced)
        except StatementError as error:
            self._refused(text, executed, error)
            return _UNREADABLE
        if observed.kind is StatementKind.UTILITY:
            return leaving.utility(reduced.text)
        reason = leaving.by_tables(reduced.text)
        return reason or self._statement_of(observed, text)

    def _statement_of(self, observed: Observed, text: str) -> Form | str:
        key = (observed.fingerprint, observed.variant)
        statement = self.statements.get(key)
        if statement is None:
            if self.variants[observed.fingerprint] >= _MOST_VARIANTS:
                self.crowded.add(observed.fingerprint)
                key = self.first_variants[observed.fingerprint]
                form = Form(observed=observed, original=text, statement=self.statements[key])
                self.statements[key].forms.append(form)
                return form
            self.first_variants.setdefault(observed.fingerprint, key)
            self.variants[observed.fingerprint] += 1
            statement = self.statements[key] = Statement(key=key)
        form = Form(observed=observed, original=text, statement=statement)
        statement.forms.append(form)
        return form

    def _variant(self, form: Form, reduced: sqltext.Reduced) -> Form | None:
        """Return the form of the same key whose fixed constants are the text's own."""
        if form.observed.fingerprint in self.crowded or form.variant_of(reduced) == form.observed.variant:
            return form
        variant = form.variant_of(reduced)
        key = f"{reduced.key}\x05{variant!r}"
        known = self.forms.get(key)
        if known is None:
            try:
                known = self._statement_of(sqltext.observed(reduced), reduced.text)
            except StatementError:
                known = _UNREADABLE
            if len(self.forms) < _MOST_FORMS:
                self.forms[key] = known
        return known if isinstance(known, Form) else None

    def _refused(self, text: str, executed: Executed, error: StatementError) -> None:
        if len(self.unreadable) < _MOST_UNREADABLE:
            site = Site(source=self.source, line=executed.line)
            cut = "end of input" in error.message or "unterminated" in error.message
            hint = "the text seems to be cut off" if cut else None
            self.unreadable[text[:_LONGEST_TEXT]] = Unreadable(
                original=text[:_LONGEST_TEXT], site=site, says=error.message, hint=hint
            )

    # --- the outcome ---

    def done(self) -> Gathered:
        found = [s.query(self.repeating.most.get(s.key)) for s in self._whole() if s.executions]
        queries = sorted(found, key=lambda q: (q.text, q.fingerprint))
        left_out = tuple(sorted(self.left_out.items(), key=lambda item: (-item[1], item[0])))
        return Gathered(queries=(*queries, *self.unreadable.values()), left_out=left_out)

    def _whole(self) -> Iterator[Statement]:
        """Yield the statements; of one with more variants than anybody wrote, the one that ran most stands for all."""
        crowds: dict[str, list[Statement]] = {}
        for statement in self.statements.values():
            if statement.key[0] in self.crowded:
                crowds.setdefault(statement.key[0], []).append(statement)
            else:
                yield statement
        for crowd in crowds.values():
            chosen = max(crowd, key=lambda s: s.executions)
            chosen.executions = sum(s.executions for s in crowd)
            yield chosen


_UNREADABLE = "texts that cannot be read"

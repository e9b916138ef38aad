"""SearchResult -> the engine's XML, its default format (havenask v0.3.0, ha3/common/XMLResultFormatter.cpp).

Names, order and nesting are the engine's. Its own at the end of Root: ``certificate`` and ``warning`` elements.
The answer is well-formed whatever the rows hold.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from gateway.plan_api import certificate_to_json
from gateway.values import VALUES_JOINED_BY, scalar_text, sort_text, text
from gateway.wanted import (
    Wanted,
    attribute_values,
    field_texts,
    group_key,
    group_value,
    sort_meta,
    trace_lines,
    variable_values,
)
from havengate.codes import HaCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from havengate.errors import HavengateError
    from havengate.types import Aggregation, Certificate, Hit, SearchResult

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<Root>\n'
_NO_ERROR = "<Error>\n\t<ErrorCode>0</ErrorCode>\n\t<ErrorDescription></ErrorDescription>\n</Error>\n"
# What XML 1.0 cannot hold (section 2.2); the engine writes a tab for a control character.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OTHER = re.compile("[\ud800-\udfff\ufffe\uffff]")


def answer_xml(result: SearchResult, wanted: Wanted, *, seconds: float) -> str:
    """A good answer. ``seconds`` is the time spent on the whole request."""
    trace = ""
    if wanted.trace:
        info = cdata("\n".join(trace_lines(result, wanted.notes)))
        trace = f"<Request_Trace>\n<trace_info>{info}</trace_info>\n</Request_Trace>\n"
    return "".join(
        [
            _HEAD,
            _time(seconds),
            f"<SortExprMeta>{cdata(sort_meta(wanted.sort))}</SortExprMeta>\n",
            _hits([_hit(hit, wanted, place) for place, hit in enumerate(result.hits, wanted.start)], result.total),
            _aggregates([_aggregate(found) for found in result.aggregations]),
            _NO_ERROR,
            trace,
            *map(_certificate, result.certificates),
            *(f"<warning>{cdata(warning)}</warning>\n" for warning in result.warnings),
            "</Root>\n",
        ]
    )


def error_xml(error: HavengateError, source: str, *, seconds: float) -> str:
    """One error inside the engine's general one, over a result without hits."""
    general = HaCode.GENERAL
    return "".join(
        [
            _HEAD,
            _time(seconds),
            f"<SortExprMeta>{cdata('')}</SortExprMeta>\n",
            _hits([], 0),
            _aggregates([]),
            f"<Error>\n\t<ErrorCode>{general}</ErrorCode>\n",
            f"\t<ErrorDescription>{cdata(general.phrase)}</ErrorDescription>\n",
            "<Error>\n\t<PartitionID></PartitionID>\n\t<HostName></HostName>\n",
            f"\t<ErrorCode>{int(error.code)}</ErrorCode>\n",
            f"\t<ErrorDescription>{cdata(error.pointed(source))}</ErrorDescription>\n</Error>\n",
            "</Error>\n</Root>\n",
        ]
    )


def cdata(value: str) -> str:
    """A CDATA section that reads back as the text, but for characters that XML 1.0 forbids.

    ``]]>`` is split over two sections, and a carriage return, which a parser would make a line feed, stands between.
    """
    split = _allowed(value).replace("]]>", "]]]]><![CDATA[>").replace("\r", "]]>&#13;<![CDATA[")
    return f"<![CDATA[{split}]]>"


def _allowed(value: str) -> str:
    return _OTHER.sub("\N{REPLACEMENT CHARACTER}", _CONTROL.sub("\t", value))


def _attribute(value: str) -> str:
    """Quoted for an element's attribute."""
    return quoteattr(_allowed(value), {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def _element(name: str, content: str) -> str:
    """Names of fields and virtual attributes are identifiers, which XML takes as they are."""
    return f"<{name}>{content}</{name}>"


def _time(seconds: float) -> str:
    return f"<TotalTime>{seconds:.3f}</TotalTime>\n"


def _hits(hits: list[str], total: int) -> str:
    head = f'<hits numhits="{len(hits)}" totalhits="{total}" coveredPercent="100.00">\n'
    return f"{head}{''.join(hits)}</hits>\n"


def _hit(hit: Hit, wanted: Wanted, place: int) -> str:
    """``docid`` is the hit's place in the whole result: rows have no number of their own here."""
    fields = field_texts(hit) if wanted.summary else {}
    sort_values = "; ".join(map(sort_text, hit.sort_values))
    return "".join(
        [
            f'\t<hit cluster_name={_attribute(wanted.table)} hash_id="0" docid="{place}">\n',
            "\t\t<fields>\n",
            *(f"\t\t\t{_element(name, cdata(value))}\n" for name, value in fields.items()),
            "\t\t</fields>\n\t\t<property>\n\t\t</property>\n",
            _block("attribute", attribute_values(hit, wanted.attributes)),
            _block("variableValue", variable_values(hit)),
            f"\t\t<sortExprValues>{_plain(sort_values)}</sortExprValues>\n",
            f"\t\t<raw_pk>{cdata(hit.pk)}</raw_pk>\n\t</hit>\n",
        ]
    )


def _block(tag: str, values: Mapping[str, list[Any]]) -> str:
    """Numbers bare, joined by blanks, as the engine writes them; texts in one CDATA section, joined as in fields."""
    if not values:
        return ""
    lines = [f"\t\t\t{_element(name, _typed(items))}\n" for name, items in values.items()]
    return f"\t\t<{tag}>\n{''.join(lines)}\t\t</{tag}>\n"


def _typed(items: list[Any]) -> str:
    if all(isinstance(item, int | float) for item in items):
        return " ".join(map(scalar_text, items))
    return cdata(VALUES_JOINED_BY.join("" if item is None else text(item) for item in items))


def _aggregates(found: list[str]) -> str:
    return f"<AggregateResults>\n{''.join(found)}</AggregateResults>\n"


def _aggregate(found: Aggregation) -> str:
    """Each value under its function's short name, in the request's order, as the engine writes them."""
    groups = []
    for group in found.groups:
        values = "".join(
            f"<{function.name}>{'' if value is None else _plain(scalar_text(value))}</{function.name}>"
            for function, value in zip(found.aggregate.functions, group.values, strict=True)
        )
        groups.append(f"\t\t<group value={_attribute(group_value(group))}>{values}</group>\n")
    key = _attribute(group_key(found.aggregate))
    return f"\t<AggregateResult key={key}>\n{''.join(groups)}\t</AggregateResult>\n"


def _plain(value: str) -> str:
    return escape(_allowed(value), {"\r": "&#13;"})


def _certificate(certificate: Certificate) -> str:
    values = certificate_to_json(certificate)
    return f"<certificate {' '.join(f'{name}={_attribute(str(value))}' for name, value in values.items())}/>\n"

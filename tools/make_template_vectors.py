#!/usr/bin/env python3
"""Renders small templates with Python's Jinja2, set up as Hugging Face sets it up, into tests/data/templates/*.json.

    pip install jinja2==3.1.6
    tools/make_template_vectors.py tests/data/templates

Each file holds cases of one subject: {"template": ..., "context": {...}, "expected": ...} or, where Python raises, {"error": "TypeError: ..."}.
A template that would give a different text on every run (addresses, hashes) has no place here.
"""

import copy
import datetime
import itertools
import json
import pathlib
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


class TemplateDict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)


class TemplateNamespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attrs = dict(*args, **kwargs)
        for name in attrs:
            TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__init__(self, attrs)

    def __setitem__(self, name, value):
        TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError("underscore-prefixed attribute")


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    now = datetime.datetime(2024, 7, 26, 13, 5, 9)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = now.strftime
    env.globals["dict"] = TemplateDict()
    env.globals["namespace"] = TemplateNamespace
    return env


CONTEXT = {
    "n": 7, "zero": 0, "neg": -3, "f": 2.5, "big": 12345678901, "t": True, "no": False, "nothing": None,
    "s": "Hello, World", "empty": "", "multi": "one\n  two\n\nthree\n", "uni": "Größe ſtraße ΑΣ 日本 😀", "html": "<a href='x'>1 & 2</a>",
    "nums": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", None, True, 2.5, [1], {"k": "v"}], "none_list": [],
    "d": {"b": 1, "a": [1, 2], "c": {"x": None, "items": 5}}, "pairs": [["a", 1], ["b", 2]],
    "people": [{"name": "Ann", "age": 31, "tags": ["x"]}, {"name": "bob", "age": 25, "tags": []}, {"name": "Cid", "age": 31}],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}, {"v": 5, "kids": []}],
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Yo"}],
}

VALUES = ["n", "zero", "neg", "f", "t", "nothing", "s", "empty", "uni", "nums", "words", "mixed", "none_list", "d", "missing", "range(3)", "(1, 'b')", "1e16", "0.1", "-0.0"]


def statements():
    yield from [
        "{% if n > 5 %}big{% elif n > 2 %}mid{% else %}small{% endif %}",
        "{% if n == 1 %}a{% elif n == 2 %}b{% elif n == 7 %}c{% else %}d{% endif %}",
        "{% if missing %}yes{% else %}no{% endif %}", "{%if not missing%}x{%endif%}",
        "{% for x in nums %}{{ x }},{% endfor %}", "{% for x in none_list %}{{ x }}{% else %}none{% endfor %}",
        "{% for x in missing %}{{ x }}{% else %}none{% endfor %}", "{% for x in n %}{% endfor %}",
        "{% for x in nums if x > 1 %}{{ loop.index }}:{{ x }} {% else %}none{% endfor %}",
        "{% for x in nums if x > 5 %}{{ x }}{% else %}none{% endfor %}",
        "{% for x in nums %}{{ loop.index }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.length }} {{ loop.depth }} {{ loop.depth0 }}\n{% endfor %}",
        "{% for x in nums if x != 1 %}{{ loop.revindex }}/{{ loop.length }}/{{ loop.last }};{% endfor %}",
        "{% for x in nums %}{{ loop.previtem }}-{{ x }}-{{ loop.nextitem }};{% endfor %}",
        "{% for x in nums %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
        "{% for x in words %}{{ loop.cycle('a', 'b', 'c') }}{% endfor %}", "{% for x in nums %}{{ loop.cycle() }}{% endfor %}",
        "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in [1, 1, 2] %}{% if loop.changed(x, 1) %}{{ x }}{% endif %}{% endfor %}",
        "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }};{% endfor %}", "{% for k, v in d | items %}{{ k }}{% endfor %}",
        "{% for a, b in pairs %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in nums %}{% endfor %}", "{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
        "{% for a, b in [[1]] %}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{% endfor %}", "{% for a, b in ['xy'] %}{{ b }}{{ a }}{% endfor %}",
        "{% for c in 'añ😀' %}[{{ c }}]{% endfor %}", "{% for x in range(10) %}{% if x == 3 %}{% continue %}{% endif %}{% if x == 6 %}{% break %}{% endif %}{{ x }}{% endfor %}",
        "{% for x in nums %}{% for y in nums %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
        "{% for x in nums %}{% set y = x %}{% endfor %}{{ y }}", "{% set y = 1 %}{% for x in nums %}{{ y }}{% set y = x %}{{ y }} {% endfor %}{{ y }}",
        "{% for x in nums %}{{ n }}{% endfor %}{% set n = 2 %}{{ n }}", "{% macro m() %}{{ n }}{% endmacro %}{{ m() }}{% set n = 2 %}{{ m() }}",
        "{% if no %}{% set n = 1 %}{% endif %}{{ n }}", "{% if t %}{% set n = 1 %}{% endif %}{{ n }}", "{% if no %}{% set q = 1 %}{% elif t %}{% set w = 2 %}{% endif %}{{ q }}{{ w }}",
        "{% for x in nums %}{% if loop.first %}{% set z = 'f' %}{% endif %}{{ z }}|{% endfor %}{{ z }}",
        "{% for node in tree recursive %}{{ loop.depth }}:{{ node.v }}{% if node.kids %}({{ loop(node.kids) }}){% endif %} {% endfor %}",
        "{% for node in tree %}{{ loop(node.kids) }}{% endfor %}", "{% for x in [1] %}{{ loop }}{% endfor %}", "{{ loop }}|{{ loop is defined }}",
        "{% for x in nums %}{% for y in [1] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
        "{% for x in nums %}{% set outer = loop %}{% for y in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
        "{% set a = 1 %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set (a, b) = nums[:2] %}{{ b }}{{ a }}", "{% set a, b = 1 %}",
        "{% set a %}x{{ n }}y{% endset %}[{{ a }}]", "{% set a | upper %}x{{ n }}y{% endset %}[{{ a }}]", "{% set a | replace('x', 'z') | upper %}xx{% endset %}{{ a }}",
        "{% set a %}{% set inner = 3 %}{{ inner }}{% endset %}{{ a }}{{ inner }}", "{% set ns = namespace(x=1) %}{% for i in nums %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace() %}{% set ns.a = [] %}{% for i in nums %}{% set ns.a = ns.a + [i] %}{% endfor %}{{ ns.a }}{{ ns.b }}|{{ ns }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}",
        "{% set n.x = 1 %}", "{% set missing.x = 1 %}", "{% set ns = namespace(_x=1) %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set ns = namespace(a=1) %}{% set ns.a, b = 3, 4 %}{{ ns.a }}{{ b }}",
        "{% set ns = namespace() %}{% set ns.text %}captured{% endset %}{{ ns.text }}",
        "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c='z') }} {{ m(b=5, a=6) }}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
        "{% macro m(a) %}{% endmacro %}{{ m(z=1) }}", "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "{% macro m(a=b, b=1) %}{{ a }}|{{ b }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}body{% endcall %}", "{% macro m() %}{{ caller('x', 2) }}{% endmacro %}{% call(a, b=1) m() %}{{ a }}{{ b }}{{ n }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{% if caller %}yes{% else %}no{% endif %}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}{% endcall %}", "{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}",
        "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m(x) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}", "{{ m(1) }}{% macro m(x) %}{{ x }}{% endmacro %}",
        "{% macro a() %}{% macro b() %}in{% endmacro %}{{ b() }}{% endmacro %}{{ a() }}", "{% macro m(x) -%}  {{ x }}  {%- endmacro %}[{{ m('q') }}]", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}",
        "{% filter upper %}abc{{ n }}{% endfilter %}", "{% filter replace('a', 'b') | indent(2, true) %}aaa\naa{% endfilter %}", "{% filter nope %}x{% endfilter %}", "{% with %}{% set q = 3 %}{{ q }}{% endwith %}{{ q }}",
        "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}", "{% raw %}{{ x }}{% if %}{% endraw %}", "a {%- raw -%} {{ b }} {%- endraw -%} c",
        "{% raw %}\n  x\n{% endraw %}\ny", "{# comment #}x{#- c -#} y {# {{ x }} #}", "{% generation %}{{ n }}{% endgeneration %}", "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q }}", "{% block a %}x{{ n }}{% endblock %}",
        "{% block a %}{% endblock %}{% block a %}{% endblock %}", "{% set q = 1 %}{% block a %}{{ q }}{% endblock a %}", "{% print n, s %}", "{% if %}x{% endif %}", "{% if n %}x", "{% endif %}", "{% for x in nums %}", "{% for in nums %}{% endfor %}", "{% nope %}",
        "{{ n", "{% if n", "{{ }}", "{% %}", "{# open", "{% raw %}x", "{{ n }", "{{ ( n }}", "{{ [1, 2 }}", "{{ 'abc }}", "{{ a b }}", "{{ 1 + }}", "{{ ? }}", "{{ n | nope }}", "{{ n is nope }}", "{% if no %}{{ n | nope }}{% endif %}ok",
        "{% if t %}{{ n | nope }}{% endif %}", "{{ (n | nope) if no else 'ok' }}", "{% break %}", "{% for x in nums %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% set loop = 1 %}{{ loop }}", "{% for loop in nums %}{% endfor %}", "{% set true = 1 %}",
        "{% set 'a' = 1 %}", "{% set a.b.c = 1 %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% do n %}", "{% if n:%}x{% endif %}", "{{ f(a=1, a=2) }}", "{% set x = n if t %}{{ x }}", "{% set x = n if no %}[{{ x }}]",
        "{% for x in nums recursive %}{{ x }}{% endfor %}", "{% for x in (1, 2) if t else 3 %}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for m in messages if m.role != 'system' %}{{ loop.index0 }}{{ m['content'] | trim }}{% endfor %}",
        "{% for x in nums %}{% else %}{% break %}{% endfor %}", "{% for y in nums %}{% for x in [] %}{% else %}{% break %}{% endfor %}{{ y }}{% endfor %}", "{% set x = 5 %}{% for x in nums %}{{ x }}{% endfor %}{{ x }}", "{% for x in nums %}{{ x }}{% endfor %}{{ x }}",
        "{% for i in range(3) %}{% set s = s ~ i %}{% endfor %}{{ s }}", "{{ raise_exception('stop: ' ~ n) }}", "{{ strftime_now('%d %b %Y %H:%M:%S %%') }}", "{{ strftime_now('%Y-%m-%d') }}{{ strftime_now('') }}", "{{ strftime_now(1) }}", "{% set x = raise_exception %}{{ x('a') }}",
    ]


def whitespace():
    tags = ["{{ n }}", "{{- n }}", "{{ n -}}", "{{- n -}}", "{% set a = 1 %}", "{%- set a = 1 %}", "{% set a = 1 -%}", "{%+ set a = 1 %}", "{% set a = 1 +%}", "{# c #}", "{#- c #}", "{# c -#}", "{#+ c +#}", "{% raw %} r {% endraw %}", "{%- raw -%} r {%- endraw -%}", "{{+ n }}"]
    frames = ["%s", "a%sb", " %s ", "\n%s\n", "x\n  %s  \ny", "x\n  %s\n  y\n", "\n\n  %s\n\n\n", "\t%s\n\n", "a %s\n %s b\n", "é\u00a0\n\u00a0%s\u2003b", "x\r\n  %s\r\ny\r\n", "x\r%s\ry\r"]
    for frame, tag in itertools.product(frames, tags):
        yield frame.replace("%s", tag)
    yield from ["x\n", "x\n\n", "\n", "", "\n\n", "a\r\n", "a\n\r", " {% if t %}\n  y\n {% endif %}\n z", "{% if t -%}\n  y\n{%- endif %}\n z", "{% for x in nums %}\n{{ x }}\n{% endfor %}\n", "  {%- for x in nums %}\n    {{- x }}\n  {%- endfor %}"]


def expressions():
    operators = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
    for (a, b), op in itertools.product(itertools.product(["7", "-3", "2.5", "0", "true", "none", "'ab'", "'%s!'", "[1, 2]", "(1,)", "{'ab': 1}", "missing"], repeat=2), operators):
        if op == "**" and a == "-3" and b == "2.5":
            continue
        yield "{{ %s %s %s }}" % (a, op, b)
    yield from [
        "{{ 1 < 2 < 3 }}", "{{ 1 < 3 < 2 }}", "{{ 1 == 1.0 == true }}", "{{ 3 > 2 > 1 == 1 }}", "{{ not 1 == 2 }}", "{{ not not 1 }}", "{{ -n ** 2 }}", "{{ 2 ** 3 ** 2 }}", "{{ 2 ** -1 }}", "{{ -5 // 2 }}{{ -5 % 3 }}{{ 5 % -3 }}{{ -5.5 // 2 }}{{ 5.5 % -2 }}",
        "{{ 1 + 2 * 3 - 4 / 2 }}", "{{ (1 + 2) * 3 }}", "{{ 10 - 3 - 2 }}", "{{ 100 / 10 / 2 }}", "{{ 1 ~ 2 + 3 ~ 4 }}", "{{ 'a' ~ 1 * 2 ~ none }}", "{{ 1 if t else 2 }}", "{{ 1 if no else 2 if t else 3 }}", "{{ 1 if no }}", "{{ (1 if no) is defined }}", "{{ (1 if no).x }}",
        "{{ [1, 'a', none, true, 2.0, (1,), (), {'a': 1}, []] }}", "{{ {'a': 1, 2: 'b', none: [1], true: 0, 1.5: 2, (1, 2): 3} }}", "{{ {'a': 1, 'a': 2} }}", "{{ {1: 'a', true: 'b', 1.0: 'c'} }}", "{{ {[1]: 2} }}", "{{ (1, 2) }}{{ (1,) }}{{ () }}{{ 1, 2 }}", "{{ [1, 2,] }}{{ {'a': 1,} }}",
        "{{ 'it''s' }}", "{{ 'a' 'b' \"c\" }}", "{{ 'a\\nb\\t\\x41\\u00e9\\101\\\\ \\q \\'' }}", "{{ \"q\\\"q\" }}", "{{ ['it\\'s', \"a\\\"b\", 'both\\'\\\"', 'tab\\t', '\\x00\\x7f\\u200b\\U0001f600é'] }}", "{{ 'é\\é' }}", 
        "{{ 1_000 }}{{ 0x1F }}{{ 0b101 }}{{ 0o17 }}{{ 1e3 }}{{ 1.5e-7 }}{{ 1_0.2_5 }}{{ 1E5 }}", "{{ 9223372036854775807 }}", "{{ .5 }}", "{{ 1. }}", "{{ 1.e5 }}", "{{ 00 }}", "{{ 007 }}",
        "{{ nums[0] }}{{ nums[-1] }}{{ nums[5] }}{{ nums['x'] }}{{ nums.0 }}{{ nums[true] }}", "{{ nums[1:] }}{{ nums[:1] }}{{ nums[::-1] }}{{ nums[::2] }}{{ nums[-2:] }}{{ nums[5:] }}{{ nums[:-5] }}{{ nums[2:0:-1] }}{{ nums[:] }}", "{{ uni[0:3] }}{{ uni[-1] }}{{ uni[::-1] }}{{ uni[7] }}{{ uni[100] }}", "{{ nums[::0] }}",
        "{{ nums['a':] }}", "{{ s[1:4] }}{{ s[-5:-1] }}{{ s[::3] }}", "{{ d.b }}{{ d['b'] }}{{ d.zz }}{{ d['zz'] }}{{ d.c.x }}{{ d.c['items'] }}", "{{ d.c.items is callable }}{{ d.c['items'] }}", "{{ d.zz.yy }}", "{{ missing.x }}", "{{ missing['x'] }}", "{{ missing() }}", "{{ nothing.x }}{{ nothing.x.y }}",
        "{{ d.items() | list }}{{ d.keys() | list }}{{ d.values() | list }}", "{{ d.keys() }}{{ d.values() }}{{ d.items() }}", "{{ d.get('b') }}{{ d.get('q') }}{{ d.get('q', 9) }}", "{{ d.items()[0] }}", "{{ d.keys() | length }}{{ 'b' in d.keys() }}{{ 1 in d.values() }}", "{{ d[1, 2] }}", "{{ {(1, 2): 3}[1, 2] }}",
        "{{ s.__class__ }}", "{{ s.__class__.__mro__ }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ [].__class__ }}|{{ [].__class__ is defined }}", "{{ nums.append(4) }}", "{{ nums.append }}", "{{ d.update({}) }}", "{{ d.pop('b') }}", "{{ nums.sort() }}", "{{ d.__len__() }}", "{{ n.__add__(1) }}", "{{ range.__call__(3) }}",
        "{{ s._private }}", "{{ d._x }}", "{{ {'_x': 1}._x }}", "{{ {'_x': 1}['_x'] }}", "{{ n() }}", "{{ s() }}", "{{ s.nope() }}", "{{ n.real }}{{ f.real }}{{ n.bit_length() }}{{ f.is_integer() }}",
        "{{ dict(a=1, b=2) }}{{ dict([['x', 1]]) }}{{ dict({'a': 1}, b=2) }}{{ dict(pairs) }}", "{{ dict(1) }}", "{{ dict([1]) }}", "{{ range(5) | list }}{{ range(2, 5) | list }}{{ range(5, 0, -2) | list }}{{ range(0) | list }}", "{{ range(3) }}{{ range(1, 5, 2) }}{{ range(3)[1] }}{{ range(3)[-1] }}{{ range(10)[2:5] }}{{ range(3) | length }}",
        "{{ range(1, 2, 0) }}", "{{ range('a') }}", "{{ range(200000) }}", "{{ range(2.0) }}", "{{ 3 in range(5) }}{{ 7 in range(5) }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.current }}", "{{ cycler() }}", "{% set j = joiner('; ') %}{{ j() }}a{{ j() }}b{{ j() }}c",
        "{% set j = joiner() %}{{ j() }}a{{ j() }}b", "{{ f(1) }}", "{{ range(*[1, 4]) | list }}", "{{ dict(**{'a': 1}) }}", "{{ dict(**n) }}", "{{ range(*n) }}", "{{ [1, 2] == [1, 2] }}{{ (1, 2) == [1, 2] }}{{ {'a': 1} == {'a': 1.0} }}{{ 'a' < 'b' }}{{ [1, 2] < [1, 3] }}", "{{ none < 1 }}", "{{ 'a' < 1 }}", "{{ [1] < ['a'] }}",
        "{{ missing == missing2 }}{{ missing != 1 }}{{ missing == none }}", "{{ missing < 1 }}", "{{ missing + 1 }}", "{{ 'a' + missing }}", "{{ -missing }}", "{{ missing ~ 'x' }}", "{{ -s }}", "{{ +n }}{{ +t }}{{ -t }}", "{{ 'a' in 'abc' }}{{ '' in '' }}{{ 1 in 'abc' }}", "{{ 1 in n }}", "{{ 'ab' * 3 }}{{ 3 * 'ab' }}{{ [1] * 2 }}{{ 'a' * -1 }}{{ 'a' * true }}",
        "{{ 'a' * 2.0 }}", "{{ true + true }}{{ true / 2 }}{{ 7 // 2.0 }}{{ 2 ** 0.5 }}{{ 2 ** 62 }}{{ (-2) ** 3 }}{{ 0 ** 0 }}", "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1.0 / 0 }}", "{{ 0 ** -1 }}", "{{ 1e308 * 10 }}{{ -1e308 * 10 }}", "{{ 1e400 }}", "{{ 0.1 + 0.2 }}{{ 1e16 }}{{ 123456789012345680.0 }}{{ 1e-5 }}{{ 0.0001 }}{{ 1.0 }}{{ 100.0 }}{{ 5e-324 }}{{ 1.7976931348623157e308 }}{{ 3.14 }}",
        "{{ '%s and %d' % ('x', 3) }}", "{{ '%5.2f|%-5s|%05d|%+d|%x|%X|%o|%e|%g|%%|%c|%r' % (3.14159, 'a', 42, 7, 255, 255, 8, 12345.678, 0.0001, 'z', 'q') }}", "{{ '%(a)s %(b)03d' % {'a': 1, 'b': 2} }}", "{{ '%s' % [1, 2] }}", "{{ '%s' % none }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % ('a',) }}", "{{ 'x' % 1 }}", "{{ '%d' % 3.99 }}{{ '%i' % true }}", "{{ '%.3s|%10s|%-10s|' % ('abcdef', 'r', 'l') }}", "{{ '%*d' % (5, 3) }}{{ '%.*f' % (2, 3.14159) }}", "{{ '%#x %#o' % (255, 8) }}{{ '% d' % 5 }}{{ '%.3d' % 7 }}{{ '%08.3f' % -3.14159 }}", "{{ '%q' % 1 }}", "{{ '%' % 1 }}", "{{ '%s' % 'a' 'b' }}",
    ]
    for v in VALUES:
        yield "{{ %s }}" % v
        yield "{{ [%s] }}" % v
        yield "{{ 'y' if %s else 'n' }}" % v


def tests():
    names = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable", "callable", "true", "false", "lower", "upper", "odd", "even", "escaped"]
    for v, name in itertools.product(VALUES, names):
        yield "{{ %s is %s }}" % (v, name)
    for a, b in itertools.product(["n", "'7'", "2.5", "nums", "missing", "none", "true"], ["7", "'a'", "2", "none"]):
        for name in ["eq", "equalto", "ne", "lt", "le", "gt", "ge", "greaterthan", "lessthan", "in", "divisibleby"]:
            yield "{{ %s is %s(%s) }}" % (a, name, b)
    yield from ["{{ n is not odd }}", "{{ n is divisibleby 7 }}", "{{ n is divisibleby(0) }}", "{{ 'a' is in 'abc' }}{{ 1 is in [1] }}{{ 'x' is in({'x': 1}) }}", "{{ none is sameas none }}{{ true is sameas(true) }}{{ n is sameas n }}{{ nums is sameas nums }}{{ [] is sameas [] }}{{ 1 is sameas true }}", "{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}{{ 'nope' is test }}",
                "{{ n is odd is even }}", "{{ nums is filter }}", "{{ d is test }}", "{{ (html | e) | list }}", "[{{ missing.__class__ }}]", "{{ missing.__class__.x }}", "{{ nums | truncate(9) }}", "{{ n | truncate(9) }}", "{{ (nothing | unique) is defined }}", "{{ (n | batch(2)) is defined }}", "{{ n is string or n is number }}", "{{ n is eq 7 and t }}", "{{ n is in nums or 3 is in nums }}", "{{ not n is defined }}", "{{ n is defined and missing is not defined }}", "{{ messages[0].content is string }}", "{{ x.y is defined }}", "{{ d.x.y is defined }}", "{{ range is callable }}{{ loop is callable }}", "{{ n is odd(1) }}", "{{ (n, s) is sequence }}{{ d.items() is sequence }}{{ d.keys() is iterable }}", "{{ nums | map('string') is iterable }}{{ nums | map('string') is sequence }}", "{{ n is eq }}"]


def filters():
    plain = ["abs", "capitalize", "center(9)", "count", "default('D')", "default('D', true)", "d", "dictsort", "e", "escape", "filesizeformat", "first", "float", "float(1.5)", "forceescape", "indent", "int", "int(5)", "items | list", "join", "join('-')", "last", "length", "list", "lower", "max", "min", "reverse | list", "round", "round(1)", "safe", "sort", "string", "striptags", "sum", "title", "tojson", "trim", "unique | list", "upper", "urlencode", "wordcount", "batch(2) | list", "slice(2) | list", "map('string') | list", "select | list", "reject | list", "string"]
    for v, f in itertools.product(VALUES, plain):
        yield "{{ %s | %s }}" % (v, f)
    yield from [
        "{{ s | replace('l', 'L') }}{{ s | replace('l', 'L', 1) }}{{ n | replace(7, 8) }}{{ s | replace('', '-') }}{{ s | replace('', '-', 3) }}", "{{ s | replace('l') }}", "{{ s | truncate(5) }}{{ s | truncate(8) }}{{ s | truncate(8, true) }}{{ s | truncate(8, leeway=0) }}{{ s | truncate(8, true, '..', 0) }}", "{{ s | truncate(2) }}",
        "{{ 'foo bar baz qux' | truncate(9) }}{{ 'foo bar baz qux' | truncate(9, true) }}{{ 'foo bar baz qux' | truncate(11) }}", "{{ multi | indent }}", "{{ multi | indent(2, true) }}|{{ multi | indent(2, false, true) }}|{{ multi | indent('> ') }}|{{ multi | indent(width=3, first=true, blank=true) }}", "{{ n | indent }}",
        "{{ 'a b c' | center(11) }}|{{ 'ab' | center(5) }}|{{ 'abc' | center(6) }}|", "{{ '  x ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ '\u00a0a\u2003' | trim }}|{{ 5 | trim }}", "{{ 'hello world foo-bar (baz) it\\'s' | title }}", "{{ uni | upper }}{{ uni | lower }}{{ uni | title }}{{ uni | capitalize }}{{ uni | length }}{{ uni | reverse }}",
        "{{ '42' | int }}{{ '4.7' | int }}{{ 'x' | int }}{{ 'x' | int(3) }}{{ '0x1f' | int(0, 16) }}{{ '1f' | int(base=16) }}{{ '101' | int(base=2) }}{{ ' 12 ' | int }}{{ '1_000' | int }}{{ 3.9 | int }}{{ -3.9 | int }}{{ true | int }}{{ none | int }}{{ [] | int(2) }}{{ '0b11' | int(0, 0) }}{{ '0o17' | int(0, 0) }}{{ '012' | int(0, 0) }}",
        "{{ '4.5' | float }}{{ 'x' | float }}{{ 'inf' | float }}{{ '-Infinity' | float }}{{ 'nan' | float }}{{ ' 1e3 ' | float }}{{ '1_0.5' | float }}{{ true | float }}{{ none | float(2) }}{{ '.5' | float }}{{ '5.' | float }}{{ '+3' | float }}", "{{ 2.5 | round }}{{ 3.5 | round }}{{ -2.5 | round }}{{ 2.675 | round(2) }}{{ 1234.567 | round(-2) }}{{ 7 | round }}{{ 7 | round(2) }}{{ 15 | round(-1) }}{{ 25 | round(-1) }}{{ 35 | round(-1) }}",
        "{{ 2.1 | round(0, 'ceil') }}{{ 2.9 | round(0, 'floor') }}{{ 2.123 | round(2, 'ceil') }}{{ 2.129 | round(2, method='floor') }}{{ 1234 | round(-2, 'floor') }}{{ 2 | round(1, 'nope') }}", "{{ 42.55 | round(1) }}{{ 42.55 | round | int }}{{ 1e300 | round(2) }}{{ 0.5 | round }}{{ 1.5 | round }}",
        "{{ nums | sort }}{{ nums | sort(reverse=true) }}{{ nums | sort(true) }}{{ words | sort }}{{ words | sort(case_sensitive=true) }}{{ words | sort(reverse=true, case_sensitive=true) }}{{ people | sort(attribute='age') | map(attribute='name') | join(',') }}{{ people | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }}", "{{ mixed | sort }}",
        "{{ words | unique | list }}{{ words | unique(true) | list }}{{ people | unique(attribute='age') | map(attribute='name') | list }}{{ [1, 1.0, true, '1'] | unique | list }}", "{{ nums | min }}{{ nums | max }}{{ words | min }}{{ words | max }}{{ words | max(case_sensitive=true) }}{{ people | max(attribute='age') }}{{ [] | min }}|{{ 'hello' | max }}",
        "{{ nums | sum }}{{ nums | sum(start=10) }}{{ people | sum(attribute='age') }}{{ [[1], [2]] | sum(start=[]) }}{{ [] | sum }}{{ [1.5, 2] | sum }}", "{{ ['a'] | sum }}", "{{ people | groupby('age') | list }}", "{% for age, who in people | groupby('age') %}{{ age }}:{{ who | map(attribute='name') | join('+') }};{% endfor %}", "{% for g in people | groupby('age') %}{{ g.grouper }}{{ g.list | length }}{{ g[0] }}{% endfor %}", "{{ people | groupby('tags', default=[]) | length }}", "{{ words | groupby('0') | map('first') | list }}", "{{ people | groupby('name', case_sensitive=true) | map(attribute='grouper') | list }}", "{{ people | groupby('zz') }}",
        "{{ people | map(attribute='name') | list }}{{ people | map(attribute='tags.0') | list }}{{ people | map(attribute='zz', default='-') | list }}{{ words | map('upper') | list }}{{ words | map('replace', 'p', 'q') | list }}{{ nums | map('round', 1) | list }}{{ pairs | map('first') | list }}{{ pairs | map(attribute=1) | list }}", "{{ words | map('nope') | list }}", "{{ words | map | list }}", "{{ words | map(foo=1) | list }}", "{{ words | map(attribute='x', foo=1) | list }}", "{{ people | map(attribute='name', default='x') | join }}",
        "{{ nums | select('odd') | list }}{{ nums | select('gt', 1) | list }}{{ nums | reject('odd') | list }}{{ mixed | select('string') | list }}{{ mixed | reject('none') | list }}{{ nums | select('in', [1, 2]) | list }}", "{{ nums | select('nope') | list }}", "{{ people | selectattr('tags') | map(attribute='name') | list }}{{ people | selectattr('age', 'eq', 31) | map(attribute='name') | list }}{{ people | rejectattr('age', 'gt', 30) | map(attribute='name') | list }}{{ people | selectattr('tags', 'defined') | list | length }}{{ people | rejectattr('tags') | list | length }}", "{{ people | selectattr | list }}", "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "{{ (messages | selectattr('role', '==', 'user') | first).content }}",
        "{{ nums | map('string') | length }}", "{{ nums | map('string') | tojson }}", "{{ (nums | select('gt', 5)) and 1 }}", "{% set g = nums | map('string') %}{{ g | first }}{{ g | list }}{{ g | list }}", "{{ nums | reverse | length }}", "{{ nums | reverse | first }}{{ d | reverse | list }}{{ range(3) | reverse | list }}", "{{ n | reverse }}", "{{ nums | last }}{{ d | last }}{{ 'abc' | last }}{{ range(3) | last }}{{ [] | last }}|{{ [] | first }}|{{ d.items() | last }}", "{{ nums | map('abs') | last }}",
        "{{ d | dictsort }}{{ {'b': 2, 'A': 1, 'c': 0} | dictsort }}{{ {'b': 2, 'A': 1, 'c': 0} | dictsort(true) }}{{ {'b': 2, 'A': 1} | dictsort(by='value') }}{{ {'b': 2, 'A': 1} | dictsort(false, 'key', true) }}", "{{ d | dictsort(by='x') }}", "{{ nums | batch(2) | list }}{{ nums | batch(2, 'x') | list }}{{ nums | batch(5, 0) | list }}{{ range(7) | batch(3) | map('join') | list }}{{ range(7) | slice(3) | list }}{{ range(7) | slice(3, 'x') | list }}{{ nums | slice(5) | list }}", "{{ nums | slice(0) | list }}",
        "{{ nums | join(', ') }}{{ people | join('-', attribute='name') }}{{ mixed | join('|') }}{{ 'abc' | join('.') }}{{ d | join(',') }}{{ nums | join(1) }}", "{{ html | e }}{{ html | escape | escape }}{{ html | forceescape }}{{ (html | e) + '<b>' }}{{ '<b>' + (html | e) }}{{ (html | e) ~ '<b>' }}{{ html | e | upper }}{{ (html | safe) + '<' }}{{ html | striptags }}{{ [html | e] }}{{ (html | e) is escaped }}", "{{ ('<%s>' | safe) % '<' }}{{ ('<{}>' | safe).format('<') }}{{ ('-' | safe).join(['<', '>']) }}{{ (',' | e).join([1, '<']) }}{{ ('<' | safe) * 2 }}{{ ('a<' | safe)[1] }}{{ ('<a>' | safe).replace('a', '<') }}{{ ('x' | e) | tojson }}", "{{ '<!-- c --> <b>a</b>  \n b &amp; c' | striptags }}",
        "{{ 'a b&c/d?é=1' | urlencode }}{{ {'a': 1, 'b c': 'd&e'} | urlencode }}{{ [['x', 'y z']] | urlencode }}{{ 5 | urlencode }}", "{{ {'class': 'a b', 'id': none, 'x': '<'} | xmlattr }}|{{ {'a': 1} | xmlattr(false) }}|{{ {} | xmlattr }}", "{{ {'a b': 1} | xmlattr }}", "{{ 'one two, three-four it\\'s' | wordcount }}{{ '' | wordcount }}{{ uni | wordcount }}", "{{ 'The quick brown fox jumps over the lazy dog' | wordwrap(15) }}|{{ 'aaaaaaaaaaaaaaaaaaaa bb' | wordwrap(8) }}|{{ 'aaaaaaaaaaaaaaaaaaaa bb' | wordwrap(8, false) }}|{{ 'well-known self-made-man' | wordwrap(8) }}|{{ 'a b\nc  d' | wordwrap(3, wrapstring='/') }}",
        "{{ 999 | filesizeformat }}{{ 1000 | filesizeformat }}{{ 1536 | filesizeformat(true) }}{{ 123456789 | filesizeformat }}{{ 1 | filesizeformat }}{{ '3000' | filesizeformat }}{{ 1e30 | filesizeformat }}", "{{ '%s-%s' | format('a', 1) }}{{ '%(x)s' | format(x=3) }}{{ '%d%%' | format(5) }}", "{{ '%s' | format(1, x=2) }}", "{{ '%s' | format }}", "{{ d | attr('b') }}|{{ n | attr('real') }}|{{ 'x' | attr('__class__') }}", "{{ -5 | abs }}{{ (-5) | abs }}{{ 2.5 | abs }}{{ true | abs }}",
        "{{ d | tojson }}{{ mixed | tojson }}{{ uni | tojson }}{{ uni | tojson(ensure_ascii=true) }}{{ '\"\\\\/\\n\\x01\\x7f\u2028' | tojson }}", "{{ d | tojson(indent=2) }}", "{{ d | tojson(indent=0) }}|{{ d | tojson(indent='--') }}|{{ [] | tojson(indent=2) }}{{ {} | tojson(indent=2) }}{{ [[], {}] | tojson(indent=1) }}", "{{ d | tojson(separators=(',', ':')) }}{{ d | tojson(sort_keys=true) }}{{ d | tojson(indent=4, sort_keys=true, separators=(',', ': ')) }}{{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}", "{{ {(1, 2): 3} | tojson }}", "{{ {1: 2, 'a': 3} | tojson(sort_keys=true) }}", "{{ missing | tojson }}", "{{ {'a': missing} | tojson }}", "{{ range(3) | tojson }}", "{{ d.items() | tojson }}", "{{ namespace() | tojson }}", "{{ (1, 2) | tojson }}{{ 1.0 | tojson }}{{ 1e400 | tojson }}{{ '<>&\\'' | tojson }}{{ true | tojson }}{{ none | tojson }}", "{{ people | tojson(indent=2) | indent(2) }}", "{{ html | tojson | safe }}", "{{ 'a' + (d | tojson | safe) }}",
        "{{ missing | default }}|{{ missing | default('x') }}|{{ '' | default('x') }}|{{ '' | default('x', true) }}|{{ none | default('x') }}|{{ none | d('x', boolean=true) }}|{{ d.q | default(d.b) }}|{{ d.q.r | default('z') }}", "{{ n | upper(1) }}", "{{ s | trim(foo=1) }}", "{{ s | indent(1, 2, 3, 4) }}", "{{ s | first | upper ~ 'x' }}", "{{ -1 | abs }}", "{{ nums | map('int') | sum / 2 }}", "{{ nums | length > 2 }}", "{{ s | upper | lower | title | replace('W', 'w') }}", "{{ {'a': 1} | items | list }}{{ missing | items | list }}", "{{ nums | items | list }}", "{{ s | list }}{{ d | list }}{{ n | list }}", "{{ n | string + 'x' }}{{ none | string }}{{ [1, 'a'] | string }}", "{{ x | default([]) | length }}", "{{ messages[0]['content'] | trim ~ '!' }}", "{{ messages | map(attribute='role') | join(' ') }}", "{{ (messages | last).role }}{{ messages[-1:] | first | tojson }}",
    ]


def methods():
    calls = ["upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", "lstrip()", "rstrip()", "strip('Ho')", "lstrip('H')", "rstrip('d ')", "split()", "split(',')", "split('l')", "split('l', 1)", "split(None, 1)", "split(maxsplit=1)", "rsplit('l', 1)", "rsplit(None, 1)", "rsplit()", "rsplit('l')", "splitlines()", "splitlines(true)", "startswith('H')", "startswith(('x', 'H'))", "startswith('e', 1)", "endswith('d')", "endswith(('x', 'ld'))", "find('l')", "find('l', 5)", "find('zz')", "rfind('l')", "index('o')", "rindex('o')", "count('l')", "count('')", "count('l', 4)", "replace('l', 'L')", "replace('l', 'L', 1)", "replace('', '.')", "join(['a', 'b'])", "join('xyz')", "partition(', ')", "partition('zz')", "rpartition('o')", "rpartition('zz')", "removeprefix('He')", "removesuffix('ld')", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()", "isidentifier()", "isascii()", "isprintable()", "ljust(15, '.')", "rjust(15)", "center(15, '*')", "center(16)", "zfill(15)", "expandtabs(4)", "format(1)", "strip(none)"]
    for v, c in itertools.product(["s", "empty", "uni", "multi", "'  a b  c  '", "'ABC'", "'abc1'", "'12'", "'Ab Cd'", "'-7'", "'a\\tb'", "'\\n\\r\\nx\\x0by\\u2028z'", "'llll'"], calls):
        yield "{{ %s.%s }}" % (v, c)
    yield from [
        "{{ s.index('zz') }}", "{{ s.split('') }}", "{{ s.strip(1) }}", "{{ s.startswith(1) }}", "{{ s.startswith(['H']) }}", "{{ s.join([1]) }}", "{{ s.join(1) }}", "{{ s.replace('a') }}", "{{ s.upper(1) }}", "{{ s.zfill('a') }}", "{{ s.center(20, 'ab') }}", "{{ s.find(1) }}", "{{ s.count('l', -5, -1) }}{{ s.find('o', -5) }}{{ s.find('H', 0, 0) }}{{ s.find('', 20) }}{{ s.endswith('o', 0, 5) }}",
        "{{ '{} {}'.format(1, 'a') }}{{ '{1}{0}'.format('a', 'b') }}{{ '{x}{y!r}'.format(x=1, y='q') }}{{ '{0.real}{1[0]}{2[a]}'.format(5, [7], {'a': 8}) }}{{ '{{}}'.format() }}{{ '{:>6}|{:<6}|{:^6}|{:*^7}'.format('a', 'b', 'c', 'd') }}", "{{ '{:5d}|{:05d}|{:+d}|{:,}|{:x}|{:#x}|{:b}|{:o}|{:_}'.format(42, 42, 42, 1234567, 255, 255, 5, 8, 1234567) }}", "{{ '{:.2f}|{:10.3f}|{:e}|{:g}|{:%}|{:.1%}|{:,.2f}|{:n}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.5, 0.256, 1234567.891, 5) }}", "{{ '{:.3}|{:10}|{:<10}|{!s:>5}'.format('abcdef', 1, 2, none) }}", "{{ '{:{}}'.format('a', 5) }}{{ '{:{w}.{p}f}'.format(3.14159, w=8, p=2) }}", "{{ '{}'.format() }}", "{{ '{x}'.format() }}", "{{ '{'.format() }}", "{{ '}'.format() }}", "{{ '{:d}'.format('a') }}", "{{ '{:q}'.format(1) }}", "{{ '{0}{}'.format(1, 2) }}", "{{ '{.__class__}'.format(1) }}", "{{ '{.__class__.__mro__}'.format('') }}", "{{ '{:c}'.format(97) }}{{ '{:.2f}'.format(1) }}{{ '{:d}'.format(true) }}{{ '{}'.format(true) }}{{ '{:.3}'.format(3.14159) }}{{ '{:5}|'.format(2.5) }}{{ '{:>5}|{:05.1f}'.format(none | string, -2.345) }}", "{{ '{a}'.format_map({'a': 1}) }}", "{{ '{!z}'.format(1) }}",
        "{{ nums.index(2) }}{{ nums.count(1) }}{{ (1, 2, 1).count(1) }}{{ (1, 2).index(2) }}{{ nums.copy() }}", "{{ nums.index(9) }}", "{{ d.copy() }}{{ d.items() | length }}", "{{ d.get() }}", "{{ d.keys(1) }}", "{{ d.get([]) }}", "{{ 'a,b;c'.split(',')[1].split(';')[0] }}", "{{ messages[0].content.split(' ')[-1].strip('.') }}", "{{ 'x</think>y'.split('</think>')[-1].lstrip('\\n') }}{{ ('a' ~ 'b').upper() }}", "{{ 'aXbXc'.rsplit('X', 1) }}{{ 'aaa'.replace('a', 'b', 2) }}{{ 'aaa'.rsplit('aa', 1) }}{{ 'aaaa'.split('aa') }}", "{{ s.upper().lower().title() }}", "{{ s['upper']() }}", "{% set u = s.upper %}{{ u() }}", "{{ d.b.upper() }}", "{{ nums.upper() }}", "{{ none.upper() }}", "{{ 'ß'.upper() }}{{ 'ß'.title() }}{{ 'ŉ'.upper() }}{{ 'ﬁx'.upper() }}{{ 'ﬁx'.capitalize() }}{{ 'İ'.lower() | length }}{{ 'ΑΣ ΑΣΑ'.lower() }}{{ 'ǆ'.title() }}{{ 'ᾳ'.upper() }}", "{{ '²'.isdigit() }}{{ 'Ⅷ'.isnumeric() }}{{ '٣'.isdecimal() }}",
    ]


GROUPS = {"statements": statements, "whitespace": whitespace, "expressions": expressions, "tests": tests, "filters": filters, "methods": methods}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in GROUPS.items():
        env = environment()
        cases = []
        for source in dict.fromkeys(make()):
            case = {"template": source}
            try:
                text = env.from_string(source).render(**copy.deepcopy(CONTEXT))  # `indent` of a list changes it
                text.encode("utf-8")
            except Exception as error:
                case["error"] = f"{type(error).__name__}: {error}"
            else:
                if " at 0x" in text or "<built-in" in text:
                    continue
                case["expected"] = text
            cases.append(case)
        lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
        context = json.dumps(CONTEXT, ensure_ascii=False)
        (folder / f"{name}.json").write_text(f'{{"context": {context},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")
        print(f"{name}: {len(cases)} cases, {sum('error' in c for c in cases)} of them errors")


if __name__ == "__main__":
    main()

"""What a stranger may write: text that means something to Argo Workflows, to a shell, or to nobody."""

from __future__ import annotations

import sys
from collections.abc import Iterator

TEXTS = {
    "an expression": "{{=1+1}}",
    "a variable": "{{workflow.name}}",
    "a variable with blanks": "{{ workflow.parameters.event }}",
    "a variable of the step": "{{inputs.parameters.event}}",
    "a variable that is not there": "{{inputs.parameters.nothing}} {{item}} {{steps.x.outputs.result}}",
    "the environment": '{{=sprig.env("HOME")}} {{=sprig.expandenv("$HOME")}}',
    "a decoder": "{{=sprig.b64dec('e3s9MSsxfX0=')}} {{=jsonpath(workflow.parameters.event, '$.action')}}",
    "three braces": "{{{",
    "four braces": "{{{{=1+1}}}}",
    "a mark that is open": "{{",
    "a mark that is closed": "}} {{=1+1",
    "a brace at the end": "{=1+1}}{",
    "an escaped brace": "{\\u007b=1+1}} \\u007b\\u007b=1+1}} &#123;&#123;",
    "braces of a workflow file": "${{ secrets.GITHUB_TOKEN }} {% raw %}{{ .Values.x }}{% endraw %}",
    "quotes": "\"a\" 'b' `c` \\\" \\' \\\\ \"}]}, '\"'",
    "lines": "one\ntwo\r\nthree\ttab\n\n",
    "a shell's substitution": "$(id) `id` ${HOME} $((1+1)) ; id | id && id > x & !! ~ * ? #",
    "an option": "-n",
    "a long option": "--help",
    "an option of git": "--upload-pack=touch${IFS}x",
    "a here document's end": "EOF\nid\nEOF\n",
    "another language": "naïve 日本語 العربية \N{ZERO WIDTH JOINER}\N{RIGHT-TO-LEFT OVERRIDE}",
    "a flag and a new emoji": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f 🐙 \U0001fae9",
    "line separators": "a\N{LINE SEPARATOR}b\N{PARAGRAPH SEPARATOR}c",
    "controls": "".join(chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))) + "x",
    "private and unassigned": "\ue000\uffff\ufffe\U000f0000\U0010ffff\U0003fffd",
    "no value": "<no value>",
    "null": "null",
    "markup": "<script>alert(1)</script> &amp; <!-- -->",
    "the longest comment": ('{{=1+1}} $(id) `\\"\n' * 4000)[:65_536],
    "the longest word": "x" * 65_536,
}


def characters() -> Iterator[str]:
    """Every character of the planes that Unicode has given something to, in texts of at most 8,192."""
    planes = (0, 1, 2, 3, 14)
    codes = [c for plane in planes for c in range(plane << 16, (plane + 1) << 16) if not 0xD800 <= c < 0xE000]
    assert codes[-1] <= sys.maxunicode
    for start in range(0, len(codes), 8_192):
        yield "".join(map(chr, codes[start : start + 8_192]))

"""The rule for an event that is too large for a Workflow, as Go templates that the Sensor runs over the delivery.

1. What fits is left as it is: at most EVENT_BYTES, as a Workflow holds it.
2. Else its texts and lists are cut: a text to its first 16 KiB, a list to its first 100; where that is not enough, to
   4 KiB and 20.
3. If it still does not fit, only the body's small members are left.

What was cut is named in the event's own member `REDUCED`, `{"bytes": …, "cut": ["commits", "commits[].message"]}`: the
size that the body had as JSON, and the path of each text and list that was cut, or by 3 the members that are gone. What
is there and not named is whole.
"""

from __future__ import annotations

from routes.limits import EVENT_BYTES, KIB

REDUCED = "github-to-argo/reduced"
"""The member of a reduced event that says so. GitHub's own have neither `-` nor `/`."""

CUTS = ((16 * KIB, 100), (4 * KIB, 20))
"""The bytes that a text is cut to, and the items that a list is: what is no larger as JSON is not looked into."""

LEVELS = 6
"""So many levels below the body, a list or object that would be looked into is emptied."""

NAMES = 50
NAME_BYTES = 200
"""More names, or a longer one, are not told: the event is then reduced to its small members."""

SMALL_BYTES = KIB
SMALL_MEMBERS = 25
"""Of a body's members, so many of at most this size as JSON always fit: no character becomes more than seven bytes."""

BEYOND = r"[\x{10000}-\x{10ffff}]"
"""A regular expression for what JSON spells as two surrogates: four bytes become fourteen in a Workflow."""

BODY = 'omit .Input.body "X-GitHub-Event" "X-GitHub-Delivery"'
"""A Go template's expression: the body as GitHub sent it."""

# The engine's templates have no functions of their own: what one finds it sets in the dict that it is given.
_WRITE = (
    '{{ define "write" }}'
    r'{{ $json := mustToJson .of | replace `{{` `{\u007b` | replace "\x7f" `\u007f` }}{{ $fits := false }}'
    f"{{{{ if le (len $json) {EVENT_BYTES} }}}}"
    f"{{{{ $more := mul 10 (len (regexFindAll `{BEYOND}` $json -1)) }}}}"
    f"{{{{ $fits = le (add (len (mustToJson $json)) $more) {EVENT_BYTES} }}}}{{{{ end }}}}"
    '{{ $_ := set . "json" $json }}{{ $_ := set . "fits" $fits }}{{ end }}'
)
"""Writes `.of` as JSON with nothing live in it to `.json`, and to `.fits` whether a Workflow can hold that."""

_LARGE = "gt (len (mustToJson {})) $s.bytes"

_CUT = (
    '{{ define "cut" }}{{ $s := .state }}{{ $path := .path }}{{ $level := .level }}{{ $value := .value }}'
    "{{ $cut := false }}"
    '{{ if kindIs "string" $value }}'
    # Whole characters: half a one is a U+FFFD to a regular expression.
    "{{ if gt (len $value) $s.bytes }}{{ $cut = true }}"
    r'{{ $value = regexReplaceAll `\x{fffd}{1,3}$` (trunc $s.bytes $value) "" }}{{ end }}'
    f"{{{{ else if ge $level {LEVELS} }}}}{{{{ $cut = true }}}}"
    '{{ if kindIs "slice" $value }}{{ $value = list }}{{ else }}{{ $value = dict }}{{ end }}'
    '{{ else if kindIs "slice" $value }}'
    "{{ if gt (len $value) $s.items }}{{ $cut = true }}{{ $value = slice $value 0 $s.items }}{{ end }}"
    "{{ $items := list }}{{ range $item := $value }}"
    f"{{{{ if {_LARGE.format('$item')} }}}}"
    '{{ template "cut" (dict "state" $s "value" $item "path" (print $path "[]") "level" (add1 $level)) }}'
    "{{ $item = $s.value }}{{ end }}{{ $items = append $items $item }}{{ end }}{{ $value = $items }}"
    "{{ else }}"
    f"{{{{ range $key, $member := $value }}}}{{{{ if {_LARGE.format('$member')} }}}}"
    '{{ $at := ternary $key (print $path "." $key) (eq $path "") }}'
    '{{ template "cut" (dict "state" $s "value" $member "path" $at "level" (add1 $level)) }}'
    "{{ $_ := set $value $key $s.value }}{{ end }}{{ end }}"
    "{{ end }}"
    "{{ if and $cut (not (has $path $s.cut)) }}"
    f"{{{{ if or (ge (len $s.cut) {NAMES}) (gt (len $path) {NAME_BYTES}) }}}}"
    '{{ $_ := set $s "untold" true }}'
    '{{ else }}{{ $_ := set $s "cut" (append $s.cut $path) }}{{ end }}{{ end }}'
    '{{ $_ := set $s "value" $value }}{{ end }}'
)
"""Sets `.state.value` to `.value` with what is large in it cut, and adds the paths of that to `.state.cut`."""

_REDUCE = (
    '{{ define "reduce" }}{{ $s := . }}{{ $body := .of }}{{ $bytes := len (mustToJson $body) }}'
    "{{ $small := dict }}{{ $gone := list }}{{ range $key, $member := $body }}"
    f"{{{{ if and (lt (len $small) {SMALL_MEMBERS}) (le (len (mustToJson (dict $key $member))) {SMALL_BYTES}) }}}}"
    "{{ $_ := set $small $key $member }}"
    f"{{{{ else if lt (len $gone) {NAMES} }}}}{{{{ $gone = append $gone (trunc 100 $key) }}}}{{{{ end }}}}{{{{ end }}}}"
    '{{ $_ := set $s "cut" list }}{{ $_ := set $s "untold" false }}'
    f"{{{{ range $cut := list {' '.join(f'(list {most} {items})' for most, items in CUTS)} }}}}"
    "{{ if not (or $s.fits $s.untold) }}"
    '{{ $_ := set $s "bytes" (index $cut 0) }}{{ $_ := set $s "items" (index $cut 1) }}'
    f'{{{{ $_ := unset $body "{REDUCED}" }}}}'
    '{{ template "cut" (dict "state" $s "value" $body "path" "" "level" 0) }}'
    f'{{{{ $_ := set $body "{REDUCED}" (dict "bytes" $bytes "cut" $s.cut) }}}}'
    '{{ template "write" $s }}{{ end }}{{ end }}'
    "{{ if or $s.untold (not $s.fits) }}"
    f'{{{{ $_ := set $small "{REDUCED}" (dict "bytes" $bytes "cut" $gone) }}}}'
    '{{ $_ := set $s "of" $small }}{{ template "write" $s }}{{ end }}{{ end }}'
)
"""Writes `.of` once more, reduced."""

_BEGIN = f'{_WRITE}{{{{ $event := dict "of" ({BODY}) }}}}{{{{ template "write" $event }}}}'

EVENT = (
    f"{_CUT}{_REDUCE}{_BEGIN}"
    '{{ if not $event.fits }}{{ template "reduce" $event }}{{ end }}{{ $json := $event.json }}'
)
"""Leaves the event as JSON, reduced if it must be, in `$json`. What lies beyond U+FFFF is yet to be spelled."""

SIZE = f"{_BEGIN}{{{{ if not $event.fits }}}}{{{{ len (mustToJson $event.of) }}}}{{{{ end }}}}"
"""The size of a body that is reduced; empty for any other."""

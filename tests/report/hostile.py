"""Prints a log whose every text would be more than text, if a page let it."""

import json

NASTY = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "</style></title></script><script>document.title='owned'</script>",
    "' onmouseover='document.title=1",
    "javascript:document.title='owned'",
    "\u202etxt.exe\u2066 \x1b[2J \x9b \x00",
    "{{x}} ${x} &lt;b&gt; &#60;b&#62;",
    "long" * 2000,
]

for n, text in enumerate(NASTY):
    line = {
        "v": 1,
        "tag": "weights",
        "tid": f"{n:016x}",
        "t_ns": 10**9 * n,
        "unix_ns": 1,
        "op": text,
        "target": text,
    }
    begin = {"name": "client.send", "url": f"http://h/{text}"}
    end = {"name": "client.done", "wall_us": 900_000 * (n + 1), "pool_us": 800_000 * (n + 1)}
    print(json.dumps(line | begin))
    print(json.dumps(line | end))

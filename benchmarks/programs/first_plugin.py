"""The smallest plugin: one stub, one call."""

import sys

import plugsvc


@plugsvc.service("bench")
def here(rss: int) -> None: ...


if sys.argv[1:] == ["info"]:
    print('{"manifestVersion":1,"name":"first","version":"1","commands":[{"path":["run"],"type":"bench"}]}')
else:
    here(0)  # everything is there now that will be
    with open("/proc/self/statm", encoding="ascii") as statm:
        here(int(statm.read().split()[1]))

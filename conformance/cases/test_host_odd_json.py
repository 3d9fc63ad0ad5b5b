"""Generated JSON that no two readers read alike."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.case import case
from conformance.cases.boundaries import LONG_INTEGERS
from conformance.drive.host import HostSession
from conformance.fuzz.batches import plans
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.unusual_json import UNUSUAL_HANDFULS, lone_surrogate, repeats_a_key
from conformance.outcomes import Failure


@case("FUZ-07", generated=True)
def test_odd_arguments(fuzz_host: Fuzz) -> None:
    """A call with odd JSON in it is answered in time, somehow, and the calls beside it with their results."""

    services = [name for name in ("echo", "echo_raw") if name == "echo" or fuzz_host.role.takes("raw")]

    def run(host: HostSession, example: tuple[bytes, list[str]]) -> int:
        plan, texts = example
        for number, byte in enumerate(plan):
            text = texts[byte % len(texts)]
            name = "add" if repeats_a_key(text) else services[byte // len(texts) % len(services)]
            args = f"[{text},1]" if name == "add" else f"[{text}]"
            sequence = host.call_raw(name, args.encode())
            if host.reply_or_end(sequence) is not None:
                host.results(host.call("add", number, 2), number + 2)
                continue
            if not lone_surrogate(text):
                raise Failure("legal JSON ended the connection", expected="a reply", seen=text[:200])
            host.spent = True
            host.disconnect(0)
            host.ended(why="a lone surrogate ended the connection", success=False)
            return 2 * number + 1
        return 2 * len(plan)

    fuzz_host.check(st.tuples(plans(16), UNUSUAL_HANDFULS), run)


@case("FUZ-07")
def test_long_integers(host: HostSession) -> None:
    """An integer of thousands of digits as an untyped argument is an error of that call, or comes back; no more."""
    for digits in LONG_INTEGERS:
        host.raw_reply(host.call_raw("echo", b'[{"a":[%b]}]' % digits.encode()))
        host.assert_alive()

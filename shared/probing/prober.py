"""One probe: connect, ask, and say in one word what came back."""

from __future__ import annotations

import asyncio

from shared.config.settings import Probing
from shared.domain.errors import DialError
from shared.domain.probes import Probe, ProbeResult, ProbeWord
from shared.ports import Connection, Dialer
from shared.probing.http_answer import HttpAnswer


async def probe(dialer: Dialer, ip: str, asked: Probe, probing: Probing) -> ProbeResult:
    """Probe an address once. Raises nothing. It ends after `probing.timeout` seconds of the event loop's clock."""
    clock = asyncio.get_running_loop().time
    begun, attempt = clock(), _Attempt(ip, asked)
    try:
        async with asyncio.timeout(probing.timeout):
            word = await attempt.run(dialer, min(probing.connect_timeout, probing.timeout))
    except DialError as error:
        word = error.word
    except TimeoutError:
        word = attempt.late_word
    finally:
        attempt.close()
    return ProbeResult(word, attempt.status, attempt.rtt_ms, clock() - begun)


class _Attempt:
    """A probe under way: what is known of it whenever it ends."""

    def __init__(self, ip: str, asked: Probe) -> None:
        self._ip, self._asked = ip, asked
        self._connection: Connection | None = None
        self._answer = HttpAnswer(ip, asked)

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def rtt_ms(self) -> float | None:
        return self._connection.rtt_ms if self._connection else None

    @property
    def late_word(self) -> ProbeWord:
        """What it means that there is no time left. The dialer itself ends an attempt to connect without TLS."""
        connecting = self._connection is None and not self._asked.tls
        return ProbeWord.CONNECT_TIMEOUT if connecting else ProbeWord.ANSWER_TIMEOUT

    async def run(self, dialer: Dialer, connect_seconds: float) -> ProbeWord:
        """Raise DialError, or TimeoutError from outside."""
        self._connection = await dialer.connect(self._ip, self._asked, connect_seconds)
        if not self._asked.path:
            return ProbeWord.OK
        request = self._answer.request()
        if request is None:
            return ProbeWord.LOCAL_FAULT
        await self._connection.write(request)
        while True:
            word = self._answer.feed(await self._connection.read(self._answer.room))
            if word:
                return word

    def close(self) -> None:
        """Leave no connection behind."""
        if self._connection:
            self._connection.close()

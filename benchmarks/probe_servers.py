"""The servers that `probe_round` probes, in a process of their own: `python -m benchmarks.probe_servers ALIVE DEAD`.

ALIVE addresses of 127.1/16 answer HTTP, on one port with TLS and on another without. DEAD addresses of 127.2/16 do not
answer: their sockets accept nothing and their queues are full, so that the kernel drops every further SYN. Prints one
line of JSON with the addresses and the ports, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys

import trustme

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
NAME = "llama.example"
BACKLOG = 512


def addresses(network: str, count: int) -> list[str]:
    """Return that many addresses below `127.N`."""
    return [f"{network}.{number // 200}.{number % 200 + 1}" for number in range(count)]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # A connection that was only opened, to be timed.
    finally:
        writer.close()


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(NAME).configure_cert(context)
    return context


def _full_queue(ip: str, port: int) -> list[socket.socket]:
    server = socket.socket()
    server.bind((ip, port))
    server.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex((ip, port))
    return [server, *waiting]


async def _serve(alive: list[str], context: ssl.SSLContext | None) -> asyncio.Server:
    """Serve all addresses on one port that is free on the first of them."""
    with socket.socket() as sock:
        sock.bind((alive[0], 0))
        port = sock.getsockname()[1]
    return await asyncio.start_server(_answer, alive, port, ssl=context, backlog=BACKLOG, reuse_address=True)


async def main(alive: list[str], dead: list[str]) -> None:
    """Serve until the standard input ends."""
    plain, secure = await _serve(alive, None), await _serve(alive, _tls())
    port, tls_port = (server.sockets[0].getsockname()[1] for server in (plain, secure))
    silent = [_full_queue(ip, each) for ip in dead for each in (port, tls_port)]
    sys.stdout.write(json.dumps({"alive": alive, "dead": dead, "port": port, "tls_port": tls_port}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for sock in (each for sockets in silent for each in sockets):
        sock.close()


if __name__ == "__main__":
    asyncio.run(main(addresses("127.1", int(sys.argv[1])), addresses("127.2", int(sys.argv[2]))))

"""`manyheads`, `python` and `torchrun` for tests and pages: hand the command to the fork server (server.py).

Started with `python -I -S`, so it imports only the standard library. The installation fills in {settings}.
"""

import json
import os
import resource
import signal
import socket
import sys

SOCKET = os.environ["MANYHEADS_FORK_SOCKET"]
PYTHON = os.environ["MANYHEADS_FORK_PYTHON"]
name = os.path.basename(sys.argv[0])  # noqa: PTH119 (pathlib takes half of this program's time)
arguments = sys.argv[1:]
if name == "torchrun":
    name, arguments = "python", ["-m", "torch.distributed.run", *arguments]
first = arguments[0] if arguments else "-"
if name == "python" and first.startswith("-") and first not in ("-m", "-c", "-P", "-u"):
    os.execv(PYTHON, [PYTHON, *arguments])
if name == "python" and arguments[:2] in (["-m", "pip"], ["-m", "venv"]):
    os.execv(PYTHON, [PYTHON, *arguments])

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.connect(SOCKET)
for number in FORWARDED:
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
request = {
    "kind": name,
    "argv": [name, *arguments],
    "cwd": os.getcwd(),  # noqa: PTH109
    "env": dict(os.environ),
    "python": os.path.join(os.path.dirname(sys.argv[0]), "python"),  # noqa: PTH118, PTH120
    "ignored": [number for number in FORWARDED if signal.getsignal(number) == signal.SIG_IGN],
    "file_size": resource.getrlimit(resource.RLIMIT_FSIZE),
}
data = (json.dumps(request) + "\n").encode()
sent = socket.send_fds(connection, [data], [0, 1, 2])
connection.sendall(data[sent:])
reply = connection.recv(64)
status = json.loads(reply or b"1")
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
    os.kill(os.getpid(), -status)
sys.exit(status)

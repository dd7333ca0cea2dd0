"""
What the tests of the command line tool share: running it, and a network of its own to run it in. Standard
library only. The tool is $ESTAB, else build/estab. A test file ends with `tool.main()`; it exits with 77
(skipped) where it needs root or a TUN device and there is none.
"""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ESTAB = os.path.abspath(os.environ.get("ESTAB", os.path.join(ROOT, "build", "estab")))
SKIPPED = 77
TIMEOUT = 60


def run(*arguments, data=None, timeout=TIMEOUT, prefix=(), **options):
    """`estab ARGUMENTS`: a CompletedProcess with bytes."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    if data is None and "stdin" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run([*prefix, ESTAB, *arguments], input=data, timeout=timeout, **options)


def records(output):
    """The lines of --json output; each must carry "v":1."""
    found = [json.loads(line) for line in output.decode().splitlines()]
    for record in found:
        assert record["v"] == 1, record
    return found


class Case(unittest.TestCase):
    """Assertions about how the tool ends."""

    def assert_fails(self, result, code, *words):
        """Exit code, one line on standard error with all these words, nothing on standard output."""
        text = result.stderr.decode()
        self.assertEqual((result.returncode, text.count("\n"), result.stdout), (code, 1, b""), text)
        for word in words:
            self.assertIn(word, text)

    def assert_succeeds(self, result):
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout


def can_make_networks():
    name = "estabtool%d-try" % os.getpid()
    made = subprocess.run(["ip", "netns", "add", name], stderr=subprocess.DEVNULL)
    if made.returncode != 0:
        return False
    tun = subprocess.run(["ip", "netns", "exec", name, "ip", "tuntap", "add", "try", "mode", "tun"],
                         stderr=subprocess.DEVNULL)
    subprocess.run(["ip", "netns", "del", name])
    return tun.returncode == 0


class Network:
    """
    A network namespace with a TUN device: the kernel is 10.9.0.1 and fd09::1, estab is 10.9.0.2 and
    fd09::2.
    `with Network() as network:` takes it away again, with everything that was started in it.
    """

    KERNEL4, KERNEL6, OURS4, OURS6 = "10.9.0.1", "fd09::1", "10.9.0.2", "fd09::2"

    def __init__(self, kind="tun"):
        self.name = "estabtool%d" % os.getpid()
        self.prefix = ["ip", "netns", "exec", self.name]
        self.device = kind + ":estab0"
        self.host = ["--dev", self.device, "--addr", "%s/24,%s/64" % (self.OURS4, self.OURS6)]
        self.kind = kind
        self.started = []

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.command("ip", "link", "set", "lo", "up")
            self.command("ip", "tuntap", "add", "estab0", "mode", self.kind)
            self.command("ip", "addr", "add", self.KERNEL4 + "/24", "dev", "estab0")
            self.command("ip", "addr", "add", self.KERNEL6 + "/64", "dev", "estab0", "nodad")
            self.command("ip", "link", "set", "estab0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        subprocess.run(["ip", "netns", "del", self.name])

    def command(self, *arguments, check=True, **options):
        """A program on the kernel's side."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        if "input" in options:
            del options["stdin"]
        return subprocess.run([*self.prefix, *arguments], check=check, timeout=TIMEOUT, **options)

    def start(self, *arguments, **options):
        """A program that goes on on the kernel's side."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([*self.prefix, *arguments], **options)
        self.started.append(process)
        return process

    def estab(self, command, *arguments, **options):
        """`estab COMMAND` on the device until it ends."""
        return run(command, *self.host, *arguments, prefix=self.prefix, **options)

    def start_estab(self, command, *arguments, **options):
        return self.start(ESTAB, command, *self.host, *arguments, **options)

    def wait_for_listener(self, port, timeout=10):
        """Until somebody on the kernel's side listens on the port."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.command("ss", "-Htln", "sport", "= :%d" % port).stdout:
                return
            time.sleep(0.02)
        raise AssertionError("nobody listens on port %d" % port)


def stop(process, number=signal.SIGINT):
    """Ends a process by a signal: (exit code, output, errors)."""
    process.send_signal(number)
    output, errors = process.communicate(timeout=TIMEOUT)
    return process.returncode, output, errors


def main(network=False):
    if not os.access(ESTAB, os.X_OK):
        print("%s is not there: build it, or set ESTAB" % ESTAB, file=sys.stderr)
        sys.exit(1)
    if network and not can_make_networks():
        print("skipped: network namespaces and TUN devices cannot be made here (root?)")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)

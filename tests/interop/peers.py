"""
What the interop tests share: a network of their own with one TUN or TAP device, the kernel's TCP on one
side of it and `estab` ($ESTAB, else build/estab) on the other.

The test process moves itself into a fresh network namespace for each test, so a socket that it makes is the
kernel's end, and into a mount namespace with a tmpfs for its files. Neither has a name: both vanish with
the processes in them, which are told to die with this one (setpriv), however it ends. Nothing is left to
clean up.
"""
import ctypes
import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ESTAB = os.path.abspath(os.environ.get("ESTAB", os.path.join(ROOT, "build", "estab")))
BUILD = os.path.abspath(os.environ.get("ESTAB_BUILD", os.path.join(ROOT, "build", "release")))
PYTHON = sys.executable

SKIPPED = 77
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
PRIVATE = "/dev/shm"  # where our tmpfs is mounted, seen by us alone

FAMILIES = (4, 6)
KERNEL = {4: "10.9.0.1", 6: "fd09::1"}
OURS = {4: "10.9.0.2", 6: "fd09::2"}
NOBODY = {4: "10.9.0.77", 6: "fd09::77"}
DEVICES = (("Tun", "tun", True), ("TunPlain", "tun", False), ("Tap", "tap", True), ("TapPlain", "tap", False))

# tcp_states.h
STATES = {name: number for number, name in enumerate(
    ("ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED",
     "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "NEW-SYN-RECEIVED"), 1)}

LIBC = ctypes.CDLL(None, use_errno=True)


def skip(reason):
    print("skip: " + reason)
    sys.exit(SKIPPED)


def unshare(flags):
    if LIBC.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, "unshare: " + os.strerror(code))


def command(*arguments):
    """A program that must succeed at once."""
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=20)
    if done.returncode != 0:
        raise AssertionError("%s: %s" % (" ".join(arguments), done.stdout.decode()))
    return done.stdout.decode()


def enter_network(kind):
    """A fresh namespace with the device estab0, for this process and what it starts from now on."""
    unshare(CLONE_NEWNET)
    command("ip", "link", "set", "lo", "up")
    command("ip", "tuntap", "add", "estab0", "mode", kind)
    # The kernel is to say nothing by itself: no link-local address, no router solicitation.
    write_setting("ipv6/conf/estab0/addr_gen_mode", 1)
    for name in ("all", "estab0"):
        write_setting("ipv4/conf/%s/rp_filter" % name, 0)
    command("ip", "addr", "add", KERNEL[4] + "/24", "dev", "estab0")
    command("ip", "addr", "add", KERNEL[6] + "/64", "dev", "estab0", "nodad")
    command("ip", "link", "set", "estab0", "up")


def write_setting(name, value):
    """A value below /proc/sys/net, which is that of our namespace."""
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as file:
        file.write("%d\n" % value)


def kernel_counters():
    """Tcp and TcpExt of the kernel in our namespace: {"RetransSegs": 0, ...}"""
    counters = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        with open(path, encoding="ascii") as file:
            lines = [line.split() for line in file]
        for names, values in zip(lines[::2], lines[1::2]):
            if names[0] in ("Tcp:", "TcpExt:"):
                counters.update(zip(names[1:], map(int, values[1:])))
    return counters


def kernel_states():
    """[(local port, remote port, state), ...] of the kernel's connections."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        found += [(int(row[1].split(":")[1], 16), int(row[2].split(":")[1], 16), int(row[3], 16))
                  for row in rows]
    return found


def digest(data):
    return hashlib.sha256(data).hexdigest()


def digest_of_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def url(address, port, path="/"):
    return "http://%s:%d%s" % ("[%s]" % address if ":" in address else address, port, path)


class Case(unittest.TestCase):
    """One test: a network, a directory, and processes that end with it."""

    kind, offload, family = "tun", True, 4
    limit = 30  # seconds for a test

    def setUp(self):
        signal.signal(signal.SIGALRM, self.too_slow)
        signal.alarm(self.limit)
        self.addCleanup(signal.alarm, 0)
        enter_network(self.kind)
        self.started = []
        self.directory = os.path.join(PRIVATE, "test")
        os.mkdir(self.directory)
        self.addCleanup(shutil.rmtree, self.directory)
        self.addCleanup(self.end_processes)

    def tearDown(self):
        """Whatever a test is about: the kernel found nothing broken in what we sent."""
        counters = kernel_counters()
        self.assertEqual((counters["InErrs"], counters["InCsumErrors"]), (0, 0))

    def too_slow(self, *_):
        raise TimeoutError("the test takes longer than %d s" % self.limit)

    def end_processes(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None and not stream.closed:
                    try:
                        stream.close()
                    except BrokenPipeError:
                        pass

    # ------------------------------------------------------------------------------------- processes
    @property
    def kernel(self):
        return KERNEL[self.family]

    @property
    def ours(self):
        return OURS[self.family]

    @property
    def host(self):
        return ["--dev", self.kind + ":estab0", "--addr", "%s/24,%s/64" % (OURS[4], OURS[6]),
                *([] if self.offload else ["--no-offload"])]

    def start(self, *arguments, **options):
        """A program that goes on; it dies with this process at the latest."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *arguments], **options)
        self.started.append(process)
        return process

    def run_program(self, *arguments, data=None, **options):
        """A program until it ends: a CompletedProcess with bytes."""
        if data is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*arguments, **options)
        output, errors = process.communicate(data, timeout=self.limit)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def estab(self, name, *arguments, **options):
        return self.run_program(ESTAB, name, *self.host, *arguments, **options)

    def start_estab(self, name, *arguments, **options):
        return self.start(ESTAB, name, *self.host, *arguments, **options)

    def serve(self, *arguments, directory=None):
        """`estab serve` on port 8080, of the test's directory."""
        server = self.start_estab("serve", *arguments, directory or self.directory)
        self.assertEqual(server.stdout.readline(), b"listening on *:8080\n")
        return server

    def nc_listen(self, *arguments, **options):
        """`estab nc -l` on port 7000; its input is a pipe."""
        options.setdefault("stdin", subprocess.PIPE)
        process = self.start_estab("nc", "-v", "-l", *arguments, "7000", **options)
        self.assertEqual(process.stderr.readline(), b"estab nc: listening on *:7000\n")
        return process

    def stop(self, process, number=signal.SIGINT):
        """Ends a process by a signal: its exit code, or minus the signal that it died of."""
        process.send_signal(number)
        return process.wait(timeout=20)

    def assert_succeeds(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_fails(self, done, code, *words):
        """The exit code, and one line on standard error with these words."""
        text = done.stderr.decode()
        self.assertEqual(done.returncode, code, text)
        self.assertEqual(text.count("\n"), 1, text)
        for word in words:
            self.assertIn(word, text)

    # -------------------------------------------------------------------------------------- the rest
    def make_file(self, name, size):
        """A file of random bytes: its digest."""
        sum_of_all = hashlib.sha256()
        with open(os.path.join(self.directory, name), "wb") as file:
            for begin in range(0, size, 1 << 20):
                piece = os.urandom(min(size - begin, 1 << 20))
                sum_of_all.update(piece)
                file.write(piece)
        return sum_of_all.hexdigest()

    def path(self, name):
        return os.path.join(self.directory, name)

    def eventually(self, predicate, what, timeout=10):
        end = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > end:
                self.fail("%s: not within %g s; %s" % (what, timeout, kernel_states()))
            time.sleep(0.005)

    def wait_for_listener(self, port):
        self.eventually(lambda: (port, 0, STATES["LISTEN"]) in kernel_states(), "a listener on %d" % port)

    def wait_for_state(self, state, local=None, remote=None, timeout=10):
        """Until a connection of the kernel's is in this state."""
        self.eventually(lambda: any(s == STATES[state] and local in (None, l) and remote in (None, r)
                                    for l, r, s in kernel_states()), state, timeout)

    def connect(self, port, timeout=20, source=None, **options):
        """A socket of the kernel's, connected to estab. options: SO_RCVBUF=4096 ... set before connecting."""
        sock = self.make_socket(timeout)
        for name, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        if source is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.kernel, source))
        sock.connect((self.ours, port))
        return sock

    def listen(self, port, **options):
        """A listening socket of the kernel's."""
        sock = self.make_socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        sock.bind((self.kernel, port))
        sock.listen(128)
        return sock

    def take_route_away(self):
        """What the kernel sends to us is lost from now on; what we send arrives."""
        self.change_route("add")

    def give_route_back(self):
        self.change_route("del")

    def change_route(self, action):
        length = 32 if self.family == 4 else 128
        command("ip", "-%d" % self.family, "route", action, "blackhole", "%s/%d" % (self.ours, length))

    def accept(self, listener):
        sock = listener.accept()[0]
        sock.settimeout(20)
        self.addCleanup(sock.close)
        return sock

    def make_socket(self, timeout=20):
        sock = socket.socket(socket.AF_INET if self.family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        sock.settimeout(timeout)
        return sock


def receive_all(sock):
    """Everything until the peer's FIN."""
    pieces = []
    while True:
        piece = sock.recv(1 << 18)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def add_classes(base, devices):
    module = sys.modules[base.__module__]
    for suffix, kind, offload in devices:
        for family in FAMILIES:
            name = "%s%s%d" % (base.__name__, suffix, family)
            values = {"kind": kind, "offload": offload, "family": family, "__module__": base.__module__}
            setattr(module, name, type(name, (base,), values))


def on_every_device(base):
    """Class decorator: its tests on TUN and TAP, with offload and without, over IPv4 and IPv6."""
    add_classes(base, DEVICES)


def on_one_device(base):
    """Class decorator: on TUN with offload, over IPv4 and IPv6: for what takes long."""
    add_classes(base, DEVICES[:1])


def on_tap(base):
    """Class decorator: on TAP with offload, over IPv4 and IPv6: for what needs Ethernet."""
    add_classes(base, DEVICES[2:3])


def main(*programs):
    """Runs the tests of the calling file; skips where it must, naming what is missing."""
    if not os.access(ESTAB, os.X_OK):
        print("%s is not there: build it, or set ESTAB" % ESTAB, file=sys.stderr)
        sys.exit(1)
    if os.geteuid() != 0:
        skip("namespaces and devices need root")
    for program in ("ip", "setpriv", *programs):
        if shutil.which(program) is None:
            skip(program + " is not installed")
    try:
        unshare(CLONE_NEWNS | CLONE_NEWNET)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        skip(str(error))
    if not os.path.exists("/dev/net/tun"):
        skip("there is no /dev/net/tun")
    command("mount", "--make-rprivate", "/")
    command("mount", "-t", "tmpfs", "-o", "mode=700,size=90%", "estab-test", PRIVATE)
    unittest.main(verbosity=2)

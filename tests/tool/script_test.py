#!/usr/bin/env python3
"""
estab script: its command line, what it says about a failure, and THE FLIP TEST: each kind of expectation in scripts that pass is made wrong, one
at a time, and each must fail, with the line that is wrong. A runner that passes everything would be worthless.
"""
import glob
import json
import os
import re
import tempfile
import time
import unittest
import xml.etree.ElementTree

import tool

# ---------------------------------------------------------------------------------------------- scripts that pass

PASSIVE = """\
// A passive connection with every option, data both ways, poll, epoll, code and a bad end.
 0.0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0.0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0.0 bind(3, ..., ...) = 0
+0.0 listen(3, 1) = 0
+0.0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>
+0.0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 3>
+0.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 200 ecr 700>
+0.0 accept(3, ..., ...) = 4
+0.0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0.0 setsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0
+0.0 read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)
+0.0 write(4, ..., 1500) = 1500
+0.0 > [noecn] . 1:989(988) ack 1 win 32768 <nop,nop,TS val 800 ecr 200>
+0.0 > (tos 0x00) P. 989:1501(512) ack 1 <nop,nop,TS val 800 ecr 200>
+0.1 < . 1:1(0) ack 1501 win 257 <nop,nop,TS val 300 ecr 800>
+0.0 < P. 201:301(100) ack 1501 win 257 <nop,nop,TS val 300 ecr 800>
+0.0 > . 1501:1501(0) ack 1 <nop,nop,TS val 900 ecr 300,nop,nop,sack 201:301>
+0.0 < P. 1:101(100) ack 1501 win 257 <nop,nop,TS val 300 ecr 800>
+0.0 > . 1501:1501(0) ack 101 <nop,nop,TS val 900 ecr 300,nop,nop,sack 201:301>
+0.0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN|POLLOUT}], 1, 0) = 1
+0.0 epoll_create(1) = 5
+0.0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
+0.0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
+0.0 ioctl(4, SIOCINQ, [100]) = 0
+0.0 read(4, ..., 1000) = 100
+0.0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0.0 %{ assert tcpi_state == TCP_ESTABLISHED }%
+0.0 %{
seen = tcpi_snd_mss
assert tcpi_options & TCPI_OPT_TIMESTAMPS
assert seen == 988
}%
+0.0 write(4, ..., 3) = 3
+0.0 > P. 1501:1504(3) ack 101 <nop,nop,TS val 900 ecr 300,nop,nop,sack 201:301>
+0.1 < . 101:101(0) ack 1504 win 257 <nop,nop,TS val 400 ecr 900>
"""

ACTIVE = """\
// An active connection over IPv6: its SYN and its data are lost, then the peer resets it.
--ip_version=ipv6
--define=MANY=10
`sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0`
 0.0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0.0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0.0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0.0 > S 0:0(0) win 65535 <mss 1440,nop,wscale 3>
+1.0 > S 0:0(0) win 65535 <mss 1440,nop,wscale 3>
+0.1 < S. 0:0(0) ack 1 win 1000 <mss 1220>
+0.0 > . 1:1(0) ack 1 win 65535
+0.0 write(3, ..., MANY) = 10
+0.0 > P. 1:11(10) ack 1
+2.5~+3.1 > P. 1:11(10) ack 1
+0.1 < R. 1:1(0) ack 11 win 0
+0.0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0
+0.0 write(3, ..., 10) = -1 EPIPE (Broken pipe)
+0.0 close(3) = 0
"""

PATH = """\
// A path MTU that ICMP lowers, urgent data, a read that blocks, an orderly end.
 0.0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0.0 bind(3, ..., ...) = 0
+0.0 listen(3, 1) = 0
+0.0 < S 0:0(0) win 32792 <mss 1460>
+0.0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
+0.1 < . 1:1(0) ack 1 win 32792
+0.0 accept(3, ..., ...) = 4
+0.0 write(4, ..., 1460) = 1460
+0.0 > P. 1:1461(1460) ack 1
+0.0 < icmp unreachable frag_needed mtu 1040 [1:1461(1460)]
+0.0 > . 1:1001(1000) ack 1
+0.0 > P. 1001:1461(460) ack 1
+0.1 < . 1:1(0) ack 1461 win 32792
+0.0 send(4, ..., 5, MSG_OOB) = 5
+0.0 > PU. 1461:1466(5) ack 1 urg 5
+0.1 < . 1:1(0) ack 1466 win 32792
+0.0...0.1 read(4, ..., 100) = 50
+0.1 < . 1:51(50) ack 1466 win 32792
+0.04 > . 1466:1466(0) ack 51
+0.0 write(4, ..., 2000) = 2000
+0.0 > P. 1466:3466(2000) ack 51
+0.1 < . 51:51(0) ack 3466 win 32792
+0.0 shutdown(4, SHUT_WR) = 0
+0.0 > F. 3466:3466(0) ack 51
+0.1 < F. 51:51(0) ack 3467 win 32792
+0.0 > . 3467:3467(0) ack 52
+0.0 close(4) = 0
"""

TWO = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
+0 < 1000 > 8080 S 0:0(0) win 100 <mss 1000>
+0 > 8080 > 1000 S. 0:0(0) ack 1 <...>
+0 < 2000 > 8080 S 100:100(0) win 100 <mss 1000>
+0 > 8080 > 2000 S. 0:0(0) ack 101 <...>
+0 < 1000 > 8080 . 1:1(0) ack 1 win 100
+0 < 2000 > 8080 . 1:1(0) ack 1 win 100
+0 accept(3, ..., ...) = 4
+0 accept(3, {sa_family=AF_INET, sin_port=htons(2000), sin_addr=inet_addr("192.0.2.1")}, ...) = 5
+0 write(4, ..., 10) = 10
+0 > 8080 > 1000 P. 1:11(10) ack 1
+0 write(5, ..., 20) = 20
+0 > 8080 > 2000 P. 1:21(20) ack 1
+0 getpeername(4, {sa_family=AF_INET, sin_port=htons(1000)}, ...) = 0
+0 close(4) = 0
+0 > 8080 > 1000 F. 11:11(0) ack 1
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(4, ..., ...) = -1 EINPROGRESS
+0 > S 500:500(0) <...>
+0 < S. 7:7(0) ack 501 win 1000 <mss 1000>
+0 > . 1:1(0) ack 1
+0 getsockopt(4, IPPROTO_TCP, TCP_INFO, {tcpi_state=1, tcpi_snd_mss=1000}, ...) = 0
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 close(4) = 0
+0 > R. 1:1(0) ack 1
"""

SIMULTANEOUS = """\
--ip_version=ipv4-mapped-ipv6
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <...>
+.1 < S 1000:1000(0) win 1000 <mss 1000>
+0 > S. 0:0(0) ack 1001 <...>
+.1 < . 1:1(0) ack 1 win 1000
+0 getsockname(3, {sa_family=AF_INET6}, ...) = 0
+0 pipe([7,8]) = 0
+0 write(8, ..., 100) = 100
+0 splice(7, 0, 3, 0, 100, 0) = 100
+0 > P. 1:101(100) ack 1
+0 open("/tmp/x", O_RDONLY) = 9
+0 sendfile(3, 9, [0], 50) = 50
+0 < . 1:1(0) ack 101 win 1000
+0 > P. 101:151(50) ack 1
+0 sendmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 100},{..., 20}], msg_flags=0}, 0) = 120
+0 < P. 1:31(30) ack 151 win 1000
+0 > P. 151:271(120) ack 31
+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 30
"""

SCRIPTS = {"passive": PASSIVE, "active": ACTIVE, "path": PATH}

# ---------------------------------------------------------------------------------------------- flips
#
# A flip is (kind, line, text): the script made wrong at `line`. Which line the failure must name: "same", or "near" where it may show at the
# next expectation only.

OUT = re.compile(r"^\s*[+*\d.~]+\s*>\s")
NUMBERS = re.compile(r"(\d+):(\d+)\((\d+)\)")
GIVES_FD = re.compile(r"\b(socket|accept4?|open|epoll_create1?|dup)\(")
AT_ONCE = re.compile(r"^\s*\+0?(\.0*)?\s*>")
NEAR = {"length", "icmp", "missing", "extra"}


def bump(match):
    return match.group(1) + str(int(match.group(2)) + 1)


def flip_flags(line):
    """PSH comes or goes; the flags stand before the numbers."""
    def other(match):
        flags = match.group(2)
        return match.group(1) + (flags.replace("P", "") if "P" in flags else "P" + flags) + match.group(3)
    return re.sub(r"(>\s+(?:[\[(][^])]*[\])]\s*)*)([FSRPUEWA.]+)(\s+\d+:)", other, line)


def flip_options(change):
    def flip(line):
        found = re.search(r"<([^>.]+)>\s*(//.*)?$", line)
        kinds = found.group(1).split(",") if found else []
        changed = change(list(kinds))
        return line if not found or changed == kinds else line[:found.start(1)] + ",".join(changed) + line[found.end(1):]
    return flip


def swap(kinds):
    for i in range(len(kinds) - 1):
        if kinds[i].split()[0] != kinds[i + 1].split()[0]:
            kinds[i], kinds[i + 1] = kinds[i + 1], kinds[i]
            break
    return kinds


def flip_time(line):
    return re.sub(r"^(\s*)\+(\d+(?:\.\d*)?)(\s*>)", lambda m: "%s+%g%s" % (m.group(1), float(m.group(2)) + 1, m.group(3)), line)


def flip_result(line):
    if GIVES_FD.search(line):
        return line
    return re.sub(r"\)\s*= (\d+)\s*(//.*)?$", lambda m: ") = %d" % (int(m.group(1)) + 1), line)


PACKET_FLIPS = {
    "flag": flip_flags,
    "seq": lambda line: NUMBERS.sub(lambda m: "%d:%d(%s)" % (int(m[1]) + 1, int(m[2]) + 1, m[3]), line, count=1),
    "ack": lambda line: re.sub(r"(ack\s+)(\d+)", bump, line, count=1),
    "length": lambda line: NUMBERS.sub(lambda m: "%s:%d(%d)" % (m[1], int(m[2]) + 1, int(m[3]) + 1), line, count=1),
    "window": lambda line: re.sub(r"(win\s+)(\d+)", lambda m: m[1] + str(int(m[2]) - 1 if int(m[2]) else 1), line),
    "mss": lambda line: re.sub(r"(mss\s+)(\d+)", bump, line),
    "wscale": lambda line: re.sub(r"(wscale\s+)(\d+)", bump, line),
    "ecr": lambda line: re.sub(r"(ecr\s+)(\d+)", bump, line),
    "sack": lambda line: re.sub(r"(sack \d+:)(\d+)", bump, line),
    "option missing": flip_options(lambda kinds: kinds[1:] or kinds),
    "option order": flip_options(swap),
    "option added": flip_options(lambda kinds: kinds + ["nop"]),
    "urgent": lambda line: re.sub(r"(urg\s+)(\d+)", bump, line),
    "ecn": lambda line: line.replace("[noecn]", "[ect0]"),
    "tos": lambda line: line.replace("(tos 0x00)", "(tos 0x04)"),
    "time": flip_time,
}

LINE_FLIPS = {
    "result": flip_result,
    "result of an error": lambda line: re.sub(r"= -1 E\w+( \([^)]*\))?", "= 0", line),
    "errno": lambda line: re.sub(r"= -1 (E\w+)", lambda m: "= -1 " + ("EPROTO" if m[1] != "EPROTO" else "EPIPE"), line),
    "getsockopt": lambda line: re.sub(r"(getsockopt\([^[]*\[)(\w+)", lambda m: m[1] + ("1" if m[2] == "0" else "0"), line),
    "revents": lambda line: re.sub(r"revents=[\w|]+", "revents=POLLHUP", line),
    "epoll events": lambda line: re.sub(r"(epoll_wait\(\d+, \{events=)\w+", r"\1EPOLLHUP", line),
    "epoll data": lambda line: re.sub(r"(epoll_wait\(.*fd=)(\d+)", bump, line),
    "ioctl": lambda line: re.sub(r"(ioctl\([^[]*\[)(\d+)", bump, line),
    "code": lambda line: line.replace(" == ", " != ", 1) if "assert" in line else line,
    "icmp": lambda line: re.sub(r"(icmp .* mtu )(\d+)", lambda m: m[1] + str(int(m[2]) + 8), line),
    "end of a call": lambda line: re.sub(r"^(\+[\d.]+\.\.\.)([\d.]+)", lambda m: m[1] + str(float(m[2]) + 1), line),
}


def flips_of(text):
    """Every (kind, line number, flipped script)."""
    lines = text.split("\n")
    outputs = [i for i, line in enumerate(lines) if OUT.match(line)]
    events = [i for i, line in enumerate(lines) if re.match(r"\s*[+*\d.]", line)]
    named = False
    for i, line in enumerate(lines):
        names_isn = i in outputs and re.search(r">\s+S\." if named else r">\s+S", line)
        named = named or names_isn
        table = dict(LINE_FLIPS, **PACKET_FLIPS) if i in outputs else LINE_FLIPS
        for kind, flip in table.items():
            changed = flip(line)
            if changed != line and not (kind == "seq" and names_isn):
                yield kind, i + 1, "\n".join(lines[:i] + [changed] + lines[i + 1:])
        if i in outputs:
            yield "missing", i + 1, "\n".join(lines[:i + 1] + [lines[i]] + lines[i + 1:])
        if i in outputs and i != events[-1] and AT_ONCE.match(line):
            yield "extra", i + 1, "\n".join(lines[:i] + lines[i + 1:])


class Flips(tool.Case):
    def run_flips(self, scripts, least_kinds, left_out=()):
        """Runs all flips of the scripts in one call, but of kinds left out; returns the number of them."""
        made = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in scripts.items():
                for number, (kind, line, flipped) in enumerate(flips_of(text)):
                    if kind in left_out:
                        continue
                    path = os.path.join(folder, "%s-%03d.pkt" % (name, number))
                    made[path] = (name, kind, line, flipped)
                    with open(path, "w") as out:
                        out.write(flipped)
            result = tool.run("script", "--json", folder, timeout=300)
        self.assertEqual(result.returncode, 1, result.stderr)
        records = tool.records(result.stdout)
        self.assertEqual(records[-1]["passed"], 0, [made[r["path"]] for r in records[:-1] if r["result"] == "passed"][:3])
        self.assertEqual(len(records) - 1, len(made))
        for record in records[:-1]:
            name, kind, line, flipped = made[record["path"]]
            where = "%s: %s in line %d: %s" % (name, kind, line, record)
            self.assertEqual(record["result"], "failed", where)
            if kind not in NEAR:
                self.assertEqual(record["line"], line, where)
            self.assertIn("%s:%d: " % (record["path"], record["line"]), record["report"], where)
        kinds = {kind for _, kind, _, _ in made.values()}
        self.assertEqual(least_kinds - kinds, set())
        return len(made)

    def test_every_kind_of_expectation_flipped_fails(self):
        count = self.run_flips(SCRIPTS, set(PACKET_FLIPS) | set(LINE_FLIPS) | {"missing", "extra"})
        self.assertGreater(count, 200)

    def test_flips_of_our_scripts_fail(self):
        """The same with scripts of tests/script, a part of them, each kind once in each."""
        paths = sorted(glob.glob(os.path.join(tool.ROOT, "tests", "script", "**", "*.pkt"), recursive=True))[::12]
        if not paths:
            self.skipTest("tests/script is empty")
        result = tool.run("script", "--json", *paths, timeout=300)
        scripts = {}
        for record in tool.records(result.stdout)[:-1]:
            if record["result"] == "passed":
                with open(record["path"]) as text:
                    scripts[os.path.basename(record["path"])[:-4]] = text.read()
        # An ICMP error comes in: where a script shows that it is ignored, another number in it changes nothing.
        self.run_flips(scripts, {"flag", "seq", "ack"}, {"icmp"})


# ---------------------------------------------------------------------------------------------- the command line


class Scripts(tool.Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        return path

    def script(self, text, *arguments):
        return tool.run("script", *arguments, self.write("one.pkt", text))

    def assert_passes(self, text, *arguments):
        result = self.script(text, *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""), result.stdout.decode())
        return result.stdout.decode()

    def assert_script_fails(self, text, line, *words):
        result = self.script(text)
        said = result.stdout.decode()
        self.assertEqual((result.returncode, result.stderr), (1, b""), said)
        self.assertIn("one.pkt:%d: " % line, said.split("\n")[0])
        for word in words:
            self.assertIn(word, said)

    def test_scripts_that_pass(self):
        for name, text in SCRIPTS.items():
            with self.subTest(name):
                self.assertIn("one.pkt: passed (", self.assert_passes(text))

    def test_same_result_every_time(self):
        first = self.assert_passes(PASSIVE, "-v")
        self.assertEqual(first, self.assert_passes(PASSIVE, "-v"))

    def test_a_failure_is_told(self):
        self.assert_script_fails(
            PATH.replace("1001:1461(460) ack 1", "1001:1461(460) ack 2"), 13, "packet differs: ack", "script    +0.0 > P. 1001",
            "expected     0.100000  > P. 1001:1461(460) ack 2", "actual       0.100000  > P. 1001:1461(460) ack 1",
            "ack: expected 2, got 1", "state     ESTABLISHED, descriptor 4", "< S 0:0(0) win 32792 <mss 1460>",
            "LISTEN -> SYN-RECEIVED", "=>    0.100000  > P. 1001:1461(460)", "icmp unreachable frag_needed mtu 1040")

    def test_time_is_told(self):
        self.assert_script_fails(PATH.replace("+0.04 >", "+0.02 >"), 20, "time: packet at 0.440000 s, expected at 0.420000 s",
                                 "(tolerance 0.004000 s)", "actual       0.440000")
        self.assert_passes(PATH.replace("+0.04 >", "+0.02 >"), "--tolerance_usecs=20000")
        self.assert_passes(PATH.replace("+0.04 >", "* >"))

    def test_a_packet_that_never_comes(self):
        self.assert_script_fails(PATH.replace("+0.0 close(4)", "+0.0 > . 3467:3467(0) ack 52\n+0.0 close(4)"), 28,
                                 "expected packet is missing")

    def test_an_extra_packet(self):
        self.assert_script_fails(PASSIVE.replace("+0.0 > P. 1501:1504(3) ack 101 <nop,nop,TS val 900 ecr 300,nop,nop,sack 201:301>\n", ""),
                                 34, "sent that the script does not expect", "> P. 1501:1504(3) ack 101")
        wrong = PASSIVE.replace("+0.0 > P. 1501:1504(3) ack 101 <nop,nop,TS val 900 ecr 300,nop,nop,sack 201:301>\n", "")
        self.assert_passes(wrong.replace("TS val 400 ecr 900", "TS val 400 ecr 800"), "--unmatched-ok")
        end = "+0.0 > . 3467:3467(0) ack 52\n+0.0 close(4) = 0\n"
        self.assert_passes(PATH.replace(end, ""))

    def test_calls_that_fail_are_told(self):
        self.assert_script_fails(ACTIVE.replace("= -1 EPIPE (Broken pipe)", "= 10"), 17, "write(): expected 10, got -1 EPIPE")
        self.assert_script_fails(ACTIVE.replace("[ECONNRESET]", "[0]"), 16, "getsockopt(): value: expected 0, got 104")
        self.assert_script_fails(ACTIVE.replace("close(3)", "closed(3)"), 18, "closed(): no call that scripts can make here")
        self.assert_script_fails(ACTIVE.replace("MANY) =", "FEW) ="), 12, "'FEW' is not known")
        self.assert_script_fails(PATH.replace("0.0...0.1 read", "0.0...0.05 read"), 18, "time: the call's return at 0.400000 s")
        self.assert_script_fails(PATH.replace("+0.1 < . 1:51(50) ack 1466 win 32792\n+0.04 > . 1466:1466(0) ack 51\n", ""), 18,
                                 "read() still blocks at 0.404000 s, expected its return at 0.400000 s")
        self.assert_script_fails(PATH.replace("+0.0...0.1 read", "+0.0 read").replace("+0.1 < . 1:51(50) ack 1466 win 32792\n", ""),
                                 18, "read() blocks and nothing ends that")

    def test_code_that_fails_is_told(self):
        self.assert_script_fails(PASSIVE.replace("seen == 988", "seen == 989"), 32, "code: AssertionError", "tcpi_options = ")
        self.assert_script_fails(PASSIVE.replace("seen == 988", "seen == = 9"), 32, "code: SyntaxError")
        self.assert_script_fails(PASSIVE.replace("assert seen == 988", "import os; os.abort()"), 29, "python3 was ended by signal 6")
        self.assert_script_fails(PASSIVE.replace("assert seen == 988", "import no_such_module"), 32, "code: ModuleNotFoundError")
        printed = self.assert_passes(PASSIVE.replace("assert seen == 988", "print('seen', seen)"), "-v")
        self.assertIn("seen 988", printed)

    def test_options_win_over_the_script(self):
        self.assert_passes(PATH.replace("1460", "1440").replace("1461", "1441").replace("(460)", "(440)")
                           .replace(" frag_needed mtu", " too").split("+0.1 < . 1:1(0)")[0].split("+0.0 < icmp")[0],
                           "--ip_version=ipv6")
        self.assert_passes(ACTIVE.replace("define=MANY=10", "define=MANY=99"), "-D", "MANY=10")
        self.assert_passes(ACTIVE.replace("1440", "1340"), "--mtu=1400")
        merged = PATH.replace("1466:3466(2000) ack 51", "1466:2466(1000) ack 51").replace("+0.0 > P. 1466:2466", "+0.0 > . 1466:2466")
        merged = merged.replace("+0.1 < . 51:51(0) ack 3466", "+0.0 > P. 2466:3466(1000) ack 51\n+0.1 < . 51:51(0) ack 3466")
        self.assert_passes(merged, "--strict_segments")
        self.assertEqual(self.script(PATH, "--strict_segments").returncode, 1)

    def test_non_fatal(self):
        wrong = ACTIVE.replace("[ECONNRESET]", "[0]")
        said = self.assert_passes(wrong, "--non_fatal=syscall")
        self.assertIn("one.pkt:16: warning: getsockopt(): value", said)
        said = self.assert_passes(PATH.replace("ack 52", "ack 53"), "--non_fatal=packet")
        self.assertIn("one.pkt:27: warning: packet differs: ack", said)

    def test_commands_are_not_executed(self):
        mark = os.path.join(self.folder.name, "mark")
        text = ACTIVE.replace("`sysctl", "`touch %s; sysctl" % mark)
        said = self.assert_passes(text, "-v")
        self.assertIn("one.pkt:4: note: command passed over: touch ", said)
        self.assertFalse(os.path.exists(mark))
        record = tool.records(self.script(text, "--json").stdout)[0]
        self.assertEqual((record["commands"], record["skipped"]), (1, 1))

    def test_bad_scripts(self):
        self.assert_fails(self.script("0 socket(... = 3\n"), 2, "one.pkt:1:", "expected")
        self.assert_fails(self.script("--no_such=1\n" + PATH), 2, "one.pkt:1:1: unknown option --no_such")
        self.assert_fails(self.script("--mtu=10\n" + PATH), 2, "one.pkt:1:1: --mtu=10: expected bytes from 68")
        self.assert_fails(self.script("--local_ip=fd00::1\n" + PATH), 2, "one.pkt:1:1: --local_ip")
        self.assert_fails(self.script(""), 2, "one.pkt:1:")
        many = tool.run("script", self.write("a/bad.pkt", "0 what\n"), self.write("a/good.pkt", PATH))
        self.assertEqual(many.returncode, 1)
        self.assertIn(b"2 scripts: 1 passed, 0 failed, 0 deviating, 1 unparsed", many.stdout)
        self.assertEqual(tool.run("script", "--allow-unparsed", os.path.join(self.folder.name, "a")).returncode, 0)

    def test_wrong_usage(self):
        path = self.write("one.pkt", PATH)
        self.assert_fails(tool.run("script"), 2, "an argument is missing")
        self.assert_fails(tool.run("script", "/nowhere.pkt"), 2, "/nowhere.pkt: No such file")
        self.assert_fails(tool.run("script", os.path.dirname(self.write("empty/x", ""))), 2, "no script in it")
        self.assert_fails(tool.run("script", "--mtu=7", path), 2, "--mtu: '7' is not bytes from 68 to 65535")
        self.assert_fails(tool.run("script", "--ip_version=ipv5", path), 2, "ipv4, ipv6 or ipv4-mapped-ipv6")
        self.assert_fails(tool.run("script", "--define", "A", path), 2, "--define: 'A' is not NAME=VALUE")
        self.assert_fails(tool.run("script", "--deviations", "/nowhere", path), 2, "/nowhere: No such file")
        self.assert_fails(tool.run("script", "--no-such", path), 2, "unknown option '--no-such'")
        help_text = self.assert_succeeds(tool.run("script", "--help")).decode()
        for word in ("--jobs", "--junit", "--deviations", "--allow-unparsed", "--tolerance_usecs", "--define"):
            self.assertIn(word, help_text)

    def tree(self):
        for name in ("x/b/two.pkt", "x/one.pkt"):
            self.write(name, PATH)
        self.write("x/three.pkt", PATH.replace("ack 52", "ack 53"))
        self.write("x/four.pkt", "0 <what>\n")
        self.write("x/not-a-script.txt", "0 <what>\n")
        return os.path.join(self.folder.name, "x")

    def test_tree_as_json(self):
        result = tool.run("script", "--json", self.tree())
        self.assertEqual(result.returncode, 1)
        lines = [json.loads(line) for line in result.stdout.decode().splitlines()]
        self.assertEqual(set(lines[-1]), {"v", "passed", "failed", "deviating", "unparsed", "seconds"})
        self.assertEqual([lines[-1][k] for k in ("passed", "failed", "deviating", "unparsed")], [2, 1, 0, 1])
        self.assertEqual([(os.path.basename(r["path"]), r["result"]) for r in lines[:-1]],
                         [("two.pkt", "passed"), ("four.pkt", "unparsed"), ("one.pkt", "passed"), ("three.pkt", "failed")])
        self.assertEqual((lines[3]["line"], lines[3]["reason"]), (27, "packet differs: ack"))

    def test_tree_in_order_with_many_jobs(self):
        folder = self.tree()
        one = tool.run("script", "-v", "-j", "1", folder)
        many = tool.run("script", "-v", "-j", "8", folder)
        self.assertEqual(one.stdout.decode().split(" in ")[0], many.stdout.decode().split(" in ")[0])

    def test_junit(self):
        path = os.path.join(self.folder.name, "out.xml")
        tool.run("script", "--junit", path, self.tree())
        suite = xml.etree.ElementTree.parse(path).getroot()
        self.assertEqual([suite.get(k) for k in ("tests", "failures", "errors", "skipped")], ["4", "1", "1", "0"])
        failure = suite.find("testcase[@name='three.pkt']/failure")
        self.assertEqual(failure.get("message"), "packet differs: ack")
        self.assertIn("expected ", failure.text)

    def test_deviations(self):
        folder = self.tree()
        os.unlink(os.path.join(folder, "four.pkt"))
        table = self.write("deviations.tsv", "# choices\nid\twhat\tscripts\nD-7\tsomething\tx/th*.pkt\nD-8\tanother\tx/b/* y/z\nD-9\tnone\t-\n")
        result = tool.run("script", "--deviations", table, folder)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn(b"three.pkt:27: deviates as D-7 says: packet differs: ack", result.stdout)
        self.assertIn(b"2 passed, 0 failed, 1 deviating, 0 unparsed", result.stdout)
        self.assertIn(b"two.pkt passes, although D-8 in ", result.stderr)
        record = tool.records(tool.run("script", "--json", "--deviations", table, folder).stdout)[2]
        self.assertEqual((record["result"], record["deviation"]), ("deviating", "D-7"))
        self.assert_fails(tool.run("script", "--deviations", self.write("d2", "name\tscripts\n"), folder), 2, "d2:1: ", "'id'")
        self.assert_fails(tool.run("script", "--deviations", self.write("d3", "id\tscripts\nD-1\n"), folder), 2, "d3:2: ")

    def test_a_script_that_does_not_end(self):
        path = self.write("slow.pkt", PASSIVE.replace("assert seen == 988", "while True: pass"))
        began = time.monotonic()
        result = tool.run("script", "--timeout", "0.5", path)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"slow.pkt: did not end within 0.5 s", result.stdout)

    def test_a_script_that_crashes(self):
        self.write("x/a.pkt", PASSIVE.replace("assert seen == 988", "import os; os.kill(os.getppid(), 9)"))
        self.write("x/b.pkt", PATH)
        result = tool.run("script", os.path.join(self.folder.name, "x"))
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"a.pkt: crashed: signal 9 (Killed)", result.stdout)
        self.assertIn(b"1 passed, 1 failed", result.stdout)

    def test_a_reset_keeps_its_numbers(self):
        start = "".join(PATH.splitlines(True)[1:4])
        self.assert_passes(start + "+0 < S. 17:20(3) ack 34 win 100\n+0 < S 0:0(0) win 100\n+0 > R 34:34(0)\n+0 > S. 0:0(0) ack 1 <...>\n")

    def test_several_connections(self):
        self.assert_passes(TWO)

    def test_no_connection(self):
        self.assert_passes("0 < . 1:1(0) ack 5 win 100\n+0 > R 5:5(0)\n+0 < F 1:11(10) win 100\n+0 > R. 0:0(0) ack 12\n")
        self.assert_passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < S 0:0(0) win 100\n+0 > R. 0:0(0) ack 1\n")

    def test_simultaneous_open_on_a_mapped_socket(self):
        self.assert_passes(SIMULTANEOUS)


if __name__ == "__main__":
    tool.main()

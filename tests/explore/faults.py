#!/usr/bin/env python3
"""
Faults planted in a private copy of the core, one at a time: the exploration must find each of them in the scenario that is named
with it, or it is not worth much. Run by hand or by `make matrix`; takes a few minutes.

    faults.py [--jobs N] [NAME...]       from the root of the tree; CC names the compiler

A fault is a piece of a file of src/ that stands there exactly once, and what takes its place.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# name, scenario, file, what stands there, what takes its place
FAULTS = [
    ("the FIN is never sent again", "open-close", "tcp/recovery.c",
     "    range.length = length;\n",
     "    range.length = length;\n    if (c->closing && seq_geq(range.from, c->snd.end)) {\n        range.length = 0;\n    }\n"),
    ("text that was received before is taken again", "active-passive", "tcp/segment_arrives.c",
     "        seg->text += old;\n        seg->text_length -= old;\n",
     ""),
    ("no persist timer for a closed window", "small-window", "tcp/timers.c",
     "        stop(c, ESTAB_TIMER_RETRANSMIT);\n        restart_user_timeout(c, ctx);\n",
     "        stop(c, ESTAB_TIMER_RETRANSMIT);\n        restart_user_timeout(c, ctx);\n        return;\n"),
    ("a window probe is not sent", "small-window", "tcp/timeouts.c",
     "    c->owed |= OWED_PROBE;\n",
     "    c->owed &= (uint8_t)~OWED_PROBE;\n"),
    ("a RST anywhere in the window kills a connection", "active-passive", "tcp/segment_arrives.c",
     "    if (!seq_eq(seg->seq, c->rcv_nxt)) { /* F-RST-2",
     "    if (false) { /* F-RST-2"),
    ("TIME-WAIT does not end", "open-close", "stack/time_waits.c",
     "    tw->deadline_ns = stack->tcp.now + 2 * stack->settings.msl_ns;",
     "    tw->deadline_ns = UINT64_MAX;"),
    ("a FIN is taken ahead of the text before it", "active-passive", "tcp/receive.c",
     "    if (seq_lt(c->rcv_nxt, c->rcv_fin)) {",
     "    if (false) {"),
    ("a FIN counts for two", "open-close", "tcp/receive.c",
     "    c->rcv_nxt = seq_add(c->rcv_nxt, 1);\n    conn_note",
     "    c->rcv_nxt = seq_add(c->rcv_nxt, 2);\n    conn_note"),
    ("any ACK is taken for that of our SYN", "half-open", "tcp/segment_arrives.c",
     "    bool acceptable = seq_between(seq_add(c->iss, 1), seg->ack, c->snd_nxt) && conn_syn_sent(c);",
     "    bool acceptable = true;"),
    ("a RST leaves a passive SYN-RECEIVED as it is, without timers", "half-open", "tcp/segment_arrives.c",
     "            open_return_to_listen(c, ctx);",
     "            tcp_timers_stop(c);"),
    ("a lost SYN is not sent again", "active-passive", "tcp/timeouts.c",
     "        c->owed |= OWED_SYN;\n",
     "        c->owed |= OWED_ACK_LATER;\n        tcp_timers_on_ack_owed(c, ctx);\n"),
    ("the retransmission timer sends nothing", "active-passive", "tcp/timeouts.c",
     "        recovery_on_timeout(c, ctx);",
     "        c->rtt.syn_lost = false;"),
    ("one byte more than was acknowledged is dropped", "stream", "tcp/ack.c",
     "    tcp_seq upto = seq_min(seg->ack, c->snd.end);",
     "    tcp_seq upto = seq_min(seq_add(seg->ack, 1), c->snd.end);"),
    ("a state is changed behind the table's back", "open-close", "tcp/receive.c",
     "    conn_event(c, ctx, EVENT_RCV_FIN);",
     "    c->state = c->state == ESTAB_ESTABLISHED ? ESTAB_LAST_ACK : ESTAB_TIME_WAIT;"),
]


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)


def compile_all(folder, source):
    """Every file of the core and of the exploration into one program."""
    files = sorted(map(str, source.glob("*/*.c"))) + sorted(map(str, (ROOT / "tests/explore").glob("*.c")))
    command = [os.environ.get("CC", "cc"), "-std=c17", "-O1", "-D_GNU_SOURCE", "-w", "-I", str(ROOT / "include"), "-I", str(source),
               "-I", str(ROOT / "tests"), "-I", str(ROOT), "-o", str(folder / "explore")] + files
    done = run(command, timeout=300)
    if done.returncode != 0:
        sys.exit("faults: the core does not compile:\n" + done.stdout)


def plant(source, fault):
    name, _, path, old, new = fault
    text = (source / path).read_text()
    if text.count(old) != 1:
        sys.exit("faults: %s: the place stands %d times in src/%s, not once: mend the table" % (name, text.count(old), path))
    (source / path).write_text(text.replace(old, new))


def found(fault):
    """The line that says what was violated, '' where nothing was."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(ROOT / "src", folder / "src")
        plant(folder / "src", fault)
        compile_all(folder, folder / "src")
        done = run([str(folder / "explore"), fault[1]], timeout=900)
        lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("  violated: ")]
        if done.returncode < 0:
            lines.append("stopped by signal %d (an assertion of the core)" % -done.returncode)
        return lines[0] if lines else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n")[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    faults = [fault for fault in FAULTS if not arguments.names or fault[0] in arguments.names]
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for fault, line in zip(faults, pool.map(found, faults)):
            print("%-75s %s" % (fault[0], line or "NOT FOUND"), flush=True)
            missed += not line
    print("faults: planted %d, found %d" % (len(faults), len(faults) - missed))
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())

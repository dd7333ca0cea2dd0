/*
 * The code blocks of a script, %{ ... }%: each sees the tcp_info of the connection under test as it was at
 * the block's moment. All run at the end, in the order of the script and in one python3, so that one block
 * can use what another has set; a traceback names file and line of the script. A script without code never
 * starts a process.
 */
#include "info.h"
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MOST 65536
#define FAULT_MARK  "\x1e"

struct code {
    FILE *program;
    char *text;
    size_t length;
    const struct event *last;
};

/*
 * Runs each block where its lines are the script's own; a fault is told with the line of its block. Python
 * begins without its site packages, which take longer than all the rest; who imports one of them gets them.
 */
static const char prologue[] =
    "import sys\n"
    "class _Site:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        sys.meta_path.remove(self)\n"
    "        import site\n"
    "        site.main()\n"
    "        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path)\n"
    "        return next((spec for spec in specs if spec is not None), None)\n"
    "sys.meta_path.append(_Site())\n"
    "_names = {'__name__': '__main__'}\n"
    "def _dedent(code):\n"
    "    lines = code.split('\\n')\n"
    "    depth = min([len(line) - len(line.lstrip()) for line in lines if line.strip()], default=0)\n"
    "    return '\\n'.join(line[depth:] for line in lines)\n"
    "def _block(path, line, code, **values):\n"
    "    _names.update(values)\n"
    "    first, newline, rest = code.partition('\\n')\n"
    "    code = _dedent(rest) if not first.strip() else first.lstrip() + newline + rest\n"
    "    line += not first.strip()\n"
    "    try:\n"
    "        exec(compile('\\n' * (line - 1) + code, path, 'exec'), _names)\n"
    "    except BaseException as fault:\n"
    "        _tell(path, line, code, fault)\n"
    "def _tell(path, line, code, fault):\n"
    "    import traceback\n"
    "    sys.stdout.flush()\n"
    "    inner = [f.lineno for f in traceback.extract_tb(fault.__traceback__) if f.filename == path]\n"
    "    where = fault.lineno if isinstance(fault, SyntaxError) else (inner or [line])[0]\n"
    "    words = traceback.format_exception_only(type(fault), fault)[-1].strip()\n"
    "    values = ', '.join('%s = %r' % (n, _names[n]) for n in _used(code) if n in _names)\n"
    "    sys.stderr.write('" FAULT_MARK
    "%d:%s%s\\n' % (where or line, words, ' (%s)' % values if values else ''))\n"
    "    sys.exit(1)\n"
    "def _used(code):\n"
    "    try:\n"
    "        names = compile(code, '', 'exec').co_names\n"
    "    except SyntaxError:\n"
    "        return ()\n"
    "    return [n for n in names if n.startswith('tcpi_')]\n";

/* A text as Python writes it. */
static void put_literal(FILE *out, const char *text)
{
    putc('\'', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        if (*at == '\\' || *at == '\'') {
            fprintf(out, "\\%c", *at);
        } else if (*at == '\n') {
            fputs("\\n", out);
        } else if (*at < ' ') {
            fprintf(out, "\\x%02x", *at);
        } else {
            putc(*at, out);
        }
    }
    putc('\'', out);
}

static bool begin_program(struct run *run)
{
    struct code *code = calloc(1, sizeof *code);
    uint64_t value = 0;
    run->code = code;
    if (code == NULL || (code->program = open_memstream(&code->text, &code->length)) == NULL) {
        return run_fail(run, run->event, "no memory");
    }
    fputs(prologue, code->program);
    const char *name;
    for (unsigned i = 0; (name = info_symbol(i, &value)) != NULL; i++) {
        fprintf(code->program, "_names['%s'] = %" PRIu64 "\n", name, value);
    }
    return true;
}

bool code_run(struct run *run)
{
    struct run_fd *fd = run_flow_fd(run);
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    uint64_t value = 0;
    if (fd == NULL) {
        return run_fail(run, run->event,
                        run->flow == NULL ? "code: there is no socket yet whose tcp_info it could see"
                                          : "code: the connection under test has no open descriptor whose "
                                            "tcp_info it could see");
    }
    if (run->code == NULL && !begin_program(run)) {
        return false;
    }
    int result = sockets_getsockopt(run->world.sockets, run->world.now, fd->live, IPPROTO_TCP,
                                    11 /* TCP_INFO */, &info, &length);
    if (result < 0) {
        return run_fail(run, run->event, "code: getsockopt(%d, TCP_INFO): %s", fd->script,
                        script_errno_name(-result));
    }
    FILE *out = run->code->program;
    fputs("_block(", out);
    put_literal(out, run->script->path);
    fprintf(out, ", %d, ", run->event->place.line);
    put_literal(out, run->event->text);
    const char *name;
    for (unsigned i = 0; (name = info_field(i, &info, &value)) != NULL; i++) {
        fprintf(out, ", %s=%" PRIu64, name, value);
    }
    fputs(")\n", out);
    run->code->last = run->event;
    return true;
}

/* ---------------------------------------------------------------------------------------------- python3 */

struct child {
    pid_t pid;
    int input, output;
};

static void run_python(int input, int output)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execlp("python3", "python3", "-S", "-", (char *)NULL);
    dprintf(STDERR_FILENO, "python3: %s\n", strerror(errno));
    _exit(127);
}

static bool start_python(struct child *child)
{
    int in[2];
    int out[2];
    if (pipe(in) != 0) {
        return false;
    }
    if (pipe(out) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    child->pid = fork();
    if (child->pid == 0) {
        close(in[1]);
        close(out[0]);
        run_python(in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    child->input = in[1];
    child->output = out[0];
    return child->pid > 0;
}

/* Gives it the program and takes what it says, both at once: either pipe may be full. */
static void talk(const struct child *child, const struct code *code, FILE *said)
{
    size_t written = 0;
    size_t taken = 0;
    bool open = true;
    struct pollfd fds[2] = {{child->output, POLLIN, 0}, {child->input, POLLOUT, 0}};
    while (open && poll(fds, 2, -1) >= 0) {
        if (fds[1].fd >= 0 && fds[1].revents != 0) {
            ssize_t count = write(child->input, code->text + written, code->length - written);
            written += count > 0 ? (size_t)count : 0;
            if (count < 0 || written == code->length) {
                close(child->input);
                fds[1].fd = -1;
            }
        }
        if (fds[0].revents != 0) {
            char buffer[4096];
            ssize_t count = read(child->output, buffer, sizeof buffer);
            open = count > 0;
            size_t room = OUTPUT_MOST - taken;
            size_t kept = count > 0 ? (size_t)count : 0;
            taken += fwrite(buffer, 1, kept < room ? kept : room, said);
        }
    }
    if (fds[1].fd >= 0) {
        close(child->input);
    }
    close(child->output);
}

static const struct event *event_at(const struct run *run, int line)
{
    const struct event *found = run->code->last;
    for (const struct event *event = run->script->events; event != NULL; event = event->next) {
        if (event->kind == EVENT_CODE && event->place.line <= line) {
            found = event;
        }
    }
    return found;
}

static bool tell_fault(struct run *run, char *said, int status)
{
    char *mark = strstr(said, FAULT_MARK);
    char *rest = said;
    int line = 0;
    if (mark != NULL) {
        *mark = 0;
        line = (int)strtol(mark + 1, &rest, 10);
        rest += *rest == ':';
        rest[strcspn(rest, "\n")] = 0;
        struct event event = *event_at(run, line);
        event.place.line = line;
        run_fail(run, &event, "code: %s", rest);
    } else if (WIFEXITED(status)) {
        run_fail(run, run->code->last, "code: python3 ended with exit code %d", WEXITSTATUS(status));
    } else {
        run_fail(run, run->code->last, "code: python3 was ended by signal %d", WTERMSIG(status));
    }
    for (char *at = said; *at != 0;) {
        int length = (int)strcspn(at, "\n");
        run_detail(run, "python3   %.*s", length, at);
        at += length + (at[length] != 0);
    }
    return false;
}

bool code_execute(struct run *run)
{
    struct child child;
    char *said = NULL;
    size_t length;
    int status = 0;
    if (run->code == NULL) {
        return true;
    }
    fflush(run->code->program);
    FILE *out = open_memstream(&said, &length);
    if (out == NULL || !start_python(&child)) {
        return run_fail(run, run->code->last, "code: python3 cannot be started: %s", strerror(errno));
    }
    talk(&child, run->code, out);
    fclose(out);
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
        tell_fault(run, said, status);
    } else if (run->options->verbose && length > 0) {
        fputs(said, run->report);
    }
    free(said);
    return good;
}

void code_free(struct run *run)
{
    if (run->code != NULL) {
        if (run->code->program != NULL) {
            fclose(run->code->program);
        }
        free(run->code->text);
        free(run->code);
        run->code = NULL;
    }
}

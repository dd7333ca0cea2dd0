/*
 * Real programs beside us in the namespace: started, written to, listened to, ended. They end with us in any
 * case, since we are the first process of our namespace (demo_space.c). Nothing waits here.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool program_exists(const char *name)
{
    const char *at = getenv("PATH");
    char path[512];
    while (at != NULL && *at != '\0') {
        int length = (int)strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", length, at, name);
        if (access(path, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':');
    }
    return false;
}

/* In the child: descriptors as they should be, then the program. */
static void become(const char *const *arguments, int in, int out, bool show_errors)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (!show_errors) {
        dup2(nothing, STDERR_FILENO);
    }
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

bool program_start(struct program *program, const char *const *arguments, const struct program_wiring *wiring)
{
    int in[2] = {wiring->input, -1};
    int out[2] = {-1, wiring->output};
    memset(program, 0, sizeof *program);
    program->pid = program->in = program->out = program->code = -1;
    if ((wiring->input < 0 && pipe2(in, O_CLOEXEC) != 0) ||
        (wiring->output < 0 && pipe2(out, O_CLOEXEC) != 0)) {
        return false;
    }
    program->pid = fork();
    if (program->pid == 0) {
        become(arguments, in[0], out[1], wiring->show_errors);
    }
    if (wiring->input < 0) {
        close(in[0]);
        program->in = in[1];
    }
    if (wiring->output < 0) {
        close(out[1]);
        program->out = out[0];
        fcntl(program->out, F_SETFL, O_NONBLOCK);
    }
    return program->pid > 0;
}

void program_look(struct program *program)
{
    char bytes[4096];
    ssize_t count = 0;
    int status;
    while (program->out >= 0 && (count = read(program->out, bytes, sizeof bytes)) > 0) {
        size_t room = sizeof program->text - 1 - program->length;
        size_t kept = (size_t)count < room ? (size_t)count : room;
        memcpy(program->text + program->length, bytes, kept);
        program->length += kept;
        program->text[program->length] = '\0';
    }
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        close_one(&program->out);
    }
    if (program->code < 0 && program->pid > 0 && waitpid(program->pid, &status, WNOHANG) == program->pid) {
        program->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

void program_write(struct program *program, const char *text)
{
    if (program->in >= 0 && write(program->in, text, strlen(text)) < 0) {
        close_one(&program->in);
    }
}

void program_close_input(struct program *program)
{
    close_one(&program->in);
}

void program_end(struct program *program)
{
    if (program->code < 0 && program->pid > 0) {
        kill(program->pid, SIGKILL);
        waitpid(program->pid, NULL, 0);
    }
    program->pid = -1;
    close_one(&program->in);
    close_one(&program->out);
}

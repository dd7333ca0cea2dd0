/*
 * The reader of packet scripts on any text: it is read, or refused with exactly one line that begins with a
 * place in it. What was read is printed, and the print is read as the same: a script prints to itself.
 *
 * Input: the text of a script.
 */
#include "fuzz.h"
#include "tools/script/script.h"

static void check_complaint(const char *said, size_t length)
{
    int line = 0, column = 0;
    FUZZ_CHECK(length > 0 && said[length - 1] == '\n', "a complaint is a line");
    FUZZ_CHECK(memchr(said, '\n', length) == said + length - 1, "and one line");
    FUZZ_CHECK(sscanf(said, "fuzz:%d:%d: ", &line, &column) == 2 && line > 0 && column > 0,
               "with a place in the script");
}

static struct script *parse(const char *text, size_t length, bool ipv6)
{
    const struct script_settings settings = {.ip_version = ipv6 ? 6 : 0};
    char *said = NULL;
    size_t said_length = 0;
    FILE *errors = open_memstream(&said, &said_length);
    struct script *script = script_parse("fuzz", text, length, &settings, errors);
    fclose(errors);
    if (script == NULL)
        check_complaint(said, said_length);
    else
        FUZZ_CHECK(said_length == 0, "what is read is not complained about");
    free(said);
    return script;
}

static char *print(const struct script *script)
{
    char *text = NULL;
    size_t length = 0;
    unsigned count = 0;
    FILE *out = open_memstream(&text, &length);
    for (const struct event *event = script->events; event != NULL; event = event->next) {
        script_print_event(out, event);
        fputc('\n', out);
        count++;
    }
    fclose(out);
    FUZZ_CHECK(count == script->event_count && count > 0, "events are counted");
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script *script = parse((const char *)data, size, false);
    if (script == NULL)
        return 0;
    char *printed = print(script);
    /* A zero byte in a command or a note ends its print. */
    if (memchr(data, 0, size) == NULL) {
        struct script *again = parse(printed, strlen(printed), script->ipv6);
        FUZZ_CHECK(again != NULL, "what is printed is in the language");
        char *second = print(again);
        FUZZ_CHECK(strcmp(printed, second) == 0, "and prints to itself");
        free(second);
        script_free(again);
    }
    free(printed);
    script_free(script);
    return 0;
}

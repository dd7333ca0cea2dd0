/*
 * A main() for fuzz targets where libFuzzer is not linked: runs every file of the corpora named on the
 * command line, and what lies near it. Each input stands in a heap block of exactly its size, so that a
 * sanitizer or valgrind sees a read past its end.
 *
 * Near means, for each file: every shorter prefix up to 512 bytes, and some hundred variants with a byte
 * replaced by values that parsers get wrong. It is the same in every run: no clock and no entropy. `--plain`
 * runs the files alone (for coverage).
 *
 * Exit 0 = all ran; 1 = a corpus is missing or empty (a replay of nothing proves nothing); 2 = usage.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { LARGEST_INPUT = 1 << 20, LONGEST_PREFIX = 512, MOST_VARIANTS = 256 };

static unsigned long runs;

static void run_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        fputs("replay: out of memory\n", stderr);
        exit(1);
    }
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static void run_prefixes(const uint8_t *data, size_t size)
{
    size_t longest = size < LONGEST_PREFIX ? size : LONGEST_PREFIX;
    for (size_t length = 0; length < longest; length++)
        run_copy(data, length);
}

static void run_variants(uint8_t *data, size_t size)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t step = 1 + size * sizeof(values) / MOST_VARIANTS;
    for (size_t n = 0; n < size * sizeof(values); n += step) {
        size_t at = n / sizeof(values);
        uint8_t kept = data[at];
        data[at] = values[n % sizeof(values)];
        run_copy(data, size);
        data[at] = kept;
    }
}

static bool run_file(const char *folder, const char *name, bool plain)
{
    static uint8_t data[LARGEST_INPUT];
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    run_copy(data, size);
    if (!plain) {
        run_prefixes(data, size);
        run_variants(data, size);
    }
    return true;
}

/* Files in the order of their names, so that a failure is the same everywhere. */
static int run_folder(const char *folder, bool plain)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        perror(folder);
        return -1;
    }
    int files = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            files += run_file(folder, entries[i]->d_name, plain);
        free(entries[i]);
    }
    free(entries);
    return files;
}

int main(int argc, char **argv)
{
    bool plain = false;
    int files = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s [--plain] CORPUS-FOLDER...\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    run_copy((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--plain") == 0) {
            plain = true;
            continue;
        }
        int found = run_folder(argv[i], plain);
        if (found <= 0) {
            fprintf(stderr, "replay: no input in %s\n", argv[i]);
            return 1;
        }
        files += found;
    }
    printf("%d inputs, %lu runs\n", files, runs);
    return 0;
}

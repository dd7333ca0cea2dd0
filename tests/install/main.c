/*
 * A stranger's program, built against the installed tree: it makes a stack in memory of its own and prints
 * the version of the library that it was linked with.
 */
#include <estab/estab.h>
#include <estab/trace.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    struct estab_config config;
    estab_config_init(&config);
    config.max_connections = 16;
    size_t size = (estab_memory_minimum(&config) + 15) / 16 * 16;
    void *memory = aligned_alloc(16, size);
    if (!memory || !estab_init(memory, size, &config, NULL, NULL))
        return 1;
    puts(estab_version());
    free(memory);
    return 0;
}

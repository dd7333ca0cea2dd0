/*
 * Asks the library, compiled for the 32-bit machine and run by an emulator, what the configuration of `make
 * size` needs: the numbers come from its own account, not from a reading of the code. Exit 1 where the stack
 * does not fit in SIZE_MEMORY.
 */
#include <stdio.h>

#include "config.h"

static _Alignas(16) uint8_t memory[SIZE_MEMORY];

int main(void)
{
    static const uint8_t secret[16] = {1};
    struct estab_config config = size_config(secret);
    struct estab_memory use;
    int error = 0;
    const char *what = "";
    printf("least memory for this configuration  %6lu bytes\n", (unsigned long)estab_memory_minimum(&config));
    estab_stack *stack = estab_init(memory, sizeof(memory), &config, &error, &what);
    if (!stack) {
        printf("estab_init() refuses %d bytes: %s (%s)\n", SIZE_MEMORY,
               estab_strerror(error), what ? what : "");
        return 1;
    }
    estab_memory(stack, &use);
    printf("  tables                             %6lu bytes\n", (unsigned long)use.fixed);
    printf("  an idle connection                 %6lu bytes\n", (unsigned long)use.per_connection);
    printf("  a TIME-WAIT record                 %6lu bytes\n", (unsigned long)use.per_time_wait);
    printf("  buffer blocks                      %6lu of %lu bytes\n",
           (unsigned long)use.blocks, (unsigned long)use.block_size);
    return 0;
}

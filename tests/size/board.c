/*
 * A board that is not there: registers at fixed addresses, so that the linker has something to resolve and
 * the compiler nothing to guess. Weighed apart from the library in the report.
 */
#include <stddef.h>
#include <stdint.h>

#define REGISTER(n) (*(volatile uint32_t *)(0x40000000u + 4u * (n)))

int main(void);

size_t board_packet_receive(uint8_t *packet, size_t capacity);
void board_packet_send(const uint8_t *packet, size_t length);
uint64_t board_clock(void);
void board_sleep(uint64_t until);
void board_random(uint8_t bytes[16]);
void board_reset(void);

size_t board_packet_receive(uint8_t *packet, size_t capacity)
{
    size_t length = REGISTER(0);
    if (length > capacity)
        return 0;
    for (size_t i = 0; i < length; i++)
        packet[i] = (uint8_t)REGISTER(1);
    return length;
}

void board_packet_send(const uint8_t *packet, size_t length)
{
    for (size_t i = 0; i < length; i++)
        REGISTER(2) = packet[i];
}

uint64_t board_clock(void)
{
    return (uint64_t)REGISTER(3) << 32 | REGISTER(4);
}

void board_sleep(uint64_t until)
{
    REGISTER(5) = (uint32_t)until;
}

void board_random(uint8_t bytes[16])
{
    for (unsigned i = 0; i < 16; i++)
        bytes[i] = (uint8_t)REGISTER(6);
}

void board_reset(void)
{
    main();
    for (;;)
        ;
}

extern uint32_t board_stack_top[];

struct vector_table {
    uint32_t *stack_top;
    void (*reset)(void);
};
__attribute__((section(".vectors"), used))
static const struct vector_table vectors = {board_stack_top, board_reset};

/*
 * Unit tests of drivers/pcapng: every byte of a small capture, comments, errors (a full disk is /dev/full,
 * a closed pipe is one), and tshark's opinion where it is installed.
 */
#include "drivers/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define TIME_NS UINT64_C(0x0123456789abcdef)

/* 10.9.0.2:1234 > 10.9.0.1:80, SYN; right checksums. */
static uint8_t syn[40] = {
    0x45, 0x00, 0x00, 0x28, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x26, 0xba, 0x0a, 0x09,
    0x00, 0x02, 0x0a, 0x09, 0x00, 0x01, 0x04, 0xd2, 0x00, 0x50, 0xff, 0xff, 0xff, 0xf0,
    0x00, 0x00, 0x00, 0x00, 0x50, 0x02, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
};

static uint8_t *whole; /* the capture, read back */
static size_t whole_length;

static uint32_t at32(size_t offset)
{
    uint32_t value;

    assert_true(offset + 4 <= whole_length);
    memcpy(&value, whole + offset, 4);
    return value;
}

static uint16_t at16(size_t offset)
{
    uint16_t value;

    assert_true(offset + 2 <= whole_length);
    memcpy(&value, whole + offset, 2);
    return value;
}

static void read_back(int fd)
{
    off_t length = lseek(fd, 0, SEEK_END);

    free(whole);
    whole_length = (size_t)length;
    whole = malloc(whole_length + 1);
    assert_non_null(whole);
    assert_int_equal(pread(fd, whole, whole_length, 0), length);
}

static int open_memory(struct pcapng *writer)
{
    int fd = memfd_create("capture", 0);
    char error[128];

    assert_true(fd >= 0);
    assert_int_equal(pcapng_attach(writer, fd, "memory", error, sizeof error), 0);
    return fd;
}

static struct estab_packet syn_packet(void)
{
    struct estab_packet packet = {.data = syn, .capacity = sizeof syn, .length = sizeof syn};

    packet.conn = 7;
    packet.state_before = ESTAB_CLOSED;
    packet.state_after = ESTAB_SYN_SENT;
    packet.reason = ESTAB_REASON_SYN;
    return packet;
}

static void pcapng_headers_are_as_the_draft_says(void **state)
{
    struct pcapng writer;
    int fd = open_memory(&writer);
    size_t section;

    (void)state;
    assert_int_equal(pcapng_interface(&writer, "estab0", false), 0);
    assert_int_equal(pcapng_interface(&writer, "tap0", true), 1);
    assert_int_equal(pcapng_close(&writer), 0);
    read_back(fd);

    assert_int_equal(at32(0), 0x0a0d0d0a);
    section = at32(4);
    assert_int_equal(at32(8), 0x1a2b3c4d);
    assert_int_equal(at16(12), 1);
    assert_int_equal(at16(14), 0);
    assert_int_equal(at32(16), 0xffffffff);
    assert_int_equal(at32(20), 0xffffffff);
    assert_int_equal(at32(section - 4), section);

    /* First interface: raw IP, no snap length, if_name, if_tsresol 9, end of options. */
    assert_int_equal(at32(section), 1);
    assert_int_equal(at32(section + 4), 44);
    assert_int_equal(at16(section + 8), 101);
    assert_int_equal(at32(section + 12), 0);
    assert_int_equal(at16(section + 16), 2);
    assert_int_equal(at16(section + 18), 6);
    assert_memory_equal(whole + section + 20, "estab0\0\0", 8);
    assert_int_equal(at16(section + 28), 9);
    assert_int_equal(at16(section + 30), 1);
    assert_int_equal(whole[section + 32], 9);
    assert_int_equal(at32(section + 36), 0);
    assert_int_equal(at32(section + 40), 44);

    assert_int_equal(at32(section + 44), 1);
    assert_int_equal(at16(section + 44 + 8), 1);
    close(fd);
}

static void pcapng_packet_block_has_time_bytes_direction_and_comment(void **state)
{
    static const char comment[] = "CLOSED -> SYN-SENT: open";
    struct estab_packet packet = syn_packet();
    struct pcapng_record record = {0, TIME_NS, true, NULL, &packet};
    struct pcapng writer;
    int fd = open_memory(&writer);
    size_t block;

    (void)state;
    assert_int_equal(pcapng_interface(&writer, "estab0", false), 0);
    assert_int_equal(pcapng_flush(&writer), 0);
    block = (size_t)writer.written;
    assert_int_equal(pcapng_write(&writer, &record), 0);
    assert_int_equal(writer.packets, 1);
    assert_int_equal(pcapng_close(&writer), 0);
    read_back(fd);

    assert_int_equal(at32(block), 6);
    assert_int_equal(at32(block + 4), whole_length - block);
    assert_int_equal(at32(block + 8), 0);
    assert_int_equal(at32(block + 12), 0x01234567);
    assert_int_equal(at32(block + 16), 0x89abcdef);
    assert_int_equal(at32(block + 20), 40);
    assert_int_equal(at32(block + 24), 40);
    assert_memory_equal(whole + block + 28, syn, 40);
    assert_int_equal(at16(block + 68), 2);
    assert_int_equal(at16(block + 70), 4);
    assert_int_equal(at32(block + 72), 2);
    assert_int_equal(at16(block + 76), 1);
    assert_int_equal(at16(block + 78), sizeof comment - 1);
    assert_memory_equal(whole + block + 80, comment, sizeof comment - 1);
    assert_int_equal(at32(block + 80 + 24), 0);
    assert_int_equal(at32(whole_length - 4), whole_length - block);
    close(fd);
}

static void pcapng_slices_are_put_behind_the_head_and_padded(void **state)
{
    static const uint8_t text[] = "abcdefg";
    struct estab_slice slices[2] = {{text, 3}, {text + 3, 4}};
    struct estab_packet packet = {.data = syn, .length = 38, .slices = slices, .slice_count = 2};
    struct pcapng_record record = {0, 1, false, NULL, &packet};
    struct pcapng writer;
    int fd = open_memory(&writer);
    size_t block;

    (void)state;
    assert_int_equal(pcapng_flush(&writer), 0);
    block = (size_t)writer.written;
    assert_int_equal(pcapng_write(&writer, &record), 0);
    assert_int_equal(pcapng_close(&writer), 0);
    read_back(fd);
    assert_int_equal(at32(block + 20), 45);
    assert_int_equal(at32(block + 24), 45);
    assert_memory_equal(whole + block + 28, syn, 38);
    assert_memory_equal(whole + block + 28 + 38, "abcdefg\0\0\0", 10);
    assert_int_equal(at32(block + 28 + 48 + 4), 1); /* flags: inbound */
    close(fd);
}

static void pcapng_comment_tells_states_reason_and_drop(void **state)
{
    struct estab_packet packet = {0};
    struct pcapng_record record = {.packet = &packet};
    char text[PCAPNG_COMMENT];

    (void)state;
    assert_int_equal(pcapng_comment(&record, text), 0);
    packet.reason = ESTAB_DROP_TCP_CHECKSUM;
    pcapng_comment(&record, text);
    assert_string_equal(text, "dropped, wrong TCP checksum");
    packet.conn = 1;
    packet.state_before = packet.state_after = ESTAB_ESTABLISHED;
    pcapng_comment(&record, text);
    assert_string_equal(text, "ESTABLISHED: dropped, wrong TCP checksum");
    packet.reason = ESTAB_DROP_NONE;
    packet.state_after = ESTAB_CLOSE_WAIT;
    pcapng_comment(&record, text);
    assert_string_equal(text, "ESTABLISHED -> CLOSE-WAIT");
    record.note = "close";
    pcapng_comment(&record, text);
    assert_string_equal(text, "close; ESTABLISHED -> CLOSE-WAIT");
    record.outgoing = true;
    packet.reason = ESTAB_REASON_DATA;
    packet.state_after = ESTAB_ESTABLISHED;
    pcapng_comment(&record, text);
    assert_string_equal(text, "close; ESTABLISHED: data");
}

static void pcapng_comment_too_long_is_cut(void **state)
{
    char note[2 * PCAPNG_COMMENT];
    struct estab_packet packet = syn_packet();
    struct pcapng_record record = {.note = note, .packet = &packet};
    char text[PCAPNG_COMMENT];

    (void)state;
    memset(note, 'x', sizeof note - 1);
    note[sizeof note - 1] = '\0';
    assert_int_equal(pcapng_comment(&record, text), PCAPNG_COMMENT - 1);
    assert_int_equal(strlen(text), PCAPNG_COMMENT - 1);
}

static void pcapng_more_than_the_buffer_stays_whole(void **state)
{
    static uint8_t big[65549];
    struct estab_packet packet = {.data = big, .length = sizeof big};
    struct pcapng_record record = {0, 1, true, NULL, &packet};
    struct pcapng writer;
    int fd = open_memory(&writer);
    size_t at = 0;
    unsigned packets = 0;

    (void)state;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(pcapng_write(&writer, &record), 0);
    assert_int_equal(pcapng_close(&writer), 0);
    read_back(fd);
    while (at < whole_length) {
        uint32_t length = at32(at + 4);

        packets += at32(at) == 6;
        assert_int_equal(at32(at + length - 4), length);
        at += length;
    }
    assert_int_equal(at, whole_length);
    assert_int_equal(packets, 50);
    close(fd);
}

static void pcapng_full_disk_says_so_once(void **state)
{
    struct estab_packet packet = syn_packet();
    struct pcapng_record record = {0, 1, true, NULL, &packet};
    struct pcapng writer;
    char error[128];
    int fd = open("/dev/full", O_WRONLY);
    const char *report;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pcapng_attach(&writer, fd, "out.pcapng", error, sizeof error), 0);
    assert_int_equal(pcapng_write(&writer, &record), 0);
    assert_null(pcapng_report(&writer));
    assert_int_equal(pcapng_flush(&writer), -ENOSPC);
    assert_int_equal(pcapng_write(&writer, &record), -ENOSPC);
    report = pcapng_report(&writer);
    assert_non_null(report);
    assert_string_equal(report, "out.pcapng: No space left on device: capture stopped after 1 packets");
    assert_null(pcapng_report(&writer));
    assert_int_equal(pcapng_close(&writer), -ENOSPC);
    close(fd);
}

static void pcapng_open_on_a_full_disk_fails_at_once(void **state)
{
    struct pcapng writer;
    char error[128] = "";

    (void)state;
    assert_int_equal(pcapng_open(&writer, "/dev/full", error, sizeof error), -ENOSPC);
    assert_string_equal(error, "cannot write the capture /dev/full: No space left on device");
    assert_int_equal(pcapng_open(&writer, "/nonexistent/x.pcapng", error, sizeof error), -ENOENT);
    assert_non_null(strstr(error, "/nonexistent/x.pcapng"));
}

static void pcapng_closed_pipe_raises_no_signal(void **state)
{
    struct estab_packet packet = syn_packet();
    struct pcapng_record record = {0, 1, true, NULL, &packet};
    struct pcapng writer;
    char error[128];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(pcapng_attach(&writer, ends[1], "pipe", error, sizeof error), 0);
    pcapng_write(&writer, &record);
    assert_int_equal(pcapng_flush(&writer), -EPIPE);
    assert_non_null(strstr(pcapng_report(&writer), "Broken pipe"));
    pcapng_close(&writer);
    close(ends[1]);
}

/* A limit on the size of files stands for a disk that fills up in the middle of a block. */
static void pcapng_cut_file_ends_with_a_whole_block(void **state)
{
    struct estab_packet packet = syn_packet();
    struct pcapng_record record = {0, 1, true, NULL, &packet};
    struct rlimit old, small;
    struct pcapng writer;
    int fd = open_memory(&writer);
    size_t at = 0;
    int result;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        pcapng_write(&writer, &record);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1001;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    result = pcapng_flush(&writer);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(result, -EFBIG);
    read_back(fd);
    assert_true(whole_length > 500 && whole_length <= 1000);
    while (at < whole_length)
        at += at32(at + 4);
    assert_int_equal(at, whole_length);
    pcapng_close(&writer);
    close(fd);
}

static void pcapng_tshark_opens_it(void **state)
{
    struct estab_packet packet = syn_packet();
    struct pcapng_record record = {0, UINT64_C(1700000000123456789), true, NULL, &packet};
    char path[] = "/tmp/estab-pcapng-XXXXXX";
    char command[256];
    char line[256] = "";
    struct pcapng writer;
    char error[128];
    FILE *out;
    int fd;

    (void)state;
    if (system("command -v tshark >/dev/null 2>&1") != 0)
        skip();
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(pcapng_open(&writer, path, error, sizeof error), 0);
    assert_int_equal(pcapng_interface(&writer, "estab0", false), 0);
    assert_int_equal(pcapng_write(&writer, &record), 0);
    assert_int_equal(pcapng_close(&writer), 0);
    snprintf(command, sizeof command,
             "tshark -r %s -T fields -E separator=, -e frame.time_epoch -e frame.interface_name "
             "-e tcp.dstport -e tcp.flags -e frame.comment 2>&1 | grep -v '^Running as'",
             path);
    out = popen(command, "r");
    assert_non_null(out);
    assert_non_null(fgets(line, sizeof line, out));
    assert_int_equal(pclose(out), 0);
    unlink(path);
    assert_string_equal(line, "1700000000.123456789,estab0,80,0x0002,CLOSED -> SYN-SENT: open\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcapng_headers_are_as_the_draft_says),
        cmocka_unit_test(pcapng_packet_block_has_time_bytes_direction_and_comment),
        cmocka_unit_test(pcapng_slices_are_put_behind_the_head_and_padded),
        cmocka_unit_test(pcapng_comment_tells_states_reason_and_drop),
        cmocka_unit_test(pcapng_comment_too_long_is_cut),
        cmocka_unit_test(pcapng_more_than_the_buffer_stays_whole),
        cmocka_unit_test(pcapng_full_disk_says_so_once),
        cmocka_unit_test(pcapng_open_on_a_full_disk_fails_at_once),
        cmocka_unit_test(pcapng_closed_pipe_raises_no_signal),
        cmocka_unit_test(pcapng_cut_file_ends_with_a_whole_block),
        cmocka_unit_test(pcapng_tshark_opens_it),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(whole);
    return failed;
}

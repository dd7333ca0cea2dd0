"""The command line itself: commands, options, help, wrong usage, and output that cannot be written."""
import os
import subprocess

import tool

COMMANDS = ["demo", "serve", "fetch", "nc", "states", "bench"]
HOST = ["--dev", "tun:estabx0", "--addr", "10.9.0.2/24"]


class Commands(tool.Case):
    def test_help_lists_every_command(self):
        text = self.assert_succeeds(tool.run("--help")).decode()
        for command in COMMANDS:
            self.assertIn("\n  %s " % command, text)

    def test_help_of_each_command_has_usage_and_example(self):
        for command in COMMANDS:
            text = self.assert_succeeds(tool.run(command, "--help")).decode()
            self.assertTrue(text.startswith("Usage: estab %s " % command), text)
            self.assertIn("estab %s" % command, text.partition("\nExample:\n  ")[2])
            self.assertLessEqual(max(len(line) for line in text.splitlines()), 112, command)

    def test_version_is_printed(self):
        self.assertRegex(self.assert_succeeds(tool.run("--version")).decode(), r"^estab \d+\.\d+\.\d+\n$")

    def test_no_command_is_usage(self):
        self.assert_fails(tool.run(), 2, "command is missing", "serve")

    def test_unknown_command_is_usage(self):
        self.assert_fails(tool.run("sevre"), 2, "'sevre'", "--help")


class Options(tool.Case):
    def test_unknown_option_is_usage(self):
        self.assert_fails(tool.run("states", "--jason"), 2, "--jason", "--help")
        self.assert_fails(tool.run("nc", "-lX"), 2, "'-X'")

    def test_missing_value_is_usage(self):
        self.assert_fails(tool.run("serve", "--port"), 2, "--port", "missing")

    def test_value_for_a_flag_is_usage(self):
        self.assert_fails(tool.run("states", "--json=yes"), 2, "--json", "'yes'")

    def test_bad_numbers_are_usage(self):
        for value in ["", "0", "65536", "-1", "80x", "0x50", " 80", "99999999999999999999"]:
            self.assert_fails(tool.run("serve", "--port", value, "."), 2, "--port", "'%s'" % value,
                              "1 to 65535")
        self.assert_fails(tool.run("serve", "-p70000", "."), 2, "'70000'")

    def test_bad_times_are_usage(self):
        for value in ["", "1.", ".", "1s", "-1", "1e3", "inf", "9999999999999999999"]:
            self.assert_fails(tool.run("bench", "bulk", "--seconds", value), 2, "--seconds", "'%s'" % value)

    def test_bad_sizes_are_usage(self):
        for value in ["1KB", "64X", "K", "1", "99999999999G"]:
            self.assert_fails(tool.run("serve", "--memory", value, "."), 2, "--memory", "'%s'" % value)

    def test_bad_choice_of_syn_cookies_is_usage(self):
        for value in ["", "never", "ALWAYS"]:
            self.assert_fails(tool.run("serve", *HOST, "--syn-cookies", value, "."), 2, "--syn-cookies",
                              "'%s'" % value, "always, overflow or off")
        self.assert_fails(tool.run("serve", *HOST, "--max-half-open", "0", "."), 2, "--max-half-open", "'0'")

    def test_too_many_or_too_few_arguments_are_usage(self):
        self.assert_fails(tool.run("states", "LISTEN", "CLOSED"), 2, "'CLOSED'")
        self.assert_fails(tool.run("serve", *HOST), 2, "missing", "DIRECTORY")

    def test_device_and_address_must_be_given(self):
        self.assert_fails(tool.run("serve", "."), 2, "--dev", "tun:NAME")
        self.assert_fails(tool.run("serve", "--dev", "tun:x", "."), 2, "--addr", "10.9.0.2/24")

    def test_bad_device_and_address_are_usage(self):
        for device in ["eth0", "tun:", "tun:a/b"]:
            self.assert_fails(tool.run("serve", "--dev", device, "--addr", "10.9.0.2/24", "."), 2,
                              device.split(":")[-1])
        for address in ["10.9.0", "10.9.0.2/33", "fd09::2/129", "10.9.0.2/24,", "localhost"]:
            self.assert_fails(tool.run("serve", "--dev", "tun:x", "--addr", address, "."), 2, "address")

    def test_bad_arguments_of_nc_are_usage(self):
        self.assert_fails(tool.run("nc", *HOST, "10.9.0.1"), 2, "10.9.0.1", "port")
        self.assert_fails(tool.run("nc", *HOST, "10.9.0.1", "70000"), 2, "'70000'")
        self.assert_fails(tool.run("nc", *HOST, "example.org", "80"), 2, "'example.org'")
        self.assert_fails(tool.run("nc", *HOST, "-k", "10.9.0.1", "80"), 2, "-k", "-l")
        self.assert_fails(tool.run("nc", *HOST, "-l"), 2, "-l", "PORT")
        self.assert_fails(tool.run("nc", *HOST, "-l", "-s", "10.9.0", "80"), 2, "--source", "'10.9.0'")

    def test_bad_urls_of_fetch_have_the_codes_of_curl(self):
        self.assert_fails(tool.run("fetch", *HOST, "http://example.org/"), 6, "'example.org'",
                          "not an address")
        self.assert_fails(tool.run("fetch", *HOST, "http://fd09::1/"), 6, "'fd09::1'", "[fd09::1]")
        self.assert_fails(tool.run("fetch", *HOST, "http://10.9.0.1:0/"), 6, "10.9.0.1:0")
        self.assert_fails(tool.run("fetch", *HOST, "https://10.9.0.1/"), 2, "https://10.9.0.1/", "http://")
        self.assert_fails(tool.run("fetch", *HOST, "http:///x"), 2, "'http:///x'")

    def test_unreadable_directory_is_named(self):
        self.assert_fails(tool.run("serve", *HOST, "/nonexistent/dir"), 1, "/nonexistent/dir")
        self.assert_fails(tool.run("serve", *HOST, "/etc/passwd"), 1, "/etc/passwd")

    def test_output_that_cannot_be_made_is_named(self):
        url = "http://10.9.0.1/"
        self.assert_fails(tool.run("fetch", *HOST, "-o", "/nonexistent/x", url), 1, "/nonexistent/x")
        self.assert_fails(tool.run("fetch", *HOST, "-o", "/tmp", url), 1, "/tmp")

    def test_unknown_benchmark_is_usage(self):
        self.assert_fails(tool.run("bench", "speed"), 2, "'speed'", "lookup")


class Output(tool.Case):
    def test_full_disk_is_one_line(self):
        for arguments in [["--help"], ["states"], ["states", "--json"], ["serve", "--help"]]:
            with open("/dev/full", "wb") as full:
                result = tool.run(*arguments, stdout=full)
            text = result.stderr.decode()
            self.assertEqual((result.returncode, text.count("\n")), (1, 1), text)
            self.assertIn("standard output: No space left on device", text)

    def test_closed_pipe_is_one_line(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = tool.run("states", stdout=writer)
        os.close(writer)
        text = result.stderr.decode()
        self.assertEqual((result.returncode, text.count("\n")), (1, 1), text)
        self.assertIn("standard output: Broken pipe", text)

    def test_closed_output_is_one_line(self):
        result = subprocess.run(["sh", "-c", '"$0" states >&-', tool.ESTAB], stdin=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, timeout=tool.TIMEOUT)
        self.assertEqual((result.returncode, result.stderr.decode().count("\n")), (1, 1))


if __name__ == "__main__":
    tool.main()

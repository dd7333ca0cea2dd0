#!/bin/sh
# `make size`: the core for machines without an operating system. Compiles src/ for wasm32 and for a Cortex-M4, shows that it asks for nothing but mem* (and the
# compiler's own integer helpers), links the smallest useful firmware (tests/size), and prints its flash and RAM. Exit 1 where a symbol is not
# allowed or two connections do not fit in 16 KiB.
set -eu
cd "$(dirname "$0")/.."
scripts/install-packages.sh size

out=build/size
rm -rf $out
mkdir -p $out/wasm $out/arm
failed=0
sources=$(find src -name '*.c' | sort)
[ -n "$sources" ] || { echo "size: no sources under src/"; exit 1; }
warnings="-std=c17 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror"
common="$warnings -ffreestanding -Os -fvisibility=hidden -ffunction-sections -fdata-sections -Iinclude -Isrc"
cortex="-mcpu=cortex-m4 -mthumb"

# compile FOLDER COMMAND...: all of src/, in parallel.
compile()
{
    folder=$1
    shift
    # shellcheck disable=SC2016 # the inner shell expands them
    echo "$sources" | xargs -P "$(nproc)" -I{} sh -c 'out=$1; shift; exec "$@" -c {} -o "$out/$(echo {} | tr / _).o"' sh "$folder" "$@"
}

# undefined NM FILE PATTERN: complains about symbols that are not allowed.
undefined()
{
    names=$("$1" -u "$2" | awk '{ print $NF }' | grep -vxE "$3" | sort -u | tr '\n' ' ' || true)
    if [ -n "$names" ]; then
        echo "  NOT ALLOWED: $names"
        failed=1
    else
        echo "  asks for: $("$1" -u "$2" | awk '{ print $NF }' | sort -u | tr '\n' ' ')"
    fi
}

mem='memcpy|memmove|memset|memcmp'

echo "wasm32 ($(clang --version | sed -n '1s/.*\(clang version [0-9.]*\).*/\1/p'), -Os)"
# shellcheck disable=SC2086
compile $out/wasm clang --target=wasm32 $common
# An object of wasm names the stack pointer of the module and the table of functions: both are the linker's.
wasm-ld -r -o $out/estab.wasm.o $out/wasm/*.o
undefined llvm-nm $out/estab.wasm.o "$mem|__stack_pointer|__indirect_function_table|__linear_memory"
exported=$(sed -n 's/.*ESTAB_API [^(]*[ *]\(estab_[a-z0-9_]*\)(.*/--export-if-defined=\1/p' include/estab/*.h)
# shellcheck disable=SC2086
wasm-ld --no-entry $exported --allow-undefined --strip-all -o $out/estab.wasm $out/wasm/*.o
echo "  whole library as a module: $(wc -c < $out/estab.wasm) bytes"

echo "Cortex-M4 ($(arm-none-eabi-gcc --version | sed -n '1s/ (.*) / /p'), -Os)"
# shellcheck disable=SC2086
compile $out/arm arm-none-eabi-gcc $cortex $common
arm-none-eabi-ld -r -o $out/estab.arm.o $out/arm/*.o
undefined arm-none-eabi-nm $out/estab.arm.o "$mem|__aeabi_(mem[a-z0-9]*|u?l(divmod|mul|lsl|lsr|asr|cmp)|lmul|llsl|llsr|lasr|u?lcmp|u?idiv(mod)?)|__(clz|ctz|popcount|bswap)[sd]i2"

# shellcheck disable=SC2086
arm-none-eabi-gcc $cortex $common -Itests/size -nostartfiles -Wl,--gc-sections -Wl,-Map=$out/firmware.map -T tests/size/cortex-m4.ld \
    tests/size/firmware.c tests/size/board.c $out/arm/*.o --specs=nano.specs -o $out/firmware.elf
# shellcheck disable=SC2046
set -- $(arm-none-eabi-size $out/firmware.elf | tail -n 1)
flash=$(($1 + $2))
ram=$(($2 + $3))
stack=$(arm-none-eabi-nm -S $out/firmware.elf | awk '$4 == "memory" { print $2 }')
echo "  echo server, IPv4, no Ethernet, two connections (tests/size/firmware.c, everything linked):"
printf '    flash %6d bytes\n' "$flash"
printf '    RAM   %6d bytes, of which the stack'"'"'s budget %d, a frame and a buffer %d\n' "$ram" "$((0x$stack))" "$((ram - 0x$stack))"

# The emulator of programs knows no Cortex-M; a Cortex-A7 has the same sizes and alignments (AAPCS), so the account is the same.
mkdir -p $out/a7
# shellcheck disable=SC2086
compile $out/a7 arm-none-eabi-gcc -mcpu=cortex-a7 -mthumb -mfloat-abi=soft $common
# shellcheck disable=SC2086
arm-none-eabi-gcc -mcpu=cortex-a7 -mthumb -mfloat-abi=soft $common -fhosted -Itests/size -Wl,--gc-sections tests/size/measure.c $out/a7/*.o \
    --specs=rdimon.specs -o $out/measure.elf
qemu-arm-static $out/measure.elf > $out/measure.txt || failed=1
sed 's/^/    /' $out/measure.txt
exit $failed

# Flags, as interface targets that the others link privately: warnings, instrumentation, and what only src/ gets.

add_library(estab_warnings INTERFACE)
target_compile_options(estab_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wpedantic)
if(ESTAB_WERROR)
    target_compile_options(estab_warnings INTERFACE -Werror)
endif()

# Everything, the tests included, is built with the same instrumentation.
add_library(estab_instrument INTERFACE)
set(estab_instrumented OFF)
if(ESTAB_SANITIZE)
    set(estab_instrumented ON)
    target_compile_options(estab_instrument INTERFACE
        -fsanitize=${ESTAB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(estab_instrument INTERFACE -fsanitize=${ESTAB_SANITIZE})
endif()
if(ESTAB_COVERAGE)
    set(estab_instrumented ON)
    target_compile_options(estab_instrument INTERFACE --coverage -g -O0)
    target_link_options(estab_instrument INTERFACE --coverage)
endif()
if(ESTAB_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "ESTAB_FUZZ needs clang (libFuzzer): use the preset `fuzz`")
    endif()
    set(estab_instrumented ON)
    target_compile_options(estab_instrument INTERFACE -fsanitize=fuzzer-no-link)
endif()

# src/ is compiled for an environment that has memcpy, memmove, memset and memcmp and nothing else: what a compiler may turn loops or
# comparisons into beyond these is switched off by name, so that the four keep being inlined.
add_library(estab_core_flags INTERFACE)
target_compile_options(estab_core_flags INTERFACE
    -fvisibility=hidden -ffunction-sections -fdata-sections -fno-common -fno-semantic-interposition
    -fno-builtin-bcmp -fno-builtin-strlen)
if(NOT estab_instrumented)
    target_compile_options(estab_core_flags INTERFACE -fno-stack-protector)
endif()

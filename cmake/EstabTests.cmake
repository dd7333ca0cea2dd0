# The tests, found by their names: see docs/TESTING.md. Each has one label: unit, stack, rfc, attack, replay, tidy, install or interop.

include(CheckIncludeFile)
set(CMAKE_REQUIRED_FLAGS "-include stdarg.h -include stddef.h -include setjmp.h -include stdint.h")
check_include_file(cmocka.h ESTAB_HAVE_CMOCKA)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT ESTAB_HAVE_CMOCKA)
    message(STATUS "cmocka is not installed: the unit tests are not built (`make test` installs it)")
endif()

# Instrumented and emulated tests take longer; a test with a great number of rounds may do fewer where this is 1.
set(test_slow 0)
set(test_timeout 60)
if(estab_instrumented OR CMAKE_CROSSCOMPILING)
    set(test_slow 1)
    set(test_timeout 300)
endif()
set(test_environment
    "ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
    "PYTHONDONTWRITEBYTECODE=1")

function(estab_test_defaults target)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE ESTAB_TEST_SLOW=${test_slow}
        ESTAB_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${target} PRIVATE estab_warnings)
endfunction()

# ------------------------------------------------------------------------------------------------ helpers of the tests
file(GLOB support_sources CONFIGURE_DEPENDS tests/support/*.c tests/matrix/figure.c)
set(support_library "")
if(support_sources AND ESTAB_HAVE_CMOCKA)
    add_library(estab_test_support STATIC ${support_sources})
    estab_test_defaults(estab_test_support)
    target_link_libraries(estab_test_support PUBLIC estab_plain)
    set(support_library estab_test_support)
endif()

# Drivers, simulator and the parts of the tool for tests, on the plain objects: the same sources without libestab.a beside them.
function(estab_plain_library name)
    add_library(${name} STATIC EXCLUDE_FROM_ALL ${ARGN})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE estab_warnings PUBLIC estab_plain)
endfunction()
set(outer_test_library "")
file(GLOB outer_sources CONFIGURE_DEPENDS drivers/*.c sim/*.c)
if(outer_sources)
    estab_plain_library(estab_outer_plain ${outer_sources})
    set(outer_test_library estab_outer_plain)
endif()
file(GLOB tool_parts CONFIGURE_DEPENDS tools/*.c)
list(FILTER tool_parts EXCLUDE REGEX "/main\\.c$")
if(tool_parts)
    include(cmake/EstabScript.cmake)
    estab_plain_library(estab_tool_plain ${tool_parts})
    estab_script_library(estab_script_plain ${outer_test_library} estab_plain)
    set_target_properties(estab_script_plain PROPERTIES EXCLUDE_FROM_ALL ON)
    target_link_libraries(estab_tool_plain PUBLIC estab_script_plain)
    target_link_libraries(estab_tool_plain PUBLIC ${outer_test_library})
endif()

# What a test file includes tells what it is linked with beyond the core.
function(estab_link_test target source)
    file(STRINGS ${source} names_tools REGEX "#include \"tools/")
    if(names_tools AND TARGET estab_tool_plain)
        target_link_libraries(${target} PRIVATE estab_tool_plain)
    endif()
    file(STRINGS ${source} names_oracle REGEX "#include \"matrix/oracle")
    if(names_oracle)
        target_link_libraries(${target} PRIVATE estab_oracle)
    endif()
    target_link_libraries(${target} PRIVATE ${support_library} ${outer_test_library} estab_plain estab_instrument)
endfunction()

# ------------------------------------------------------------------------------------- unit, stack, rfc, attack: cmocka
set(test_programs "")
if(ESTAB_HAVE_CMOCKA)
    foreach(label unit stack rfc attack)
        file(GLOB sources CONFIGURE_DEPENDS tests/${label}/*_test.c)
        foreach(source IN LISTS sources)
            get_filename_component(name ${source} NAME_WE)
            set(target ${label}_${name})
            string(REGEX REPLACE "_test$" "" name ${name})
            add_executable(${target} ${source})
            set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
            estab_test_defaults(${target})
            estab_link_test(${target} ${source})
            target_link_libraries(${target} PRIVATE cmocka)
            add_test(NAME ${label}.${name} COMMAND ${target})
            set_tests_properties(${label}.${name} PROPERTIES
                LABELS ${label} TIMEOUT ${test_timeout} ENVIRONMENT "${test_environment}")
            list(APPEND test_programs ${target})
        endforeach()
    endforeach()
endif()

# ------------------------------------------------------------------------------------- fuzz targets, or their replays
file(GLOB fuzz_sources CONFIGURE_DEPENDS tests/fuzz/*_fuzz.c)
foreach(source IN LISTS fuzz_sources)
    get_filename_component(target ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${target})
    set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    if(ESTAB_FUZZ)
        add_executable(${target} ${source})
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(${target} ${source} tests/fuzz/replay.c)
        add_test(NAME replay.${name} COMMAND ${target} ${corpus})
        set_tests_properties(replay.${name} PROPERTIES
            LABELS replay TIMEOUT ${test_timeout} ENVIRONMENT "${test_environment}")
    endif()
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    estab_test_defaults(${target})
    # An archive gives only the members that a target names, so a helper that needs cmocka does not come along.
    estab_link_test(${target} ${source})
    list(APPEND test_programs ${target})
endforeach()

if(ESTAB_HAVE_CMOCKA AND NOT CMAKE_CROSSCOMPILING AND NOT estab_instrumented)
    add_test(NAME attack.checks.selftest COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/attack/checks.py --self-test)
    set_tests_properties(attack.checks.selftest PROPERTIES
        LABELS attack TIMEOUT 60 ENVIRONMENT "${test_environment};CC=${CMAKE_C_COMPILER}")
endif()

# ------------------------------------------------- matrix: the core against a second statement of RFC 9293 3.10.7
file(GLOB oracle_sources CONFIGURE_DEPENDS tests/matrix/oracle*.c)
file(GLOB matrix_sources CONFIGURE_DEPENDS tests/matrix/matrix*.c)
add_library(estab_oracle STATIC ${oracle_sources})
target_include_directories(estab_oracle PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(estab_oracle PRIVATE estab_warnings estab_instrument)
add_executable(estab_matrix ${matrix_sources} tests/matrix/figure.c)
set_target_properties(estab_matrix PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
estab_test_defaults(estab_matrix)
target_link_libraries(estab_matrix PRIVATE estab_oracle estab_plain estab_instrument)
set(matrix_arguments --quick)
if(test_slow)
    set(matrix_arguments --stride 600)
endif()
add_test(NAME matrix.quick COMMAND estab_matrix ${matrix_arguments})
set_tests_properties(matrix.quick PROPERTIES
    LABELS matrix TIMEOUT ${test_timeout} ENVIRONMENT "${test_environment}")
list(APPEND test_programs estab_matrix)

add_custom_target(estab_test_programs DEPENDS ${test_programs})

# ------------------------------------------------------------------ script: packet scripts, ours and, where they are there, others
if(TARGET estab_tool)
    add_test(NAME script.own COMMAND estab_tool script tests/script WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(script.own PROPERTIES LABELS script TIMEOUT 300 ENVIRONMENT "${test_environment}")
    set(shared_scripts ${PROJECT_SOURCE_DIR}/../shared/scripts)
    if(EXISTS ${shared_scripts})
        add_test(NAME script.shared COMMAND estab_tool script --allow-unparsed
            --deviations docs/deviations.tsv ${shared_scripts} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        set_tests_properties(script.shared PROPERTIES LABELS script TIMEOUT 300 ENVIRONMENT "${test_environment}")
    endif()
endif()

# ----------------------------------------------------------- demo: the whole life of connections, with sanitizers too
if(TARGET estab_tool)
    add_test(NAME demo COMMAND estab_tool demo)
    set_tests_properties(demo PROPERTIES LABELS demo TIMEOUT 300 RUN_SERIAL ON ENVIRONMENT "${test_environment}")
endif()

if(CMAKE_CROSSCOMPILING OR estab_instrumented)
    return() # What follows looks at the tree or at the release build, once.
endif()

# ----------------------------------------------------------------------------------------- tidy: rules about the tree
set(python /usr/bin/python3)
set(tool_argument "")
if(TARGET estab_tool)
    set(tool_argument --tool $<TARGET_FILE:estab_tool>)
endif()
function(estab_tidy_test name)
    set(script ${PROJECT_SOURCE_DIR}/tests/tidy/${name}.py)
    add_test(NAME tidy.${name} COMMAND ${python} ${script} ${PROJECT_SOURCE_DIR} ${ARGN})
    add_test(NAME tidy.${name}.selftest COMMAND ${python} ${script} --self-test)
    set_tests_properties(tidy.${name} tidy.${name}.selftest PROPERTIES
        LABELS tidy TIMEOUT 300 ENVIRONMENT "${test_environment};CC=${CMAKE_C_COMPILER}")
endfunction()
estab_tidy_test(include_rule)
estab_tidy_test(style)
estab_tidy_test(docs ${tool_argument})
estab_tidy_test(requirements)
if(estab_localized)
    estab_tidy_test(symbols --object ${estab_object} --archive $<TARGET_FILE:estab>)
endif()

# ------------------------------------------------------------- install: a stranger's project against the installed tree
add_test(NAME install.consumer
    COMMAND ${python} ${PROJECT_SOURCE_DIR}/tests/install/consumer.py
        ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${PROJECT_VERSION})
set_tests_properties(install.consumer PROPERTIES
    LABELS install TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT "${test_environment};CC=${CMAKE_C_COMPILER}")

# ----------------------------------------------- tool: the command line, its errors and its output; some need root and TUN
if(TARGET estab_tool AND NOT CMAKE_CROSSCOMPILING)
    file(GLOB tool_scripts CONFIGURE_DEPENDS tests/tool/*_test.py)
    foreach(script IN LISTS tool_scripts)
        get_filename_component(name ${script} NAME_WE)
        string(REGEX REPLACE "_test$" "" name ${name})
        add_test(NAME tool.${name} COMMAND ${python} ${script} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        set_tests_properties(tool.${name} PROPERTIES
            LABELS tool TIMEOUT 300 RUN_SERIAL ON SKIP_RETURN_CODE 77
            ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;ESTAB=$<TARGET_FILE:estab_tool>;ESTAB_BUILD=${PROJECT_BINARY_DIR}")
    endforeach()
endif()

# ---------------------------------------- packetdrill: the adapter, driven through every call as that program does it
if(TARGET estab_packetdrill)
    add_executable(packetdrill_host tests/packetdrill/host.c)
    set_target_properties(packetdrill_host PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    estab_test_defaults(packetdrill_host)
    target_link_libraries(packetdrill_host PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
    add_test(NAME packetdrill.host COMMAND packetdrill_host $<TARGET_FILE:estab_packetdrill>)
    set_tests_properties(packetdrill.host PROPERTIES LABELS packetdrill TIMEOUT 60)
endif()

# -------------------------------------------------- interop: the tool against other people's TCPs; root, one at a time
if(TARGET estab_tool)
    # Programs that the scripts start: the library and its drivers, as a user links them.
    file(GLOB interop_programs CONFIGURE_DEPENDS tests/interop/*.c)
    foreach(source IN LISTS interop_programs)
        get_filename_component(name ${source} NAME_WE)
        add_executable(interop_${name} ${source})
        set_target_properties(interop_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        target_compile_definitions(interop_${name} PRIVATE _GNU_SOURCE)
        target_include_directories(interop_${name} PRIVATE ${PROJECT_SOURCE_DIR})
        target_link_libraries(interop_${name} PRIVATE estab_drivers estab estab_warnings estab_instrument)
    endforeach()
    set(interop_long bulk many)
    file(GLOB interop_scripts CONFIGURE_DEPENDS tests/interop/*.py)
    foreach(script IN LISTS interop_scripts)
        file(STRINGS ${script} entry REGEX "__main__")
        if(NOT entry)
            continue() # a module that the scripts share
        endif()
        get_filename_component(name ${script} NAME_WE)
        add_test(NAME interop.${name} COMMAND ${python} ${script})
        set(labels interop)
        if(name IN_LIST interop_long)
            list(APPEND labels long) # `ctest -LE long` leaves out what moves gigabytes or thousands of connections
        endif()
        set_tests_properties(interop.${name} PROPERTIES
            LABELS "${labels}" TIMEOUT 300 RUN_SERIAL ON SKIP_RETURN_CODE 77
            WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
            ENVIRONMENT "${test_environment};ESTAB=$<TARGET_FILE:estab_tool>;ESTAB_BUILD=${PROJECT_BINARY_DIR}")
    endforeach()
endif()

# ------------------------------------------------- explore: two endpoints and a bad channel, and the model of them for spin
file(GLOB explore_sources CONFIGURE_DEPENDS tests/explore/*.c)
add_executable(explore ${explore_sources})
set_target_properties(explore PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
estab_test_defaults(explore)
target_link_libraries(explore PRIVATE estab_plain estab_instrument)
add_test(NAME explore.worlds COMMAND explore)
add_test(NAME explore.worlds.selftest COMMAND explore --self-test)
set(spin_script ${PROJECT_SOURCE_DIR}/tests/explore/spin.py)
add_test(NAME explore.spin COMMAND ${python} ${spin_script})
add_test(NAME explore.spin.selftest COMMAND ${python} ${spin_script} --self-test)
set_tests_properties(explore.worlds explore.worlds.selftest explore.spin explore.spin.selftest PROPERTIES
    LABELS explore TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT "${test_environment};CC=${CMAKE_C_COMPILER}")

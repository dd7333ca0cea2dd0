# The library: plain objects, the archive for tests, libestab.a with only estab_* visible, and the shared library.

file(GLOB core_sources CONFIGURE_DEPENDS
    src/base/*.c src/wire/*.c src/cc/*.c src/tcp/*.c src/ip/*.c src/stack/*.c)

add_library(estab_objects OBJECT ${core_sources})
target_include_directories(estab_objects
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(estab_objects PRIVATE estab_warnings estab_instrument estab_core_flags)

# The checksum is the one loop that pays for vectorization.
if(NOT ESTAB_COVERAGE AND CMAKE_BUILD_TYPE STREQUAL "Release")
    set_source_files_properties(src/wire/checksum.c PROPERTIES COMPILE_OPTIONS -O3)
endif()

# gcc's release optimizes the library as the one program that it is: functions of other files are inlined, what
# nobody outside can call is not kept. The objects stay whole without that, for the tests and the shared library.
set(estab_whole_program OFF)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release"
        AND CMAKE_EXECUTABLE_FORMAT STREQUAL "ELF" AND NOT CMAKE_CROSSCOMPILING AND NOT estab_instrumented)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT estab_whole_program OUTPUT estab_whole_program_output LANGUAGES C)
endif()
set(estab_combine ${CMAKE_LINKER} -r)
if(estab_whole_program)
    # Small functions on the path of each segment: gcc's own limits leave half of them calls.
    set(estab_inlining --param=max-inline-insns-auto=80 --param=inline-unit-growth=300 --param=large-function-growth=2000)
    target_compile_options(estab_objects PRIVATE -flto -ffat-lto-objects ${estab_inlining})
    separate_arguments(estab_combine_flags UNIX_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_RELEASE}")
    set(estab_combine ${CMAKE_C_COMPILER} ${estab_combine_flags} ${estab_inlining} -r -flto -flto-partition=one -fwhole-program
        -fpie -flinker-output=pie -ffunction-sections -fdata-sections)
endif()

# For tests: every internal function can be linked, and only what a test needs is.
add_library(estab_plain STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:estab_objects>)
target_include_directories(estab_plain PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(estab_plain PUBLIC estab_instrument)
if(estab_whole_program)
    target_link_options(estab_plain INTERFACE -fno-lto)
endif()
set_target_properties(estab_plain PROPERTIES LINKER_LANGUAGE C)

# An instrumented object does not survive having its symbols made local, so there libestab.a is the plain archive.
set(estab_localized OFF)
if(CMAKE_EXECUTABLE_FORMAT STREQUAL "ELF" AND CMAKE_OBJCOPY AND NOT estab_instrumented)
    set(estab_localized ON)
endif()

if(estab_localized)
    set(estab_object ${PROJECT_BINARY_DIR}/estab.o)
    add_custom_command(
        OUTPUT ${estab_object}
        COMMAND ${estab_combine} -o ${estab_object}.all $<TARGET_OBJECTS:estab_objects>
        COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${estab_object}.all ${estab_object}
        COMMAND ${CMAKE_COMMAND} -E rm -f ${estab_object}.all
        DEPENDS estab_objects $<TARGET_OBJECTS:estab_objects>
        COMMAND_EXPAND_LISTS
        COMMENT "Linking estab.o, hidden symbols made local"
        VERBATIM)
    add_library(estab STATIC ${estab_object})
    set_source_files_properties(${estab_object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
else()
    add_library(estab STATIC $<TARGET_OBJECTS:estab_objects>)
    target_link_libraries(estab PUBLIC $<BUILD_INTERFACE:estab_instrument>)
endif()
set_target_properties(estab PROPERTIES LINKER_LANGUAGE C)
target_include_directories(estab PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
add_library(estab::estab ALIAS estab)

if(ESTAB_SHARED)
    # Objects of its own: what a shared library asks of its code would cost the static one time.
    add_library(estab_shared SHARED ${core_sources})
    target_include_directories(estab_shared PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(estab_shared PRIVATE $<BUILD_INTERFACE:estab_warnings> $<BUILD_INTERFACE:estab_instrument>
        $<BUILD_INTERFACE:estab_core_flags>)
    set_target_properties(estab_shared PROPERTIES
        LINKER_LANGUAGE C
        OUTPUT_NAME estab
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    target_link_libraries(estab_shared PRIVATE $<BUILD_INTERFACE:estab_instrument>)
    if(estab_whole_program)
        target_link_options(estab_shared PRIVATE -fno-lto)
    endif()
    target_include_directories(estab_shared PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    add_library(estab::estab_shared ALIAS estab_shared)
endif()

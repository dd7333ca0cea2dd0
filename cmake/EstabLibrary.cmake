# The library: plain objects, the archive for tests, libestab.a with only estab_* visible, and the shared library.

file(GLOB core_sources CONFIGURE_DEPENDS
    src/base/*.c src/wire/*.c src/cc/*.c src/tcp/*.c src/ip/*.c src/stack/*.c)

add_library(estab_objects OBJECT ${core_sources})
target_include_directories(estab_objects
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(estab_objects PRIVATE estab_warnings estab_instrument estab_core_flags)
set_target_properties(estab_objects PROPERTIES POSITION_INDEPENDENT_CODE ${ESTAB_SHARED})

# The checksum is the one loop that pays for vectorization.
if(NOT ESTAB_COVERAGE AND CMAKE_BUILD_TYPE STREQUAL "Release")
    set_source_files_properties(src/wire/checksum.c PROPERTIES COMPILE_OPTIONS -O3)
endif()

# For tests: every internal function can be linked, and only what a test needs is.
add_library(estab_plain STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:estab_objects>)
target_include_directories(estab_plain PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(estab_plain PUBLIC estab_instrument)
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
        COMMAND ${CMAKE_LINKER} -r -o ${estab_object}.all $<TARGET_OBJECTS:estab_objects>
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
    add_library(estab_shared SHARED $<TARGET_OBJECTS:estab_objects>)
    set_target_properties(estab_shared PROPERTIES
        LINKER_LANGUAGE C
        OUTPUT_NAME estab
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    target_link_libraries(estab_shared PRIVATE $<BUILD_INTERFACE:estab_instrument>)
    target_include_directories(estab_shared PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    add_library(estab::estab_shared ALIAS estab_shared)
endif()

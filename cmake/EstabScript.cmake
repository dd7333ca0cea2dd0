# Packet scripts: the sources of their reader and runner, for the tool and, where it is not built, for the tests alone. The scanner
# and the parser are made by flex and bison, whose code has a style of its own.
include_guard(GLOBAL)

find_package(FLEX 2.6 REQUIRED)
find_package(BISON 3.7 REQUIRED)
set(script_generated ${PROJECT_BINARY_DIR}/script)
file(MAKE_DIRECTORY ${script_generated})
bison_target(script_grammar tools/script/grammar.y ${script_generated}/grammar.c
    DEFINES_FILE ${script_generated}/grammar.h COMPILE_FLAGS "-Wall -Werror")
flex_target(script_lexer tools/script/lexer.l ${script_generated}/lexer.c)
add_flex_bison_dependency(script_lexer script_grammar)
file(GLOB script_sources CONFIGURE_DEPENDS tools/script/*.c)

# A library of all that, on the libraries that are named.
function(estab_script_library name)
    add_library(${name} STATIC ${script_sources} ${BISON_script_grammar_OUTPUTS} ${FLEX_script_lexer_OUTPUTS})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} PRIVATE ${script_generated} ${PROJECT_SOURCE_DIR}/tools/script)
    target_link_libraries(${name} PRIVATE estab_warnings estab_instrument PUBLIC ${ARGN})
endfunction()
set_source_files_properties(${BISON_script_grammar_OUTPUTS} ${FLEX_script_lexer_OUTPUTS} PROPERTIES COMPILE_OPTIONS "-w")

# Everything that stands on the public API: drivers, simulator, the tool `estab`, examples. These see include/ and each other, never src/;
# the archive they link has nothing but estab_* to offer.

set(outer_flags estab_warnings estab_instrument)

# Sources of one folder as a static library; nothing is made while the folder is empty.
function(estab_outer_library name folder)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    if(NOT sources)
        return()
    endif()
    add_library(${name} STATIC ${sources})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC estab ${ARGN} PRIVATE ${outer_flags})
endfunction()

find_package(Threads REQUIRED)
estab_outer_library(estab_drivers drivers)
estab_outer_library(estab_sim sim)

set(outer_libraries "")
foreach(library estab_drivers estab_sim)
    if(TARGET ${library})
        list(APPEND outer_libraries ${library})
    endif()
endforeach()

file(GLOB tool_sources CONFIGURE_DEPENDS tools/*.c)
if(tool_sources)
    add_executable(estab_tool ${tool_sources})
    set_target_properties(estab_tool PROPERTIES OUTPUT_NAME estab)
    target_compile_definitions(estab_tool PRIVATE _GNU_SOURCE)
    target_include_directories(estab_tool PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(estab_tool PRIVATE ${outer_libraries} estab ${outer_flags} Threads::Threads)
endif()

# One file, one program.
add_custom_target(examples)
file(GLOB example_sources CONFIGURE_DEPENDS examples/*.c)
foreach(source IN LISTS example_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(example_${name} ${source})
    add_dependencies(examples example_${name})
    set_target_properties(example_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
    target_compile_definitions(example_${name} PRIVATE _GNU_SOURCE)
    target_include_directories(example_${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(example_${name} PRIVATE ${outer_libraries} estab ${outer_flags})
endforeach()

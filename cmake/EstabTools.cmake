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
if(TARGET estab_sim)
    target_link_libraries(estab_sim PUBLIC estab_drivers)
endif()

# The adapter for packetdrill's shared-object interface: everything in one file that exports two names. The sources again, not
# the archives, whose code is not position-independent; the version script hides estab_* in spite of ESTAB_API.
file(GLOB packetdrill_sources CONFIGURE_DEPENDS sim/packetdrill/*.c)
file(GLOB packetdrill_sockets CONFIGURE_DEPENDS sim/sockets*.c)
set(packetdrill_exports ${PROJECT_SOURCE_DIR}/sim/packetdrill/exports.map)
add_library(estab_packetdrill MODULE ${packetdrill_sources} ${packetdrill_sockets} ${core_sources})
set_target_properties(estab_packetdrill PROPERTIES C_VISIBILITY_PRESET hidden LINK_DEPENDS ${packetdrill_exports})
target_compile_definitions(estab_packetdrill PRIVATE _GNU_SOURCE)
target_include_directories(estab_packetdrill PRIVATE
    ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(estab_packetdrill PRIVATE ${outer_flags} Threads::Threads ${CMAKE_DL_LIBS})
target_link_options(estab_packetdrill PRIVATE LINKER:--version-script=${packetdrill_exports})

set(outer_libraries "")
foreach(library estab_drivers estab_sim)
    if(TARGET ${library})
        list(APPEND outer_libraries ${library})
    endif()
endforeach()

include(cmake/EstabScript.cmake)
estab_script_library(estab_script ${outer_libraries} estab)

file(GLOB tool_sources CONFIGURE_DEPENDS tools/*.c)
if(tool_sources)
    add_executable(estab_tool ${tool_sources})
    set_target_properties(estab_tool PROPERTIES OUTPUT_NAME estab)
    target_compile_definitions(estab_tool PRIVATE _GNU_SOURCE)
    target_include_directories(estab_tool PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(estab_tool PRIVATE estab_script ${outer_libraries} estab ${outer_flags} Threads::Threads)
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

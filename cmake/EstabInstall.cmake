# `cmake --install`: headers, library, tool, pkg-config file and CMake package.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/estab)

install(DIRECTORY include/estab DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
set(installed_targets estab)
if(TARGET estab_shared)
    list(APPEND installed_targets estab_shared)
endif()
if(estab_instrumented)
    return() # An instrumented build is for tests; there is nothing in it to install.
endif()
install(TARGETS ${installed_targets} EXPORT estab)
if(TARGET estab_tool)
    install(TARGETS estab_tool)
endif()

install(EXPORT estab NAMESPACE estab:: FILE estab-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/estab-config.cmake.in ${PROJECT_BINARY_DIR}/estab-config.cmake
    INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/estab-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/estab-config.cmake ${PROJECT_BINARY_DIR}/estab-config-version.cmake
    DESTINATION ${package_dir})

# The file finds its prefix from its own place, so that an installed tree may be moved.
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/estab.pc.in ${PROJECT_BINARY_DIR}/estab.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/estab.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

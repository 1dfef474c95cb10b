# The packages that Aqueduct builds on, all from Debian 12. Found here and nowhere else.
find_package(Threads REQUIRED)
find_package(RocksDB REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(PkgConfig REQUIRED)
# The prefix keeps these variables apart from those that RocksDB's own find modules read.
pkg_check_modules(pc_zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(pc_lz4 REQUIRED IMPORTED_TARGET liblz4)
find_package(Snappy REQUIRED)
find_library(ISAL_LIBRARY isal REQUIRED)
add_library(isal::isal UNKNOWN IMPORTED)
set_target_properties(isal::isal PROPERTIES IMPORTED_LOCATION ${ISAL_LIBRARY})

# Debian ships CAF without a CMake configuration. Its headers are the interface of one minor
# version.
find_path(CAF_INCLUDE_DIR caf/config.hpp REQUIRED)
file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp caf_version_line REGEX "#define CAF_VERSION [0-9]+")
if(NOT caf_version_line MATCHES "CAF_VERSION 17[0-9][0-9]")
  message(FATAL_ERROR "Aqueduct needs CAF 0.17 (Debian 12: libcaf-dev); found: ${caf_version_line}")
endif()
foreach(component core io)
  find_library(CAF_${component}_LIBRARY caf_${component} REQUIRED)
  add_library(caf::${component} UNKNOWN IMPORTED)
  set_target_properties(caf::${component} PROPERTIES
    IMPORTED_LOCATION ${CAF_${component}_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR}
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR})
endforeach()
target_link_libraries(caf::core INTERFACE Threads::Threads)
target_link_libraries(caf::io INTERFACE caf::core)

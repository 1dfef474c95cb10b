# Build options and the flags that every target shares.
option(AQUEDUCT_TESTS "Build the tests" ON)
option(AQUEDUCT_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
set(AQUEDUCT_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, comma separated; empty for none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(AQUEDUCT_CCACHE ccache)
if(AQUEDUCT_CCACHE)
  # A precompiled header is part of every object's key; times and __TIME__ are not. Paths count from
  # the source folder, so that every clone on a machine finds what another one compiled.
  set(ccache_launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true ${AQUEDUCT_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache_launcher})
endif()

add_library(aqueduct_flags INTERFACE)
target_compile_options(aqueduct_flags INTERFACE -Wall -Wextra -Werror -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns of members of std::variant and std::optional that are never read (GCC bug 105562).
  target_compile_options(aqueduct_flags INTERFACE -fpch-preprocess -Wno-maybe-uninitialized)
endif()
target_include_directories(aqueduct_flags INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
if(AQUEDUCT_SANITIZE)
  # The installed CAF dereferences a null shared_ptr when it spawns (init_fun_factory.hpp):
  # harmless, but UBSan's null check stops on it.
  target_compile_options(aqueduct_flags INTERFACE -fsanitize=${AQUEDUCT_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(AQUEDUCT_SANITIZE MATCHES "undefined")
    target_compile_options(aqueduct_flags INTERFACE -fno-sanitize=null)
  endif()
  target_link_options(aqueduct_flags INTERFACE -fsanitize=${AQUEDUCT_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(aqueduct_flags INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
endif()
if(AQUEDUCT_FUZZ)
  # Coverage for libFuzzer in every library; its entry point only in the fuzz targets.
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "AQUEDUCT_FUZZ needs clang: use the preset `fuzz`")
  endif()
  target_compile_options(aqueduct_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(aqueduct_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

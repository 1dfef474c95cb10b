# Installs the client library into a new folder and builds and runs a sample against it, by
# find_package (shared and static) and by pkg-config; then looks at what the library exports.
# cmake -DBUILD_DIR=... -DSOURCE_DIR=... -DCXX=... -DFLAGS=... -P check.cmake
string(RANDOM LENGTH 12 name)
set(top ${BUILD_DIR}/installed-${name})
set(prefix ${top}/prefix)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    file(REMOVE_RECURSE ${top})
    message(FATAL_ERROR "failed (${code}): ${ARGN}\n${out}\n${err}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

foreach(component client client_dev)
  run(${CMAKE_COMMAND} --install ${BUILD_DIR} --component ${component} --prefix ${prefix})
endforeach()

run(${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${top}/sample -DCMAKE_PREFIX_PATH=${prefix}
    -DCMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${top}/sample)
run(${top}/sample/sample)
run(${top}/sample/sample_static)

file(GLOB_RECURSE pc ${prefix}/*/aqueduct-client.pc)
get_filename_component(pc_dir ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_dir})
run(pkg-config --cflags --libs aqueduct-client)
separate_arguments(flags UNIX_COMMAND "${out} ${FLAGS}")
run(${CXX} -std=c++20 -Wall -Wextra -Werror ${SOURCE_DIR}/sample.cpp -o ${top}/by_pkg_config
    ${flags})
file(GLOB_RECURSE library ${prefix}/*/libaqueduct-client.so.0)
get_filename_component(library_dir ${library} DIRECTORY)
run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${library_dir} ${top}/by_pkg_config)

run(nm -D --defined-only -C ${library})
if(NOT out MATCHES "aqueduct::client::producer::send")
  message(FATAL_ERROR "the library does not export its own classes")
endif()
if(out MATCHES "boost::|ZSTD_|aqueduct::protocol::|_core::|broker_link")
  message(FATAL_ERROR "the library exports what should be hidden:\n${out}")
endif()
file(REMOVE_RECURSE ${top})

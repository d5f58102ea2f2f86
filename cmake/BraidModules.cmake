# The layers of docs/architecture.md, executed: a module may use only what its row below allows.
# A forbidden link or a forbidden #include stops the configure step.

set(BRAID_ALLOW_base      "")
set(BRAID_ALLOW_tensor    base)
set(BRAID_ALLOW_kernels   base tensor)
set(BRAID_ALLOW_model     base tensor)
set(BRAID_ALLOW_runtime   base tensor kernels model)
set(BRAID_ALLOW_verify    base tensor kernels model runtime)
set(BRAID_ALLOW_control   base tensor model)
set(BRAID_ALLOW_data      base tensor)
set(BRAID_ALLOW_cluster   base tensor model runtime control)
set(BRAID_ALLOW_protocol  base)
set(BRAID_ALLOW_serving   base tensor model control cluster protocol)
set(BRAID_ALLOW_client    base protocol)
set(BRAID_ALLOW_training  base tensor kernels model runtime verify data)
set(BRAID_ALLOW_convert   base tensor kernels model runtime verify data)
set(BRAID_ALLOW_onnxruntime base)
set(BRAID_ALLOW_bench     base tensor kernels model runtime onnxruntime)
set(BRAID_ALLOW_cli       base tensor kernels model runtime verify control data cluster protocol serving
                          client convert onnxruntime)

# Compile options of our own code only; third-party headers come in as SYSTEM.
add_library(braid_options INTERFACE)
# Warnings stop our own builds, never a user's: at -O3, GCC 12 warns of copies inside std::string that
# cannot be (GCC bug 105651), and a newer compiler may warn of anything.
target_compile_options(braid_options INTERFACE -Wall -Wextra -Wconversion
  $<$<NOT:$<CONFIG:Release>>:-Werror>
  $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
target_include_directories(braid_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(BRAID_SANITIZE)
  add_compile_options(-fsanitize=${BRAID_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BRAID_SANITIZE})
  if(BRAID_SANITIZE MATCHES "thread")
    # The sanitizer does not know fences (GCC refuses them under -Werror); Boost.Asio's own are extra
    # to the mutexes that order its handlers.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    # With the sanitizer's calls in between, GCC 12 takes a copy into a vector that was just grown for
    # one into nothing. Other builds keep the warning.
    target_compile_options(braid_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
  endif()
endif()

# Stops when a source of `module` includes a header of a module that its row does not allow.
function(braid_check_includes module)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(file IN LISTS files)
    file(STRINGS ${file} lines REGEX "^#include \"braid/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"braid/([a-z]+)/.*" "\\1" used "${line}")
      if(NOT used STREQUAL module AND NOT used IN_LIST BRAID_ALLOW_${module})
        message(FATAL_ERROR "${file}: module '${module}' may not use '${used}' (${line}); "
                            "see the allow-table in cmake/BraidModules.cmake")
      endif()
    endforeach()
  endforeach()
endfunction()

# braid_module(NAME USES mod... SOURCES file... [LIBRARIES public...] [PRIVATE_LIBRARIES private...])
# makes the static library braid_NAME (alias braid::NAME).
function(braid_module name)
  cmake_parse_arguments(ARG "" "" "USES;SOURCES;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  foreach(used IN LISTS ARG_USES)
    if(NOT used IN_LIST BRAID_ALLOW_${name})
      message(FATAL_ERROR "module '${name}' may not use '${used}'; see cmake/BraidModules.cmake")
    endif()
  endforeach()
  braid_check_includes(${name})
  if(ARG_SOURCES)
    add_library(braid_${name} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(braid_${name} PRIVATE braid_options ${ARG_PRIVATE_LIBRARIES})
  else()
    add_library(braid_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(braid_${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(braid_${name} ${scope} braid_${used})
  endforeach()
  target_link_libraries(braid_${name} ${scope} ${ARG_LIBRARIES})
  add_library(braid::${name} ALIAS braid_${name})
endfunction()

# braid_precompile(TARGET header...) parses headers that most files of a target include only once.
function(braid_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)  # what ccache needs to see them
  endif()
endfunction()

# braid_test(NAME LABEL fast|slow|chaos SOURCES file_test.cc... [LIBRARIES ...])
# One GoogleTest program; its cases are registered with ctest under the label.
function(braid_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBRARIES;ENVIRONMENT" ${ARGN})
  foreach(source IN LISTS ARG_SOURCES)
    get_filename_component(path ${source} ABSOLUTE)
    set_property(GLOBAL APPEND PROPERTY BRAID_BUILT_TESTS ${path})
  endforeach()
  if(NOT BRAID_TESTS)
    return()
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(CMAKE_CROSSCOMPILING OR BRAID_SANITIZE)  # emulated or watched, a program is that much slower
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 10")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE braid_options ${ARG_LIBRARIES} GTest::gmock GTest::gtest_main)
  # One ctest entry a program: starting a process per case would cost more than the cases.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
                       ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# A *_test.cc that no target builds is a test that silently never runs: refuse it.
function(braid_check_every_test_is_built)
  get_property(built GLOBAL PROPERTY BRAID_BUILT_TESTS)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*_test.cc ${CMAKE_SOURCE_DIR}/tests/*_test.cc
       ${CMAKE_SOURCE_DIR}/fuzz/*_test.cc)
  foreach(file IN LISTS found)
    if(file MATCHES "/training/" AND NOT BRAID_TRAIN)
      continue()
    endif()
    if(NOT file IN_LIST built)
      message(FATAL_ERROR "${file} is built by no braid_test()")
    endif()
  endforeach()
endfunction()

# What every target of the project shares: the language, the warnings, and one function per kind of target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# -O2 for everything; kernels choose their own level. Assertions do not exist: input is checked by code, our mistakes by check().
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

option(MOTLEY_WERROR "Treat warnings as errors" ON)
add_library(motley_options INTERFACE)
target_compile_options(motley_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -ffp-contract=off $<$<BOOL:${MOTLEY_WERROR}>:-Werror>)
target_include_directories(motley_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(motley_options INTERFACE Threads::Threads)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# motley_library(NAME lib [USES other-lib...]): every .cpp of the folder but the tests; X_test.cpp files become one test program
# NAME_test. The name follows the folder: src/backends/cpu is motley_backends_cpu.
function(motley_library name)
  cmake_parse_arguments(ARG "" "" "USES;TEST_USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(motley_${name} STATIC ${sources})
    target_link_libraries(motley_${name} PUBLIC motley_options ${ARG_USES})
  else()
    add_library(motley_${name} INTERFACE)
    target_link_libraries(motley_${name} INTERFACE motley_options ${ARG_USES})
  endif()
  if(MOTLEY_TESTS AND tests)
    motley_test(${name}_test SOURCES ${tests} USES motley_${name} ${ARG_TEST_USES})
  endif()
endfunction()

# motley_test(NAME SOURCES ... USES ...): a GoogleTest program whose cases ctest lists one by one.
# Tests that read shared material find it through MOTLEY_SHARED (default: ../shared beside the repository) and say SKIP without it.
function(motley_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;USES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_USES} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE MOTLEY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  gtest_discover_tests(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} DISCOVERY_TIMEOUT 60)
endfunction()

# motley_fuzz(NAME SOURCES ... USES ...): a reader of untrusted bytes, as an LLVMFuzzerTestOneInput. With MOTLEY_FUZZ it becomes the
# libFuzzer program fuzz_NAME (./dev fuzz); otherwise a test that replays tests/fuzz/corpus/NAME, so every input that once broke something
# is read again on each test run, with any compiler.
function(motley_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_USES})
  if(MOTLEY_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.cpp)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 120)
  endif()
endfunction()

# Checks of the repository itself, as ctest cases: `ctest -L project`. Each is a script of tools/dev/ and returns 77 for "cannot run here".
function(motley_check name script)
  cmake_parse_arguments(ARG "" "TIMEOUT" "ARGS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME project.${name} COMMAND bash ${CMAKE_SOURCE_DIR}/tools/dev/${script} ${ARG_ARGS})
  set_tests_properties(project.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${ARG_TIMEOUT} LABELS "project;${ARG_LABELS}")
endfunction()

motley_check(includes check_includes.sh)
motley_check(includes_are_checked check_includes_test.sh)
motley_check(std_headers check_std_headers.sh)
motley_check(words check_words.sh)
motley_check(file_length check_file_length.sh)
motley_check(map check_map.sh)
motley_check(weak_symbols check_weak_symbols.sh ARGS ${CMAKE_BINARY_DIR})
motley_check(weak_symbols_are_found check_weak_symbols_test.sh)
motley_check(packages check_packages.sh)

# Other processors than this one. The release of a program is one file for all x86-64 machines of the last fifteen years.
if(TARGET motley)
  motley_check(runs_as_Nehalem emulate.sh ARGS $<TARGET_FILE:motley> Nehalem scalar LABELS qemu TIMEOUT 300)
  motley_check(runs_as_Haswell emulate.sh ARGS $<TARGET_FILE:motley> Haswell avx2 LABELS qemu TIMEOUT 300)
endif()
motley_check(arm64 aarch64.sh ARGS ${CMAKE_BINARY_DIR}/aarch64 LABELS cross TIMEOUT 1800)
set_tests_properties(project.arm64 PROPERTIES COST 1000)  # the longest: begin with it

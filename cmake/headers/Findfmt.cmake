# fmt from its headers alone: for a program that carries all it needs (Debian ships no libfmt.a), and for other processors. The headers are
# reached through a folder of their own, because /usr/include as a whole would bring this machine's C library to a cross compiler.
if(NOT TARGET fmt::fmt)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/headers)
  file(CREATE_LINK /usr/include/fmt ${CMAKE_BINARY_DIR}/headers/fmt SYMBOLIC)
  add_library(fmt::fmt INTERFACE IMPORTED GLOBAL)
  target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY=1)
  target_include_directories(fmt::fmt SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/headers)
endif()
set(fmt_FOUND TRUE)

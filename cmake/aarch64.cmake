# Toolchain: compiles for 64-bit Arm on another machine, and runs what it built under qemu-user. Used by tools/dev/aarch64.sh with
# MOTLEY_FOLDERS naming the folders that need nothing installed for Arm64: fmt and nlohmann-json are headers, GoogleTest comes as source
# (cmake/headers and cmake/aarch64 say so).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;/usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR}/aarch64 ${CMAKE_CURRENT_LIST_DIR}/headers)

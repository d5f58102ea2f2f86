# Cross-compiles for 64-bit Arm with Debian's compiler, against the folder that
# tools/aarch64_sysroot.sh made; programs are static and run under qemu-aarch64.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)

get_filename_component(BRAID_AARCH64_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../build/aarch64-sysroot ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH ${BRAID_AARCH64_SYSROOT})
# Where Debian keeps headers that differ by architecture (OpenSSL's configuration).
# No fused multiply-add in the tests' own arithmetic: seeds give the same networks as on x86-64.
set(CMAKE_CXX_FLAGS_INIT
  "-ffp-contract=off -isystem ${BRAID_AARCH64_SYSROOT}/usr/include/aarch64-linux-gnu")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Which processor is emulated: cortex-a53 (no dot product), cortex-a76 (dot product), max.
set(BRAID_AARCH64_CPU max CACHE STRING "Processor that qemu-aarch64 stands for in ctest")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-cpu;${BRAID_AARCH64_CPU})

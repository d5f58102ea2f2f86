# Third-party packages, found once. Names and versions: docs/architecture.md, package lists: packages/.
find_package(Threads REQUIRED)
set(OPENSSL_USE_STATIC_LIBS ${BRAID_EXECUTION_ONLY})
find_package(OpenSSL 3 REQUIRED)
find_package(nlohmann_json REQUIRED)
if(BRAID_EXECUTION_ONLY)
  # Debian has fmt as a shared library only, and these programs are static.
  find_path(FMT_INCLUDE_DIR fmt/format.h REQUIRED)
  add_library(fmt::fmt INTERFACE IMPORTED)
  set_target_properties(fmt::fmt PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${FMT_INCLUDE_DIR}
    INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1)
else()
  find_package(fmt REQUIRED)
endif()
find_package(FlatBuffers CONFIG REQUIRED)
if(BRAID_TESTS)
  find_package(GTest REQUIRED)
endif()

# asmjit encodes the generated kernels. Debian's CMake files do not mark its headers as system ones.
find_path(ASMJIT_INCLUDE_DIR asmjit/core.h REQUIRED)
find_library(ASMJIT_LIBRARY asmjit REQUIRED)
add_library(AsmJit::AsmJit UNKNOWN IMPORTED)
set_target_properties(AsmJit::AsmJit PROPERTIES
  IMPORTED_LOCATION ${ASMJIT_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${ASMJIT_INCLUDE_DIR}
  INTERFACE_COMPILE_DEFINITIONS ASMJIT_STATIC
  INTERFACE_LINK_LIBRARIES "Threads::Threads;rt")
if(BRAID_EXECUTION_ONLY)
  return()
endif()

find_package(Protobuf REQUIRED)  # the module form, before gRPC's config (Debian ships no protobuf config)
find_package(gRPC CONFIG REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(LibArchive REQUIRED)
find_package(CURL REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
if(BRAID_TRAIN)
  find_package(Torch REQUIRED)
endif()

# ONNX's schema as Debian compiles it. Its CMake files want the whole library; only the classes are
# used, and the definitions must match the build of the package.
find_path(ONNX_INCLUDE_DIR onnx/onnx_pb.h REQUIRED)
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(Onnx::proto UNKNOWN IMPORTED)
set_target_properties(Onnx::proto PROPERTIES
  IMPORTED_LOCATION ${ONNX_PROTO_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${ONNX_INCLUDE_DIR}
  INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
  INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)

# libjpeg-turbo's own CMake files want its libjpeg half too; only TurboJPEG is used.
find_path(TURBOJPEG_INCLUDE_DIR turbojpeg.h REQUIRED)
find_library(TURBOJPEG_LIBRARY turbojpeg REQUIRED)
add_library(TurboJPEG::TurboJPEG UNKNOWN IMPORTED)
set_target_properties(TurboJPEG::TurboJPEG PROPERTIES
  IMPORTED_LOCATION ${TURBOJPEG_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${TURBOJPEG_INCLUDE_DIR})

// The program that libFuzzer drives: BRAID_FUZZ_TARGET names the target. With BRAID_FUZZ_SEEDS it
// first writes the target's own seeds into that folder; the target "list" prints the names. One
// program for all targets: they share what they link, and a variable, unlike an argument, reaches
// the processes that libFuzzer starts itself.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "braid/base/file.h"
#include "fuzz/target.h"

namespace {

const braid::fuzz::Target* chosen = nullptr;  // set once, before the first input

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "braid-fuzz: %s\n", what.c_str());
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("BRAID_FUZZ_TARGET");
  if (name != nullptr && std::string(name) == "list") {
    for (const auto& target : braid::fuzz::Targets()) std::puts(std::string(target.name).c_str());
    std::exit(0);
  }
  chosen = braid::fuzz::FindTarget(name == nullptr ? "" : name);
  if (chosen == nullptr) {
    std::string names;
    for (const auto& target : braid::fuzz::Targets()) names += " " + std::string(target.name);
    Fail("BRAID_FUZZ_TARGET must be one of" + names);
  }
  if (const char* folder = std::getenv("BRAID_FUZZ_SEEDS")) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    int number = 0;
    for (const braid::fuzz::Bytes& seed : chosen->seeds()) {
      const auto path = std::filesystem::path(folder) / ("seed-" + std::to_string(number++));
      if (const auto written = braid::WriteFileAtomically(path, seed); !written.ok()) {
        Fail(written.ToString());
      }
    }
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen->run({data, size});
  return 0;
}

// The inference path is integer arithmetic down to its instructions: the disassembly of kernels and
// runtime, and of what the generators emit, shows no floating-point arithmetic, comparison or
// conversion. Moves, shuffles and bitwise operations that share registers with floating point are
// allowed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <string>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/testing/convolution_case.h"

namespace braid::runtime {
namespace {

// x86-64 in AT&T syntax, as objdump prints it.
bool IsFloatingPointX86(const std::string& mnemonic) {
  static const std::regex kSse(
      "v?(add|sub|mul|div|sqrt|min|max|rcp|rcp14|rsqrt|rsqrt14|round|rndscale|hadd|hsub|addsub|dp|"
      "scalef|getexp|getmant|reduce|range|fixupimm|comi|ucomi|cmp[a-z]*)(ss|sd|ps|pd|sh|ph)");
  static const std::regex kFused("vf(n?m(add|sub)|c?maddc|cmulc)[a-z0-9]*(ss|sd|ps|pd|sh|ph)");
  static const std::regex kConversion("v?cvt.*");
  // x87: f followed by anything but the moves' own prefixes; integer code has none of them.
  static const std::regex kX87("f(ld|st|add|sub|mul|div|i|com|ucom|sqrt|chs|abs|xch|rnd|scale).*");
  return std::regex_match(mnemonic, kSse) || std::regex_match(mnemonic, kFused) ||
         std::regex_match(mnemonic, kConversion) || std::regex_match(mnemonic, kX87);
}

// AArch64: floating point begins with f but for moves; conversions from integers are scvtf, ucvtf.
bool IsFloatingPointAArch64(const std::string& mnemonic) {
  static const std::regex kFloat("f(?!mov$).*|bf(cvt|dot|ml|mmla).*|[su]cvtf");
  return std::regex_match(mnemonic, kFloat);
}

#if defined(__aarch64__)
constexpr bool (*IsFloatingPoint)(const std::string&) = IsFloatingPointAArch64;
// Under emulation, /bin/sh and what it starts are the host's.
constexpr char kObjdump[] = "aarch64-linux-gnu-objdump";
constexpr char kMachine[] = "aarch64";
#else
constexpr bool (*IsFloatingPoint)(const std::string&) = IsFloatingPointX86;
constexpr char kObjdump[] = "objdump";
constexpr char kMachine[] = "i386:x86-64";
#endif

bool HasObjdump() {
  return std::system((std::string(kObjdump) + " --version > /dev/null 2>&1").c_str()) == 0;
}

TEST(OpcodeTest, TellsArithmeticFromMoves) {
  for (const char* yes : {"addsd", "vmulps", "vfmadd231pd", "cvtsi2sd", "vcvtdq2ps", "ucomiss",
                          "cmpltsd", "fldt", "fadd", "divss", "sqrtsd", "vrndscaleps"}) {
    EXPECT_TRUE(IsFloatingPointX86(yes)) << yes;
  }
  for (const char* no :
       {"add",    "movaps",   "movsd",    "vmovups",      "xorps",        "vandps", "shufps",
        "vpaddd", "vpmulld",  "vpdpbusd", "vpmaddubsw",   "cmpl",         "cwtl",   "cltq",
        "cmpsb",  "unpcklps", "movhps",   "vinserti64x4", "vextracti128", "subl",   "movss"}) {
    EXPECT_FALSE(IsFloatingPointX86(no)) << no;
  }
  for (const char* yes : {"fadd", "fmla", "fcvtzs", "scvtf", "ucvtf", "fcmp", "bfdot", "fmadd"}) {
    EXPECT_TRUE(IsFloatingPointAArch64(yes)) << yes;
  }
  for (const char* no : {"fmov", "bfi", "bfxil", "sdot", "smlal2", "sadalp", "ldr", "scvt", "b.ne"}) {
    EXPECT_FALSE(IsFloatingPointAArch64(no)) << no;
  }
}

struct Disassembly {
  int instructions = 0;
  int dot_products = 0;
  int undecoded = 0;
  std::string offenders;
};

Disassembly Disassemble(const std::string& arguments) {
  Disassembly result;
  const std::string command = std::string(kObjdump) + " --no-show-raw-insn " + arguments;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (pipe == nullptr) return result;
  std::string function;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
    const std::string text(line.data());
    if (text.find(">:") != std::string::npos) function = text;
    const size_t tab = text.find('\t');
    if (tab == std::string::npos) continue;
    const std::string mnemonic =
        text.substr(tab + 1, text.find_first_of(" \n\t", tab + 1) - tab - 1);
    ++result.instructions;
    result.undecoded += mnemonic == "(bad)" || mnemonic == ".inst" || mnemonic == "udf";
    result.dot_products += mnemonic == "vpdpbusd" || mnemonic == "vpmaddubsw" ||
                           mnemonic == "sdot" || mnemonic == "smull";
    if (IsFloatingPoint(mnemonic)) result.offenders += function + "  " + text;
  }
  return result;
}

TEST(OpcodeTest, KernelsAndRuntimeHoldNoFloatingPointInstruction) {
  if (!HasObjdump()) GTEST_SKIP() << "no " << kObjdump << " here";
  const Disassembly kernels = Disassemble("-d '" BRAID_KERNELS_LIBRARY "'");
  const Disassembly runtime = Disassemble("-d '" BRAID_RUNTIME_LIBRARY "'");
  // The disassembly is there and is the right one.
  EXPECT_GT(kernels.instructions, 1000);
  EXPECT_GT(runtime.instructions, 1000);
  EXPECT_EQ(kernels.offenders, "");
  EXPECT_EQ(runtime.offenders, "");
}

// All emitters and epilogues occur among these shapes.
TEST(OpcodeTest, GeneratedKernelsHoldNoFloatingPointInstruction) {
  if (!HasObjdump()) GTEST_SKIP() << "no " << kObjdump << " here";
  const std::string file = ::testing::TempDir() + "braid_kernels." + std::to_string(getpid());
  for (const kernels::Path path : kernels::SupportedPaths()) {
    if (path == kernels::Path::kScalar) continue;  // generates nothing
    std::ofstream code(file, std::ios::binary);
    size_t bytes = 0;
    for (uint64_t seed = 0; seed < 60; ++seed) {
      Rng rng(seed);
      const auto random = seed % 4 == 3 ? kernels::testing::RandomDepthwise(rng, 17, 37)
                                        : kernels::testing::RandomConvolution(rng, 17, 37);
      const auto shape = kernels::testing::ForPath(random.shape, path);
      const auto convolution = kernels::Convolution::Make(shape).value();
      for (const auto& pass : convolution->code()) {
        code.write(reinterpret_cast<const char*>(pass.data()),
                   static_cast<std::streamsize>(pass.size()));
        bytes += pass.size();
      }
    }
    code.close();
    const Disassembly emitted =
        Disassemble("-D -b binary -m " + std::string(kMachine) + " '" + file + "'");
    EXPECT_GT(bytes, 10'000u);
    // Whole and aligned to instructions: what cannot be decoded shows as (bad).
    EXPECT_GT(emitted.dot_products, 1000) << kernels::PathName(path);
    EXPECT_EQ(emitted.undecoded, 0) << kernels::PathName(path);
    EXPECT_EQ(emitted.offenders, "") << kernels::PathName(path);
  }
  std::remove(file.c_str());
}

}  // namespace
}  // namespace braid::runtime

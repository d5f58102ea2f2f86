// The inference path is integer arithmetic down to its instructions: the disassembly of kernels and
// runtime shows no floating-point arithmetic, comparison or conversion. Moves, shuffles and bitwise
// operations that share registers with floating point are allowed.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <string>

namespace braid::runtime {
namespace {

// x86-64 in AT&T syntax, as objdump prints it.
bool IsFloatingPoint(const std::string& mnemonic) {
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

TEST(OpcodeTest, TellsArithmeticFromMoves) {
  for (const char* yes : {"addsd", "vmulps", "vfmadd231pd", "cvtsi2sd", "vcvtdq2ps", "ucomiss",
                          "cmpltsd", "fldt", "fadd", "divss", "sqrtsd", "vrndscaleps"}) {
    EXPECT_TRUE(IsFloatingPoint(yes)) << yes;
  }
  for (const char* no :
       {"add",    "movaps",   "movsd",    "vmovups",      "xorps",        "vandps", "shufps",
        "vpaddd", "vpmulld",  "vpdpbusd", "vpmaddubsw",   "cmpl",         "cwtl",   "cltq",
        "cmpsb",  "unpcklps", "movhps",   "vinserti64x4", "vextracti128", "subl",   "movss"}) {
    EXPECT_FALSE(IsFloatingPoint(no)) << no;
  }
}

struct Disassembly {
  int instructions = 0;
  int dot_products = 0;
  std::string offenders;
};

Disassembly Disassemble(const std::string& library) {
  Disassembly result;
  const std::string command = "objdump -d --no-show-raw-insn '" + library + "'";
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
    result.dot_products += mnemonic == "vpdpbusd" || mnemonic == "vpmaddubsw";
    if (IsFloatingPoint(mnemonic)) result.offenders += function + "  " + text;
  }
  return result;
}

TEST(OpcodeTest, KernelsAndRuntimeHoldNoFloatingPointInstruction) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the list of instructions is that of x86-64";
#else
  if (std::system("objdump --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no objdump here";
  const Disassembly kernels = Disassemble(BRAID_KERNELS_LIBRARY);
  const Disassembly runtime = Disassemble(BRAID_RUNTIME_LIBRARY);
  // The disassembly is there and is the right one.
  EXPECT_GT(kernels.dot_products, 10);
  EXPECT_GT(runtime.instructions, 1000);
  EXPECT_EQ(kernels.offenders, "");
  EXPECT_EQ(runtime.offenders, "");
#endif
}

}  // namespace
}  // namespace braid::runtime

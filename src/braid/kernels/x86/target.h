// Instruction sets as function attributes: the program is built for plain x86-64 and dispatches at
// run time. Layer: kernels.
#pragma once

#define BRAID_TARGET_AVX2 __attribute__((target("avx2")))
#define BRAID_TARGET_AVX512VNNI __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni")))

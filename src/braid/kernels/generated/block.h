// A register block: the output pixels x channel vectors whose sums stay in registers at a time.
// Layer: kernels. Theory: docs/kernels.md, section 4.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/kernels/convolution/shape.h"

namespace braid::kernels::generated {

// Channels of one output that share a register.
struct Vector {
  int output = 0;
  int panel = 0;          // of the output's tiles
  int first_channel = 0;  // of the pass's range
  int lanes = 16;         // of the register that is used: 4, 8 or 16
  int valid = 16;         // channels that exist, 1..lanes
};

// The vectors of all outputs, in order. Registers are no wider than the channels left need.
std::vector<Vector> VectorsOf(const ConvolutionShape& pass);

// `count` blocks of `pixels` adjacent columns.
struct Segment {
  int count = 0;
  int pixels = 0;
};
// Columns cut into blocks of at most `at_most` pixels, as equal as can be.
std::vector<Segment> SplitColumns(int columns, int at_most);

// Blocks of a row that share code.
struct RowPart {
  int first_column = 0;
  int pixels = 0;  // of a block
  int count = 1;
  bool edge = false;  // one block, which leaves out what its columns would read from the padding
};
// SplitColumns, with the first and the last block apart where their windows leave a map. Those
// between may leave it too (wide windows, small blocks): they read its ring, so that a kernel never
// holds more than four blocks' code.
std::vector<RowPart> RowPartsOf(const ConvolutionShape& pass, int at_most);

// What the two instruction sets have and cost, for the choice of blocks. Times in hundredths of a
// cycle: kernels hold no floating-point instruction, also not where they plan.
struct RegisterModel {
  int widest_lanes = 16;
  int accumulators = 28;      // registers that may hold sums
  int64_t dot[3] = {};        // one step of one vector of 4, 8, 16 lanes
  int64_t load[3] = {};       // a vector of weights, from L1
  int64_t broadcast = 50;     // four bytes of input to all lanes
  // What a kS8 source costs more: per step of a vector, in per cent, and per step of a pixel.
  int64_t signed_dot_percent = 100;
  int64_t signed_pixel = 0;
  // A column of a depthwise source for one vector, beside the multiplications: it is read once for
  // all pixels of a block that share it.
  int64_t column = 150;
  int64_t latency = 500;      // of a chain of dot steps
  int64_t l2_bytes_per_cycle = 28;
  // The epilogue's time as a percentage of one step's multiplications. It runs beside the next
  // block's steps as far as it fits into the window of instructions in flight: of a block whose
  // step takes longer than `overlapped`, the rest costs twice as much.
  int64_t epilogue_percent = 500;
  int64_t overlapped = 1 << 20;
  // Multiplications that are written out one after another: few enough for the up to four blocks of
  // a kernel to stay decoded (a cache of 4,096 operations and more since 2019), each with what it
  // takes there.
  int unrolled_dots = 360;
};
extern const RegisterModel kAvx512VnniModel;
extern const RegisterModel kAvx2Model;

// Pixels of a block for a pass with these vectors.
int PixelsFor(const RegisterModel& model, const ConvolutionShape& pass);
// Independent sums per pixel and vector, added at the end: hides latency where a block is small.
int ChainsFor(const RegisterModel& model, int sums);

// Cuts vectors [0, n) of the whole shape into passes: first index of each, and n.
std::vector<int> CutVectors(const RegisterModel& model, const ConvolutionShape& shape,
                            int vectors_multiple);

}  // namespace braid::kernels::generated

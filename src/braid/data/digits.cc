#include "braid/data/digits.h"

#include <span>
#include <vector>

#include "braid/base/check.h"
#include "braid/data/plane.h"

namespace braid::data {
namespace {

// Glyphs live in a box of 100 x 100, y down. A stroke is a start and pairs (control, end) of
// quadratic curves; a control in the middle of its ends is a straight line that jitter bends.
struct Glyph {
  std::vector<std::vector<Point>> strokes;
  // Drawn or not by a toss of a coin: a one's flag, a seven's bar.
  std::vector<Point> optional_stroke;
};

std::vector<Point> Line(Point a, Point b) { return {a, {(a.x + b.x) / 2, (a.y + b.y) / 2}, b}; }

std::vector<Glyph> MakeGlyphs() {
  return {
      // 0
      {{{{50, 4}, {88, 4}, {88, 50}, {88, 96}, {50, 96}, {12, 96}, {12, 50}, {12, 4}, {50, 4}}},
       {}},
      // 1
      {{Line({52, 4}, {48, 96})}, Line({28, 26}, {52, 4})},
      // 2
      {{{{16, 28}, {22, 2}, {52, 4}, {86, 6}, {80, 34}, {72, 58}, {16, 95}, {50, 94}, {88, 94}}},
       {}},
      // 3
      {{{{18, 14},
         {38, 0},
         {58, 5},
         {84, 14},
         {78, 30},
         {70, 46},
         {40, 47},
         {82, 48},
         {84, 70},
         {82, 97},
         {48, 97},
         {26, 96},
         {12, 82}}},
       {}},
      // 4
      {{{{60, 4}, {36, 35}, {12, 66}, {50, 66}, {90, 66}}, Line({66, 34}, {64, 97})}, {}},
      // 5
      {{{{82, 6},
         {55, 6},
         {28, 6},
         {26, 25},
         {22, 44},
         {48, 34},
         {68, 46},
         {92, 62},
         {78, 82},
         {64, 99},
         {42, 96},
         {22, 94},
         {12, 84}}},
       {}},
      // 6
      {{{{74, 5},
         {30, 18},
         {20, 60},
         {16, 96},
         {50, 96},
         {82, 96},
         {82, 71},
         {80, 46},
         {52, 46},
         {28, 48},
         {19, 68}}},
       {}},
      // 7
      {{{{12, 8}, {50, 8}, {86, 8}, {58, 50}, {40, 96}}}, Line({30, 52}, {72, 50})},
      // 8
      {{{{50, 48},
         {20, 40},
         {22, 24},
         {26, 3},
         {50, 4},
         {76, 3},
         {78, 24},
         {78, 40},
         {50, 48},
         {12, 58},
         {15, 76},
         {20, 98},
         {50, 97},
         {82, 98},
         {85, 76},
         {86, 58},
         {50, 48}}},
       {}},
      // 9
      {{{{80, 30},
         {76, 3},
         {50, 4},
         {20, 6},
         {18, 30},
         {20, 54},
         {48, 54},
         {78, 52},
         {80, 29},
         {82, 70},
         {58, 97}}},
       {}},
  };
}

// Where a glyph's box lies in the image.
struct Pose {
  int64_t width = 0, height = 0;  // of the box, sub-pixels
  int64_t slant = 0;              // x moved per y, in 1/256
  Turn turn;
  Point centre;

  Point Place(Point p) const {  // p in the box of 100 x 100, in 1/256
    const int64_t y = (p.y - 50 * kSub) * height / (100 * kSub);
    const int64_t x = (p.x - 50 * kSub) * width / (100 * kSub) + y * slant / kSub;
    const Point turned = turn.Apply({x, y});
    return {centre.x + turned.x, centre.y + turned.y};
  }
};

Pose RandomPose(Rng& rng, int image_height, int image_width) {
  Pose pose;
  pose.height = rng.Between(12 * kSub, 19 * kSub);
  pose.width = pose.height * rng.Between(50, 95) / 100;
  pose.slant = rng.Between(-70, 70);
  pose.turn = Turn::FromHalfTangent(rng.Between(-150, 150));  // about 17 degrees either way
  // Anywhere that leaves the box about inside the image.
  const int64_t play_x = (image_width * kSub - pose.width) / 2 - 2 * kSub;
  const int64_t play_y = (image_height * kSub - pose.height) / 2 - 2 * kSub;
  pose.centre = {image_width * kSub / 2 + rng.Between(-play_x, play_x),
                 image_height * kSub / 2 + rng.Between(-play_y, play_y)};
  return pose;
}

void DrawStroke(std::span<const Point> stroke, const Pose& pose, int64_t half_width, Rng& rng,
                Ink& ink) {
  constexpr int64_t kJitter = 5 * kSub;  // of the box of 100: enough to bend, too little to confuse
  const auto place = [&](Point p) {
    return pose.Place(
        {p.x * kSub + rng.Between(-kJitter, kJitter), p.y * kSub + rng.Between(-kJitter, kJitter)});
  };
  Point from = place(stroke[0]);
  for (size_t i = 1; i + 1 < stroke.size(); i += 2) {
    const Point control = place(stroke[i]);
    const Point to = place(stroke[i + 1]);
    ink.Curve(from, control, to, half_width, 255);
    from = to;
  }
}

// Short, thin, pale strokes that belong to no digit.
void DrawStrays(Rng& rng, int height, int width, Ink& ink) {
  const int64_t strays = rng.Between(0, 3);
  for (int64_t i = 0; i < strays; ++i) {
    const Point from{rng.Between(0, width * kSub), rng.Between(0, height * kSub)};
    const Point to{from.x + rng.Between(-6 * kSub, 6 * kSub),
                   from.y + rng.Between(-6 * kSub, 6 * kSub)};
    const int64_t half_width = rng.Between(60, 140);
    ink.Stroke(from, to, half_width, static_cast<int>(rng.Between(60, 190)));
  }
}

void DrawDigit(const Glyph& glyph, Rng& rng, int height, int width, Ink& ink, uint8_t* out) {
  ink.Clear();
  const Pose pose = RandomPose(rng, height, width);
  const int64_t half_width = rng.Between(140, 320);
  for (const std::vector<Point>& stroke : glyph.strokes) {
    DrawStroke(stroke, pose, half_width, rng, ink);
  }
  if (!glyph.optional_stroke.empty() && rng.Below(2) == 0) {
    DrawStroke(glyph.optional_stroke, pose, half_width, rng, ink);
  }
  DrawStrays(rng, height, width, ink);

  const int64_t ground = rng.Between(0, 70);
  const int64_t pen = rng.Between(150, 255);
  // The ground brightens by up to 40 across the image, in any direction.
  const int64_t slope_x = rng.Between(-20, 20), slope_y = rng.Between(-20, 20);
  PixelNoise noise(rng, static_cast<int>(rng.Between(2, 18)));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int64_t level =
          ground + slope_x * (2 * x - width) / width + slope_y * (2 * y - height) / height;
      *out++ = ToByte(level + (pen - level) * ink.At(y, x) / 255 + noise.Next());
    }
  }
}

}  // namespace

void DrawDigits(uint64_t seed, bool test, int count, Dataset& dataset) {
  BRAID_CHECK(dataset.channels == 1);
  const std::vector<Glyph> glyphs = MakeGlyphs();
  Ink ink(dataset.height, dataset.width);
  dataset.count = count;
  dataset.images.resize(static_cast<size_t>(count) * dataset.ImageBytes());
  dataset.targets.resize(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const int digit = BalancedClass(seed, test, i, static_cast<int>(glyphs.size()));
    Rng rng = ImageRng(seed, test, i);
    dataset.targets[static_cast<size_t>(i)] = static_cast<uint8_t>(digit);
    DrawDigit(glyphs[static_cast<size_t>(digit)], rng, dataset.height, dataset.width, ink,
              dataset.images.data() + static_cast<size_t>(i) * dataset.ImageBytes());
  }
}

}  // namespace braid::data

// Files of data sets: IDX, CIFAR-10's records, gzip, tar. First byte: which.
#include <zlib.h>

#include <string>

#include "braid/base/check.h"
#include "braid/data/archive.h"
#include "braid/data/cifar.h"
#include "braid/data/data_testing.h"
#include "braid/data/gzip.h"
#include "braid/data/idx.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

enum Form : uint8_t { kLabels, kImages, kCifar, kGzip, kTar, kForms };

void Run(std::span<const uint8_t> input) {
  if (input.empty()) return;
  const std::span<const uint8_t> bytes = input.subspan(1);
  switch (static_cast<Form>(input[0] % kForms)) {
    case kLabels:
    case kImages: {
      const int rank = input[0] % kForms == kLabels ? 1 : 3;
      const auto array = data::ParseIdx(bytes, "fuzz", rank);
      if (!array.ok()) return;
      BRAID_CHECK(data::SerializeIdx(array->dims, array->values) ==
                  Bytes(bytes.begin(), bytes.end()));
      (void)data::CheckLabels(array->values, 10, "fuzz", 8, 1);
      break;
    }
    case kCifar: {
      data::Dataset dataset;
      dataset.height = dataset.width = 32;
      dataset.channels = 3;
      dataset.labels.assign(10, "class");
      (void)data::AppendCifarRecords(bytes, "fuzz", 1, dataset);
      break;
    }
    case kGzip:
      (void)data::Gunzip(bytes, "fuzz", 1 << 20);
      break;
    case kTar:
      (void)data::ReadArchive(bytes, "fuzz", {"a/one.bin", "a/two.bin"}, 1 << 16);
      break;
    case kForms:
      break;
  }
}

// A tar file of one member, by the POSIX header's fields.
Bytes Tar(const std::string& name, const std::string& content) {
  Bytes block(1024, 0);
  const auto put = [&block](size_t at, const std::string& text) {
    std::copy(text.begin(), text.end(), block.begin() + static_cast<ptrdiff_t>(at));
  };
  put(0, name);
  put(100, "0000644");
  put(124, "0000000000" + std::to_string(content.size()));  // octal: below 8 bytes it is the same
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += block[i];
  std::string octal(6, '0');
  for (size_t i = 6; i-- > 0; sum /= 8) octal[i] = static_cast<char>('0' + sum % 8);
  put(148, octal + '\0');
  put(512, content);
  block.resize(2048, 0);
  return block;
}

std::vector<Bytes> Seeds() {
  const int count[] = {4};
  const int images[] = {2, 3, 3};
  const Bytes labels = data::SerializeIdx(count, Bytes{1, 2, 3, 4});
  Bytes record(1 + 32 * 32 * 3, 100);
  record[0] = 3;
  const Bytes tar = Tar("a/one.bin", "abcdefg");
  return {Headed(kLabels, labels), Headed(kImages, data::SerializeIdx(images, Bytes(18, 9))),
          Headed(kCifar, record),  Headed(kGzip, data::GzipBytes(labels)),
          Headed(kTar, tar),       Headed(kTar, data::GzipBytes(tar))};
}

}  // namespace

const Target kDataFiles = {"data_files", Run, Seeds};

}  // namespace braid::fuzz

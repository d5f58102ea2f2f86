#include "braid/data/catalog.h"

namespace braid::data {
namespace {

const std::vector<std::string>& Digits() {
  static const std::vector<std::string> labels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  return labels;
}

// The four files of an MNIST-like set; digests in the order train images, train labels, test
// images, test labels.
std::vector<PublishedFile> IdxFiles(const std::vector<std::string>& bases,
                                    const std::vector<std::string>& digests) {
  static const char* const kNames[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                       "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
  std::vector<PublishedFile> files;
  for (size_t i = 0; i < 4; ++i) {
    PublishedFile file{kNames[i], {digests[i]}, {}};
    for (const std::string& base : bases) file.urls.push_back(base + kNames[i]);
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<CatalogEntry> MakeCatalog() {
  std::vector<CatalogEntry> entries;
  entries.push_back(
      {"mnist", "handwritten digits, 28x28 gray (LeCun, Cortes, Burges)", Form::kIdx, 28, 28, 1,
       60000, 10000, Digits(),
       IdxFiles({"https://ossci-datasets.s3.amazonaws.com/mnist/",
                 "https://storage.googleapis.com/cvdf-datasets/mnist/"},
                {"440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                 "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                 "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                 "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"})});
  entries.push_back(
      {"fashion-mnist",
       "clothes, 28x28 gray (Zalando SE, MIT licence)",
       Form::kIdx,
       28,
       28,
       1,
       60000,
       10000,
       {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "ankle boot"},
       IdxFiles({"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                 "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"},
                {"3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                 "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                 "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                 "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"})});
  entries.push_back(
      {"cifar10",
       "objects, 32x32 colour (Krizhevsky, 2009)",
       Form::kCifar,
       32,
       32,
       3,
       50000,
       10000,
       {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
       {{"cifar-10-binary.tar.gz",
         {"c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
         {"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"}},
        // A rebuilt copy in which 93 of the 60,000 images went through JPEG (docs/data.md).
        {"cifar-10-binary.tar.xz",
         {"d407587b71dee708359a8d10783f4163be85f5027654a2bdcb300a2b06cfe167"},
         {}}}});
  entries.push_back({"digits",
                     "generated: digits drawn with strokes, 28x28 gray",
                     Form::kGenerated,
                     28,
                     28,
                     1,
                     60000,
                     10000,
                     Digits(),
                     {}});
  entries.push_back({"shapes",
                     "generated: one shape on a textured ground, 32x32 colour",
                     Form::kGenerated,
                     32,
                     32,
                     3,
                     50000,
                     10000,
                     {"disc", "ring", "crescent", "triangle", "square", "star", "cross", "arrow",
                      "hourglass", "corner"},
                     {}});
  return entries;
}

const std::vector<CatalogEntry>& Entries() {
  static const std::vector<CatalogEntry> entries = MakeCatalog();
  return entries;
}

}  // namespace

std::span<const CatalogEntry> Catalog() { return Entries(); }

const CatalogEntry* FindEntry(std::string_view name) {
  for (const CatalogEntry& entry : Entries()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::string CatalogNames() {
  std::string names;
  for (const CatalogEntry& entry : Entries()) names += (names.empty() ? "" : ", ") + entry.name;
  return names;
}

}  // namespace braid::data

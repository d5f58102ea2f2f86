// The data sets that Braid knows: names, shapes, labels, published files with digests. Layer: data.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid::data {

// How a data set comes to be.
enum class Form {
  kIdx,        // two IDX files a split, gzip or plain (MNIST)
  kCifar,      // records of label and planar pixels, in an archive or extracted (CIFAR-10)
  kGenerated,  // drawn from a seed
};

// A file as published.
struct PublishedFile {
  std::string name;                  // "train-images-idx3-ubyte.gz"
  std::vector<std::string> digests;  // SHA-256, hex; the first is what the download must have
  std::vector<std::string> urls;     // tried in order
};

struct CatalogEntry {
  std::string name;   // also its folder's name
  std::string title;  // one line for people
  Form form = Form::kIdx;
  int height = 0, width = 0, channels = 0;
  int train_count = 0, test_count = 0;
  std::vector<std::string> labels;
  // kIdx: train images, train labels, test images, test labels. kCifar: the archive under each
  // name that it has.
  std::vector<PublishedFile> files;
};

// In the order in which they are listed to people.
std::span<const CatalogEntry> Catalog();

// Null when no data set has this name.
const CatalogEntry* FindEntry(std::string_view name);

// "mnist, fashion-mnist, ..." for messages.
std::string CatalogNames();

}  // namespace braid::data

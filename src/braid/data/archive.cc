#include "braid/data/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "braid/data/gzip.h"
#include "braid/data/shared_library.h"

namespace braid::data {
namespace {

// Bounds what an archive may unpack to on the way: the largest known one is 185 MB.
constexpr uint64_t kMaxUnpackedBytes = uint64_t{1} << 30;

// The functions of libarchive that are used here.
struct Library {
  Library() : library("libarchive.so.13") {
    library.Find("archive_read_new", read_new);
    library.Find("archive_read_free", read_free);
    library.Find("archive_read_support_filter_all", support_filter_all);
    library.Find("archive_read_support_format_tar", support_format_tar);
    library.Find("archive_read_open_memory", open_memory);
    library.Find("archive_read_next_header", next_header);
    library.Find("archive_read_data", read_data);
    library.Find("archive_entry_pathname", pathname);
    library.Find("archive_entry_size", size);
    library.Find("archive_filter_bytes", filter_bytes);
    library.Find("archive_error_string", error_string);
  }
  SharedLibrary library;
  decltype(&archive_read_new) read_new;
  decltype(&archive_read_free) read_free;
  decltype(&archive_read_support_filter_all) support_filter_all;
  decltype(&archive_read_support_format_tar) support_format_tar;
  decltype(&archive_read_open_memory) open_memory;
  decltype(&archive_read_next_header) next_header;
  decltype(&archive_read_data) read_data;
  decltype(&archive_entry_pathname) pathname;
  decltype(&archive_entry_size) size;
  decltype(&archive_filter_bytes) filter_bytes;
  decltype(&archive_error_string) error_string;
};

const Library& LibArchive() {
  static const Library library;
  return library;
}

std::string Reason(archive* reader) {
  const char* text = LibArchive().error_string(reader);
  return text != nullptr ? text : "unknown error";
}

// "./a/b" and "a/b" are the same member.
std::string Normalized(const char* path) {
  std::string text = path != nullptr ? path : "";
  while (text.starts_with("./")) text.erase(0, 2);
  return text;
}

}  // namespace

Result<std::map<std::string, std::vector<uint8_t>>> ReadArchive(
    std::span<const uint8_t> bytes, const std::string& name, const std::vector<std::string>& wanted,
    uint64_t max_member_bytes) {
  std::vector<uint8_t> unpacked;
  if (IsGzip(bytes)) {  // see gzip.h for why libarchive does not do this part
    BRAID_ASSIGN_OR_RETURN(unpacked, Gunzip(bytes, name, kMaxUnpackedBytes));
    bytes = unpacked;
  }
  const Library& lib = LibArchive();
  BRAID_RETURN_IF_ERROR(lib.library.status());
  const std::unique_ptr<archive, decltype(lib.read_free)> reader(lib.read_new(), lib.read_free);
  if (reader == nullptr) return Internal(name + ": libarchive did not start");
  lib.support_filter_all(reader.get());
  lib.support_format_tar(reader.get());
  const auto damage = [&](const std::string& what) {
    // Position in the compressed file, up to the reader's block.
    return DataLoss(name + ": near byte " + std::to_string(lib.filter_bytes(reader.get(), -1)) +
                    " of " + std::to_string(bytes.size()) + ": " + what);
  };
  if (lib.open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    return damage("no tar archive: " + Reason(reader.get()));
  }

  std::map<std::string, std::vector<uint8_t>> members;
  archive_entry* entry = nullptr;
  while (true) {
    const int code = lib.next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK) return damage(Reason(reader.get()));
    const std::string path = Normalized(lib.pathname(entry));
    if (std::find(wanted.begin(), wanted.end(), path) == wanted.end()) continue;
    if (members.contains(path)) return damage("second member " + path);
    const int64_t size = lib.size(entry);
    if (size < 0 || static_cast<uint64_t>(size) > max_member_bytes) {
      return damage("member " + path + " has " + std::to_string(size) + " bytes, at most " +
                    std::to_string(max_member_bytes) + " expected");
    }
    std::vector<uint8_t> content(static_cast<size_t>(size));
    size_t done = 0;
    while (done < content.size()) {
      const la_ssize_t got =
          lib.read_data(reader.get(), content.data() + done, content.size() - done);
      if (got < 0) return damage("member " + path + ": " + Reason(reader.get()));
      if (got == 0) return damage("member " + path + " is cut off");
      done += static_cast<size_t>(got);
    }
    members.emplace(path, std::move(content));
  }
  for (const std::string& path : wanted) {
    if (!members.contains(path)) return DataLoss(name + ": has no member " + path);
  }
  return members;
}

}  // namespace braid::data

#include "io/dataset/sample_data.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/error.h"

namespace motley {
namespace {

constexpr size_t kBuffer = 1 << 20;

}  // namespace

SpillFile::SpillFile(const std::string& folder) : path_((std::filesystem::path(folder) / ".motley-samples-XXXXXX").string()) {
  fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
  if (fd_ < 0) fail(ErrorKind::runtime, "data", "cannot write into {}: {}; tokens need room there while they are used", folder, std::strerror(errno));
  ::unlink(path_.c_str());  // at once: whatever ends the program, nothing is left behind
}

SpillFile::~SpillFile() {
  if (fd_ >= 0) ::close(fd_);
}

void SpillFile::append(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kBuffer) flush();
}

void SpillFile::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      fail(ErrorKind::runtime, "data", "{}: {} after {} bytes of tokens, {} more to write; free some room or choose another folder", path_,
           std::strerror(errno), written_, buffer_.size() - done);
    done += static_cast<size_t>(n);
    written_ += static_cast<uint64_t>(n);
  }
  buffer_.clear();
}

std::shared_ptr<const MappedFile> SpillFile::finish() {
  flush();
  auto file = MappedFile::open(fmt::format("/proc/self/fd/{}", fd_));
  check(file->bytes().size() == written_, "the file has what was written");
  ::close(fd_);
  fd_ = -1;
  return file;
}

SampleCollector::SampleCollector(std::string folder) : folder_(std::move(folder)), ids_(folder_) {}

void SampleCollector::append_ids(std::span<const int32_t> ids, bool ends) {
  ids_.append(std::as_bytes(ids));
  tokens_ += ids.size();
  if (ends) begins_.push_back(tokens_);
}

void SampleCollector::append_marks(std::span<const uint8_t> scored) {
  if (scored.empty()) return;
  if (!scored_) scored_ = std::make_unique<SpillFile>(folder_);
  scored_->append(std::as_bytes(scored));
  marks_ += scored.size();
}

SampleData SampleCollector::finish() {
  check(begins_.back() == tokens_ && (marks_ == 0 || marks_ == tokens_), "samples are whole, and marked alike");
  SampleData data;
  data.begins = std::move(begins_);
  data.ids = ids_.finish();
  if (scored_) data.scored = scored_->finish();
  return data;
}

}  // namespace motley

// What the tests of this folder share: shared material, a temporary folder, crafting bytes, and the promise kept for every damaged file
// (an Error of kind file with a helpful message, in less than a second and 50 MB).
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "motley/error.h"

namespace motley::test {

// A file of the shared test material; empty when it is not there.
inline std::string shared_file(const std::string& name) {
  const char* root = std::getenv("MOTLEY_SHARED");
  auto path = std::filesystem::path(root ? root : MOTLEY_SOURCE_DIR "/../shared") / name;
  return std::filesystem::exists(path) ? path.string() : std::string();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "motley-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  bool empty() const { return std::filesystem::is_empty(path_); }
  std::string write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

// Bytes put together field by field.
class Bytes {
 public:
  template <class T>
  Bytes& put(T v) {
    text_.append(reinterpret_cast<const char*>(&v), sizeof v);
    return *this;
  }
  Bytes& u32(uint64_t v) { return put(static_cast<uint32_t>(v)); }
  Bytes& u64(uint64_t v) { return put(v); }
  Bytes& raw(std::string_view s) {
    text_ += s;
    return *this;
  }
  Bytes& string(std::string_view s) { return u64(s.size()).raw(s); }
  Bytes& zeros(size_t n) {
    text_.append(n, '\0');
    return *this;
  }
  Bytes& align(size_t n) { return zeros((n - text_.size() % n) % n); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

inline std::vector<std::byte> as_vector(std::string_view s) {
  auto bytes = std::as_bytes(std::span(s.data(), s.size()));
  return {bytes.begin(), bytes.end()};
}

// The message of the Error that f throws; fails the test when it throws none.
inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "expected an Error";
  return "";
}

inline long memory_kb(const char* field) {  // of /proc/self/status
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(field, 0) == 0) return std::atol(line.c_str() + std::string_view(field).size());
  return 0;
}

// The promise about damaged files: exit code 3, every part in the message, at most a second and 50 MB.
inline void expect_refused(const std::function<void()>& f, std::initializer_list<std::string_view> parts) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts again from here
  [[maybe_unused]] long before = memory_kb("VmRSS:");
  [[maybe_unused]] std::clock_t start = std::clock();  // processor time: how busy the machine is otherwise says nothing about us
  std::string message;
  try {
    f();
    ADD_FAILURE() << "expected an Error";
    return;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file) << e.what();
    message = e.what();
  }
#ifndef __SANITIZE_ADDRESS__  // its checks, shadow memory and quarantine are not ours
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 1.0) << message;
  EXPECT_LT(memory_kb("VmHWM:") - before, 50 * 1024) << message;
#endif
  for (auto part : parts) EXPECT_NE(message.find(part), message.npos) << "'" << part << "' is not in: " << message;
  EXPECT_LT(message.size(), 600u) << message;
}

}  // namespace motley::test

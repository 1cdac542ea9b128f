#include "cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

namespace motley {

Progress::Progress(std::string what, bool wanted)
    : what_(std::move(what)), wanted_(wanted && isatty(STDERR_FILENO)), start_(std::chrono::steady_clock::now()), last_(start_) {}

void Progress::show(double fraction, const std::string& detail) {
  auto now = std::chrono::steady_clock::now();
  if (!wanted_ || now - start_ < std::chrono::milliseconds(500) || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "\r{} {:3.0f} %{}{}\x1b[K", what_, 100 * fraction, detail.empty() ? "" : "  ", detail);
  std::fflush(stderr);
}

std::function<void(int64_t, int64_t)> Progress::bytes() {
  return [this](int64_t done, int64_t total) {
    show(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1,
         fmt::format("{:.2f} of {:.2f} GB", static_cast<double>(done) * 1e-9, static_cast<double>(total) * 1e-9));
  };
}

void Progress::done() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = wanted_ = false;
}

}  // namespace motley

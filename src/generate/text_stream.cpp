#include "generate/text_stream.h"

#include <algorithm>

namespace motley {

TextStream::TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stops, std::span<const int32_t> prompt)
    : decoder_(std::move(tokenizer), {.skip_special = true}), stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& s) { return s.empty(); });
  if (!prompt.empty()) decoder_.skip(prompt);
}

std::string TextStream::release(bool all) {
  size_t end = held_.size();
  for (const auto& stop : stops_) {
    if (auto at = held_.find(stop); at != held_.npos) {
      stopped_ = true;
      end = std::min(end, at);
    }
  }
  if (!stopped_ && !all) {
    // The longest tail that begins a stop string waits.
    for (const auto& stop : stops_)
      for (size_t n = std::min(stop.size() - 1, held_.size()); n > 0; --n)
        if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) {
          end = std::min(end, held_.size() - n);
          break;
        }
  }
  std::string out = held_.substr(0, end);
  held_.erase(0, stopped_ ? held_.size() : end);
  return out;
}

std::string TextStream::put(int32_t id) {
  if (stopped_) return {};
  held_ += decoder_.put(id);
  return release(false);
}

std::string TextStream::finish() {
  if (stopped_) return {};
  held_ += decoder_.finish();
  return release(true);
}

}  // namespace motley

// Tokens in, text out, for a reader who sees it grow: characters appear whole, and text that might be the start of a stop string is held
// back until it is known not to be. The stop string itself is never shown.
//
//   TextStream stream(tokenizer, {"\n\nUser:"});
//   for (int32_t id : generated) { show(stream.put(id)); if (stream.stopped()) break; }
//   show(stream.finish());
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace motley {

class TextStream {
 public:
  // prompt: the tokens before, so that a first word keeps its space.
  TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stops, std::span<const int32_t> prompt = {});

  std::string put(int32_t id);
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::string release(bool all);

  StreamDecoder decoder_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace motley

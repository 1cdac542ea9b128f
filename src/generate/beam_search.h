// Beam search: the likeliest whole text, as far as so many partial ones kept side by side can find it (Graves 2012; with the length penalty of
// Wu et al. 2016 as the Transformers library defines it). What is decided here knows no model and no cache: logits of each partial text go in, and
// which of them go on with which token comes out.
//
//   BeamSearch search({.count = 4}, {.ends = {2}, .prompt = 1, .longest = 64});
//   for (std::vector<BeamStep> beams = {{}}; !beams.empty(); beams = search.advance())
//     for (size_t b = 0; b < beams.size(); ++b) search.see(b, logits_of(b));
//   search.best().tokens
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace motley {

// When a search whose `count` best texts have all ended is over.
enum class BeamStop : uint8_t {
  early,     // at once
  likely,    // when no text under way is better now, divided by the length it has
  complete,  // when none can become better: with a positive penalty, by the length that it may have
};

struct BeamOptions {
  int64_t count = 1;          // partial texts; 1: none are searched
  double length_penalty = 1;  // a text's score is the logarithm of its probability over its length to this power
  BeamStop stop = BeamStop::likely;
};

struct BeamBounds {
  std::vector<int32_t> ends = {};                          // tokens that end a text
  std::vector<std::pair<int32_t, float>> logit_bias = {};  // added to the logarithm of a token's probability; -inf forbids
  int64_t prompt = 0, longest = 0;                         // tokens before a text, and with it at most
  int64_t begun = 0;                                       // of those before it some at their end, which its length counts
  std::optional<int32_t> last = {};                        // what a text of the longest kind ends with
};

struct BeamStep {
  size_t parent = 0;  // of the beams before
  int32_t token = 0;  // that it goes on with
};

struct BeamText {
  std::vector<int32_t> tokens;  // without the prompt
  double score = 0;
};

class BeamSearch {
 public:
  // Error(usage) for a count or penalty out of range.
  BeamSearch(const BeamOptions& options, BeamBounds bounds);

  // Of each beam in turn; at first there is one, the prompt.
  void see(size_t beam, std::span<const float> logits);
  // The next beams, the likeliest first; none: the search is over.
  std::vector<BeamStep> advance();
  const BeamText& best() const { return finished_.front(); }  // once it is over

 private:
  struct Candidate {
    double score;
    size_t beam;
    int32_t token;
  };
  bool ends(int32_t token) const;
  size_t kept() const;                   // candidates: enough for `count` that do not end
  double penalty(int64_t tokens) const;  // what a score is divided by
  void finish(const Candidate& c);

  BeamOptions options_;
  BeamBounds bounds_;
  std::vector<BeamText> running_, finished_;  // finished: by score over length, the best first
  std::vector<Candidate> candidates_;
};

}  // namespace motley

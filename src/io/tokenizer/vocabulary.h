// The words of a tokenizer: text, score and type of each id, and the id of each text. Filled once by a loader, constant afterwards.
//
//   Vocabulary v(std::move(tokens));
//   int32_t id = v.find("Ġhello");      // -1 when there is none
//   std::string_view text = v.text(id);
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace motley {

// The numbers are those of GGUF and SentencePiece files.
enum class TokenType : uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

namespace tok {

struct Token {
  std::string text;  // as the file writes it: "Ġhello", "▁hello", "##ing", "<0x0A>"; empty for an id that has no token
  double score = 0;
  TokenType type = TokenType::normal;
};

// Where a text is looked up: open addressing over (hash, id), the texts stay where they are.
class StringIndex {
 public:
  explicit StringIndex(size_t expected = 0);
  template <class TextOf>
  int32_t find(std::string_view s, uint64_t hash, TextOf&& text_of) const {
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.id < 0) return -1;
      if (slot.tag == static_cast<uint32_t>(hash >> 32) && text_of(slot.id) == s) return slot.id;
    }
  }
  void insert(uint64_t hash, int32_t id);  // the caller has looked that it is new

 private:
  struct Slot {
    uint32_t tag;
    int32_t id;
  };
  void place(Slot slot, uint64_t low_bits);
  std::vector<Slot> slots_;
  std::vector<uint32_t> low_hashes_;  // of each slot, for growing
  size_t mask_ = 0, used_ = 0;
};

class Vocabulary {
 public:
  Vocabulary() : Vocabulary(std::vector<Token>{}) {}
  // A text that comes twice is found at its first id.
  explicit Vocabulary(std::vector<Token> tokens);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  bool contains(int32_t id) const { return id >= 0 && id < size(); }
  const std::string& text(int32_t id) const { return tokens_[static_cast<size_t>(id)].text; }
  double score(int32_t id) const { return tokens_[static_cast<size_t>(id)].score; }
  TokenType type(int32_t id) const { return tokens_[static_cast<size_t>(id)].type; }
  int32_t find(std::string_view text) const;
  std::span<const Token> tokens() const { return tokens_; }

 private:
  std::vector<Token> tokens_;
  StringIndex index_;
};

// No token that text is cut into has U+2581 behind its first character: then text may be cut before every U+2581.
bool metaspace_only_leads(const Vocabulary& vocabulary);

// Puts tokens that come as (id, token) in any order in their places; ids nobody names become empty, unused tokens. A file whose ids
// lie so far apart that the table would be mostly holes is refused, since its size would have nothing to do with the file's.
class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(std::string what) : what_(std::move(what)) {}
  void set(int64_t id, Token token);  // of two tokens with one id the later stays
  void set_type(int64_t id, TokenType type) { types_.emplace_back(id, type); }
  // The id of the first token with this text that was set so far, -1 for none.
  int32_t find(std::string_view text) const;
  std::vector<Token> take();

 private:
  std::string what_;
  std::vector<std::pair<int32_t, Token>> entries_;
  std::vector<std::pair<int64_t, TokenType>> types_;
  StringIndex index_;  // of places in entries_
};

}  // namespace tok
}  // namespace motley

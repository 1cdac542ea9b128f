#include "io/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>

#include "io/tokenizer/byte_alphabet.h"
#include "io/tokenizer/unigram.h"

namespace motley::tok {
namespace {

using Ids = std::vector<int32_t>;

Ids encode(const Model& model, std::string_view word) {
  Ids ids;
  model.encode(word, ids);
  return ids;
}

// The definition, word for word: look at all pairs, join the leftmost of the lowest rank, begin again.
Ids by_definition(Ids symbols, const std::vector<Merge>& merges) {
  for (;;) {
    const Merge* best = nullptr;
    size_t place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i)
      for (const Merge& m : merges)
        if (m.left == symbols[i] && m.right == symbols[i + 1] && (!best || m.rank < best->rank)) best = &m, place = i;
    if (!best) return symbols;
    symbols[place] = best->result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

// A vocabulary over three letters in which many joins compete.
struct Random {
  std::vector<std::pair<std::string, std::string>> pairs;
  Vocabulary vocabulary;

  explicit Random(unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Token> tokens{{"a", 0, TokenType::normal}, {"b", 0, TokenType::normal}, {"c", 0, TokenType::normal}};
    while (tokens.size() < 40) {
      std::string left = tokens[random() % tokens.size()].text, right = tokens[random() % tokens.size()].text;
      if (left.size() + right.size() > 12) continue;
      bool known = std::any_of(tokens.begin(), tokens.end(), [&](const Token& t) { return t.text == left + right; });
      pairs.emplace_back(left, right);
      if (!known) tokens.push_back({left + right, -static_cast<double>(tokens.size()), TokenType::normal});
    }
    // A pair that comes twice has its later rank; the definition above has no such rule.
    std::vector<std::pair<std::string, std::string>> unique;
    for (const auto& p : pairs)
      if (std::find(unique.begin(), unique.end(), p) == unique.end()) unique.push_back(p);
    pairs = unique;
    vocabulary = Vocabulary(std::move(tokens));
  }
};

std::string random_word(std::mt19937& random, size_t length) {
  std::string word;
  for (size_t i = 0; i < length; ++i) word += static_cast<char>('a' + random() % 3);
  return word;
}

Ids letters(std::string_view word) {
  Ids ids;
  for (char c : word) ids.push_back(c - 'a');
  return ids;
}

TEST(Bpe, JoinsAsTheDefinitionSaysInShortAndLongWords) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Random r(seed);
    for (bool scores : {false, true}) {
      Merges merges = scores ? merges_from_scores(r.vocabulary) : merges_from_list(r.vocabulary, r.pairs, "", "test");
      BpeModel model(r.vocabulary, merges, {});
      std::mt19937 random(seed);
      // 40 symbols and more take the way over the queue.
      for (size_t length : {1, 2, 3, 5, 9, 20, 38, 39, 40, 41, 42, 60, 150}) {
        std::string word = random_word(random, length);
        EXPECT_EQ(encode(model, word), by_definition(letters(word), merges.list)) << "seed " << seed << ", " << word;
      }
    }
  }
}

TEST(Bpe, LongWordsCostNearlyLinearTime) {
  Random r(3);
  BpeModel model(r.vocabulary, merges_from_list(r.vocabulary, r.pairs, "", "test"), {});
  std::mt19937 random(1);
  std::string word = random_word(random, 1 << 20);
  std::clock_t start = std::clock();
  EXPECT_FALSE(encode(model, word).empty());
  // The square of a million would take hours; a queue takes a second or so, sanitizers included.
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 30.0);
}

TEST(Bpe, MergesComeBackInOrder) {
  Random r(5);
  BpeModel model(r.vocabulary, merges_from_list(r.vocabulary, r.pairs, "", "test"), {});
  std::vector<std::pair<std::string, std::string>> back;
  for (const Merge& m : model.merges()) back.emplace_back(r.vocabulary.text(m.left), r.vocabulary.text(m.right));
  EXPECT_EQ(back, r.pairs);
}

TEST(Bpe, CharactersThatAreNoTokenMayStillBePartOfOne) {
  // SentencePiece joins by text: "é" alone is unknown, "éa" is a piece.
  Vocabulary v({{"<unk>", 0, TokenType::unknown}, {"a", -1, TokenType::normal}, {"éa", -2, TokenType::normal}});
  BpeOptions options;
  options.unk_id = 0;
  options.fuse_unk = true;
  BpeModel model(v, merges_from_scores(v), options);
  EXPECT_EQ(encode(model, "éa"), Ids{2});
  EXPECT_EQ(encode(model, "aéé"), (Ids{1, 0}));
  EXPECT_EQ(encode(model, "éaéé"), (Ids{2, 0}));
}

TEST(Bpe, UnusedPiecesAreTakenApart) {
  Vocabulary v({{"a", -9, TokenType::normal}, {"b", -9, TokenType::normal}, {"ab", -1, TokenType::unused}, {"abab", -2, TokenType::unused}});
  BpeModel model(v, merges_from_scores(v), {});
  EXPECT_EQ(encode(model, "ab"), (Ids{0, 1}));
  EXPECT_EQ(encode(model, "abab"), (Ids{0, 1, 0, 1}));
}

TEST(Bpe, TextIsCutAtSpacesOnlyWhereNoTokenTiesAcross) {
  const std::string space = "\xE2\x96\x81";
  auto independent = [&](const std::string& extra) {
    std::vector<Token> tokens{
        {space, -3, TokenType::normal}, {"a", -3, TokenType::normal}, {space + "a", -1, TokenType::normal}, {space + space, -2, TokenType::normal}};
    if (!extra.empty()) tokens.push_back({extra, -1.5, TokenType::normal});
    Vocabulary v(std::move(tokens));
    bool bpe = BpeModel(v, merges_from_scores(v), {}).independent_at_metaspace();
    EXPECT_EQ(UnigramModel(v, {}).independent_at_metaspace(), bpe) << extra;
    return bpe;
  };
  EXPECT_TRUE(independent(""));
  EXPECT_TRUE(independent(space + space + space));
  EXPECT_FALSE(independent("a" + space));
  EXPECT_FALSE(independent(space + "a" + space));
}

TEST(ByteAlphabet, TurnsEveryByteIntoACharacterAndBack) {
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  std::string text;
  append_as_alphabet(text, all);
  EXPECT_EQ(alphabet_to_bytes(text), all);
  EXPECT_EQ(alphabet_to_bytes("\xC4\xA0hi"), " hi");
  EXPECT_EQ(alphabet_to_bytes("\xE2\x96\x81"), std::nullopt);
}

}  // namespace
}  // namespace motley::tok

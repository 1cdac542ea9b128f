#include "io/dataset/documents.h"

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;
using Texts = std::vector<std::string>;

Texts documents_of(std::string_view text, Split split, const std::string& marker = "") {
  ByteStream in = stream_of(text);
  Documents documents(in, split, marker);
  Texts out;
  for (Record r; documents.next(r);) {
    if (r.begins) out.emplace_back();
    out.back() += r.text;
  }
  return out;
}

TEST(Documents, EndWhereTheSplitSays) {
  const std::string text = "\n\none\ntwo\n \n\n\nthree\r\n\r\nfour";
  EXPECT_EQ(documents_of(text, Split::blank), (Texts{"one\ntwo", "three", "four"}));
  EXPECT_EQ(documents_of(text, Split::line), (Texts{"one", "two", "three", "four"}));
  EXPECT_EQ(documents_of(text, Split::none), (Texts{"\n\none\ntwo\n \n\n\nthree\n\nfour"}));
  EXPECT_EQ(documents_of("\n \n", Split::blank), Texts{});
  EXPECT_EQ(documents_of("", Split::none), Texts{});
}

TEST(Documents, AMarkerMayStandAnywhere) {
  EXPECT_EQ(documents_of("a\nb\n<|end|>\nc<|end|>d<|end|><|end|>\n\n<|end|>", Split::marker, "<|end|>"), (Texts{"a\nb", "c", "d"}));
}

TEST(Documents, ALongOneComesInPartsThatLoseNothing) {
  std::string text;
  for (int i = 0; text.size() < 5 * Documents::kPartBytes; ++i) text += "line " + std::to_string(i) + (i % 7 ? " " : "\n");
  ByteStream in = stream_of(text);
  Documents documents(in, Split::none);
  std::string all;
  int parts = 0, begins = 0, ends = 0;
  for (Record r; documents.next(r); ++parts) {
    all += r.text;
    begins += r.begins, ends += r.ends;
    EXPECT_LE(r.text.size(), 2 * Documents::kPartBytes);
    EXPECT_TRUE(r.ends || r.text.back() == '\n');
  }
  EXPECT_EQ(all, text);
  EXPECT_GE(parts, 3);
  EXPECT_EQ(begins, 1);
  EXPECT_EQ(ends, 1);
  // Without a line end or a space, characters still stay whole.
  std::string dense;
  while (dense.size() < 3 * Documents::kPartBytes) dense += "\xE4\xB8\x96";
  EXPECT_EQ(documents_of(dense, Split::none), Texts{dense});
}

}  // namespace
}  // namespace motley
